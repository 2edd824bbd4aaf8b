"""OpenID Connect discovery: the issuer of the tokens, and the address of the keys."""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from .recipe import OpenId as OpenId, OpenIdAPIs as OpenIdAPIs, OpenIdFunctions as OpenIdFunctions
from .types import DiscoveryConfiguration as DiscoveryConfiguration

get_open_id_discovery_configuration: Final = user_facing(OpenId, OpenIdFunctions.get_open_id_discovery_configuration)
