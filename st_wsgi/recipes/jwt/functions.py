"""What can be done with JWTs: interface and default implementation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...codec import member
from ...core_client.querier import expect_status
from ...errors import CoreAnswerInvalid
from ...recipe_kit.recipe import Recipe
from .types import Jwks, JwtConfig, JwtCreated, UnsupportedAlgorithm


class JwtFunctions:
    """The functions of the jwt recipe."""

    def __init__(self, recipe: Recipe[JwtConfig, JwtFunctions, Any]) -> None:
        self.recipe = recipe

    def create_jwt(
        self, *, payload: Mapping[str, Any], validity_seconds: int | None = None, use_static_signing_key: bool = True
    ) -> JwtCreated | UnsupportedAlgorithm:
        """
        Make a signed JWT (CDI 5.4, ``POST /recipe/jwt``).

        :param payload: its claims; ``iss`` is the API's domain unless it is given.
        :param validity_seconds: default: that of the recipe.
        :param use_static_signing_key: sign with the key that never changes.
        """
        path = "/recipe/jwt"
        body = {
            "payload": dict(payload),
            "validity": self.recipe.config.jwt_validity_seconds if validity_seconds is None else validity_seconds,
            "useStaticSigningKey": use_static_signing_key,
            "algorithm": "RS256",
            "jwksDomain": self.recipe.services.app_info.api_domain,
        }
        answer = self.recipe.services.core.post(path, body)
        if expect_status(answer, path, "OK", "UNSUPPORTED_ALGORITHM_ERROR") != "OK":
            return UnsupportedAlgorithm()
        return JwtCreated(member(str, answer, "jwt", path=path))

    def get_jwks(self) -> Jwks:
        """Return the public keys with which tokens of this app can be verified."""
        path = "/.well-known/jwks.json"
        answer, max_age = self.recipe.services.core.get_jwks()
        keys = member(list, answer, "keys", path=path)
        if not all(isinstance(key, dict) for key in keys):
            raise CoreAnswerInvalid(path=path, problem="keys is not a list of objects")
        return Jwks(tuple(keys), 60 if max_age is None else max_age)
