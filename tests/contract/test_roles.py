"""Roles and permissions."""

from __future__ import annotations

from contract.client import Caller, fresh
from contract.covered import covers
from contract.expectations import AnyOrder

UNKNOWN = "UNKNOWN_ROLE_ERROR"


@covers("PUT /recipe/role", "GET /recipe/role/permissions", "POST /recipe/role/permissions/remove")
def test_permissions(app: Caller) -> None:
    """Permissions are added to a role one by one, never removed by adding, and removed by name or all at once."""
    role = fresh("role")

    def has(*permissions: str) -> None:
        app.get("/recipe/role/permissions", role=role).says("OK", permissions=AnyOrder(*permissions))

    app.put("/recipe/role", role=f" {role} ", permissions=[" a ", "b", "a"]).says("OK", createdNewRole=True)
    has("a", "b")
    app.put("/recipe/role", role=role, permissions=["c"]).says("OK", createdNewRole=False)
    app.put("/recipe/role", role=role).says("OK", createdNewRole=False)
    has("a", "b", "c")
    remove = "/recipe/role/permissions/remove"
    app.post(remove, role=role, permissions=["b", "ghost"]).says("OK")
    has("a", "c")
    app.post(remove, role=role).says("OK")
    has()
    app.post(remove, role="ghost").says(UNKNOWN)
    app.get("/recipe/role/permissions", role="ghost").says(UNKNOWN)


@covers("GET /recipe/roles", "GET /recipe/permission/roles", "POST /recipe/role/remove")
def test_roles(app: Caller) -> None:
    """Roles are listed, found by permission, and removed with all that refers to them."""
    first, second, permission = fresh("role"), fresh("role"), fresh("permission")
    for role in (first, second):
        app.put("/recipe/role", role=role, permissions=[permission]).has()
    assert {first, second} <= set(app.get("/recipe/roles").body["roles"])
    app.get("/recipe/permission/roles", permission=permission).says("OK", roles=AnyOrder(first, second))
    app.put("/recipe/user/role", userId="u", role=first).has()
    app.post("/recipe/role/remove", role=first).says("OK", didRoleExist=True)
    app.post("/recipe/role/remove", role=first).says("OK", didRoleExist=False)
    app.get("/recipe/permission/roles", permission=permission).says("OK", roles=[second])
    app.get("/recipe/permission/roles", permission="ghost").says("OK", roles=[])
    app.put("/recipe/role", role=first).says("OK", createdNewRole=True)
    app.get("/recipe/role/users", role=first).says("OK", users=[])


@covers("PUT /recipe/user/role", "POST /recipe/user/role/remove", "GET /recipe/user/roles", "GET /recipe/role/users")
def test_roles_of_users(app: Caller, tenant: Caller) -> None:
    """A user has a role in a tenant; the user need not exist for that, but the role must."""
    role, user_id = fresh("role"), fresh("user")
    app.put("/recipe/role", role=role).has()
    app.put("/recipe/user/role", userId=user_id, role=f"{role} ").says("OK", didUserAlreadyHaveRole=False)
    app.put("/recipe/user/role", userId=user_id, role=role).says("OK", didUserAlreadyHaveRole=True)
    tenant.get("/recipe/user/roles", userId=user_id).says("OK", roles=[])
    tenant.put("/recipe/user/role", userId=user_id, role=role).says("OK", didUserAlreadyHaveRole=False)
    for caller in (app, tenant):
        caller.get("/recipe/user/roles", userId=user_id).says("OK", roles=[role])
        caller.get("/recipe/role/users", role=role).says("OK", users=[user_id])
    app.post("/recipe/user/role/remove", userId=user_id, role=role).says("OK", didUserHaveRole=True)
    app.post("/recipe/user/role/remove", userId=user_id, role=role).says("OK", didUserHaveRole=False)
    app.get("/recipe/user/roles", userId=user_id).says("OK", roles=[])
    tenant.get("/recipe/user/roles", userId=user_id).says("OK", roles=[role])
    app.put("/recipe/user/role", userId=user_id, role="ghost").says(UNKNOWN)
    app.post("/recipe/user/role/remove", userId=user_id, role="ghost").says(UNKNOWN)
    app.get("/recipe/role/users", role="ghost").says(UNKNOWN)
