"""
The same requests to an app on the official Python SDK and to one on ours get the same responses.

Compared are status, JSON, session headers, exposed headers, cookies and the content type of every response, with ids
and times masked. What differs on purpose is listed with its reason, and has to differ.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sampling import exhaustive_but

from sdks.ours import PASSWORD, Ours, form
from sdks.peers import Peer
from sdks.sides import MODES, VERSIONS, OurSide, Side, Steps, TheirSide, Visitor, different_steps, sending

pytestmark = pytest.mark.parametrize("sdk", ["python"], indirect=True)

NEW_PASSWORD = "another horse 2"


@pytest.fixture
def sides(sdk: Peer, ours: Ours) -> tuple[Side, Side]:
    """Our side and theirs."""
    return OurSide(ours), TheirSide(sdk)


def token_in_mail(side: Side, email: str) -> str:
    """Return the token in the newest mail to an address."""
    links = [mail["link"] for mail in side.mails() if mail["to"] == email]
    return parse_qs(urlsplit(links[-1]).query)["token"][0]


def only(name: str, value: object) -> dict[str, Any]:
    return {"formFields": [{"id": name, "value": value}]}


def signing_up_and_in(visitor: Visitor, email: str) -> Steps:
    """Everything that emailpassword and session have for a user with a password."""
    yield "weak password", visitor.post("/auth/signup", form(email, "short"))
    yield "no e-mail", visitor.post("/auth/signup", form("no address", PASSWORD))
    yield "both", visitor.post("/auth/signup", form("no address", "x"))
    yield "password without digits", visitor.post("/auth/signup", form(email, "only letters"))
    yield "password without letters", visitor.post("/auth/signup", form(email, "12345678"))
    yield "password too long", visitor.post("/auth/signup", form(email, "a1" * 60))
    yield "ways to sign in", visitor.send("/auth/loginmethods")
    yield "free", visitor.send(f"/auth/emailpassword/email/exists?email={email}")
    yield "sign up", visitor.post("/auth/signup", form(f" {email} "))
    yield "taken", visitor.send(f"/auth/emailpassword/email/exists?email={email}")
    yield "taken, older path", visitor.send(f"/auth/signup/email/exists?email={email}")
    yield "taken, with tenant", visitor.send(f"/auth/public/emailpassword/email/exists?email={email.upper()}")
    yield "sign up again", visitor.post("/auth/signup", form(email))
    fake = email.replace("example.com", "stfakeemail.supertokens.com")
    yield "an address that stands for none", Visitor(visitor.side, mode=visitor.mode).post("/auth/signup", form(fake))
    yield "the same, signing in", Visitor(visitor.side, mode=visitor.mode).sign_in(fake)
    yield "protected", visitor.send("/sessioninfo")
    yield "refresh", visitor.post("/auth/session/refresh", rid="session")
    yield "protected after refresh", visitor.send("/sessioninfo")
    yield "sign out", visitor.post("/auth/signout", rid="session")
    yield "sign out again", visitor.post("/auth/signout")
    yield "refresh without a session", visitor.post("/auth/session/refresh")
    yield "wrong password", visitor.sign_in(email, "wrong 1 password")
    yield "no such user", visitor.sign_in(f"nobody-{email}")
    yield "sign in", visitor.sign_in(email)
    yield "sign in with a session", visitor.sign_in(email)
    yield "sign out afterwards", visitor.post("/auth/signout")
    yield "sign in, with tenant", visitor.post("/auth/public/signin", form(email.upper()))
    yield "sign out with tenant", visitor.post("/auth/public/signout")
    yield "sign in, another rid", visitor.post("/auth/signin", form(email), rid="thirdpartyemailpassword")


def resetting_a_password(visitor: Visitor, email: str) -> Steps:
    """The reset routes, and what the passwords are worth before and after."""
    yield "sign up", visitor.post("/auth/signup", form(email))
    yield "sign out", visitor.post("/auth/signout")
    yield "mail for an unknown address", visitor.post("/auth/user/password/reset/token", only("email", f"no-{email}"))
    yield "mail for no address", visitor.post("/auth/user/password/reset/token", only("email", "no address"))
    yield "mail", visitor.post("/auth/user/password/reset/token", only("email", email))
    token = token_in_mail(visitor.side, email)
    reset = "/auth/user/password/reset"
    yield "unknown token", visitor.post(reset, {**only("password", NEW_PASSWORD), "method": "token", "token": "junk"})
    yield "weak password", visitor.post(reset, {**only("password", "short"), "method": "token", "token": token})
    yield "reset", visitor.post(reset, {**only("password", NEW_PASSWORD), "method": "token", "token": token})
    yield "used token", visitor.post(reset, {**only("password", NEW_PASSWORD), "method": "token", "token": token})
    yield "old password", visitor.sign_in(email)
    yield "new password", visitor.sign_in(email, NEW_PASSWORD)
    # The user has read the mail, so the address is theirs.
    yield "verified by the reset", visitor.send("/auth/user/email/verify", rid="emailverification")


def verifying_an_address(visitor: Visitor, email: str) -> Steps:
    """The routes of emailverification, with a session and without."""
    verify = "/auth/user/email/verify"
    yield "state without a session", visitor.send(verify)
    yield "mail without a session", visitor.post(f"{verify}/token")
    yield "sign up", visitor.post("/auth/signup", form(email))
    yield "state", visitor.send(verify, rid="emailverification")
    yield "mail", visitor.post(f"{verify}/token", rid="emailverification")
    token = token_in_mail(visitor.side, email)
    yield "unknown token", visitor.post(verify, {"method": "token", "token": "junk"})
    yield "verify", visitor.post(verify, {"method": "token", "token": token}, rid="emailverification")
    yield "used token", visitor.post(verify, {"method": "token", "token": token})
    yield "state afterwards", visitor.send(verify)
    yield "mail afterwards", visitor.post(f"{verify}/token")
    yield "protected afterwards", visitor.send("/sessioninfo")


def verifying_in_another_browser(visitor: Visitor, email: str) -> Steps:
    """The link is opened where there is no session; the first browser learns of it when it asks."""
    verify = "/auth/user/email/verify"
    yield "sign up", visitor.post("/auth/signup", form(email))
    yield "mail", visitor.post(f"{verify}/token")
    other = Visitor(visitor.side, mode=visitor.mode, fdi=visitor.fdi)
    token = token_in_mail(visitor.side, email)
    yield "verify", other.post(f"/auth/public{verify.removeprefix('/auth')}", {"method": "token", "token": token})
    yield "mail afterwards", visitor.post(f"{verify}/token")
    yield "state afterwards", visitor.send(verify)


def a_stolen_refresh_token(visitor: Visitor, email: str) -> Steps:
    """A thief comes with a refresh token that was exchanged before; then the session ends for both."""
    refresh = "/auth/session/refresh"
    yield "sign up", visitor.post("/auth/signup", form(email))
    thief = Visitor(visitor.side, mode=visitor.mode, fdi=visitor.fdi)
    thief.held = dict(visitor.held)
    yield "refresh", visitor.post(refresh)
    yield "protected", visitor.send("/sessioninfo")
    yield "theft", thief.post(refresh)
    yield "refresh afterwards", visitor.post(refresh)
    yield "protected without a session", visitor.send("/sessioninfo")


JOURNEYS: list[Callable[[Visitor, str], Steps]] = [
    signing_up_and_in,
    resetting_a_password,
    verifying_an_address,
    verifying_in_another_browser,
    a_stolen_refresh_token,
]


#: The routes of the others have the same bodies in all versions. How tokens travel does not depend on the version, so
#: the newest one is tried both ways, and the older ones by turns.
RUNS = [
    (journey, fdi, mode)
    for journey in JOURNEYS
    for place, fdi in enumerate(VERSIONS if journey is signing_up_and_in else ["1.17", "3.0", "4.2"])
    for mode in (MODES if fdi == VERSIONS[-1] else [MODES[place % 2]])
]

#: From a journey, its step, and the versions in which that differs on purpose, to the reason.
STEPS_ON_PURPOSE = {
    (signing_up_and_in, "sign in with a session", ("1.17", "1.18", "1.19", "2.0", "3.0")): (
        "Every sign-in gives a new session. The official SDK keeps the session that came along if it is of the same "
        "login method, and before that answers 401 if its access token has expired."
    ),
}


@pytest.mark.parametrize(
    ("journey", "fdi", "mode"),
    exhaustive_but(RUNS, [RUNS[0], *(run for run in RUNS if run[1] == VERSIONS[-1])]),
    ids=[f"{journey.__name__} {fdi} {mode}" for journey, fdi, mode in RUNS],
)
def test_a_journey(sides: tuple[Side, Side], journey: Callable[[Visitor, str], Steps], mode: str, fdi: str) -> None:
    mine, theirs = (journey(Visitor(side, mode=mode, fdi=fdi), f"{uuid.uuid4().hex}@example.com") for side in sides)
    on_purpose = {step for of, step, versions in STEPS_ON_PURPOSE if of is journey and fdi in versions}
    different = different_steps(mine, theirs)
    assert different.keys() == on_purpose, different


EMAIL, STRONG = "a@example.com", {"id": "password", "value": PASSWORD}
ADDRESS = {"id": "email", "value": EMAIL}


def fields(*items: object) -> bytes:
    return json.dumps({"formFields": items, "method": "token", "token": "junk"}).encode()


#: Bodies that no frontend sends, of routes with a form.
BODIES: dict[str, bytes | None] = {
    "nothing": None,
    "an empty text": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "an empty list as fields": fields(),
    "null": b"null",
    "a text": b'"text"',
    "a number": b"7",
    "an empty object": b"{}",
    "fields that are null": b'{"formFields": null}',
    "fields that are a text": b'{"formFields": "text"}',
    "fields that are an object": b'{"formFields": {"id": "email", "value": "x"}}',
    "fields that are numbers": fields(1, 2),
    "fields that are null each": fields(None, None),
    "a field without id": fields({"value": EMAIL}, STRONG),
    "a field without value": fields({"id": "email"}, STRONG),
    "an id that is a number": fields({"id": 1, "value": EMAIL}, STRONG),
    "an e-mail that is null": fields({"id": "email", "value": None}, STRONG),
    "an e-mail that is a number": fields({"id": "email", "value": 7}, STRONG),
    "an e-mail that is a list": fields({"id": "email", "value": [EMAIL]}, STRONG),
    "a password that is null": fields(ADDRESS, {"id": "password", "value": None}),
    "a password that is true": fields(ADDRESS, {"id": "password", "value": True}),
    "an empty e-mail": fields({"id": "email", "value": ""}, STRONG),
    "an empty password": fields(ADDRESS, {"id": "password", "value": ""}),
    "white space for an e-mail": fields({"id": "email", "value": " "}, STRONG),
    "no password": fields(ADDRESS),
    "no e-mail": fields(STRONG),
    "an unknown field beside": fields(ADDRESS, STRONG, {"id": "more", "value": "x"}),
    "an unknown field instead": fields(ADDRESS, {"id": "more", "value": "x"}),
    "a field twice": fields(ADDRESS, ADDRESS),
    "a control character": fields({"id": "email", "value": "a\u0000@example.com"}, STRONG),
    "a lone surrogate": b'{"formFields": [{"id": "email", "value": "\\ud800@example.com"}]}',
    "no UTF-8": b'{"formFields": "\xff"}',
    "a number that is none": b'{"formFields": NaN}',
    "a name twice": b'{"formFields": [], "formFields": 1}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "deeply nested": b"[" * 5_000 + b"]" * 5_000,
    "a token that is a number": json.dumps({"formFields": [STRONG], "method": "token", "token": 1}).encode(),
    "a token that is null": json.dumps({"formFields": [STRONG], "method": "token", "token": None}).encode(),
    "no token": json.dumps({"formFields": [STRONG], "method": "token"}).encode(),
    "another method": json.dumps({"formFields": [STRONG], "method": "other", "token": "junk"}).encode(),
    "a flag that is a text": json.dumps({"formFields": [], "shouldTryLinkingWithSessionUser": "yes"}).encode(),
    "a flag without a session": json.dumps(
        {"formFields": [ADDRESS, STRONG], "shouldTryLinkingWithSessionUser": True}
    ).encode(),
}

PATHS = [
    "/auth/signup",
    "/auth/signin",
    "/auth/user/password/reset/token",
    "/auth/user/password/reset",
    "/auth/user/email/verify",
    "/auth/session/refresh",
    "/auth/signout",
]


#: The bodies that we refuse, and the official SDK does not or not in this way, with the reason.
STRICTER = {
    **dict.fromkeys(
        ["a number", "fields that are numbers", "fields that are null each"],
        "The official SDK crashes: 500.",
    ),
    **dict.fromkeys(
        ["nothing", "an empty text", "no JSON", "a list", "a text", "no UTF-8", "a byte order mark", "deeply nested"],
        "What is no JSON object is malformed; the official SDK takes it for an empty form, or crashes.",
    ),
    **dict.fromkeys(
        ["an empty object", "a token that is a number", "a token that is null", "no token", "another method"],
        "A form is missing, or has other fields than the page sends; the official SDK says which fields are empty.",
    ),
    **dict.fromkeys(
        ["an unknown field instead", "a field twice", "no e-mail", "no password"],
        "Fields that the form does not have are malformed, also in the place of those that it has.",
    ),
    "a control character": "Two accounts would look like one, so such an address is a field error.",
    "a lone surrogate": "It is in no text that can be stored or compared; the official SDK stores or crashes.",
    "a flag that is a text": "Only a boolean says whether accounts are to be linked.",
}


def test_bodies_that_no_frontend_sends(sides: tuple[Side, Side]) -> None:
    different: dict[str, list[str]] = {}
    for path, (name, body) in itertools.product(PATHS, BODIES.items()):
        mine, theirs = (side.send(path, method="POST", data=body, content_type="application/json") for side in sides)
        assert mine.status in (200, 400, 401), (path, name)
        if mine != theirs:
            different.setdefault(name, []).append(f"{path}: {mine.status} {mine.body}, {theirs.status} {theirs.body}")
            assert mine.status == 400 or mine.body.get("status") == "FIELD_ERROR", (path, name)
    assert different.keys() == STRICTER.keys(), {
        name: different.get(name) for name in different.keys() ^ STRICTER.keys()
    }


REQUESTS: dict[str, dict[str, Any]] = {
    "no e-mail in the query": {"path": "/auth/emailpassword/email/exists"},
    "two e-mails in the query": {"path": "/auth/emailpassword/email/exists?email=a@b.example&email=c@d.example"},
    "an empty e-mail in the query": {"path": "/auth/emailpassword/email/exists?email="},
    "an e-mail in the query that is none": {"path": "/auth/emailpassword/email/exists?email=x"},
    "an older path without an e-mail": {"path": "/auth/signup/email/exists"},
    "a tenant that does not exist": {"path": "/auth/nowhere/emailpassword/email/exists?email=a@b.example"},
    "the form of another site": sending(form(EMAIL), content_type="text/plain"),
    "no content type": sending(form(EMAIL), content_type=""),
    "a slash behind the path": sending(form(EMAIL), "/auth/signin/"),
    "a recipe that does not have the route": sending(form(EMAIL), rid="session"),
    "a recipe that there is not": sending(form(EMAIL), rid="webauthn"),
    "versions that are none": sending(form(EMAIL), fdi="none"),
    "a state with an unknown token": {"path": "/auth/user/email/verify", "token": "junk"},
    "a mail with an unknown token": {"path": "/auth/user/email/verify/token", "method": "POST", "token": "junk"},
    "verifying with an unknown token": sending(
        {"method": "token", "token": "junk"}, "/auth/user/email/verify", token="junk"
    ),
    "signing out with an unknown token": {"path": "/auth/signout", "method": "POST", "token": "junk"},
    "signing out with an unknown cookie": {"path": "/auth/signout", "method": "POST", "cookie": "sAccessToken=junk"},
    "a refresh with an unknown cookie": sending({}, "/auth/session/refresh", cookie="sRefreshToken=junk"),
    "the keys": {"path": "/auth/jwt/jwks.json"},
    "the discovery document": {"path": "/auth/.well-known/openid-configuration"},
}

REQUESTS_ON_PURPOSE = {
    "two e-mails in the query": "It is not clear which one is meant; the official SDK takes the first.",
    "a tenant that does not exist": "The client is wrong, so it is 400; the official SDK crashes: 500.",
    "the form of another site": "Only JSON is read, which no form of another site can send.",
    "no content type": "As before.",
    "versions that are none": "Entries that are no versions are skipped; the official SDK crashes: 500.",
    "the discovery document": "The protocol's document has no status; the official SDK adds one.",
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request(sides: tuple[Side, Side], name: str) -> None:
    mine, theirs = (side.send(**REQUESTS[name]) for side in sides)
    assert (mine == theirs) is (name not in REQUESTS_ON_PURPOSE), f"{mine}\n{theirs}"


def test_responses_with_tokens_are_not_cached(sides: tuple[Side, Side]) -> None:
    """On purpose: a cache that keeps a response with tokens gives one user's session to another."""
    caching = []
    for side in sides:
        visitor = Visitor(side, mode="header")
        caching.append(visitor.post("/auth/signup", form(f"{uuid.uuid4().hex}@example.com")).cache_control)
        caching.append(visitor.post("/auth/session/refresh").cache_control)
    assert caching == ["no-store", "no-store", None, None]
