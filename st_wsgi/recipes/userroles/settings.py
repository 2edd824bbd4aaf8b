"""The settings of the userroles recipe."""

from __future__ import annotations

import attrs

from ...checks import a_flag
from ...recipe_kit.recipe import Settings


@attrs.define(kw_only=True, eq=False, slots=False)
class UserRolesSettings(Settings):
    """The lower half of the recipe."""

    skip_adding_roles_to_access_token: bool = attrs.field(default=False, validator=a_flag())
    skip_adding_permissions_to_access_token: bool = attrs.field(default=False, validator=a_flag())
