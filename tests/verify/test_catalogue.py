"""
The catalogue of inputs is covered row by row: every row's label stands in a test here, or below with a reason.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import st_verify
from st_verify import EVENTS, REASONS

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
    """The first arguments of all refusals, and the names of all claims that must be texts."""
    refusals = {"NoSession", "TryRefresh", "Revoked", "Forbidden", "RevocationUnavailable"}
    refusals |= {"KeysUnavailable", "self._unavailable"}
    found: set[str] = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.For) and "text(payload, name)" in ast.unparse(node):
                found |= {f"{name}_form" for name in ast.literal_eval(node.iter)}
            if isinstance(node, ast.Call):
                words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                if ast.unparse(node.func) in refusals:
                    found |= set(words)
                if ast.unparse(node.func) in ("text", "text_or_null"):
                    found |= {f"{name}_form" for name in words}
    return found | {"invalid_claims"}


def test_every_reason_is_explained_and_nothing_else() -> None:
    assert reasons_in_code() == set(REASONS)


def events_in_code() -> set[str]:
    """The names of all events: what is reported, and why a key is left out."""
    calls = {"report", "self._report", "_KeyRefused"}
    names: set[str] = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in calls:
                first = node.args[0]
                names |= {str(first.value)} if isinstance(first, ast.Constant) else set()
    return names


def test_every_event_is_explained_and_nothing_else() -> None:
    assert events_in_code() == set(EVENTS)
