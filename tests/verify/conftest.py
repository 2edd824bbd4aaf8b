"""Fixtures of the verifier's tests."""

from __future__ import annotations

import pytest

from verify.minting import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
