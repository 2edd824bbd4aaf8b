"""The APIs behind the openid routes: interface and default implementation."""

from __future__ import annotations

from ...recipe_kit.recipe import Recipe
from ...request.context import RequestContext
from .functions import OpenIdFunctions
from .types import DiscoveryConfiguration, OpenIdConfig


class OpenIdAPIs:
    """The APIs of the openid recipe. An override may be None, which switches the route off."""

    def __init__(self, recipe: Recipe[OpenIdConfig, OpenIdFunctions, OpenIdAPIs]) -> None:
        self.recipe = recipe

    def open_id_discovery_configuration_get(self, *, context: RequestContext) -> DiscoveryConfiguration:
        """Return the discovery document."""
        return self.recipe.functions.get_open_id_discovery_configuration()
