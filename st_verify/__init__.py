"""
Verify SuperTokens access tokens: `SessionVerifier(keys=RemoteKeys(url), issuer=..., tenants=...).verify(token)`.

`st_verify.wsgi` does this for whole requests.
"""

from __future__ import annotations

# fmt: off
# isort: off
from st_verify.claims import (
    BooleanClaim, ClaimValidation, ClaimValidator, PrimitiveArrayClaim, PrimitiveClaim, SessionClaim, failed_claims,
    require_claims,
)
from st_verify.errors import (
    EVENTS, REASONS, ClaimError, FetchFailed, Forbidden, InvalidClaims, KeySetRefused, KeysUnavailable, NoSession,
    NotStrictJSON, Refused, RevocationUnavailable, Revoked, SettingError, TryRefresh, Unavailable, VerifyError,
)
from st_verify.fetch import FetchedKeys
from st_verify.jwk import KeySet, VerificationKey
from st_verify.keys import KeySource, StaticKeys
from st_verify.known_claims import (
    AllowedDomainsClaim, EmailVerificationClaim, MFAClaimValue, MultiFactorAuthClaim, PermissionClaim, UserRoleClaim,
    requires_second_factor,
)
from st_verify.other_tokens import JwtVerifier, OAuth2AccessToken, OAuth2AccessVerifier, VerifiedJwt
from st_verify.remote import KeyEvent, RemoteKeys
from st_verify.settings import ANY, Clock
from st_verify.token import AccessToken, UnverifiedToken
from st_verify.verifier import SessionVerifier

__all__ = [
    "ANY", "EVENTS", "REASONS", "AccessToken", "AllowedDomainsClaim", "BooleanClaim", "ClaimError", "ClaimValidation",
    "ClaimValidator", "Clock", "EmailVerificationClaim", "FetchFailed", "FetchedKeys", "Forbidden", "InvalidClaims",
    "JwtVerifier", "KeyEvent", "KeySet", "KeySetRefused", "KeySource", "KeysUnavailable", "MFAClaimValue",
    "MultiFactorAuthClaim", "NoSession", "NotStrictJSON", "OAuth2AccessToken", "OAuth2AccessVerifier",
    "PermissionClaim", "PrimitiveArrayClaim", "PrimitiveClaim", "Refused", "RemoteKeys", "RevocationUnavailable",
    "Revoked", "SessionClaim", "SessionVerifier", "SettingError", "StaticKeys", "TryRefresh", "Unavailable",
    "UnverifiedToken", "UserRoleClaim", "VerificationKey", "VerifiedJwt", "VerifyError", "failed_claims",
    "require_claims", "requires_second_factor",
]
# fmt: on

__version__ = "0.1.0"
