"""The examples in process, with wsgiref's validator around each: it watches both sides of PEP 3333."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from wsgiref.validate import validator

import pytest
import requests
from contract import authenticator
from recipes.shop import PASSWORD
from recipes.totp.parts import totp
from website.person import Person
from werkzeug.test import Client, TestResponse

from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.request import current

EXAMPLES = Path(__file__).parent.parent / "examples"
API = "http://localhost"
SIGN_UP = {"formFields": [{"id": "email", "value": "ada@example.com"}, {"id": "password", "value": "correct horse 1"}]}
COOKIES = {"st-auth-mode": "cookie", "rid": "session"}


class ClosingClient(Client):
    """A client that reads every answer to its end and closes it, as a server must."""

    def open(self, *args: Any, **settings: Any) -> TestResponse:
        return super().open(*args, **{"buffered": True, **settings})


Load = Callable[..., SimpleNamespace]
Open = Callable[..., ClosingClient]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Runs an example's file with settings in the environment; gives its names, with the validated app among them."""
    opened = []

    def run(example: str, at: str = API, website: str | None = None) -> SimpleNamespace:
        monkeypatch.setenv("ST_CORE", "sqlite://?argon2_memory_kb=64")
        monkeypatch.setenv("ST_API_DOMAIN", at)
        monkeypatch.setenv("ST_WEBSITE_DOMAIN", website or at)
        names = SimpleNamespace(**runpy.run_path(str(EXAMPLES / f"{example}.py")))
        opened.append(names.st)
        names.app = validator(names.app)
        return names

    yield run
    current.set_default(None)
    for instance in opened:
        instance.close()


@pytest.fixture(params=["flask_app", "bottle_app", "pyramid_app"])
def visit(request: pytest.FixtureRequest, load: Load) -> Open:
    """Gives a client of the app."""
    return lambda website=API: ClosingClient(load(request.param, website=website).app)


def test_a_visitor_signs_up_is_recognised_refreshes_and_signs_out(visit: Open) -> None:
    client = visit()
    assert client.get("/").mimetype == "text/html"
    assert client.get("/sessioninfo").status_code == 401
    signed_up = client.post("/auth/signup", json=SIGN_UP, headers=COOKIES)
    assert signed_up.json is not None
    assert signed_up.json["status"] == "OK"
    info = client.get("/sessioninfo")
    assert info.json is not None
    assert info.json["userId"] == signed_up.json["user"]["id"]
    assert client.post("/auth/session/refresh", headers=COOKIES).status_code == 200
    assert client.post("/auth/signout", headers=COOKIES).json == {"status": "OK"}
    assert client.get("/sessioninfo").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/", 200),
        ("HEAD", "/sessioninfo", 401),
        ("HEAD", "/auth/jwt/jwks.json", 200),
        ("GET", "/auth/.well-known/openid-configuration", 200),
        ("GET", "/nothing", 404),
        ("GET", "/auth/nothing", 404),
        ("POST", "/auth/signin", 400),
        ("POST", "/auth/session/refresh", 401),
        ("POST", "/auth/signout", 401),
    ],
)
def test_every_kind_of_answer_is_valid_wsgi(visit: Open, method: str, path: str, status: int) -> None:
    answer = visit().open(path, method=method)
    assert answer.status_code == status
    assert (answer.data == b"") == (method == "HEAD")


@pytest.mark.parametrize("visit", ["flask_app"], indirect=True)
def test_a_website_of_another_origin_has_the_pages_and_may_call_the_routes_and_the_app(visit: Open) -> None:
    website = "http://localhost:8080"
    client = visit(website=website)
    assert client.get("/auth").status_code == 404
    for path in ("/auth/signup", "/sessioninfo"):
        asked = client.options(
            path, headers={"Origin": website, "Access-Control-Request-Method": "GET" if "info" in path else "POST"}
        )
        assert asked.status_code == 204
        assert asked.headers["Access-Control-Allow-Origin"] == website
        assert "rid" in asked.headers["Access-Control-Allow-Headers"]
    refused = client.get("/sessioninfo", headers={"Origin": website})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == website
    assert refused.headers["Access-Control-Allow-Credentials"] == "true"
    stranger = client.get("/sessioninfo", headers={"Origin": "http://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


def confirm(person: Person, example: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    """Ask for the mail on the page that is shown, and open the link that is printed on a line of its own."""
    assert person.screen.heading == "Confirm your e-mail address"
    person.submit()
    example.st.services.get(EmailVerification).background.close()  # sends what waits
    [link] = re.findall(rf"^{API}(/auth/verify-email\S+)$", capsys.readouterr().err, re.MULTILINE)
    person.open(link)
    assert person.submit().heading == "Your e-mail address is confirmed"


@pytest.mark.parametrize("example", ["flask_app", "bottle_app", "pyramid_app", "falcon_app"])
def test_from_a_link_to_the_account_page(load: Load, example: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = load(example)
    person = Person(names, origin=API)
    person.open(person.open("/").link("Your orders"))
    person.open(person.screen.link("Create an account"))
    new = {"st-action": "sign-up", "email": person.email, "password": PASSWORD}
    assert person.submit(**new).heading == "Your orders"
    assert person.email in person.open(person.screen.link("Home")).html
    person.open(person.screen.link("Your account"))
    person.open(person.screen.link("Confirm your e-mail address"))
    confirm(person, names, capsys)
    person.open(person.open("/").link("Sign out"))
    person.submit()
    assert "You are not signed in." in person.open("/").html


def test_the_page_for_administrators(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    names = load("flask_app")
    person = Person(names, origin=API)
    person.sign_up()
    person.open(person.open("/").link("Page for administrators"))
    confirm(person, names, capsys)
    denied = person.open("/admin")
    assert (denied.status, denied.heading) == (403, "Access denied")


def test_the_example_without_passwords(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """By the code and by the link that it prints."""
    names = load("passwordless")
    for way, contact in (("code", "ada@example.com"), ("link", "+4930901820")):
        person = Person(names, origin=API)
        person.open("/orders")
        assert person.submit(**{"st-action": "code", "contact": contact}).heading == "Enter your code"
        link, code = capsys.readouterr().err.split()[-2:]
        if way == "link":
            person.open(link.removeprefix(API))
        person.submit(**({} if way == "link" else {"st-action": "enter", "code": code}))
        assert f"<strong>{contact}</strong>" in person.open("/orders").html


def test_the_example_with_passkeys(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """A sign-up, a list, and a recovery by the link that it prints."""
    names = load("passkeys")
    client, key = ClosingClient(names.app), authenticator.credential()

    def post(path: str, body: dict[str, str], **more: str) -> Any:
        """Send a new passkey to a route."""
        options = client.post("/auth/webauthn/options/register", json=body).json or {}
        answer = authenticator.created(options, key, rp_id="localhost", origin=API)
        ids = {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"], "credential": answer}
        return client.post(path, json={**ids, **more}, headers=COOKIES).json

    assert client.get("/orders").status_code == 401
    assert post("/auth/webauthn/signup", {"email": "ada@example.com"})["status"] == "OK"
    assert "ada@example.com" in client.get("/orders").text
    assert len((client.get("/auth/webauthn/credential/list").json or {})["credentials"]) == 1
    client.post("/auth/user/webauthn/reset/token", json={"email": "ada@example.com"})
    next(one for one in names.st.recipes if one.id == "webauthn").background.close()
    link, key = capsys.readouterr().err.split()[-1], authenticator.credential()
    assert client.get(link).mimetype == "text/html"
    token = dict(parse_qsl(urlsplit(link).query))["token"]
    assert post("/auth/user/webauthn/reset", {"recoverAccountToken": token}, token=token) == {"status": "OK"}


def test_the_example_with_second_factors(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """A code by mail opens the account, and only the authenticator app opens the view that needs it."""
    person = Person(load("second_factor"), origin=API)
    assert person.sign_up().heading == "Confirm that it is you"
    person.open("/orders")
    person.open(person.screen.link("Code by e-mail"))
    person.submit(**{"st-action": "send-0"})
    code = capsys.readouterr().err.split()[-1]
    assert person.submit(**{"st-action": "enter", "code": code}).heading == "Your orders"
    assert person.open(person.screen.link("Transfer money")).heading == "Set up an authenticator app"
    person.submit(**{"st-action": "create"})
    [shown] = person.screen.all("code")
    secret = shown.text.replace(" ", "")
    assert person.submit(code=totp(secret)).heading == "The money is on its way"
    person.open("/auth/sign-out")
    person.submit()
    person.sign_in()
    person.open(person.screen.link("Authenticator app"))
    person.submit(code=totp(secret, steps=1))
    assert person.open("/transfer").heading == "The money is on its way"


def test_the_example_with_tenants(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """Each sub-domain has a way to sign in and users of its own, and no other name has any."""
    names = load("tenants", at="http://localhost:3000")
    acme, school, other = (f"http://{host}:3000" for host in ("acme.localhost", "school.localhost", "localhost"))
    client = ClosingClient(names.app)
    page = client.get("/", base_url=other).text
    assert f"Open one of: {acme}, {school}" in page
    assert client.get("/auth/loginmethods", base_url=other).status_code == 400
    ways = [client.get("/auth/loginmethods", base_url=at).json or {} for at in (acme, school)]
    assert [way["firstFactors"] for way in ways] == [["emailpassword"], ["otp-email"]]

    signed_up = client.post("/auth/signup", json=SIGN_UP, headers=COOKIES, base_url=acme).json or {}
    user_id = signed_up["user"]["id"]
    assert client.get("/whoami", base_url=acme).text == f"You are {user_id} at acme."
    assert client.get("/whoami", base_url=school).status_code == 401
    stolen = client.get_cookie("sAccessToken", "acme.localhost")
    assert stolen is not None
    client.set_cookie("sAccessToken", stolen.value, domain="school.localhost")
    assert client.get("/whoami", base_url=school).status_code == 403
    for at, path in ((school, "/auth/acme/signin"), (other, "/auth/acme/signin")):
        assert client.post(path, json=SIGN_UP, headers=COOKIES, base_url=at).status_code in (400, 401)

    device = client.post("/auth/signinup/code", json={"email": "ada@example.com"}, base_url=school).json or {}
    code = capsys.readouterr().err.split()[-1]
    typed = {name: device[name] for name in ("deviceId", "preAuthSessionId")} | {"userInputCode": code}
    signed_in = client.post("/auth/signinup/code/consume", json=typed, headers=COOKIES, base_url=school).json or {}
    assert signed_in["user"]["id"] != user_id
    assert client.get("/whoami", base_url=school).text == f"You are {signed_in['user']['id']} at school."


def test_the_example_with_providers(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the provider that it starts: a refusal, a consent, a code that comes back twice."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    for name in ("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"):
        monkeypatch.setenv(name, name)
    monkeypatch.delenv("GOOGLE_CLIENT_ID", raising=False)
    names = load("third_party")
    try:
        person = Person(names, origin=API)
        headings = []
        for consent in ("no", "yes"):
            person.open("/orders")
            assert person.screen.link("Continue with GitHub") == "/auth/provider/github?redirectToPath=%2Forders"
            there = person.send("GET", person.screen.link("Continue with the provider on loopback")).location
            assert there is not None
            assert "believes what you type" in requests.get(there, timeout=20).text
            form = {"email": person.email, "consent": consent}
            answered = requests.post(there, data=form, allow_redirects=False, timeout=20)
            back = answered.headers["Location"].removeprefix(API)
            headings += [person.open(back).heading, person.open(back).heading]
        assert headings == ["You are not signed in", "You are not signed in", "Your orders", "You are not signed in"]
        assert person.email in person.open("/").html
    finally:
        names.provider.shutdown()
        names.provider.server_close()
