"""The functions of the jwt recipe: interface and default implementation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...codec import member_from_json
from ...recipe_kit.recipe import Functions
from .settings import JwtSettings
from .types import Jwks, JwtCreated, UnsupportedAlgorithm

_WITHOUT_MAX_AGE = 60


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
