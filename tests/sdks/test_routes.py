"""The routes that the official SDKs serve with Express and Flask work on our core, with cookies and with headers."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sdks.peers import Peer

PASSWORD = "correct horse 1"


class Browser:
    """What a frontend keeps between requests: cookies, or the tokens from the headers."""

    def __init__(self, url: str, mode: str) -> None:
        self.url = url
        self.mode = mode
        self.http = requests.Session()
        self.http.headers.update({"st-auth-mode": mode, "rid": "session", "fdi-version": "4.1"})
        self.access = ""
        self.refresh = ""

    def send(self, method: str, path: str, *, token: str = "", body: object = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.http.request(method, self.url + path, headers=headers, json=body, timeout=20)
        self.access = answer.headers.get("st-access-token", self.access)
        self.refresh = answer.headers.get("st-refresh-token", self.refresh)
        return answer

    def post_form(self, path: str, email: str, password: str) -> requests.Response:
        fields = [{"id": "email", "value": email}, {"id": "password", "value": password}]
        return self.send("POST", path, body={"formFields": fields})

    def session_info(self) -> requests.Response:
        return self.send("GET", "/sessioninfo", token=self.access)

    def refresh_session(self) -> requests.Response:
        return self.send("POST", "/auth/session/refresh", token=self.refresh)

    def held(self) -> Any:
        """The refresh token or cookie that a thief could copy now."""
        return self.refresh if self.mode == "header" else self.http.cookies.copy()

    def take(self, stolen: Any) -> None:
        if self.mode == "header":
            self.refresh = stolen
        else:
            self.http.cookies = stolen


@pytest.fixture(params=["cookie", "header"])
def browser(request: pytest.FixtureRequest, sdk: Peer) -> Iterator[Browser]:
    """A frontend that keeps its session in cookies, then one that keeps it in headers."""
    made = Browser(sdk.url, request.param)
    with made.http:
        yield made


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def front_token(answer: requests.Response) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.b64decode(answer.headers["front-token"]))
    return decoded


def test_sign_up_then_protected_route_then_sign_out(browser: Browser, email: str) -> None:
    made = browser.post_form("/auth/signup", email, PASSWORD)
    assert made.json()["status"] == "OK"
    user_id = made.json()["user"]["id"]
    assert front_token(made)["uid"] == user_id
    info = browser.session_info()
    assert info.status_code == 200
    assert info.json()["userId"] == user_id
    out = browser.send("POST", "/auth/signout", token=browser.access)
    assert out.json() == {"status": "OK"}
    assert out.headers["front-token"] == "remove"
    assert browser.session_info().status_code == 401


def test_sign_up_twice_is_an_error_of_the_email_field(browser: Browser, email: str) -> None:
    browser.post_form("/auth/signup", email, PASSWORD)
    again = browser.post_form("/auth/signup", email, PASSWORD).json()
    assert again["status"] == "FIELD_ERROR"
    assert [field["id"] for field in again["formFields"]] == ["email"]
    exists = browser.send("GET", f"/auth/emailpassword/email/exists?email={email}").json()
    assert exists == {"status": "OK", "exists": True}


def test_sign_in_with_the_right_and_a_wrong_password(browser: Browser, email: str) -> None:
    browser.post_form("/auth/signup", email, PASSWORD)
    assert browser.post_form("/auth/signin", email, "wrong 1 password").json() == {"status": "WRONG_CREDENTIALS_ERROR"}
    assert browser.post_form("/auth/signin", email, PASSWORD).json()["status"] == "OK"
    assert browser.session_info().status_code == 200


def test_refresh_gives_new_tokens_for_the_same_session(browser: Browser, email: str) -> None:
    browser.post_form("/auth/signup", email, PASSWORD)
    handle = browser.session_info().json()["sessionHandle"]
    renewed = browser.refresh_session()
    assert renewed.status_code == 200
    assert front_token(renewed)["up"]["sessionHandle"] == handle
    assert browser.session_info().json()["sessionHandle"] == handle


def test_a_thief_with_an_old_refresh_token_ends_the_session_for_both(browser: Browser, email: str) -> None:
    browser.post_form("/auth/signup", email, PASSWORD)
    stolen = browser.held()
    assert browser.refresh_session().status_code == 200
    assert browser.session_info().status_code == 200
    owners = browser.held()
    browser.take(stolen)
    theft = browser.refresh_session()
    assert theft.status_code == 401
    assert theft.json()["message"] == "token theft detected"
    browser.take(owners)
    assert browser.refresh_session().status_code == 401


def test_refresh_without_a_token_is_unauthorised(browser: Browser) -> None:
    assert browser.refresh_session().status_code == 401
