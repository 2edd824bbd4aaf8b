"""The APIs behind the jwt routes: interface and default implementation."""

from __future__ import annotations

from ...recipe_kit.recipe import Recipe
from ...request.context import RequestContext
from .functions import JwtFunctions
from .types import Jwks, JwtConfig


class JwtAPIs:
    """The APIs of the jwt recipe. An override may be None, which switches the route off."""

    def __init__(self, recipe: Recipe[JwtConfig, JwtFunctions, JwtAPIs]) -> None:
        self.recipe = recipe

    def get_jwks_get(self, *, context: RequestContext) -> Jwks:
        """Return the public keys, for whoever verifies our tokens."""
        return self.recipe.functions.get_jwks()
