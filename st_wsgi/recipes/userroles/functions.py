"""The functions of the userroles recipe: interface and default implementation."""

from __future__ import annotations

from collections.abc import Iterable

from ...recipe_kit.recipe import Functions, Settings
from ...recipe_kit.results import Ok
from ...users import PUBLIC_TENANT
from .types import Permissions, RoleAdded, RoleCreated, RoleDeleted, RoleRemoved, Roles, UnknownRole, Users


class UserRolesFunctions(Functions[Settings]):
    """
    The functions of the userroles recipe (CDI 5.4, section 1.6 of the interface: ``/recipe/role`` and what is below).

    Roles and their permissions belong to the app; which users have a role belongs to a tenant.
    """

    def add_role_to_user(self, *, user_id: str, role: str, tenant_id: str = PUBLIC_TENANT) -> RoleAdded | UnknownRole:
        """Give a user a role in a tenant. No user with this id has to exist."""
        body = {"userId": user_id, "role": role}
        outcome = self.core.put("/recipe/user/role", body, tenant_id=tenant_id).into(RoleAdded, UnknownRole)
        if isinstance(outcome, RoleAdded) and not outcome.did_user_already_have_role:
            self.context.record("role_added", tenant_id=tenant_id, user_id=user_id, role=role)
        return outcome

    def remove_user_role(self, *, user_id: str, role: str, tenant_id: str = PUBLIC_TENANT) -> RoleRemoved | UnknownRole:
        """Take a role from a user in a tenant."""
        body = {"userId": user_id, "role": role}
        outcome = self.core.post("/recipe/user/role/remove", body, tenant_id=tenant_id).into(RoleRemoved, UnknownRole)
        if isinstance(outcome, RoleRemoved) and outcome.did_user_have_role:
            self.context.record("role_removed", tenant_id=tenant_id, user_id=user_id, role=role)
        return outcome

    def get_roles_for_user(self, *, user_id: str, tenant_id: str = PUBLIC_TENANT) -> Roles:
        """Return the roles of a user in a tenant."""
        return self.core.get("/recipe/user/roles", {"userId": user_id}, tenant_id=tenant_id).into(Roles)

    def get_users_that_have_role(self, *, role: str, tenant_id: str = PUBLIC_TENANT) -> Users | UnknownRole:
        """Return the ids of all users with a role in a tenant."""
        return self.core.get("/recipe/role/users", {"role": role}, tenant_id=tenant_id).into(Users, UnknownRole)

    def create_new_role_or_add_permissions(self, *, role: str, permissions: Iterable[str]) -> RoleCreated:
        """Create a role, or add permissions to it. Permissions that it has already stay."""
        outcome = self.core.put("/recipe/role", {"role": role, "permissions": list(permissions)}).into(RoleCreated)
        self.context.record("role_changed", role=role)
        return outcome

    def get_permissions_for_role(self, *, role: str) -> Permissions | UnknownRole:
        """Return the permissions of a role."""
        return self.core.get("/recipe/role/permissions", {"role": role}).into(Permissions, UnknownRole)

    def remove_permissions_from_role(self, *, role: str, permissions: Iterable[str]) -> Ok | UnknownRole:
        """Take permissions from a role. Those that it does not have are ignored; an empty list takes none."""
        body = {"role": role, "permissions": list(permissions)}
        outcome = self.core.post("/recipe/role/permissions/remove", body).into(Ok, UnknownRole)
        if isinstance(outcome, Ok):
            self.context.record("role_changed", role=role)
        return outcome

    def get_roles_that_have_permission(self, *, permission: str) -> Roles:
        """Return all roles with a permission."""
        return self.core.get("/recipe/permission/roles", {"permission": permission}).into(Roles)

    def delete_role(self, *, role: str) -> RoleDeleted:
        """Delete a role, and take it from all users of all tenants."""
        outcome = self.core.post("/recipe/role/remove", {"role": role}).into(RoleDeleted)
        if outcome.did_role_exist:
            self.context.record("role_deleted", role=role)
        return outcome

    def get_all_roles(self) -> Roles:
        """Return all roles of the app."""
        return self.core.get("/recipe/roles").into(Roles)
