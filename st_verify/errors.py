"""
The errors of this package:

    VerifyError
    ├─ SettingError(ValueError)     a setting is wrong: raised at start-up, never by a request
    ├─ FetchFailed                  a fetcher got no key set
    ├─ KeySetRefused(ValueError)    a key set cannot be used
    ├─ NotStrictJSON(ValueError)    bytes are not JSON with exactly one meaning
    └─ Refused                      a request gets an error response: status, message, reason
       ├─ NoSession            401  "unauthorised": the request has no usable token
       ├─ TryRefresh           401  "try refresh token": a session token that must be renewed
       │  └─ Revoked           401  the revocation hook says that the session has ended
       ├─ InvalidClaims        403  "invalid claim", with claimValidationErrors
       ├─ Forbidden            403  "forbidden": genuine, but not for this tenant, client or scope
       └─ Unavailable          503  the verifier cannot decide, with Retry-After
          ├─ KeysUnavailable
          └─ RevocationUnavailable

Two laws. Every error that this package raises is one of these, or a TypeError: for an argument of the wrong type in a
call that serves a request, and for pickling a token. And `Refused.reason` is one of `st_verify.REASONS`, so it never
contains text from a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


class VerifyError(Exception):
    """The base of all errors of this package."""


class SettingError(VerifyError, ValueError):
    """A setting is missing, contradictory or out of range. The text names the setting and the cure."""


class FetchFailed(VerifyError):
    """
    A key server gave no document. A fetcher of your own may raise it too.

    :param reason: a fixed word such as ``timeout`` or ``status_503``.
    :param retry_after: seconds for which the server asked not to be called again.
    """

    def __init__(self, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        #: A fixed word, never text from the server.
        self.reason: str = reason
        #: Seconds; 0 if the server named no time.
        self.retry_after: float = retry_after


class KeySetRefused(VerifyError, ValueError):
    """A JWK set cannot be used, or no key in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        #: A fixed word, never text from the document.
        self.reason: str = reason


class NotStrictJSON(VerifyError, ValueError):
    """Bytes are not JSON with exactly one meaning. Contains no text of the input."""


class Refused(VerifyError):
    """
    The request gets an error response instead of a session.

    :param reason: one of `st_verify.REASONS`, such as ``expired`` or ``no_token``.
    """

    #: HTTP status of the response.
    status: ClassVar[int] = 401
    #: The member ``message`` of the JSON body, with the text that SuperTokens' frontends know.
    message: ClassVar[str] = "unauthorised"

    # No __init__: refusing garbage must stay cheap.

    @property
    def reason(self) -> str:
        """A fixed word for logs and metrics; `st_verify.REASONS` explains each."""
        return str(self.args[0])

    def body(self) -> dict[str, Any]:
        """Return the JSON object of the response."""
        return {"message": self.message}


class NoSession(Refused):
    """The request has no token, or none of the kind that the verifier is for."""


class TryRefresh(Refused):
    """Expired, badly signed, unknown key, failed anti-CSRF check: the frontend refreshes and repeats the request."""

    message = "try refresh token"


class Revoked(TryRefresh):
    """The revocation hook says that the session has ended."""


@dataclass(frozen=True, slots=True)
class ClaimError:
    """One failed claim validator."""

    #: The validator's id: the claim's key, unless the validator was made with another id.
    id: str
    #: ``{"message": ..., "expectedValue": ...}`` or similar; contains nothing of the user.
    reason: Mapping[str, Any] = field(default_factory=dict)


class InvalidClaims(Refused):
    """At least one claim validator failed."""

    status = 403
    message = "invalid claim"

    def __init__(self, errors: Sequence[ClaimError]) -> None:
        super().__init__("invalid_claims")
        #: All failed validators, in the order in which they ran.
        self.errors: tuple[ClaimError, ...] = tuple(errors)

    def body(self) -> dict[str, Any]:
        """Return the JSON object of the response. ``claimValidationErrors`` tells the web SDK what this 403 means."""
        errors = [{"id": error.id, "reason": dict(error.reason)} for error in self.errors]
        return {"message": self.message, "claimValidationErrors": errors}


class Forbidden(Refused):
    """A genuine token of a tenant or client that is not served, or without a required scope. Refreshing cannot help."""

    status = 403
    message = "forbidden"


class Unavailable(Refused):
    """The verifier cannot decide now."""

    status = 503
    message = "service unavailable"

    def __init__(self, reason: str, *, retry_after: float = 1.0) -> None:
        super().__init__(reason)
        #: Seconds until a retry makes sense; the header ``Retry-After`` has at least 1.
        self.retry_after: float = retry_after


class KeysUnavailable(Unavailable):
    """There is no usable key set: none was ever fetched, or the last one is older than ``max_stale``."""


class RevocationUnavailable(Unavailable):
    """The revocation hook failed or took too long, and ``fail_open`` is False."""
