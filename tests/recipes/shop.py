"""An app with sessions, and visitors of it whose frontends keep tokens as browsers and the official SDKs do."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

from toy import Browser
from werkzeug.test import TestResponse

import st_wsgi
from st_wsgi import AppInfo, SuperTokens
from st_wsgi.core_client.transport import CoreReply, CoreRequest, Transport
from st_wsgi.delivery import Message
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session, SessionContainer
from st_wsgi.users import RecipeUserId

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PASSWORD = "correct horse 1"
QUICK = {"argon2_memory_kb": 64, "hashing_queue_size": 100}
"""Core settings with which hashing a password takes no time, and many may do it at once."""

REFRESH = "/auth/session/refresh"
API = "https://api.shop.example"
WEBSITE = "https://shop.example"


def no_mail(message: Message) -> None:
    """Send nothing, in tests that are not about mails."""


class Clock:
    """One time for a core and for those who verify its tokens; it moves when the test says so."""

    def __init__(self) -> None:
        self.milliseconds = 1_780_000_000_000

    def __call__(self) -> int:
        return self.milliseconds

    def wait(self, seconds: float) -> None:
        self.milliseconds += int(seconds * 1000)

    def session(self, **settings: Any) -> Session:
        """Return a session recipe that lives in this time."""
        milliseconds = self

        class TimedSession(Session):
            def clock(self) -> float:
                return milliseconds() / 1000

        return TimedSession(**settings)


class Borrowed(Transport):
    """A core that outlives the instances which use it, and remembers what it was asked."""

    in_process = True
    password_byte_limit: int | None = None

    def __init__(self, core: EmbeddedCore) -> None:
        self.core = core
        self.calls: list[str] = []
        self.answer: Callable[[CoreRequest], CoreReply | None] = lambda _request: None

    def send(self, request: CoreRequest, /) -> CoreReply:
        """Ask the core, unless the test answers itself."""
        self.calls.append(f"{request.method} {request.path}")
        return self.answer(request) or self.core.send(request)

    def close(self) -> None: ...


class Shop:
    """
    An app, its instance, and what its views do.

    :param clock: of the core, if the test moves it.
    :param origin: of the pages that visitors come from, as their browsers tell it.
    :param view: answers every path that is not SuperTokens' with a JSON value; by default with the visitor's user id.
    """

    def __init__(
        self,
        core: Borrowed,
        *,
        clock: Clock | None = None,
        sessions: Session | None = None,
        origin: str | None = None,
        recipes: Iterable[Recipe[Any, Any]] | None = None,
        view: Callable[[WSGIEnvironment], Any] | None = None,
        app_info: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.core = core
        self.view = view or (lambda environ: {"userId": session.get_session(environ).get_user_id()})
        about = {"app_name": "Shop", "api_domain": API, "website_domain": WEBSITE} | dict(app_info or {})
        listed = [EmailPassword(email_delivery=no_mail)] if recipes is None else list(recipes)
        self.clock = clock or Clock()
        self.origin = origin
        self.sessions = sessions or (Session() if clock is None else clock.session())
        self.st: SuperTokens = st_wsgi.init(
            app_info=AppInfo(**about), core=core, recipes=[*listed, self.sessions], **settings
        )
        self.app = validator(self.st.wrap(self.plain_app))

    def plain_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = json.dumps(self.view(environ)).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def visitor(self, mode: str = "cookie") -> Visitor:
        return Visitor(self, mode)

    def signed_in(self, mode: str = "cookie", **new: Any) -> Visitor:
        """Return a visitor with a session of a user of its own; *new* goes to ``create_new_session``."""
        visitor = Visitor(self, mode)
        visitor.start_session(**new)
        return visitor

    def during(self, visitor: Visitor, view: Callable[[WSGIEnvironment], Any], **call: Any) -> TestResponse:
        """Have a visitor come to a page with this view."""
        before, self.view = self.view, view
        try:
            return visitor.call(call.pop("method", "GET"), call.pop("path", "/page"), **call)
        finally:
            self.view = before

    def with_session(self, visitor: Visitor, view: Callable[[SessionContainer], Any], **call: Any) -> TestResponse:
        """Have a visitor come to a protected page whose view gets the session."""
        return self.during(visitor, lambda environ: view(session.get_session(environ)), **call)


class Visitor:
    """
    A person with a browser.

    :ivar cookies: from name, domain (empty for cookies of just the API's host) and path to the value as it came,
        percent-encoded. Two of one name are two cookies, as in browsers.
    :ivar tokens: ``access`` and ``refresh`` of header mode.
    :ivar front_token: what the last answer told of the session, None if there is none.
    """

    def __init__(self, shop: Shop, mode: str = "cookie") -> None:
        self.shop = shop
        self.mode = mode
        self.user_id = uuid.uuid4().hex
        self.email = f"{self.user_id}@example.com"
        self.cookies: dict[tuple[str, str, str], str] = {}
        self.tokens: dict[str, str] = {}
        self.anti_csrf: str | None = None
        self.front_token: dict[str, Any] | None = None
        self.rid: str | None = "anti-csrf"
        self.fdi_version: str | None = "4.1"

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str | None] | None = None,
        environ: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> TestResponse:
        """Send a request as the frontend would, and keep what came back. A header that is None is left out."""
        sent: dict[str, str | None] = {
            "st-auth-mode": self.mode,
            "rid": self.rid,
            "fdi-version": self.fdi_version,
            "anti-csrf": self.anti_csrf,
            "Origin": self.shop.origin,
            "Cookie": self.cookie_header(path) or None,
            "Authorization": self._authorization(path),
        }
        sent |= headers or {}
        if body is not None:
            more["json"] = body
        answer = Browser(self.shop.app, use_cookies=False).open(
            path,
            method=method,
            headers={name: value for name, value in sent.items() if value is not None},
            environ_overrides=dict(environ or {}),
            **more,
        )
        self._keep(answer)
        return answer

    def cookie_header(self, path: str) -> str:
        """Return the cookies that a browser sends to *path*: those of the longest paths first."""
        sent = [
            (-len(top), f"{name}={value}")
            for (name, _domain, top), value in self.cookies.items()
            if path == top or path.startswith(top if top.endswith("/") else f"{top}/")
        ]
        return "; ".join(cookie for _, cookie in sorted(sent, key=lambda one: one[0]))

    def start_session(self, **new: Any) -> TestResponse:
        """Have the app make a session for this visitor's user, without any recipe for signing in."""
        given = {"tenant_id": "public", "recipe_user_id": RecipeUserId(self.user_id), **new}

        def view(environ: WSGIEnvironment) -> dict[str, str]:
            made = session.create_new_session(environ, **given)
            return {"handle": made.get_handle(), "userId": made.get_user_id()}

        answer = self.shop.during(self, view, method="POST")
        assert answer.status_code == 200, answer.text
        return answer

    def sign_up(self, password: str = PASSWORD, **call: Any) -> TestResponse:
        return self.call("POST", "/auth/signup", form(email=self.email, password=password), **call)

    def sign_in(self, password: str = PASSWORD, **call: Any) -> TestResponse:
        return self.call("POST", "/auth/signin", form(email=self.email, password=password), **call)

    def refresh(self, **call: Any) -> TestResponse:
        return self.call("POST", REFRESH, **call)

    def sign_out(self, **call: Any) -> TestResponse:
        return self.call("POST", "/auth/signout", **call)

    def visit(self, method: str = "GET", **call: Any) -> TestResponse:
        return self.call(method, "/page", **call)

    @property
    def access_token(self) -> str | None:
        return self.tokens.get("access") or self._cookie("sAccessToken", "/")

    @property
    def refresh_token(self) -> str | None:
        return self.tokens.get("refresh") or self._cookie("sRefreshToken", REFRESH)

    def snapshot(self) -> Visitor:
        """Return another browser with the same tokens: another tab, or a thief."""
        other = Visitor(self.shop, self.mode)
        other.user_id, other.email = self.user_id, self.email
        other.cookies, other.tokens = dict(self.cookies), dict(self.tokens)
        other.anti_csrf, other.front_token, other.rid = self.anti_csrf, self.front_token, self.rid
        return other

    def _cookie(self, name: str, path: str) -> str | None:
        values = [value for (known, _domain, top), value in self.cookies.items() if (known, top) == (name, path)]
        return values[-1] if values else None

    def _authorization(self, path: str) -> str | None:
        token = self.tokens.get("refresh" if path == REFRESH else "access")
        return f"Bearer {token}" if token else None

    def _keep(self, answer: TestResponse) -> None:
        for line in answer.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                key = name, morsel["domain"].lstrip("."), morsel["path"]
                self.cookies.pop(key, None)
                if "1970" not in morsel["expires"]:
                    self.cookies[key] = morsel.value
        for header, name in (("st-access-token", "access"), ("st-refresh-token", "refresh")):
            if self.mode == "header" and header in answer.headers:
                self.tokens[name] = answer.headers[header]
        if "anti-csrf" in answer.headers:
            self.anti_csrf = answer.headers["anti-csrf"]
        if "front-token" in answer.headers:
            self.front_token = front_token_of(answer)


def form(**fields: Any) -> dict[str, Any]:
    """Return the body of a form."""
    return {"formFields": [{"id": name, "value": value} for name, value in fields.items()]}


def front_token_of(answer: TestResponse) -> dict[str, Any] | None:
    """Return what an answer tells of the session, None if it says that there is none any more."""
    text = answer.headers["front-token"]
    if text == "remove":
        return None
    told: dict[str, Any] = json.loads(base64.b64decode(text, validate=True))
    return told


def payload_of(token: str) -> dict[str, Any]:
    """Return the claims of a token, unverified."""
    middle = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return claims


def header_of(token: str) -> dict[str, Any]:
    """Return the header of a token, unverified."""
    return payload_of("." + token.split(".", maxsplit=1)[0])


def cookies_of(answer: TestResponse) -> dict[str, str]:
    """
    Return the Set-Cookie lines of a response by cookie name: those with the app's own cookie domain.

    After the line for its own domain, the app may clear cookies of that name with other domains.
    """
    found: dict[str, str] = {}
    for line in answer.headers.getlist("Set-Cookie"):
        name = line.partition("=")[0]
        if name in found:
            assert line.startswith(f"{name}=; Expires=Thu, 01 Jan 1970"), line
        found.setdefault(name, line)
    return found


def clears(answer: TestResponse, transport: str) -> bool:
    """Return whether an answer makes the frontend forget the tokens of one transport, and with them the session."""
    if answer.headers.get("front-token") != "remove":
        return False
    if transport == "header":
        return [answer.headers.get(name) for name in ("st-access-token", "st-refresh-token")] == ["", ""]
    gone = {
        line.partition("=")[0]
        for line in answer.headers.getlist("Set-Cookie")
        if "=;" in line and "Expires=Thu, 01 Jan 1970 00:00:00 GMT" in line
    }
    return gone >= {"sAccessToken", "sRefreshToken"}


def clears_nothing(answer: TestResponse) -> bool:
    """Return whether an answer leaves all tokens where they are."""
    names = {"front-token", "st-access-token", "st-refresh-token", "set-cookie"}
    return not names & {name.lower() for name, _ in answer.headers}
