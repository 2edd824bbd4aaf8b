"""
What a rush of sign-ins does to the other routes: the time of an unrelated route while 40 users sign in at once.

One gunicorn worker with eight threads and the core in its process, with the usual hash. The users are in a process of
their own. Each signs in again and again, and when the answer is 503, waits as long as it says. The peer is the same
route before the rush.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

from benchmarks.programs import Child, child, free_port, running
from benchmarks.report import Goal, Row, main, quotients, row
from benchmarks.visitor import Visitor

USERS = 40
THREADS = 8
GUNICORN = ["-m", "gunicorn", "--workers=1", f"--threads={THREADS}", "--worker-class=gthread", "--keep-alive=75"]
GOAL = Goal(of="ratio", at_most=2)
APP = "benchmarks.apps.flask_st_wsgi:app"


def measure(quick: bool) -> list[Row]:
    calls, rounds = (50, 3) if quick else (200, 7)
    idle: list[float] = []
    rush: list[float] = []
    with ExitStack() as stack:
        folder, port = Path(stack.enter_context(tempfile.TemporaryDirectory())), free_port()
        command = [sys.executable, *GUNICORN, "--no-control-socket", f"--bind=127.0.0.1:{port}", APP]
        env = {"BENCH_CORE": f"sqlite:///{folder}/auth.db"}
        stack.enter_context(running(command, port=port, log=folder / "log", env=env))
        users: Child = stack.enter_context(child("benchmarks.rush", "users", str(port)))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        stack.callback(connection.close)
        _milliseconds(connection, calls)
        for _ in range(rounds):
            idle.append(_milliseconds(connection, calls))
            users.ask("start")
            rush.append(_milliseconds(connection, calls, seconds=3.0))
            signed_in = users.ask("stop")
            if not signed_in:
                raise SystemExit("no sign-in succeeded")
    return [
        row("unrelated route, gunicorn gthread", "idle", idle, "ms"),
        row(
            "unrelated route, gunicorn gthread",
            f"while {USERS} users sign in",
            rush,
            "ms",
            ratios=quotients(rush, idle),
            goal=GOAL,
        ),
    ]


def _milliseconds(connection: http.client.HTTPConnection, calls: int, seconds: float = 0.0) -> float:
    """Return the median time of at least *calls* requests, made for at least *seconds*."""
    taken: list[float] = []
    end = time.monotonic() + seconds
    while len(taken) < calls or time.monotonic() < end:
        began = time.perf_counter()
        connection.request("GET", "/plain")
        response = connection.getresponse()
        response.read()
        taken.append((time.perf_counter() - began) * 1000)
        if response.status != 200:
            raise SystemExit(f"/plain answered {response.status}")
    return sorted(taken)[len(taken) // 2]


def users(port: int) -> None:
    """Be the users: begin to sign in with the line ``start``, end with ``stop``, and say how often it succeeded."""
    visitors = [Visitor(port=port, email=f"{uuid.uuid4().hex}@example.com") for _ in range(USERS)]
    for visitor in visitors:
        visitor.sign_up()
    print(json.dumps("ready"), flush=True)
    stop = threading.Event()
    counts = [0] * USERS

    def sign_in(number: int) -> None:
        while not stop.is_set():
            visitors[number].sign_in()
            counts[number] += 1

    threads: list[threading.Thread] = []
    for line in sys.stdin:
        if json.loads(line) == "start":
            stop.clear()
            counts[:] = [0] * USERS
            threads = [threading.Thread(target=sign_in, args=(number,)) for number in range(USERS)]
            for thread in threads:
                thread.start()
        else:
            stop.set()
            for thread in threads:
                thread.join()
        print(json.dumps(sum(counts)), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["users"]:
        users(int(sys.argv[2]))
    else:
        main(__doc__ or "", measure)
