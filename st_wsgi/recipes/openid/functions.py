"""The functions of the openid recipe: interface and default implementation."""

from __future__ import annotations

from ...recipe_kit.recipe import Functions
from .settings import OpenIdSettings
from .types import DiscoveryConfiguration


class OpenIdFunctions(Functions[OpenIdSettings]):
    """The functions of the openid recipe."""

    def get_open_id_discovery_configuration(self) -> DiscoveryConfiguration:
        """Return the issuer of this app's tokens, and the addresses of its keys and endpoints."""
        base = self.recipe.services.app_info.issuer
        return DiscoveryConfiguration(
            issuer=self.recipe.issuer or base,
            jwks_uri=base + "/jwt/jwks.json",
            authorization_endpoint=base + "/oauth/auth",
            token_endpoint=base + "/oauth/token",
            userinfo_endpoint=base + "/oauth/userinfo",
            revocation_endpoint=base + "/oauth/revoke",
            token_introspection_endpoint=base + "/oauth/introspect",
            end_session_endpoint=base + "/oauth/end_session",
        )
