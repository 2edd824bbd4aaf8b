"""
Flask: one call puts SuperTokens in front and keeps the app's catch-all error handlers away from our errors.

Flask answers our errors without this module too, since they are werkzeug's HTTP exceptions. But an app's handler for
every ``HTTPException`` takes ours too, and what it makes of them lacks the protocol's body and the cookies to clear.
And what is raised after the view is a crash to Flask.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, got_request_exception, request
from werkzeug.wrappers import Response

from st_wsgi.app import SuperTokens
from st_wsgi.errors import Answerable


def init_app(app: Flask, st: SuperTokens) -> None:
    """
    Put SuperTokens in front of *app* and answer its errors, whatever other error handlers *app* has.

    Errors of the app's own making, with :class:`~st_wsgi.errors.Answerable` for a base, are to be defined before.
    """
    app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask's own way to put something in front
    # Flask looks for a handler by the status code first, so each class is registered under the code that it has.
    for kind in _kinds(Answerable):
        app.register_error_handler(kind, _answer)
    got_request_exception.connect(_let_out, app)


def _answer(error: Answerable) -> Response:
    return error.get_response(request.environ)


def _let_out(_app: Flask, *, exception: BaseException, **_more: object) -> None:
    """
    Raise an error of ours again that would be answered without us, so that it reaches who is in front.

    Flask sends the signal for errors of its ``after_request`` functions, which it takes for crashes; Flask-RESTful and
    Flask-RESTX for those of their views, which they answer themselves.
    """
    if isinstance(exception, Answerable):
        raise exception


def _kinds(kind: type[Answerable]) -> Iterator[type[Answerable]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
