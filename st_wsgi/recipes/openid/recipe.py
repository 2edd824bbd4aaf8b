"""The openid recipe."""

from __future__ import annotations

from urllib.parse import urlsplit

from ...errors import ConfigError
from ...recipe_kit.override import Override
from ...recipe_kit.recipe import Recipe
from ...services import Services
from ...urls import normalise_origin, normalise_path
from ..jwt import Jwt
from .apis import OpenIdAPIs
from .functions import OpenIdFunctions
from .routes import ROUTES
from .types import OpenIdConfig


class OpenId(Recipe[OpenIdConfig, OpenIdFunctions, OpenIdAPIs]):
    """
    OpenID Connect discovery, which says who issues this app's tokens.

    :param issuer: default: the API's domain and base path. Its path must be the API's base path.
    :param override: changes of the functions and APIs.
    :raises ConfigError: the issuer does not fit.
    """

    id = "openid"
    requires = (Jwt,)
    routes = ROUTES
    functions_class = OpenIdFunctions
    apis_class = OpenIdAPIs

    def __init__(
        self, *, issuer: str | None = None, override: Override[OpenIdFunctions, OpenIdAPIs] | None = None
    ) -> None:
        if issuer is not None:
            issuer = normalise_origin(issuer, setting="issuer") + normalise_path(
                urlsplit(issuer).path, setting="issuer"
            )
        super().__init__(OpenIdConfig(issuer=issuer), override)

    def bind(self, services: Services) -> None:
        issuer = self.config.issuer
        if issuer is not None and urlsplit(issuer).path != services.app_info.public_base_path:
            raise ConfigError(
                f"the path of issuer {issuer!r} must be the API's base path {services.app_info.public_base_path!r}, "
                "since verifiers look for the discovery document below it"
            )
        super().bind(services)
