"""Verify SuperTokens access tokens: `SessionVerifier(keys=RemoteKeys(url), issuer=…, tenants=…).verify(token)`."""

from __future__ import annotations

from st_verify.claims import (
    BooleanClaim,
    ClaimValidation,
    ClaimValidator,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    SessionClaim,
    failed_claims,
    require_claims,
)
from st_verify.clock import Clock
from st_verify.errors import (
    ClaimError,
    ConfigError,
    Forbidden,
    InvalidClaims,
    KeysUnavailable,
    NoSession,
    Refused,
    RevocationUnavailable,
    Revoked,
    TryRefresh,
    Unavailable,
    VerifyError,
)
from st_verify.fetch import FetchedKeys, FetchFailed
from st_verify.jwk import KeySet, SigningKey
from st_verify.jwts import JwtVerifier, VerifiedJwt
from st_verify.keys import KeySource, StaticKeys
from st_verify.known_claims import (
    AllowedDomainsClaim,
    EmailVerificationClaim,
    MultiFactorAuthClaim,
    PermissionClaim,
    UserRoleClaim,
)
from st_verify.oauth2 import OAuth2AccessToken, OAuth2AccessVerifier
from st_verify.reasons import REASONS
from st_verify.remote import KeyEvent, RemoteKeys
from st_verify.settings import ANY
from st_verify.token import AccessToken, GatedToken
from st_verify.verifier import SessionVerifier

__all__ = [
    "ANY",
    "REASONS",
    "AccessToken",
    "AllowedDomainsClaim",
    "BooleanClaim",
    "ClaimError",
    "ClaimValidation",
    "ClaimValidator",
    "Clock",
    "ConfigError",
    "EmailVerificationClaim",
    "FetchFailed",
    "FetchedKeys",
    "Forbidden",
    "GatedToken",
    "InvalidClaims",
    "JwtVerifier",
    "KeyEvent",
    "KeySet",
    "KeySource",
    "KeysUnavailable",
    "MultiFactorAuthClaim",
    "NoSession",
    "OAuth2AccessToken",
    "OAuth2AccessVerifier",
    "PermissionClaim",
    "PrimitiveArrayClaim",
    "PrimitiveClaim",
    "Refused",
    "RemoteKeys",
    "RevocationUnavailable",
    "Revoked",
    "SessionClaim",
    "SessionVerifier",
    "SigningKey",
    "StaticKeys",
    "TryRefresh",
    "Unavailable",
    "UserRoleClaim",
    "VerifiedJwt",
    "VerifyError",
    "failed_claims",
    "require_claims",
]

__version__ = "0.1.0"
