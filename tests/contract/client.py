"""The side of the contract suite that calls: any core, and apps of our own in it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import requests

from contract.expectations import differences
from contract.official_types import Types, unlike_the_types
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.server import CoreServer
from st_wsgi.embedded.wsgi import CoreApp


class Answer:
    """What a core said to one call."""

    def __init__(self, call: str, status: int, body: Any, headers: Mapping[str, str]) -> None:
        self.call = call
        self.status = status
        self.body = body
        self.headers = headers

    def gives(self, expected: Any) -> Any:
        """Return the JSON body of a 200, which is as *expected*."""
        __tracebackhide__ = True
        problems = differences(self.body, expected) if self.status == 200 else [f"status {self.status}: {self.body!r}"]
        if problems:
            raise AssertionError("\n".join([self.call, *problems]))
        return self.body

    def says(self, status: str, **more: Any) -> Any:
        """Return the JSON body of a 200 that has this ``status`` and exactly these other fields."""
        __tracebackhide__ = True
        return self.gives({"status": status, **more})

    def has(self, **fields: Any) -> Any:
        """Return the JSON body of an ``OK`` that has these fields, maybe among others."""
        __tracebackhide__ = True
        found = self.body if isinstance(self.body, dict) else {}
        some = {key: value for key, value in found.items() if key in fields or key == "status"}
        Answer(self.call, self.status, some if found else self.body, self.headers).gives({"status": "OK", **fields})
        return self.body

    def refused(self, status: int, text: str) -> None:
        """Check that the call was refused with an HTTP status and a text."""
        __tracebackhide__ = True
        if (self.status, self.body) != (status, text):
            raise AssertionError(f"{self.call}\nexpected: {status} {text!r}\ngot:      {self.status} {self.body!r}")


class Wire(Protocol):
    """A way to a core."""

    def send(
        self, method: str, path: str, *, body: Any, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, Any, Mapping[str, str]]: ...


class InProcess:
    """
    A core in this process, through the seam that the SDK uses.

    :param has_types: whether its answers are held against the official types. One core is enough for that.
    """

    def __init__(self, core: EmbeddedCore, *, has_types: bool = False) -> None:
        self.core = core
        self.has_types = has_types

    def send(
        self, method: str, path: str, *, body: Any, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, Any, Mapping[str, str]]:
        answer = self.core.send(
            CoreRequest(method, path, params=params, body=body, headers=headers)  # type: ignore[arg-type]  # any method is to be answered
        )
        return answer.status, answer.body, answer.headers


class OverHTTP:
    """A core at an address."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()

    def send(
        self, method: str, path: str, *, body: Any, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, Any, Mapping[str, str]]:
        response = self.session.request(
            method, self.url + path, params=params, json=body, headers=dict(headers), timeout=30, allow_redirects=False
        )
        names = {name.lower(): value for name, value in response.headers.items()}
        if names.get("content-type", "").startswith("application/json"):
            return response.status_code, response.json(), names
        return response.status_code, response.text.removesuffix("\n").removesuffix("\r"), names

    def close(self) -> None:
        self.session.close()


@contextmanager
def serving(core: EmbeddedCore, *, host: str = "127.0.0.1") -> Iterator[CoreServer]:
    """Serve a core over HTTP, on a free port, until the block ends."""
    server = CoreServer(CoreApp(core), host=host, port=0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


class Caller:
    """
    Calls a core, below a prefix such as ``/appid-x/t1``.

    :param types: what the answers to calls of CDI 5.4 have to fit.
    :param made: every call that was made, as (method, path without prefix).
    """

    def __init__(self, wire: Wire, *, headers: Mapping[str, str], prefix: str = "", types: Types | None = None) -> None:
        self.wire = wire
        self.headers = dict(headers)
        self.prefix = prefix
        self.types = types
        self.made: list[tuple[str, str]] = []

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Make one call; a header of None is left out."""
        merged = {**self.headers, **(headers or {})}
        sent = {name: value for name, value in merged.items() if value is not None}
        self.made.append((method, path))
        status, answer, answer_headers = self.wire.send(
            method, self.prefix + path, body=body, params=params or {}, headers=sent
        )
        if self.types and status == 200 and sent.get("cdi-version") == "5.4":
            misfits = unlike_the_types(self.types, method, path, answer)
            if misfits:
                raise AssertionError("\n".join(["not as the official types say:", *misfits]))
        return Answer(f"{method} {self.prefix}{path} {body or params or ''}", status, answer, answer_headers)

    def get(self, path: str, **params: str) -> Answer:
        """GET with query parameters."""
        return self.call("GET", path, params=params)

    def post(self, path: str, **body: Any) -> Answer:
        """POST a JSON object."""
        return self.call("POST", path, body)

    def put(self, path: str, **body: Any) -> Answer:
        """PUT a JSON object."""
        return self.call("PUT", path, body)

    def delete(self, path: str, **params: str) -> Answer:
        """DELETE with query parameters."""
        return self.call("DELETE", path, params=params)

    def below(self, segment: str) -> Caller:
        """Return a caller for a tenant or app of this one; its calls count as this one's."""
        caller = Caller(self.wire, headers=self.headers, prefix=f"{self.prefix}/{segment}", types=self.types)
        caller.made = self.made
        return caller


def fresh(word: str) -> str:
    """Return a name that nothing else has."""
    return f"{word}-{uuid.uuid4().hex[:12]}"


def next_millisecond() -> None:
    """Let the millisecond end: whoever joins now is younger than everybody before."""
    now = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == now:
        pass


def email() -> str:
    """Return an address that no user has."""
    return f"{fresh('user')}@example.com"
