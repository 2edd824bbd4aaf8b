"""Flask: what its error handling, debug modes and streaming do to our errors, with one call of ``init_app``."""

from __future__ import annotations

from collections.abc import Iterator

import flask
import pytest
from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.test import Client
from werkzeug.wrappers import Response

from st_wsgi import RecipeUserId, SuperTokens
from st_wsgi.errors import SessionError
from st_wsgi.frameworks.flask import init_app
from st_wsgi.recipes import session

UNAUTHORISED = {"message": "unauthorised"}


def gone() -> str:
    """What a view does whose session has ended: the answer must clear the cookies."""
    raise session.Unauthorised


def make_app() -> flask.Flask:
    app = flask.Flask(__name__)
    app.add_url_rule("/gone", view_func=gone)
    return app


@pytest.fixture
def app() -> flask.Flask:
    return make_app()


def cleared(client: Client, path: str = "/gone") -> bool:
    """Whether the answer is the protocol's, with the cookies cleared."""
    answer = client.get(path)
    cookies = answer.headers.getlist("Set-Cookie")
    return (answer.status_code, answer.json) == (401, UNAUTHORISED) and len(cookies) == 2


def test_the_handler_of_the_flask_manual_for_every_http_error_loses_nothing(st: SuperTokens) -> None:
    """It changes the response of ``get_response()``, called without the request: ``wrap`` alone is not enough."""

    def as_json(error: HTTPException) -> Response:
        response = Response.force_type(error.get_response(), {})
        response.set_data(b'{"changed": true}')
        return response

    app, wrapped_only = make_app(), make_app()
    app.register_error_handler(HTTPException, as_json)
    wrapped_only.register_error_handler(HTTPException, as_json)
    init_app(app, st)
    wrapped_only.wsgi_app = st.wrap(wrapped_only.wsgi_app)  # type: ignore[assignment]  # Flask's own way
    assert cleared(app.test_client())
    assert not cleared(wrapped_only.test_client())
    assert app.test_client().get("/nothing").get_json(force=True) == {"changed": True}


def test_a_handler_of_a_blueprint_or_of_a_status_loses_nothing(app: flask.Flask, st: SuperTokens) -> None:
    part = flask.Blueprint("part", __name__)
    part.add_url_rule("/part", endpoint="gone", view_func=gone)
    for owner in (app, part):
        for kind in (401, Unauthorized, HTTPException, Exception):
            owner.register_error_handler(kind, lambda error: ("caught", 500))
    app.register_blueprint(part)
    init_app(app, st)
    assert cleared(app.test_client())
    assert cleared(app.test_client(), "/part")


def test_an_error_of_the_apps_own_making_is_answered_too(app: flask.Flask, st: SuperTokens) -> None:
    class Banned(SessionError):
        code = 403
        message = "banned"

    @app.get("/banned")
    def banned() -> str:
        raise Banned

    app.register_error_handler(Exception, lambda error: ("caught", 500))
    init_app(app, st)
    assert app.test_client().get("/banned").json == {"message": "banned"}


@pytest.mark.parametrize("setting", ["TRAP_HTTP_EXCEPTIONS", "TESTING", "PROPAGATE_EXCEPTIONS", "DEBUG"])
def test_a_debug_mode_changes_nothing(app: flask.Flask, st: SuperTokens, setting: str) -> None:
    app.config[setting] = True
    init_app(app, st)
    assert cleared(app.test_client())


def test_a_handler_of_the_app_for_our_errors_is_the_apps_choice(app: flask.Flask, st: SuperTokens) -> None:
    init_app(app, st)
    app.register_error_handler(session.Unauthorised, lambda error: ("please sign in", 401))
    assert app.test_client().get("/gone").text == "please sign in"


def test_a_generator_that_looks_at_the_session_too_late_fails_loudly(app: flask.Flask, st: SuperTokens) -> None:
    """The headers are out, so a changed token could only be lost."""

    @app.get("/late")
    def late() -> flask.Response:
        request = flask.request.environ

        def parts() -> Iterator[str]:
            yield "first"
            session.create_new_session(request, "public", RecipeUserId("ada"))

        return flask.Response(parts())

    init_app(app, st)
    with pytest.raises(RuntimeError, match="before the first byte"):
        app.test_client().get("/late", buffered=True)
