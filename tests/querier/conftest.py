"""What the tests of the querier share."""

from __future__ import annotations

import pytest

from querier.scripted import Requests, Scripted


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def requests() -> Requests:
    return Requests()
