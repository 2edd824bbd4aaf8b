"""The settings of the jwt recipe."""

from __future__ import annotations

import attrs

from ...checks import a_number
from ...recipe_kit.recipe import Settings

_HUNDRED_YEARS = 3_153_600_000


@attrs.define(kw_only=True, eq=False, slots=False)
class JwtSettings(Settings):
    """The lower half of the recipe."""

    jwt_validity_seconds: int = attrs.field(default=_HUNDRED_YEARS, validator=a_number("seconds", least=1, most=2**53))
