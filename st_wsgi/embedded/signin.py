"""What the recipes that sign users in have in common: the answer to a sign-in, and finding a recipe's users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import methods
from .call import Call
from .database import Database
from .methods import Identity
from .users import external_id, internal_id, method_json, primary_id, touch, users_json


def has(method: Mapping[str, Any], identity: Identity) -> bool:
    """Return whether a login method (JSON) has the parts of *identity* that are not None."""
    third_party = method.get("thirdParty", {})
    return (
        identity.email in (None, method.get("email"))
        and identity.phone_number in (None, method.get("phoneNumber"))
        and identity.third_party_id in (None, third_party.get("id"))
        and identity.third_party_user_id in (None, third_party.get("userId"))
    )


def signed_in(
    db: Database,
    call: Call,
    recipe_id: str,
    user_id: str,
    identity: Identity,
    *,
    verified: bool = False,
) -> dict[str, Any]:
    """
    Note that a user is active and return the answer to their sign-in.

    :param user_id: the SuperTokens id of the login method.
    :param identity: what it was found by; the oldest login method of the user that has it is named in the answer.
    :param verified: show the login method's email as verified. What was just verified counts for the SuperTokens id,
        which later answers do not look at when the id is mapped.
    """
    group = primary_id(db, call.app, user_id)
    touch(db, call.app, group, call.now)
    [user] = users_json(db, call.app, [group], call.version)
    if verified:
        name = external_id(db, call.app, user_id)
        for method in user["loginMethods"]:
            method["verified"] |= method["recipeUserId"] == name
    same = _matching(user, recipe_id, identity)[0]
    return {"status": "OK", "user": user, "recipeUserId": same["recipeUserId"]}


def _matching(user: Mapping[str, Any], recipe_id: str, identity: Identity) -> list[dict[str, Any]]:
    return [one for one in user["loginMethods"] if one["recipeId"] == recipe_id and has(one, identity)]


def by_id(db: Database, call: Call, recipe_id: str, user_id: str) -> dict[str, Any] | None:
    """Return a login method of a recipe as a user of its own, by any id of it; None when there is none."""
    method = methods.find(db, call.app, internal_id(db, call.app, user_id), recipe_id)
    return None if method is None else method_json(db, call.app, method.user_id, call.version)


def by_identity(db: Database, call: Call, recipe_id: str, identity: Identity) -> list[dict[str, Any]]:
    """
    Return the users of the tenant who have a part of an identity, and have it in a recipe, the oldest first.

    A user comes once for each such login method, whatever its tenants (as from the official core).
    """
    groups = methods.groups_in_tenant(db, call.here, identity)
    users = sorted(users_json(db, call.app, groups, call.version), key=lambda user: int(user["timeJoined"]))
    return [user for user in users for _ in _matching(user, recipe_id, identity)]
