"""Falcon: what the error handler is for."""

from __future__ import annotations

from typing import Any

import falcon
import pytest
from falcon.testing import TestClient
from werkzeug.test import Client
from werkzeug.wrappers import Response as Answer

from st_wsgi import AppInfo, SuperTokens
from st_wsgi.frameworks.falcon import init_app
from st_wsgi.recipes import session
from st_wsgi.recipes.session import ErrorHandlers, Session


class Gone:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """What a view does whose session has ended: the answer must clear the cookies."""
        response.media = {"half": "an answer"}
        response.stream = [b"another"]
        raise session.Unauthorised


def answer_everything(
    request: falcon.Request, response: falcon.Response, error: Exception, params: dict[str, Any]
) -> None:
    response.status = 500


@pytest.fixture
def app() -> falcon.App[Any, Any]:
    app = falcon.App(cors_enable=True)
    app.add_route("/gone", Gone())
    return app


def test_falcon_alone_hides_our_errors_behind_500(app: falcon.App[Any, Any], st: SuperTokens) -> None:
    assert Client(st.wrap(app)).get("/gone").status_code == 500  # type: ignore[arg-type]  # Falcon's own start_response


@pytest.mark.parametrize("first", [True, False])
def test_a_handler_of_every_exception_does_not_get_ours(
    app: falcon.App[Any, Any], st: SuperTokens, first: bool
) -> None:
    if first:
        app.add_error_handler(Exception, answer_everything)
    wrapped = init_app(app, st)
    if not first:
        app.add_error_handler(Exception, answer_everything)
    answer = Client(wrapped).get("/gone")
    assert (answer.status_code, answer.json) == (401, {"message": "unauthorised"})
    assert len(answer.headers.getlist("Set-Cookie")) == 2


def test_falcons_own_cors_layer_sees_the_answer(app: falcon.App[Any, Any], st: SuperTokens) -> None:
    answer = Client(init_app(app, st)).get("/gone", headers={"Origin": "http://shop.example"})
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_an_answer_of_the_apps_own_making_keeps_its_cookies() -> None:
    def please_sign_in(error: object, context: object) -> Answer:
        answer = Answer("please sign in", 302, {"Location": "/sign-in"})
        answer.set_cookie("from", "gone")
        answer.set_cookie("to", "sign-in")
        return answer

    info = AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost")
    recipe = Session(error_handlers=ErrorHandlers(on_unauthorised=please_sign_in))
    st = SuperTokens(app_info=info, core="sqlite://", recipes=[recipe])
    app = falcon.App()
    app.add_route("/gone", Gone())
    answer = Client(init_app(app, st)).get("/gone")
    st.close()
    assert (answer.status_code, answer.text, answer.headers["Location"]) == (302, "please sign in", "/sign-in")
    names = [line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")]
    assert sorted(names) == ["from", "sAccessToken", "sRefreshToken", "to"]


def test_falcons_own_test_client_takes_the_app(app: falcon.App[Any, Any], st: SuperTokens) -> None:
    assert TestClient(init_app(app, st)).simulate_get("/gone").status_code == 401
