"""The other side's packages: installed once from their lock files, found again by every later test run.

They live beside their lock files in folders that git ignores (``node_modules``, ``.venv-peer``). A stamp with the
hash of the lock file says that an installation is complete and current.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test, naming what this machine lacks; in CI, where nothing may be lacking, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has to provide {what}")
    pytest.skip(f"needs {what}")


def node() -> str:
    """The path of Node.js."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        missing("Node.js 18 or newer with npm")
    return found


def node_packages(folder: Path) -> Path:
    """Install what ``folder/package-lock.json`` names; returns ``folder/node_modules``."""
    node()
    packages = folder / "node_modules"
    with _locked(folder / "package-lock.json"):
        stamp = packages / ".complete"
        wanted = _digest(folder / "package-lock.json")
        if not stamp.is_file() or stamp.read_text() != wanted:
            _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
            stamp.write_text(wanted)
    return packages


def python_environment(folder: Path) -> Path:
    """Install ``folder/requirements.txt`` into ``folder/.venv-peer``; returns the interpreter in there."""
    environment = folder / ".venv-peer"
    interpreter = environment / "bin" / "python"
    with _locked(folder / "requirements.txt"):
        stamp = environment / ".complete"
        wanted = _digest(folder / "requirements.txt")
        if not interpreter.exists() or not stamp.is_file() or stamp.read_text() != wanted:
            _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(environment)], folder)
            pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install"]
            _run([*pip, "--quiet", "--no-compile", "-r", "requirements.txt"], folder)
            stamp.write_text(wanted)
    return interpreter


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"the result of {' '.join(command)}, which failed:\n{done.stdout}\n{done.stderr}")


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Several test runs may start at once: one installs, the others wait for it."""
    with file.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
