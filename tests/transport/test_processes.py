"""Forks, greenlets and gunicorn: the same client in processes of their own, on a core that watches them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from transport.cores import PATIENCE, Answer, Core, Seen, core, friendly
from transport.fork_program import CALLS, CHILDREN

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def users_of_connections(host: Core) -> list[set[str]]:
    """For each connection, which processes' requests came over it."""
    users: defaultdict[int, set[str]] = defaultdict(set)
    for seen in host.seen:
        if seen.path != "/apiversion":
            name = seen.path.split("/")[1]
            users[seen.connection].add(name if name.startswith("child") else "parent")
    return list(users.values())


def all_together(count: int) -> Callable[[Seen], Answer]:
    """Answer every call only when *count* are waiting: they can only succeed in the time of one."""
    barrier = threading.Barrier(count, timeout=PATIENCE)

    def behave(seen: Seen) -> Answer:
        if seen.path != "/apiversion":
            barrier.wait()
        return friendly(seen)

    return behave


def test_both_sides_of_a_fork_get_their_own_answers_over_their_own_connections() -> None:
    """QT-8: warm pool, forks in the middle of other threads' calls; and the version is not asked for again."""
    with core() as host:
        assert run(str(HERE / "fork_program.py"), "warm", host.url) == "fine\n"
        assert len(host.seen) == 2 + CALLS * (CHILDREN + 4)
        assert [seen.path for seen in host.seen].count("/apiversion") == 1
        users = users_of_connections(host)
        assert all(len(names) == 1 for names in users)
        assert {name for names in users for name in names} == {"parent", *(f"child-{n}" for n in range(CHILDREN))}


def test_a_fork_in_the_middle_of_a_version_negotiation_does_not_leave_the_child_waiting() -> None:
    asked, answer = threading.Event(), threading.Event()

    def behave(seen: Seen) -> Answer:
        if seen.path == "/apiversion" and not asked.is_set():
            asked.set()
            answer.wait(PATIENCE)
        if seen.path == f"/child/{CALLS - 1}":
            answer.set()
        return friendly(seen)

    with core(behave) as host:
        command = [sys.executable, str(HERE / "fork_program.py"), "negotiating", host.url]
        with subprocess.Popen(
            command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert asked.wait(PATIENCE)
            output, _ = process.communicate("go\n", timeout=60)
        assert output == "fine\n"
        assert [seen.path for seen in host.seen].count("/apiversion") == 2


@pytest.mark.parametrize("name", ["transport", "outages"])
def test_a_child_does_not_wait_for_a_lock_that_a_thread_of_its_parent_holds(name: str) -> None:
    assert run("-W", "ignore::DeprecationWarning", str(HERE / "lock_fork_program.py"), name) == "fine\n"


def test_greenlets_call_at_the_same_time() -> None:
    with core(all_together(20)) as host:
        assert run(str(HERE / "greenlet_program.py"), host.url) == "fine\n"
        assert len(host.seen) == 1 + 3 * 20
        assert [seen.path for seen in host.seen].count("/apiversion") == 1


@contextmanager
def gunicorn(*options: str, core_url: str) -> Iterator[str]:
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "1", *options]
    command += ["--chdir", str(HERE), "gunicorn_app:app"]
    environment = {**ENVIRONMENT, "CORE_URL": core_url}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"Listening at: (http://\S+)", line):
                break
        else:
            pytest.fail("gunicorn did not start:\n" + "".join(said))
        try:
            yield found[1]
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["plain", "preload"])
def test_a_gevent_worker_makes_slow_core_calls_at_the_same_time(options: tuple[str, ...]) -> None:
    """QT-10: also when the app was imported before the worker's monkey-patching."""
    paths = [f"/{number}" for number in range(10)]
    texts: dict[str, Any] = {}
    with core(all_together(10)) as host, gunicorn("--worker-class", "gevent", *options, core_url=host.url) as app:

        def ask(path: str) -> None:
            texts[path] = requests.get(app + path, timeout=30).text

        threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert texts == {path: path for path in paths}
    assert [seen.path for seen in host.seen].count("/apiversion") == 1
