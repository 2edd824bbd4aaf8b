"""Which users belong to which tenants (CDI 1.7, semantics 3.13)."""

from __future__ import annotations

import sqlite3
from typing import Any

from . import methods, usage
from .call import Call, Endpoint
from .fields import bad
from .methods import Method
from .users import external_id, internal_id, user_exists


def _user_id(call: Call) -> str:
    user_id = call.body.text("recipeUserId").strip()
    if not user_id:
        raise bad("Field name 'userId' cannot be an empty String")
    return user_id


def add(call: Call) -> dict[str, Any]:
    """``POST /recipe/multitenancy/tenant/user``."""
    user_id = _user_id(call)
    here = call.here
    with call.write() as db:
        method = methods.find(db, here.app, internal_id(db, here.app, user_id))
        if method is None:
            return {"status": "UNKNOWN_USER_ID_ERROR"}
        if here.tenant_id in methods.tenants_of(db, here.app, method.user_id):
            return {"status": "OK", "wasAlreadyAssociated": True}
        taken = methods.add_to_tenant(db, here.app, here.tenant_id, method)
        if taken is not None:
            return {"status": taken}
        reason = _other_primary(db, here.app, here.tenant_id, method)
        if reason is not None:
            methods.remove_from_tenant(db, here.app, here.tenant_id, method.user_id)
            return {"status": "ASSOCIATION_NOT_ALLOWED_ERROR", "reason": reason}
    return {"status": "OK", "wasAlreadyAssociated": False}


def _other_primary(db: sqlite3.Connection, app: int, tenant_id: str, method: Method) -> str | None:
    """Return why a method of a primary user may not join: another primary user of the tenant has its identity."""
    if not method.linked:
        return None
    tenants, group = [tenant_id], method.primary_user_id
    for own in methods.of_group(db, app, group):
        third_party = None
        if own.third_party_id is not None and own.third_party_user_id is not None:
            third_party = own.third_party_id, own.third_party_user_id
        found = {
            "email": methods.primary_with(db, app, tenants, email=own.email, but_not=group),
            "phone number": methods.primary_with(db, app, tenants, phone_number=own.phone_number, but_not=group),
            "third party info": methods.primary_with(db, app, tenants, third_party=third_party, but_not=group),
        }
        for what, other in found.items():
            if other is not None:
                return f"Another primary user with {what} already exists: {other}"
    return None


def remove(call: Call) -> dict[str, Any]:
    """``POST /recipe/multitenancy/tenant/user/remove``, with what the tenant's recipes keep about the user."""
    user_id = _user_id(call)
    here = call.here
    with call.write() as db:
        internal = internal_id(db, here.app, user_id)
        if not user_exists(db, here.app, internal) and not usage.recipes_using(db, here.app, user_id):
            return {"status": "UNKNOWN_USER_ID_ERROR"}
        wiped = usage.wipe_in_tenant(db, here.app, here.tenant_id, external_id(db, here.app, internal))
        removed = methods.remove_from_tenant(db, here.app, here.tenant_id, internal)
    return {"status": "OK", "wasAssociated": wiped or removed}


ENDPOINTS = (
    Endpoint("POST", "/recipe/multitenancy/tenant/user", "tenant", add),
    Endpoint("POST", "/recipe/multitenancy/tenant/user/remove", "tenant", remove),
)
