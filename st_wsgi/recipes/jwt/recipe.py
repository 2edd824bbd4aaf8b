"""The jwt recipe."""

from __future__ import annotations

import attrs

from ...recipe_kit.recipe import Recipe
from .apis import JwtAPIs
from .functions import JwtFunctions
from .routes import ROUTES
from .settings import JwtSettings


@attrs.define(kw_only=True, eq=False, slots=False)
class Jwt(JwtSettings, Recipe[JwtFunctions, JwtAPIs]):
    """
    JWTs that the core signs, and the keys that verify them.

    ::

        Jwt(jwt_validity_seconds=3600)

    :param jwt_validity_seconds: the validity of a JWT unless the call says otherwise, default 100 years.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = "jwt"
    routes = ROUTES
