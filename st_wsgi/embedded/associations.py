"""Which users belong to which tenants (CDI 1.7, semantics 3.13)."""

from __future__ import annotations

from typing import Any

from . import methods, usage
from .call import Call, Endpoint
from .fields import bad, trimmed
from .methods import Kind
from .storage.database import Database
from .tenancy import Tenant
from .users import external_id, internal_id, user_exists


def _user_id(call: Call) -> str:
    user_id = trimmed(call.body.text("recipeUserId"))
    if not user_id:
        raise bad("Field name 'userId' cannot be an empty String")
    return user_id


_TAKEN: dict[Kind, str] = {
    "email": "EMAIL_ALREADY_EXISTS_ERROR",
    "phone number": "PHONE_NUMBER_ALREADY_EXISTS_ERROR",
    "third party": "THIRD_PARTY_USER_ALREADY_EXISTS_ERROR",
}
_WORDS: dict[Kind, str] = {"third party": "third party info"}


def add(call: Call) -> dict[str, Any]:
    """``POST /recipe/multitenancy/tenant/user``."""
    user_id = _user_id(call)
    here = call.here
    internal = internal_id(call.db, here.app, user_id)
    method = methods.find(call.db, here.app, internal)
    # A primary user whose own login method was removed keeps its id, and is looked at before the method is missed.
    problem = _primary_problem(call.db, here, internal if method is None else method.primary_user_id)
    if problem is not None:
        return problem
    if method is None:
        return {"status": "UNKNOWN_USER_ID_ERROR"}
    if here.tenant_id in methods.tenants_of(call.db, here.app, method.user_id):
        methods.update_group_time(call.db, here.app, method.primary_user_id)
        return {"status": "OK", "wasAlreadyAssociated": True}
    taken = methods.add_to_tenant(call.db, here, method)
    return {"status": "OK", "wasAlreadyAssociated": False} if taken is None else {"status": _TAKEN[taken]}


def _primary_problem(db: Database, here: Tenant, user_id: str) -> dict[str, Any] | None:
    """Return why a login method of a primary user may not join: another user in the tenant has the user's identity."""
    group = [method for method in methods.of_group(db, here.app, user_id) if method.linked]
    owner = methods.owner_of(db, here.app, [here.tenant_id], group, but_not=user_id, primary=["email"])
    if owner is None:
        return None
    kind, other = owner
    for own in group:
        for part in methods.parts(own):
            if part[0] == kind and methods.has_in_tenant(db, here, other, own.recipe_id, part):
                return {"status": _TAKEN[kind]}
    reason = f"Another primary user with {_WORDS.get(kind, kind)} already exists: {other}"
    return {"status": "ASSOCIATION_NOT_ALLOWED_ERROR", "reason": reason}


def remove(call: Call) -> dict[str, Any]:
    """``POST /recipe/multitenancy/tenant/user/remove``, with what the tenant's recipes keep about the user."""
    user_id = _user_id(call)
    here = call.here
    internal = internal_id(call.db, here.app, user_id)
    if not user_exists(call.db, here.app, internal) and not usage.recipes_using(call.db, here.app, user_id):
        return {"status": "UNKNOWN_USER_ID_ERROR"}
    wiped = usage.wipe_in_tenant(call.db, here.app, here.tenant_id, external_id(call.db, here.app, internal))
    removed = methods.remove_from_tenant(call.db, here, internal)
    return {"status": "OK", "wasAssociated": wiped or removed}


ENDPOINTS = (
    Endpoint("POST", "/recipe/multitenancy/tenant/user", "tenant", add),
    Endpoint("POST", "/recipe/multitenancy/tenant/user/remove", "tenant", remove),
)
