"""
Many clients at once on the Flask example under gunicorn: no errors, no data of another user, nothing that grows.

::

    python -m benchmarks.load [--clients 64] [--seconds 20] [--workers sync,gthread,gevent] [--mixed] [--json]
    python -m benchmarks.load --core postgresql://... --processes 4 --threads 8 --check-database ...

Two workers on an embedded core in one SQLite file, or on the core at an address. After a round in which every client
did everything once, the open files and threads of the busier worker are counted; then all clients ask for a protected
route, refresh and sign in, each for the given time; then everybody hangs up and all workers must come down to that
count. Every answer is held to the user who asked. The exit status is 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import attrs

from benchmarks.programs import ROOT, CannotRun, free_port, running
from benchmarks.report import Goal, Row, machine, table, to_json
from benchmarks.visitor import Visitor, WrongAnswer

KINDS: dict[str, Callable[[Visitor], None]] = {
    "protected": Visitor.who_am_i,
    "refresh": Visitor.refresh,
    "sign-in": Visitor.sign_in,
}
WORKERS = {
    "sync": ["--worker-class=sync"],
    "gthread": ["--worker-class=gthread"],
    "gevent": ["--worker-class=gevent"],
}
#: Seconds in which the workers have to give back what they needed for connections that are closed now; when nothing has
#: changed for the shorter time, nothing will.
CALM, CALM_LIMIT = 1.0, 30.0
#: Connections to PostgreSQL that a worker may open.
POOL_SIZE = 5
#: Real threads of a worker with gevent: one that serves, and those that are started one by one to hash passwords.
GEVENT_THREADS = 12
_SHOWN, _SHOWN_LINES = 3, 40
#: Whatever a client can meet: no connection, a broken answer, a wrong status, a body that is no JSON or lacks a member.
_COMPLAINTS = (OSError, http.client.HTTPException, WrongAnswer, ValueError, LookupError)


@attrs.define
class Phase:
    """What came of one kind of request: *wrong* has a line for every error and every wrong answer."""

    worker: str
    kind: str
    seconds: float
    answers: int = 0
    wrong: list[str] = attrs.field(factory=list)


@attrs.frozen
class Held:
    """
    What the worker of a server that holds most holds.

    Clients spread unevenly over the workers. The busier one has met every client at once, so that its threads are as
    many as they get; the other one may come to the same later. Connections to a file are opened when a thread first
    needs one, so that they are held to the number of threads. Those to PostgreSQL are counted for all workers together,
    and held to the settings of their pools.
    """

    files: int
    threads: int
    connections: int
    pools: int = 0

    @property
    def most_connections(self) -> int:
        return self.pools or max(self.connections, self.threads)

    def within(self, limit: Held) -> bool:
        # A pool opens connections until it is full, and each is an open file.
        fewer = self.files <= limit.files + limit.pools and self.threads <= limit.threads
        return fewer and self.connections <= limit.most_connections


@attrs.frozen
class Server:
    """
    A running server.

    :param core: the address of its core.
    :param name: of its connections to PostgreSQL.
    :param pools: how many of these it may have.
    :param threads: that each worker may have in any case.
    """

    process: subprocess.Popen[bytes]
    core: str
    name: str
    pools: int
    threads: int

    def held(self) -> Held:
        """Return what the workers hold now."""
        held = _held(self.process.pid)
        held = attrs.evolve(held, threads=max(held.threads, self.threads))
        if not self.pools:
            return held
        import psycopg

        from st_wsgi.embedded.storage.postgres import split

        with psycopg.connect(split(self.core)[0]) as db:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
            ((connections,),) = db.execute(query, (self.name,)).fetchall()
        return attrs.evolve(held, connections=connections, pools=self.pools)


@attrs.frozen
class Outcome:
    """What came of one worker class."""

    worker: str
    phases: Sequence[Phase]
    before: Held
    after: Held

    @property
    def good(self) -> bool:
        done = all(phase.answers and not phase.wrong for phase in self.phases)
        return done and self.after.within(self.before)


def run(worker: str, options: argparse.Namespace) -> Outcome:
    """Run one worker class."""
    with tempfile.TemporaryDirectory() as made:
        folder, port = Path(made), free_port()
        origin = f"http://127.0.0.1:{port}"
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--no-control-socket",
            f"--bind=127.0.0.1:{port}",
            f"--workers={options.processes}",
            "--keep-alive=75",
            *WORKERS[worker],
            *([f"--threads={options.threads}"] if worker == "gthread" else []),
        ]
        core, pools, name = options.core or f"sqlite:///{folder}/auth.db", 0, f"load-{port}"
        settings = [options.core_settings] if options.core_settings else []
        if core.startswith("postgres"):
            pools = POOL_SIZE * options.processes
            settings += [f"pool_size={POOL_SIZE}", f"application_name={name}"]
        address = "&".join([core if "?" in core or not settings else f"{core}?", *settings]).replace("?&", "?")
        env = {"ST_CORE": address, "ST_API_DOMAIN": origin, "ST_WEBSITE_DOMAIN": origin}
        with running(
            [*command, "benchmarks.apps.flask_example:app"], port=port, log=folder / "log", env=env, cwd=ROOT
        ) as process:
            threads = GEVENT_THREADS if worker == "gevent" else 0
            server, visitors = Server(process, core, name, pools, threads), _visitors(port, options)
            try:
                outcome = _outcome(worker, server, visitors, options)
            except CannotRun as problem:
                raise CannotRun(f"{problem}\n{_tail(folder / 'log')}") from None
        if any(phase.wrong for phase in outcome.phases):
            print(_tail(folder / "log"), file=sys.stderr)
        return outcome


def _tail(log: Path) -> str:
    return "\n".join(["The server printed last:", *log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]])


def _visitors(port: int, options: argparse.Namespace) -> list[Visitor]:
    protected, modes = "/checked" if options.check_database else "/sessioninfo", ("cookie", "header")
    return [
        Visitor(port=port, email=f"{uuid.uuid4().hex}@example.com", mode=modes[i % 2], protected=protected)
        for i in range(options.clients)
    ]


def _outcome(worker: str, server: Server, visitors: list[Visitor], options: argparse.Namespace) -> Outcome:
    with ThreadPoolExecutor(len(visitors)) as pool:
        for act in (Visitor.sign_up, *KINDS.values()):
            try:
                list(pool.map(act, visitors))
            except _COMPLAINTS as error:
                raise CannotRun(
                    f"{worker}, {act.__name__}, before the count: {type(error).__name__}: {error}"
                ) from None
        _hang_up(visitors)
        before = _calm(server, Held(0, 0, 0))
        plans = [tuple(KINDS)] if options.mixed else [(kind,) for kind in KINDS]
        phases = [_phase(pool, worker, plan, visitors, options) for plan in plans]
        _hang_up(visitors)
        after = _calm(server, before)
    return Outcome(worker, phases, before, after)


def _phase(
    pool: ThreadPoolExecutor,
    worker: str,
    kinds: tuple[str, ...],
    visitors: list[Visitor],
    options: argparse.Namespace,
) -> Phase:
    phase = Phase(worker, " and ".join(kinds), options.seconds)
    start = threading.Barrier(len(visitors))
    lock = threading.Lock()

    def act(number: int) -> None:
        visitor, do = visitors[number], KINDS[kinds[number % len(kinds)]]
        answers, wrong = 0, list[str]()
        start.wait()
        end = time.monotonic() + options.seconds
        while answers + len(wrong) < options.requests if options.requests else time.monotonic() < end:
            try:
                do(visitor)
                answers += 1
            except _COMPLAINTS as error:
                wrong.append(f"{type(error).__name__}: {error}")
        with lock:
            phase.answers += answers
            phase.wrong += wrong

    began = time.monotonic()
    list(pool.map(act, range(len(visitors))))
    phase.seconds = time.monotonic() - began
    return phase


def _hang_up(visitors: Iterable[Visitor]) -> None:
    for visitor in visitors:
        visitor.close()


def _calm(server: Server, limit: Held) -> Held:
    """Return what the workers hold once it is within *limit*, or has not changed for a while."""
    end = time.monotonic() + CALM_LIMIT
    held, since = server.held(), time.monotonic()
    while not held.within(limit) and time.monotonic() < min(end, since + CALM):
        try:
            server.process.wait(0.05)
        except subprocess.TimeoutExpired:
            now = server.held()
            if now != held:
                held, since = now, time.monotonic()
    return held


def _held(server: int) -> Held:
    workers = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    open_files = [_targets(Path(f"/proc/{worker}/fd")) for worker in workers]
    databases = [[name for name in names if name.endswith((".db", ".db-wal", ".db-shm"))] for names in open_files]
    return Held(
        files=max(len(names) - len(of_database) for names, of_database in zip(open_files, databases, strict=True)),
        threads=max(len(list(Path(f"/proc/{worker}/task").iterdir())) for worker in workers),
        connections=max(sum(name.endswith(".db") for name in of_database) for of_database in databases),
    )


def _targets(folder: Path) -> list[str]:
    found = []
    for link in folder.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(link))
    return found


def rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """Return what happened as rows: rates, and counts whose goal is none."""
    none = Goal(of="value", at_most=0)
    found = []
    for outcome in outcomes:
        for phase in outcome.phases:
            name = f"load, {phase.kind}"
            found.append(Row(name, outcome.worker, phase.answers / phase.seconds, "/s"))
            found.append(Row(name, f"{outcome.worker}, wrong answers", len(phase.wrong), "", goal=none))
        before, after, worker = outcome.before, outcome.after, outcome.worker
        grown = {"open files": after.files - before.files - before.pools, "threads": after.threads - before.threads}
        found += [Row("load, growth", f"{worker}, {of}", grown[of], "", goal=none) for of in grown]
        bound = Goal(of="value", at_most=before.most_connections)
        whose = "all workers" if before.pools else "busier worker"
        found.append(Row("load, database connections", f"{worker}, {whose}", after.connections, "", goal=bound))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, help="of each kind of request, default 20")
    parser.add_argument("--workers", default=",".join(WORKERS), help="worker classes, default %(default)s")
    parser.add_argument("--requests", type=int, help="of each client and kind of request, instead of seconds")
    parser.add_argument("--core", help="the address of the core, default an SQLite file")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4, help="of each process with gthread")
    parser.add_argument("--check-database", action="store_true", help="a protected route that asks the database")
    parser.add_argument("--mixed", action="store_true", help="all kinds of requests at once, for one time")
    parser.add_argument("--core-settings", default="", metavar="NAME=VALUE&...", help="cheaper hashes, for instance")
    parser.add_argument("--quick", action="store_true", help="3 seconds of each kind")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()
    chosen = options.workers.split(",")
    if unknown := set(chosen) - set(WORKERS):
        parser.error(f"worker classes are {', '.join(WORKERS)}, not {', '.join(sorted(unknown))}")
    if not 1 <= options.clients <= 256:
        parser.error("--clients must lie between 1 and 256")
    options.seconds = options.seconds or (3.0 if options.quick else 20.0)
    about = machine()
    outcomes = [run(worker, options) for worker in chosen]
    if options.json:
        print(json.dumps(to_json(rows(outcomes))))
    else:
        print(about, table(rows(outcomes)), sep="\n\n")
    for outcome in outcomes:
        for phase in outcome.phases:
            for line in phase.wrong[:_SHOWN]:
                print(f"{phase.worker}, {phase.kind}: {line}", file=sys.stderr)
    return 0 if all(outcome.good for outcome in outcomes) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotRun as problem:
        sys.exit(str(problem))
