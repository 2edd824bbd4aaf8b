"""
The pages in docs/ keep their word: every block of Python in them runs here, every command of the servers' page too.

The blocks of a page are one program. A block whose first line is a comment with a file's name is that file; others may
import it. On the page of frameworks, every section is a program of its own.
"""

from __future__ import annotations

import configparser
import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import flask
import pytest
import requests
from contract import authenticator
from pages import Programs, anchors, blocks, links, sections
from recipes.shop import PASSWORD
from recipes.totp.parts import totp
from sampling import exhaustive_but
from sdks.processes import free_port, serving
from website.person import Person
from werkzeug.test import Client

import st_wsgi
from st_wsgi import cli, errors
from st_wsgi.pages import Pages
from st_wsgi.recipes import accountlinking, emailpassword, passwordless, session
from st_wsgi.recipes.multitenancy import Multitenancy
from st_wsgi.request import current
from st_wsgi.request.context import RequestContext

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
WEBSITE = "https://shop.example"
SIGN_UP = {"formFields": [{"id": "email", "value": "ada@example.com"}, {"id": "password", "value": "correct horse 1"}]}
OTHERS = {
    "common-changes",
    "deployment",
    "django",
    "flask-login",
    "from-django-auth",
    "from-flask-login",
    "from-flask-security",
    "from-supertokens",
    "frontend",
    "pyramid",
    "st_verify",
    "testing",
}  # pages whose blocks have a test of their own

PROGRAMS = Programs(files=frozenset({"auth.py", "settings.py", "urls.py", "views.py", "rest.py"}))


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


FRAMEWORKS = sections(page("frameworks"))
(AUTH,) = [code for code in blocks(page("frameworks")) if code.startswith("# auth.py")]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A page's files and database are in a folder of the test, with auth.py; its modules and instance end with it."""
    monkeypatch.chdir(tmp_path)
    assert PROGRAMS.write(AUTH) == "auth.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in PROGRAMS.files:
        sys.modules.pop(name.removesuffix(".py"), None)
    sys.modules.pop("page", None)
    importlib.invalidate_caches()
    current.set_default(None)


@pytest.fixture
def names(own_folder: None, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The names that a page or a section defines, which runs as one program; its instance is closed in the end."""
    defined = PROGRAMS.names(request.param)
    yield defined
    if "st" in defined:
        defined["st"].close()


def sign_up(client: Client) -> tuple[str, dict[str, str]]:
    """A new user's id, and the header that shows the session."""
    answer = client.post("/auth/signup", json=SIGN_UP, headers={"st-auth-mode": "header"})
    assert answer.json is not None
    return answer.json["user"]["id"], {"Authorization": f"Bearer {answer.headers['st-access-token']}"}


@PROGRAMS.of(page("getting-started"))
def test_getting_started(names: dict[str, Any]) -> None:
    """Its last block signs up, calls and signs out; what it promises to scripts is asserted there."""
    assert Path("auth.db").is_file()
    for path, leads_to in (("/hello", "/auth"), ("/auth/account", None)):
        shown = Client(names["app"]).get(path, headers={"Accept": "text/html"})
        assert shown.status_code == 303
        assert leads_to in (None, shown.location)
    assert Client(names["app"]).get("/auth/jwt/jwks.json").status_code == 200


@PROGRAMS.of(page("pages"))
def test_pages(names: dict[str, Any]) -> None:
    client, html = Client(names["app"]), {"Accept": "text/html"}
    asked = client.get("/orders", headers=html)
    assert (asked.status_code, asked.location) == (303, "/auth?redirectToPath=%2Forders")
    assert "#7a3cff" in client.get(re.findall(r'href="(/auth/style-\w+.css)"', client.get("/auth").text)[0]).text
    shown = names["PageParts"](title="<", head=names["h"]("b"), body=names["h"]("i"), language="en", direction="ltr")
    with names["app"].app_context():
        for frame in (names["frame"], names["with_mako"].frame, names["with_django"].frame):
            assert "<title>&lt;</title><b></b></head><body><i></i>" in frame(shown)
    app_info, core = names["st"].services.app_info, "sqlite://?argon2_memory_kb=64"
    st = st_wsgi.SuperTokens(
        app_info=app_info, core=core, recipes=[emailpassword.EmailPassword(), session.Session(), names["changed"]]
    )
    with closing(st):
        person = Person(SimpleNamespace(app=st.wrap(nothing_here)), origin=app_info.api_domain)
        person.sign_up()
        assert person.open("/auth/account/password").heading == "Your password"
        assert person.submit(current="wrong horse 1", password="another horse 2").status == 422
        assert person.screen.error_of("current") == "This is not your current password."
        assert person.submit(current=PASSWORD, password="another horse 2").heading == "Your account"


@PROGRAMS.of(page("pages"))
def test_forms_of_an_app_whose_cookies_are_sent_along_with_those_of_other_sites(names: dict[str, Any]) -> None:
    """The view of the page takes its own form only, and a view without that line takes none."""
    app, origin = names["app"], "https://shop.example"
    app.add_url_rule("/usual", view_func=lambda: session.get_session(flask.request).get_user_id(), methods=["POST"])
    st = st_wsgi.SuperTokens(
        app_info=st_wsgi.AppInfo(app_name="Shop", api_domain=origin, website_domain=origin),
        core="sqlite://?argon2_memory_kb=64",
        allow_in_memory_core=True,
        recipes=[
            emailpassword.EmailPassword(email_delivery=print),
            session.Session(cookie_same_site="none"),
            Pages(),
        ],
    )
    with closing(st):
        person = Person(SimpleNamespace(app=st.wrap(lambda *wsgi: flask.Flask.wsgi_app(app, *wsgi))), origin=origin)
        person.sign_up()
        kept = person.client.get_cookie("sAccessToken", "shop.example")
        assert kept is not None
        assert kept.same_site == "None"
        form = person.open("/basket").hidden()
        assert person.send("POST", "/basket", form).html == "thank you"
        for wrong in ({}, {"token": "0" * 64}, {"token": "é"}):
            assert person.send("POST", "/basket", wrong).status == 403
        other = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
        assert person.send("POST", "/basket", {"token": "0" * 64}, other).status == 403
        answer = person.send("POST", "/usual", form)
        for _ in range(50):
            if answer.location is not None:
                answer = person.send("POST", answer.location, form)
        assert (answer.status, answer.heading) == (401, "Your session could not be renewed")


FRAMEWORKS_HERE = ["Flask", "Bottle", "Pyramid", "Falcon", "CherryPy", "web.py", "Any WSGI app", "Streaming"]


@PROGRAMS.of(*(FRAMEWORKS[title] for title in FRAMEWORKS_HERE), ids=FRAMEWORKS_HERE)
def test_the_section_of_a_framework(names: dict[str, Any], request: pytest.FixtureRequest) -> None:
    client = Client(names["app"])
    user_id, bearer = sign_up(client)
    section = request.node.callspec.params["names"]
    for path in ("/hello", "/account") if "/account" in section else ("/hello",):
        refused = client.get(path)
        assert (refused.status_code, refused.json) == (401, {"message": "unauthorised"})
        assert client.get(path, headers=bearer).text == user_id


DJANGO = """
import json, sys
import django
from django.conf import settings
from django.test import Client
from django.urls import path
import settings as named

# Two threads import below "runserver". Before Python 3.12, both fail if they begin with parts of one package at once.
assert "st_wsgi" in sys.modules
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], SECRET_KEY="not secret",
                   INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "corsheaders"],
                   REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "EXCEPTION_HANDLER": "rest.handle"},
                   **{name: getattr(named, name) for name in dir(named) if name.isupper()})
django.setup()
import urls
from auth import st
from rest_framework.response import Response
from rest_framework.views import APIView

class Rest(APIView):
    authentication_classes = permission_classes = ()

    def get(self, request):
        if "crash" in request.query_params:
            raise RuntimeError
        from st_wsgi.recipes.session import get_session
        return Response(get_session(request).get_user_id())

urlpatterns = [*urls.urlpatterns, path("rest", Rest.as_view())]
client = Client()
origin = {"Origin": "https://shop.example"}
refused = [client.get(path, headers=origin) for path in ("/hello", "/account", "/rest")]
user = client.post("/auth/signup", json.loads(sys.argv[1]), content_type="application/json",
                   headers={"st-auth-mode": "cookie", **origin})
seen = [client.get("/hello").content.decode(), client.get("/account").content.decode(), client.get("/rest").json()]
preflight = client.options("/auth/signup", headers={**origin, "Access-Control-Request-Method": "POST"})
print(json.dumps({
    "refused": [[answer.status_code, answer.json()] for answer in refused],
    "expected": user.json()["user"]["id"], "seen": seen, "crash": client.get("/rest?crash").status_code,
    "origins": [answer.headers.get("Access-Control-Allow-Origin") for answer in (*refused, user, preflight)],
    "allowed": preflight.headers.get("Access-Control-Allow-Headers", ""),
}))
st.close()
"""


#: The settings on each page that has some, and what stands beside them on the page of frameworks.
(SETTINGS,) = [code for code in blocks(page("frameworks")) if code.startswith("# settings.py")]
(SETTINGS_WITH_CORS,) = [code for code in blocks(page("cors")) if code.startswith("# settings.py")]
SITE = [
    code
    for code in blocks(page("frameworks"))
    if code.startswith(("# auth.py", "# urls.py", "# views.py", "# rest.py"))
]
PROGRAMS.claim(SETTINGS, SETTINGS_WITH_CORS, *SITE)


def run_django(settings: str) -> dict[str, Any]:
    """In a process of its own, since Django's settings are those of a process."""
    for code in (settings, *SITE):
        assert PROGRAMS.write(code)
    if "SUPERTOKENS" not in settings:
        Path("settings.py").write_text(settings + 'import st_wsgi\nSUPERTOKENS = "auth.st"\n')
    Path("site_under_test.py").write_text(DJANGO)
    run = subprocess.run(
        [sys.executable, "-W", "error", "site_under_test.py", json.dumps(SIGN_UP)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(SETTINGS, id="frameworks"),
        pytest.param(SETTINGS_WITH_CORS, id="cors", marks=pytest.mark.exhaustive),
    ],
)
def test_the_settings_for_django(settings: str) -> None:
    found = run_django(settings)
    assert found["refused"] == [[401, {"message": "unauthorised"}]] * 3
    assert found["seen"] == [found["expected"]] * 3
    assert found["crash"] == 500
    with_cors = settings == SETTINGS_WITH_CORS
    assert found["origins"] == ([WEBSITE] * 5 if with_cors else [None] * 5)
    assert ("st-auth-mode" in found["allowed"]) == with_cors


@PROGRAMS.of(page("cors"))
def test_cors_whole_app_and_beside_flask_cors(names: dict[str, Any]) -> None:
    names["app"].add_url_rule("/hello", view_func=lambda: session.get_session().get_user_id())
    client = Client(names["app"])
    for path, method in (("/hello", "GET"), ("/auth/session/refresh", "POST")):
        answer = client.open(path, method=method, headers={"Origin": WEBSITE, "rid": "session"})
        assert answer.status_code == 401
        assert answer.headers.getlist("Access-Control-Allow-Origin") == [WEBSITE]
        assert answer.headers.getlist("Access-Control-Allow-Credentials") == ["true"]
        asked = client.options(path, headers={"Origin": WEBSITE, "Access-Control-Request-Method": method})
        assert asked.headers.getlist("Access-Control-Allow-Origin") == [WEBSITE]


@PROGRAMS.of(page("sessions"))
def test_sessions(names: dict[str, Any]) -> None:
    client = Client(names["app"])
    assert client.get("/orders").status_code == 401
    assert client.get("/news").text == "for everybody"
    user_id, bearer = sign_up(client)
    assert client.get("/orders", headers=bearer).json == {"of": user_id, "tenant": "public"}
    assert client.get("/profile", headers=bearer).text == user_id
    assert client.get("/news", headers=bearer).text == "for " + user_id
    assert client.post("/transfer", headers=bearer).text == "done"
    (device,) = (client.get("/devices", headers=bearer).json or {}).values()
    assert device is None
    assert client.post("/delete-account", headers=bearer).text == "deleted"

    refused = client.get("/premium", headers=bearer)
    assert refused.status_code == 403
    assert refused.json is not None
    assert [error["id"] for error in refused.json["claimValidationErrors"]] == ["paying"]
    names["paying"].add(user_id)
    late = session.create_new_session_without_request_response(recipe_user_id=st_wsgi.RecipeUserId(user_id))
    fresh = {"Authorization": f"Bearer {late.get_access_token()}"}
    assert client.get("/premium", headers=fresh).text == "only for you"

    made = client.post("/login-by-badge", headers={"st-auth-mode": "header"})
    by_badge = {"Authorization": f"Bearer {made.headers['st-access-token']}"}
    assert client.post("/day-shift", headers=by_badge).text == "day"
    assert client.post("/leave", headers=by_badge).text == "bye"
    assert client.post("/transfer", headers=by_badge).status_code == 401

    assert len(names["lock_out"](user_id)) == 2
    assert client.post("/transfer", headers=bearer).status_code == 401
    assert client.get("/profile", headers=bearer).status_code == 200


@PROGRAMS.of(page("roles"))
def test_roles(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets in where, and when a change counts, in each of the three ways of the page."""
    client = Client(names["app"])
    user_id, bearer = sign_up(client)

    def statuses(token: dict[str, str]) -> list[int]:
        pages = (("GET", "/desk"), ("POST", "/articles"), ("POST", "/payments"))
        return [client.open(path, method=method, headers=token).status_code for method, path in pages]

    def signed_in() -> Any:
        return client.post("/auth/signin", json=SIGN_UP, headers={"st-auth-mode": "header"})

    def token_of(answer: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {answer.headers['st-access-token']}"}

    assert statuses(bearer) == [403, 403, 403]
    (command,) = blocks(page("roles"), "sh")
    assert_is_understood(command)
    names["hire"](user_id)
    assert names["colleagues"]() == (user_id,)
    assert statuses(bearer) == [403, 403, 403]
    made = signed_in()
    assert client.get("/desk", headers=token_of(made)).text == "editor"
    assert statuses(token_of(made)) == [200, 200, 200]
    names["dismiss"](user_id)
    renewal = {"Authorization": f"Bearer {made.headers['st-refresh-token']}"}
    made = client.post("/auth/session/refresh", headers=renewal)
    assert statuses(token_of(made)) == [200, 200, 200]
    now = time.time()
    with monkeypatch.context() as later:
        later.setattr(names["UserRoleClaim"], "clock", lambda: now + 61)
        assert statuses(token_of(made)) == [200, 200, 403]
    names["update_sessions"](user_id)
    renewal = {"Authorization": f"Bearer {made.headers['st-refresh-token']}"}
    assert statuses(token_of(client.post("/auth/session/refresh", headers=renewal))) == [403, 403, 403]
    names["hire"](user_id)
    names["dismiss_at_once"](user_id)
    assert session.get_all_session_handles_for_user(user_id=user_id) == []


@PROGRAMS.of(page("overrides"))
def test_overrides(names: dict[str, Any]) -> None:
    client = Client(names["st"].wrap(nothing_here))
    user_id, _ = sign_up(client)
    assert names["welcomed"] == [user_id]
    assert client.get("/auth/emailpassword/email/exists?email=a@b.example").status_code == 404
    assert (names["metadata"], names["exists"]) == ({}, False)
    again = st_wsgi.SuperTokens(
        app_info=names["st"].services.app_info,
        core="sqlite://",
        recipes=[
            emailpassword.EmailPassword(
                email_delivery=names["deliver"],
                override=st_wsgi.Override(
                    functions=[names["welcoming"], names["noting"], names["from_where"]],
                    apis=[names["invited"], names["from_link"], marked],
                ),
            ),
            names["recipe"],
        ],
    )
    current.set_default(again.services)
    with closing(again):
        client = Client(again.wrap(protected))
        uninvited = client.post("/auth/signup", json=SIGN_UP)
        assert uninvited.json == {"status": "GENERAL_ERROR", "message": "Please ask for an invitation."}
        invitation = {"x-invitation": "1", "st-auth-mode": "header"}
        assert (client.post("/auth/signup", json=SIGN_UP, headers=invitation).json or {})["status"] == "OK"
        from_link = {"User-Agent": "robot", "x-campaign": "spring"}
        assert client.post("/auth/signin", json=SIGN_UP, headers=from_link).status_code == 200
        assert names["notes"] == ["robot", "spring"]
        user = st_wsgi.list_users_by_account_info(account_info=st_wsgi.AccountInfo(email="ada@example.com"))[0]
        Client(again.wrap(reminder(lambda: names["remind"](user.id, "ada@example.com")))).get("/")
        asked = {"formFields": SIGN_UP["formFields"][:1]}
        assert client.post("/auth/user/password/reset/token", json=asked).json == {"status": "OK"}
        again.services.get(emailpassword.EmailPassword).background.close()
        assert names["sent"] == [("ada@example.com", "come back"), ("ada@example.com", "forgotten")]
        refused = client.get("/")
        assert (refused.status_code, refused.text) == (401, "please sign in")
        for age, status in ((17, 403), (18, 200)):
            made = session.create_new_session_without_request_response(
                recipe_user_id=st_wsgi.RecipeUserId("ada"), access_token_payload={"age": age}
            )
            client = Client(again.wrap(cellar(names["cellar"])))
            answer = client.get("/", headers={"Authorization": f"Bearer {made.get_access_token()}"})
            assert answer.status_code == status
            if status == 403:
                (error,) = (answer.json or {})["claimValidationErrors"]
                assert error["id"] == "age"
                assert error["reason"] == {"message": "too young", "expectedValue": 18, "actualValue": age}


def marked(original: emailpassword.EmailPasswordAPIs) -> emailpassword.EmailPasswordAPIs:
    """An override that says why a mail is sent."""

    @st_wsgi.like(original.generate_password_reset_token_post)
    def generate_password_reset_token_post(**given: Any) -> Any:
        given["context"].user_context["campaign"] = "forgotten"
        return original.generate_password_reset_token_post(**given)

    return st_wsgi.replace(original, generate_password_reset_token_post=generate_password_reset_token_post)


def reminder(remind: Callable[[], object]) -> Callable[[Any, Any], list[bytes]]:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        remind()
        return nothing_here(environ, start_response)

    return app


def cellar(view: Callable[[Any], str]) -> Callable[[Any, Any], list[bytes]]:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        body = view(environ).encode()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    return app


def protected(environ: Any, start_response: Any) -> list[bytes]:
    session.get_session(environ)
    return nothing_here(environ, start_response)


def nothing_here(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b""]


@PROGRAMS.of(page("backends"))
def test_backends_in_other_languages(names: dict[str, Any]) -> None:
    """The auth server alone, and the one that nginx asks. All other blocks of the page have tests of their own."""
    alone, asked = Client(names["app"]), Client(names["app_with_check"])
    assert alone.get("/auth/jwt/jwks.json").status_code == 200
    assert alone.get("/orders").status_code == 404
    assert (asked.get("/check").status_code, asked.get("/check").json) == (401, {"message": "unauthorised"})
    user_id, bearer = sign_up(asked)
    answer = asked.get("/check", headers=bearer)
    assert (answer.status_code, answer.headers["X-User-Id"], answer.data) == (204, user_id, b"")
    preflight = {"Origin": names["SHOP"], "Access-Control-Request-Method": "GET"}
    assert asked.options("/check", headers=preflight).status_code == 401
    app_info, cors = names["st"].services.app_info, st_wsgi.Cors(origins=[names["SHOP"]], whole_app=True)
    careless = st_wsgi.SuperTokens(
        app_info=app_info, core="sqlite://", allow_in_memory_core=True, recipes=[session.Session()], cors=cors
    )
    with closing(careless):
        assert Client(careless.wrap(names["check"])).options("/check", headers=preflight).status_code == 204


@PROGRAMS.of(page("background"))
def test_background_work(names: dict[str, Any]) -> None:
    made = names["import_user"]("ada@example.com", "correct horse 1")
    assert made.status == "OK"
    assert names["user_of"](names["token_for"](made.user.id)) == made.user.id


@PROGRAMS.of(page("production"))
def test_production(names: dict[str, Any]) -> None:
    """The refused settings are asserted on the page itself; the core of the page is not there."""
    assert not names["refused"](recipes=[session.Session()])


@PROGRAMS.of(page("passwordless"))
def test_passwordless(names: dict[str, Any]) -> None:
    """A code and the app's own link sign in; the page's override keeps strangers out."""
    client, sent = Client(names["st"].wrap(lambda _environ, _start: [])), names["sent"]
    device = client.post("/auth/signinup/code", json={"phoneNumber": "+49 30 901820"}).json or {}
    typed = {name: device[name] for name in ("deviceId", "preAuthSessionId")} | {"userInputCode": sent[0].code}
    signed_in = client.post("/auth/signinup/code/consume", json=typed).json or {}
    assert signed_in["user"]["phoneNumbers"] == ["+4930901820"]
    assert names["link"].startswith("http://localhost:3000/auth/verify?preAuthSessionId=")
    refused = client.post("/auth/signinup/code", json={"email": "eve@elsewhere.example"}).json or {}
    assert refused == {"status": "SIGN_IN_UP_NOT_ALLOWED", "reason": "Please ask us for an invitation."}
    assert [message.to for message in sent] == ["+4930901820"]


@PROGRAMS.of(page("passkeys"))
def test_passkeys(names: dict[str, Any]) -> None:
    """A sign-up with the settings of the page, and what its function says of the user."""
    client, key = Client(names["st"].wrap(lambda _environ, _start: [])), authenticator.credential()
    options = client.post("/auth/webauthn/options/register", json={"email": "ada@example.com"}).json or {}
    answer = authenticator.created(options, key, rp_id="shop.example", origin="https://shop.example")
    body = {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"], "credential": answer}
    signed_up = client.post("/auth/webauthn/signup", json=body).json or {}
    assert names["passkeys"](signed_up["user"]["id"]) == [key.name]
    client.post("/auth/user/webauthn/reset/token", json={"email": "ada@example.com"})
    names["st"].services.get(names["Webauthn"]).background.close()
    assert [message.kind for message in names["sent"]] == ["RECOVER_ACCOUNT"]


@PROGRAMS.of(page("third-party"))
def test_third_party(names: dict[str, Any]) -> None:
    """The page needs no network: it asks nobody who a user is."""
    client = Client(names["st"].wrap(lambda _environ, _start: []))
    shown = (client.get("/auth/loginmethods").json or {})["thirdParty"]["providers"]
    assert shown == [{"id": "github", "name": "Github"}, {"id": "staff", "name": "Our own accounts"}]
    query = "thirdPartyId=github&redirectURIOnProviderDashboard=http://localhost:3000/auth/callback/github"
    started = client.get(f"/auth/authorisationurl?{query}").json or {}
    assert started == {"status": "OK", "urlWithQueryParams": names["page"].url_with_query_params}


@PROGRAMS.of(page("saml"))
def test_saml(names: dict[str, Any]) -> None:
    """The page needs a core with SAML, so only what asks no core is called."""
    client = Client(names["st"].wrap(lambda _environ, _start: []))
    for method, path in (("GET", "/auth/saml/login"), ("POST", "/auth/acme/saml/callback")):
        assert client.open(path, method=method, json=None if method == "GET" else {}).status_code == 400
    functions = names["Saml"].functions_class
    listed = {line.split("`")[1] for line in page("saml").splitlines() if line.startswith("| `")}
    assert listed == {name for name in vars(functions) if not name.startswith("_")}


@PROGRAMS.of(page("account-linking"))
def test_account_linking(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The page's function decides, its other one is told, and its code links and separates by hand."""
    client = Client(names["st"].wrap(lambda _environ, _start: []))
    user = passwordless.signinup(email="ada@example.com").user
    assert user.is_primary_user
    refused = client.post("/auth/signup", json=SIGN_UP).json or {}
    assert (refused["status"], refused["reason"][-14:]) == ("SIGN_UP_NOT_ALLOWED", "(ERR_CODE_007)")
    other = passwordless.signinup(email="work@example.com").user
    assert not names["link"](user, other)  # which is a primary user itself
    functions = names["st"].services.get(emailpassword.EmailPassword).functions
    guest = functions.create_new_recipe_user(email="guest@example.com", password="correct horse 1").user
    names["guests"].add(guest.id)
    assert not accountlinking.create_primary_user_id_or_link_accounts(
        recipe_user_id=guest.login_methods[0].recipe_user_id
    ).is_primary_user
    assert names["link"](user, guest)
    assert capsys.readouterr().out == f"{user.id} signs in with emailpassword too\n"
    linked = st_wsgi.get_user(user_id=guest.id)
    assert linked is not None
    assert linked.id == user.id
    names["separate"](linked)
    assert st_wsgi.get_user(user_id=guest.id) != linked


@PROGRAMS.of(page("second-factors"))
def test_second_factors(names: dict[str, Any]) -> None:
    """A user who needs TOTP sets it up, and then may open the view that needs it."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        text = names["transfer"](environ)
        start_response("200 OK", [])
        return [text.encode()]

    client = Client(names["st"].wrap(app))
    user_id, header = sign_up(client)
    refusals = client.get("/transfer", headers=header).json or {}
    assert refusals["claimValidationErrors"][0]["reason"]["factorId"] == "totp"
    names["require_totp"](user_id)
    info = client.put("/auth/mfa/info", headers=header)
    assert (info.json or {})["factors"]["next"] == ["totp"]
    header = {"Authorization": f"Bearer {info.headers['st-access-token']}"}
    made = client.post("/auth/totp/device", json={}, headers=header).json or {}
    body = {"deviceName": made["deviceName"], "totp": totp(made["secret"])}
    verified = client.post("/auth/totp/device/verify", json=body, headers=header)
    header = {"Authorization": f"Bearer {verified.headers['st-access-token']}"}
    assert client.get("/transfer", headers=header).text == user_id
    original = names["st"].services.get(names["MultiFactorAuth"]).functions
    rule = names["only_staff"](original).get_mfa_requirements_for_auth
    ada = st_wsgi.get_user(user_id=user_id)
    assert ada is not None
    boss = attrs.evolve(ada, emails=("ada@example.com", "boss@shop.example"))
    by_phone = attrs.evolve(ada, emails=())
    assert [rule(user=lambda user=user: user) for user in (boss, ada, by_phone)] == [["totp"], [], []]


@PROGRAMS.of(page("accounts"))
def test_accounts(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert (names["found"], names["everybody"], names["this_month"]) == ((), 0, 0)
    names["invite"]("ada@example.com", "employee-7")
    user = st_wsgi.get_user(user_id="employee-7")
    assert user is not None
    assert user.emails == ("ada@example.com",)
    assert "/auth/reset-password?token=" in capsys.readouterr().err
    names["forget"]("employee-7")
    assert st_wsgi.get_user(user_id="employee-7") is None


class RedisPipeline:
    """The commands of Redis that the page on security uses, on a dictionary of numbers."""

    def __init__(self, data: dict[str, int]) -> None:
        self.data = data
        self.replies: list[Any] = []

    def __enter__(self) -> RedisPipeline:
        return self

    def __exit__(self, *exc_info: object) -> None: ...

    def set(self, key: str, value: int, *, ex: int, nx: bool) -> None:
        self.replies.append(nx and self.data.setdefault(key, value) is None)
        self.data.setdefault(f"ttl {key}", ex)

    def incr(self, key: str) -> None:
        self.data[key] += 1
        self.replies.append(self.data[key])

    def ttl(self, key: str) -> None:
        self.replies.append(self.data[f"ttl {key}"])

    def execute(self) -> list[Any]:
        return self.replies


class Redis:
    def __init__(self) -> None:
        self.data: dict[str, int] = {}

    def pipeline(self) -> RedisPipeline:
        return RedisPipeline(self.data)

    def delete(self, key: str) -> None:
        del self.data[key]


@PROGRAMS.of(page("security"))
def test_security(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    limits = names["limits"](Redis())
    key = "both:192.0.2.1 public:ada@example.com"
    assert [limits(key, "/signin") is None for _ in range(6)] == [True] * 5 + [False]
    limits.clear(key, "/signin")
    assert limits(key, "/signin") is None
    services = names["st"].services
    RequestContext(services).record("refresh_token_reused", user_id="ada")
    assert "tell the people on call: SecurityEvent(name='refresh_token_reused'" in capsys.readouterr().out


def st_wsgi_command(line: str, typed: str = "") -> str:
    """What a command of a page prints; *typed* is its standard input. It runs here: a process would take a second."""
    words, printed = shlex.split(line), io.StringIO()
    assert words[0] == "st-wsgi"
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(sys, "stdin", io.StringIO(typed))
        assert cli.main(words[1:]) == 0
    return printed.getvalue()


def assert_is_understood(line: str) -> None:
    """Parse a command of a page and do nothing."""
    program, *words = shlex.split(line)
    assert program == "st-wsgi"
    cli._parser().parse_args(words)


@PROGRAMS.of(page("core"))
def test_the_embedded_core_and_its_commands(names: dict[str, Any]) -> None:
    user_id, _ = sign_up(Client(names["st"].wrap(nothing_here)))
    names["st"].close()
    commands = re.findall(r"^\| `(st-wsgi [^`]+)`", page("core"), re.MULTILINE)
    printed = {
        line: st_wsgi_command(line + (" --password-stdin" if "user create" in line else ""), typed="correct horse 2\n")
        for line in (command.replace("ada@", "grace@") for command in commands)
    }
    assert len(printed) == 8
    assert Path("copy.db").is_file()
    assert Path("new.db").is_file()
    assert user_id in printed["st-wsgi user list"]
    assert "grace@example.com" in printed["st-wsgi user list"]
    exported = [json.loads(line) for line in printed["st-wsgi export"].splitlines()]
    assert user_id in json.dumps(exported)
    assert "$argon2" not in json.dumps(exported)
    for other in ("delete", "password", "roles", "sessions"):
        assert_is_understood(f"st-wsgi user {other} ada@example.com")


def test_the_embedded_core_as_a_server_takes_everybody_that_is_pushed_to_it() -> None:
    st_wsgi_command("st-wsgi user create ada@example.com --password-stdin", typed="correct horse 1\n")
    serve, _, push = blocks(page("core"), "sh")
    port, key = free_port(), "0123456789-0123456789"
    install, _, run = serve.strip().splitlines()
    assert install == "pip install 'st-wsgi[serve]'"
    command = shlex.split(run.replace("3567", str(port)).replace("auth.db", "other.db"))
    env = {"ST_CORE_API_KEY": key}
    with serving([sys.executable, "-m", "st_wsgi", *command[1:]], port=port, log=Path("core.log"), env=env):
        told = st_wsgi_command(
            push.strip().replace("https://core.internal:3567", f"http://127.0.0.1:{port} --api-key {key}")
        )
    assert "1 users pushed, 1 of them new over there; 1 of 1 are there" in told
    assert "ada@example.com" in st_wsgi_command("st-wsgi user list --db other.db")


@PROGRAMS.of(page("import"))
def test_import(names: dict[str, Any]) -> None:
    """The CSV file of the page is imported by its first two commands; its program finds one of them there already."""
    (rows,) = blocks(page("import"), "csv")
    Path("users.csv").write_text(rows)
    dry, real = blocks(page("import"), "sh")[0].strip().splitlines()
    assert st_wsgi_command(dry) == "2 users read: 2 could be taken (dry run), 0 known already, 0 not taken\n"
    assert st_wsgi_command(real) == "2 users read: 2 taken, 0 known already, 0 not taken\n"
    st = names["st"]
    for user_id, address, password in (("1", "ada", "U*U"), ("2", "grace", "correct horse 1")):
        fields = [{"id": "email", "value": f"{address}@example.com"}, {"id": "password", "value": password}]
        made = Client(st.wrap(nothing_here)).post("/auth/signin", json={"formFields": fields})
        assert (made.json or {})["user"]["id"] == user_id
    names["bring"]("3")
    while (left := names["left"]()) is None:
        pass
    assert [one["errorMessage"][:4] for one in left] == ["E003"]


def test_the_commands_on_the_page_of_import_are_understood() -> None:
    lines = [line for code in blocks(page("import"), "sh") for line in code.splitlines() if " users import " in line]
    assert len(lines) == 6
    for line in lines:
        assert_is_understood(line)


@PROGRAMS.of(page("errors"))
def test_errors(names: dict[str, Any]) -> None:
    """The table's rows are what the errors say of themselves."""
    assert names["only_for"].__name__ == "only_for"
    rows = re.findall(r"^\| `(\w+)`[^|]*\| (\d+) \| `([^`]+)` \|", page("errors"), re.MULTILINE)
    assert len(rows) == 10
    made: dict[str, Callable[[], errors.Answerable]] = {
        "TokenTheftDetected": lambda: errors.TokenTheftDetected(session_handle="", user_id="", recipe_user_id=""),
        "InvalidClaims": lambda: errors.InvalidClaims([("a", "b")]),
    }
    for name, status, body in rows:
        error = made[name]() if name in made else getattr(errors, name)()
        answer = error.plain_response()
        assert answer.status_code == int(status)
        shown = body.replace('"..."', json.dumps(error.payload()["message"]))
        shown = shown.replace("[...]", json.dumps(error.payload().get("claimValidationErrors")))
        assert json.loads(shown) == answer.json
    assert errors.CoreUnavailable().plain_response().headers["Retry-After"]


SERVERS = {"flask": "flask", "gunicorn": "gunicorn", "waitress-serve": "waitress"}
COMMANDS = [
    line for name in ("getting-started", "servers") for code in blocks(page(name), "sh") for line in code.splitlines()
]


def test_the_other_command_is_one_of_installation() -> None:
    """That the two packages can be installed is for test_packaging to say."""
    assert [line for line in COMMANDS if shlex.split(line)[0] not in SERVERS] == ["pip install ./st_verify . Flask"]


def write_app() -> None:
    """Write the app of the first page into the working directory."""
    (app,) = [code for code in blocks(page("getting-started")) if code.startswith("# app.py")]
    Path("app.py").write_text(app)


#: Two of the same server do less than the others: that they are understood is enough.
CHECKED = ["gunicorn --workers 2 app:app", "gunicorn --workers 2 --threads 4 app:app"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", CHECKED)
def test_a_command_is_understood(command: str) -> None:
    assert command in COMMANDS
    write_app()
    program, *arguments = shlex.split(command)
    subprocess.run([sys.executable, "-m", program, "--check-config", *arguments], check=True)


STARTED = [line for line in COMMANDS if shlex.split(line)[0] in SERVERS and line not in CHECKED]


@pytest.mark.parametrize("command", exhaustive_but(STARTED, STARTED[:1]))
def test_each_command_that_starts_a_server(command: str, tmp_path: Path) -> None:
    write_app()
    port = free_port()
    program, *arguments = shlex.split(command)
    where = [f"--bind=127.0.0.1:{port}", "--no-control-socket"] if program == "gunicorn" else []
    moved = {"127.0.0.1:8000": f"127.0.0.1:{port}", "3000": str(port)}
    line = [sys.executable, "-m", SERVERS[program], *where, *(moved.get(argument, argument) for argument in arguments)]
    with serving(line, port=port, log=tmp_path / "log", cwd=tmp_path), requests.Session() as http:
        http.trust_env = False
        origin = f"http://127.0.0.1:{port}"
        made = http.post(f"{origin}/auth/signup", json=SIGN_UP, headers={"st-auth-mode": "header"}, timeout=30)
        token = made.headers["st-access-token"]
        for _ in range(4):
            answer = http.get(f"{origin}/hello", headers={"Authorization": f"Bearer {token}"}, timeout=30)
            assert answer.text == "hello " + made.json()["user"]["id"]
        assert http.get(f"{origin}/hello", timeout=30).status_code == 401


@PROGRAMS.of(page("tenants"))
def test_tenants(names: dict[str, Any]) -> None:
    """The tenant of the page's last override is that of the sub-domain, and that of the path for other hosts."""
    instance = st_wsgi.SuperTokens(
        app_info=names["st"].app_info, core="sqlite:///:memory:", recipes=names["recipes"], rate_limit=None
    )
    with closing(instance):
        hosts = ["acme.shop.example", "acme.elsewhere.example", ""]
        contexts = [RequestContext(instance.services, {"HTTP_HOST": host}) for host in hosts]
        recipe = instance.services.get(Multitenancy)
        assert [recipe.tenant_of(context) for context in contexts] == ["acme", "public", "public"]
    methods = Client(names["st"].wrap(lambda _environ, _start: [])).get("/auth/acme/loginmethods").json or {}
    assert methods["firstFactors"] == ["emailpassword"]


PAGES = [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "st_verify" / "README.md"]


def test_every_page_is_in_the_index() -> None:
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in links(page("index"))}
    assert set(DOCS.rglob("*.md")) - {DOCS / "index.md"} <= linked


@pytest.mark.parametrize("path", PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in links(path.read_text(encoding="utf-8")):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            there = path.parent / file if file else path
            assert there.exists(), target
            assert not anchor or anchor in anchors(there.read_text(encoding="utf-8")), target


def test_the_drawing_of_the_rooms_has_the_layers_of_the_import_contract_in_their_order() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / "setup.cfg", encoding="utf-8")
    layers = contracts["importlinter:contract:layers"]["layers"].split("\n")
    modules = [{name.strip(" ()") for name in layer.split("|")} for layer in layers if layer]
    drawing = page("contributing").split("```text\n")[1].split("\n\n")[0].splitlines()
    drawn = [set(line.split("  ")[0].split(", ")) for line in drawing]
    assert drawn == modules


def test_every_block_of_python_is_run_by_one_of_these_tests() -> None:
    there = {code for path in DOCS.glob("*.md") if path.stem not in OTHERS for code in blocks(page(path.stem))}
    assert there - PROGRAMS.run == set()
