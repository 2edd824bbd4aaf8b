"""The examples in process, with wsgiref's validator around each: it watches both sides of PEP 3333."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from wsgiref.validate import validator

import pytest
import requests
from contract import authenticator
from recipes.totp.parts import totp
from werkzeug.test import Client, TestResponse

from st_wsgi.request import current

EXAMPLES = Path(__file__).parent.parent / "examples"
API = "http://localhost"
SIGN_UP = {"formFields": [{"id": "email", "value": "ada@example.com"}, {"id": "password", "value": "correct horse 1"}]}
COOKIES = {"st-auth-mode": "cookie", "rid": "session"}


class ClosingClient(Client):
    """A client that reads every answer to its end and closes it, as a server must."""

    def open(self, *args: Any, **settings: Any) -> TestResponse:
        return super().open(*args, **{"buffered": True, **settings})


Open = Callable[..., ClosingClient]


@pytest.fixture(params=["flask_app", "bottle_app", "pyramid_app"])
def visit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Runs an example's file with settings in the environment; gives a client of the validated app."""
    opened = []

    def run(website: str = API) -> ClosingClient:
        monkeypatch.setenv("ST_CORE", "sqlite://?argon2_memory_kb=64")
        monkeypatch.setenv("ST_API_DOMAIN", API)
        monkeypatch.setenv("ST_WEBSITE_DOMAIN", website)
        names = runpy.run_path(str(EXAMPLES / f"{request.param}.py"))
        opened.append(names["st"])
        return ClosingClient(validator(names["app"]))

    yield run
    current.set_default(None)
    for instance in opened:
        instance.close()


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


def test_the_example_without_passwords(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By the code and by the link that it prints."""
    monkeypatch.setenv("ST_CORE", "sqlite://")
    monkeypatch.setenv("ST_API_DOMAIN", API)
    names = runpy.run_path(str(EXAMPLES / "passwordless.py"))
    try:
        client = ClosingClient(validator(names["app"]))
        assert client.get("/whoami").status_code == 401
        for way, contact in (("code", {"email": "ada@example.com"}), ("link", {"phoneNumber": "+49 30 901820"})):
            device = client.post("/auth/signinup/code", json=contact).json or {}
            link, code = capsys.readouterr().err.split()[-2:]
            address, _, link_code = link.partition("#")
            assert client.get(address).mimetype == "text/html"
            session_id = {"preAuthSessionId": device["preAuthSessionId"]}
            typed = {"deviceId": device["deviceId"], "userInputCode": code}
            body = {**session_id, **(typed if way == "code" else {"linkCode": link_code})}
            signed_in = client.post("/auth/signinup/code/consume", json=body, headers=COOKIES).json or {}
            assert signed_in["user"]["id"] in client.get("/whoami").text
    finally:
        current.set_default(None)
        names["st"].close()


def test_the_example_with_passkeys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A sign-up, a list, and a recovery by the link that it prints."""
    monkeypatch.setenv("ST_CORE", "sqlite://")
    monkeypatch.setenv("ST_API_DOMAIN", API)
    names = runpy.run_path(str(EXAMPLES / "passkeys.py"))
    try:
        client, key = ClosingClient(validator(names["app"])), authenticator.credential()

        def post(path: str, body: dict[str, str], **more: str) -> Any:
            """Send a new passkey to a route."""
            options = client.post("/auth/webauthn/options/register", json=body).json or {}
            answer = authenticator.created(options, key, rp_id="localhost", origin=API)
            ids = {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"], "credential": answer}
            return client.post(path, json={**ids, **more}, headers=COOKIES).json

        assert client.get("/whoami").status_code == 401
        signed_up = post("/auth/webauthn/signup", {"email": "ada@example.com"})
        assert signed_up["user"]["id"] in client.get("/whoami").text
        assert client.get("/email").text == "ada@example.com"
        assert len((client.get("/auth/webauthn/credential/list").json or {})["credentials"]) == 1
        client.post("/auth/user/webauthn/reset/token", json={"email": "ada@example.com"})
        next(one for one in names["st"].recipes if one.id == "webauthn").background.close()
        link, key = capsys.readouterr().err.split()[-1], authenticator.credential()
        assert client.get(link).mimetype == "text/html"
        token = dict(parse_qsl(urlsplit(link).query))["token"]
        assert post("/auth/user/webauthn/reset", {"recoverAccountToken": token}, token=token) == {"status": "OK"}
    finally:
        current.set_default(None)
        names["st"].close()


def test_the_example_with_second_factors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A code by mail opens the account, and only the authenticator app opens the view that needs it."""
    monkeypatch.setenv("ST_CORE", "sqlite://?argon2_memory_kb=64")
    monkeypatch.setenv("ST_API_DOMAIN", API)
    names = runpy.run_path(str(EXAMPLES / "second_factor.py"))
    try:
        client = ClosingClient(validator(names["app"]))

        def call(method: str, path: str, body: Any = None) -> Any:
            headers = {**COOKIES, "fdi-version": "4.2"}
            return client.open(f"/auth{path}", method=method, json=body, headers=headers).json

        assert client.get("/").mimetype == "text/html"
        assert client.get("/account").status_code == 401
        user_id = call("POST", "/signup", SIGN_UP)["user"]["id"]
        assert client.get("/account").status_code == 403
        info = call("PUT", "/mfa/info")
        assert set(info["factors"]["next"]) == {"totp", "otp-email"}

        linking = {"shouldTryLinkingWithSessionUser": True}
        device = call("POST", "/signinup/code", {"email": info["emails"]["otp-email"][0], **linking})
        code = capsys.readouterr().err.split()[-1]
        ids = {name: device[name] for name in ("deviceId", "preAuthSessionId")}
        assert call("POST", "/signinup/code/consume", {**ids, "userInputCode": code, **linking})["status"] == "OK"
        assert user_id in client.get("/account").text
        assert client.get("/transfer").status_code == 403

        device = call("POST", "/totp/device", {})
        body = {"deviceName": device["deviceName"], "totp": totp(device["secret"])}
        assert call("POST", "/totp/device/verify", body)["status"] == "OK"
        assert client.get("/transfer").status_code == 200

        assert call("POST", "/signin", SIGN_UP)["status"] == "OK"
        assert client.get("/account").status_code == 403
        assert call("POST", "/totp/verify", {"totp": totp(device["secret"], steps=1)})["status"] == "OK"
        assert user_id in client.get("/account").text
    finally:
        current.set_default(None)
        names["st"].close()


def test_the_example_with_tenants(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each sub-domain has a way to sign in and users of its own, and no other name has any."""
    monkeypatch.setenv("ST_CORE", "sqlite://?argon2_memory_kb=64")
    monkeypatch.setenv("ST_API_DOMAIN", "http://localhost:3000")
    names = runpy.run_path(str(EXAMPLES / "tenants.py"))
    acme, school, other = (f"http://{host}:3000" for host in ("acme.localhost", "school.localhost", "localhost"))
    try:
        client = ClosingClient(validator(names["app"]))
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
    finally:
        current.set_default(None)
        names["st"].close()


def test_the_example_with_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the provider that it starts: a consent, a refusal, a code that comes back twice."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("ST_CORE", "sqlite://")
    monkeypatch.setenv("ST_API_DOMAIN", API)
    for name in ("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"):
        monkeypatch.setenv(name, name)
    monkeypatch.delenv("GOOGLE_CLIENT_ID", raising=False)
    names = runpy.run_path(str(EXAMPLES / "third_party.py"))
    try:
        client = ClosingClient(validator(names["app"]))
        methods = client.get("/auth/loginmethods").json or {}
        assert [provider["id"] for provider in methods["thirdParty"]["providers"]] == ["loopback", "github"]
        back = f"{API}/auth/callback/loopback"
        asked = {"thirdPartyId": "loopback", "redirectURIOnProviderDashboard": back}
        statuses = []
        for consent in ("no", "yes"):
            began = client.get("/auth/authorisationurl", query_string=asked).json or {}
            page = requests.get(began["urlWithQueryParams"], timeout=20)
            assert "believes what you type" in page.text
            answered = requests.post(
                f"{began['urlWithQueryParams']}&state=s",
                data={"email": "ada@example.com", "consent": consent},
                allow_redirects=False,
                timeout=20,
            )
            address = urlsplit(answered.headers["Location"])
            assert client.get(address.path, query_string=address.query).mimetype == "text/html"
            query = dict(parse_qsl(address.query))
            assert query.pop("state") == "s"
            info = {"redirectURIOnProviderDashboard": back, "redirectURIQueryParams": query}
            info["pkceCodeVerifier"] = began["pkceCodeVerifier"]
            body = {"thirdPartyId": "loopback", "redirectURIInfo": info}
            for _ in range(2):
                statuses.append((client.post("/auth/signinup", json=body, headers=COOKIES).json or {})["status"])
        assert statuses == ["GENERAL_ERROR", "GENERAL_ERROR", "OK", "GENERAL_ERROR"]
        assert client.get("/whoami").text.startswith("You are ")
    finally:
        names["provider"].shutdown()
        names["provider"].server_close()
        current.set_default(None)
        names["st"].close()
