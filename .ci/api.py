"""
The API reference: every public name of st_wsgi and st_verify as HTML, made by Sphinx. ``make api`` calls this.

usage: python .ci/api.py FOLDER

Docstrings are reStructuredText, so Sphinx reads them as they are and checks them too. A warning is an error: wrong
markup, and a reference to something that does not exist. A name of ours that is not public is shown without a link.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import pkgutil
import re
import runpy
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import django
from django.conf import settings
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
TITLES = {
    "st_wsgi": ("", ".errors", ".delivery", ".pages", ".embedded", ".testing", ".testing.django", ".recipe_kit.recipe"),
    "st_verify": ("", ".wsgi"),
    "pytest_st_wsgi": ("",),
}
"""The public modules of each package; all modules of the folders below are public too."""

FOLDERS = ("st_wsgi.recipes", "st_wsgi.frameworks", "st_wsgi.bridges")

public_names = runpy.run_path(str(ROOT / "tests" / "public_names.py"))["public_names"]


def public_modules() -> Iterator[ModuleType]:
    """Yield the modules that apps import from."""
    for package, below in TITLES.items():
        yield from (importlib.import_module(package + name) for name in below)
    for folder in map(importlib.import_module, FOLDERS):
        for found in pkgutil.iter_modules(folder.__path__):
            if folder.__name__ != "st_wsgi.recipes" or found.ispkg:
                yield importlib.import_module(f"{folder.__name__}.{found.name}")


def entry(path: str, value: object, *, again: bool) -> list[str]:
    """Return the directive for a public name. References do not point to what another module shows *again*."""
    kind = "autofunction" if inspect.isroutine(value) else "autodata"
    options = ["   :no-index:"] if again else []
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        options += ["   :members:", "   :show-inheritance:"]
    return [f".. {kind}:: {path}", *options, ""]


class References:
    """What the names in docstrings and annotations refer to: to a public name, or to something that is not public."""

    def __init__(self) -> None:
        self.paths: dict[int, str] = {}
        self.named: dict[str, list[str]] = {}
        self.known: set[str] = set(dir(builtins))
        for source in (
            ROOT / "pytest_st_wsgi.py",
            *(ROOT / "st_wsgi").rglob("*.py"),
            *(ROOT / "st_verify").glob("*.py"),
        ):
            self.known |= set(_names_in(ast.parse(source.read_text("utf-8"))))

    def write_sources(self, folder: Path) -> None:
        """Write a page for each module, and one that lists them."""
        listed = []
        for module in public_modules():
            title = module.__name__
            lines = [title, "=" * len(title), "", f".. automodule:: {title}", ""]
            for name in sorted(public_names(module), key=str.casefold):
                value, path = getattr(module, name), f"{title}.{name}"
                if name != "__version__":
                    lines += entry(path, value, again=self._add(name, path, value))
            (folder / f"{title}.rst").write_text("\n".join(lines), "utf-8")
            listed.append(f"   {title}")
        head = ["st-wsgi and st-verify", "=====================", "", ".. toctree::", ""]
        (folder / "index.rst").write_text("\n".join([*head, *listed, ""]), "utf-8")

    def _add(self, name: str, path: str, value: object) -> bool:
        """Remember a public name. Return whether another module has shown its value before."""
        if inspect.isclass(value) or inspect.isfunction(value):
            first = self.paths.setdefault(id(value), path)
            if first != path:
                return True
        self.named.setdefault(name, []).append(path)
        return False

    def resolve(self, _app: Sphinx, document: nodes.document) -> None:
        """Have each reference lead to a public name, or to nothing if it is one of another kind. Others stay."""
        for node in document.findall(pending_xref):
            if node["refdomain"] != "py":
                continue
            target = node["reftarget"]
            path = self._path(target, node.get("py:module"), node.get("py:class"))
            if path is not None:
                node["reftarget"] = path
                node["reftype"], node["refspecific"] = "obj", False
            elif all(self._is_known(name) for name in re.findall(r"[A-Za-z_][\w.]*", target)):
                node.replace_self(node.children)
            elif node["reftype"] == "obj" and not re.fullmatch(r"[A-Z]\w+", target):
                node.replace_self(node.children)  # the name of an argument, or an expression

    def _path(self, target: str, module: str | None, kind: str | None) -> str | None:
        """Return where a name is shown: what it means where it is written, or the only one of this name."""
        for place in (f"{module}.{kind}", module, _defining(module, kind), ""):
            found = self._shown(f"{place}.{target}".strip(".")) if place is not None else None
            if found is not None:
                return found
        shown = self.named.get(target, ())
        return shown[0] if len(shown) == 1 else None

    def _shown(self, path: str) -> str | None:
        """Return where a value is shown. A function of a class is at its class, which describes its other members."""
        value, (owner, _, name) = _value(path), path.rpartition(".")
        if value is not None and id(value) in self.paths:
            return self.paths[id(value)]
        above = _value(owner) if owner else None
        for base in inspect.getmro(above) if inspect.isclass(above) else ():
            is_function = name in vars(base) and (inspect.isroutine(value) or isinstance(value, property))
            if id(base) in self.paths and (is_function or name in inspect.get_annotations(base)):
                return self.paths[id(base)] + (f".{name}" if is_function else "")
        return None

    def _is_known(self, name: str) -> bool:
        """Return whether something of a module of ours, or of Python and what is installed, has this name."""
        return name in self.known or _value(name) is not None


def _names_in(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module defines or imports, also for type checkers alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            yield from (one.asname or one.name for one in node.names)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _defining(module: str | None, kind: str | None) -> str | None:
    """Return the module in which a class of a public module is defined."""
    value = None if module is None or kind is None else _value(f"{module}.{kind}")
    return getattr(value, "__module__", None)


@functools.cache
def _value(path: str) -> Any:
    """Return what a dotted name leads to, None for nothing."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for name in parts[length:]:
            value = getattr(value, name, None)
        return value
    return None


def build(out: Path) -> int:
    """Write the HTML into a folder. Return the exit status: 1 after any warning."""
    settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"])
    django.setup()
    references = References()
    with tempfile.TemporaryDirectory() as sources:
        references.write_sources(Path(sources))
        app = Sphinx(
            srcdir=sources,
            confdir=None,
            outdir=out,
            doctreedir=Path(sources, ".doctrees"),
            buildername="html",
            confoverrides={
                "extensions": ["sphinx.ext.autodoc"],
                "project": "st-wsgi",
                "nitpicky": True,
                "default_role": "py:obj",
                "autodoc_member_order": "bysource",
                "html_copy_source": False,
            },
            status=None,
            warningiserror=True,
        )
        app.connect("doctree-read", references.resolve)
        app.build(force_all=True)
        return app.statuscode


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1])))
