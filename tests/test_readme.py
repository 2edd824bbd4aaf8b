"""The README keeps its word: every block of code in it runs here, and so does every row of its table."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bottle
import falcon
import flask
import pytest
from falcon.testing import TestClient as FalconClient
from pyramid.config import Configurator
from pyramid.request import Request as PyramidRequest
from werkzeug.serving import make_server
from werkzeug.test import Client

import st_wsgi
from st_wsgi import AppInfo, Cors, SuperTokens, current
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword, sign_up
from st_wsgi.recipes.session import Session

README = (Path(__file__).parent.parent / "README.md").read_text()
ORIGIN = "http://127.0.0.1:3000"
SIGN_UP = {"formFields": [{"id": "email", "value": "ada@example.com"}, {"id": "password", "value": "correct horse 1"}]}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def block_with(word: str) -> str:
    (found,) = [block for block in blocks("python") if word in block]
    return found


def rows() -> dict[str, str]:
    """Of the table of frameworks: the code that puts SuperTokens in front, by framework."""
    found = re.findall(r"^\| ([A-Za-z ]+) \| `([^`]+)` \|", README, re.MULTILINE)
    return dict(found)


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
    run_here = {block_with(word) for word in ("@app.get", "SessionVerifier", "newcomers", "falcon.App", "django.http")}
    assert set(blocks("python")) == run_here
    assert README.count("```") == 2 * (len(blocks("python")) + len(blocks("sh")))


def test_the_commands_are_those_that_other_tests_run() -> None:
    """test_make runs the targets (and make test runs all of this), test_packaging installs the two packages."""
    commands = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    assert commands == ["make demo", "make test", "pip install ./st_verify ."]
    dry = subprocess.run(
        ["make", "--dry-run", "demo", "test"], cwd=Path(__file__).parent.parent, capture_output=True, check=False
    )
    assert dry.returncode == 0


def test_the_first_app_answers_401_and_then_greets(shop: dict[str, Any]) -> None:
    client = shop["app"].test_client()
    assert client.get("/hello").status_code == 401
    user = client.post("/auth/signup", json=SIGN_UP, headers={"st-auth-mode": "cookie"}).json["user"]
    assert client.get("/hello").text == f"hello {user['id']}"
    assert client.post("/auth/session/refresh", headers={"st-auth-mode": "cookie"}).status_code == 200
    assert client.post("/auth/signout").json == {"status": "OK"}
    assert Path("auth.db").is_file()


def test_the_resource_server_takes_a_session_of_the_first_app(shop: dict[str, Any]) -> None:
    user_id, token = sign_up_for_header(shop["app"].test_client())
    server = make_server("127.0.0.1", 0, shop["app"], threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        # Only the address of the keys moves to a free port: the issuer is a name.
        code = block_with("SessionVerifier").replace(f"{ORIGIN}/auth/jwt", f"http://127.0.0.1:{server.port}/auth/jwt")
        names: dict[str, Any] = {}
        exec(code, names)
        client = Client(names["app"])
        assert client.get("/").status_code == 401
        assert client.get("/", headers={"Authorization": f"Bearer {token[:-9]}AAAAAAAAA"}).status_code == 401
        assert client.get("/", headers={"Authorization": f"Bearer {token}"}).text == user_id
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        names["verifier"].close()


def sign_up_for_header(client: Any) -> tuple[str, str]:
    answer = client.post("/auth/signup", json=SIGN_UP, headers={"st-auth-mode": "header"})
    return answer.json["user"]["id"], answer.headers["st-access-token"]


def test_the_override_is_called_and_its_route_is_switched_off() -> None:
    names: dict[str, Any] = {}
    exec(block_with("newcomers"), names)
    info = AppInfo(app_name="Shop", api_domain=ORIGIN, website_domain=ORIGIN)
    st = st_wsgi.init(app_info=info, core="sqlite://", recipes=[names["recipe"], Session()])
    made = sign_up(email="ada@example.com", password="correct horse 1", tenant_id="public")
    assert made.status == "OK"
    assert names["newcomers"] == [made.user.id]
    client = Client(st.wrap(nothing_here))
    assert client.get("/auth/emailpassword/email/exists?email=a@b.example").status_code == 404
    st.close()


def nothing_here(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b""]


def flask_app() -> dict[str, Any]:
    app = flask.Flask("shop")
    app.add_url_rule("/", view_func=lambda: session.get_session(flask.request).get_user_id())
    return {"app": app}


def bottle_app() -> dict[str, Any]:
    app = bottle.Bottle()
    app.route("/", callback=lambda: session.get_session(bottle.request).get_user_id())
    return {"app": app}


def pyramid_app() -> dict[str, Any]:
    def view(request: PyramidRequest) -> str:
        return session.get_session(request).get_user_id()

    config = Configurator()
    config.add_route("index", "/")
    config.add_view(view, route_name="index", renderer="string")
    return {"config": config}


def plain_app() -> dict[str, Any]:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        user_id = session.get_session(environ).get_user_id()
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield user_id.encode()

    return {"app": app}


def falcon_app() -> dict[str, Any]:
    class Index:
        def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
            response.text = session.get_session(request).get_user_id()

    names: dict[str, Any] = {}
    exec(block_with("falcon.App"), names)
    names["app"].add_route("/", Index())
    return names


APPS: dict[str, Callable[[], dict[str, Any]]] = {
    "Flask": flask_app,
    "Bottle": bottle_app,
    "Pyramid": pyramid_app,
    "any WSGI app": plain_app,
    "Falcon": falcon_app,
}


def test_the_table_has_a_row_for_each_framework_that_is_tried_here() -> None:
    assert set(rows()) == {*APPS, "Django"}


@pytest.mark.parametrize("framework", APPS)
def test_a_view_gets_its_session_and_its_errors_are_answered(framework: str, st: SuperTokens) -> None:
    names = {**APPS[framework](), "st": st}
    exec(rows()[framework], names)
    wrapped = names["app"].wsgi_app if framework == "Flask" else names["app"]
    client = Client(wrapped)
    user_id, token = sign_up_for_header(client)
    refused = client.get("/")
    assert (refused.status_code, refused.json) == (401, {"message": "unauthorised"})
    assert client.get("/", headers={"Authorization": f"Bearer {token}"}).text == user_id


def test_falcons_own_test_client_takes_the_wrapped_app(st: SuperTokens) -> None:
    app = st.wrap(falcon_app()["app"])
    assert FalconClient(app).simulate_get("/").status_code == 401


DJANGO = """
import json, sys
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from werkzeug.test import Client
import st_wsgi
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword

def view(request):
    return HttpResponse(session.get_session(request).get_user_id())

urlpatterns = [path("", view)]
settings.configure(ROOT_URLCONF=__name__, MIDDLEWARE=["site_errors.SessionErrors"], ALLOWED_HOSTS=["localhost"])
django.setup()
info = st_wsgi.AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost")
st = st_wsgi.init(app_info=info, core="sqlite://", recipes=[EmailPassword(), session.Session()])
@ROW@
client = Client(application)
made = client.post("/auth/signup", json=json.loads(sys.argv[1]), headers={"st-auth-mode": "header"})
token = made.headers["st-access-token"]
refused = client.get("/")
info = client.get("/", headers={"Authorization": f"Bearer {token}"})
print(json.dumps([refused.status_code, refused.json, made.json["user"]["id"], info.text]))
st.close()
"""


def test_django_needs_the_row_and_the_middleware(tmp_path: Path) -> None:
    """In a process of its own, since Django's settings are those of a process."""
    (tmp_path / "site_errors.py").write_text(block_with("django.http"))
    (tmp_path / "site.py").write_text(DJANGO.replace("@ROW@", rows()["Django"]))
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
    SuperTokens(app_info=info, core=address, api_key="...", recipes=[Session()], cors=cors).close()
    with pytest.raises(ConfigError, match="in-memory"):
        SuperTokens(app_info=info, core="sqlite://", recipes=[Session()])
