"""What the benchmarks of the embedded core measure: the processor's time, and the memory of the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def microseconds(act: Callable[[], object], calls: int) -> float:
    """Return how long the processor is busy with one of some calls."""
    began = time.process_time()
    for _ in range(calls):
        act()
    return (time.process_time() - began) / calls * 1e6


def megabytes() -> float:
    """Return what this process has in memory of its own, without the parts of files that all processes share."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1000
    return 0.0
