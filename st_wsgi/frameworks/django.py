"""
Django under WSGI: an entry of ``MIDDLEWARE``.

``settings.SUPERTOKENS`` names the instance, as an object or as the dotted path of one. The entry does inside Django
what ``st.wrap`` does in front of it, so that everything works in Django's test client too, and other middleware (CORS,
for instance) sees our answers. With ``st.wrap`` around ``wsgi.py`` as well, it only answers the errors that views
raise, which Django would not let out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

from django.conf import settings  # type: ignore[import-untyped]  # Django has no types of its own
from django.core.signals import got_request_exception  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.utils.module_loading import import_string  # type: ignore[import-untyped]

from st_wsgi.app import SuperTokens
from st_wsgi.errors import CONTEXT_KEY, Answerable, ConfigError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_TURN = "st_wsgi.django"


class SuperTokensMiddleware:
    """
    SuperTokens in Django. It goes above whatever uses the session, and below a CORS layer.

    A middleware whose ``process_exception`` answers every exception would take ours too: then name this one a second
    time, below it.

    :raises ConfigError: ``settings.SUPERTOKENS`` is missing or something else.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        st = _instance()
        self._get_response = get_response
        self._services = st.services
        self._prefix = st.router.prefix
        self._seam = st.wrap(self._django)
        got_request_exception.connect(_let_out, dispatch_uid="st_wsgi")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        environ = request.META
        context = environ.get(CONTEXT_KEY)
        if context is not None and context.services is self._services:
            return self._get_response(request)
        turn = environ[_TURN] = _Turn(request)
        stream = environ.get("wsgi.input")
        if request.path_info.startswith(self._prefix):
            environ["wsgi.input"] = request  # a middleware that has read the body before us has left it there
        try:
            body = self._seam(environ, turn.start)
        finally:
            del environ[_TURN]
            environ["wsgi.input"] = stream
        if turn.response is None:
            return _response(b"".join(body), turn.status, turn.headers)
        if turn.headers is not turn.before:
            _set_headers(turn.response, turn.headers)
        return turn.response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer an error of ours that a view raised."""
        if not isinstance(error, Answerable):
            return None
        answer = error.get_response(request.META)
        return _response(answer.get_data(), answer.status, list(answer.headers))

    def _django(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The rest of Django as a WSGI app, apart from its body, which needs no help."""
        turn: _Turn = environ[_TURN]
        response = turn.response = self._get_response(turn.request)
        turn.before = list(response.items())
        start_response(f"{response.status_code} {response.reason_phrase}", turn.before)
        return ()


class _Turn:
    """One request on its way through a WSGI middleware and back."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.response: HttpResponse | None = None
        self.before: list[tuple[str, str]] = []
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        self.status = status
        self.headers = headers
        return _no_write


def _no_write(data: bytes, /) -> None:
    raise TypeError("neither Django nor SuperTokens writes a body this way")


def _response(body: bytes, status: str, headers: list[tuple[str, str]]) -> HttpResponse:
    response = HttpResponse(body, status=int(status[:3]))
    del response["Content-Type"]
    _set_headers(response, headers)
    return response


def _set_headers(response: HttpResponse, headers: list[tuple[str, str]]) -> None:
    for name, value in headers:
        if name.lower() == "set-cookie":
            _set_cookie(response, value)
        else:
            response[name] = value


def _set_cookie(response: HttpResponse, header: str) -> None:
    """Django keeps one cookie a name, where a name may be there once for each domain and path: any key will do."""
    for name, morsel in SimpleCookie(header).items():
        response.cookies[header if name in response.cookies else name] = morsel


def _instance() -> SuperTokens:
    named = getattr(settings, "SUPERTOKENS", None)
    st = import_string(named) if isinstance(named, str) else named
    if not isinstance(st, SuperTokens):
        raise ConfigError(
            "settings.SUPERTOKENS must be what st_wsgi.init(...) returned, or the dotted path of it, such as "
            f"'mysite.auth.st', not {st!r}"
        )
    return st


def _let_out(sender: object, request: HttpRequest | None = None, **_more: object) -> None:
    """Raise an error of ours again that a middleware of the app raised, so that it reaches the one above."""
    error = sys.exc_info()[1]
    if isinstance(error, Answerable) and request is not None and CONTEXT_KEY in request.META:
        raise error
