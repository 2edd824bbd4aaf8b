"""The userroles recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...checks import a_flag
from ...recipe_kit.recipe import NoAPIs, Recipe, Requires
from ...services import Services
from ..session import Session
from .claims import PermissionClaim, UserRoleClaim
from .functions import UserRolesFunctions


@attrs.define(kw_only=True, eq=False, slots=False)
class UserRoles(Recipe[UserRolesFunctions, NoAPIs]):
    """
    Roles of users and permissions of roles, in the core and in the access token.

    :param skip_adding_roles_to_access_token: do not add the claim ``st-role`` to new sessions.
    :param skip_adding_permissions_to_access_token: do not add the claim ``st-perm`` to new sessions.
    :param override: replacements of functions.
    :raises ConfigError: a setting is not usable.
    """

    id = "userroles"
    requires: ClassVar[Requires] = (Session,)

    skip_adding_roles_to_access_token: bool = attrs.field(default=False, validator=a_flag())
    skip_adding_permissions_to_access_token: bool = attrs.field(default=False, validator=a_flag())

    def bind(self, services: Services) -> None:
        super().bind(services)
        session = services.get(Session)
        if not self.skip_adding_roles_to_access_token:
            session.add_claim(UserRoleClaim)
        if not self.skip_adding_permissions_to_access_token:
            session.add_claim(PermissionClaim)
