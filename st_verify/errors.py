"""
What can go wrong, drawn first:

    VerifyError
    ├─ ConfigError(ValueError)      refused when a verifier, key source or guard is constructed
    └─ Refused                      an answer for the client: status, message, reason
       ├─ NoSession            401  "unauthorised": no usable token in the request
       ├─ TryRefresh           401  "try refresh token": right shape, must be renewed
       │  └─ Revoked           401  the revocation hook said so
       ├─ InvalidClaims        403  "invalid claim", with claimValidationErrors
       ├─ Forbidden            403  "forbidden": genuine, but not for this tenant or scope
       └─ Unavailable          503  the verifier cannot decide; with Retry-After
          ├─ KeysUnavailable
          └─ RevocationUnavailable

A 401 is given only where a refresh can help, a 403 where it cannot, a 503 where the verifier cannot
know. `reason` is for logs and metrics: a fixed word, never text from a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


class VerifyError(Exception):
    """Everything this package raises on purpose (except TypeError for a token that is no str)."""


class ConfigError(VerifyError, ValueError):
    """A setting is missing, contradictory or out of range. Raised at construction, never at request time."""


class Refused(VerifyError):
    """
    The request is answered instead of served.

    :param reason: a stable machine-readable word such as ``expired`` or ``no_token``.
    """

    #: HTTP status of the answer.
    status: ClassVar[int] = 401
    #: The ``message`` member of the answer's JSON body, as the official frontends expect it.
    message: ClassVar[str] = "unauthorised"

    # No __init__ of Python's: refusing garbage should cost no more than it must.

    @property
    def reason(self) -> str:
        """Stable word for logs and metrics; contains nothing from the token."""
        return str(self.args[0])

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        return {"message": self.message}


class NoSession(Refused):
    """No token, or none that is an access token of the kind asked for."""


class TryRefresh(Refused):
    """Expired, badly signed, unknown key, failed anti-CSRF: the frontend should refresh and repeat."""

    message = "try refresh token"


class Revoked(TryRefresh):
    """The revocation hook knows that this session ended."""


@dataclass(frozen=True, slots=True)
class ClaimError:
    """One failed claim validator. `id` equals the claim key unless the validator was given another one."""

    id: str
    reason: Mapping[str, Any] = field(default_factory=dict)


class InvalidClaims(Refused):
    """At least one claim validator failed; `errors` lists all of them."""

    status = 403
    message = "invalid claim"

    def __init__(self, errors: Sequence[ClaimError]) -> None:
        super().__init__("invalid_claims")
        self.errors: tuple[ClaimError, ...] = tuple(errors)

    def body(self) -> dict[str, Any]:
        """Adds ``claimValidationErrors``, the member by which the web SDK recognises this answer."""
        listed = [{"id": error.id, "reason": dict(error.reason)} for error in self.errors]
        return {"message": self.message, "claimValidationErrors": listed}


class Forbidden(Refused):
    """A genuine token for another tenant, or without a scope that is needed. A refresh would not change it."""

    status = 403
    message = "forbidden"


class Unavailable(Refused):
    """
    The verifier cannot decide now.

    :param retry_after: seconds after which a retry makes sense, at least 1 in the answer.
    """

    status = 503
    message = "service unavailable"

    def __init__(self, reason: str, *, retry_after: float = 1.0) -> None:
        super().__init__(reason)
        #: Seconds, for the Retry-After header.
        self.retry_after = retry_after


class KeysUnavailable(Unavailable):
    """No usable key set: none was ever fetched, or the last good one is older than allowed."""


class RevocationUnavailable(Unavailable):
    """The revocation hook failed or took too long, and was told to fail closed."""
