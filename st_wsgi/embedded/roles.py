"""Roles and permissions, app-wide, and who has them, per tenant (CDI 1.6, semantics 3.12)."""

from __future__ import annotations

from typing import Any

from .call import Call, Endpoint
from .fields import Answered
from .storage.database import Database


def _check(db: Database, app: int, role: str) -> None:
    """End the call when there is no such role."""
    if not db.exists("roles", app=app, role=role):
        raise Answered("UNKNOWN_ROLE_ERROR")


def create(call: Call) -> dict[str, Any]:
    """``PUT /recipe/role``: a role, or more permissions for one that is there."""
    role = call.body.filled("role")
    permissions = call.body.filled_texts_or_none("permissions") or []
    created = call.db.insert_new("roles", app=call.app, role=role)
    for permission in permissions:
        call.db.insert_new("role_permissions", app=call.app, role=role, permission=permission)
    return {"status": "OK", "createdNewRole": created}


def remove(call: Call) -> dict[str, Any]:
    """``POST /recipe/role/remove``: the role, its permissions, and from everyone who has it."""
    role = call.body.filled("role")
    for table in ("role_permissions", "user_roles"):
        call.db.delete(table, app=call.app, role=role)
    existed = call.db.delete("roles", app=call.app, role=role) > 0
    return {"status": "OK", "didRoleExist": existed}


def all_roles(call: Call) -> dict[str, Any]:
    """``GET /recipe/roles``."""
    return {"status": "OK", "roles": call.db.column("SELECT role FROM roles WHERE app = ?", call.app)}


def permissions_of(call: Call) -> dict[str, Any]:
    """``GET /recipe/role/permissions``."""
    role = call.query.filled("role")
    _check(call.db, call.app, role)
    query = "SELECT permission FROM role_permissions WHERE app = ? AND role = ?"
    return {"status": "OK", "permissions": call.db.column(query, call.app, role)}


def remove_permissions(call: Call) -> dict[str, Any]:
    """``POST /recipe/role/permissions/remove``: the given ones, or all."""
    role = call.body.filled("role")
    permissions = call.body.filled_texts_or_none("permissions")
    _check(call.db, call.app, role)
    if permissions is None:
        call.db.delete("role_permissions", app=call.app, role=role)
    for permission in permissions or ():
        call.db.delete("role_permissions", app=call.app, role=role, permission=permission)
    return {"status": "OK"}


def with_permission(call: Call) -> dict[str, Any]:
    """``GET /recipe/permission/roles``."""
    permission = call.query.filled("permission")
    query = "SELECT role FROM role_permissions WHERE app = ? AND permission = ?"
    return {"status": "OK", "roles": call.db.column(query, call.app, permission)}


def give(call: Call) -> dict[str, Any]:
    """``PUT /recipe/user/role``: any user id will do."""
    user_id, role = call.body.text("userId"), call.body.filled("role")
    _check(call.db, call.app, role)
    added = call.db.insert_new("user_roles", app=call.app, tenant_id=call.here.tenant_id, user_id=user_id, role=role)
    return {"status": "OK", "didUserAlreadyHaveRole": not added}


def take(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/role/remove``."""
    user_id, role = call.body.text("userId"), call.body.filled("role")
    _check(call.db, call.app, role)
    removed = call.db.delete("user_roles", app=call.app, tenant_id=call.here.tenant_id, user_id=user_id, role=role)
    return {"status": "OK", "didUserHaveRole": removed == 1}


def of_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/user/roles``."""
    user_id = call.query.text("userId")
    query = "SELECT role FROM user_roles WHERE app = ? AND tenant_id = ? AND user_id = ?"
    return {"status": "OK", "roles": call.db.column(query, call.app, call.here.tenant_id, user_id)}


def users_with(call: Call) -> dict[str, Any]:
    """``GET /recipe/role/users``."""
    role = call.query.filled("role")
    _check(call.db, call.app, role)
    query = "SELECT user_id FROM user_roles WHERE app = ? AND role = ? AND tenant_id = ?"
    return {"status": "OK", "users": call.db.column(query, call.app, role, call.here.tenant_id)}


ENDPOINTS = (
    Endpoint("PUT", "/recipe/role", "app", create),
    Endpoint("POST", "/recipe/role/remove", "app", remove),
    Endpoint("GET", "/recipe/roles", "app", all_roles),
    Endpoint("GET", "/recipe/role/permissions", "app", permissions_of),
    Endpoint("POST", "/recipe/role/permissions/remove", "app", remove_permissions),
    Endpoint("GET", "/recipe/permission/roles", "app", with_permission),
    Endpoint("PUT", "/recipe/user/role", "tenant", give),
    Endpoint("POST", "/recipe/user/role/remove", "tenant", take),
    Endpoint("GET", "/recipe/user/roles", "tenant", of_user),
    Endpoint("GET", "/recipe/role/users", "tenant", users_with),
)
