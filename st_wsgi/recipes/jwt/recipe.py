"""The jwt recipe: settings, functions, API and route. It is small, so that they stand in one module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
from werkzeug.wrappers import Response

from ...checks import a_number
from ...codec import member_from_json
from ...recipe_kit.recipe import APIs, Functions, Recipe, Settings
from ...request.context import RequestContext
from ...request.respond import json_response
from ...request.routing import Route
from .types import Jwks, JwtCreated, UnsupportedAlgorithm

_HUNDRED_YEARS = 3_153_600_000
_WITHOUT_MAX_AGE = 60


@attrs.define(kw_only=True, eq=False, slots=False)
class JwtSettings(Settings):
    """The settings of the recipe, for its functions and APIs."""

    jwt_validity_seconds: int = attrs.field(default=_HUNDRED_YEARS, validator=a_number("seconds", least=1, most=2**53))


class JwtFunctions(Functions[JwtSettings]):
    """The functions of the jwt recipe."""

    def create_jwt(
        self, *, payload: Mapping[str, Any], validity_seconds: int | None = None, use_static_signing_key: bool = True
    ) -> JwtCreated | UnsupportedAlgorithm:
        """
        Create a signed JWT (CDI 5.4, ``POST /recipe/jwt``).

        :param payload: its claims; ``iss`` is the API's domain unless the payload has one.
        :param validity_seconds: default: that of the recipe.
        :param use_static_signing_key: sign with the key that never changes.
        """
        body = {
            "payload": dict(payload),
            "validity": self.recipe.jwt_validity_seconds if validity_seconds is None else validity_seconds,
            "useStaticSigningKey": use_static_signing_key,
            "algorithm": "RS256",
            "jwksDomain": self.recipe.services.app_info.api_domain,
        }
        return self.core.post("/recipe/jwt", body).into(JwtCreated, UnsupportedAlgorithm)

    def get_jwks(self) -> Jwks:
        """Return the public keys that verify tokens of this app."""
        key_set, max_age = self.core.get_jwks()
        keys = member_from_json(tuple[dict[str, Any], ...], key_set, "keys", path="/.well-known/jwks.json")
        return Jwks(keys, _WITHOUT_MAX_AGE if max_age is None else max_age)


class JwtAPIs(APIs[JwtSettings, JwtFunctions]):
    """The APIs of the jwt recipe. An override may be None, which switches the route off."""

    def get_jwks_get(self, *, context: RequestContext) -> Jwks:
        """Return the public keys, for servers that verify our tokens."""
        return self.functions.get_jwks()


def jwks(apis: JwtAPIs, context: RequestContext) -> Response:
    key_set = apis.get_jwks_get(context=context)
    response = json_response(key_set)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = f"max-age={key_set.validity_in_secs}, must-revalidate"
    return response


@attrs.define(kw_only=True, eq=False, slots=False)
class Jwt(JwtSettings, Recipe[JwtFunctions, JwtAPIs]):
    """
    JWTs that the core signs, and the keys that verify them.

    ::

        Jwt(jwt_validity_seconds=3600)

    :param jwt_validity_seconds: the validity of a JWT unless the call says otherwise, default 100 years.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = "jwt"
    routes: ClassVar[tuple[Route, ...]] = (Route("GET", "/jwt/jwks.json", "get_jwks_get", jwks),)
