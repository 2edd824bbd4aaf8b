"""
The WSGI callables.

``Middleware`` is the routing: *ours? answer. Not ours? get out of the way.* ``ErrorHandler`` is the seam: it opens the
request's context, answers errors of ours that are raised anywhere below it, and merges what was recorded for the
response at the only moment that every WSGI app has in common, its call of ``start_response``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from . import cors, current
from .changes import HeaderList
from .config import Cors
from .context import RequestContext
from .errors import CONTEXT_KEY, Answerable
from .routing import Router
from .services import Services

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.wrappers import Response


class Instance(Protocol):
    """What the callables need of :class:`~st_wsgi.app.SuperTokens`."""

    @property
    def services(self) -> Services: ...
    @property
    def router(self) -> Router: ...
    @property
    def cors(self) -> Cors | None: ...

    def handle(self, context: RequestContext, /) -> Response | None: ...


class ErrorHandler:
    """
    Answer our errors, wherever below they are raised, and add what the session changed to the response.

    :param app: any WSGI app.
    :param supertokens: the instance that it belongs to.
    """

    def __init__(self, app: WSGIApplication, supertokens: Instance) -> None:
        self._app = app
        self._services = supertokens.services
        self._cors = supertokens.cors

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        context = environ[CONTEXT_KEY] = RequestContext(self._services, environ)
        token = current.enter(context)
        try:
            return _Seam(context, environ, start_response, self._cors).run(self._app)
        finally:
            current.leave(token)


class Middleware:
    """
    Serve our routes; pass everything else on untouched, its body unread.

    :param app: any WSGI app.
    :param supertokens: the instance whose routes are served.
    """

    def __init__(self, app: WSGIApplication, supertokens: Instance) -> None:
        self._app = app
        self._supertokens = supertokens
        self._prefix = supertokens.router.prefix
        self._preflights = supertokens.cors is not None
        self._alone = ErrorHandler(self, supertokens)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(self._prefix) and not self._preflights:
            return self._app(environ, start_response)
        context = environ.get(CONTEXT_KEY)
        if context is None or context.services is not self._supertokens.services:
            return self._alone(environ, start_response)
        response = self._supertokens.handle(context)
        if response is None:
            return self._app(environ, start_response)
        return response(environ, start_response)


class _Seam:
    """``start_response`` as the app sees it, and the body as the server gets it."""

    __slots__ = ("_answer", "_changes", "_context", "_cors", "_environ", "_start_response")

    def __init__(
        self, context: RequestContext, environ: WSGIEnvironment, start_response: StartResponse, rules: Cors | None
    ) -> None:
        self._context = context
        self._changes = context.changes
        self._environ = environ
        self._start_response = start_response
        self._cors = rules
        self._answer: Answerable | None = None

    def run(self, app: WSGIApplication) -> Iterable[bytes]:
        body: Iterable[bytes] = ()
        try:
            body = app(self._environ, self.start)
            if not self._changes.started and self._answer is None:
                unread, body = body, ()  # if it fails at its beginning, that closes it
                body = self._begin(unread)
        except Answerable as error:
            if self._changes.started:
                raise
            self._answer = error
        if self._answer is None:
            return body
        _close(body)
        raised, self._answer = self._answer, None
        self._context.ours = True
        response: Iterable[bytes] = raised.get_response(self._environ)(self._environ, self.start)
        return response

    def _begin(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Read a lazy app's body up to its first bytes: its view runs only now, and its errors are still ours."""
        try:
            rest = iter(body)
            first: bytes | None = b""
            while not first and first is not None and not self._changes.started and self._answer is None:
                first = next(rest, None)
        except BaseException:
            _close(body)
            raise
        return _Resumed(first or b"", rest, body)

    def start(
        self, status: str, headers: HeaderList, exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if exc_info:
            try:
                if isinstance(exc_info[1], Answerable) and not self._changes.started:
                    self._answer = exc_info[1]
                    return _discard
                return self._start_response(status, self._merged(headers), exc_info)
            finally:
                exc_info = None  # PEP 3333: a traceback kept here would be a reference cycle
        return self._start_response(status, self._merged(headers))

    def _merged(self, headers: HeaderList) -> HeaderList:
        """Return the headers of the response, which starts now."""
        changes = self._changes
        if changes.recorded:
            headers = changes.merge(headers)
        if self._cors is not None and (self._cors.whole_app or self._context.ours):
            headers = cors.add_headers(self._cors, self._environ, headers)
        changes.started = True
        return headers


class _Resumed:
    """A body whose beginning was read already."""

    def __init__(self, first: bytes, rest: Iterator[bytes], body: Iterable[bytes]) -> None:
        self._first = first
        self._rest = rest
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        if self._first:
            yield self._first
        yield from self._rest

    def close(self) -> None:
        _close(self._body)


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _discard(data: bytes, /) -> None:
    """Take what an app writes of an error page that is not sent."""
