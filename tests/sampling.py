"""Long tables: some rows run in each test run, the others in ``make exhaustive``."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet


def exhaustive_but(rows: Iterable[object], chosen: Container[object]) -> list[ParameterSet]:
    """
    Return a parameter for each row; ``make test`` runs only those that were chosen.

    :param rows: values of one parameter, or tuples of values of several.
    """
    return [
        pytest.param(
            *(row if isinstance(row, tuple) else (row,)), marks=() if row in chosen else pytest.mark.exhaustive
        )
        for row in rows
    ]
