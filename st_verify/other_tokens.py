"""
Other tokens of the same core. They are kinds of their own, never a session, and have no ``version`` in the header.

Access tokens of the OAuth2 provider have ``stt`` 1, a client and a list of scopes. Tokens of the jwt recipe, such as
those by which services recognise each other, have no ``stt``, and the claims of the app. A setting says which claims to
expect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from st_verify.errors import Forbidden, NoSession
from st_verify.settings import ANY, AnyType, AnyValue, require, text_set
from st_verify.token import SECRET_CLAIMS, TokenHeader, VerifiedClaims
from st_verify.verification import Issuers, Parsed, TokenVerifier, text, text_or_null


@dataclass(frozen=True, slots=True)
class OAuth2AccessToken(VerifiedClaims):
    """A verified OAuth2 access token. Immutable."""

    #: ``sub``: the user, or the client itself with client credentials.
    user_id: str
    client_id: str
    scopes: tuple[str, ...]
    #: ``sessionHandle`` of the session that it was issued in; None if there is none.
    session_handle: str | None
    #: ``tId``; None if the token has none.
    tenant_id: str | None


@dataclass(kw_only=True, eq=False)
class OAuth2AccessVerifier(TokenVerifier[OAuth2AccessToken]):
    """
    Decides whether an OAuth2 access token is good.

    >>> verifier = OAuth2AccessVerifier(
    ...     keys=RemoteKeys("https://api.example.com/auth/jwt/jwks.json"),
    ...     issuer="https://api.example.com/auth",
    ...     audience="articles",
    ...     clients=["app-1"],
    ... )
    >>> verifier.verify("no token", scopes=["articles:read"])
    Traceback (most recent call last):
    st_verify.errors.NoSession: token_form

    :param audience: the name of your API in ``aud``; or `ANY`.
    :param clients: client ids whose tokens are served; or `ANY`.

    The other parameters are those of `SessionVerifier`.
    :raises SettingError: a setting is missing, contradictory or out of range.
    """

    audience: str | Collection[str] | AnyType | None
    clients: str | Collection[str] | AnyType

    def __post_init__(self) -> None:
        require(self.audience is not None, "audience: pass the name of your API in aud, or ANY")
        super().__post_init__()
        self._clients = text_set("clients", self.clients)

    def verify(self, token: str, *, scopes: Collection[str]) -> OAuth2AccessToken:
        """
        Check everything about a token.

        :param scopes: all of them must be in the token's list. The list may be empty, but must be passed.
        :raises NoSession: no OAuth2 access token of this issuer (401).
        :raises TryRefresh: expired, badly signed, unknown key (401): the client needs a new token.
        :raises Forbidden: a scope is missing, or the token is another client's (403).
        :raises KeysUnavailable: there are no keys to decide with (503).
        :raises TypeError: `token` is no str, or `scopes` is no list of str.
        """
        if not isinstance(scopes, (list, tuple, set, frozenset)):
            raise TypeError('scopes: pass a list such as ["articles:read"]')
        verified = self._verified(token)
        if verified is None:
            raise NoSession("token_form")
        if self._clients is not None and verified.client_id not in self._clients:
            raise Forbidden("client")
        if not set(scopes) <= set(verified.scopes):
            raise Forbidden("insufficient_scope")
        return verified

    def _judge(self, header: TokenHeader, parsed: Parsed, issuers: Issuers, now: float) -> OAuth2AccessToken:
        payload_json, payload = parsed
        kind = payload.get("stt")
        if type(kind) is not int or kind != 1:
            raise NoSession("token_kind")
        scopes = payload.get("scp")
        if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
            raise NoSession("scp_form")
        user_id, client_id = text(payload, "sub"), text(payload, "client_id")
        issuer, issued, expires = self._registered(payload, issuers, now)
        claims = (issued, expires, issuer, header.kid, payload_json)
        session_handle, tenant_id = text_or_null(payload, "sessionHandle"), text_or_null(payload, "tId")
        return OAuth2AccessToken(*claims, user_id, client_id, tuple(scopes), session_handle, tenant_id)


@dataclass(frozen=True, slots=True)
class VerifiedJwt(VerifiedClaims):
    """A verified token of the jwt recipe. Immutable."""


@dataclass(kw_only=True, eq=False)
class JwtVerifier(TokenVerifier[VerifiedJwt]):
    """
    Decides whether a token of the jwt recipe is good.

    >>> verifier = JwtVerifier(
    ...     keys=RemoteKeys("https://api.example.com/auth/jwt/jwks.json"),
    ...     issuer="https://api.example.com/auth",
    ...     required_claims={"source": "microservice"},
    ... )
    >>> verifier.verify("no token")
    Traceback (most recent call last):
    st_verify.errors.NoSession: token_form

    :param required_claims: claims that the token must have with exactly these JSON values, type included; or `ANY`.
    :param audience: exact ``aud``; None refuses tokens that have one; or `ANY`.

    The other parameters are those of `SessionVerifier`.
    :raises SettingError: a setting is missing, contradictory or out of range.
    """

    audience: str | Collection[str] | AnyType | None = None
    required_claims: Mapping[str, str | int | bool] | AnyType

    def __post_init__(self) -> None:
        super().__post_init__()
        is_mapping = isinstance(self.required_claims, Mapping) and bool(self.required_claims)
        cure = 'pass a mapping such as {"source": "microservice"}, or ANY'
        require(self.required_claims is ANY or is_mapping, f"required_claims: {cure}")
        self._required = {} if isinstance(self.required_claims, AnyValue) else dict(self.required_claims)

    def verify(self, token: str) -> VerifiedJwt:
        """
        Check everything about a token.

        :raises NoSession: no token of this kind, or one without the required claims (401).
        :raises TryRefresh: expired, badly signed, unknown key (401): the sender needs a new token.
        :raises KeysUnavailable: there are no keys to decide with (503).
        :raises TypeError: `token` is no str.
        """
        verified = self._verified(token)
        if verified is None:
            raise NoSession("token_form")
        return verified

    def _judge(self, header: TokenHeader, parsed: Parsed, issuers: Issuers, now: float) -> VerifiedJwt:
        payload_json, payload = parsed
        # This refuses OAuth2 tokens, and session tokens whose header lost its version.
        if "stt" in payload or not SECRET_CLAIMS.isdisjoint(payload):
            raise NoSession("token_kind")
        for name, expected in self._required.items():
            value = payload.get(name)
            if type(value) is not type(expected) or value != expected:
                raise NoSession("required_claim")
        issuer, issued, expires = self._registered(payload, issuers, now)
        return VerifiedJwt(issued, expires, issuer, header.kid, payload_json)
