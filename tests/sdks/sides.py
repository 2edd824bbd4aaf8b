"""Two apps of the same settings, one with an official SDK and one with ours, asked in the same words."""

from __future__ import annotations

import itertools
import json as json_module
import re
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from http.cookies import SimpleCookie
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qs, urlsplit

import requests
from attrs import field, frozen

from sdks.ours import PASSWORD, Ours, bearer, form
from sdks.peers import Peer

VERSIONS = ["1.17", "1.18", "1.19", "2.0", "3.0", "3.1", "4.0", "4.1", "4.2"]
#: The first version of each form that a response has, and the newest one.
TURNS = ["1.17", "1.18", "2.0", "3.0", "3.1", "4.2"]
MODES = ["cookie", "header"]
SESSION_HEADERS = ("front-token", "st-access-token", "st-refresh-token", "anti-csrf")
HOST = "127.0.0.1:3000"


@frozen
class SentCookie:
    """A cookie of a response, its value apart from whether it is to be forgotten."""

    key: str
    path: str
    domain: str
    http_only: bool
    secure: bool
    same_site: str
    is_deleted: bool


def sent_cookie(header: str) -> SentCookie:
    """Return the cookie of a Set-Cookie header."""
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

#: What differs from one call to the next: ids, tokens and handles, times in milliseconds, the users of a test.
MASKS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(_[\w-]+)?"), "<id>"),
    (re.compile(r"(?<![\w.])1[0-9]{12}(?![\w.])"), "0"),
    (re.compile(r"[0-9a-f]{32}@"), "<user>@"),
    (re.compile(r'(?<=")[A-Za-z0-9+/_-]{43}=?(?=")'), "<device>"),
)


def masked(value: Any) -> Any:
    """Return a JSON value without what differs from one call to the next."""
    text = json_module.dumps(value, sort_keys=True)
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return json_module.loads(text)


def without_words(status: int, body: Any) -> Any:
    """
    Return a body without its words for people, which the official SDKs do not have in common either.

    These are the texts of field errors, reasons, and what is wrong with a malformed request. Neither the order of field
    errors nor that of first factors tells anything.
    """
    if isinstance(body, dict) and body.get("status") == "FIELD_ERROR":
        return {**body, "formFields": sorted(error["id"] for error in body["formFields"] if error["error"])}
    if isinstance(body, dict) and "firstFactors" in body:
        return {**body, "firstFactors": sorted(body["firstFactors"])}
    if isinstance(body, dict) and body.get("reason"):
        return {**body, "reason": "..."}
    if status == 400 and isinstance(body, dict) and list(body) == ["message"] and body["message"]:
        return {"message": "..."}
    return body


@frozen
class Answer:
    """
    What a frontend sees of a response, apart from ids and times.

    :param tokens: the session headers: "new", or "remove", or "".
    :param exposed: the headers that scripts of another origin may read.
    :param cookies: by name; those that are deleted in places where the SDKs set none are left out.
    :param held: the tokens of the response, to go on with.
    :param raw: the body as it came.
    """

    status: int
    body: Any
    content_type: str
    tokens: dict[str, str]
    exposed: frozenset[str]
    cookies: dict[str, SentCookie]
    cache_control: str | None = field(eq=False)  # see test_side_by_side
    held: dict[str, str] = field(eq=False, repr=False)
    raw: Any = field(eq=False, repr=False)


def answer_of(status: int, content: bytes, headers: Mapping[str, str], cookies: list[str]) -> Answer:
    """Return what a frontend sees of a response."""
    content_type = headers.get("Content-Type", "").replace(" ", "").lower()
    is_json = content_type.startswith("application/json")
    sent = [sent_cookie(header) for header in cookies]
    held = {name: headers[name] for name in SESSION_HEADERS if name in headers}
    values = {key: morsel.coded_value for header in cookies for key, morsel in SimpleCookie(header).items()}
    return Answer(
        status=status,
        body=without_words(status, masked(json_module.loads(content))) if is_json else "no JSON",
        content_type=content_type.removesuffix(";charset=utf-8"),
        tokens={name: value if value in ("", "remove") else "new" for name, value in held.items()},
        exposed=frozenset(
            name.strip().lower() for name in headers.get("Access-Control-Expose-Headers", "").split(",") if name
        ),
        cookies={one.key: one for one in sent if (one.key, one.path) in PLACES or not one.is_deleted},
        cache_control=headers.get("Cache-Control"),
        held={**held, **values},
        raw=json_module.loads(content) if is_json else None,
    )


class Side(Protocol):
    """One of the two apps."""

    def send(
        self, path: str, *, method: str = "GET", json: object = None, data: bytes | None = None, **how: str
    ) -> Answer:
        """Send a request, with *json* or *data* as its body, and the headers that :func:`request_headers` makes."""

    def mails(self) -> list[dict[str, str]]:
        """Return the messages so far: where each went, its link and its code."""


def request_headers(
    *,
    mode: str = "cookie",
    token: str = "",
    cookie: str = "",
    fdi: str = "4.1",
    rid: str = "emailpassword",
    content_type: str = "",
) -> dict[str, str]:
    headers = {
        "st-auth-mode": mode,
        "rid": rid,
        "fdi-version": fdi,
        "Cookie": cookie,
        "Content-Type": content_type,
        **bearer(token),
    }
    return {name: value for name, value in headers.items() if value}


class OurSide:
    """The app with our SDK, called in process."""

    def __init__(self, ours: Ours) -> None:
        self._ours = ours

    def send(
        self, path: str, *, method: str = "GET", json: object = None, data: bytes | None = None, **how: str
    ) -> Answer:
        headers = {"Host": HOST, **request_headers(**how)}
        if json is not None:
            data, headers["Content-Type"] = json_module.dumps(json).encode(), "application/json"
        response = self._ours.open(method, path, data=data, headers=headers)
        sent = response.headers
        return answer_of(response.status_code, response.get_data(), dict(sent), sent.getlist("Set-Cookie"))

    def mails(self) -> list[dict[str, str]]:
        return self._ours.mails()


class TheirSide:
    """The app with an official SDK, called over HTTP."""

    def __init__(self, sdk: Peer) -> None:
        self._sdk = sdk
        self._mails: list[dict[str, str]] = []
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a visitor has its own

    def send(
        self, path: str, *, method: str = "GET", json: object = None, data: bytes | None = None, **how: str
    ) -> Answer:
        response = self._http.request(
            method, self._sdk.url + path, json=json, data=data, headers=request_headers(**how), timeout=20
        )
        cookies = response.raw.headers.getlist("Set-Cookie")
        return answer_of(response.status_code, response.content, response.headers, cookies)

    def mails(self) -> list[dict[str, str]]:
        self._mails += self._sdk.call("mails", after=len(self._mails))
        return self._mails


class Visitor:
    """A frontend of one side, which keeps the tokens of its session and sends them along."""

    def __init__(self, side: Side, *, mode: str, fdi: str = "4.1") -> None:
        self.side = side
        self.mode = mode
        self.fdi = fdi
        self.held: dict[str, str] = {}

    def send(self, path: str, *, method: str = "GET", json: object = None, rid: str = "emailpassword") -> Answer:
        """Send a request with the tokens of the session, if there is one."""
        answer = self.side.send(path, method=method, json=json, data=None, rid=rid, **self._tokens(path))
        self.held |= answer.held
        if answer.tokens.get("front-token") == "remove":
            self.held = {}
        return answer

    def post(self, path: str, json: object = None, *, rid: str = "emailpassword") -> Answer:
        """Send a POST request."""
        return self.send(path, method="POST", json=json, rid=rid)

    def sign_in(self, email: str, password: str = PASSWORD) -> Answer:
        """Sign in."""
        return self.post("/auth/signin", form(email, password))

    def _tokens(self, path: str) -> dict[str, str]:
        refreshes = path.endswith("/session/refresh")
        how = {"mode": self.mode, "fdi": self.fdi}
        if self.mode == "header":
            return {**how, "token": self.held.get("st-refresh-token" if refreshes else "st-access-token", "")}
        names = ("sAccessToken", "sRefreshToken") if refreshes else ("sAccessToken",)
        return {**how, "cookie": "; ".join(f"{name}={self.held[name]}" for name in names if name in self.held)}


Steps: TypeAlias = Iterator[tuple[str, Answer]]
"""A journey: answers in their order. Each has a name, so that a difference says where it is."""


def different_steps(mine: Steps, theirs: Steps, *, but_crashes: bool = False) -> dict[str, str]:
    """
    Take both journeys step by step, and return what differs by the names of the steps.

    :param but_crashes: leave out what the official SDK crashes at (500) and ours does not.
    """
    both = itertools.zip_longest(mine, theirs, fillvalue=("", None))
    return {
        step or their_step: f"\n  {answer}\n  {other}"
        for (step, answer), (their_step, other) in both
        if (step, answer) != (their_step, other) and not (but_crashes and is_crash(answer, other))
    }


def is_crash(mine: Answer | None, theirs: Answer | None) -> bool:
    """Return whether the official SDK crashed where ours did not."""
    return mine is not None and theirs is not None and mine.status < 500 and theirs.status == 500


def sending(body: object, path: str = "/auth/signin", **how: str) -> dict[str, Any]:
    """Return a POST request with a JSON body."""
    data = json_module.dumps(body).encode()
    return {"path": path, "method": "POST", "data": data, "content_type": "application/json", **how}


def parts_of(link: str) -> dict[str, str]:
    """Return what the page that a link of passwordless leads to sends."""
    address = urlsplit(link)
    return {"preAuthSessionId": parse_qs(address.query)["preAuthSessionId"][0], "linkCode": address.fragment}
