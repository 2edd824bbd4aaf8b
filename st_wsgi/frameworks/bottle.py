"""
Bottle: errors of ours become Bottle's own responses where they are raised, inside the view.

Without this, Bottle takes them for crashes: :meth:`~st_wsgi.SuperTokens.wrap` still answers them correctly, but each
one prints a traceback, hooks such as ``after_request`` do not see the answer, and those of generator views are lost.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from bottle import Bottle, HTTPResponse, request  # type: ignore[import-untyped]  # Bottle has no types

from st_wsgi.app import SuperTokens
from st_wsgi.errors import Answerable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def init_app(app: Bottle, st: SuperTokens) -> WSGIApplication:
    """Return *app* with SuperTokens in front, its errors answered by a plugin."""
    app.install(answer_errors)
    return st.wrap(app)


def answer_errors(view: Callable[..., Any]) -> Callable[..., Any]:
    """Answer the errors of a view: a Bottle plugin."""

    @functools.wraps(view)
    def answering(*args: Any, **kwargs: Any) -> Any:
        try:
            body = view(*args, **kwargs)
            return _begun(body) if inspect.isgenerator(body) else body
        except Answerable as error:
            answer = error.get_response(request.environ)
            raise HTTPResponse(answer.get_data(), answer.status, list(answer.headers)) from error

    return answering


def _begun(body: Generator[Any, Any, Any]) -> Any:
    """Run a generator view to its first output, while its errors can still be answered."""
    first = next((part for part in body if part), None)
    return b"" if first is None else _resumed(first, body)


def _resumed(first: Any, body: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    with contextlib.closing(body):
        yield first
        yield from body
