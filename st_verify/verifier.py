"""
Access tokens of SuperTokens sessions (CDI 2.21 and later).

Cookies and anti-CSRF headers of a request are not checked here, see `st_verify.wsgi`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from st_verify.errors import Forbidden, NoSession
from st_verify.settings import AnyType, flag, require, text_set
from st_verify.token import AccessToken, TokenHeader, TokenParser, UnverifiedToken
from st_verify.verification import Issuers, Parsed, TokenVerifier, are_plain_texts, text, text_or_null


@dataclass(kw_only=True, eq=False)
class SessionVerifier(TokenVerifier[AccessToken]):
    """
    Decides whether a session access token is good. It needs only a key source and a clock.

    >>> verifier = SessionVerifier(
    ...     keys=RemoteKeys("https://api.example.com/auth/jwt/jwks.json"),
    ...     issuer="https://api.example.com/auth",
    ...     tenants="public",
    ... )
    >>> verifier.verify("no token")
    Traceback (most recent call last):
    st_verify.errors.NoSession: token_form

    :param keys: a `KeySource` such as `RemoteKeys` or `StaticKeys`. For several auth servers with keys of their own, a
        mapping from issuer to key source; leave `issuer` out then.
    :param issuer: the exact ``iss`` of the sessions: API domain plus API base path of the auth server, without a slash
        at the end. A list accepts several auth servers that share their keys; `ANY` accepts every issuer.
    :param tenants: tenant ids that are served here (``"public"`` is the default tenant of SuperTokens); or `ANY`.
    :param audience: exact ``aud``, or a list of which one must match. None refuses tokens that have ``aud``.
    :param use_dynamic_signing_key: True accepts only key ids ``d-...``, False only others (the static key), None both.
    :param versions: accepted token versions, of "3", "4" and "5".
    :param legacy_kids: exact ids of static keys without a prefix, of cores below 5.0.
    :param leeway: seconds after its expiry in which a token is still accepted, 0 to 300.
    :param clock_skew: seconds that ``iat`` and ``nbf`` may lie in the future, 0 to 300.
    :param max_lifetime: largest ``exp - iat`` in seconds. The real value of your app is better than the default.
    :param max_token: longest token, in characters.
    :param cache_size: number of verified tokens that are cached, for at most a minute each; 0 switches the cache off.
    :param clock: see `Clock`.
    :raises SettingError: a setting is missing, contradictory or out of range.
    """

    tenants: str | Collection[str] | AnyType
    audience: str | Collection[str] | AnyType | None = None
    use_dynamic_signing_key: bool | None = None
    versions: Collection[str] = ("3", "4", "5")
    legacy_kids: Collection[str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        cure = 'pass a list such as ["5"]; tokens of versions 1 and 2 are never accepted'
        require(bool(self.versions) and {"1", "2"}.isdisjoint(self.versions), f"versions: {cure}")
        if self.use_dynamic_signing_key is not None:
            flag("use_dynamic_signing_key", self.use_dynamic_signing_key)
        cure = "use_dynamic_signing_key=True refuses static keys, whose ids these are; pass one of the two"
        require(not (self.use_dynamic_signing_key and self.legacy_kids), f"legacy_kids: {cure}")
        self._dynamic_kid = self.use_dynamic_signing_key
        self._tenants = text_set("tenants", self.tenants)

    def _make_parser(self) -> TokenParser:
        return TokenParser(versions=self.versions, legacy_kids=self.legacy_kids, max_token=self.max_token)

    def parse(self, text: str) -> UnverifiedToken | None:
        """
        Check text and header alone: whether this is a session access token by its form.

        :returns: a token to pass to `verify`; None for any other text, such as an API key or another service's token.
        :raises TryRefresh: a session token of version 1 or 2.
        :raises TypeError: `text` is no str.
        """
        try:
            return self._parser.parse(text)
        except NoSession:
            return None

    def verify(self, token: str | UnverifiedToken) -> AccessToken:
        """
        Check everything about a token: `authenticate`, then `check_tenant`.

        :raises NoSession: no session access token, or a genuine one with the wrong issuer or content (401).
        :raises TryRefresh: expired, badly signed, unknown key (401).
        :raises Forbidden: a tenant that is not served here (403).
        :raises KeysUnavailable: there are no keys to decide with (503).
        :raises TypeError: `token` is neither a str nor an `UnverifiedToken`.
        """
        verified = self._verified(token)
        if verified is None:
            raise NoSession("token_form")
        self.check_tenant(verified)
        return verified

    def authenticate(self, token: str | UnverifiedToken) -> AccessToken:
        """
        Check everything but the tenant, for callers that check the anti-CSRF token before the tenant.

        :raises NoSession, TryRefresh, KeysUnavailable, TypeError: as `verify`.
        """
        verified = self._verified(token)
        if verified is None:
            raise NoSession("token_form")
        return verified

    def check_tenant(self, token: AccessToken) -> None:
        """Raise `Forbidden` if the tenant of a token that `authenticate` returned is not served here."""
        if self._tenants is not None and token.tenant_id not in self._tenants:
            raise Forbidden("tenant")

    def _judge(self, header: TokenHeader, parsed: Parsed, issuers: Issuers, now: float) -> AccessToken:
        payload_json, payload = parsed
        if "stt" in payload and (type(payload["stt"]) is not int or payload["stt"] != 0):
            raise NoSession("token_kind")
        claim, version = payload.get, header.version
        user_id: Any = claim("sub")
        session_handle: Any = claim("sessionHandle")
        # rsub came with version 5 and tId with version 4. In older tokens these names belong to the app.
        recipe_id: Any = user_id if version in ("3", "4") else claim("rsub")
        tenant_id: Any = "public" if version == "3" else claim("tId")
        if not are_plain_texts(user_id, recipe_id, tenant_id, session_handle, claim("refreshTokenHash1")):
            for name in ("sub", "rsub", "tId", "sessionHandle", "refreshTokenHash1"):
                if not (name == "rsub" and version in ("3", "4")) and not (name == "tId" and version == "3"):
                    text(payload, name)
        # A handle ends with "_" and its tenant, unless that is the default tenant.
        if (session_handle.partition("_")[2] if "_" in session_handle else "public") != tenant_id:
            raise NoSession("tenant_and_handle")
        parent_hash = text_or_null(payload, "parentRefreshTokenHash1")
        text_or_null(payload, "antiCsrfToken")
        issuer, issued, expires = self._registered(payload, issuers, now)
        return AccessToken(
            {
                "user_id": user_id,
                "recipe_user_id": recipe_id,
                "tenant_id": tenant_id,
                "session_handle": session_handle,
                "issued_at": issued,
                "expires_at": expires,
                "issuer": issuer,
                "parent_refresh_token_hash_1": parent_hash,
                "payload_json": payload_json,
                "_header": header,
            }
        )
