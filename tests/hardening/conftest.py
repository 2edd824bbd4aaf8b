"""A core for all rows, with a memory of its own for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster import cluster  # noqa: F401  # a fixture
from recipes.shop import QUICK, Borrowed

from st_wsgi.embedded import EmbeddedCore
from st_wsgi.request import current


@pytest.fixture(scope="module")
def shared_core() -> Iterator[EmbeddedCore]:
    with EmbeddedCore(settings=QUICK) as core:
        yield core


@pytest.fixture
def core(shared_core: EmbeddedCore) -> Iterator[Borrowed]:
    yield Borrowed(shared_core)
    current.set_default(None)
