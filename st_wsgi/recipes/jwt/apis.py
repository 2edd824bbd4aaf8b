"""The APIs of the jwt recipe: interface and default implementation."""

from __future__ import annotations

from ...recipe_kit.recipe import APIs
from ...request.context import RequestContext
from .functions import JwtFunctions
from .settings import JwtSettings
from .types import Jwks


class JwtAPIs(APIs[JwtSettings, JwtFunctions]):
    """The APIs of the jwt recipe. An override may be None, which switches the route off."""

    def get_jwks_get(self, *, context: RequestContext) -> Jwks:
        """Return the public keys, for servers that verify our tokens."""
        return self.functions.get_jwks()
