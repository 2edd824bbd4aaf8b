"""
Flask: one call puts SuperTokens in front and keeps our errors away from the app's handlers for every exception.

Without this module, Flask answers our errors too, since they are werkzeug's HTTP exceptions. But if an app has a
handler for every ``HTTPException``, the response lacks the protocol's body and the cookies to clear. And Flask treats
an error that is raised after the view as a crash.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, got_request_exception, request
from werkzeug.wrappers import Response

from st_wsgi.app import SuperTokens
from st_wsgi.errors import Answerable


def init_app(app: Flask, st: SuperTokens) -> None:
    """
    Put SuperTokens in front of *app* and answer our errors, whatever other error handlers *app* has.

    If the app has its own subclasses of :class:`~st_wsgi.errors.Answerable`, define them before this call.
    """
    app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask's own way to put something in front
    # Flask looks for a handler by the status code first, so each class is registered with its own code.
    for kind in _kinds(Answerable):
        app.register_error_handler(kind, _answer)
    got_request_exception.connect(_let_out, app)


def _answer(error: Answerable) -> Response:
    return error.get_response(request.environ)


def _let_out(_app: Flask, *, exception: BaseException, **_more: object) -> None:
    """
    Raise an error of ours again, so that it leaves Flask and ``st.wrap`` answers it.

    Flask sends this signal for errors in ``after_request`` functions, which it treats as crashes. Flask-RESTful and
    Flask-RESTX send it for errors in their views, which they answer themselves.
    """
    if isinstance(exception, Answerable):
        raise exception


def _kinds(kind: type[Answerable]) -> Iterator[type[Answerable]]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from _kinds(subclass)
