"""
The catalogue of inputs is covered row by row: every row's label stands in a test here, or below with a reason.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import st_verify
from st_verify import REASONS

HERE = Path(__file__).parent
PACKAGE = Path(st_verify.__file__).parent

#: First and last row of every section of the catalogue.
SECTIONS = [(1, 19), (20, 49), (50, 57), (60, 73), (80, 90), (100, 107), (110, 113), (118, 129), (130, 152), (160, 171)]
SECTIONS += [(180, 204), (210, 231)]

#: Rows that no test here has, each with its reason.
ELSEWHERE: dict[str, str] = {}


def labels_in_tests() -> set[str]:
    """Labels in ids and docstrings, ranges included."""
    found: set[str] = set()
    for path in HERE.glob("test_*.py"):
        if path != Path(__file__):
            found |= set(re.findall(r"V-\d{3}", path.read_text(encoding="utf-8")))
    return found


def test_every_row_has_a_test_or_a_reason() -> None:
    rows = {f"V-{row:03}" for first, last in SECTIONS for row in range(first, last + 1)}
    tested = labels_in_tests()
    assert rows - tested - set(ELSEWHERE) == set()
    assert tested <= rows
    assert not tested & set(ELSEWHERE)


def reasons_in_code() -> set[str]:
    """First arguments of everything that refuses."""
    refusals = {"NoSession", "TryRefresh", "Revoked", "Forbidden", "KeysUnavailable", "RevocationUnavailable"}
    found: set[str] = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                if node.func.id in refusals:
                    found |= set(words)
                if node.func.id in ("text", "text_or_null"):
                    found |= {f"{name}_form" for name in words}
    return found | {"invalid_claims"}


def test_every_reason_is_explained_and_nothing_else() -> None:
    assert reasons_in_code() == set(REASONS)
