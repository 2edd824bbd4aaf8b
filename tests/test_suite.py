"""The rules that ``conftest.py`` of this folder keeps for the whole suite, each shown a breach in a small suite."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DIVISIONS, HERE, ONE_PYTHON

ONE_SERVER_FOR_EACH_VALUE = """
import os, pytest

@pytest.fixture(scope="module", params=["gunicorn", "waitress"])
def surveyed(request):
    return request.param

def test_one(surveyed):
    print("worker of", surveyed, os.environ["PYTEST_XDIST_WORKER"])

def test_two(surveyed):
    print("worker of", surveyed, os.environ["PYTEST_XDIST_WORKER"])
"""

LEAVES_A_PROCESS = """
import subprocess, sys

def test_that_forgets_its_program():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
"""


def suite(folder: Path, files: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a suite of these files, with names relative to the folder, beside our conftest.py and what it imports."""
    for name in ("conftest.py", "browsing.py"):
        shutil.copy(HERE / name, folder)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder), *words]
    # Loading the plugins that this folder does not need takes longer than all else.
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p xdist"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120, env=env)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, where the environment of a process can be read")
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_that_leaves_a_process_fails_and_names_it(
    tmp_path: Path, workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ST_TEST_PATIENCE", "0.5")
    run = suite(tmp_path, {"test_it.py": LEAVES_A_PROCESS}, "-n", workers)
    named = re.search(r"left a process running: (\d+) .*sleep", run.stdout)
    assert named is not None, run.stdout
    os.kill(int(named[1]), signal.SIGKILL)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED


def test_tests_that_have_one_server_share_a_worker(tmp_path: Path) -> None:
    """With a pytest that pytest-xdist does not know, every test went to any worker: all servers started twice."""
    files = {"servers/test_survey.py": ONE_SERVER_FOR_EACH_VALUE}
    run = suite(tmp_path, files, "-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", "-rP")
    workers = re.findall(r"^worker of (\w+) (gw\d)$", run.stdout, re.MULTILINE)
    assert sorted(name for name, _ in workers) == ["gunicorn", "gunicorn", "waitress", "waitress"]
    assert len(set(workers)) == 2


def test_what_one_python_is_enough_for_is_not_even_imported_where_only_the_rest_runs(tmp_path: Path) -> None:
    files = {"browser/test_it.py": "import nothing_here", "test_rest.py": "def test_it(): pass"}
    assert suite(tmp_path, files).returncode == pytest.ExitCode.INTERRUPTED
    rest = suite(tmp_path, files, "--version-dependent")
    assert rest.returncode == pytest.ExitCode.OK, rest.stdout
    assert "1 passed" in rest.stdout


MARKED = """
import pytest

def test_everywhere(): pass

@pytest.mark.exhaustive
def test_in_full_only(): pass

@pytest.mark.one_python
def test_on_one_python(): pass
"""


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["-m", "not exhaustive"], {"everywhere", "on_one_python"}),
        (["-m", "exhaustive"], {"in_full_only"}),
        (["-m", "not exhaustive", "--version-dependent"], {"everywhere"}),
    ],
)
def test_marked_tests_run_when_their_marker_says(tmp_path: Path, words: list[str], left: set[str]) -> None:
    run = suite(tmp_path, {"test_it.py": MARKED}, "--collect-only", "-q", *words)
    assert set(re.findall(r"::test_(\w+)", run.stdout)) == left, run.stdout


ON_POSTGRES = """
import os, pytest

@pytest.mark.parametrize("core", ["memory", "postgres"])
def test_it(core):
    print("worker of", core, os.environ["PYTEST_XDIST_WORKER"])
"""


def test_all_tests_on_postgres_share_its_server(tmp_path: Path) -> None:
    """They share a worker, wherever they are. Each worker would start a server of its own."""
    files = {"contract/test_one.py": ON_POSTGRES, "test_two.py": ON_POSTGRES}
    run = suite(tmp_path, files, "-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", "-rP")
    workers = re.findall(r"^worker of postgres (gw\d)$", run.stdout, re.MULTILINE)
    assert len(workers) == 2
    assert len(set(workers)) == 1


@pytest.mark.parametrize("name", sorted({*DIVISIONS, *ONE_PYTHON}))
def test_the_files_and_folders_that_are_treated_apart_are_there(name: str) -> None:
    assert (HERE / name).exists()


def test_playwright_is_started_by_one_fixture_for_all_folders() -> None:
    """A second one in the same process is an error, which shows only when a worker gets tests of both."""
    sources = {file.relative_to(HERE).as_posix(): file.read_text("utf-8") for file in HERE.rglob("*.py")}
    ours = {name: text for name, text in sources.items() if "/node_modules/" not in name and "/.venv" not in name}
    assert [name for name, text in ours.items() if re.search(r"^ .*\bsync_playwright\(\)", text, re.MULTILINE)] == [
        "browsing.py"
    ]
    fixture = r"^(from browsing import .*\b(chromium|executable|playwright)\b|def playwright\()"
    with_fixture = {name for name, text in ours.items() if re.search(fixture, text, re.MULTILINE)}
    assert with_fixture == {"browsing.py", "conftest.py"}
