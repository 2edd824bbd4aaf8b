"""
Bottle: a plugin turns our errors into Bottle's own responses, inside the view.

Without it, Bottle treats our errors as crashes. :meth:`~st_wsgi.SuperTokens.wrap` still answers them, but Bottle prints
a traceback for each, hooks such as ``after_request`` do not see the response, and an error in a lazy body (such as a
generator) becomes a 500.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from bottle import Bottle, HTTPResponse, request  # type: ignore[import-untyped]  # Bottle has no types

from st_wsgi.app import SuperTokens
from st_wsgi.errors import Answerable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def init_app(app: Bottle, st: SuperTokens) -> WSGIApplication:
    """
    Return *app* with SuperTokens in front, and install the plugin in it and in all apps that are mounted in it.

    ::

        from bottle import Bottle
        from st_wsgi.frameworks.bottle import init_app

        site = Bottle()
        served = init_app(site, st)
    """
    for each in _apps(app):
        each.install(answer_errors)
    return st.wrap(app)


def _apps(app: Bottle) -> list[Bottle]:
    """Return *app* and all Bottle apps mounted in it. A plugin works only in the app that it is installed in."""
    apps = [app]
    for owner in apps:
        for route in owner.routes:
            # Bottle keeps the mounted app in one of two places; which one depends on a slash at the end of the prefix.
            for mounted in (route.app, route.config.get("mountpoint.target")):
                if isinstance(mounted, Bottle) and mounted not in apps:
                    apps.append(mounted)
    return apps


def answer_errors(view: Callable[..., Any]) -> Callable[..., Any]:
    """Answer the errors of a view: a Bottle plugin."""

    @functools.wraps(view)
    def answering(*args: Any, **kwargs: Any) -> Any:
        try:
            body = view(*args, **kwargs)
            # Files are iterators too, but no view runs in them, and Bottle streams them itself.
            return _started(body) if hasattr(body, "__next__") and not hasattr(body, "read") else body
        except Answerable as error:
            response = error.get_response(request.environ)
            raise HTTPResponse(response.get_data(), response.status, list(response.headers)) from error

    return answering


def _started(body: Iterator[Any]) -> Any:
    """Run a lazy body to its first output, so that an error before it can still be answered."""
    parts = _parts(body)
    first = next(parts, None)
    return b"" if first is None else _resumed(first, parts)


def _parts(body: Iterator[Any]) -> Generator[Any, None, None]:
    try:
        yield from filter(None, body)
    finally:
        if hasattr(body, "close"):
            body.close()


def _resumed(first: Any, parts: Generator[Any, None, None]) -> Generator[Any, None, None]:
    with closing(parts):
        yield first
        yield from parts
