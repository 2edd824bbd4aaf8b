"""
Cross-origin answers in every framework, by our layer alone and beside the app's own.

A browser shows an answer to the page only if one ``Access-Control-Allow-Origin`` names its origin exactly, next to one
``Access-Control-Allow-Credentials: true``. Two headers of a name count as none.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corsheaders.defaults import default_headers
from flask import Flask, request
from flask_cors import CORS, cross_origin
from werkzeug.test import Client, TestResponse

from frameworks import flask_site
from frameworks.conftest import FRAMEWORKS, SharedCore
from frameworks.django_site import ENTRY, django_settings, handler
from st_wsgi import AppInfo, Cors, SuperTokens, get_all_cors_expose_headers, get_all_cors_headers
from st_wsgi.frameworks.flask import init_app
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session, get_session, verify_session
from st_wsgi.request import current

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

API = "http://localhost"
WEBSITE = "http://localhost:8080"
STRANGER = "http://localhost.evil.example:8080"
FROM_WEBSITE = {"Origin": WEBSITE, "rid": "session"}
FDI_HEADERS = {"rid", "fdi-version", "anti-csrf", "authorization", "st-auth-mode", "content-type"}

Open = Callable[..., SuperTokens]


@pytest.fixture
def open_st(core: SharedCore) -> Iterator[Open]:
    opened: list[SuperTokens] = []

    def make(cors: Cors | None) -> SuperTokens:
        st = SuperTokens(
            app_info=AppInfo(app_name="Shop", api_domain=API, website_domain=WEBSITE),
            core=core,
            recipes=[EmailPassword(), Session()],
            cors=cors,
        )
        opened.append(st)
        return st

    yield make
    for st in opened:
        st.close()


def header(answer: TestResponse, name: str) -> str | None:
    """The value of a header that must not be there twice."""
    found = answer.headers.getlist(name)
    assert len(found) <= 1, f"{name}: {found}"
    return found[0] if found else None


def readable(answer: TestResponse) -> bool:
    """Whether the website's script can read an answer, and no cache gives it to another origin."""
    vary = [part.strip().lower() for line in answer.headers.getlist("Vary") for part in line.split(",")]
    assert vary.count("origin") <= 1
    return (header(answer, "Access-Control-Allow-Origin"), header(answer, "Access-Control-Allow-Credentials")) == (
        WEBSITE,
        "true",
    )


def exposed(answer: TestResponse) -> list[str]:
    return [part.strip() for part in (header(answer, "Access-Control-Expose-Headers") or "").split(",") if part]


def allows_the_frontend(answer: TestResponse) -> bool:
    allowed = {part.strip().lower() for part in (header(answer, "Access-Control-Allow-Headers") or "").split(",")}
    return answer.status_code in (200, 204) and readable(answer) and allowed >= FDI_HEADERS


def ask(client: Client, path: str, method: str) -> TestResponse:
    """A preflight."""
    wanted = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": ", ".join(sorted(FDI_HEADERS))}
    return client.options(path, headers={"Origin": WEBSITE, **wanted})


def check(client: Client) -> None:
    """All that a frontend of another origin does: preflights, a sign-in, protected routes, refusals, a refresh."""
    for path, method in (("/auth/session/refresh", "POST"), ("/session", "GET")):
        assert allows_the_frontend(ask(client, path, method)), path
    body = {"user": "ada", "claims": {}}
    made = client.post("/login", json=body, headers={**FROM_WEBSITE, "st-auth-mode": "header"})
    assert readable(made)
    assert {"front-token", "st-access-token", "st-refresh-token"} <= set(exposed(made))
    bearer = {"Authorization": f"Bearer {made.headers['st-access-token']}"}
    for path, status in (("/session", 200), ("/admin", 403), ("/grow", 200), ("/stream", 200)):
        answer = client.get(path, headers={**FROM_WEBSITE, **bearer})
        assert answer.status_code == status
        assert readable(answer), path
        assert len(exposed(answer)) == len(set(exposed(answer)))
    refused = client.get("/session", headers=FROM_WEBSITE)
    assert (refused.status_code, readable(refused)) == (401, True)
    signed_out = client.post("/auth/session/refresh", headers=FROM_WEBSITE)
    assert (signed_out.status_code, readable(signed_out), "front-token" in exposed(signed_out)) == (401, True, True)
    refresh = {"Authorization": f"Bearer {made.headers['st-refresh-token']}"}
    refreshed = client.post("/auth/session/refresh", headers={**FROM_WEBSITE, **refresh})
    assert (refreshed.status_code, readable(refreshed), "front-token" in exposed(refreshed)) == (200, True, True)
    for path in ("/session", "/auth/session/refresh"):
        answer = client.open(path, method="GET" if path == "/session" else "POST", headers={"Origin": STRANGER})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.status_code == 401


@pytest.mark.parametrize("catch_all", [False, True])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_our_layer_alone_answers_for_the_whole_app(framework: str, catch_all: bool, open_st: Open) -> None:
    st = open_st(Cors(origins=[WEBSITE], whole_app=True))
    check(Client(FRAMEWORKS[framework](st, catch_all=catch_all)))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_our_layer_leaves_the_apps_routes_alone_unless_asked(framework: str, open_st: Open) -> None:
    client = Client(FRAMEWORKS[framework](open_st(Cors(origins=[WEBSITE]))))
    assert allows_the_frontend(ask(client, "/auth/session/refresh", "POST"))
    assert readable(client.post("/auth/session/refresh", headers=FROM_WEBSITE))
    assert "Access-Control-Allow-Origin" not in client.get("/optional", headers=FROM_WEBSITE).headers
    assert "Access-Control-Allow-Origin" not in ask(client, "/optional", "GET").headers


@pytest.mark.parametrize("expose", [None, ["X-Mine", "front-token"]])
@pytest.mark.parametrize("whole_app", [False, True])
def test_beside_flask_cors(whole_app: bool, expose: list[str] | None, open_st: Open) -> None:
    """flask-cors answers for the app; our routes never reach it, so our layer is needed for them."""
    st = open_st(Cors(origins=[WEBSITE], whole_app=whole_app))
    app = flask_site.make()
    CORS(
        app,
        origins=[WEBSITE, "http://localhost:8081"],
        supports_credentials=True,
        allow_headers=["content-type", *get_all_cors_headers()],
        expose_headers=expose,
    )
    init_app(app, st)
    client = Client(app)
    check(client)
    assert ("X-Mine" in exposed(client.get("/optional", headers=FROM_WEBSITE))) == bool(expose)


CORS_MIDDLEWARE = "corsheaders.middleware.CorsMiddleware"
CORS_SETTINGS: dict[str, Any] = {
    "CORS_ALLOWED_ORIGINS": [WEBSITE],
    "CORS_ALLOW_CREDENTIALS": True,
    "CORS_ALLOW_HEADERS": [*default_headers, *get_all_cors_headers()],
}


@pytest.fixture
def cors_settings() -> Iterator[None]:
    with django_settings(**CORS_SETTINGS):
        yield


@pytest.mark.usefixtures("cors_settings")
@pytest.mark.parametrize(
    "cors",
    [None, Cors(origins=[WEBSITE]), Cors(origins=[WEBSITE], whole_app=True)],
    ids=["ours off", "ours for our routes", "ours for everything"],
)
def test_below_django_cors_headers(cors: Cors | None, open_st: Open) -> None:
    """Below it, our entry needs no layer of ours; one that is there does not double anything."""
    check(Client(handler(open_st(cors), MIDDLEWARE=[CORS_MIDDLEWARE, ENTRY])))


@pytest.mark.usefixtures("cors_settings")
@pytest.mark.parametrize("whole_app", [False, True])
def test_in_front_of_django_cors_headers(whole_app: bool, open_st: Open) -> None:
    """With wrap around wsgi.py our routes never reach it, so our layer is needed for them."""
    st = open_st(Cors(origins=[WEBSITE], whole_app=whole_app))
    app: WSGIApplication = st.wrap(handler(st, MIDDLEWARE=[CORS_MIDDLEWARE, ENTRY]))
    check(Client(app))


@pytest.mark.usefixtures("cors_settings")
def test_an_exposed_list_of_django_cors_headers_has_to_name_our_headers(open_st: Open) -> None:
    """It replaces the header, instead of adding to it."""
    for listed, kept in ((["X-Mine"], False), (["X-Mine", *get_all_cors_expose_headers()], True)):
        with django_settings(CORS_EXPOSE_HEADERS=listed):
            client = Client(handler(open_st(None), MIDDLEWARE=[CORS_MIDDLEWARE, ENTRY]))
            made = client.post("/login", json={"user": "ada", "claims": {}}, headers=FROM_WEBSITE)
            assert ("front-token" in exposed(made)) == kept


def test_the_list_of_headers_is_what_the_protocol_names() -> None:
    assert {*get_all_cors_headers(), "content-type"} == FDI_HEADERS


def beside_flask_cors(st: SuperTokens) -> Flask:
    app = Flask(__name__)
    CORS(
        app,
        origins=[WEBSITE],
        supports_credentials=True,
        allow_headers=["content-type", *get_all_cors_headers()],
    )
    init_app(app, st)
    return app


@pytest.mark.parametrize("skipping", [True, False])
def test_a_hook_for_every_request_leaves_preflights_out(open_st: Open, skipping: bool) -> None:
    app = beside_flask_cors(open_st(None))
    app.add_url_rule("/open", view_func=lambda: "open")

    @app.before_request
    def only_for_users() -> None:
        if request.method != "OPTIONS" or not skipping:
            get_session(request)

    client = Client(app)
    answer = client.get("/open", headers=FROM_WEBSITE)
    assert (answer.status_code, readable(answer)) == (401, True)
    preflight = client.options("/open", headers={**FROM_WEBSITE, "Access-Control-Request-Method": "GET"})
    assert preflight.status_code == (200 if skipping else 401)


def test_the_decorator_of_flask_cors_goes_outermost(open_st: Open) -> None:
    app = Flask(__name__)
    init_app(app, open_st(None))
    shared = cross_origin(origins=[WEBSITE], supports_credentials=True)
    views: dict[str, Any] = {
        "/above": shared(verify_session()(lambda: "above")),
        "/below": verify_session()(shared(lambda: "below")),
    }
    for path, view in views.items():
        app.add_url_rule(path, endpoint=path, view_func=view)
    asked = {**FROM_WEBSITE, "Access-Control-Request-Method": "GET"}
    above, below = (Client(app).options(path, headers=asked) for path in views)
    assert (above.status_code, readable(above)) == (200, True)
    assert (below.status_code, readable(below)) == (401, False)
    assert not readable(Client(app).get("/above", headers=FROM_WEBSITE))


def test_the_page_on_flask_cors_can_be_copied_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs none of the blocks before it."""
    page = (Path(__file__).parents[2] / "docs" / "cors.md").read_text(encoding="utf-8")
    section = page.partition("## Beside flask-cors")[2].partition("## ")[0]
    names: dict[str, Any] = {"__name__": "page"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "page", types.ModuleType("page"))  # Flask looks for the module that calls it
    try:
        exec(section.partition("```python\n")[2].partition("```")[0], names)
        answer = Client(names["app"]).post("/auth/session/refresh", headers={"Origin": names["WEBSITE"]})
        assert answer.headers.getlist("Access-Control-Allow-Origin") == [names["WEBSITE"]]
    finally:
        if "st" in names:
            names["st"].close()
        current.set_default(None)
