"""The rules of the house that no linter knows, read off the source with ast; each rule is also shown a breach."""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
from public_names import public_names

ROOT = Path(__file__).parent.parent
PACKAGES = ("st_wsgi", "st_verify")
LEFT_OUT = re.compile(r"\.|node_modules/|build/")


def python_files(*folders: str) -> list[Path]:
    """The files below these folders, apart from what was built or installed there."""
    found = []
    for top, inner, names in (step for folder in folders for step in os.walk(ROOT / folder)):
        inner[:] = [name for name in inner if not LEFT_OUT.match(f"{name}/")]
        found += [Path(top, name) for name in names if name.endswith(".py") and not LEFT_OUT.match(name)]
    return sorted(found)


SOURCES = python_files(*PACKAGES)
EVERYTHING = python_files(*PACKAGES, "examples", "tests")

Functions = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Rule = Callable[[ast.Module], Iterator[str]]


def own_imports_in_functions(tree: ast.Module) -> Iterator[str]:
    """Modules of ours that are imported when a function runs."""
    for function in (node for node in ast.walk(tree) if isinstance(node, Functions)):
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith(PACKAGES)):
                yield f"{'.' * node.level}{node.module or ''}"
            elif isinstance(node, ast.Import):
                yield from (name.name for name in node.names if name.name.startswith(PACKAGES))


def calls_of_siblings(tree: ast.Module) -> Iterator[str]:
    """Public methods of a class that the class itself reaches through self, past any override."""
    for owner in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        public = {
            node.name for node in owner.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        }
        for node in ast.walk(owner):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self" and node.attr in public:
                yield f"{owner.name}: self.{node.attr}"


def global_state(tree: ast.Module) -> Iterator[str]:
    """State that belongs to no object: global statements, and context or thread variables of a module."""
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    of_objects = [node.value for node in assigned if ast.unparse(node.targets[0]).startswith("self.")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield from (f"global {name}" for name in node.names)
        elif (
            isinstance(node, ast.Call)
            and node not in of_objects
            and ast.unparse(node.func).split(".")[-1] in ("ContextVar", "local")
        ):
            yield ast.unparse(node)


def event_loops(tree: ast.Module) -> Iterator[str]:
    """Whatever needs an event loop."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await):
            yield type(node).__name__
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "asyncio")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "asyncio":
            yield "asyncio"


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def breaches(rule: Rule, paths: list[Path]) -> set[tuple[str, str]]:
    """Pairs of file and breach."""
    return {(path.relative_to(ROOT).as_posix(), breach) for path in paths for breach in rule(parsed(path))}


def test_only_the_choice_of_the_core_and_the_doctor_import_first_party_code_inside_a_function() -> None:
    # And the choice of its engine: an app on a file never loads the driver of a server.
    chosen = {("st_wsgi/app.py", ".embedded"), ("st_wsgi/embedded/core.py", ".storage")}
    chosen |= {("st_wsgi/cli/apps.py", f"..doctor{module}") for module in ("", ".examination", ".instance", ".openapi")}
    assert breaches(own_imports_in_functions, SOURCES) == chosen


def test_default_functions_and_apis_reach_their_siblings_through_the_recipe() -> None:
    classes = [
        path for name in ("functions", "stored", "apis", "recipe") for path in ROOT.glob(f"st_wsgi/recipes/*/{name}.py")
    ]
    assert {path.parent.name for path in classes} >= {"emailpassword", "jwt", "session"}
    assert breaches(calls_of_siblings, classes) == set()


def test_global_state_has_one_address() -> None:
    found = breaches(global_state, SOURCES)
    assert {path for path, _ in found} == {"st_wsgi/request/current.py"}
    assert len(found) == 2  # the default instance and the request in flight


def test_there_is_no_event_loop() -> None:
    assert breaches(event_loops, SOURCES) == set()


@pytest.mark.parametrize(
    ("rule", "source", "breach"),
    [
        (own_imports_in_functions, "def f():\n    from .x import y", ".x"),
        (own_imports_in_functions, "def f():\n    import st_verify.keys", "st_verify.keys"),
        (own_imports_in_functions, "class A:\n    def f(self):\n        from st_wsgi import x", "st_wsgi"),
        (calls_of_siblings, "class F:\n    def a(self): self.b()\n    def b(self): ...", "F: self.b"),
        (global_state, "def f():\n    global x\n    x = 1", "global x"),
        (global_state, "import contextvars\nx = contextvars.ContextVar('x')", "contextvars.ContextVar('x')"),
        (event_loops, "import asyncio.events", "asyncio.events"),
        (event_loops, "async def f(): ...", "AsyncFunctionDef"),
    ],
)
def test_each_rule_sees_a_breach(rule: Rule, source: str, breach: str) -> None:
    assert list(rule(ast.parse(source))) == [breach]


def test_nothing_is_left_to_do_and_no_check_is_switched_off_wholesale() -> None:
    unfinished = "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"))
    pattern = re.compile(rf"\b({unfinished})\b|NotImplemented" + r"Error|type:\s*ignore(?!\[)|noqa(?!: [A-Z])")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in EVERYTHING
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line) and path != Path(__file__)
    ]
    assert found == []


def test_files_are_named_after_what_they_hold() -> None:
    assert not {path.stem for path in SOURCES} & {"utils", "util", "helpers", "common", "constants", "misc"}


RECIPES = [f"st_wsgi.recipes.{found.name}" for found in pkgutil.iter_modules([str(ROOT / "st_wsgi" / "recipes")])]


@pytest.mark.parametrize("name", [*PACKAGES, *RECIPES])
def test_the_public_names_are_listed_and_there_is_nothing_else(name: str) -> None:
    """Every class and function that a package defines has a listed name; the order is ruff's business."""
    package = importlib.import_module(name)
    listed = public_names(package)
    shown = {
        shown
        for shown, value in vars(package).items()
        if not (shown.startswith("_") or isinstance(value, TypeVar | ParamSpec))
        and str(getattr(value, "__module__", "")).startswith(name)
    }
    assert shown <= set(listed)
    assert all(hasattr(package, name) for name in listed)
    assert len(set(listed)) == len(listed)


def loaded_by(statements: str) -> set[str]:
    """The modules that are loaded after *statements* ran in an interpreter of its own."""
    code = f"{statements}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout))


FRAMEWORKS = {"bottle", "django", "falcon", "flask", "pyramid"}
HEAVY = {"asyncio", "gevent", "multiprocessing", "pytest", "sqlite3", "st_wsgi.embedded", "OpenSSL"}


def test_importing_the_package_and_its_recipes_loads_no_framework_no_database_and_no_event_loop() -> None:
    loaded = loaded_by("import st_wsgi, st_wsgi.recipes.emailpassword, st_wsgi.recipes.session")
    assert loaded & (FRAMEWORKS | HEAVY) == set()


def test_only_its_own_commands_load_the_doctor() -> None:
    loaded = loaded_by(
        "import pkgutil, st_wsgi.cli, st_wsgi.pages, st_wsgi.recipes\n"
        "for found in pkgutil.iter_modules(st_wsgi.recipes.__path__):\n"
        "    __import__(f'st_wsgi.recipes.{found.name}')"
    )
    assert {"st_wsgi.cli", "st_wsgi.recipes.saml"} <= loaded
    assert not [name for name in loaded if name.startswith("st_wsgi.doctor")]


def test_an_app_with_a_core_of_its_own_never_loads_the_embedded_one() -> None:
    app_info = "st_wsgi.AppInfo(app_name='a', api_domain='a.example', website_domain='a.example')"
    loaded = loaded_by(
        "import st_wsgi\nfrom st_wsgi.recipes.session import Session\n"
        f"st_wsgi.init(app_info={app_info}, core='http://127.0.0.1:9', recipes=[Session()]).close()"
    )
    assert loaded & {"st_wsgi.embedded", "sqlite3"} == set()


def test_the_verifier_loads_neither_the_rest_nor_what_only_the_rest_needs() -> None:
    loaded = loaded_by("import st_verify")
    assert loaded & (FRAMEWORKS | HEAVY | {"attr", "attrs", "requests", "st_wsgi", "werkzeug"}) == set()
