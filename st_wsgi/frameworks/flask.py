"""
Flask: one call puts SuperTokens in front and keeps the app's catch-all error handlers away from our errors.

Flask answers our errors without this module too, since they are werkzeug's HTTP exceptions. But an app's handler for
every ``HTTPException`` takes ours too, and what it makes of them lacks the protocol's body and the cookies to clear.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, request
from werkzeug.wrappers import Response

from st_wsgi.app import SuperTokens
from st_wsgi.errors import Answerable


def init_app(app: Flask, st: SuperTokens) -> None:
    """Put SuperTokens in front of *app* and answer its errors, whatever other error handlers *app* has."""
    app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask's own way to put something in front
    # Flask looks for a handler by the status code first, so each class is registered under the code that it has.
    for kind in _kinds(Answerable):
        app.register_error_handler(kind, _answer)


def _answer(error: Answerable) -> Response:
    return error.get_response(request.environ)


def _kinds(kind: type[Answerable]) -> Iterator[type[Answerable]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
