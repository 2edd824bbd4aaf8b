"""
Requests per second under gunicorn: a protected route, refresh and sign-in, with st_wsgi and with the official SDK.

One worker with four threads and four clients that ask as fast as they are answered. Both SDKs use the same core over
HTTP; st_wsgi is there once more with the core in its own process. Clients, servers and cores share the machine, so that
the rates of the fastest say as much about the clients; the contenders take turns of a second.

Sign-in is measured twice: with the core's usual hash, which takes most of the time and is the same for everybody, and
with one that costs next to nothing, which leaves what the SDKs do. Only the second one has a goal.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from benchmarks.programs import core, free_port, running
from benchmarks.report import Goal, Row, main, quotients, row
from benchmarks.visitor import Visitor

CLIENTS = 4
#: Clients that ask as fast as they are answered are no rush to protect others from: all of them may wait for a hash.
USUAL = {"hashing_queue_size": CLIENTS, "hashing_queue_timeout_ms": 60_000}
CHEAP = {"argon2_memory_kb": 64, "argon2_iterations": 1, **USUAL}
GUNICORN = [
    "-m",
    "gunicorn",
    "--workers=1",
    f"--threads={CLIENTS}",
    "--keep-alive=75",
    "--log-level=warning",
    "--no-control-socket",
]

OURS, EMBEDDED, OFFICIAL = "st_wsgi", "st_wsgi, embedded core", "supertokens-python"
MODULES = {OURS: "flask_st_wsgi", EMBEDDED: "flask_st_wsgi", OFFICIAL: "flask_official"}
#: From what is measured to the request, and whether hashes are cheap.
KINDS: dict[str, tuple[Callable[[Visitor], None], bool]] = {
    "protected route": (Visitor.who_am_i, True),
    "refresh": (Visitor.refresh, True),
    "sign-in, cheap hash": (Visitor.sign_in, True),
    "sign-in": (Visitor.sign_in, False),
}


def measure(quick: bool) -> list[Row]:
    rates: dict[tuple[str, str], list[float]] = {(kind, name): [] for kind in KINDS for name in MODULES}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pool = stack.enter_context(ThreadPoolExecutor(CLIENTS))
        visitors = {cheap: _sites(stack, folder, cheap) for cheap in (True, False)}
        for number in range(-1, 3 if quick else 11):
            for kind, (act, cheap) in KINDS.items():
                names = list(MODULES)
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    rate = _rate(pool, visitors[cheap][name], act, 0.5 if quick else 1.0)
                    if number >= 0:  # the round before the first one warms up
                        rates[kind, name].append(rate)
    return [line for kind in KINDS for line in _rows(kind, rates)]


def _sites(stack: ExitStack, folder: Path, cheap: bool) -> dict[str, list[Visitor]]:
    """Start the cores and servers of one kind of hash; return users who have signed up, for each contender."""
    place = folder / ("cheap" if cheap else "usual")
    place.mkdir()
    settings = CHEAP if cheap else USUAL
    url = stack.enter_context(core(place, **settings))
    query = "&".join(f"{name}={value}" for name, value in settings.items())
    addresses = {OURS: url, OFFICIAL: url, EMBEDDED: f"sqlite:///{place}/embedded.db?{query}".rstrip("?")}
    found = {}
    for name, module in MODULES.items():
        port = free_port()
        command = [sys.executable, *GUNICORN, f"--bind=127.0.0.1:{port}", f"benchmarks.apps.{module}:app"]
        stack.enter_context(running(command, port=port, log=place / f"{name}.log", env={"BENCH_CORE": addresses[name]}))
        found[name] = [
            Visitor(port=port, email=f"{uuid.uuid4().hex}@example.com", protected="/me") for _ in range(CLIENTS)
        ]
        for visitor in found[name]:
            stack.callback(visitor.close)
            visitor.sign_up()
    return found


def _rate(pool: ThreadPoolExecutor, visitors: list[Visitor], act: Callable[[Visitor], None], seconds: float) -> float:
    began = time.monotonic()

    def many(visitor: Visitor) -> int:
        count = 0
        while time.monotonic() < began + seconds:
            act(visitor)
            count += 1
        return count

    return sum(pool.map(many, visitors)) / (time.monotonic() - began)


def _rows(kind: str, rates: dict[tuple[str, str], list[float]]) -> list[Row]:
    measure, theirs = f"gunicorn, {kind}", rates[kind, OFFICIAL]
    goal = Goal(of="ratio", at_least=10) if kind in ("refresh", "sign-in, cheap hash") else None
    return [
        row(measure, OFFICIAL, theirs, "/s"),
        row(measure, OURS, rates[kind, OURS], "/s", ratios=quotients(rates[kind, OURS], theirs), goal=goal),
        row(measure, EMBEDDED, rates[kind, EMBEDDED], "/s", ratios=quotients(rates[kind, EMBEDDED], theirs)),
    ]


if __name__ == "__main__":
    main(__doc__ or "", measure)
