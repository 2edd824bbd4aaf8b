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
    """Run a suite of these files, whose names are relative to the folder, beside a copy of our conftest.py."""
    shutil.copy(HERE / "conftest.py", folder)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120)


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


@pytest.mark.parametrize("name", sorted({*DIVISIONS, *ONE_PYTHON}))
def test_the_files_and_folders_that_are_treated_apart_are_there(name: str) -> None:
    assert (HERE / name).exists()
