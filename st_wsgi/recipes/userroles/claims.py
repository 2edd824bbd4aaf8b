"""The roles and permissions of a user as claims of their session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...request import current
from ...users import RecipeUserId
from ..session import PrimitiveArrayClaim
from .functions import UserRolesFunctions
from .types import Permissions


def _roles(user_id: str, _recipe_user_id: RecipeUserId, tenant_id: str, _payload: Mapping[str, Any]) -> list[str]:
    functions = current.services().functions(UserRolesFunctions)
    return list(functions.get_roles_for_user(user_id=user_id, tenant_id=tenant_id).roles)


def _permissions(user_id: str, recipe_user_id: RecipeUserId, tenant_id: str, payload: Mapping[str, Any]) -> list[str]:
    functions = current.services().functions(UserRolesFunctions)
    permissions: set[str] = set()
    for role in _roles(user_id, recipe_user_id, tenant_id, payload):
        outcome = functions.get_permissions_for_role(role=role)
        if isinstance(outcome, Permissions):  # the role may have been deleted meanwhile
            permissions.update(outcome.permissions)
    return sorted(permissions)


UserRoleClaim: PrimitiveArrayClaim = PrimitiveArrayClaim("st-role", fetch_value=_roles)
"""The roles of the user in the tenant of the session (``st-role``)."""

PermissionClaim: PrimitiveArrayClaim = PrimitiveArrayClaim("st-perm", fetch_value=_permissions)
"""The permissions of all these roles (``st-perm``)."""
