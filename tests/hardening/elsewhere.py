"""Tests of other files that show a row."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

_TESTS = Path(__file__).parent.parent


def missing(place: str) -> bool:
    """Return whether there is no function ``file.py::name`` below the folder of the tests."""
    file, _, name = place.partition("::")
    return name not in _functions(file)


@cache
def _functions(file: str) -> frozenset[str]:
    tree = ast.parse((_TESTS / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
