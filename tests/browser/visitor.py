"""A person with a browser: one profile, one or more tabs, and a record of what went over the wire."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Error, Page, Request, ViewportSize, WebError

PASSWORD = "correct horse 1"

#: Milliseconds that anything in the page may take; a sign-up hashes a password.
LIMIT = 60_000

#: What a page has of the screen, unless a test says otherwise.
WINDOW: ViewportSize = {"width": 1280, "height": 720}


class Tab:
    """One tab on the test page: the functions of its ``window.frontend``."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def run(self, function: str, *arguments: object) -> Any:
        """The result of ``frontend.<function>(...arguments)``; the SDK's promises are awaited, but not for ever."""
        return self.evaluate(f"(given) => window.frontend.{function}(...given)", list(arguments))

    def evaluate(self, function: str, argument: object = None) -> Any:
        """What the JavaScript function gives for the argument; an error after ``LIMIT``, where Playwright has none."""
        return self.page.evaluate(
            f"""(given) => {{
                const tooLate = (_, reject) => setTimeout(() => reject(new Error("no answer in time")), {LIMIT});
                return Promise.race([({function})(given), new Promise(tooLate)]);
            }}""",
            argument,
        )

    def sign_up(self, email: str, password: str = PASSWORD) -> Any:
        return self.run("signUp", {"email": email, "password": password})

    def sign_in(self, email: str, password: str = PASSWORD) -> Any:
        return self.run("signIn", {"email": email, "password": password})

    def call(self, path: str, method: str = "GET") -> Any:
        """``{status, body}`` of a call that the website makes to its API."""
        return self.run("call", path, {"method": method})

    def session_info(self) -> Any:
        """The same for the protected route of the apps."""
        return self.call("/sessioninfo")

    def call_at_once(self, path: str, times: int) -> list[Any]:
        """The answers to ``times`` parallel calls."""
        answers: list[Any] = self.evaluate(
            "([path, times]) => Promise.all(Array.from({ length: times }, () => window.frontend.call(path)))",
            [path, times],
        )
        return answers

    def wait_for_expiry(self) -> None:
        """Return as soon as the access token has expired by the page's clock."""
        self.page.wait_for_function("window.frontend.frontToken().ate < Date.now()", polling=100)

    def known_payload(self) -> dict[str, Any]:
        """The access token's payload as the SDK keeps it, expired or not."""
        payload: dict[str, Any] = self.page.evaluate("window.frontend.frontToken().up")
        return payload

    def events(self) -> list[str]:
        """What the SDK told the website, oldest first, such as ``SESSION_CREATED``."""
        actions: list[str] = self.page.evaluate("window.frontend.events.map((event) => event.action)")
        return actions


class Visitor:
    """A browser profile of its own that keeps a record of every request of its tabs."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self._unused = context.pages[:1]
        self._origins: set[str] = set()
        self.requests: list[Request] = []
        #: Errors that scripts did not catch: none may ever appear.
        self.page_errors: list[str] = []
        context.set_default_timeout(LIMIT)
        context.on("request", self._record)
        context.on("weberror", self._record_error)
        self.email = f"{uuid.uuid4().hex}@example.com"

    def _record(self, request: Request) -> None:
        self.requests.append(request)
        self._origins.add("{0.scheme}://{0.netloc}".format(urlsplit(request.url)))

    def _record_error(self, error: WebError) -> None:
        self.page_errors.append(str(error.error))

    def new_page(self) -> Page:
        """A tab with nothing in it: the one that the browser shows at first, or another one."""
        return self._unused.pop() if self._unused else self.context.new_page()

    def leave(self) -> None:
        """Forget everything that the profile has kept, and leave one empty tab for the next visitor."""
        self.context.remove_listener("request", self._record)
        self.context.remove_listener("weberror", self._record_error)
        first, *others = self.context.pages or [self.context.new_page()]
        for page in others:
            page.close()
        try:
            if first.url.startswith("http"):
                first.evaluate("sessionStorage.clear()")
            first.goto("about:blank")
        except Error:  # A test ended while its page was on the way to another one. A new tab is empty too.
            leaving, first = first, self.context.new_page()
            leaving.close()
        if first.viewport_size != WINDOW:
            first.set_viewport_size(WINDOW)
        self.context.clear_cookies()
        developer = self.context.new_cdp_session(first)
        for origin in self._origins:
            developer.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        developer.send("Network.clearBrowserCache")
        developer.detach()

    def open(self, address: str) -> Tab:
        """A new tab on the test page."""
        page = self.new_page()
        page.goto(address)
        page.wait_for_function("window.frontend !== undefined")
        return Tab(page)

    def answers(self, path: str) -> list[int]:
        """The statuses of all recorded calls of that path, oldest first, preflights left out."""
        calls = [call for call in self.requests if urlsplit(call.url).path == path and call.method != "OPTIONS"]
        return [answer.status for call in calls if (answer := call.response()) is not None]

    def refreshes(self) -> list[int]:
        """The statuses of all recorded refresh calls, oldest first."""
        return self.answers("/auth/session/refresh")

    def cookies(self) -> dict[str, Any]:
        """The cookies of the profile by name, each with its attributes."""
        return {cookie["name"]: cookie for cookie in self.context.cookies()}

    def holds(self) -> str:
        """Where tokens of a session are left: ``cookie``, ``header`` (those the SDK keeps itself), or both joined."""
        tokens = {"cookie": ("sAccessToken", "sRefreshToken"), "header": ("st-access-token", "st-refresh-token")}
        kept = self.cookies().keys()
        return " and ".join(way for way, names in tokens.items() if not kept.isdisjoint(names))


@contextmanager
def visiting(context: BrowserContext) -> Iterator[Visitor]:
    """A person who uses a browser profile; scripts of the pages may not have failed when the block ends."""
    person = Visitor(context)
    try:
        yield person
        assert person.page_errors == []
    finally:
        person.leave()
