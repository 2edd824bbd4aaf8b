"""The benchmark of one token still runs; what it measures is not asserted on a machine that others share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

PROGRAM = """
import warnings
from benchmarks.verify import Setting, contenders
warnings.simplefilter("ignore")
for name, verify in contenders(Setting.of(65)).items():
    verify()
    print(name)
"""


def test_every_contender_verifies_a_token() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    names = done.stdout.splitlines()
    assert names[0] == "cryptography, the bare check"
    assert {"st_verify, cold", "st_verify, warm", "st_verify, garbage", "PyJWT", "joserfc"} <= set(names)
