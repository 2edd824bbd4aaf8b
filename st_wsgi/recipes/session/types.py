"""Results and values of the session recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar

import attrs
from werkzeug.wrappers import Response

from st_verify.token import SECRET_CLAIMS

from ...checks import a_function
from ...errors import DuplicateSessionCookies, InvalidClaims, TokenTheftDetected, TryRefreshToken, Unauthorised
from ...recipe_kit.results import Ok, Outcome
from ...request.context import RequestContext
from ...users import RecipeUserId

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

TransferMethod: TypeAlias = Literal["cookie", "header"]
TransferPolicy: TypeAlias = Literal["cookie", "header", "any"]
AntiCsrf: TypeAlias = Literal["VIA_TOKEN", "VIA_CUSTOM_HEADER", "NONE"]
GetTokenTransferMethod: TypeAlias = "Callable[[Request, bool], TransferPolicy]"
"""Takes the request, and whether a session is being created. Returns how tokens may travel."""

TRANSFER_METHODS: tuple[TransferMethod, ...] = ("header", "cookie")

PROTECTED_CLAIMS = SECRET_CLAIMS | {"sub", "iat", "exp", "sessionHandle", "rsub", "tId", "stt", "iss", "aud"}
"""Claims of the protocol: an app cannot set them."""


_E = TypeVar("_E")

ErrorHandler: TypeAlias = Callable[[_E, RequestContext], Response]
"""Takes an error and the context of the request. Returns the response."""

_handler = a_function("the error and the context of the request")


@attrs.frozen(kw_only=True)
class ErrorHandlers:
    """
    Functions that respond to session errors in the place of the protocol's responses.

    Each gets the error and the context of the request, and returns a response. Tokens that the protocol clears are
    cleared before.

    :param on_unauthorised: there is no session.
    :param on_try_refresh_token: the access token is no longer good.
    :param on_token_theft_detected: a refresh token was used again. The session is revoked before.
    :param on_invalid_claim: the session is good, but some of its claims are not.
    :param on_clear_duplicate_session_cookies: the browser sent a session cookie twice.
    """

    on_unauthorised: ErrorHandler[Unauthorised] | None = attrs.field(default=None, validator=_handler)
    on_try_refresh_token: ErrorHandler[TryRefreshToken] | None = attrs.field(default=None, validator=_handler)
    on_token_theft_detected: ErrorHandler[TokenTheftDetected] | None = attrs.field(default=None, validator=_handler)
    on_invalid_claim: ErrorHandler[InvalidClaims] | None = attrs.field(default=None, validator=_handler)
    on_clear_duplicate_session_cookies: ErrorHandler[DuplicateSessionCookies] | None = attrs.field(
        default=None, validator=_handler
    )


@attrs.frozen
class TokenInfo:
    """
    A token of the core.

    :param expiry: milliseconds since 1970.
    :param created_time: milliseconds since 1970.
    """

    token: str = attrs.field(repr=False)
    expiry: int
    created_time: int


@attrs.frozen(kw_only=True)
class CoreSession:
    """The session in a reply of the core that has a token."""

    handle: str
    user_id: str
    recipe_user_id: RecipeUserId
    tenant_id: str


@attrs.frozen(kw_only=True)
class IssuedSession(Ok):
    """The core's reply to create and refresh."""

    session: CoreSession
    access_token: TokenInfo
    refresh_token: TokenInfo
    anti_csrf_token: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class CheckedSession(Ok):
    """The core's reply to verify and regenerate."""

    session: CoreSession
    access_token: TokenInfo | None = None


class NoSession(Outcome):
    """The core's reply when the session does not exist, or has ended."""

    status: ClassVar[Literal["UNAUTHORISED"]] = "UNAUTHORISED"


class OldToken(Outcome):
    """The core's reply to an access token that must be renewed."""

    status: ClassVar[Literal["TRY_REFRESH_TOKEN"]] = "TRY_REFRESH_TOKEN"


@attrs.frozen(kw_only=True)
class SessionOwner:
    """The session of a refresh token that was used twice."""

    handle: str
    user_id: str
    recipe_user_id: RecipeUserId


@attrs.frozen
class StolenSession:
    """The core's reply to a refresh token that was used twice."""

    session: SessionOwner
    status: ClassVar[Literal["TOKEN_THEFT_DETECTED"]] = "TOKEN_THEFT_DETECTED"


@attrs.frozen(kw_only=True)
class SessionInformation(Ok):
    """
    A session as the core has it.

    :param expiry: when the refresh token expires, in milliseconds since 1970.
    :param time_created: milliseconds since 1970.
    :param session_data_in_database: data of the app that stay in the core.
    :param custom_claims_in_access_token_payload: the claims of the app and of the recipes.
    """

    session_handle: str
    user_id: str
    recipe_user_id: RecipeUserId
    tenant_id: str
    expiry: int
    time_created: int
    session_data_in_database: dict[str, Any] = attrs.field(metadata={"wire": "userDataInDatabase"}, repr=False)
    custom_claims_in_access_token_payload: dict[str, Any] = attrs.field(metadata={"wire": "userDataInJWT"})


@attrs.frozen(kw_only=True)
class SessionTokens:
    """
    All tokens of a session, for apps that send them to the frontend on their own.

    :param access_and_front_token_updated: whether the access token is new, so that the frontend needs it.
    :param refresh_token: None unless the session was created or refreshed just now.
    """

    access_token: str = attrs.field(repr=False)
    front_token: str = attrs.field(repr=False)
    refresh_token: str | None = attrs.field(repr=False)
    anti_csrf_token: str | None = attrs.field(repr=False)
    access_and_front_token_updated: bool


@attrs.frozen(kw_only=True)
class ClaimsValidationResult:
    """
    The outcome of validating claims.

    :param invalid_claims: pairs of validator id and reason.
    :param access_token_payload_update: the payload with newly fetched values, or None.
    """

    invalid_claims: tuple[tuple[str, Any], ...]
    access_token_payload_update: dict[str, Any] | None = None


@attrs.frozen
class ClaimValueOk(Ok):
    """The value of a claim in a session, None if the session does not have it."""

    value: Any


class SessionDoesNotExist(Outcome):
    """There is no such session."""

    status: ClassVar[Literal["SESSION_DOES_NOT_EXIST_ERROR"]] = "SESSION_DOES_NOT_EXIST_ERROR"
