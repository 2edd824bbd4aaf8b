"""Flask: what its error handling, debug modes and streaming do to our errors, with one call of ``init_app``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
import pytest
from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.test import Client
from werkzeug.wrappers import Response

from frameworks.conftest import SharedCore
from st_wsgi import AppInfo, RecipeUserId, SuperTokens
from st_wsgi.errors import InvalidClaims, SessionError
from st_wsgi.frameworks.flask import init_app
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session

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


class Api:
    """
    What Flask-RESTful and Flask-RESTX do with an error: send Flask's signal, then answer it themselves.

    What is raised meanwhile goes to the app's own handlers.
    """

    def __init__(self, app: flask.Flask) -> None:
        self.app = app
        self.without = app.handle_user_exception
        app.handle_user_exception = self.answer  # type: ignore[method-assign, assignment]  # what they do

    def answer(self, error: Exception) -> Any:
        try:
            flask.got_request_exception.send(self.app, exception=error)
        except Exception as raised:
            return self.without(raised)
        assert isinstance(error, HTTPException)
        return self.app.make_response(({"message": error.description}, error.code or 500))


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


@pytest.mark.parametrize("testing", [True, False])
def test_an_error_after_the_view_is_answered_too(
    app: flask.Flask, st: SuperTokens, testing: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Flask alone answers 500 before we could see it, unless the app is being tested."""

    @app.after_request
    def only_for_users(response: flask.Response) -> flask.Response:
        if flask.request.path == "/open":
            session.get_session(flask.request)
        if flask.request.path == "/broken":
            raise RuntimeError("the app's own error")
        return response

    app.add_url_rule("/open", view_func=lambda: "open")
    app.add_url_rule("/broken", endpoint="broken", view_func=lambda: "open")
    app.testing = testing
    init_app(app, st)
    answer = app.test_client().get("/open")
    assert (answer.status_code, answer.json) == (401, UNAUTHORISED)
    assert "Set-Cookie" not in answer.headers
    assert caplog.records == []
    if not testing:
        assert app.test_client().get("/broken").status_code == 500


@pytest.mark.parametrize("api_first", [True, False])
def test_an_extension_that_answers_all_errors_itself_does_not_get_ours(core: SharedCore, api_first: bool) -> None:
    """Neither the failed claims are lost, nor the cookies to clear, nor the status that the app has chosen."""
    st = SuperTokens(
        app_info=AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost"),
        core=core,
        recipes=[Session(session_expired_status_code=440)],
    )
    app = make_app()

    @app.get("/admin")
    def admin() -> str:
        raise InvalidClaims([("admin", "is missing")])

    @app.get("/session")
    def with_session() -> str:
        return session.get_session().get_user_id()

    if api_first:
        Api(app)
    init_app(app, st)
    if not api_first:
        Api(app)
    client = app.test_client()
    gone, none, admins = client.get("/gone"), client.get("/session"), client.get("/admin")
    assert (gone.status_code, gone.json, len(gone.headers.getlist("Set-Cookie"))) == (440, UNAUTHORISED, 2)
    assert (none.status_code, none.json, len(none.headers.getlist("Set-Cookie"))) == (440, UNAUTHORISED, 0)
    assert admins.status_code == 403
    assert admins.json == InvalidClaims([("admin", "is missing")]).payload()
    assert client.get("/nothing").json is not None  # the extension's
    st.close()


def test_an_extension_that_answers_all_errors_itself_shows_no_detail(app: flask.Flask, st: SuperTokens) -> None:
    """Also when SuperTokens is only in front."""
    app.add_url_rule("/session", view_func=lambda: session.get_session().get_user_id())
    Api(app)
    app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask's own way
    assert app.test_client().get("/session").json == UNAUTHORISED


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
            session.create_new_session(request, recipe_user_id=RecipeUserId("ada"))

        return flask.Response(parts())

    init_app(app, st)
    with pytest.raises(RuntimeError, match="before the first byte"):
        app.test_client().get("/late", buffered=True)
