"""Cores in memory for the tests of recipes, and a process without a default instance after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster import cluster  # noqa: F401  # a fixture

from recipes.shop import QUICK, Borrowed, Clock, Shop
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.request import current


@pytest.fixture(scope="session")
def shared_core() -> Iterator[EmbeddedCore]:
    """One core for all tests that only use users of their own: making its keys takes a while."""
    with EmbeddedCore(settings=QUICK) as core:
        yield core


@pytest.fixture
def core(shared_core: EmbeddedCore) -> Iterator[Borrowed]:
    """The shared core with memories of its own."""
    yield Borrowed(shared_core)
    current.set_default(None)


@pytest.fixture
def shop(core: Borrowed) -> Shop:
    """A shop with website and API on one site."""
    return Shop(core)


@pytest.fixture
def clock() -> Clock:
    return _CLOCK


@pytest.fixture(scope="session")
def timed_shared_core() -> Iterator[EmbeddedCore]:
    with EmbeddedCore(settings=QUICK, clock=_CLOCK) as core:
        yield core


@pytest.fixture
def timed_core(timed_shared_core: EmbeddedCore) -> Iterator[Borrowed]:
    """A core that lives in the time of the fixture *clock*, which only goes forward."""
    yield Borrowed(timed_shared_core)
    current.set_default(None)


_CLOCK = Clock()
