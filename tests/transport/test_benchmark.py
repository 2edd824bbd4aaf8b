"""The benchmark of a core call still runs; what it measures is not asserted on a machine that others share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_benchmark_tells_the_cost_of_each_client_beside_the_bare_call() -> None:
    command = [sys.executable, "benchmarks/core_call.py", "--rounds", "2", "--calls", "3", "--json", "--peer", "none"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert next(iter(results)) == "requests.Session"
    assert {"HTTPTransport.send", "Querier.get"} <= set(results)
    assert results["requests.Session"]["ratio"] == 1
    assert all(result["microseconds"] > 0 for result in results.values())
