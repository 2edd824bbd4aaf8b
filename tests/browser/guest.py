"""A person whose browser runs no scripts, and the shop that they visit: gunicorn with two processes."""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from openid.real_provider import running as running_provider
from playwright.sync_api import Browser, Locator, expect
from sdks.processes import free_port, serving
from servers.running import Site

from browser.sites import CHEAP_HASHES, HERE, link_in_mail
from browser.visitor import LIMIT, PASSWORD

#: Seconds for which access tokens of the shop are good.
TOKEN_SECONDS = 3


@contextmanager
def running(framework: str, folder: Path) -> Iterator[Site]:
    """Serve ``shop_app.py``. Its provider is another site: the one is on localhost, the other on 127.0.0.1."""
    port = free_port()
    origin = f"http://localhost:{port}"
    with running_provider(folder, f"{origin}/auth/callback/idp") as provider:
        env = {
            "FRAMEWORK": framework,
            "ORIGIN": origin,
            "CORE": f"sqlite:///{folder}/auth.db?{CHEAP_HASHES}&access_token_validity={TOKEN_SECONDS}",
            "PROVIDER": provider.discovery,
        }
        options = ["--workers=2", "--threads=4", f"--bind=127.0.0.1:{port}", "--no-control-socket"]
        command = [sys.executable, "-m", "gunicorn", *options, "shop_app:app"]
        log = folder / "server.log"
        with serving(command, port=port, log=log, env=env, cwd=HERE):
            yield Site(origin, log)


class Guest:
    """
    A person with a browser of their own that runs no scripts.

    :ivar page: the tab that they look at.
    :ivar heading: what it shows in its first line.
    """

    def __init__(self, chromium: Browser, shop: Site, email: str | None = None) -> None:
        self.shop = shop
        self.email = email or f"{uuid.uuid4().hex}@example.com"
        context = chromium.new_context(java_script_enabled=False, base_url=shop.origin)
        context.set_default_timeout(LIMIT)
        self.page = context.new_page()

    @property
    def heading(self) -> Locator:
        return self.page.get_by_role("heading", level=1)

    def sees(self, heading: str, path: str | None = None) -> None:
        """Wait until the tab shows a page."""
        expect(self.heading).to_have_text(heading)
        if path is not None:
            expect(self.page).to_have_url(self.shop.origin + path)

    def open(self, path: str) -> None:
        self.page.goto(path)

    def follow(self, link: str) -> None:
        self.page.get_by_role("link", name=link, exact=True).click()

    def form(self, button: str) -> Locator:
        """Return the first form with a button."""
        return self.page.locator("form").filter(has=self.page.get_by_role("button", name=button, exact=True)).first

    def press(self, button: str, fields: Mapping[str, str] | None = None) -> None:
        """Fill in fields of the form with a button, by their labels, and press it."""
        form = self.form(button)
        for label, value in (fields or {}).items():
            form.get_by_label(label, exact=True).fill(value)
        form.get_by_role("button", name=button, exact=True).click()

    def sign_up(self, password: str = PASSWORD) -> None:
        """Sign up from the page that the shop has led to."""
        self.follow("Create an account")
        self.press("Create account", {"E-mail address": self.email, "Password": password, "Name": "Ada"})

    def confirm(self) -> None:
        """Have the link of a mail confirm the address, on the page that asks for it."""
        self.sees("Confirm your e-mail address")
        self.press("Send the mail")
        expect(self.page.get_by_role("status")).to_contain_text(self.email)
        self.open(self.link("/auth/verify-email"))
        self.press("Confirm")
        self.sees("Your e-mail address is confirmed")

    def register(self, path: str = "/") -> None:
        """Open a page of the shop as a new user."""
        self.open(path)
        self.sign_up()
        self.confirm()
        self.open(path)
        self.sees(path, path)

    def sign_in(self, password: str = PASSWORD) -> None:
        """Sign in on the page that the shop has led to."""
        self.press("Sign in", {"E-mail address": self.email, "Password": password})

    def go_to_the_provider(self) -> None:
        """Sign in there. It makes the address <name>@example.com of a name, and asks for consent."""
        self.follow("Continue with the provider")
        self.page.fill("input[name=login]", self.email.partition("@")[0])
        self.page.fill("input[name=password]", "any")
        self.page.get_by_role("button", name="Sign-in").click()

    def sign_out(self) -> None:
        self.open("/auth/sign-out")
        self.press("Sign out")
        self.sees("You are signed out")

    def user_id(self) -> str:
        """Return who the shop takes them for."""
        return self.page.locator("p").inner_text()

    def link(self, path: str) -> str:
        """Return the newest link to *path* that was mailed to them."""
        return link_in_mail(self.shop.log, self.email, path)

    def code(self, number: int = 1) -> str:
        """Return the code in the mail to them that is the first, second ... with a code."""
        pattern = rf"^\[st_wsgi\] \w+ for {re.escape(self.email)}:\n(\w+)$"
        codes: list[str] = []
        for _ in range(600):
            codes = re.findall(pattern, self.shop.log.read_text(), re.MULTILINE)
            if len(codes) >= number:
                break
            threading.Event().wait(0.05)  # mails are sent in the background
        return codes[number - 1]

    def access_token(self) -> str:
        cookies = self.page.context.cookies(self.shop.origin)
        return next(str(cookie.get("value")) for cookie in cookies if cookie.get("name") == "sAccessToken")

    def wait_for_expiry(self) -> None:
        """Return when the access token has expired by the clock of this machine, which is the server's too."""
        payload = self.access_token().split(".")[1]
        expiry = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        while (left := expiry - time.time()) > 0:
            threading.Event().wait(left)

    def leave(self) -> None:
        self.page.context.close()
