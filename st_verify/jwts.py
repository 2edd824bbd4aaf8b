"""
Tokens of the jwt recipe, such as those by which services recognise each other.

They have no ``version`` in the header, no ``stt``, and the claims of the app. So a setting of the verifier says which
claims to expect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from st_verify.errors import NoSession
from st_verify.settings import ANY, AnyType, AnyValue, require
from st_verify.token import SECRET_CLAIMS, TokenHeader, VerifiedClaims
from st_verify.verification import Issuers, TokenVerifier


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
        require(
            self.required_claims is ANY or is_mapping,
            'required_claims: pass a mapping such as {"source": "microservice"}, or ANY',
        )
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

    def _judge(
        self, header: TokenHeader, payload_json: bytes, payload: dict[str, Any], issuers: Issuers, now: float
    ) -> VerifiedJwt:
        # This refuses OAuth2 tokens, and session tokens whose header lost its version.
        if "stt" in payload or not SECRET_CLAIMS.isdisjoint(payload):
            raise NoSession("token_kind")
        for name, expected in self._required.items():
            value = payload.get(name)
            if type(value) is not type(expected) or value != expected:
                raise NoSession("required_claim")
        issuer, issued, expires = self._rules.check(payload, issuers, now)
        return VerifiedJwt(issued, expires, issuer, header.kid, payload_json)
