"""The openid recipe: setting, function, API and route. It is small, so that they stand in one module."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

import attrs
from werkzeug.wrappers import Response

from ...errors import ConfigError
from ...recipe_kit.recipe import APIs, Functions, Recipe, Requires, Settings
from ...request.context import RequestContext
from ...request.respond import json_response
from ...request.routing import Route
from ...services import Services
from ...urls import normalise_issuer
from ..jwt import Jwt
from .types import DiscoveryConfiguration


def _issuer(value: str | None) -> str | None:
    return None if value is None else normalise_issuer(value, setting="issuer")


@attrs.define(kw_only=True, eq=False, slots=False)
class OpenIdSettings(Settings):
    """The settings of the recipe, for its functions and APIs."""

    issuer: str | None = attrs.field(default=None, converter=_issuer)

    def bind(self, services: Services) -> None:
        super().bind(services)
        base_path = services.app_info.public_base_path
        if self.issuer is not None and urlsplit(self.issuer).path != base_path:
            raise ConfigError(
                f"the path of issuer {self.issuer!r} must be the API's base path {base_path!r}, "
                "since verifiers look for the discovery document below it"
            )


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


class OpenIdAPIs(APIs[OpenIdSettings, OpenIdFunctions]):
    """The APIs of the openid recipe. An override may be None, which switches the route off."""

    def open_id_discovery_configuration_get(self, *, context: RequestContext) -> DiscoveryConfiguration:
        """Return the discovery document."""
        return self.functions.get_open_id_discovery_configuration()


def discovery(apis: OpenIdAPIs, context: RequestContext) -> Response:
    response = json_response(apis.open_id_discovery_configuration_get(context=context))
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@attrs.define(kw_only=True, eq=False, slots=False)
class OpenId(OpenIdSettings, Recipe[OpenIdFunctions, OpenIdAPIs]):
    """
    OpenID Connect discovery, which names the issuer of this app's tokens.

    ::

        OpenId(issuer="https://api.shop.example/auth")

    :param issuer: default: the API's domain and base path. Its path must be the API's base path.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = "openid"
    requires: ClassVar[Requires] = (Jwt,)
    routes: ClassVar[tuple[Route, ...]] = (
        Route("GET", "/.well-known/openid-configuration", "open_id_discovery_configuration_get", discovery),
    )
