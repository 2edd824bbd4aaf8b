"""A frontend cannot tell an app with an official SDK from one with ours: the same request gets the same answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from typing import Any

import pytest
import requests
from attrs import frozen

from sdks.ours import Ours, bearer, form
from sdks.peers import Peer

SESSION_HEADERS = ("front-token", "st-access-token", "st-refresh-token", "anti-csrf")


@frozen
class SentCookie:
    """A cookie of an answer, its value apart from whether it is to be forgotten."""

    key: str
    path: str
    domain: str
    http_only: bool
    secure: bool
    same_site: str
    is_deleted: bool


def sent_cookie(header: str) -> SentCookie:
    """The cookie of a Set-Cookie header."""
    key, morsel = next(iter(SimpleCookie(header).items()))
    return SentCookie(
        key=key,
        path=morsel["path"],
        domain=morsel["domain"],
        http_only=bool(morsel["httponly"]),
        secure=bool(morsel["secure"]),
        same_site=morsel["samesite"].lower(),
        is_deleted=morsel.value == "" and "1970" in morsel["expires"],
    )


#: The only places where the SDKs keep cookies. Ours clears others too when a browser sent them.
PLACES = {("sAccessToken", "/"), ("sRefreshToken", "/auth/session/refresh")}


def answer_facts(status: int, body: Any, headers: Mapping[str, str], cookies: list[str]) -> dict[str, Any]:
    """
    Return what a frontend sees of a response: tokens as "new", "remove" or "", times of expiry as future or past.

    Cookies that are deleted in places where the SDKs set none are left out.
    """
    exposed = headers.get("Access-Control-Expose-Headers", "")
    return {
        "status": status,
        "body": body,
        "tokens": {
            name: value if (value := headers[name]) in ("", "remove") else "new"
            for name in SESSION_HEADERS
            if name in headers
        },
        "exposed": {name.strip() for name in exposed.split(",") if name},
        "cookies": {
            cookie.key: cookie
            for cookie in map(sent_cookie, cookies)
            if (cookie.key, cookie.path) in PLACES or not cookie.is_deleted
        },
    }


TAKEN = "taken@example.com"

CASES: dict[str, dict[str, Any]] = {
    "an address that is taken": {"method": "POST", "path": "/auth/signup", "json": form(TAKEN)},
    "a field left out": {
        "method": "POST",
        "path": "/auth/signup",
        "json": {"formFields": form("a@b.example")["formFields"][:1]},
    },
    "fields that are no list": {"method": "POST", "path": "/auth/signup", "json": {"formFields": "x"}},
    "a wrong password": {"method": "POST", "path": "/auth/signin", "json": form(TAKEN, "wrong 1 password")},
    "a password too short to be one": {"method": "POST", "path": "/auth/signin", "json": form(TAKEN, "x")},
    "sign in, cookies": {"method": "POST", "path": "/auth/signin", "json": form(TAKEN), "mode": "cookie"},
    "sign in, headers": {"method": "POST", "path": "/auth/signin", "json": form(TAKEN), "mode": "header"},
    "sign in, no wish": {"method": "POST", "path": "/auth/signin", "json": form(TAKEN), "mode": "any"},
    "sign in, FDI 1.17": {"method": "POST", "path": "/auth/signin", "json": form(TAKEN), "fdi": "1.17"},
    "sign in, FDI 1.19": {"method": "POST", "path": "/auth/signin", "json": form(TAKEN), "fdi": "1.18,1.19"},
    "sign in, FDI 2.0": {"method": "POST", "path": "/auth/signin", "json": form(TAKEN), "fdi": "2.0"},
    "sign in, FDI 3.0": {"method": "POST", "path": "/auth/signin", "json": form(TAKEN), "fdi": "1.16,2.0,3.0"},
    "an address that exists": {"path": f"/auth/emailpassword/email/exists?email={TAKEN}"},
    "an address that does not": {"path": "/auth/emailpassword/email/exists?email=free@example.com"},
    "the older path of that": {"path": f"/auth/signup/email/exists?email={TAKEN}"},
    "the same with a tenant": {"path": f"/auth/public/emailpassword/email/exists?email={TAKEN}"},
    "refresh without a token": {"method": "POST", "path": "/auth/session/refresh"},
    "refresh with a token of nobody": {"method": "POST", "path": "/auth/session/refresh", "token": "junk"},
    "sign out without a session": {"method": "POST", "path": "/auth/signout"},
    "a protected route without a session": {"path": "/sessioninfo"},
    "a protected route with a token of nobody": {"path": "/sessioninfo", "token": "junk"},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_single_request(sdk: Peer, ours: Ours, case: dict[str, Any]) -> None:
    ours.post("/auth/signup", form(TAKEN))
    assert our_side(ours)(**case).facts == their_side(sdk)(**case).facts


@frozen
class Answer:
    """What a side said: the facts to compare, and the tokens to go on with."""

    facts: dict[str, Any]
    held: dict[str, str]


#: Sends a request to one of the two sides.
Send = Callable[..., Answer]


def request_headers(
    *, mode: str = "cookie", token: str = "", cookie: str = "", fdi: str = "4.1", rid: str = "emailpassword"
) -> dict[str, str]:
    headers = {"st-auth-mode": mode, "rid": rid, "fdi-version": fdi, "Cookie": cookie, **bearer(token)}
    return {name: value for name, value in headers.items() if value}


def our_side(ours: Ours) -> Send:
    def send(path: str, *, method: str = "GET", json: object = None, **how: str) -> Answer:
        answer = ours.open(method, path, json=json, headers=request_headers(**how))
        return answer_of(answer.status_code, answer.json, dict(answer.headers), answer.headers.getlist("Set-Cookie"))

    return send


def their_side(sdk: Peer) -> Send:
    def send(path: str, *, method: str = "GET", json: object = None, **how: str) -> Answer:
        answer = requests.request(method, sdk.url + path, json=json, headers=request_headers(**how), timeout=20)
        cookies = answer.raw.headers.getlist("Set-Cookie")
        return answer_of(answer.status_code, answer.json(), answer.headers, cookies)

    return send


def answer_of(status: int, body: Any, headers: Mapping[str, str], cookies: list[str]) -> Answer:
    held = {name: headers[name] for name in SESSION_HEADERS if name in headers}
    held |= {key: morsel.coded_value for cookie in cookies for key, morsel in SimpleCookie(cookie).items()}
    return Answer(answer_facts(status, body, headers, cookies), held)


def sign_in(send: Send, mode: str) -> dict[str, str]:
    """The tokens of a new session; its cookies also as a ready ``Cookie`` header, ``cookie``."""
    held = send("/auth/signin", method="POST", json=form(TAKEN), mode=mode).held
    cookies = "; ".join(f"{name}={held[name]}" for name in ("sAccessToken", "sRefreshToken") if name in held)
    return {**held, "cookie": cookies}


def refresh_by_cookie(send: Send) -> Answer:
    return send("/auth/session/refresh", method="POST", cookie=sign_in(send, "cookie")["cookie"])


def refresh_by_header(send: Send) -> Answer:
    return send(
        "/auth/session/refresh", method="POST", mode="header", token=sign_in(send, "header")["st-refresh-token"]
    )


def refresh_with_a_cookie_of_old_sdks(send: Send) -> Answer:
    cookie = sign_in(send, "cookie")["cookie"]
    return send("/auth/session/refresh", method="POST", cookie=f"{cookie}; sIdRefreshToken=old")


def refresh_with_the_access_token(send: Send) -> Answer:
    return send("/auth/session/refresh", method="POST", token=sign_in(send, "header")["st-access-token"])


def sign_out_by_cookie(send: Send) -> Answer:
    return send("/auth/signout", method="POST", cookie=sign_in(send, "cookie")["cookie"])


def sign_out_by_header(send: Send) -> Answer:
    return send("/auth/signout", method="POST", mode="header", token=sign_in(send, "header")["st-access-token"])


def sign_out_twice(send: Send) -> Answer:
    cookie = sign_in(send, "cookie")["cookie"]
    send("/auth/signout", method="POST", cookie=cookie)
    return send("/auth/signout", method="POST", cookie=cookie)


def from_cookies_to_headers(send: Send) -> Answer:
    """Signing in by headers with a session in cookies clears the cookies."""
    cookie = sign_in(send, "cookie")["cookie"]
    return send("/auth/signin", method="POST", json=form(TAKEN), mode="header", cookie=cookie)


def from_headers_to_cookies(send: Send) -> Answer:
    token = sign_in(send, "header")["st-access-token"]
    return send("/auth/signin", method="POST", json=form(TAKEN), mode="cookie", token=token)


def protected_with_a_broken_signature(send: Send) -> Answer:
    head, payload, signature = sign_in(send, "header")["st-access-token"].split(".")
    forged = signature[:99] + ("A" if signature[99] != "A" else "B") + signature[100:]
    return send("/sessioninfo", token=f"{head}.{payload}.{forged}")


def protected_with_the_cookie_twice(send: Send) -> Answer:
    first, second = (sign_in(send, "cookie")["sAccessToken"] for _ in range(2))
    return send("/sessioninfo", cookie=f"sAccessToken={first}; sAccessToken={second}")


def protected_with_a_cookie_of_old_sdks(send: Send) -> Answer:
    return send("/sessioninfo", cookie="sIdRefreshToken=old")


@pytest.mark.parametrize(
    "story",
    [
        refresh_by_cookie,
        refresh_by_header,
        refresh_with_a_cookie_of_old_sdks,
        refresh_with_the_access_token,
        sign_out_by_cookie,
        sign_out_by_header,
        sign_out_twice,
        from_cookies_to_headers,
        from_headers_to_cookies,
        protected_with_a_broken_signature,
        protected_with_the_cookie_twice,
        protected_with_a_cookie_of_old_sdks,
    ],
    ids=lambda story: story.__name__,
)
def test_the_last_answer_of_a_story(sdk: Peer, ours: Ours, story: Callable[[Send], Answer]) -> None:
    ours.post("/auth/signup", form(TAKEN))
    assert story(our_side(ours)).facts == story(their_side(sdk)).facts


def test_the_front_token_tells_the_frontend_the_same(sdk: Peer, ours: Ours) -> None:
    """All members, apart from the claims of recipes that only their app has, of the same types."""
    ours.post("/auth/signup", form(TAKEN))
    mine, theirs = (
        json.loads(base64.b64decode(sign_in(side, "header")["front-token"]))
        for side in (our_side(ours), their_side(sdk))
    )
    for claim in ("st-ev", "st-role", "st-perm"):
        del theirs["up"][claim]
    types = [{name: type(value) for name, value in token.items()} for token in (mine, theirs, mine["up"], theirs["up"])]
    assert types[0] == types[1]
    assert types[2] == types[3]
    assert (mine["uid"], mine["up"]["iss"]) == (theirs["uid"], theirs["up"]["iss"])
    assert mine["ate"] == mine["up"]["exp"] * 1000
    assert theirs["ate"] == theirs["up"]["exp"] * 1000
