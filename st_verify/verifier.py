"""
Session access tokens: the token kind that SuperTokens sessions consist of (CDI 2.21 and later).

Whether a request's cookies and anti-CSRF headers are right is not asked here: see `st_verify.wsgi`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from st_verify.clock import Clock
from st_verify.engine import Engine, Source
from st_verify.errors import ConfigError, Forbidden, NoSession
from st_verify.keys import KeySource
from st_verify.rules import MAX_LIFETIME, ClaimRules, are_plain_texts, text
from st_verify.settings import AnyType, count, issuer_set, text_set
from st_verify.token import MAX_TOKEN, AccessToken, Gate, GatedToken, TokenHeader

#: Number of verified tokens remembered by default.
CACHE_SIZE = 4096


class SessionVerifier:
    """
    Decides whether a session access token is good, with nothing but a key source and a clock.

    :param keys: a `KeySource` such as `RemoteKeys` or `StaticKeys`; or, for several auth servers, a mapping from
        issuer to key source (then `issuer` is left out).
    :param issuer: the exact ``iss`` of the sessions: API domain plus API base path of the auth server, for instance
        ``https://api.example.com/auth``; or a list; or `ANY`.
    :param tenants: tenant ids served here (``"public"`` is the default tenant of SuperTokens); or `ANY`.
    :param audience: None refuses tokens that have ``aud``; else exact membership.
    :param use_dynamic_signing_key: True accepts only key ids ``d-…``, False only others (the static key), None both.
    :param versions: allowed token versions.
    :param legacy_kids: exact ids of static keys without prefix, of cores below 5.0.
    :param leeway: seconds after expiry in which a token still counts, 0 to 300.
    :param clock_skew: seconds that ``iat`` and ``nbf`` may lie in the future, 0 to 300.
    :param max_lifetime: largest ``exp - iat`` in seconds; the app's real value is better than the default.
    :param max_token: cap on the token, in characters.
    :param cache_size: verified tokens to remember for at most a minute each; 0 switches this off.
    :param clock: see `Clock`.
    :raises ConfigError: something is missing, contradictory or out of range.
    """

    def __init__(
        self,
        *,
        keys: KeySource | Mapping[str, KeySource],
        tenants: str | Collection[str] | AnyType,
        issuer: str | Collection[str] | AnyType | None = None,
        audience: str | Collection[str] | None = None,
        use_dynamic_signing_key: bool | None = None,
        versions: Collection[str] = ("3", "4", "5"),
        legacy_kids: Collection[str] = (),
        leeway: float = 0.0,
        clock_skew: float = 60.0,
        max_lifetime: float = MAX_LIFETIME,
        max_token: int = MAX_TOKEN,
        cache_size: int = CACHE_SIZE,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(versions, str) or not versions or not set(versions) - {"1", "2"} == set(versions):
            raise ConfigError('versions: give a list such as ["5"]; 1 and 2 are never accepted')
        if use_dynamic_signing_key and legacy_kids:
            raise ConfigError("legacy_kids: are ids of static keys, which use_dynamic_signing_key=True refuses")
        self._tenants = text_set("tenants", tenants)
        self._rules = ClaimRules.of(audience=audience, leeway=leeway, skew=clock_skew, max_lifetime=max_lifetime)
        self._engine: Engine[AccessToken] = Engine(
            sources=sources_of(keys, issuer),
            gate=Gate(versions=versions, legacy_kids=legacy_kids, max_token=max_token),
            judge=self._judge,
            dynamic_kid=use_dynamic_signing_key,
            leeway=self._rules.leeway,
            cache_size=count("cache_size", cache_size, low=0),
            clock=clock or Clock(),
        )

    def gate(self, text: str) -> GatedToken | None:
        """
        Judge text and header alone: whether this is a session access token by its form.

        :returns: the token, still unverified, to be passed to `verify`; None if it is something else, such as an
            API key or another service's token.
        :raises TryRefresh: it is a session token of version 1 or 2.
        :raises TypeError: it is no str.
        """
        try:
            return self._engine.gate(text)
        except NoSession:
            return None

    def verify(self, token: str | GatedToken) -> AccessToken:
        """
        The whole check of one token: `authenticate`, then `check_tenant`.

        :raises NoSession: no session access token, or genuine and of the wrong issuer or shape (401).
        :raises TryRefresh: expired, badly signed, unknown key (401).
        :raises Forbidden: a tenant that is not served here (403).
        :raises KeysUnavailable: there are no keys to decide with (503).
        :raises TypeError: neither str nor `GatedToken`.
        """
        verified = self._engine.verify(token)
        if verified is None:
            raise NoSession("token_form")
        self.check_tenant(verified)
        return verified

    def authenticate(self, token: str | GatedToken) -> AccessToken:
        """
        Everything but the tenant, for callers that have a check to make in between (the anti-CSRF token).

        :raises NoSession, TryRefresh, KeysUnavailable, TypeError: as `verify`.
        """
        verified = self._engine.verify(token)
        if verified is None:
            raise NoSession("token_form")
        return verified

    def check_tenant(self, token: AccessToken) -> None:
        """
        :raises Forbidden: the token's tenant is not served here.
        """
        if self._tenants is not None and token.tenant_id not in self._tenants:
            raise Forbidden("tenant")

    def _judge(
        self,
        header: TokenHeader,
        payload_json: bytes,
        payload: dict[str, Any],
        issuers: frozenset[str] | None,
        now: float,
    ) -> AccessToken:
        if "stt" in payload and (type(payload["stt"]) is not int or payload["stt"] != 0):
            raise NoSession("token_kind")
        claim, version = payload.get, header.version
        user_id: Any = claim("sub")
        session_handle: Any = claim("sessionHandle")
        # rsub came with version 5, tId with version 4; in older tokens those names are the app's own data.
        recipe_user_id: Any = user_id if version in ("3", "4") else claim("rsub")
        tenant_id: Any = "public" if version == "3" else claim("tId")
        if not are_plain_texts(user_id, recipe_user_id, tenant_id, session_handle, claim("refreshTokenHash1")):
            _judge_texts(payload, version)
        # A handle ends with "_" and its tenant, unless that is the default one.
        if (session_handle.partition("_")[2] if "_" in session_handle else "public") != tenant_id:
            raise NoSession("tenant_and_handle")
        parent_hash = claim("parentRefreshTokenHash1")
        if parent_hash is not None:
            text(payload, "parentRefreshTokenHash1")
        if claim("antiCsrfToken") is not None:
            text(payload, "antiCsrfToken")
        issuer, issued, expires = self._rules.registered(payload, issuers, now)
        return AccessToken(
            user_id,
            recipe_user_id,
            tenant_id,
            session_handle,
            issued,
            expires,
            issuer,
            parent_hash,
            header,
            payload_json,
        )


def _judge_texts(payload: Mapping[str, Any], version: str | None) -> None:
    """The texts that a session token must have, one by one."""
    text(payload, "sub")
    if version not in ("3", "4"):
        text(payload, "rsub")
    if version != "3":
        text(payload, "tId")
    text(payload, "sessionHandle")
    text(payload, "refreshTokenHash1")


def sources_of(
    keys: KeySource | Mapping[str, KeySource], issuer: str | Collection[str] | AnyType | None
) -> tuple[Source, ...]:
    """
    The key sources with their issuers.

    :raises ConfigError: no issuer was said, or two ways of saying it were used.
    """
    if isinstance(keys, Mapping):
        if issuer is not None:
            raise ConfigError("issuer: with a mapping of keys the issuers are its keys; leave issuer out")
        if not keys:
            raise ConfigError("keys: the mapping is empty")
        return tuple(Source(issuer_set(name), source) for name, source in keys.items())
    if issuer is None:
        raise ConfigError("issuer: say the exact iss of your sessions, such as https://api.example.com/auth, or ANY")
    return (Source(issuer_set(issuer), keys),)
