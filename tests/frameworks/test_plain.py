"""Plain WSGI: middleware of the app's own, on both sides of ours."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast
from wsgiref.validate import validator

import gevent
import pytest
from werkzeug.test import Client, create_environ, run_wsgi_app

from frameworks.conftest import FRAMEWORKS, SharedCore
from st_wsgi import AppInfo, AttemptLimits, Cors, RecipeUserId, SuperTokens
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session, current_session, get_session, verify_session
from st_wsgi.request import current

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


def sign_up_form() -> bytes:
    fields = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse 1"}
    return json.dumps({"formFields": [{"id": name, "value": value} for name, value in fields.items()]}).encode()


@pytest.mark.parametrize("chunked", [False, True])
def test_middleware_around_ours_reads_the_body_before_and_after_us(st: SuperTokens, chunked: bool) -> None:
    """W-121: what a middleware has put back is what we read, and what we have read is there again."""
    form = sign_up_form()
    read: list[bytes] = []
    inner = st.wrap(app)

    def logging_bodies(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        read.append(environ["wsgi.input"].read())
        environ["wsgi.input"] = io.BytesIO(read[0])
        body = inner(environ, start_response)
        read.append(environ["wsgi.input"].read())
        return body

    environ = create_environ("/auth/signup", method="POST", data=form, content_type="application/json")
    if chunked:
        del environ["CONTENT_LENGTH"]
        environ["wsgi.input_terminated"] = True
    body, status, _ = run_wsgi_app(logging_bodies, environ, buffered=True)
    assert (status, json.loads(b"".join(body))["status"]) == ("200 OK", "OK")
    assert read == [form, form]


def test_middleware_behind_ours_gets_the_servers_own_stream(st: SuperTokens) -> None:
    """W-121: below our prefix too, and also when the app's view refuses the session."""
    streams: list[object] = []

    def behind(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        streams.append(environ["wsgi.input"])
        return app(environ, start_response)

    for path in ("/upload", "/auth/not-ours", "/auth/signup/more"):
        environ = create_environ(path, method="POST", data=b"for the app", content_type="text/plain")
        stream = environ["wsgi.input"]
        assert run_wsgi_app(st.wrap(behind), environ)[1] == "401 UNAUTHORIZED"
        assert streams.pop() is stream
        assert cast("io.BytesIO", stream).read() == b"for the app"


def test_greenlets_that_take_turns_have_sessions_of_their_own(st: SuperTokens) -> None:
    """W-125: each request is interrupted between its steps, and its body is sent after others have begun."""

    def turns(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        gevent.sleep(0)
        session.create_new_session(environ, recipe_user_id=RecipeUserId(environ["HTTP_X_USER"]))
        gevent.sleep(0)
        start_response("200 OK", [("Content-Type", "text/plain")])

        def parts() -> Iterable[bytes]:
            for _ in range(3):
                gevent.sleep(0)
                yield current_session(environ).get_user_id().encode()

        user_id = current_session().get_user_id()
        return [user_id.encode(), *parts()]

    wrapped = st.wrap(turns)

    def visit(user: str) -> tuple[str, str]:
        headers = {"X-User": user, "st-auth-mode": "header"}
        response = Client(wrapped).get("/", headers=headers, buffered=True)
        bearer = {"Authorization": f"Bearer {response.headers['st-access-token']}"}
        return response.text, Client(st.wrap(app)).get("/", headers=bearer).text

    users = [f"user-{number}" for number in range(20)]
    greenlets = [gevent.spawn(visit, user) for user in users]
    gevent.joinall(greenlets, timeout=60, raise_error=True)
    assert [greenlet.value for greenlet in greenlets] == [(user * 4, user) for user in users]
    assert current.context() is None


FOLDED = "one\r\n two"
"""A header that goes on in the next line, as uWSGI hands it to apps: with its line break."""


@pytest.mark.parametrize("path", ["/", "/auth/signup", "/auth/session/refresh", "/auth/signout", "/auth/jwt/jwks.json"])
@pytest.mark.parametrize(
    "name",
    ["ORIGIN", "RID", "COOKIE", "AUTHORIZATION", "FDI_VERSION", "ST_AUTH_MODE", "ANTI_CSRF", "X_FORWARDED_FOR", "HOST"],
)
def test_a_folded_header_reaches_no_response(core: SharedCore, path: str, name: str) -> None:
    """W-120: no 500, and no line break in a header of ours."""
    st = SuperTokens(
        app_info=AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost"),
        core=core,
        recipes=[EmailPassword(), Session()],
        cors=Cors(origins=["http://localhost"], whole_app=True),
        trusted_proxies=1,
        rate_limit=AttemptLimits(),
    )
    method = "GET" if path in ("/", "/auth/jwt/jwks.json") else "POST"
    for value in (FOLDED, f"http://localhost{FOLDED}", f"sAccessToken={FOLDED}", f"Bearer {FOLDED}"):
        environ = create_environ(path, method=method, data=sign_up_form(), content_type="application/json")
        body, status, headers = run_wsgi_app(st.wrap(app), environ | {f"HTTP_{name}": value}, buffered=True)
        assert int(status[:3]) < 500, (status, b"".join(body))
        assert not [line for pair in headers.to_wsgi_list() for line in pair if "\n" in line or "\r" in line]
    st.close()
