"""The Makefile as a newcomer meets it: make demo from nothing, once more, and on a machine that lacks something."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sdks.processes import free_port, listens_on, serving
from servers.visitor import Visitor

ROOT = Path(__file__).parent.parent

#: Seconds for an installation from the network.
INSTALL_LIMIT = 300


#: What a make above these tests, or the developer's shell, would hand down to the make under test.
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "PYTHON", "VENV", "PORT", "CONSTRAINTS", "ST_CORE")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in INHERITED:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a fresh clone holds."""
    left_out = shutil.ignore_patterns(".*", "tests", "build", "dist", "*.egg-info", "__pycache__", "*.db*")
    return shutil.copytree(ROOT, tmp_path / "checkout", ignore=left_out)


def make(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *words],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_LIMIT,
    )


@pytest.mark.exhaustive
def test_make_demo_from_nothing_serves_an_app_whose_users_survive_a_restart(checkout: Path, tmp_path: Path) -> None:
    port = free_port()
    prepared = make(checkout, ".venv/.demo", f"PYTHON={sys.executable}")
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr
    assert "Installing" in prepared.stdout
    origin, log = f"http://127.0.0.1:{port}", tmp_path / "demo.log"
    demo = ["make", "demo", f"PYTHON={sys.executable}", f"PORT={port}"]
    with serving(demo, port=port, log=log, cwd=checkout), Visitor(origin, "cookie") as visitor:
        user = visitor.sign_up()["user"]
        assert visitor.session_info().json()["userId"] == user["id"]
    assert not listens_on(port), "what ends make ends the demo, so that the next one is a restart"
    first = log.read_text()
    assert f"Open {origin}" in first
    assert "Installing" not in first, "a second make demo installs nothing again"
    with serving(demo, port=port, log=log, cwd=checkout), Visitor(origin, "cookie") as returned:
        returned.email = visitor.email
        assert returned.sign_in()["user"]["id"] == user["id"]
    assert (checkout / "auth.db").is_file()


def test_without_python_it_says_what_to_install(checkout: Path) -> None:
    refused = make(checkout, "demo", "PYTHON=python-that-is-not-here")
    assert refused.returncode != 0
    assert "There is no python-that-is-not-here here. Install Python 3.10 or newer" in refused.stdout


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        pytest.param("version_info", "Python 3.10 or newer is needed", id="an old Python"),
        pytest.param("import ensurepip", "apt-get install python3-venv", id="a Python without venv"),
    ],
)
def test_a_python_that_will_not_do_is_named_with_the_remedy(
    checkout: Path, tmp_path: Path, missing: str, said: str
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text(f'#!/bin/sh\ncase "$*" in *"{missing}"*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    stand_in.chmod(0o755)
    refused = make(checkout, "test", f"PYTHON={stand_in}")
    assert refused.returncode != 0
    assert said in refused.stdout
    assert not (checkout / ".venv").exists()


def test_help_lists_every_target_and_is_what_make_alone_shows(checkout: Path) -> None:
    shown = make(checkout)
    assert shown.returncode == 0
    described = [line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if " ## " in line]
    assert {"demo", "test", "lint", "unit", "clean"} <= set(described)
    assert all(f"make {target} " in shown.stdout for target in described)


def test_clean_leaves_nothing_that_was_made(checkout: Path) -> None:
    for made in (".venv/bin", "build", "dist", "st_wsgi.egg-info", "st_wsgi/__pycache__"):
        (checkout / made).mkdir(parents=True)
    assert make(checkout, "clean").returncode == 0
    left = {path.name for path in checkout.rglob("*")}
    assert not left & {".venv", "build", "dist", "st_wsgi.egg-info", "__pycache__"}
    assert (checkout / "st_wsgi" / "app.py").is_file()
