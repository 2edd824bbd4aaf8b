"""
Every exception that this package raises.

::

    SuperTokensError
    ├─ ConfigError (also ValueError)         a setting, or the way something is put together, cannot work
    ├─ ArgumentError (also TypeError)        a function was called with an argument that it does not take
    ├─ CoreError                             the core did not do what it was asked
    │  ├─ CoreUnavailable (answerable, 503)  no host replied
    │  │  └─ CoreBusy                        the core has too much to do at the moment
    │  ├─ CoreRefused                        the core replied with an HTTP status of 400 and above
    │  │  └─ TenantUnknown                   the tenant or the app does not exist
    │  ├─ CoreTooOld                         the core and this package have no CDI version in common
    │  └─ CoreReplyInvalid                   the core's reply is not what the protocol says
    └─ Answerable (werkzeug HTTPException)   has a response for the client
       ├─ BadInput 400
       │  └─ BodyTooLarge 413
       ├─ FieldErrors 200
       ├─ Forbidden 403
       ├─ TooManyRequests 429
       ├─ MessageNotSent 503                 a mail or a text message was not accepted
       ├─ ProviderFailed 200                 a provider did not say who the user is
       ├─ InternalError 500
       └─ SessionError
          ├─ Unauthorised 401
          ├─ TryRefreshToken 401
          ├─ TokenTheftDetected 401
          ├─ InvalidClaims 403
          └─ DuplicateSessionCookies 200

An answerable error can be raised anywhere below the middleware, in our routes and in the app's. Frameworks that know
werkzeug's exceptions respond to it themselves; for the others the middleware does. Both call
:meth:`Answerable.get_response`, in which the recipe that the error belongs to may choose another response.

Messages are for logs and developers. A client sees only what :meth:`Answerable.payload` returns. An argument that
becomes an attribute is described there. All errors can be copied and pickled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

CONTEXT_KEY = "st_wsgi.context"
"""The key of a request's context in its WSGI environ."""

_TEXT_LIMIT = 300

_Error = TypeVar("_Error")


class SuperTokensError(Exception):
    """The base of every error of this package."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle without the constructor, whose arguments are not in ``args``."""
        return _restored, (type(self), self.args), self.__dict__


class ConfigError(SuperTokensError, ValueError):
    """
    A setting cannot work, or something was not put together, such as an app without ``st.wrap``.

    The message names the setting and says what to do. Nearly all are raised at start-up.
    """


class ArgumentError(SuperTokensError, TypeError):
    """A function was called with an argument that it does not take. The message names it and says what to do."""


class Answerer(Protocol):
    """The part of a request's context that :meth:`Answerable.get_response` uses."""

    def answer(self, error: Answerable, /) -> Response: ...


class _ErrorClass(type):
    """
    The type of the answerable errors' classes: a class that is called with one of its own errors returns that error.

    Bottle raises the errors of an app that is mounted in it once more, with ``raise kind(error)``. The constructors
    would refuse the error, or take it for a detail and lose the rest.
    """

    def __call__(cls: type[_Error], *args: Any, **kwargs: Any) -> _Error:
        if len(args) == 1 and type(args[0]) is cls:
            error: _Error = args[0]
            return error
        new: _Error = type.__call__(cls, *args, **kwargs)
        return new


class Answerable(SuperTokensError, HTTPException, metaclass=_ErrorClass):
    """
    An error that has a response for the client, in the form of the frontend driver interface.

    ::

        raise Unauthorised("the account is suspended")

    :param detail: for logs only; by default the message.
    """

    code: int = 500
    """The HTTP status."""

    message: ClassVar[str] = "internal error"
    """What the client gets as ``message``."""

    no_store: ClassVar[bool] = False
    """Whether the response forbids caches to store it."""

    detail: str
    """What happened, for logs. A framework may show werkzeug's ``description`` to the client, so it is not there."""

    def __init__(self, detail: str | None = None) -> None:
        self.detail = self.message if detail is None else detail
        HTTPException.__init__(self, self.message)

    def __str__(self) -> str:
        return self.detail

    def payload(self) -> dict[str, Any]:
        """Return the JSON object that the client gets."""
        return {"message": self.message}

    def headers(self) -> Mapping[str, str]:
        """Return the headers of the response, beside the content type."""
        return {"Cache-Control": "no-store"} if self.no_store else {}

    def plain_response(self, status: int | None = None) -> Response:
        """
        Return the response that the protocol defines.

        :param status: another HTTP status than :attr:`code`.
        """
        body = json.dumps(self.payload(), separators=(",", ":"))
        response = Response(body, self.code if status is None else status, mimetype="application/json")
        for name, value in self.headers().items():
            response.headers[name] = value
        return response

    def get_response(
        self,
        environ: WSGIEnvironment | Request | None = None,
        scope: dict[str, Any] | None = None,
    ) -> Response:
        """
        Return the response to a request: that of the recipe that the error belongs to, else the protocol's.

        :param environ: of the request, or werkzeug's request; without it the response is the protocol's.
        :param scope: not used; werkzeug's own exceptions have it.
        """
        environ = environ.environ if isinstance(environ, Request) else environ
        context: Answerer | None = None if environ is None else environ.get(CONTEXT_KEY)
        return self.plain_response() if context is None else context.answer(self)


class BadInput(Answerable):
    """
    The client sent something that the protocol does not allow: 400.

    :param detail: what is wrong. The client sees it.
    """

    code = 400
    message = "bad input"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail)
        self.description: str | None = self.detail

    def payload(self) -> dict[str, Any]:
        return {"message": self.detail}


class BodyTooLarge(BadInput):
    """
    The body is larger than any of our routes needs: 413.

    The rest of it stays unread. Whether the connection is closed then is up to the server (PEP 3333, "Other HTTP
    Features").
    """

    code = 413
    message = "request body too large"


class FieldErrors(Answerable):
    """Values of a form were refused: 200 with the status ``FIELD_ERROR`` (FDI)."""

    code = 200
    message = "field error"

    errors: tuple[tuple[str, str], ...]
    """Pairs of field id and text for the user."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        self.errors = tuple(errors)
        super().__init__()

    def payload(self) -> dict[str, Any]:
        fields = [{"id": field, "error": text} for field, text in self.errors]
        return {"status": "FIELD_ERROR", "formFields": fields}


class Forbidden(Answerable):
    """The session is good but not allowed here, such as in another tenant: 403. Refreshing it would not help."""

    code = 403
    message = "forbidden"
    no_store = True


class TooManyRequests(Answerable):
    """
    There were too many attempts: 429 with ``Retry-After``.

    The official web SDK throws the response of such a status to the page. The page reads ``message`` from it.
    """

    code = 429
    message = "too many requests"

    retry_after: float
    """Seconds to wait."""

    def __init__(self, *, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__()
        minutes = math.ceil(retry_after / 60)
        wait = "in a minute" if minutes <= 1 else f"in {minutes} minutes"
        self.description: str | None = f"Too many attempts. Please try again {wait}."

    def payload(self) -> dict[str, Any]:
        return {"status": "GENERAL_ERROR", "message": self.description}

    def headers(self) -> Mapping[str, str]:
        seconds = str(max(1, math.ceil(self.retry_after)))
        return {"Retry-After": seconds, "Access-Control-Expose-Headers": "Retry-After", "Cache-Control": "no-store"}


class MessageNotSent(Answerable):
    """
    A mail or a text message was not accepted: 503. A service of the app's own may raise it, too.

    :param detail: why, which is logged: it contains neither the receiver, nor the link, nor the code.
    """

    code = 503
    message = "The message could not be sent. Please try again later."


class ProviderFailed(Answerable):
    """
    A provider did not say who the user is: 200 with the status ``GENERAL_ERROR`` (FDI), whose message the user sees.

    A check of the app's own raises it to refuse a user's tokens.

    :param detail: why, which is logged: it contains no code, no token and no secret.
    """

    code = 200
    message = "Signing in with this provider failed. Please try again, or choose another way to sign in."

    def payload(self) -> dict[str, Any]:
        return {"status": "GENERAL_ERROR", "message": self.message}


class InternalError(Answerable):
    """The response of our own routes to an error that the client has nothing to do with: 500."""

    code = 500
    message = "internal error"


class SessionError(Answerable):
    """The base of all errors about a session."""

    no_store = True


class Unauthorised(SessionError):
    """There is no session: 401. The frontend counts as signed out."""

    code = 401
    message = "unauthorised"

    clear_tokens: bool
    """Whether the tokens are removed from the frontend, both cookies and headers."""

    def __init__(self, detail: str | None = None, *, clear_tokens: bool = True) -> None:
        self.clear_tokens = clear_tokens
        super().__init__(detail)


class TryRefreshToken(SessionError):
    """The access token is no longer good: 401. The frontend refreshes the session and repeats the request."""

    code = 401
    message = "try refresh token"


class TokenTheftDetected(SessionError):
    """A refresh token was used again after a newer one had been used: 401. The session is revoked."""

    code = 401
    message = "token theft detected"

    session_handle: str
    """The handle of the session."""

    user_id: str
    """The id of the primary user."""

    recipe_user_id: str
    """The id of the login method."""

    def __init__(self, *, session_handle: str, user_id: str, recipe_user_id: str) -> None:
        self.session_handle = session_handle
        self.user_id = user_id
        self.recipe_user_id = recipe_user_id
        super().__init__()


class InvalidClaims(SessionError):
    """The session is good but some of its claims are not: 403."""

    code = 403
    message = "invalid claim"

    errors: tuple[tuple[str, Any], ...]
    """Pairs of validator id and reason, which is a JSON value."""

    def __init__(self, errors: Sequence[tuple[str, Any]]) -> None:
        self.errors = tuple(errors)
        super().__init__()

    def payload(self) -> dict[str, Any]:
        errors = [{"id": name, "reason": reason} for name, reason in self.errors]
        return {"message": self.message, "claimValidationErrors": errors}


class DuplicateSessionCookies(SessionError):
    """
    The browser sent a session cookie twice to the refresh route, and ``older_cookie_domain`` is set: 200.

    The response clears the cookies of the older domain, so that the frontend's next request succeeds.
    """

    code = 200
    message = "duplicate session cookies were cleared"


class CoreError(SuperTokensError):
    """The base of all errors of calls to the core. Messages have a limited length and hold no secrets."""


class CoreUnavailable(CoreError, Answerable):
    """No core replied: 503 with ``Retry-After``. A 401 would send every browser to the refresh route."""

    code = 503
    message = "service unavailable"

    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": "5", "Cache-Control": "no-store"}


class CoreBusy(CoreUnavailable):
    """The core has too much to do at the moment: 503, such as when too many passwords are hashed at once."""

    retry_after: int
    """Seconds to wait before the next attempt."""

    def __init__(self, detail: str | None = None, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(detail)

    def headers(self) -> Mapping[str, str]:
        return {**super().headers(), "Retry-After": str(max(1, self.retry_after))}


class CoreRefused(CoreError):
    """
    The core replied with an HTTP status of 400 and above.

    :param host: the address of the core; empty for a core in this process.
    :param remedy: what to do, as a sentence.
    """

    status: int
    """The HTTP status."""

    text: str
    """What the core said, at most 300 characters."""

    method: str
    """The HTTP method of the call."""

    path: str
    """The path of the call, with tenant and without query."""

    def __init__(self, *, status: int, text: str, method: str, path: str, host: str = "", remedy: str = "") -> None:
        self.status = status
        self.text = text.strip()[:_TEXT_LIMIT]
        self.method = method
        self.path = path
        core = f"the core at {host}" if host else "the core"
        message = f"{core} replied {status} to {method} {path}: {' '.join(self.text.split())}"
        super().__init__(f"{message}. {remedy}" if remedy else message)


NO_SUCH_TENANT: Final = "this tenant does not exist"


class TenantUnknown(CoreRefused):
    """The core has no such tenant, or no such app."""


class CoreTooOld(CoreError):
    """The core and this package have no CDI version in common."""

    ours: tuple[str, ...]
    """The versions that ``cdi_versions`` allows."""

    theirs: tuple[str, ...]
    """The versions of the core."""

    def __init__(self, *, ours: Sequence[str], theirs: Sequence[str]) -> None:
        self.ours = tuple(ours)
        self.theirs = tuple(theirs)
        super().__init__(
            f"no CDI version in common: this app uses {', '.join(ours)}, the core has {', '.join(theirs) or 'none'}. "
            "Upgrade the core to one with CDI 5.4 (the official core from 11.4 on), or set cdi_versions."
        )


class CoreReplyInvalid(CoreError):
    """
    The core's reply is not what the protocol says.

    :param host: the address of the core; empty for a core in this process.
    """

    path: str
    """The path of the call."""

    problem: str
    """What is wrong with the reply."""

    def __init__(self, *, path: str, problem: str, host: str = "") -> None:
        self.path = path
        self.problem = problem
        core = f"the core at {host}" if host else "the core"
        super().__init__(f"{core} gave an invalid reply to {path}: {problem[:_TEXT_LIMIT]}")


def _restored(kind: type[SuperTokensError], args: tuple[Any, ...]) -> SuperTokensError:
    """Return an error without calling its constructor; its attributes follow (see ``object.__reduce__``)."""
    return kind.__new__(kind, *args)
