"""Plain WSGI: middleware of the app's own, on both sides of ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client

from frameworks.conftest import FRAMEWORKS
from st_wsgi import RecipeUserId, SuperTokens
from st_wsgi.recipes import session
from st_wsgi.recipes.session import current_session, get_session, verify_session

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def log_in(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session.create_new_session(environ, recipe_user_id=RecipeUserId("ada"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"welcome"]


@verify_session()
def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [current_session(environ).get_user_id().encode()]


class Noting:
    """A middleware that notes who a request was from, once it was served: an access log, for instance."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app
        self.users: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = self.app(environ, start_response)
        try:
            self.users.append(current_session(environ).get_user_id())
        except session.Unauthorised:
            self.users.append("nobody")
        return body


@pytest.fixture
def bearer(st: SuperTokens) -> dict[str, str]:
    answer = Client(st.wrap(log_in)).get("/", headers={"st-auth-mode": "header"})
    return {"Authorization": f"Bearer {answer.headers['st-access-token']}"}


def test_a_middleware_in_front_of_ours_and_one_behind_it_see_the_session(
    st: SuperTokens, bearer: dict[str, str]
) -> None:
    behind = Noting(app)
    in_front = Noting(st.wrap(behind))
    client = Client(in_front)
    assert client.get("/", headers=bearer).text == "ada"
    assert client.get("/").status_code == 401
    assert (in_front.users, behind.users) == (["ada", "nobody"], ["ada"])


def test_a_middleware_behind_ours_may_protect_the_app(st: SuperTokens, bearer: dict[str, str]) -> None:
    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        get_session(environ)
        return log_in(environ, start_response)

    client = Client(st.wrap(guarded))
    refused = client.get("/")
    assert (refused.status_code, refused.json) == (401, {"message": "unauthorised"})
    assert "st-access-token" not in refused.headers
    assert client.get("/", headers=bearer).text == "welcome"


@pytest.mark.parametrize("path", ["/session", "/grow", "/stream", "/data", "/admin", "/nothing", "/auth/jwt/jwks.json"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_each_framework_answers_is_valid_wsgi(
    framework: str, path: str, st: SuperTokens, bearer: dict[str, str]
) -> None:
    """wsgiref's validator watches the server's side of PEP 3333."""
    client = Client(validator(FRAMEWORKS[framework](st)))
    for method in ("GET", "HEAD"):
        for headers in ({}, bearer):
            answer = client.open(path, method=method, headers=headers, buffered=True)
            assert answer.status_code < 500
            if method == "HEAD" and (answer.status_code in (401, 403) or path.startswith("/auth/")):
                assert answer.data == b""  # what is the app's is the app's business, and Django leaves it to the server
