"""JWTs for other services: signed by the core, verified with its public keys."""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from .recipe import Jwt, JwtAPIs, JwtFunctions
from .types import Jwks, JwtCreated, UnsupportedAlgorithm

__all__ = [
    "Jwks",
    "Jwt",
    "JwtAPIs",
    "JwtCreated",
    "JwtFunctions",
    "UnsupportedAlgorithm",
    "create_jwt",
    "get_jwks",
]

create_jwt: Final = user_facing(Jwt, JwtFunctions.create_jwt)
get_jwks: Final = user_facing(Jwt, JwtFunctions.get_jwks)
