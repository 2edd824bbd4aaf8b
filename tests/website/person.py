"""A person whose browser runs no scripts: they open pages, fill in forms, and follow redirects."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import attrs
from recipes.shop import API, PASSWORD
from toy import Browser
from werkzeug.test import TestResponse

ADDRESS = "192.0.2.7"


@attrs.define
class Element:
    """An element of a page, with the text in it."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        assert len(element.attributes) == len(attrs), f"an attribute of <{tag}> stands there twice"
        self.elements.append(element)
        if tag not in ("br", "hr", "img", "input", "link", "meta"):
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        if any(element.attributes.get("aria-hidden") == "true" for element in self._open):
            return  # nobody hears it
        for element in self._open:
            element.text += data


class Screen:
    """What a browser shows after a request."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        self.html = response.text
        reader = _Reader()
        reader.feed(self.html if response.mimetype == "text/html" else "")
        self.elements = reader.elements

    def all(self, kind: str, /, **attributes: str) -> list[Element]:
        """Return the elements of a kind that have all these attributes."""
        return [
            element
            for element in self.elements
            if element.name == kind and attributes.items() <= element.attributes.items()
        ]

    @property
    def heading(self) -> str:
        [heading] = self.all("h1")
        return heading.text

    @property
    def alert(self) -> str | None:
        """What screen readers announce."""
        alerts = [element.text for element in self.elements if element.attributes.get("role") == "alert"]
        return " ".join(alerts) if alerts else None

    @property
    def location(self) -> str | None:
        return self.response.headers.get("Location")

    def error_of(self, name: str) -> str | None:
        """Return the error that a screen reader tells with a field."""
        [field] = self.all("input", name=name)
        error = self._told_with(name, "error")
        assert (error is not None) is (field.attributes.get("aria-invalid") == "true")
        return error

    def hint_of(self, name: str) -> str | None:
        """Return the hint that a screen reader tells with a field."""
        return self._told_with(name, "hint")

    def _told_with(self, name: str, kind: str) -> str | None:
        [field] = self.all("input", name=name)
        described = (field.attributes.get("aria-describedby") or "").split()
        told = [element for element in self.elements if element.attributes.get("id") in described]
        assert len(told) == len(described)
        return " ".join(element.text for element in told if element.attributes.get("class") == kind) or None

    def link(self, text: str) -> str:
        """Return where the link with this text leads to."""
        [address] = [element.attributes["href"] for element in self.all("a") if element.text == text]
        assert address is not None
        return address

    def hidden(self) -> dict[str, str]:
        """Return the hidden fields. Every form of a page has the same token."""
        fields = [
            (str(one.attributes["name"]), str(one.attributes["value"])) for one in self.all("input", type="hidden")
        ]
        assert len({value for name, value in fields if name == "st-form-token"}) <= 1
        return dict(fields)


class Person:
    """
    A person with a browser.

    :param shop: what has the app as its attribute ``app``.
    :ivar screen: what it shows.
    :ivar path: the path and query in its address line.
    """

    screen: Screen
    path: str = "/"

    def __init__(self, shop: Any, *, language: str = "en", origin: str = API) -> None:
        self.shop = shop
        self.client = Browser(shop.app)
        self.language = language
        self.origin = origin
        self.agent: str | None = None
        self.email = f"{uuid.uuid4().hex}@example.com"

    def send(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Screen:
        """Send one request as browsers do, without following a redirect. A header that is None is left out."""
        sent: dict[str, str | None] = {
            "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
            "Accept-Language": self.language,
            "User-Agent": self.agent,
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Site": "same-origin",
            "Origin": self.origin if method == "POST" else None,
        }
        sent |= headers or {}
        self.path = path
        self.screen = Screen(
            self.client.open(
                path,
                method=method,
                base_url=self.origin,
                data=None if form is None else dict(form),
                headers={name: value for name, value in sent.items() if value is not None},
                environ_overrides={"REMOTE_ADDR": ADDRESS},
            )
        )
        return self.screen

    def open(self, path: str, most: int = 6) -> Screen:
        """Open a page, and follow redirects."""
        screen = self.send("GET", path)
        while screen.location is not None:
            most -= 1
            assert most > 0, f"redirected again and again, now to {screen.location}"
            assert urlsplit(screen.location).netloc == ""
            screen = self.send("GET", screen.location)
        return screen

    def submit(self, **fields: str) -> Screen:
        """Fill in the form of the page, send it, and follow redirects."""
        most = 6
        form = {**self.screen.hidden(), **fields}
        screen = self.send("POST", self.path, form)
        while screen.status == 307 and screen.location is not None and most > 0:
            most -= 1
            screen = self.send("POST", screen.location, form)
        return screen if screen.location is None else self.open(screen.location, most)

    def sign_up(self, **fields: str) -> Screen:
        """Open the sign-up form and send it."""
        self.open("/auth?show=signup")
        return self.submit(**{"email": self.email, "password": PASSWORD, **fields})

    def sign_in(self, password: str = PASSWORD) -> Screen:
        """Open the sign-in form and send it."""
        self.open("/auth")
        return self.submit(email=self.email, password=password)

    def cookie(self, name: str, path: str = "/") -> str | None:
        """Return the value of a cookie in the browser."""
        cookie = self.client.get_cookie(name, urlsplit(self.origin).hostname or "", path)
        return None if cookie is None else cookie.value
