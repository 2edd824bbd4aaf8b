"""What both distributions ask for: what their packages import and nothing else, with floors that are tried."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent

#: Parts of a program that type checkers know and that no project provides.
STUBS = {"_typeshed"}

#: Folders with a module for each framework.
FOR_ONE_FRAMEWORK = ("bridges", "frameworks", "testing")

#: Our own folders of tests and programs, which import one another.
OURS = {"benchmarks", "st_verify", "st_wsgi", *(path.stem for path in (ROOT / "tests").iterdir())}


def load(path: Path) -> ModuleType:
    """Return the module in a file that is on no import path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lowest = load(ROOT / ".ci" / "lowest.py")
LINTERS = ("mypy", "pyright", "ruff")
ASKED: dict[str, dict[str, str]] = lowest.requirements()

#: The projects that installed modules belong to.
PROVIDERS = {
    module: {lowest.normalised(project) for project in projects}
    for module, projects in importlib.metadata.packages_distributions().items()
}


def imports(node: ast.AST, *, calls: bool = True) -> Iterator[str]:
    """Yield the absolute names that a program imports while it runs, if *calls* also by ``importlib.import_module``."""
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        yield node.module
    elif isinstance(node, ast.Call) and "import_module" in vars(node.func).values() and node.args:
        name = node.args[0]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value
    for child in ast.iter_child_nodes(node):
        if calls or not isinstance(child, ast.expr):
            yield from imports(child, calls=calls)


def foreign(*places: str) -> dict[str, set[Path]]:
    """Return the top names of other projects that the Python files at these places import, with the files."""
    found: dict[str, set[Path]] = {}
    for place in places:
        for path in sorted((ROOT / place).rglob("*.py")):
            inside = path.relative_to(ROOT)
            if any(part.startswith(".") or part in ("build", "node_modules") for part in inside.parts):
                continue
            text = path.read_text(encoding="utf-8")
            for name in imports(ast.parse(text), calls="import_module" in text):
                top = name.partition(".")[0]
                is_beside = (path.parent / f"{top}.py").is_file()  # of a program with its folder in sys.path
                if not is_beside and top not in OURS | STUBS | sys.stdlib_module_names:
                    found.setdefault(top, set()).add(inside)
    return found


def projects(module: str) -> set[str]:
    """Return the projects that provide a module; a module that nothing provides stands for itself."""
    return PROVIDERS.get(module, {lowest.normalised(module)})


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c", ["a.b", "c"]),
        ("from a.b import c", ["a.b"]),
        ("from . import a\nfrom .b import c", []),
        ("def f():\n    import a", ["a"]),
        ("try:\n    import a\nexcept ImportError:\n    import b", ["a", "b"]),
        ("if TYPE_CHECKING:\n    import a\nimport b", ["b"]),
        ("import importlib\nimportlib.import_module('a.b')", ["importlib", "a.b"]),
    ],
)
def test_which_imports_count(source: str, names: list[str]) -> None:
    assert list(imports(ast.parse(source))) == names


@pytest.mark.parametrize("package", ["st_wsgi", "st_verify"])
def test_a_package_imports_what_it_asks_for_and_nothing_else(package: str) -> None:
    """An extra may be missing. A module for one framework imports this framework, which its user has."""
    required = ASKED[lowest.normalised(package)]
    extras = {name for extra, asked in ASKED.items() if extra not in NOT_IMPORTED for name in asked}
    needed = set()
    for module, files in foreign(package).items():
        if not all(path.parent.name in FOR_ONE_FRAMEWORK and path.stem.startswith(module) for path in files):
            assert projects(module) & (required.keys() | extras), f"{module} is imported by {sorted(map(str, files))}"
            needed |= projects(module)
    ours = {"st-verify"} if package == "st_wsgi" else set()
    assert required.keys() - ours <= needed, "asked for, but not imported"


#: What is no extra for those who use the packages.
NOT_IMPORTED = {"examples", "st-verify", "st-wsgi", "test"}


def test_an_extra_that_the_code_names_is_there_and_the_code_names_each() -> None:
    """Without an extra, an error names the command that installs it."""
    named = {
        extra
        for path in (ROOT / "st_wsgi").rglob("*.py")
        for extra in re.findall(r"st-wsgi\[(\w+)\]", path.read_text(encoding="utf-8"))
    }
    quiet = {"otel"}  # without it there are no spans, and nothing to say
    assert named | quiet == ASKED.keys() - NOT_IMPORTED


def test_tests_and_examples_import_what_the_extra_for_tests_asks_for() -> None:
    """A package that comes along with another one today may not do so tomorrow."""
    declared = {name for asked in ASKED.values() for name in asked}
    peer = {"httpx", "supertokens_python"}  # in the environment of tests/sdks/requirements.txt
    used = foreign("examples", "tests", *(f"st_wsgi/{room}" for room in FOR_ONE_FRAMEWORK))
    assert len(used) > 10
    assert {module for module in used.keys() - peer if not projects(module) & declared} == set()


@pytest.mark.parametrize(("source", "name"), [(source, name) for source, asked in ASKED.items() for name in asked])
def test_each_requirement_has_a_floor_and_no_cap(source: str, name: str) -> None:
    """Apart from the verifier of the same release, and linters, since a new one finds new things in unchanged code."""
    versions = ASKED[source][name]
    if name in ("st-verify", *LINTERS):
        assert re.fullmatch(r"==\d+\.\d+\.(\*|\d+)", versions)
    elif name == "pytest":
        assert re.fullmatch(r">=[\d.]+,<[\d.]+", versions)  # the reason is in setup.cfg
    elif name != "st-wsgi":
        assert re.fullmatch(r">=[\d.]+", versions)


def test_the_lowest_versions_are_one_for_each_project() -> None:
    floors = lowest.constraints()
    assert floors["requests"] == ASKED["st-wsgi"]["requests"].removeprefix(">=")
    assert not {*LINTERS, "st-verify", "st-wsgi"} & floors.keys()
