"""What the recipes that sign users in have in common: the answer to a sign-in, and finding a recipe's users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import methods
from .call import Call
from .fields import Answered
from .methods import Contact, Identity, Method
from .passwords import Check
from .storage.database import Database
from .users import external_id, internal_id, method_json, touched_user, users_json


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
    :raises Answered: the user or the identity was removed meanwhile.
    """
    user = touched_user(call.db, call.app, user_id, call.now, call.version)
    same = [] if user is None else _matching(user, recipe_id, identity)
    if user is None or not same:
        raise Answered("WRONG_CREDENTIALS_ERROR")
    if verified:
        name = external_id(call.db, call.app, user_id)
        for method in user["loginMethods"]:
            method["verified"] |= method["recipeUserId"] == name
    return {"status": "OK", "user": user, "recipeUserId": same[0]["recipeUserId"]}


def _matching(user: Mapping[str, Any], recipe_id: str, identity: Identity) -> list[dict[str, Any]]:
    return [one for one in user["loginMethods"] if one["recipeId"] == recipe_id and has(one, identity)]


def method_of(call: Call, recipe_id: str, user_id: str) -> Method:
    """Return a login method of a recipe, by any id of it. :raises Answered: when there is none."""
    method = methods.find(call.db, call.app, internal_id(call.db, call.app, user_id), recipe_id)
    if method is None:
        raise Answered("UNKNOWN_USER_ID_ERROR")
    return method


def one_user(call: Call, recipe_id: str, user_id: str | None, identity: Identity, what: str) -> dict[str, Any]:
    """
    Answer ``GET /recipe/user`` (deprecated), with a user of a recipe.

    :param user_id: any id of a login method, which is shown as a user of its own; None for a user of the tenant.
    :param identity: the part of one that this user has; *what* it is called.
    """
    if user_id is not None:
        call.public_only()
    if user_id is None:
        user = next(iter(by_identity(call, recipe_id, identity)), None)
    else:
        user = method_json(call.db, call.app, method_of(call, recipe_id, user_id).user_id, call.version)
    if user is None:
        return {"status": f"UNKNOWN_{what}_ERROR"}
    return {"status": "OK", "user": user}


def change(db: Database, app: int, method: Method, column: Contact, value: str | None) -> None:
    """Change the email or phone number of a login method. :raises Answered: when another user has it."""
    name = column.upper()
    if methods.is_taken(db, app, method, Identity(**{column: value})):
        reason = f"New {column.replace('_', ' ')} is associated with another primary user ID"
        raise Answered(f"{name}_CHANGE_NOT_ALLOWED_ERROR", reason=reason)
    if not methods.change(db, app, method.user_id, column, value):
        raise Answered(f"{name}_ALREADY_EXISTS_ERROR")


def by_identity(call: Call, recipe_id: str, identity: Identity) -> list[dict[str, Any]]:
    """
    Return the users of the tenant who have a part of an identity, and have it in a recipe, the oldest first.

    A user comes once for each such login method, whatever its tenants (as from the official core).
    """
    groups = methods.groups_in_tenant(call.db, call.here, identity)
    users = sorted(users_json(call.db, call.app, groups, call.version), key=lambda user: int(user["timeJoined"]))
    return [user for user in users for _ in _matching(user, recipe_id, identity)]


def new_hash(call: Call, password: str) -> str:
    """Return a hash of a password by the app's settings. :raises HashingBusy: when too many others are computed."""
    return call.services.passwords.hash(password, call.settings.text("password_hashing_alg"))


def check_password(call: Call, password: str, stored: str | None, kinds: Iterable[str]) -> Check:
    """Check a password by the app's settings, as :meth:`~st_wsgi.embedded.passwords.Passwords.check` does."""
    algorithm, key = map(call.settings.text, ("password_hashing_alg", "firebase_password_hashing_signer_key"))
    return call.services.passwords.check(password, stored, algorithm=algorithm, kinds=kinds, firebase_key=key)
