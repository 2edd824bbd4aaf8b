"""One layer of SuperTokens inside another: of the same instance, which shares one request, and of another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.test import Client, TestResponse

from frameworks.conftest import SharedCore
from frameworks.django_site import ENTRY, handler
from st_wsgi import AppInfo, ErrorHandler, Middleware, RecipeUserId, SuperTokens
from st_wsgi.errors import Unauthorised
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session, current_session_or_none, get_session
from st_wsgi.request import current

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN = [("Content-Type", "text/plain")]
HEADER = {"st-auth-mode": "header"}
COOKIE = {"st-auth-mode": "cookie"}


@pytest.fixture
def staff(core: SharedCore) -> Iterator[SuperTokens]:
    """Another instance, whose routes are below ``/staff``."""
    st = SuperTokens(
        app_info=AppInfo(
            app_name="Staff",
            api_domain="http://localhost",
            website_domain="http://localhost",
            api_base_path="/staff",
        ),
        core=core,
        recipes=[EmailPassword(), Session(session_expired_status_code=440)],
    )
    with closing(st):
        yield st


class SigningIn:
    """A layer between two of ours that makes a session before the app is called."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session.create_new_session(environ, recipe_user_id=RecipeUserId("ada"), access_token_payload={"step": 1})
        return self.app(environ, start_response)


def changing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A view that changes the session which the layer has made."""
    known = session.current_session(environ)
    known.merge_into_access_token_payload({"step": 2})
    start_response("200 OK", list(PLAIN))
    return [known.get_user_id().encode()]


def raising(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise Unauthorised


def step_of(st: SuperTokens, token: str) -> Any:
    def view(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        return [str(get_session(environ).get_access_token_payload()["step"]).encode()]

    return Client(st.wrap(view)).get("/", headers={"Authorization": f"Bearer {token}"}).text


@pytest.mark.parametrize("mode", [HEADER, COOKIE], ids=["header", "cookie"])
def test_wrapped_twice_the_newest_change_reaches_the_client(st: SuperTokens, mode: dict[str, str]) -> None:
    """The layer's change is older than the view's, although the outer wrapper has recorded it."""
    client = Client(st.wrap(SigningIn(st.wrap(changing))), use_cookies=False)
    response = client.get("/", headers=mode)
    assert response.text == "ada"
    token: str
    if mode is HEADER:
        (token,) = response.headers.getlist("st-access-token")
    else:
        lines = response.headers.getlist("Set-Cookie")
        assert sorted(line.partition("=")[0] for line in lines) == ["sAccessToken", "sRefreshToken"]
        (token,) = [line.partition("=")[2].partition(";")[0] for line in lines if line.startswith("sAccessToken=")]
    assert len(response.headers.getlist("front-token")) == 1
    assert step_of(st, token) == "2"


def test_wrapped_twice_an_error_is_answered_by_the_inner_wrapper(st: SuperTokens) -> None:
    """A layer between the two sees a response and no exception."""
    statuses: list[str] = []

    def between(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            statuses.append(status)
            return start_response(status, headers, exc_info)

        return inner(environ, start)

    inner = st.wrap(raising)
    response = Client(st.wrap(between)).get("/")
    assert (response.status_code, response.json) == (401, {"message": "unauthorised"})
    assert statuses == ["401 UNAUTHORIZED"]
    assert len(response.headers.getlist("Set-Cookie")) == 2
    assert current.context() is None


def test_a_request_that_an_app_makes_from_its_own_is_another_one(st: SuperTokens) -> None:
    """It starts from a copy of the environ, and what it changes is not in the first one's response."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/inner":
            return SigningIn(changing)(environ, start_response)
        started: list[Any] = []
        body = b"".join(wrapped({**environ, "PATH_INFO": "/inner"}, lambda *made: started.append(made)))  # type: ignore[arg-type]
        assert current.context_of(environ).environ is environ
        start_response("200 OK", list(PLAIN))
        return [body, b" ", str("st-access-token" in dict(started[0][1])).encode()]

    wrapped = st.wrap(app)
    response = Client(wrapped).get("/", headers=HEADER)
    assert response.text == "ada True"
    assert "st-access-token" not in response.headers


@pytest.mark.parametrize("path", ["/page", "/staff/not-ours", "/staff/signup/more"])
def test_routes_of_another_instance_leave_the_apps_requests_alone(
    st: SuperTokens, staff: SuperTokens, path: str
) -> None:
    """``Middleware`` is routing only: the app's sessions and errors belong to the ``ErrorHandler`` around it."""
    app = ErrorHandler(Middleware(raising, staff), st)
    response = Client(app).get(path)
    assert (response.status_code, response.json) == (401, {"message": "unauthorised"})  # 440 would be the other one's
    with pytest.raises(Unauthorised):
        Client(Middleware(raising, staff)).get(path)


def test_routes_of_another_instance_work_inside_an_error_handler(st: SuperTokens, staff: SuperTokens) -> None:
    app = ErrorHandler(Middleware(raising, staff), st)
    refused = Client(app).post("/staff/session/refresh")
    assert refused.status_code == 440
    assert {line.split("Path=")[1].split(";")[0] for line in refused.headers.getlist("Set-Cookie")} == {
        "/",
        "/staff/session/refresh",
    }
    assert Client(app).get("/staff/jwt/jwks.json").status_code == 200
    assert Client(app).get("/auth/jwt/jwks.json").status_code == 401  # the routing of st is not there


def seen_around(outer: SuperTokens, inner: WSGIApplication) -> tuple[TestResponse, list[Any]]:
    """Return the response, and whose context a layer between the two finds before and after the inner app."""
    seen: list[Any] = []

    def between(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(current.context_of(environ).services)
        body = inner(environ, start_response)
        seen.append(current.context_of(environ).services)
        assert current_session_or_none(environ) is None
        return body

    return Client(outer.wrap(between)).get("/session"), seen


def test_djangos_entry_inside_the_wrapper_of_another_instance_gives_the_request_back(
    st: SuperTokens, staff: SuperTokens
) -> None:
    """The layers around Django belong to the outer instance, before and after Django."""
    response, seen = seen_around(st, handler(staff, MIDDLEWARE=[ENTRY]))
    assert response.status_code == 440
    assert seen == [st.services, st.services]


def test_the_wrapper_of_one_instance_inside_another_gives_the_request_back(st: SuperTokens, staff: SuperTokens) -> None:
    response, seen = seen_around(st, staff.wrap(raising))
    assert response.status_code == 440
    assert seen == [st.services, st.services]
