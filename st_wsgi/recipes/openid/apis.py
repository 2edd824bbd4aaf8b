"""The APIs of the openid recipe: interface and default implementation."""

from __future__ import annotations

from ...recipe_kit.recipe import APIs
from ...request.context import RequestContext
from .functions import OpenIdFunctions
from .settings import OpenIdSettings
from .types import DiscoveryConfiguration


class OpenIdAPIs(APIs[OpenIdSettings, OpenIdFunctions]):
    """The APIs of the openid recipe. An override may be None, which switches the route off."""

    def open_id_discovery_configuration_get(self, *, context: RequestContext) -> DiscoveryConfiguration:
        """Return the discovery document."""
        return self.functions.get_open_id_discovery_configuration()
