"""``make api``: every public name is in the API reference, and a docstring with a fault ends the build."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from public_names import public_names

import st_verify
import st_verify.wsgi
import st_wsgi
from st_wsgi import delivery, pages, recipes

ROOT = Path(__file__).parent.parent
GOOD = "The names and addresses of an app."
FAULTY = f"{GOOD} See :class:`Cors` and :class:`Croos`, and ``an open literal`."

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, in which the reference has been built."""
    copy = tmp_path_factory.mktemp("api") / "checkout"
    left_out = shutil.ignore_patterns(".venv*", ".git", ".*_cache", "node_modules", "build", "dist", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=left_out)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "VENV", "MFLAGS"))}
    command = ["make", "api", f"PYTHON={sys.executable}"]
    run = subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, run.stdout + run.stderr
    return copy


def test_every_public_name_has_an_entry(checkout: Path) -> None:
    names = [path.parent.name for path in Path(recipes.__path__[0]).glob("*/__init__.py")]
    packages = [importlib.import_module(f"st_wsgi.recipes.{name}") for name in names]
    for module in (st_wsgi, delivery, pages, *packages, st_verify, st_verify.wsgi):
        text = (checkout / "build" / "api" / f"{module.__name__}.html").read_text("utf-8")
        shown = set(re.findall(r'class="sig-name descname"><span class="pre">(\w+)<', text))
        assert set(public_names(module)) - {"__version__"} <= shown


def test_a_reference_to_nothing_and_wrong_markup_are_errors(checkout: Path) -> None:
    module = checkout / "st_wsgi" / "config.py"
    module.write_text(module.read_text("utf-8").replace(GOOD, FAULTY))
    command = [str(checkout / ".venv-api" / "bin" / "python"), ".ci/api.py", "build/again"]
    environ = {**os.environ, "PYTHONPATH": str(checkout)}
    run = subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 1
    problems = [line for line in run.stderr.splitlines() if "WARNING" in line]
    assert len(problems) == 2
    assert all("AppInfo" in line for line in problems)
    assert "reference target not found: Croos" in run.stderr
    assert "Inline literal start-string without end-string" in run.stderr
