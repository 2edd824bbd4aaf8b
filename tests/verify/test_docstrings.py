"""Examples in docstrings run, and every public name says what it is."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
from wsgiref.simple_server import demo_app

import pytest

import st_verify
import st_verify.wsgi

MODULES = [f"st_verify.{module.name}" for module in pkgutil.iter_modules(st_verify.__path__)]

#: What users construct or call first. Each shows how.
DOORS = [
    st_verify.SessionVerifier,
    st_verify.OAuth2AccessVerifier,
    st_verify.JwtVerifier,
    st_verify.RemoteKeys,
    st_verify.StaticKeys,
    st_verify.ClaimValidator,
    st_verify.PrimitiveClaim,
    st_verify.PrimitiveArrayClaim,
    st_verify.wsgi.SessionGuard,
    st_verify.wsgi.Protect,
    st_verify.wsgi.RevocationCheck,
    st_verify.wsgi.refusal_response,
    st_verify.wsgi.check_cors,
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name: str) -> None:
    """With the public names at hand, and with the objects that a service has: keys, verifier, guard and app."""
    module = importlib.import_module(name)
    keys = st_verify.RemoteKeys("https://api.example.com/auth/jwt/jwks.json")
    verifier = st_verify.SessionVerifier(keys=keys, issuer="https://api.example.com/auth", tenants="public")
    guard = st_verify.wsgi.SessionGuard(verifier, csrf=st_verify.wsgi.CsrfMode.VIA_CUSTOM_HEADER, transport="any")
    objects = {"keys": keys, "verifier": verifier, "guard": guard, "app": demo_app}
    names = {**vars(st_verify), **vars(st_verify.wsgi), **vars(module), **objects}
    outcome = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_door_has_an_example(door: object) -> None:
    assert doctest.DocTestFinder(recurse=False).find(door)[0].examples


def undocumented(source: str) -> list[str]:
    """Public classes, functions and methods without a docstring."""
    missing = []

    def visit(node: ast.Module | ast.ClassDef, prefix: str) -> None:
        for child in node.body:
            if isinstance(child, (ast.ClassDef, ast.FunctionDef)) and not child.name.startswith("_"):
                inherited = isinstance(node, ast.ClassDef) and node.name.startswith("_")
                if ast.get_docstring(child) is None and not inherited:
                    missing.append(prefix + child.name)
                if isinstance(child, ast.ClassDef):
                    visit(child, f"{prefix}{child.name}.")

    visit(ast.parse(source), "")
    return missing


def test_every_public_name_has_a_docstring() -> None:
    sources = {name: inspect.getsource(importlib.import_module(name)) for name in MODULES}
    assert {name: missing for name, source in sources.items() if (missing := undocumented(source))} == {}


def test_the_check_sees_a_name_without_a_docstring() -> None:
    assert undocumented("def f(): ...\nclass A:\n    def g(self): ...") == ["f", "A", "A.g"]


def unexplained(source: str) -> list[str]:
    """
    Public attributes of public classes without a word: neither a comment ``#:`` above the attribute or above the group
    of lines that it belongs to, nor a ``:param`` in the docstring of the class.
    """
    lines, found = source.splitlines(), []
    for owner in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)):
        annotated = [node for node in ast.walk(owner) if isinstance(node, ast.AnnAssign)]
        fields = [node for node in annotated if node in owner.body or ast.unparse(node.target).startswith("self.")]
        starts = {node.lineno for node in fields}
        for field in fields:
            name = ast.unparse(field.target).removeprefix("self.")
            above = field.lineno
            while above in starts:
                above -= 1
            explained = lines[above - 1].strip().startswith("#:")
            explained |= f":param {name}:" in (ast.get_docstring(owner) or "")
            if not (explained or name.startswith("_") or owner.name.startswith("_")):
                found.append(f"{owner.name}.{name}")
    return found


def test_every_public_attribute_is_explained() -> None:
    sources = {name: inspect.getsource(importlib.import_module(name)) for name in MODULES}
    found = {attribute for source in sources.values() for attribute in unexplained(source)}
    # The settings that all verifiers share are described once, in SessionVerifier.
    shared = inspect.getdoc(st_verify.SessionVerifier) or ""
    assert {name for name in found if f":param {name.partition('.')[2]}:" not in shared} == set()


def test_the_check_sees_an_attribute_without_a_word() -> None:
    source = "class A:\n    #: Good.\n    a: int\n    b: int\n\n    c: int\n    def f(self):\n        self.d: int = 1"
    assert unexplained(source) == ["A.c", "A.d"]
