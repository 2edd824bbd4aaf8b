"""Embedded cores whose time the tests move."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest
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
    """Make cores that are closed in the end: in memory, or on a file, with settings by name."""
    made = []

    def make(path: pathlib.Path | None = None, **settings: object) -> EmbeddedCore:
        core = EmbeddedCore(path, settings={**QUICK, **settings}, clock=clock)
        made.append(core)
        return core

    yield make
    for core in made:
        core.close()


@pytest.fixture
def core(make_core: Callable[..., EmbeddedCore]) -> EmbeddedCore:
    """A core in memory."""
    return make_core()


@pytest.fixture
def app(core: EmbeddedCore) -> Caller:
    """The public app of a core in memory."""
    return caller(core)
