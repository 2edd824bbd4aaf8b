"""One user with a browser of the plainest kind: a connection that is kept, tokens in cookies or headers."""

from __future__ import annotations

import base64
import http.client
import json
import time
from typing import Any

import attrs

PASSWORD = "correct horse 1"
REFRESH_PATH = "/auth/session/refresh"

#: Seconds without an answer; hashing the passwords of 64 users at once takes a while on a small and busy machine.
ANSWER_LIMIT = 120


class WrongAnswer(Exception):
    """An answer that a user would complain about: a wrong status, or another user's data."""


@attrs.define
class Visitor:
    """
    A user of an app at 127.0.0.1. One who is answered 503 tries again when the answer says so.

    :param email: of the user, unknown to the app before :meth:`sign_up`.
    :param protected: the path that tells who asks, as JSON with ``userId``.
    :param mode: ``cookie`` or ``header``: how tokens travel.
    """

    port: int
    email: str
    protected: str = "/sessioninfo"
    mode: str = "header"
    user_id: str = ""
    access_token: str = attrs.field(default="", repr=False)
    refresh_token: str = attrs.field(default="", repr=False)
    _connection: http.client.HTTPConnection | None = attrs.field(default=None, repr=False)

    def sign_up(self) -> None:
        self.user_id = self._send_form("/auth/signup")["user"]["id"]
        self._check_tokens()

    def sign_in(self) -> None:
        found = self._send_form("/auth/signin")["user"]["id"]
        if found != self.user_id:
            raise WrongAnswer(f"sign-in answered with the user {found}, not {self.user_id}")
        self._check_tokens()

    def who_am_i(self) -> None:
        answer = self._json("GET", self.protected, self._tokens(self.access_token, "sAccessToken"))
        if answer["userId"] != self.user_id:
            raise WrongAnswer(f"{self.protected} answered with the user {answer['userId']}, not {self.user_id}")

    def refresh(self) -> None:
        before = self.refresh_token
        self._json("POST", REFRESH_PATH, {"rid": "session", **self._tokens(self.refresh_token, "sRefreshToken")})
        if self.refresh_token == before:
            raise WrongAnswer("a refresh answered without a new refresh token")
        self._check_tokens()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send_form(self, path: str) -> dict[str, Any]:
        fields = {"email": self.email, "password": PASSWORD}
        form = json.dumps({"formFields": [{"id": name, "value": value} for name, value in fields.items()]})
        answer = self._json("POST", path, {"rid": "emailpassword", "Content-Type": "application/json"}, form)
        if answer["status"] != "OK":
            raise WrongAnswer(f"{path} answered {answer['status']}")
        return answer

    def _tokens(self, token: str, cookie: str) -> dict[str, str]:
        return {"Cookie": f"{cookie}={token}"} if self.mode == "cookie" else {"Authorization": f"Bearer {token}"}

    def _json(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> dict[str, Any]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_LIMIT)
        try:
            self._connection.request(method, path, body, {"st-auth-mode": self.mode, **headers})
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.status == 503 and (pause := answer.headers.get("Retry-After", "")).isdigit():
            time.sleep(int(pause))
            return self._json(method, path, headers, body)
        if answer.status != 200:
            raise WrongAnswer(f"{method} {path} answered {answer.status}: {text[:200]!r}")
        self._take_tokens(answer)
        found: dict[str, Any] = json.loads(text)
        return found

    def _take_tokens(self, answer: http.client.HTTPResponse) -> None:
        self.access_token = answer.headers.get("st-access-token", self.access_token)
        self.refresh_token = answer.headers.get("st-refresh-token", self.refresh_token)
        for cookie in answer.headers.get_all("Set-Cookie", ()):
            name, _, rest = cookie.partition("=")
            value = rest.partition(";")[0]
            if name == "sAccessToken" and value:
                self.access_token = value
            elif name == "sRefreshToken" and value:
                self.refresh_token = value

    def _check_tokens(self) -> None:
        payload = self.access_token.split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
        if subject != self.user_id:
            raise WrongAnswer(f"the access token is that of the user {subject}, not {self.user_id}")
