"""OpenID Connect discovery: the issuer of the tokens, and the address of the keys."""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from .recipe import OpenId, OpenIdAPIs, OpenIdFunctions
from .types import DiscoveryConfiguration

__all__ = [
    "DiscoveryConfiguration",
    "OpenId",
    "OpenIdAPIs",
    "OpenIdFunctions",
    "get_open_id_discovery_configuration",
]

get_open_id_discovery_configuration: Final = user_facing(OpenId, OpenIdFunctions.get_open_id_discovery_configuration)
