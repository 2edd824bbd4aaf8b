"""
The state that belongs to no object: the default instance, and the request in flight of each thread or greenlet.

Neither is ever required: everything can be reached from an environ or an instance too. Other modules keep state of the
process only where the process itself is their subject: registers of what to renew after a fork (``forks``), the mark
of writes that all cores of the process share (``core_client.querier``), and pure caches that only save work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, TypeAlias

from werkzeug.wrappers import Request

from ..config import AppInfo
from ..errors import CONTEXT_KEY, Answerable, ConfigError
from ..services import Services
from .context import RequestContext

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    RequestLike: TypeAlias = "WSGIEnvironment | Request | RequestContext | Any"

_default: Services | None = None
_in_flight: ContextVar[RequestContext | None] = ContextVar("st_wsgi.in_flight", default=None)


def set_default(services: Services | None) -> None:
    """Set the default instance of this process; None removes it."""
    global _default
    _default = services


def forget_default(services: Services) -> None:
    """Remove the default instance if it is this one, which was closed."""
    if _default is services:
        set_default(None)


def has_default() -> bool:
    """Return whether this process has a default instance."""
    return _default is not None


def services() -> Services:
    """
    Return the services of the instance that serves the request in flight, else of the default instance.

    :raises ConfigError: there is neither.
    """
    context = _in_flight.get()
    if context is not None:
        return context.services
    if _default is None:
        raise ConfigError("SuperTokens is not initialised; call st_wsgi.init(...) first")
    return _default


def context() -> RequestContext | None:
    """Return the context in flight, or None."""
    return _in_flight.get()


def context_for(services: Services) -> RequestContext:
    """Return the context in flight if it belongs to this instance, else one of no request, for what happens there."""
    context = _in_flight.get()
    return context if context is not None and context.services is services else RequestContext(services)


enter: Callable[[RequestContext], Token[RequestContext | None]] = _in_flight.set
"""Put a context in flight until :func:`leave` is called with the token that this returns."""

leave: Callable[[Token[RequestContext | None]], None] = _in_flight.reset
"""Put the context in flight that was there before :func:`enter`."""


@contextmanager
def entered(context: RequestContext) -> Iterator[None]:
    """Make a context the current one inside a block."""
    token = enter(context)
    try:
        yield
    finally:
        leave(token)


def context_of(request: RequestLike | None = None) -> RequestContext:
    """
    Return the context of a request: of a WSGI environ, of any framework's request object, or of the one in flight.

    :param request: an environ, an object with an attribute ``environ`` (Flask, Werkzeug, Bottle, Pyramid), ``META``
        (Django) or ``env`` (Falcon), or None for the request in flight.
    :raises ConfigError: the request did not come through the middleware, or there is none in flight.
    """
    if request is None:
        context = _in_flight.get()
    elif issubclass(type(request), RequestContext):  # not isinstance: Flask's proxy would look up its request for it
        context = request  # type: ignore[assignment]  # mypy does not follow issubclass of a type
    else:
        environ = environ_of(request)
        context = environ.get(CONTEXT_KEY)
        if context is not None and context.environ is None:
            context.environ = environ  # the app has returned, and a stream or a middleware above goes on
    if context is None and request is not None:
        raise ConfigError(
            "this request did not come through st_wsgi: wrap the app, such as app.wsgi_app = st.wrap(app.wsgi_app), or "
            "name SuperTokensMiddleware in Django's MIDDLEWARE"
        )
    if context is None or context.environ is None:
        raise ConfigError(
            "no request is in flight here, or it has ended: pass the request, or use a function whose name ends in "
            "_without_request_response; an app that is served has to be wrapped: st.wrap(app)"
        )
    return context


def environ_of(request: RequestLike) -> WSGIEnvironment:
    """
    Return the WSGI environ of any framework's request object.

    :raises TypeError: *request* has none.
    """
    if type(request) is dict:
        return request
    for name in ("environ", "META", "env"):
        environ = getattr(request, name, None)
        if isinstance(environ, dict):
            return environ
    if isinstance(request, dict):
        return request
    raise TypeError(f"a WSGI environ or a request is needed, not {type(request).__name__}")


def answer_error(error: BaseException | None = None) -> None:
    """
    Answer an error of this package in the place of the page that a framework makes of it.

    For frameworks that catch every exception and send a page of their own. Call it where the framework lets an app
    handle errors; it does nothing for errors of the app's own, and nothing when no wrapped app is being called::

        config = {"/": {"hooks.before_error_response": st_wsgi.answer_error}}  # CherryPy

    :param error: by default the exception that is being handled.
    """
    context = _in_flight.get()
    error = sys.exc_info()[1] if error is None else error
    if context is not None and isinstance(error, Answerable):
        context.instead = error


def user_context() -> dict[str, Any]:
    """
    Return the user context of the request in flight: a dictionary for the app's own notes, from its views to its
    overrides. Outside a request it is a new, empty one, unless :func:`open_user_context` opened one.
    """
    context = _in_flight.get()
    return {} if context is None else context.user_context


def get_request_from_user_context(user_context: Mapping[str, Any]) -> Request | None:
    """
    Return the request in flight, for overrides that depend on it. It is None outside a request, and for the user
    context of another request.
    """
    context = _in_flight.get()
    return context.request if context is not None and context.user_context is user_context else None


def is_recipe_initialized(recipe_id: str) -> bool:
    """
    Return whether the app has this recipe.

    :param recipe_id: SuperTokens' name of the recipe, such as ``emailpassword``.
    :raises ConfigError: there is no instance.
    """
    return services().has(recipe_id)


@contextmanager
def open_user_context(values: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """
    Open a user context for work outside a request, such as a script or a background job.

    Reads of the core are cached inside the block, as they are inside a request.
    """
    context = RequestContext(services())
    context.user_context.update(values or {})
    with entered(context):
        yield context.user_context


def website_origin(app_info: AppInfo) -> str:
    """
    Return the website's origin, for the request in flight if it depends on that.

    :raises BadInput: the ``origin`` function returned an origin that is not allowed.
    """
    context = _in_flight.get()
    return app_info.origin_for(*((None, {}) if context is None else (context.request, context.user_context)))
