"""A frontend: it keeps its tokens where the official ones do, in cookies or in the headers of each answer."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import requests
from requests.adapters import HTTPAdapter

from servers.running import Site

PASSWORD = "correct horse 1"
REFRESH_PATH = "/auth/session/refresh"

#: Seconds after which a server that does not answer has failed; hashing a password on a loaded machine takes a few.
LIMIT = 30


@attrs.frozen
class Tokens:
    """What a frontend holds; None for what it does not have."""

    access: str | None
    refresh: str | None


class _From(HTTPAdapter):
    """Connections that come from an address of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, **settings, source_address=(self._address, 0))


class Visitor:
    """
    A visitor of a site, with an e-mail address of their own.

    :param mode: ``cookie`` or ``header``: how tokens travel.
    :param authority: a file with the certificate to trust, for a site with https.
    :param address: of this machine, such as 127.0.0.9, that the visitor comes from.
    """

    def __init__(self, origin: str, mode: str, *, authority: Path | None = None, address: str | None = None) -> None:
        self.mode = mode
        self.email = f"{uuid.uuid4().hex}@example.com"
        self._origin = origin
        self._http = requests.Session()
        self._http.trust_env = False
        if authority is not None:
            self._http.verify = str(authority)
        if address is not None:
            self._http.mount(origin, _From(address))
        self._tokens = Tokens(None, None)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    @property
    def tokens(self) -> Tokens:
        if self.mode == "header":
            return self._tokens
        kept = {cookie.name: cookie.value for cookie in self._http.cookies}
        return Tokens(kept.get("sAccessToken"), kept.get("sRefreshToken"))

    @tokens.setter
    def tokens(self, tokens: Tokens) -> None:
        if self.mode == "header":
            self._tokens = tokens
            return
        self._http.cookies.clear()
        for name, value, path in (
            ("sAccessToken", tokens.access, "/"),
            ("sRefreshToken", tokens.refresh, REFRESH_PATH),
        ):
            if value is not None:
                self._http.cookies.set(name, value, domain="127.0.0.1", path=path)

    def call(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """Send a request as the frontend would and keep the tokens of the answer."""
        sent = {"rid": "session", "st-auth-mode": self.mode, **(headers or {})}
        if self.mode == "header":
            token = self._tokens.refresh if path == REFRESH_PATH else self._tokens.access
            if token is not None:
                sent["Authorization"] = f"Bearer {token}"
        answer = self._http.request(method, self._origin + path, json=json, data=data, headers=sent, timeout=LIMIT)
        if self.mode == "header":
            self._tokens = Tokens(
                answer.headers.get("st-access-token", self._tokens.access) or None,
                answer.headers.get("st-refresh-token", self._tokens.refresh) or None,
            )
        return answer

    def wait_for_expiry(self) -> None:
        """Return when the access token has expired by the clock of this machine, which is the server's too."""
        claims = (self.tokens.access or "").split(".")[1]
        expiry = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        while (left := expiry - time.time()) > 0:
            threading.Event().wait(left)

    def sign_up(self, password: str = PASSWORD) -> dict[str, Any]:
        return self._send_form("/auth/signup", password)

    def sign_in(self, password: str = PASSWORD) -> dict[str, Any]:
        return self._send_form("/auth/signin", password)

    def refresh(self) -> requests.Response:
        return self.call("POST", REFRESH_PATH)

    def session_info(self) -> requests.Response:
        return self.call("GET", "/sessioninfo")

    def sign_out(self) -> requests.Response:
        return self.call("POST", "/auth/signout")

    def _send_form(self, path: str, password: str) -> dict[str, Any]:
        fields = [{"id": "email", "value": self.email}, {"id": "password", "value": password}]
        answer = self.call("POST", path, {"formFields": fields})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


def visit_together(site: Site, mode: str, *, visitors: int = 8) -> list[tuple[str, set[str]]]:
    """Visitors at the same time: for each, the user they are, and all users that the app took them for."""

    def visit(_number: int) -> tuple[str, set[str]]:
        with Visitor(site.origin, mode) as visitor:
            own: str = visitor.sign_up()["user"]["id"]
            seen = {visitor.session_info().json()["userId"] for _ in range(5)}
            visitor.refresh()
            return own, seen | {visitor.session_info().json()["userId"]}

    with ThreadPoolExecutor(visitors) as pool:
        return list(pool.map(visit, range(visitors)))
