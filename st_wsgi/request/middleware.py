"""
The WSGI callables.

``Middleware`` is the routing: *ours? answer. Not ours? get out of the way.* ``ErrorHandler`` is the seam: it opens the
request's context, answers our errors that are raised anywhere below it, and adds the recorded cookies and headers to
the response when the app calls ``start_response``, which every WSGI app does.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import Token
from typing import TYPE_CHECKING, Protocol

from ..config import Cors
from ..errors import CONTEXT_KEY, Answerable
from ..services import Services
from . import cors, current
from .changes import HeaderList
from .context import RequestContext
from .routing import Router

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.wrappers import Response


class Pages(Protocol):
    """The part of a recipe with pages that the callables use."""

    def serves(self, context: RequestContext, /) -> bool: ...


class Instance(Protocol):
    """The part of :class:`~st_wsgi.app.SuperTokens` that the callables use."""

    @property
    def services(self) -> Services: ...
    @property
    def router(self) -> Router: ...
    @property
    def cors(self) -> Cors | None: ...
    @property
    def pages(self) -> Pages | None: ...

    def handle(self, context: RequestContext, /) -> Response | None: ...


class ErrorHandler:
    """
    The seam: answer our errors, wherever below they are raised, and add what the session changed to the response.

    :meth:`~st_wsgi.SuperTokens.wrap` puts both callables in front of an app. Apart, another layer fits in between::

        app = ErrorHandler(AnotherLayer(Middleware(app, st)), st)

    :param app: any WSGI app.
    :param supertokens: the instance that the app belongs to.
    :param routes: gets the requests below its prefix in place of *app*. It could be *app* itself, but then every
        request of the app would pay for one call more.
    """

    def __init__(self, app: WSGIApplication, supertokens: Instance, *, routes: Middleware | None = None) -> None:
        self._app = app
        self._services = supertokens.services
        self._cors = supertokens.cors
        self._routes: WSGIApplication = app if routes is None else routes
        self._prefix = "" if routes is None else routes.prefix

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse, /) -> Iterable[bytes]:
        services = self._services
        outer = environ.get(CONTEXT_KEY)
        if outer is not None and outer.services is services and outer.environ is environ:
            return self._inside(outer, environ, start_response)
        exchange = environ[CONTEXT_KEY] = _Exchange(services, environ, start_response, self._cors)
        token = exchange.token = current.enter(exchange)
        try:
            app = self._routes if environ.get("PATH_INFO", "").startswith(self._prefix) else self._app
            body = app(environ, exchange.start)
            return body if exchange.started else exchange.resume(environ, body)
        except Answerable as error:
            if exchange.started:
                raise
            return exchange.answer_instead(environ, error)
        finally:
            current.leave(token)
            exchange.let_go()
            if outer is not None and outer.environ is not None and outer.services is not services:
                environ[CONTEXT_KEY] = outer  # of another instance, whose layer is around this one

    def _inside(
        self, context: RequestContext, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Call the app for a request whose context a layer of the same instance has opened, and which records there."""
        token = current.enter(context)
        try:
            app = self._routes if environ.get("PATH_INFO", "").startswith(self._prefix) else self._app
            return app(environ, start_response)
        except Answerable as error:
            if context.started:
                raise
            context.ours = True
            response: Iterable[bytes] = error.get_response(environ)(environ, start_response)
            return response
        finally:
            current.leave(token)


# Falcon's test client counts the parameters of an app, self included, and takes one with three for another kind.
ErrorHandler.__call__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in ("environ", "start_response")]
)


class Middleware:
    """
    Serve our routes; pass everything else on untouched, its body unread.

    ::

        app = Middleware(app, st)

    :param app: any WSGI app.
    :param supertokens: the instance whose routes are served.
    :ivar prefix: of the paths that it serves; empty if it answers preflights too.
    """

    prefix: str

    def __init__(self, app: WSGIApplication, supertokens: Instance) -> None:
        self._app = app
        self._supertokens = supertokens
        self.prefix = supertokens.router.prefix if supertokens.cors is None else ""
        self._alone = ErrorHandler(self, supertokens)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(self.prefix):
            return self._app(environ, start_response)
        context = environ.get(CONTEXT_KEY)
        if context is None or context.environ is None or context.services is not self._supertokens.services:
            return (self._alone if self._serves(environ) else self._app)(environ, start_response)
        response = self._supertokens.handle(context)
        if response is None:
            return self._app(environ, start_response)
        return response(environ, start_response)

    def _serves(self, environ: WSGIEnvironment) -> bool:
        """Return whether a request is for one of our routes, or a preflight that we answer."""
        path, router, rules = environ.get("PATH_INFO", ""), self._supertokens.router, self._supertokens.cors
        if rules is not None and cors.is_preflight(environ):
            return rules.whole_app or bool(router.methods(path))
        method, rid = environ.get("REQUEST_METHOD", ""), environ.get("HTTP_RID")
        if router.match(method=method, path=path, rid=rid) is not None:
            return True
        pages = self._supertokens.pages
        return pages is not None and pages.serves(RequestContext(self._supertokens.services, environ))


class _Exchange(RequestContext):
    """A request's context together with its response: the app's ``start_response``, and the body for the server."""

    token: Token[RequestContext | None]
    _origin: str | None = None

    def __init__(
        self, services: Services, environ: WSGIEnvironment, start_response: StartResponse, rules: Cors | None
    ) -> None:
        self.services = services
        self.environ = environ
        self._start_response = start_response
        self._cors = rules
        if rules is not None:
            self._origin = environ.get("HTTP_ORIGIN")

    def start(
        self, status: str, headers: HeaderList, exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Start the app's response, unless it is the app's page for an error of ours, which we replace."""
        if exc_info or self.instead is not None or status.startswith("500"):
            try:
                if not self.started and self._answers_instead(exc_info):
                    return _discard
                if exc_info:
                    return self._start_response(status, self._changed(headers), exc_info)
            finally:
                exc_info = None  # PEP 3333: a traceback kept here would be a reference cycle
        if self._changes is not None or self._cors is not None:
            headers = self._changed(headers)
        self.started = True
        return self._start_response(status, headers)

    def _answers_instead(self, exc_info: OptExcInfo | None) -> bool:
        """
        Return whether an error of ours is answered in place of the app's page.

        It is the error in *exc_info*, the one that is being handled at this moment, or the one that the framework has
        passed to :func:`~st_wsgi.answer_error`. An error that a request around this one handles does not count.
        """
        error = exc_info[1] if exc_info else None
        if exc_info is None and not isinstance(self.token.old_value, RequestContext):
            error = sys.exc_info()[1]
        if self.instead is None and isinstance(error, Answerable):
            self.instead = error
        return self.instead is not None

    def resume(self, environ: WSGIEnvironment, body: Iterable[bytes]) -> Iterable[bytes]:
        """
        Return the body of an app that has returned without starting its response.

        A lazy body is read up to its first chunk: its view runs only now, and its errors can still be answered. If an
        error of ours is to be answered instead, the body is closed.
        """
        try:
            rest = iter(body)
            first: bytes | None = b""
            while not first and first is not None and not self.started and self.instead is None:
                first = next(rest, None)
        except BaseException:
            _close(body)
            raise
        if self.instead is None:
            return _Resumed(first or b"", rest, body)
        _close(body)
        error, self.instead = self.instead, None
        return self.answer_instead(environ, error)

    def answer_instead(self, environ: WSGIEnvironment, error: Answerable) -> Iterable[bytes]:
        """Answer an error in the place of the app."""
        self.ours = True
        response: Iterable[bytes] = error.get_response(environ)(environ, self.start)
        return response

    def _changed(self, headers: HeaderList) -> HeaderList:
        headers = self.begin_response(headers)
        if self._cors is not None and (self._cors.whole_app or self.ours or self.refused):
            headers = cors.add_headers(self._cors, self._origin, headers)
        return headers


class _Resumed:
    """A body whose first chunk was read already."""

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
    """Discard the body of an error page that we replace."""
