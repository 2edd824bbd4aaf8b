"""Which endpoints the suite's tests cover: said by a decorator, checked against the calls that the test makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., None])

COVERED: set[tuple[str, str]] = set()
"""Method and path of every endpoint that some imported test says it covers."""


def covers(*endpoints: str) -> Callable[[Test], Test]:
    """Say that a test covers endpoints, such as ``POST /recipe/signup``; the ``core`` fixture holds it to that."""

    def mark(test: Test) -> Test:
        rows = [tuple(endpoint.split(" ")) for endpoint in endpoints]
        COVERED.update((method, path) for method, path in rows)
        test.covers = rows  # type: ignore[attr-defined]  # read back by the fixture
        return test

    return mark
