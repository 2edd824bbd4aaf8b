"""
Roles of users and permissions of roles.

::

    from st_wsgi.recipes.session import verify_session
    from st_wsgi.recipes.userroles import UserRoleClaim, add_role_to_user, create_new_role_or_add_permissions

    create_new_role_or_add_permissions(role="editor", permissions=["articles:write"])
    add_role_to_user(user_id="ada", role="editor")

    def editors_only(validators, session):
        return [*validators, UserRoleClaim.includes("editor")]

    @verify_session(override_global_claim_validators=editors_only)
    def write_article(request):
        ...
"""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from .claims import PermissionClaim as PermissionClaim, UserRoleClaim as UserRoleClaim
from .functions import UserRolesFunctions as UserRolesFunctions
from .recipe import UserRoles as UserRoles
from .types import (
    Permissions as Permissions,
    RoleAdded as RoleAdded,
    RoleCreated as RoleCreated,
    RoleDeleted as RoleDeleted,
    RoleRemoved as RoleRemoved,
    Roles as Roles,
    UnknownRole as UnknownRole,
    Users as Users,
)

add_role_to_user: Final = user_facing(UserRoles, UserRolesFunctions.add_role_to_user)
create_new_role_or_add_permissions: Final = user_facing(
    UserRoles, UserRolesFunctions.create_new_role_or_add_permissions
)
delete_role: Final = user_facing(UserRoles, UserRolesFunctions.delete_role)
get_all_roles: Final = user_facing(UserRoles, UserRolesFunctions.get_all_roles)
get_permissions_for_role: Final = user_facing(UserRoles, UserRolesFunctions.get_permissions_for_role)
get_roles_for_user: Final = user_facing(UserRoles, UserRolesFunctions.get_roles_for_user)
get_roles_that_have_permission: Final = user_facing(UserRoles, UserRolesFunctions.get_roles_that_have_permission)
get_users_that_have_role: Final = user_facing(UserRoles, UserRolesFunctions.get_users_that_have_role)
remove_permissions_from_role: Final = user_facing(UserRoles, UserRolesFunctions.remove_permissions_from_role)
remove_user_role: Final = user_facing(UserRoles, UserRolesFunctions.remove_user_role)
