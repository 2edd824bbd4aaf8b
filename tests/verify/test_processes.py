"""Catalogue 3.10 across processes: imports, exits, forks, greenlets. Each in an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


def run(program: str) -> None:
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, "-m", "verify.programs", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("imports", id="V-217 importing and constructing start nothing"),
        pytest.param("fetching_imports_nothing", id="V-216 a fetch imports nothing: no fork can interrupt that"),
        pytest.param("exit_while_fetching", id="V-217 the interpreter exits while a fetch hangs"),
        pytest.param("fork_while_fetching", id="V-216 a fork while a fetch is running"),
        pytest.param("revocation_after_fork", id="V-216 a fork while the revocation hook is running"),
        pytest.param("gevent_patched_first", id="V-218 gevent patched before the import"),
        pytest.param("gevent_patched_later", id="V-218 gevent patched after the import"),
    ],
)
def test_in_a_process_of_its_own(program: str) -> None:
    run(program)
