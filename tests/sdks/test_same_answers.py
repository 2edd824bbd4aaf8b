"""A frontend cannot tell an app with an official SDK from one with ours: the same request gets the same answer."""

from __future__ import annotations

from collections.abc import Mapping
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


def answer_facts(status: int, body: Any, headers: Mapping[str, str], cookies: list[str]) -> dict[str, Any]:
    """What a frontend sees of an answer: tokens as "new", "remove" or "", times of expiry as future or past."""
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
        "cookies": {cookie.key: cookie for cookie in map(sent_cookie, cookies)},
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
def test_a_frontend_sees_no_difference(sdk: Peer, ours: Ours, case: dict[str, Any]) -> None:
    """The same request gets the same answer from their routes and from ours."""
    ours.post("/auth/signup", form(TAKEN))
    request = {"method": "GET", "mode": "cookie", "json": None, "token": "", "fdi": "4.1", **case}
    headers = {
        "st-auth-mode": request["mode"],
        "rid": "emailpassword",
        "fdi-version": request["fdi"],
        **bearer(request["token"]),
    }
    theirs = requests.request(
        request["method"], sdk.url + request["path"], json=request["json"], headers=headers, timeout=20
    )
    mine = ours.open(request["method"], request["path"], json=request["json"], headers=headers)
    assert answer_facts(
        mine.status_code, mine.json, dict(mine.headers), mine.headers.getlist("Set-Cookie")
    ) == answer_facts(theirs.status_code, theirs.json(), theirs.headers, theirs.raw.headers.getlist("Set-Cookie"))
