"""Embedded cores whose time the tests move."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest
from cluster import Cluster, cluster, pooled  # noqa: F401  # fixtures
from contract.client import Caller, InProcess

from st_wsgi.embedded import EmbeddedCore

START = 1_700_000_000_000
QUICK = {"argon2_memory_kb": 64}

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000


class Clock:
    """Time in milliseconds that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def move(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds


def caller(core: EmbeddedCore) -> Caller:
    """Return a caller for a core's public app."""
    return Caller(InProcess(core), headers={"cdi-version": "5.4"})


@pytest.fixture
def clock() -> Clock:
    """The time of the cores of a test."""
    return Clock()


@pytest.fixture
def make_core(clock: Clock) -> Iterator[Callable[..., EmbeddedCore]]:
    """Make cores that are closed in the end: in memory, on a file or at an address, with settings by name."""
    made = []

    def make(place: pathlib.Path | str | None = None, **settings: object) -> EmbeddedCore:
        given: dict[str, object] = {**QUICK, **settings}
        if isinstance(place, str):
            core = EmbeddedCore.open(place, settings=given, clock=clock)
        else:
            core = EmbeddedCore(place, settings=given, clock=clock)
        made.append(core)
        return core

    yield make
    for core in made:
        core.close()


#: What these are about is above the engines: they run on one.
ABOVE_THE_ENGINES = ("test_admission.py", "test_passwords.py", "test_server.py")

#: What these are about is one engine.
OF_SQLITE = ("test_store.py", "test_statements.py")

#: Long, and rarely another outcome on the other engine.
RANDOM = ("test_any_input.py",)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that take a core on each engine, if their file can come out differently there."""
    if "core" in metafunc.fixturenames:
        name = metafunc.definition.path.name
        # On every Python, the contract suite has the statements and their replies on this engine.
        marks = [pytest.mark.exhaustive if name in RANDOM else pytest.mark.one_python]
        more = [] if name in (*ABOVE_THE_ENGINES, *OF_SQLITE) else [pytest.param("postgres", marks=marks)]
        metafunc.parametrize("core", ["memory", *more], indirect=True)


@pytest.fixture
def core(request: pytest.FixtureRequest, make_core: Callable[..., EmbeddedCore]) -> EmbeddedCore:
    """A core on one engine."""
    if request.param == "memory":
        return make_core()
    server: Cluster = request.getfixturevalue("cluster")
    return make_core(server.address())


@pytest.fixture
def app(core: EmbeddedCore) -> Caller:
    """The public app of that core."""
    return caller(core)
