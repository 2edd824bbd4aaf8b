"""
Django under WSGI: an entry of ``MIDDLEWARE``.

``settings.SUPERTOKENS`` is the instance, or its dotted path. The entry does inside Django what ``st.wrap`` does in
front of an app. So it works in Django's test client, and other middleware (such as CORS) sees our responses. If
``st.wrap`` is around ``wsgi.py`` too, the entry only answers the errors of views, because Django would answer them
itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

from django.conf import settings  # type: ignore[import-untyped]  # Django has no types of its own
from django.core.signals import got_request_exception  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.utils.module_loading import import_string  # type: ignore[import-untyped]
from werkzeug.wrappers import Response

from st_wsgi.app import SuperTokens
from st_wsgi.errors import CONTEXT_KEY, Answerable, ConfigError
from st_wsgi.request import cors, current
from st_wsgi.request.context import RequestContext

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class SuperTokensMiddleware:
    """
    SuperTokens in Django. Name it above every middleware that uses the session, and below a CORS middleware.

    If the ``process_exception`` of a middleware answers every exception, name this one a second time below it.

    :raises ConfigError: ``settings.SUPERTOKENS`` is missing, or is no instance.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._st = _instance()
        self._services = self._st.services
        self._prefix = self._st.router.prefix
        self._cors = self._st.cors

    def __call__(self, request: HttpRequest) -> HttpResponse:
        environ = request.META
        outer = environ.get(CONTEXT_KEY)
        is_inside = outer is not None and outer.environ is not None
        if is_inside and outer.services is self._services:
            return self._get_response(request)
        context = environ[CONTEXT_KEY] = RequestContext(self._services, environ)
        token = current.enter(context)
        try:
            response = self._ours(request, context) or self._get_response(request)
        except Answerable as error:
            context.ours = True
            response = _translated(error.get_response(environ), environ)
        finally:
            current.leave(token)
            context.let_go()
            if is_inside:
                environ[CONTEXT_KEY] = outer  # of another instance, whose layer is around Django
        headers = list(response.items())
        changed = context.begin_response(headers)
        if changed is not headers:
            _set_headers(response, changed)
        if self._cors is not None and (self._cors.whole_app or context.ours or context.refused):
            _set_headers(response, cors.add_headers(self._cors, environ.get("HTTP_ORIGIN"), list(response.items())))
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer an error of ours that a view raised."""
        if not isinstance(error, Answerable):
            return None
        return _translated(error.get_response(request.META), request.META)

    def _ours(self, request: HttpRequest, context: RequestContext) -> HttpResponse | None:
        environ = request.META
        if self._cors is None and not request.path_info.startswith(self._prefix):
            return None
        stream = environ.get("wsgi.input")
        if environ.get("CONTENT_LENGTH"):  # Django never reads chunked bodies, so the server's stream is untouched
            environ["wsgi.input"] = request  # it has the body, also if a middleware has read it before
        try:
            response = self._st.handle(context)
        finally:
            environ["wsgi.input"] = stream
        return None if response is None else _translated(response, environ)


def _translated(response: Response, environ: WSGIEnvironment) -> HttpResponse:
    body, _status, headers = response.get_wsgi_response(environ)
    translated = HttpResponse(b"".join(body), status=response.status_code)
    del translated["Content-Type"]
    _set_headers(translated, headers)
    if response.location is not None:
        translated.url = response.location  # where Django's test client follows redirects to
    return translated


def _set_headers(response: HttpResponse, headers: Iterable[tuple[str, str]]) -> None:
    for name, value in headers:
        if name.lower() == "set-cookie":
            # Django keeps cookies by name. For a second cookie of the same name, any other key will do.
            for cookie, morsel in SimpleCookie(value).items():
                response.cookies[value if cookie in response.cookies else cookie] = morsel
        else:
            response[name] = value


def _instance() -> SuperTokens:
    setting = getattr(settings, "SUPERTOKENS", None)
    try:
        st = import_string(setting) if isinstance(setting, str) else setting
    except ImportError as error:
        raise ConfigError(f"settings.SUPERTOKENS names {setting!r}, which cannot be imported: {error}") from error
    if not isinstance(st, SuperTokens):
        raise ConfigError(
            "settings.SUPERTOKENS must be what st_wsgi.init(...) returned, or the dotted path of it, such as "
            f"'mysite.auth.st', not {st!r}"
        )
    return st


def _let_out(sender: object, request: HttpRequest | None = None, **_more: object) -> None:
    """
    Raise an error of ours again that a middleware of the app has raised, so that it reaches our middleware above.

    If our middleware has returned already, Django answers the error like any other.
    """
    error = sys.exc_info()[1]
    if isinstance(error, Answerable) and request is not None:
        context = current.context()
        if context is not None and context is request.META.get(CONTEXT_KEY):
            raise error


got_request_exception.connect(_let_out, dispatch_uid="st_wsgi")
# Our receiver runs first. Django's test client is a receiver too, and treats every exception that it gets as a crash.
got_request_exception.receivers.sort(key=lambda receiver: receiver[0][0] != "st_wsgi")
