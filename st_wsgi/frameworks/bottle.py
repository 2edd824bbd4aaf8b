"""
Bottle: errors of ours become Bottle's own responses where they are raised, inside the view.

Without this, Bottle takes them for crashes: :meth:`~st_wsgi.SuperTokens.wrap` still answers them correctly, but each
one prints a traceback, hooks such as ``after_request`` do not see the answer, and those of lazy bodies (generators, for
instance) are lost.
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
    """Return *app* with SuperTokens in front, its errors and those of all apps mounted in it answered by a plugin."""
    for each in _apps(app):
        each.install(answer_errors)
    return st.wrap(app)


def _apps(app: Bottle) -> list[Bottle]:
    """Return *app* and the Bottle apps mounted in it, however deep: a plugin stays with the app it is installed in."""
    apps = [app]
    for owner in apps:
        for route in owner.routes:
            # A prefix with a slash at its end lends the other app's routes; without one, its app is called.
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
            # Bottle streams files by itself. They are iterators too, but nothing of ours runs in them.
            return _begun(body) if hasattr(body, "__next__") and not hasattr(body, "read") else body
        except Answerable as error:
            answer = error.get_response(request.environ)
            raise HTTPResponse(answer.get_data(), answer.status, list(answer.headers)) from error

    return answering


def _begun(body: Iterator[Any]) -> Any:
    """Run a lazy body to its first output, while its errors can still be answered."""
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
