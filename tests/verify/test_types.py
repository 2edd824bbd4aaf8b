"""Every public name has a declared type, so that all checkers infer the same (pyright --verifytypes: 100 %)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import st_verify

PACKAGE = Path(st_verify.__file__).parent


def undeclared(source: str) -> Iterator[str]:
    """Public names whose type has to be inferred from a call; parameters and results without one."""
    module = ast.parse(source)
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            type_variable = isinstance(node.value.func, ast.Name) and node.value.func.id in ("TypeVar", "ParamSpec")
            yield from (name for name in names if not name.startswith("_") and not type_variable)
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef):
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            bare = [argument.arg for argument in arguments if argument.annotation is None]
            if function.returns is None or set(bare) - {"self", "cls"}:
                yield function.name


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_nothing_public_is_left_to_inference(path: Path) -> None:
    assert list(undeclared(path.read_text(encoding="utf-8"))) == []


def test_the_check_sees_what_it_is_for() -> None:
    assert list(undeclared("log = make()\n_log = make()\nT = TypeVar('T')\nN = 5")) == ["log"]
    assert list(undeclared("def f(a): ...\ndef g(self, a: int) -> None: ...")) == ["f"]


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
