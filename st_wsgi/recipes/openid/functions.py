"""OpenID Connect discovery: interface and default implementation."""

from __future__ import annotations

from typing import Any

from ...recipe_kit.recipe import Recipe
from .types import DiscoveryConfiguration, OpenIdConfig


class OpenIdFunctions:
    """The functions of the openid recipe."""

    def __init__(self, recipe: Recipe[OpenIdConfig, OpenIdFunctions, Any]) -> None:
        self.recipe = recipe

    def get_open_id_discovery_configuration(self) -> DiscoveryConfiguration:
        """Return who issues this app's tokens and where its keys and endpoints are."""
        base = self.recipe.services.app_info.issuer
        return DiscoveryConfiguration(
            issuer=self.recipe.config.issuer or base,
            jwks_uri=base + "/jwt/jwks.json",
            authorization_endpoint=base + "/oauth/auth",
            token_endpoint=base + "/oauth/token",
            userinfo_endpoint=base + "/oauth/userinfo",
            revocation_endpoint=base + "/oauth/revoke",
            token_introspection_endpoint=base + "/oauth/introspect",
            end_session_endpoint=base + "/oauth/end_session",
        )
