"""
Forks in the middle of what other threads do with a core; run by test_processes.py, which names one of the scenes.

A child that waits for something that will never come is ended by an alarm, so that nothing outlives the test.
"""

from __future__ import annotations

import functools
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import closing

# Hooks before a fork run in the reverse of the order in which they were registered: this one after the core's own.
about_to_fork = threading.Event()
os.register_at_fork(before=about_to_fork.set)

from st_wsgi.core_client.transport import CoreRequest, Method  # noqa: E402
from st_wsgi.embedded import EmbeddedCore  # noqa: E402
from st_wsgi.embedded.passwords import Passwords  # noqa: E402
from st_wsgi.embedded.settings import CoreSettings  # noqa: E402
from st_wsgi.embedded.storage.sqlite import SQLiteStore  # noqa: E402

# And this one before them.
fork_begins = threading.Event()
os.register_at_fork(before=fork_begins.set)

CHILDREN = 40
CHILD_SECONDS = 40
PATIENCE = 30


def answered(core: EmbeddedCore, method: Method, path: str, **body: object) -> dict[str, object]:
    answer = core.send(CoreRequest(method, path, body=body or None))
    assert isinstance(answer.body, dict), answer
    assert answer.body["status"] == "OK", answer
    return answer.body


def roles(core: EmbeddedCore) -> list[str]:
    found = answered(core, "GET", "/recipe/roles")["roles"]
    assert isinstance(found, list)
    return sorted(found)


def forked(work: Callable[[], None]) -> int:
    """Do *work* in a child and return its process id."""
    child = os.fork()
    if child:
        return child
    signal.alarm(CHILD_SECONDS)
    try:
        work()
    except BaseException as error:
        print(f"a child failed: {error!r}", flush=True)
        os._exit(1)
    os._exit(0)


def wait_for(child: int) -> None:
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        raise SystemExit(f"a child was still waiting after {CHILD_SECONDS} s")
    if status:
        raise SystemExit("a child failed")


def busy(folder: pathlib.Path) -> None:
    """Fork again and again while threads write to and read from two cores, which no child may see half done."""
    cores = [EmbeddedCore(folder / f"{number}.db", settings={"argon2_memory_kb": 64}) for number in range(2)]
    stop, errors = threading.Event(), list[BaseException]()

    def work(core: EmbeddedCore, name: str) -> None:
        number = 0
        try:
            while not stop.is_set():
                answered(core, "PUT", "/recipe/role", role=f"{name}-{number % 50}")
                roles(core)
                number += 1
        except BaseException as error:
            errors.append(error)

    def as_child(name: str) -> None:
        for core in cores:
            answered(core, "PUT", "/recipe/role", role=name)
            assert name in roles(core)

    threads = [threading.Thread(target=work, args=(core, f"thread-{n}")) for n in range(2) for core in cores]
    for thread in threads:
        thread.start()
    try:
        for number in range(CHILDREN):
            wait_for(forked(functools.partial(as_child, f"child-{number}")))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    for core in cores:
        assert {f"child-{number}" for number in range(CHILDREN)} <= set(roles(core))
        core.close()


def hashing(folder: pathlib.Path) -> None:
    """Fork while threads hash passwords: OpenSSL counts the threads that help it, and a child has none of them."""
    passwords = Passwords(
        CoreSettings.of({"argon2_memory_kb": 64, "argon2_parallelism": 2, "hashing_queue_timeout_ms": 60_000})
    )
    stored, stop = passwords.hash("secret"), threading.Event()

    def work() -> None:
        while not stop.is_set():
            passwords.hash("secret")

    def as_child() -> None:
        assert passwords.check("secret", stored).right

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(CHILDREN):
            wait_for(forked(as_child))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def closing_parent(folder: pathlib.Path) -> None:
    """The parent, whose connections were open at the fork, is done with the file while the child still writes."""
    with EmbeddedCore(folder / "auth.db") as core:
        answered(core, "PUT", "/recipe/role", role="parent")
        written, closed = os.pipe(), os.pipe()

        def as_child() -> None:
            answered(core, "PUT", "/recipe/role", role="while the parent has the file")
            os.write(written[1], b".")
            os.read(closed[0], 1)
            answered(core, "PUT", "/recipe/role", role="after the parent closed it")

        child = forked(as_child)
        os.read(written[0], 1)
    os.write(closed[1], b".")
    wait_for(child)
    with EmbeddedCore(folder / "auth.db") as core:
        assert roles(core) == ["after the parent closed it", "parent", "while the parent has the file"]


def waiting(folder: pathlib.Path) -> None:
    """A fork waits for a thread with a connection; that thread may take another one, and the fork follows."""
    with (
        closing(SQLiteStore(folder / "one.db")) as one,
        closing(SQLiteStore(folder / "two.db")) as two,
        one.read() as db,
    ):
        thread = threading.Thread(target=lambda: wait_for(forked(lambda: None)))
        thread.start()
        assert fork_begins.wait(PATIENCE)
        assert not about_to_fork.wait(0.2), "it did not wait"
        with two.write() as other:
            other.execute("SELECT 1")
        db.execute("SELECT 1")
        assert not about_to_fork.is_set()
    thread.join()
    assert about_to_fork.is_set()


def inside(folder: pathlib.Path) -> None:
    """Threads that have a connection, one of them in a transaction, fork at the same time: none waits for the other."""
    together = threading.Barrier(3)
    with closing(SQLiteStore(folder / "auth.db")) as store:

        def read() -> None:
            with store.read() as db:
                together.wait(PATIENCE)
                wait_for(forked(lambda: None))
                db.execute("SELECT 1")

        def write() -> None:
            with store.write() as db:
                together.wait(PATIENCE)
                db.execute("CREATE TABLE written (x)")
                wait_for(forked(lambda: None))
                db.execute("INSERT INTO written VALUES (1)")

        threads = [threading.Thread(target=work) for work in (read, read, write)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as db:
            assert db.execute("SELECT x FROM written").fetchall() == [(1,)]


if __name__ == "__main__":
    scenes = {"busy": busy, "hashing": hashing, "closing_parent": closing_parent, "waiting": waiting, "inside": inside}
    scenes[sys.argv[1]](pathlib.Path(sys.argv[2]))
    print("fine")
