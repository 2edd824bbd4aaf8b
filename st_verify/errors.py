"""
The errors of this package, and the fixed words in refusals and events:

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
from types import MappingProxyType
from typing import Any, ClassVar


class VerifyError(Exception):
    """The base of all errors of this package."""

    @property
    def reason(self) -> str:
        """A fixed word for logs and metrics, such as ``expired``. The text of a `SettingError` or `NotStrictJSON`."""
        return str(self.args[0])


class SettingError(VerifyError, ValueError):
    """A setting is missing, contradictory or out of range. The text names the setting and the cure."""


class FetchFailed(VerifyError):
    """A key server gave no document. A fetcher of your own may raise it too, with a fixed word such as ``timeout``."""

    def __init__(self, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        #: Seconds for which the server asked not to be called again; 0 if it named no time.
        self.retry_after: float = retry_after


class KeySetRefused(VerifyError, ValueError):
    """A JWK set cannot be used, or no key in it. `reason` is a fixed word, never text from the document."""


class NotStrictJSON(VerifyError, ValueError):
    """Bytes are not JSON with exactly one meaning. Contains no text of the input."""


class Refused(VerifyError):
    """The request gets an error response instead of a session."""

    #: HTTP status of the response.
    status: ClassVar[int] = 401
    #: The member ``message`` of the JSON body, with the text that SuperTokens' frontends know.
    message: ClassVar[str] = "unauthorised"

    # No __init__: refusing garbage must stay cheap.

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


#: Every word that `Refused.reason` can be.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        # The request
        "no_token": "the request carries no session access token",
        "legacy_cookie": "the cookie sIdRefreshToken of an old SDK is there: the session must be refreshed",
        "duplicate_cookie": "there are several sAccessToken cookies (an old cookie domain?)",
        "csrf_origin": "a cross-site request from an origin that is not allowed",
        "csrf_header": "a request that changes something, with cookies and without a rid header",
        "csrf_token": "the anti-csrf header does not equal the session's anti-CSRF token",
        # Text and header
        "token_form": "not three base64url segments of possible length",
        "base64_form": "a base64url segment is not in canonical form",
        "header_json": "the header is not JSON with exactly one meaning",
        "header_members": "not exactly the header members of this kind of token (only session tokens have a version)",
        "algorithm": "alg is not RS256, or not the algorithm of the key",
        "type": "typ is not JWT",
        "kid_form": "kid is not of the form d-… or s-… (older cores: set legacy_kids)",
        "version": "a token version that is not allowed here",
        "legacy_version": "a session token of version 1 or 2, which only a refresh replaces",
        # Key and signature
        "kid_type": "signed with a static key where a dynamic one is expected, or the other way round",
        "unknown_kid": "no published key has this kid",
        "signature_length": "the signature's length does not fit the key",
        "bad_signature": "the signature is wrong",
        "no_keys": "there is no usable key set: the key server cannot be reached, or serves nothing usable",
        "key_server": "the kid is new and the key server cannot be asked at the moment",
        # Claims of the protocol
        "payload_json": "the payload is not a JSON object with exactly one meaning",
        "token_kind": "another kind of token (see stt)",
        **{
            f"{claim}_form": f"{claim} is missing or malformed"
            for claim in ("sub", "rsub", "tId", "sessionHandle", "refreshTokenHash1", "client_id")
        },
        "parentRefreshTokenHash1_form": "parentRefreshTokenHash1 is neither null nor a string",
        "antiCsrfToken_form": "antiCsrfToken is neither null nor a string",
        "scp_form": "scp is not a list of strings",
        "tenant_and_handle": "sessionHandle and tId name different tenants",
        "issuer": "the setting issuer does not have this iss",
        "iss_form": "iss is malformed",
        "audience": "the setting audience does not have this aud (with no audience set, tokens with aud are refused)",
        "required_claim": "a required claim is missing or has another value",
        **{f"{claim}_form": f"{claim} is not an integer" for claim in ("iat", "exp", "nbf")},
        "lifetime": "the token lives longer than allowed (milliseconds instead of seconds?)",
        "expired": "the token has expired",
        "issued_in_future": "the token was issued in the future: check the clocks",
        "not_yet_valid": "nbf lies in the future",
        # What it may do
        "tenant": "genuine, but of a tenant that is not served here",
        "client": "genuine, but of an OAuth2 client that is not served here",
        "insufficient_scope": "genuine, but without a required scope",
        "invalid_claims": "a claim validator failed",
        "revoked": "the session was revoked",
        "revocation": "the revocation hook gave no answer in time",
    }
)

#: Every word that `KeyEvent.name` can be.
EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "fetch_failed": "the key set could not be fetched; keys that are known stay in use until max_stale has passed",
        "all_keys_replaced": "no key of the previous key set is left",
        "key_without_usable_kid": "a published key is not used: it has no kid, or a malformed one",
        "kid_with_two_keys": "two different keys were published with one kid: neither is used",
        "key_of_other_algorithm": "a published key is not used: it is for another algorithm",
        "key_not_for_signatures": "a published key is not used: it is not for verifying signatures",
        "malformed_key": "a published key is not used: it is malformed",
        "weak_key": "a published key is not used: RSA keys need 2048 to 8192 bits and a sound modulus and exponent",
        "key_not_pinned": "a published key is not used: the setting pins does not have its thumbprint",
        "private_key_published": "a private key was published: replace it at once; it is not used here",
    }
)
