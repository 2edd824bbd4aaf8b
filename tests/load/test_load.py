"""Many clients at once, in short: the command of benchmarks/load.py, whose long form is for a machine of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster, cluster  # noqa: F401  # a fixture

from benchmarks.load import POOL_SIZE

ROOT = Path(__file__).parent.parent.parent
LIMIT = 240
#: Hashes that cost next to nothing, so that sign-in presses the database and not the processor.
CHEAP = "argon2_memory_kb=64&argon2_iterations=1"
COMMON = ("--mixed", f"--core-settings={CHEAP}", "--json")
SHORT = ("--clients=16", "--seconds=0.5", *COMMON)
#: ``ST_LOAD_SECONDS=20`` in the environment for the long form.
SECONDS = os.environ.get("ST_LOAD_SECONDS")
ON_POSTGRES = ("--clients=32", "--processes=4", "--threads=8", "--check-database", *COMMON)


def load(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.load", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT)


def figures(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], Any]:
    assert done.stdout, done.stderr
    return {(row["measure"], row["contender"]): row["value"] for row in json.loads(done.stdout)}


@pytest.mark.exhaustive
@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_four_processes_on_postgresql_give_everybody_their_own_answers(worker: str, cluster: Cluster) -> None:  # noqa: F811
    """No answer is wrong, and there are not more connections than the pools may have."""
    long = f"--seconds={SECONDS}" if SECONDS else "--requests=4"
    done = load(f"--workers={worker}", f"--core={cluster.address()}", long, *ON_POSTGRES)
    found = figures(done)
    everything = "load, protected and refresh and sign-in"
    assert found[everything, f"{worker}, wrong answers"] == 0, done.stderr
    assert 1 <= found["load, database connections", f"{worker}, all workers"] <= 4 * POOL_SIZE
    assert found["load, growth", f"{worker}, threads"] <= 0
    if SECONDS:
        print(done.stdout)
    assert done.returncode == 0, done.stderr


# Several processes share the core in each; a "sync" one has a single thread of the same.
@pytest.mark.parametrize("worker", ["gthread", pytest.param("gevent", marks=pytest.mark.exhaustive)])
def test_users_who_sign_in_refresh_and_read_at_once_get_their_own_answers_and_leave_nothing_behind(worker: str) -> None:
    done = load(f"--workers={worker}", *SHORT)
    found = figures(done)
    everything = "load, protected and refresh and sign-in"
    assert found[everything, f"{worker}, wrong answers"] == 0, done.stderr
    assert found["load, growth", f"{worker}, open files"] <= 0
    assert found["load, growth", f"{worker}, threads"] <= 0
    assert found[everything, worker] > 0
    assert done.returncode == 0, done.stderr


def test_a_worker_class_that_is_not_known_is_refused_by_name() -> None:
    refused = load("--workers=eventlet")
    assert refused.returncode == 2
    assert "sync, gthread, gevent, not eventlet" in refused.stderr
