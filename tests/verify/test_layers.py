"""Imports inside st_verify go one way: every module imports only modules listed above it."""

from __future__ import annotations

import ast
from pathlib import Path

import st_verify

PACKAGE = Path(st_verify.__file__).parent

ORDER = [
    "errors",
    "settings",
    "strict_json",
    "base64url",
    "jwk",
    "token",
    "claims",
    "known_claims",
    "keys",
    "fetch",
    "remote",
    "verification",
    "verifier",
    "other_tokens",
    "headers",
    "wsgi",
    "__main__",
    "__init__",
]


def test_every_module_has_its_place() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == set(ORDER)


def test_imports_point_up_the_list() -> None:
    for place, name in enumerate(ORDER):
        source = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{name} has a relative import"
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "st_verify":
                below = [(node.module or "").partition(".")[2]]
                below = below if below[0] else [alias.name for alias in node.names]
                assert set(below) <= set(ORDER[:place]), f"{name} imports {below}"
