"""
OAuth2 access tokens that a SuperTokens OAuth2 provider issued: a kind of their own, never a session.

They have ``stt`` 1, no ``version`` in the header, a client and a list of scopes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from st_verify.clock import Clock
from st_verify.engine import Engine
from st_verify.errors import ConfigError, Forbidden, NoSession
from st_verify.keys import KeySource
from st_verify.rules import MAX_LIFETIME, ClaimRules, text, text_or_null
from st_verify.settings import AnyType, count, text_set
from st_verify.token import MAX_TOKEN, Gate, Pickleless, TokenHeader
from st_verify.verifier import CACHE_SIZE, sources_of


@dataclass(frozen=True, slots=True)
class OAuth2AccessToken(Pickleless):
    """A verified OAuth2 access token. Immutable. Times are whole seconds since the epoch."""

    #: ``sub``: the user, or the client itself for client credentials.
    user_id: str
    client_id: str
    scopes: tuple[str, ...]
    #: ``sessionHandle`` of the session behind it, if there is one.
    session_handle: str | None
    #: ``tId``
    tenant_id: str | None
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


class OAuth2AccessVerifier:
    """
    :param audience: what the resource server is called in ``aud``; or `ANY`.
    :param clients: client ids whose tokens are served; or `ANY`.

    The other parameters are those of `SessionVerifier`.
    :raises ConfigError: something is missing, contradictory or out of range.
    """

    def __init__(
        self,
        *,
        keys: KeySource | Mapping[str, KeySource],
        audience: str | Collection[str] | AnyType,
        clients: str | Collection[str] | AnyType,
        issuer: str | Collection[str] | AnyType | None = None,
        leeway: float = 0.0,
        clock_skew: float = 60.0,
        max_lifetime: float = MAX_LIFETIME,
        max_token: int = MAX_TOKEN,
        cache_size: int = CACHE_SIZE,
        clock: Clock | None = None,
    ) -> None:
        if audience is None:
            raise ConfigError("audience: give your own name as in aud, or ANY")
        self._clients = text_set("clients", clients)
        self._rules = ClaimRules.of(audience=audience, leeway=leeway, skew=clock_skew, max_lifetime=max_lifetime)
        self._engine: Engine[OAuth2AccessToken] = Engine(
            sources=sources_of(keys, issuer),
            gate=Gate(versions=None, max_token=max_token),
            judge=self._judge,
            dynamic_kid=None,
            leeway=self._rules.leeway,
            cache_size=count("cache_size", cache_size, low=0),
            clock=clock or Clock(),
        )

    def verify(self, token: str, *, scopes: Collection[str]) -> OAuth2AccessToken:
        """
        :param scopes: all of them must be in the token's list; may be empty, but must be said.
        :raises NoSession: no OAuth2 access token of this issuer (401).
        :raises TryRefresh: expired, badly signed, unknown key (401): the client needs a new one.
        :raises Forbidden: a scope is missing, or another client's token (403).
        :raises KeysUnavailable: there are no keys to decide with (503).
        :raises TypeError: `token` is no str, or `scopes` is one.
        """
        if isinstance(scopes, str):
            raise TypeError("scopes: give a list of str")
        verified = self._engine.verify(token)
        if verified is None:
            raise NoSession("token_form")
        if self._clients is not None and verified.client_id not in self._clients:
            raise Forbidden("client")
        if not set(scopes) <= set(verified.scopes):
            raise Forbidden("insufficient_scope")
        return verified

    def _judge(
        self,
        header: TokenHeader,
        payload_json: bytes,
        payload: dict[str, Any],
        issuers: frozenset[str] | None,
        now: float,
    ) -> OAuth2AccessToken:
        kind = payload.get("stt")
        if type(kind) is not int or kind != 1:
            raise NoSession("token_kind")
        scopes = payload.get("scp")
        if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
            raise NoSession("scp_form")
        user_id, client_id = text(payload, "sub"), text(payload, "client_id")
        issuer, issued, expires = self._rules.registered(payload, issuers, now)
        return OAuth2AccessToken(
            user_id=user_id,
            client_id=client_id,
            scopes=tuple(scopes),
            session_handle=text_or_null(payload, "sessionHandle"),
            tenant_id=text_or_null(payload, "tId"),
            issued_at=issued,
            expires_at=expires,
            issuer=issuer,
            kid=header.kid,
            payload_json=payload_json,
        )
