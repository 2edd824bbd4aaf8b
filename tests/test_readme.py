"""The README keeps its word: every block of code in it runs here, and so does every row of its table."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bottle  # type: ignore[import-untyped]
import falcon
import flask
import pytest
from pyramid.config import Configurator  # type: ignore[import-untyped]
from pyramid.request import Request as PyramidRequest  # type: ignore[import-untyped]
from threads import answering
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server
from werkzeug.test import Client

import st_wsgi
import st_wsgi.frameworks.bottle
import st_wsgi.frameworks.falcon
import st_wsgi.frameworks.flask
from st_wsgi import AppInfo, AttemptLimits, Cors, SuperTokens
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword, SignUpOk, sign_up
from st_wsgi.recipes.session import Session
from st_wsgi.request import current

README = (Path(__file__).parent.parent / "README.md").read_text()
ORIGIN = "http://127.0.0.1:3000"
SIGN_UP = {"formFields": [{"id": "email", "value": "ada@example.com"}, {"id": "password", "value": "correct horse 1"}]}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def block_with(word: str) -> str:
    (found,) = [block for block in blocks("python") if word in block]
    return found


def table() -> dict[str, list[str]]:
    """Of the table of frameworks: the pieces of code behind the framework's name."""
    rows = re.findall(
        r"^\| (.+?) \| (.*) \|$", README.partition("\n| framework |")[2].partition("\n\n")[0], re.MULTILINE
    )
    return {framework: re.findall(r"`([^`]+)`", cell) for framework, cell in rows}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The README's database is auth.db of the current folder; its default instance ends with the test."""
    monkeypatch.chdir(tmp_path)
    yield
    current.set_default(None)


@pytest.fixture
def shop() -> Iterator[dict[str, Any]]:
    """The names that the README's first app defines."""
    names: dict[str, Any] = {"__name__": "shop"}
    exec(block_with("@app.get"), names)
    yield names
    names["st"].close()


@pytest.fixture
def st() -> Iterator[SuperTokens]:
    info = AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost")
    st = st_wsgi.init(app_info=info, core="sqlite://", recipes=[EmailPassword(), Session()])
    yield st
    st.close()


def test_every_block_is_run_by_one_of_these_tests() -> None:
    run_here = {block_with(word) for word in ("@app.get", "SessionVerifier", "newcomers", "SUPERTOKENS")}
    assert set(blocks("python")) == run_here
    assert README.count("```") == 2 * (len(blocks("python")) + len(blocks("sh")))


def test_the_commands_are_those_that_other_tests_run() -> None:
    """test_make runs the targets (and make test runs all of this), test_packaging installs the two packages."""
    commands = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    assert commands == ["make demo", "make test", "pip install ./st_verify . Flask", "flask run --port 3000"]
    dry = subprocess.run(
        ["make", "--dry-run", "demo", "test"], cwd=Path(__file__).parent.parent, capture_output=True, check=False
    )
    assert dry.returncode == 0


def test_the_first_app_is_that_of_getting_started() -> None:
    assert block_with("@app.get") in (Path(__file__).parent.parent / "docs" / "getting-started.md").read_text()


def test_the_first_app_leads_browsers_to_the_sign_in_page_answers_401_and_then_greets(shop: dict[str, Any]) -> None:
    client = shop["app"].test_client()
    led = client.get("/hello", headers={"Accept": "text/html"})
    assert (led.status_code, led.location) == (303, "/auth")
    assert "Create an account" in client.get(led.location).text
    assert client.get("/auth/sign-out").status_code == 200
    assert client.get("/hello").status_code == 401
    user = client.post("/auth/signup", json=SIGN_UP, headers={"st-auth-mode": "cookie"}).json["user"]
    assert client.get("/hello").text == f"hello {user['id']}"
    assert client.post("/auth/session/refresh", headers={"st-auth-mode": "cookie"}).status_code == 200
    assert client.post("/auth/signout").json == {"status": "OK"}
    assert Path("auth.db").is_file()


def test_the_resource_server_takes_a_session_of_the_first_app(shop: dict[str, Any]) -> None:
    user_id, token = sign_up_for_header(shop["app"].test_client())
    server = make_server("127.0.0.1", 0, shop["app"], threaded=True)
    with answering(server):
        # The keys are at a free port here; the issuer is a name and stays.
        code = block_with("SessionVerifier").replace(
            'auth + "/jwt/jwks.json"', f'"http://127.0.0.1:{server.port}/auth/jwt/jwks.json"'
        )
        names: dict[str, Any] = {}
        exec(code, names)
        client = Client(names["app"])
        assert client.get("/").status_code == 401
        assert client.get("/", headers={"Authorization": f"Bearer {token[:-9]}AAAAAAAAA"}).status_code == 401
        assert client.get("/", headers={"Authorization": f"Bearer {token}"}).text == user_id


def sign_up_for_header(client: Any) -> tuple[str, str]:
    answer = client.post("/auth/signup", json=SIGN_UP, headers={"st-auth-mode": "header"})
    return answer.json["user"]["id"], answer.headers["st-access-token"]


def test_the_override_is_called_and_its_route_is_switched_off() -> None:
    names: dict[str, Any] = {}
    exec(block_with("newcomers"), names)
    info = AppInfo(app_name="Shop", api_domain=ORIGIN, website_domain=ORIGIN)
    st = st_wsgi.init(app_info=info, core="sqlite://", recipes=[names["recipe"], Session()])
    made = sign_up(email="ada@example.com", password="correct horse 1", tenant_id="public")
    assert isinstance(made, SignUpOk)
    assert names["newcomers"] == [made.user.id]
    client = Client(st.wrap(nothing_here))
    assert client.get("/auth/emailpassword/email/exists?email=a@b.example").status_code == 404
    st.close()


def nothing_here(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b""]


def flask_app(catch_all: bool) -> dict[str, Any]:
    app = flask.Flask("shop")
    app.add_url_rule("/", view_func=lambda: session.get_session(flask.request).get_user_id())
    if catch_all:
        app.register_error_handler(HTTPException, lambda error: ("caught", 500))
    return {"app": app}


def bottle_app(catch_all: bool) -> dict[str, Any]:
    app = bottle.Bottle()
    app.route("/", callback=lambda: session.get_session(bottle.request).get_user_id())
    if catch_all:
        app.error(500)(lambda error: "caught")
    return {"app": app}


def pyramid_app(catch_all: bool) -> dict[str, Any]:
    def view(request: PyramidRequest) -> str:
        return session.get_session(request).get_user_id()

    config = Configurator()
    config.add_route("index", "/")
    config.add_view(view, route_name="index", renderer="string")
    if catch_all:
        config.add_exception_view(lambda request: "caught", renderer="string")
    return {"config": config}


def plain_app(catch_all: bool) -> dict[str, Any]:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        try:
            user_id = session.get_session(environ).get_user_id()
        except Exception as error:
            if not catch_all or isinstance(error, st_wsgi.SuperTokensError):
                raise
            user_id = "caught"
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield user_id.encode()

    return {"app": app}


def falcon_app(catch_all: bool) -> dict[str, Any]:
    class Index:
        def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
            response.text = session.get_session(request).get_user_id()

    app = falcon.App()
    app.add_route("/", Index())
    if catch_all:
        app.add_error_handler(Exception, lambda request, response, error, params: None)
    return {"app": app}


APPS: dict[str, Callable[[bool], dict[str, Any]]] = {
    "Flask": flask_app,
    "Bottle": bottle_app,
    "Pyramid": pyramid_app,
    "Falcon": falcon_app,
    "any WSGI app": plain_app,
}


def test_the_table_has_a_row_for_each_framework_that_is_tried_here() -> None:
    assert list(table()) == list(APPS)


@pytest.mark.parametrize("catch_all", [False, True], ids=["no handler", "a handler for everything"])
@pytest.mark.parametrize("framework", APPS)
def test_a_view_gets_its_session_and_its_errors_are_answered(framework: str, catch_all: bool, st: SuperTokens) -> None:
    names = {**APPS[framework](catch_all), "st": st, "st_wsgi": st_wsgi}
    for code in table()[framework]:
        exec(code, names)
    client = Client(names["app"])
    user_id, token = sign_up_for_header(client)
    refused = client.get("/")
    assert (refused.status_code, refused.json) == (401, {"message": "unauthorised"})
    assert client.get("/", headers={"Authorization": f"Bearer {token}"}).text == user_id


DJANGO = """
import json, sys
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from werkzeug.test import Client
from auth import st
from st_wsgi.recipes import session

def view(request):
    return HttpResponse(session.get_session(request).get_user_id())

urlpatterns = [path("", view)]
@SETTINGS@
settings.configure(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE, SUPERTOKENS=SUPERTOKENS, ALLOWED_HOSTS=["localhost"])
django.setup()
client = Client(get_wsgi_application())
made = client.post("/auth/signup", json=json.loads(sys.argv[1]), headers={"st-auth-mode": "header"})
token = made.headers["st-access-token"]
refused = client.get("/")
info = client.get("/", headers={"Authorization": f"Bearer {token}"})
print(json.dumps([refused.status_code, refused.json, made.json["user"]["id"], info.text]))
st.close()
"""

DJANGO_AUTH = """
import st_wsgi
from st_wsgi.recipes import emailpassword, session

info = st_wsgi.AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost")
st = st_wsgi.init(app_info=info, core="sqlite://", recipes=[emailpassword.EmailPassword(), session.Session()])
"""


def test_django_takes_the_entry_in_its_settings(tmp_path: Path) -> None:
    """In a process of its own, since Django's settings are those of a process."""
    (tmp_path / "auth.py").write_text(DJANGO_AUTH)
    (tmp_path / "site.py").write_text(DJANGO.replace("@SETTINGS@", block_with("SUPERTOKENS")))
    command = [sys.executable, "-W", "error", "site.py", json.dumps(SIGN_UP)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    status, body, user_id, seen = json.loads(run.stdout)
    assert (status, body) == (401, {"message": "unauthorised"})
    assert seen == user_id


def test_the_settings_for_production_are_taken_and_a_forgetful_core_is_not() -> None:
    info = AppInfo(app_name="Shop", api_domain="https://api.shop.example", website_domain="https://shop.example")
    (address,) = set(re.findall(r'core="(https://[^"]+)"', README))
    cors = Cors(origins=["https://shop.example"], whole_app=True)
    SuperTokens(
        app_info=info,
        core=address,
        api_key="...",
        recipes=[EmailPassword(email_delivery=print), Session()],
        cors=cors,
        rate_limit=AttemptLimits(),
    ).close()
    with pytest.raises(ConfigError, match="in-memory"):
        SuperTokens(app_info=info, core="sqlite://", recipes=[Session()])
