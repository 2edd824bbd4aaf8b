"""A provider on loopback for each test, and a certificate for those that speak TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from transport.conftest import certificate

from recipes.thirdparty.providers import IdP

__all__ = ["certificate"]  # a fixture


@pytest.fixture
def idp() -> Iterator[IdP]:
    with IdP() as provider:
        yield provider
