"""A core in the same process that answers as told, requests in flight, and an interceptor that records."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from transport.cores import PATIENCE

from st_wsgi.core_client.querier import Querier
from st_wsgi.core_client.transport import CoreReply, CoreRequest, Transport

KEY = "s3cret-key-of-the-core"


class Scripted(Transport):
    """A transport in the same process: answers what *behave* returns, and remembers what was asked."""

    def __init__(self, behave: Callable[[CoreRequest], CoreReply] | None = None) -> None:
        self.behave = behave or (lambda request: CoreReply(200, {"status": "OK", "path": request.path}))
        self.versions: list[Any] | Any = ["5.3", "5.4"]
        self.asked: list[CoreRequest] = []

    def send(self, request: CoreRequest, /) -> CoreReply:
        self.asked.append(request)
        if request.path == "/apiversion":
            return CoreReply(200, {"versions": self.versions})
        return self.behave(request)

    def close(self) -> None: ...

    @property
    def calls(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.asked if request.path != "/apiversion"]


def querier(transport: Any, **settings: Any) -> Querier:
    return Querier(transport=transport, api_domain="https://api.example.com", **settings)


class InFlight:
    """A request in flight."""

    def __init__(self, *, ours: bool) -> None:
        self.ours = ours
        self.core_cache: dict[Any, Any] = {}
        self.user_context: dict[str, Any] = {}


class Requests:
    """Requests in flight, one after the other, each with a cache of its own; or none."""

    def __init__(self) -> None:
        self.ours = True
        self.in_flight: InFlight | None = InFlight(ours=True)

    def next(self) -> None:
        self.in_flight = InFlight(ours=self.ours)

    def client(self, transport: Any, **settings: Any) -> Querier:
        return querier(transport, in_flight=lambda: self.in_flight, **settings)


def in_threads(count: int, work: Callable[[], object]) -> list[BaseException]:
    errors: list[BaseException] = []
    start = threading.Barrier(count, timeout=PATIENCE)

    def run() -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def passing(record: list[tuple[Any, ...]]) -> Any:
    def intercept(*call: Any) -> Any:
        url, method, headers, params, body, user_context = call
        record.append((method, url, dict(headers), dict(params), dict(body), user_context))
        return url, method, {**headers, "x-seen": "1"}, params, body

    return intercept
