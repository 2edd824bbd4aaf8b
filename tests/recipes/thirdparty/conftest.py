"""A provider on loopback for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recipes.thirdparty.providers import IdP, running


@pytest.fixture
def idp() -> Iterator[IdP]:
    with running() as provider:
        yield provider
