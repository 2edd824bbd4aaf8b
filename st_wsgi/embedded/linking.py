"""
Account linking (CDI 1.5, semantics 3.6; ``authRecipe/AuthRecipe.java`` of the official core).

A login method becomes a primary user, and then others are linked to it. In a tenant no two primary users may have the
same email, phone number or third party identity.
"""

from __future__ import annotations

from typing import Any

from . import methods, removal, sessionrows, usage
from .call import Call, Endpoint
from .fields import Answered, bad
from .methods import Kind, Method
from .storage.database import Database
from .users import external_id, internal_id, primary_id, touch, user_exists, user_json

_OTHER_OWNER: dict[Kind, str] = {
    "email": "This user's email is already associated with another user ID",
    "phone number": "This user's phone number is already associated with another user ID",
    "third party": "This user's third party login is already associated with another user ID",
}


def _group(db: Database, app: int, user_id: str) -> list[Method]:
    """Return the login methods of a user, the oldest first, by the SuperTokens id of the user or of one of them."""
    group = methods.of_group(db, app, primary_id(db, app, user_id))
    if not group:
        raise bad("Unknown user ID provided")
    return group


def _known_id(db: Database, app: int, user_id: str) -> str:
    """Return the SuperTokens id of *user_id*. :raises CallRefused: when no user has it and nothing is kept about it."""
    internal = internal_id(db, app, user_id)
    if internal == user_id and not user_exists(db, app, user_id) and not usage.recipes_using(db, app, user_id):
        raise bad("Unknown user ID provided")
    return internal


def _check_identities(db: Database, app: int, found: list[Method], *user_ids: str) -> None:
    """End the call when a primary user in the users' tenants (not the last user) has one of the identities."""
    tenants = methods.tenants_of_groups(db, app, *user_ids)
    owner = methods.owner_of(db, app, tenants, found, but_not=user_ids[-1])
    if owner is not None:
        raise Answered(
            "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
            primaryUserId=external_id(db, app, owner[1]),
            description=_OTHER_OWNER[owner[0]],
        )


def _check_primary(db: Database, app: int, user_id: str) -> bool:
    """Return whether a login method is a primary user. :raises Answered: when it cannot be one."""
    group = _group(db, app, user_id)
    owner = group[0].primary_user_id
    if not group[0].linked:
        _check_identities(db, app, group, owner)
    elif owner != user_id:
        raise Answered(
            "RECIPE_USER_ID_ALREADY_LINKED_WITH_PRIMARY_USER_ID_ERROR",
            primaryUserId=external_id(db, app, owner),
            description="This user ID is already linked to another user ID",
        )
    return group[0].linked


def check_primary(call: Call) -> dict[str, Any]:
    """``GET /recipe/accountlinking/user/primary/check``."""
    user_id = call.query.text("recipeUserId")
    already = _check_primary(call.db, call.app, internal_id(call.db, call.app, user_id))
    return {"status": "OK", "wasAlreadyAPrimaryUser": already}


def make_primary(call: Call) -> dict[str, Any]:
    """``POST /recipe/accountlinking/user/primary``."""
    user_id = call.body.text("recipeUserId")
    user_id = internal_id(call.db, call.app, user_id)
    already = _check_primary(call.db, call.app, user_id)
    methods.make_primary(call.db, call.app, user_id)
    user = user_json(call.db, call.app, user_id, call.version)
    return {"status": "OK", "wasAlreadyAPrimaryUser": already, "user": user}


def _linkable(db: Database, app: int, recipe_user_id: str, primary_user_id: str) -> tuple[Method, str, bool]:
    """
    Return the login method to link, the user's id, and whether they are linked already.

    :raises Answered: when they cannot be linked.
    """
    group = _group(db, app, primary_user_id)
    if not group[0].linked:
        raise Answered("INPUT_USER_IS_NOT_A_PRIMARY_USER")
    recipe = _group(db, app, recipe_user_id)
    own, owner = recipe[0].primary_user_id, group[0].primary_user_id
    if not recipe[0].linked:
        # Both users' tenants count: a tenant that only one of them is in gets the identities of the other.
        _check_identities(db, app, [*recipe, *group], own, owner)
    elif own != owner:
        raise Answered(
            "RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
            primaryUserId=external_id(db, app, own),
            description="The input recipe user ID is already linked to another user ID",
        )
    return recipe[0], owner, own == owner


def check_link(call: Call) -> dict[str, Any]:
    """``GET /recipe/accountlinking/user/link/check``."""
    ids = call.query.text("recipeUserId"), call.query.text("primaryUserId")
    recipe_user_id, primary_user_id = (_known_id(call.db, call.app, user_id) for user_id in ids)
    _, _, linked = _linkable(call.db, call.app, recipe_user_id, primary_user_id)
    return {"status": "OK", "accountsAlreadyLinked": linked}


def link(call: Call) -> dict[str, Any]:
    """``POST /recipe/accountlinking/user/link``: the sessions of the login method end, since its user id changes."""
    ids = call.body.text("recipeUserId"), call.body.text("primaryUserId")
    app = call.app
    recipe_user_id, primary_user_id = (_known_id(call.db, app, user_id) for user_id in ids)
    try:
        method, owner, linked = _linkable(call.db, app, recipe_user_id, primary_user_id)
    except Answered as answered:
        if "ALREADY_LINKED" in answered.answer["status"]:
            answered.answer["user"] = user_json(call.db, app, recipe_user_id, call.version)
        raise
    if not linked:
        methods.move(call.db, app, method, owner, linked=True)
        _end_sessions(call, recipe_user_id)
        call.db.delete("last_active", app=app, user_id=recipe_user_id)
        touch(call.db, app, primary_user_id, call.now)
    user = user_json(call.db, app, owner, call.version)
    return {"status": "OK", "accountsAlreadyLinked": linked, "user": user}


def _end_sessions(call: Call, user_id: str) -> None:
    name = external_id(call.db, call.app, user_id)
    handles = sessionrows.handles_of_user(call.db, call.app, name, None, linked=False, expiring_after=call.now)
    sessionrows.remove_handles(call.db, call.app, handles)


def unlink(call: Call) -> dict[str, Any]:
    """
    ``POST /recipe/accountlinking/user/unlink``.

    The login method that gave a user its id is deleted when others stay: two users cannot have that id.
    """
    user_id = call.body.text("recipeUserId")
    deleted = False
    user_id = internal_id(call.db, call.app, user_id)
    group = _group(call.db, call.app, user_id)
    if group[0].linked:
        own = [method for method in group if method.user_id == user_id]
        deleted = user_id == group[0].primary_user_id and len(group) > 1
        if deleted:
            removal.delete_method(call.db, call.app, user_id)
        elif own:
            methods.move(call.db, call.app, own[0], user_id, linked=False)
        _end_sessions(call, user_id)
    return {"status": "OK", "wasRecipeUserDeleted": deleted, "wasLinked": group[0].linked}


ENDPOINTS = (
    Endpoint("GET", "/recipe/accountlinking/user/primary/check", "app", check_primary),
    Endpoint("POST", "/recipe/accountlinking/user/primary", "app", make_primary),
    Endpoint("GET", "/recipe/accountlinking/user/link/check", "app", check_link),
    Endpoint("POST", "/recipe/accountlinking/user/link", "app", link),
    Endpoint("POST", "/recipe/accountlinking/user/unlink", "app", unlink),
)
