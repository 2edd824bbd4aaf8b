"""The queue of a bulk import: processes that die, several at a time, hashes, and what is kept."""

from __future__ import annotations

import logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from contract.client import Caller, fresh
from contract.logins import user
from contract.test_bulkimport import COUNT, PASSWORD, USERS, account, failed, plain

from embedded.conftest import QUICK, Clock, caller
from st_wsgi.embedded import EmbeddedCore, bulkqueue, maintenance
from st_wsgi.embedded.bulkqueue import LEASE, BulkQueue
from st_wsgi.embedded.passwords import Passwords

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]


def queue_of(core: EmbeddedCore) -> BulkQueue:
    queue = core.services.imports
    assert isinstance(queue, BulkQueue)
    return queue


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Keep the thread from starting, so that users wait; return what lets it start again."""
    with monkeypatch.context() as patch:
        patch.setattr(BulkQueue, "wake", lambda self: None)
        yield patch.undo


def add(app: Caller, users: list[dict[str, Any]]) -> list[str]:
    """Put users into the queue and return their ids."""
    return [one["userId"] for one in app.post(USERS, users=users).has()["users"]]


def working(path: pathlib.Path, how: str, rest: int) -> subprocess.Popen[str]:
    """Start a process that works the queue of a file off."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", HERE / "import_program.py", path, how, str(rest)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_a_killed_process_loses_and_doubles_nobody(tmp_path: pathlib.Path, waiting: Callable[[], None]) -> None:
    """Users are in the queue or stored, never both; the next process goes on, also with those in the middle of it."""
    path = tmp_path / "auth.db"
    with EmbeddedCore(path, settings=QUICK) as core:
        app = caller(core)
        ids = add(app, [{"loginMethods": [account(), account()]} for _ in range(450)])
        ids += add(app, [{"externalUserId": fresh("ext"), "loginMethods": [plain()]} for _ in range(50)])
    with working(path, "killed", 350) as killed:
        assert killed.stdout is not None
        left, hashing = map(int, killed.stdout.read().split())
    assert killed.returncode == -signal.SIGKILL
    assert 0 < hashing <= left <= 350
    waiting()
    with EmbeddedCore(path, settings=QUICK, clock=lambda: time.time_ns() // 1_000_000 + 2 * LEASE) as core:
        app = caller(core)
        assert failed(app) == []
        app.get(COUNT).says("OK", count=0)
        assert [user(app, user_id)["id"] for user_id in ids] == ids
        app.get("/users/count").says("OK", count=450 * 2 + 50)
    assert maintenance.check(path).problems == ()


def test_several_processes_share_the_work(tmp_path: pathlib.Path, waiting: Callable[[], None]) -> None:
    """Two processes on one file store every user once: none fails because another process was quicker."""
    path = tmp_path / "auth.db"
    with EmbeddedCore(path, settings=QUICK) as core:
        app = caller(core)
        ids = add(app, [{"loginMethods": [plain() if number % 4 == 0 else account()]} for number in range(200)])
        with working(path, "done", 0) as first, working(path, "done", 0) as second:
            for process in (first, second):
                process.communicate(timeout=120)
        assert (first.returncode, second.returncode) == (0, 0)
        assert app.get(USERS).has()["users"] == []
        assert {user(app, user_id)["id"] for user_id in ids} == set(ids)
        app.get("/users/count").says("OK", count=200)


def test_the_first_call_of_a_process_goes_on(
    tmp_path: pathlib.Path, make_core: Callable[..., EmbeddedCore], waiting: Callable[[], None]
) -> None:
    """Nothing is started when a core is opened; any call looks once whether an earlier process left users."""
    path = tmp_path / "auth.db"
    add(caller(make_core(path)), [{"loginMethods": [account()]}])
    waiting()
    core = make_core(path)
    before = queue_of(core)._thread
    caller(core).get("/recipe/roles").has()
    thread = queue_of(core)._thread
    assert before is None
    assert thread is not None
    thread.join(60)
    with core.services.store.read() as db:
        assert db.run("SELECT count(*) FROM bulk_import_users").fetchone()[0] == 0


def test_closing_lets_the_rest_wait(
    tmp_path: pathlib.Path, make_core: Callable[..., EmbeddedCore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A core that is closed finishes the user whose password it hashes; the others wait for the next, unmarked."""
    path, hashing, go_on = tmp_path / "auth.db", threading.Event(), threading.Event()
    real = Passwords.hash

    def slow(self: Passwords, password: str, algorithm: str | None = None) -> str:
        hashing.set()
        assert go_on.wait(60)
        return real(self, password, algorithm)

    monkeypatch.setattr(Passwords, "hash", slow)
    core = make_core(path)
    ids = add(caller(core), [{"loginMethods": [plain()]} for _ in range(3)])
    assert hashing.wait(60)
    closing = threading.Thread(target=core.close)
    closing.start()
    assert queue_of(core)._closed.wait(60)
    go_on.set()
    closing.join(60)
    with make_core(path).services.store.read() as db:
        rows = db.run("SELECT status FROM bulk_import_users").fetchall()
        assert rows == [("NEW",)] * 2
        stored = db.column("SELECT user_id FROM login_methods")
    assert len(stored) == 1
    assert set(stored) < set(ids)


def test_what_changes_meanwhile(core: EmbeddedCore, clock: Clock, waiting: Callable[[], None]) -> None:
    """A user is checked again when their turn comes, since a role may be gone; who was removed stays out."""
    app, role = caller(core), fresh("role")
    app.put("/recipe/role", role=role).has()
    method = account()
    with_role, removed = add(
        app,
        [
            {"loginMethods": [method], "userRoles": [{"role": role, "tenantIds": ["public"]}]},
            {"loginMethods": [account()]},
        ],
    )
    app.post("/recipe/role/remove", role=role).has()
    app.post(f"{USERS}/remove", ids=[removed]).gives({"deletedIds": [removed], "invalidIds": []})
    waiting()
    [stayed] = failed(app)
    assert (stayed["id"], stayed["errorMessage"]) == (with_role, f"[Role {role} does not exist.]")
    app.get("/users/count").says("OK", count=0)


def test_an_app_that_is_removed_takes_its_queue_along(core: EmbeddedCore, waiting: Callable[[], None]) -> None:
    app = caller(core)
    app.put("/recipe/multitenancy/app/v2", appId="gone").has()
    add(app.below("appid-gone"), [{"loginMethods": [account()]}])
    app.post("/recipe/multitenancy/app/remove", appId="gone").has()
    waiting()
    queue_of(core).run()
    with core.services.store.read() as db:
        assert db.run("SELECT count(*) FROM bulk_import_users").fetchone()[0] == 0
        assert db.run("SELECT count(*) FROM login_methods").fetchone()[0] == 0


def test_every_app_has_its_own_settings(core: EmbeddedCore) -> None:
    """Plain passwords are hashed as the app says."""
    app = caller(core)
    app.put("/recipe/multitenancy/app/v2", appId="b", coreConfig={"password_hashing_alg": "BCRYPT"}).has()
    below, method = app.below("appid-b"), plain()
    add(below, [{"loginMethods": [method]}])
    assert failed(below) == []
    with core.services.store.read() as db:
        assert db.run("SELECT password_hash FROM login_methods").fetchone()[0].startswith("$2a$")
    below.post("/recipe/signin", email=method["email"], password=PASSWORD).has()


def test_a_user_who_cannot_be_read_keeps_nobody_from_their_turn(
    core: EmbeddedCore, caplog: pytest.LogCaptureFixture, waiting: Callable[[], None]
) -> None:
    """What nobody foresaw is noted in the row, and in the log of the core; the users behind it are stored."""
    app = caller(core)
    first, second = add(app, [{"loginMethods": [account()]}]) + add(app, [{"loginMethods": [account()]}])
    with core.services.store.write() as db:
        db.run(
            "UPDATE bulk_import_users SET content = replace(content, 'superTokensUserId', 'other') WHERE id = ?",
            (first,),
        )
    waiting()
    queue_of(core).run()
    with core.services.store.read() as db:
        rows = db.run("SELECT id, status, error_message FROM bulk_import_users").fetchall()
    assert rows == [(first, "FAILED", "internal error, see the log of the core")]
    assert user(app, second)["id"] == second
    assert f"user {first} failed" in caplog.text


def test_passwords_that_cannot_be_hashed(
    core: EmbeddedCore, monkeypatch: pytest.MonkeyPatch, waiting: Callable[[], None]
) -> None:
    """An app wants bcrypt, which is not installed here: its users fail with the remedy, and others are stored."""
    app = caller(core)
    app.put("/recipe/multitenancy/app/v2", appId="b", coreConfig={"password_hashing_alg": "BCRYPT"}).has()
    add(app.below("appid-b"), [{"loginMethods": [plain()]}])
    [other] = add(app, [{"loginMethods": [plain()]}])
    monkeypatch.setattr(core.services.passwords, "_bcrypt", None)
    waiting()
    queue_of(core).run()
    [left] = failed(app.below("appid-b"))
    assert "pip install 'st-wsgi[bcrypt]'" in left["errorMessage"]
    assert user(app, other)["id"] == other


def test_an_app_whose_settings_do_not_fit_here(
    make_core: Callable[..., EmbeddedCore],
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
    waiting: Callable[[], None],
) -> None:
    """Its users wait for a process whose settings are right; those of other apps, who came later, are stored."""
    path = tmp_path / "auth.db"
    right = make_core(path)
    app = caller(right)
    app.put("/recipe/multitenancy/app/v2", appId="b", coreConfig={"refresh_token_validity": 100}).has()
    ids = add(app.below("appid-b"), [{"loginMethods": [plain() if n else account()]} for n in range(60)])
    with right.services.store.write() as db:  # another process has taken this one up and has ended
        db.run("UPDATE bulk_import_users SET status = 'PROCESSING', updated_at = 0 WHERE id = ?", (ids[0],))
    others = add(app, [{"loginMethods": [account()]}, {"loginMethods": [plain()]}])
    wrong = make_core(path, access_token_validity=7000)
    waiting()
    for _ in range(2):
        queue_of(wrong).run()
    with right.services.store.read() as db:
        rows = db.run("SELECT id, status, error_message FROM bulk_import_users").fetchall()
    assert sorted(rows) == sorted((one, "NEW" if n else "PROCESSING", None) for n, one in enumerate(ids))
    told = [record.getMessage() for record in caplog.records if "bulk import" in record.getMessage()]
    assert len(told) == 1
    assert "'refresh_token_validity' must be strictly greater" in told[0]
    assert [user(app, user_id)["id"] for user_id in others] == others
    queue_of(right).run()
    below = app.below("appid-b")
    assert [user(below, user_id)["id"] for user_id in ids] == ids


def test_an_app_whose_settings_fit_again(
    make_core: Callable[..., EmbeddedCore],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    waiting: Callable[[], None],
) -> None:
    """The thread looks at it again after a pause, with no further call."""
    monkeypatch.setattr(bulkqueue, "_PATIENCE", 0.01)
    path, found = tmp_path / "auth.db", threading.Event()
    right = make_core(path)
    app = caller(right)
    app.put("/recipe/multitenancy/app/v2", appId="b", coreConfig={"refresh_token_validity": 100}).has()
    [user_id] = add(app.below("appid-b"), [{"loginMethods": [account()]}])
    wrong = queue_of(make_core(path, access_token_validity=7000))
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: found.set())
    monkeypatch.setattr(bulkqueue._log, "handlers", [handler])
    waiting()
    wrong.wake()
    assert found.wait(60)
    app.put("/recipe/multitenancy/app/v2", appId="b", coreConfig={"refresh_token_validity": None}).has()
    assert wrong._thread is not None
    wrong._thread.join(60)
    assert user(app.below("appid-b"), user_id)["id"] == user_id


def test_users_who_come_while_the_thread_ends(core: EmbeddedCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait for no further call: either the thread still sees them, or another one is started."""
    app, queue, real = caller(core), queue_of(core), BulkQueue.run
    added: list[str] = []

    def run(self: BulkQueue) -> None:
        real(self)
        if not added:  # the thread has just seen an empty queue
            added.extend(add(app, [{"loginMethods": [account()]}]))

    monkeypatch.setattr(BulkQueue, "run", run)
    add(app, [{"loginMethods": [account()]}])
    thread = queue._thread
    assert thread is not None
    thread.join(60)
    assert queue._thread is not None
    queue._thread.join(60)
    with core.services.store.read() as db:
        assert db.run("SELECT count(*) FROM bulk_import_users").fetchone()[0] == 0
    assert user(app, added[0])["id"] == added[0]


@pytest.mark.exhaustive
def test_thousands_in_little_memory(tmp_path: pathlib.Path) -> None:
    """The queue is worked off in rounds: what a process needs does not grow with it."""
    program = """
import resource, sys
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.embedded import EmbeddedCore

def social(number):
    method = {"recipeId": "thirdparty", "email": f"u{number}@example.com", "thirdPartyId": "google"}
    return {"externalUserId": str(number), "loginMethods": [{**method, "thirdPartyUserId": str(number)}]}

core = EmbeddedCore(sys.argv[1], settings={"argon2_memory_kb": 64})
used = []
for start in range(0, 4000, 1000):
    users = [social(number) for number in range(start, start + 1000)]
    assert core.send(CoreRequest("POST", "/bulk-import/users", body={"users": users})).status == 200
    core.services.imports.run()
    used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(used[1], used[-1], core.send(CoreRequest("GET", "/users/count", params={})).body["count"])
core.close()
"""
    run = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "auth.db"],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    early, late, users = map(int, run.stdout.split())
    assert users == 4000
    assert late < early * 1.25
