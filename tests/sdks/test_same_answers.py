"""A frontend cannot tell an app with an official SDK from one with ours: the same request gets the same answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from sdks.ours import Ours, form
from sdks.peers import Peer
from sdks.sides import Answer, OurSide, TheirSide

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
    "refresh with an unknown token": {"method": "POST", "path": "/auth/session/refresh", "token": "junk"},
    "sign out without a session": {"method": "POST", "path": "/auth/signout"},
    "a protected route without a session": {"path": "/sessioninfo"},
    "a protected route with an unknown token": {"path": "/sessioninfo", "token": "junk"},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_single_request(sdk: Peer, ours: Ours, case: dict[str, Any]) -> None:
    ours.post("/auth/signup", form(TAKEN))
    assert OurSide(ours).send(**case) == TheirSide(sdk).send(**case)


#: Sends a request to one of the two sides.
Send = Callable[..., Answer]


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
    assert story(OurSide(ours).send) == story(TheirSide(sdk).send)


def test_the_front_token_tells_the_frontend_the_same(sdk: Peer, ours: Ours) -> None:
    """All members, of the same types."""
    ours.post("/auth/signup", form(TAKEN))
    mine, theirs = (
        json.loads(base64.b64decode(sign_in(side, "header")["front-token"]))
        for side in (OurSide(ours).send, TheirSide(sdk).send)
    )
    types = [{name: type(value) for name, value in token.items()} for token in (mine, theirs, mine["up"], theirs["up"])]
    assert types[0] == types[1]
    assert types[2] == types[3]
    assert (mine["uid"], mine["up"]["iss"]) == (theirs["uid"], theirs["up"]["iss"])
    assert mine["ate"] == mine["up"]["exp"] * 1000
    assert theirs["ate"] == theirs["up"]["exp"] * 1000
