"""
Account linking (CDI 1.5, semantics 3.6; ``authRecipe/AuthRecipe.java`` of the official core).

A login method becomes a primary user, and then others are linked to it. In a tenant no two primary users may have the
same email, phone number or third party identity.
"""

from __future__ import annotations

from typing import Any

from . import methods, removal, sessionrows, usage
from .call import Call, Endpoint
from .database import Database
from .fields import bad
from .methods import Kind, Method
from .users import external_id, internal_id, primary_id, touch, user_exists, user_json

_NOT_PRIMARY = {"status": "INPUT_USER_IS_NOT_A_PRIMARY_USER"}
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


def _conflict(
    db: Database, app: int, tenant_ids: list[str], found: list[Method], but_not: str
) -> dict[str, Any] | None:
    """Return the answer when another primary user of the tenants has an identity of the login methods, else None."""
    owner = methods.owner_of(db, app, tenant_ids, found, but_not=but_not)
    if owner is None:
        return None
    return {
        "status": "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
        "primaryUserId": external_id(db, app, owner[1]),
        "description": _OTHER_OWNER[owner[0]],
    }


def _primary_problem(db: Database, app: int, user_id: str, group: list[Method]) -> dict[str, Any] | None:
    """Return the answer when the login method *user_id* cannot be a primary user, None when it can or is one."""
    owner = group[0].primary_user_id
    if not group[0].linked:
        return _conflict(db, app, methods.tenants_of_groups(db, app, owner), group, owner)
    if owner == user_id:
        return None
    return {
        "status": "RECIPE_USER_ID_ALREADY_LINKED_WITH_PRIMARY_USER_ID_ERROR",
        "primaryUserId": external_id(db, app, owner),
        "description": "This user ID is already linked to another user ID",
    }


def check_primary(call: Call) -> dict[str, Any]:
    """``GET /recipe/accountlinking/user/primary/check``."""
    user_id = call.query.text("recipeUserId")
    with call.read() as db:
        user_id = internal_id(db, call.app, user_id)
        group = _group(db, call.app, user_id)
        problem = _primary_problem(db, call.app, user_id, group)
    return problem or {"status": "OK", "wasAlreadyAPrimaryUser": group[0].linked}


def make_primary(call: Call) -> dict[str, Any]:
    """``POST /recipe/accountlinking/user/primary``."""
    user_id = call.body.text("recipeUserId")
    with call.write() as db:
        user_id = internal_id(db, call.app, user_id)
        group = _group(db, call.app, user_id)
        problem = _primary_problem(db, call.app, user_id, group)
        if problem is not None:
            return problem
        methods.make_primary(db, call.app, user_id)
        user = user_json(db, call.app, user_id, call.version)
    return {"status": "OK", "wasAlreadyAPrimaryUser": group[0].linked, "user": user}


def _link_problem(db: Database, app: int, recipe: list[Method], primary: list[Method]) -> dict[str, Any] | None:
    """Return the answer when a login method cannot be linked to a user, None when it can or is."""
    own, other = recipe[0].primary_user_id, primary[0].primary_user_id
    if not recipe[0].linked:
        # Both users' tenants count: a tenant that only one of them is in gets the identities of the other.
        return _conflict(db, app, methods.tenants_of_groups(db, app, own, other), [*recipe, *primary], other)
    if own == other:
        return None
    return {
        "status": "RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
        "primaryUserId": external_id(db, app, own),
        "description": "The input recipe user ID is already linked to another user ID",
    }


def check_link(call: Call) -> dict[str, Any]:
    """``GET /recipe/accountlinking/user/link/check``."""
    recipe_user_id, primary_user_id = call.query.text("recipeUserId"), call.query.text("primaryUserId")
    with call.read() as db:
        recipe_user_id = _known_id(db, call.app, recipe_user_id)
        primary = _group(db, call.app, _known_id(db, call.app, primary_user_id))
        if not primary[0].linked:
            return dict(_NOT_PRIMARY)
        recipe = _group(db, call.app, recipe_user_id)
        problem = _link_problem(db, call.app, recipe, primary)
    linked = recipe[0].primary_user_id == primary[0].primary_user_id
    return problem or {"status": "OK", "accountsAlreadyLinked": linked}


def link(call: Call) -> dict[str, Any]:
    """``POST /recipe/accountlinking/user/link``: the sessions of the login method end, since its user id changes."""
    recipe_user_id, primary_user_id = call.body.text("recipeUserId"), call.body.text("primaryUserId")
    with call.write() as db:
        app = call.app
        recipe_user_id, primary_user_id = _known_id(db, app, recipe_user_id), _known_id(db, app, primary_user_id)
        primary = _group(db, app, primary_user_id)
        if not primary[0].linked:
            return dict(_NOT_PRIMARY)
        recipe = _group(db, app, recipe_user_id)
        problem = _link_problem(db, app, recipe, primary)
        if problem is not None:
            if "ALREADY_LINKED" in problem["status"]:
                problem["user"] = user_json(db, app, recipe_user_id, call.version)
            return problem
        owner = primary[0].primary_user_id
        linked = recipe[0].primary_user_id == owner
        if not linked:
            methods.move(db, app, recipe[0], owner, linked=True)
            _end_sessions(db, call, recipe_user_id)
            db.change("DELETE FROM last_active WHERE app = ? AND user_id = ?", app, recipe_user_id)
            touch(db, app, primary_user_id, call.now)
        user = user_json(db, app, owner, call.version)
    return {"status": "OK", "accountsAlreadyLinked": linked, "user": user}


def _end_sessions(db: Database, call: Call, user_id: str) -> None:
    name = external_id(db, call.app, user_id)
    handles = sessionrows.handles_of_user(db, call.app, name, None, linked=False, expiring_after=call.now)
    sessionrows.remove_handles(db, call.app, handles)


def unlink(call: Call) -> dict[str, Any]:
    """
    ``POST /recipe/accountlinking/user/unlink``.

    The login method that gave a user its id is deleted when others stay: two users cannot have that id.
    """
    user_id = call.body.text("recipeUserId")
    deleted = False
    with call.write() as db:
        user_id = internal_id(db, call.app, user_id)
        group = _group(db, call.app, user_id)
        if group[0].linked:
            own = [method for method in group if method.user_id == user_id]
            deleted = user_id == group[0].primary_user_id and len(group) > 1
            if deleted:
                removal.delete_method(db, call.app, user_id)
            elif own:
                methods.move(db, call.app, own[0], user_id, linked=False)
            _end_sessions(db, call, user_id)
    return {"status": "OK", "wasRecipeUserDeleted": deleted, "wasLinked": group[0].linked}


ENDPOINTS = (
    Endpoint("GET", "/recipe/accountlinking/user/primary/check", "app", check_primary),
    Endpoint("POST", "/recipe/accountlinking/user/primary", "app", make_primary),
    Endpoint("GET", "/recipe/accountlinking/user/link/check", "app", check_link),
    Endpoint("POST", "/recipe/accountlinking/user/link", "app", link),
    Endpoint("POST", "/recipe/accountlinking/user/unlink", "app", unlink),
)
