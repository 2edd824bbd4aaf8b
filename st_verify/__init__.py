"""Verify SuperTokens access tokens: `SessionVerifier(keys=RemoteKeys(url), issuer=…, tenants=…).verify(token)`."""

from __future__ import annotations

from st_verify.claims import BooleanClaim as BooleanClaim
from st_verify.claims import ClaimValidation as ClaimValidation
from st_verify.claims import ClaimValidator as ClaimValidator
from st_verify.claims import PrimitiveArrayClaim as PrimitiveArrayClaim
from st_verify.claims import PrimitiveClaim as PrimitiveClaim
from st_verify.claims import SessionClaim as SessionClaim
from st_verify.claims import failed_claims as failed_claims
from st_verify.claims import require_claims as require_claims
from st_verify.clock import Clock as Clock
from st_verify.errors import ClaimError as ClaimError
from st_verify.errors import ConfigError as ConfigError
from st_verify.errors import Forbidden as Forbidden
from st_verify.errors import InvalidClaims as InvalidClaims
from st_verify.errors import KeysUnavailable as KeysUnavailable
from st_verify.errors import NoSession as NoSession
from st_verify.errors import Refused as Refused
from st_verify.errors import RevocationUnavailable as RevocationUnavailable
from st_verify.errors import Revoked as Revoked
from st_verify.errors import TryRefresh as TryRefresh
from st_verify.errors import Unavailable as Unavailable
from st_verify.errors import VerifyError as VerifyError
from st_verify.fetch import FetchedKeys as FetchedKeys
from st_verify.fetch import FetchFailed as FetchFailed
from st_verify.jwk import KeySet as KeySet
from st_verify.jwk import SigningKey as SigningKey
from st_verify.keys import KeySource as KeySource
from st_verify.keys import StaticKeys as StaticKeys
from st_verify.known_claims import AllowedDomainsClaim as AllowedDomainsClaim
from st_verify.known_claims import EmailVerificationClaim as EmailVerificationClaim
from st_verify.known_claims import MultiFactorAuthClaim as MultiFactorAuthClaim
from st_verify.known_claims import PermissionClaim as PermissionClaim
from st_verify.known_claims import UserRoleClaim as UserRoleClaim
from st_verify.remote import KeyEvent as KeyEvent
from st_verify.remote import RemoteKeys as RemoteKeys
from st_verify.settings import ANY as ANY
from st_verify.token import AccessToken as AccessToken
from st_verify.token import GatedToken as GatedToken
from st_verify.verifier import SessionVerifier as SessionVerifier

__version__ = "0.1.0"
