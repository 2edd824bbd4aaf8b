"""The jwt recipe."""

from __future__ import annotations

from ...errors import ConfigError
from ...recipe_kit.override import Override
from ...recipe_kit.recipe import Recipe
from .apis import JwtAPIs
from .functions import JwtFunctions
from .routes import ROUTES
from .types import JwtConfig

_HUNDRED_YEARS = 3_153_600_000


class Jwt(Recipe[JwtConfig, JwtFunctions, JwtAPIs]):
    """
    JWTs of the core's making, and the keys to verify them.

    :param jwt_validity_seconds: how long a JWT is good unless the call says otherwise, default 100 years.
    :param override: changes of the functions and APIs.
    :raises ConfigError: the validity is not positive.
    """

    id = "jwt"
    routes = ROUTES
    functions_class = JwtFunctions
    apis_class = JwtAPIs

    def __init__(
        self, *, jwt_validity_seconds: int = _HUNDRED_YEARS, override: Override[JwtFunctions, JwtAPIs] | None = None
    ) -> None:
        if jwt_validity_seconds < 1:
            raise ConfigError("jwt_validity_seconds must be positive")
        super().__init__(JwtConfig(jwt_validity_seconds=jwt_validity_seconds), override)
