"""Work that no response waits for: its threads, its limits, and its end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from st_wsgi import AppInfo, SuperTokens
from st_wsgi.recipe_kit.background import Background
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification

PATIENCE = 60
ROOT = Path(__file__).parents[2]


class Dead:
    """A mail server that does not reply until the test is over."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.over = threading.Event()

    def __call__(self) -> None:
        self.asked.release()
        self.over.wait(PATIENCE)


@pytest.fixture
def dead() -> Iterator[Dead]:
    dead = Dead()
    yield dead
    dead.over.set()


def test_close_waits_for_what_was_accepted_and_work_starts_the_threads_again() -> None:
    background, done = Background(), []
    for round_ in range(3):
        for number in range(5):
            assert background.run(lambda number=number: done.append(number))  # type: ignore[misc]  # mypy knows no default
        background.close()
        assert sorted(done) == sorted([*range(5)] * (round_ + 1))


def test_close_does_not_wait_for_a_service_that_does_not_reply(dead: Dead, caplog: pytest.LogCaptureFixture) -> None:
    background, done = Background(threads=1, patience=0.2), []
    assert background.run(dead)
    assert dead.asked.acquire(timeout=PATIENCE)
    for number in range(3):
        assert background.run(lambda number=number: done.append(number))  # type: ignore[misc]  # mypy knows no default
    background.close()
    assert "3 things still waited after 0.2 seconds and are dropped" in caplog.text
    dead.over.set()
    Background.close(background)
    assert done == []


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own until it ends."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_process_that_ends_waits_for_work_of_daemon_threads() -> None:
    """The threads in which waitress and others serve requests are daemons, for which no process waits."""
    done = run("""
import threading, time
from st_wsgi.recipe_kit.background import Background

background, main = Background(), threading.main_thread()
visitor = threading.Thread(target=lambda: background.run(lambda: (main.join(), print("sent"))), daemon=True)
visitor.start()
visitor.join()
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "sent\n", "")


def test_an_app_may_go_on_after_its_main_thread() -> None:
    """Its mails are sent, or each is refused with a line in the log: Python 3.12 starts no threads then."""
    done = run("""
import threading
from st_wsgi.recipe_kit.background import Background

def serve():
    threading.main_thread().join()
    background = Background(threads=1, patience=0.3)
    for name in ("first", "second", "third"):
        sent = threading.Event()
        if background.run(lambda: (print(name), sent.set())):
            assert sent.wait(30)
        background.close()

threading.Thread(target=serve).start()
""")
    assert done.returncode == 0
    refusal = "work was refused: can't create new thread at interpreter shutdown\n"
    assert (done.stdout, done.stderr) in [("first\nsecond\nthird\n", ""), ("", 3 * refusal)]


def test_the_end_of_a_process_does_not_wait_for_it_either() -> None:
    program = """
import threading
from st_wsgi.recipe_kit.background import Background

background, begun = Background(threads=1, patience=0), threading.Event()
background.run(lambda: (begun.set(), threading.main_thread().join(), print("first")))
for name in ("second", "third"):
    background.run(lambda name=name: print(name))
begun.wait()
"""
    done = run(program)
    assert (done.returncode, done.stdout) == (0, "first\n"), done.stderr
    assert done.stderr == "2 things still waited after 0 seconds and are dropped\n"


def test_beyond_the_limit_work_is_refused(dead: Dead, caplog: pytest.LogCaptureFixture) -> None:
    background = Background(threads=1, limit=2)
    assert background.run(dead)
    assert dead.asked.acquire(timeout=PATIENCE)
    assert [background.run(dead) for _ in range(4)] == [True, True, False, False]
    assert "work was refused: 2 things wait already" in caplog.text
    dead.over.set()
    background.close()
    assert background.run(dead)


def test_work_that_gets_no_thread_is_refused_and_fails_no_request(
    dead: Dead, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At the end of the process, for example. With a thread that runs already, the work waits for that."""
    done: list[str] = []
    background = Background(threads=2)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert not background.run(lambda: done.append("without a thread"))
    assert "work was refused: can't start new thread" in caplog.text
    assert background.run(dead)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert background.run(lambda: done.append("after the other"))
    dead.over.set()
    background.close()
    assert done == ["after the other"]


def test_what_work_raises_is_logged_by_its_type_and_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def fail(error: type[BaseException]) -> None:
        raise error("ada@example.com")

    background = Background(threads=1)
    background.run(lambda: fail(ValueError))
    background.run(lambda: fail(SystemExit))
    background.run(lambda: fail(asyncio.CancelledError))
    background.run(lambda: done.append("next"))
    background.close()
    assert done == ["next"]
    assert [record.getMessage() for record in caplog.records] == [
        "work in the background failed: ValueError",
        "work in the background failed: SystemExit",
        "work in the background failed: CancelledError",
    ]


def test_the_recipes_of_an_instance_share_their_threads_so_that_closing_it_waits_once() -> None:
    recipes = EmailPassword(), EmailVerification(mode="OPTIONAL")
    info = AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost")
    done: list[str] = []
    with closing(SuperTokens(app_info=info, core="sqlite://", recipes=recipes)):
        assert recipes[0].background is recipes[1].background
        recipes[0].background.run(lambda: done.append("mail"))
    assert done == ["mail"]
