"""Several processes, threads and greenlets on one file, and processes that die."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from cluster import Cluster, running
from contract.client import Caller, fresh
from contract.test_emailpassword import sign_up
from contract.test_sessions import create, refresh

from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore, population

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]

WRITERS = 4
ACKNOWLEDGED = 24


def run(program: str, *arguments: object) -> str:
    """Run a program of this folder to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", HERE / program, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.one_python)])
def address(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    """The address of a database that several processes can use."""
    if request.param == "file":
        return f"sqlite:///{tmp_path / 'auth.db'}"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.address()


def test_a_fork_opens_connections_of_its_own(address: str) -> None:
    """Parent and child go on with the same database after a fork."""
    assert run("fork_program.py", address).splitlines() == [
        "child ['before', 'child']",
        "parent ['before', 'child', 'parent']",
    ]


def test_memory_is_not_shared_by_a_fork() -> None:
    """A core in memory tells a forked child to use a file; the parent is not disturbed."""
    child, parent = run("fork_program.py", "sqlite://").splitlines()
    assert "in memory cannot be shared by processes" in child
    assert "sqlite:///auth.db" in child
    assert parent == "parent ['before', 'parent']"


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param("busy", id="while threads write and read"),
        pytest.param("hashing", id="while threads hash passwords", marks=pytest.mark.exhaustive),
        pytest.param("closing_parent", id="and the parent closes the file before the child is done"),
        pytest.param("waiting", id="that waits for a thread, which may take a second connection"),
        pytest.param("inside", id="of several threads at once, each with a connection"),
    ],
)
def test_a_fork(scene: str, tmp_path: pathlib.Path) -> None:
    """
    Takes place while no other thread is inside SQLite or hashes a password, and no file is open.

    Otherwise the child may inherit a lock that is never released, and hang; what OpenSSL knows of threads that help it,
    and never hash a password again; or what SQLite knows of the parent's locks on the file, which the child does not
    have, and lose what it writes.
    """
    assert run("busy_fork_program.py", scene, tmp_path) == "fine\n"


def test_hashing_does_not_stop_other_greenlets(address: str) -> None:
    """Under gevent, others run while passwords are hashed, and all greenlets share one connection to a file."""
    statuses, rest = run("greenlet_program.py", address).splitlines()
    counted, connections = map(int, rest.split())
    assert statuses == str(["OK"] * 4)
    assert counted >= 10
    assert connections == 1


@contextmanager
def _writer(address: str) -> Iterator[subprocess.Popen[str]]:
    """Run a writer, which ends by ``kill -9``, whatever becomes of the test."""
    with subprocess.Popen(
        [sys.executable, HERE / "writer_program.py", address],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    ) as writer:
        try:
            yield writer
        finally:
            writer.kill()


@pytest.mark.one_python
@pytest.mark.parametrize("rounds", [1, pytest.param(3, marks=pytest.mark.exhaustive)])
def test_what_was_acknowledged_survives_kill_9(
    make_core: Callable[..., EmbeddedCore], address: str, rounds: int
) -> None:
    """Four processes write and are killed without warning, again and again; nothing that was answered is lost."""
    said: list[dict[str, str]] = []
    for _ in range(rounds):
        with ExitStack() as running:
            writers = [running.enter_context(_writer(address)) for _ in range(WRITERS)]
            # Some are killed early, in the middle of other processes' writes, some late.
            for position, writer in enumerate(writers):
                assert writer.stdout is not None
                for _ in range(ACKNOWLEDGED // (1 + position)):
                    line = writer.stdout.readline()
                    assert line, "a writer failed"
                    said.append(json.loads(line))
                writer.kill()
                # What was printed before the signal took effect was acknowledged too.
                said += [json.loads(line) for line in writer.stdout.read().splitlines() if line.endswith("}")]
    assert len({line["user"] for line in said if "user" in line}) >= rounds * WRITERS
    _check(make_core(address), said)


@pytest.mark.one_python
@pytest.mark.exhaustive
def test_what_was_acknowledged_survives_the_death_of_the_server(make_core: Callable[..., EmbeddedCore]) -> None:
    """PostgreSQL is killed while four processes write; when it is back, nothing that was answered is lost."""
    said: list[dict[str, str]] = []
    with running() as server, ExitStack() as writing:
        address = server.address()
        writers = [writing.enter_context(_writer(address)) for _ in range(WRITERS)]
        for writer in writers:
            assert writer.stdout is not None
            said += [json.loads(writer.stdout.readline()) for _ in range(6)]
        server.stop("immediate")
        for writer in writers:
            assert writer.stdout is not None
            said += [json.loads(line) for line in writer.stdout.read().splitlines()]
            assert writer.wait(30) == 1
        server.start()
        core = make_core(address)
        _check(core, said)
        core.close()


def _check(core: EmbeddedCore, said: list[dict[str, str]]) -> None:
    """Everything is there, and all tables say the same."""
    assert population.orphans(core.services.store) == {}
    app = caller(core)
    for acknowledged in said:
        if "user" in acknowledged:
            app.get("/user/id", userId=acknowledged["user"]).has()
        elif "role" in acknowledged:
            app.get("/recipe/user/roles", userId=acknowledged["of"]).says("OK", roles=[acknowledged["role"]])
    _check_rotations(app, [line for line in said if "current" in line])


def _check_rotations(app: Caller, said: list[dict[str, str]]) -> None:
    """The last child of each writer goes on, and a token whose child was acknowledged as current is a stolen one."""
    children = {line["current"]: line["child"] for line in said}
    assert len(children) >= WRITERS
    for current, child in children.items():
        if child in children:
            assert refresh(app, current).body["status"] == "TOKEN_THEFT_DETECTED"
        else:
            refresh(app, child).has()


def test_processes_and_threads_write_at_the_same_time(make_core: Callable[..., EmbeddedCore], address: str) -> None:
    """Two cores on one database, four threads each: every write succeeds, none finds the file locked."""
    cores = [make_core(address), make_core(address)]
    errors: list[Any] = []

    def work(app: Caller) -> None:
        try:
            for _ in range(10):
                session = create(app, fresh("user"))
                refresh(app, session["refreshToken"]["token"]).has()
                app.put("/recipe/role", role=fresh("role")).has(createdNewRole=True)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=work, args=(caller(core),)) for core in cores for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(caller(cores[0]).get("/recipe/roles").body["roles"]) == 80


def test_parallel_refreshes_of_one_token(app: Caller) -> None:
    """Requests of one browser that refresh at the same time all get a child, and any of them goes on."""
    token = create(app, "user")["refreshToken"]["token"]
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(refresh(app, token).body)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer["status"] for answer in answers] == ["OK"] * 8
    refresh(app, answers[3]["refreshToken"]["token"]).has()
    assert refresh(app, answers[4]["refreshToken"]["token"]).body["status"] == "TOKEN_THEFT_DETECTED"


def test_bodies_belong_to_the_caller(app: Caller) -> None:
    """Changing an answer, or what was sent, changes nothing in the core."""
    metadata = {"a": {"b": 1}}
    answer = app.put("/recipe/user/metadata", userId="u", metadataUpdate=metadata).has()
    metadata["a"]["b"] = answer["metadata"]["a"]["b"] = 2
    app.get("/recipe/user/metadata", userId="u").says("OK", metadata={"a": {"b": 1}})
    payload = {"c": [1]}
    session = create(app, "u", userDataInJWT=payload)["session"]
    payload["c"].append(2)
    assert session["userDataInJWT"] == {"c": [1]}
    assert sign_up(app)["tenantIds"] is not sign_up(app)["tenantIds"]


def test_what_is_no_json_is_refused(app: Caller) -> None:
    """In process, where no JSON parser stands in between, values that JSON does not have are refused all the same."""
    for value in (float("nan"), {1, 2}, object()):
        app.put("/recipe/user/metadata", userId="u", metadataUpdate={"a": value}).refused(400, "Invalid Json Input")
    app.get("/recipe/user/metadata", userId="u").says("OK", metadata={})
