"""
Every exception that this package raises.

::

    SuperTokensError
    ├─ ConfigError (also ValueError)         refused at construction
    ├─ ArgumentError (also TypeError)        a function for users was called in another way than it says
    ├─ CoreError                             the core did not do what was asked
    │  ├─ CoreUnavailable (answerable, 503)  no host gave an answer
    │  ├─ CoreRefused                        an HTTP status of 400 and above
    │  │  └─ TenantUnknown                   there is no such tenant
    │  ├─ CoreTooOld                         no common CDI version
    │  └─ CoreReplyInvalid                  a 200 whose body is not what the protocol says
    └─ Answerable (werkzeug HTTPException)   knows how to become a response
       ├─ BadInput 400
       │  └─ BodyTooLarge 413
       ├─ FieldErrors 200
       ├─ Forbidden 403
       ├─ TooManyRequests 429
       ├─ InternalError 500
       └─ SessionError
          ├─ Unauthorised 401
          ├─ TryRefreshToken 401
          ├─ TokenTheftDetected 401
          ├─ InvalidClaims 403
          └─ DuplicateSessionCookies 200

An answerable error may be raised anywhere below the middleware, in our routes and in the app's: frameworks that know
werkzeug's exceptions answer it themselves, for the others the middleware does. Either way it is asked for its response
by :meth:`Answerable.get_response`, which lets the recipe that the error belongs to have the last word.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

CONTEXT_KEY = "st_wsgi.context"
"""Where a request's context lives in its WSGI environ."""

_TEXT_LIMIT = 300

_Error = TypeVar("_Error")


class SuperTokensError(Exception):
    """The base of every error of this package."""


class ConfigError(SuperTokensError, ValueError):
    """A setting was refused at construction. The message names the setting and the remedy."""


class ArgumentError(SuperTokensError, TypeError):
    """A function for users was called with an argument that it does not take. The message names it and the cure."""


class Answerer(Protocol):
    """What :meth:`Answerable.get_response` looks for in the environ: the request's context."""

    def answer(self, error: Answerable, /) -> Response: ...


class _Kind(type):
    """
    What an answerable error's class is: called with an error of its own, it returns that error.

    ``raise kind(error)`` is how Bottle raises again what an app mounted in it hands to ``start_response``. Constructors
    would refuse the error, or take it for a detail and forget the rest.
    """

    def __call__(cls: type[_Error], *args: Any, **kwargs: Any) -> _Error:
        if len(args) == 1 and type(args[0]) is cls:
            error: _Error = args[0]
            return error
        made: _Error = type.__call__(cls, *args, **kwargs)
        return made


class Answerable(SuperTokensError, HTTPException, metaclass=_Kind):
    """
    An error that a client should see, as the protocol wants it to be seen.

    :param detail: for logs, and never werkzeug's ``description``, which a framework may print for the client.
    """

    code: int = 500
    message: ClassVar[str] = "internal error"
    no_store: ClassVar[bool] = False

    def __init__(self, detail: str | None = None) -> None:
        self.detail = self.message if detail is None else detail
        HTTPException.__init__(self, self.message)

    def __str__(self) -> str:
        return self.detail

    def payload(self) -> dict[str, Any]:
        """Return the JSON object that the client gets."""
        return {"message": self.message}

    def headers(self) -> Mapping[str, str]:
        """Return the headers that belong to this error, beside the content type."""
        return {"Cache-Control": "no-store"} if self.no_store else {}

    def plain_response(self, status: int | None = None) -> Response:
        """Return the answer as the protocol defines it, with *status* in place of the usual one."""
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
        """Return the answer, asking the request's context first when the error was raised below our middleware."""
        known = environ.environ if isinstance(environ, Request) else environ
        answerer: Answerer | None = None if known is None else known.get(CONTEXT_KEY)
        if answerer is None:
            return self.plain_response()
        return answerer.answer(self)


class BadInput(Answerable):
    """The client sent something that the protocol does not allow. *detail* is shown to the client."""

    code = 400
    message = "bad input"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail)
        self.description = self.detail

    def payload(self) -> dict[str, Any]:
        return {"message": self.detail}


class BodyTooLarge(BadInput):
    """
    The body is larger than any route of ours needs.

    What stays unread of it is the server's business, and so is the connection (PEP 3333, "Other HTTP Features").
    """

    code = 413
    message = "request body too large"


class FieldErrors(Answerable):
    """Form fields were refused: FDI's ``FIELD_ERROR``, with a pair of field id and text for each."""

    code = 200
    message = "field error"

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        self.errors = tuple(errors)
        super().__init__()

    def payload(self) -> dict[str, Any]:
        fields = [{"id": field, "error": text} for field, text in self.errors]
        return {"status": "FIELD_ERROR", "formFields": fields}


class Forbidden(Answerable):
    """A genuine session that is not served here (wrong tenant or scope): a refresh cannot help."""

    code = 403
    message = "forbidden"
    no_store = True


class TooManyRequests(Answerable):
    """
    Somebody tries too often.

    :param retry_after: seconds to wait.
    """

    code = 429
    message = "too many requests"

    def __init__(self, *, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__()

    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(max(1, math.ceil(self.retry_after)))}


class InternalError(Answerable):
    """What the client of one of our own routes sees of an error that is none of its business."""

    code = 500
    message = "internal error"


class SessionError(Answerable):
    """The base of what can be wrong with a session."""

    no_store = True


class Unauthorised(SessionError):
    """
    There is no session: 401, which the frontend takes as signed out.

    :param clear_tokens: also remove the tokens from the frontend, in both transports.
    """

    code = 401
    message = "unauthorised"

    def __init__(self, detail: str | None = None, *, clear_tokens: bool = True) -> None:
        self.clear_tokens = clear_tokens
        super().__init__(detail)


class TryRefreshToken(SessionError):
    """The access token cannot be used any more: 401, which makes the frontend refresh and try again."""

    code = 401
    message = "try refresh token"


class TokenTheftDetected(SessionError):
    """A refresh token was used after its child had been: 401; the session is revoked."""

    code = 401
    message = "token theft detected"

    def __init__(self, *, session_handle: str, user_id: str, recipe_user_id: str) -> None:
        self.session_handle = session_handle
        self.user_id = user_id
        self.recipe_user_id = recipe_user_id
        super().__init__()


class InvalidClaims(SessionError):
    """
    The session is good but claims of it are not: 403.

    :param errors: pairs of validator id and reason, the reason being a JSON value.
    """

    code = 403
    message = "invalid claim"

    def __init__(self, errors: Sequence[tuple[str, Any]]) -> None:
        self.errors = tuple(errors)
        super().__init__()

    def payload(self) -> dict[str, Any]:
        errors = [{"id": name, "reason": reason} for name, reason in self.errors]
        return {"message": self.message, "claimValidationErrors": errors}


class DuplicateSessionCookies(SessionError):
    """
    The browser sent a session cookie twice to the refresh route and ``older_cookie_domain`` is set.

    Answered with 200 after the cookies of the older domain were cleared, so that the frontend's next call succeeds.
    """

    code = 200
    message = "duplicate session cookies were cleared"


class CoreError(SuperTokensError):
    """The core did not do what was asked of it. Messages are capped and carry no secrets."""


class CoreUnavailable(CoreError, Answerable):
    """No core gave an answer: 503 with ``Retry-After``, since a 401 would send every browser to refresh."""

    code = 503
    message = "service unavailable"

    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": "5", "Cache-Control": "no-store"}


class CoreRefused(CoreError):
    """
    The core answered with an HTTP status of 400 and above.

    :param status: the HTTP status.
    :param text: what the core said, capped.
    :param method: the HTTP method of the call.
    :param path: its path, without query.
    """

    def __init__(self, *, status: int, text: str, method: str, path: str, remedy: str = "") -> None:
        self.status = status
        self.text = text.strip()[:_TEXT_LIMIT]
        self.method = method
        self.path = path
        said = f"the core answered {status} to {method} {path}: {self.text}"
        super().__init__(f"{said}. {remedy}" if remedy else said)


class TenantUnknown(CoreRefused):
    """The core has no such tenant, or no such app."""


class CoreTooOld(CoreError):
    """The core and this SDK have no CDI version in common."""

    def __init__(self, *, ours: Sequence[str], theirs: Sequence[str]) -> None:
        self.ours = tuple(ours)
        self.theirs = tuple(theirs)
        super().__init__(
            f"no common CDI version: this SDK speaks {', '.join(ours)}, the core {', '.join(theirs) or 'none'}. "
            "Upgrade the core to one that speaks CDI 5.4 (official core 11.4 or later)."
        )


class CoreReplyInvalid(CoreError):
    """The core answered 200 with something that the protocol does not know."""

    def __init__(self, *, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"unexpected answer of the core to {path}: {problem[:_TEXT_LIMIT]}")
