"""JWTs for other services: signed by the core, verified with its public keys."""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from .recipe import Jwt as Jwt, JwtAPIs as JwtAPIs, JwtFunctions as JwtFunctions
from .types import Jwks as Jwks, JwtCreated as JwtCreated, UnsupportedAlgorithm as UnsupportedAlgorithm

create_jwt: Final = user_facing(Jwt, JwtFunctions.create_jwt)
get_jwks: Final = user_facing(Jwt, JwtFunctions.get_jwks)
