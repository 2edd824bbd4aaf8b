"""
Tokens made with the jwt recipe, such as those by which services recognise each other.

They have no ``version`` in the header and no ``stt``, and say what the app put in: so what must be in is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from st_verify.clock import Clock
from st_verify.engine import Engine
from st_verify.errors import ConfigError, NoSession
from st_verify.keys import KeySource
from st_verify.rules import MAX_LIFETIME, ClaimRules
from st_verify.settings import ANY, AnyType, AnyValue, count
from st_verify.token import MAX_TOKEN, SECRET_CLAIMS, Gate, Pickleless, TokenHeader
from st_verify.verifier import CACHE_SIZE, sources_of


@dataclass(frozen=True, slots=True)
class VerifiedJwt(Pickleless):
    """A verified token of the jwt recipe. Immutable. Times are whole seconds since the epoch."""

    issued_at: int
    expires_at: int
    issuer: str | None
    kid: str
    #: The payload as it was signed.
    payload_json: bytes = field(repr=False)

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims: read-only, and a fresh copy at every access."""
        return MappingProxyType(json.loads(self.payload_json))


class JwtVerifier:
    """
    :param required_claims: claims that must be there with exactly this JSON value, type included, for instance
        ``{"source": "microservice"}``; or `ANY`.
    :param audience: exact ``aud``; None refuses tokens that have one; or `ANY`.

    The other parameters are those of `SessionVerifier`.
    :raises ConfigError: something is missing, contradictory or out of range.
    """

    def __init__(
        self,
        *,
        keys: KeySource | Mapping[str, KeySource],
        required_claims: Mapping[str, str | int | bool] | AnyType,
        issuer: str | Collection[str] | AnyType | None = None,
        audience: str | Collection[str] | AnyType | None = None,
        leeway: float = 0.0,
        clock_skew: float = 60.0,
        max_lifetime: float = MAX_LIFETIME,
        max_token: int = MAX_TOKEN,
        cache_size: int = CACHE_SIZE,
        clock: Clock | None = None,
    ) -> None:
        if required_claims is not ANY and (not isinstance(required_claims, Mapping) or not required_claims):
            raise ConfigError('required_claims: give a mapping such as {"source": "microservice"}, or ANY')
        self._required = {} if isinstance(required_claims, AnyValue) else dict(required_claims)
        self._rules = ClaimRules.of(audience=audience, leeway=leeway, skew=clock_skew, max_lifetime=max_lifetime)
        self._engine: Engine[VerifiedJwt] = Engine(
            sources=sources_of(keys, issuer),
            gate=Gate(versions=None, max_token=max_token),
            judge=self._judge,
            dynamic_kid=None,
            leeway=self._rules.leeway,
            cache_size=count("cache_size", cache_size, low=0),
            clock=clock or Clock(),
        )

    def verify(self, token: str) -> VerifiedJwt:
        """
        :raises NoSession: no token of this kind, or not with the claims asked for (401).
        :raises TryRefresh: expired, badly signed, unknown key (401): the sender needs a new one.
        :raises KeysUnavailable: there are no keys to decide with (503).
        :raises TypeError: it is no str.
        """
        verified = self._engine.verify(token)
        if verified is None:
            raise NoSession("token_form")
        return verified

    def _judge(
        self,
        header: TokenHeader,
        payload_json: bytes,
        payload: dict[str, Any],
        issuers: frozenset[str] | None,
        now: float,
    ) -> VerifiedJwt:
        # Neither an OAuth2 token nor a session whose header lost its version.
        if "stt" in payload or not SECRET_CLAIMS.isdisjoint(payload):
            raise NoSession("token_kind")
        for name, expected in self._required.items():
            given = payload.get(name)
            if type(given) is not type(expected) or given != expected:
                raise NoSession("required_claim")
        issuer, issued, expires = self._rules.registered(payload, issuers, now)
        return VerifiedJwt(issued, expires, issuer, header.kid, payload_json)
