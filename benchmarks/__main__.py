"""
The runner: every benchmark, one after the other, in one table.

::

    python -m benchmarks [--quick] [--only NAME]... [--json] [--svg FILE]

Each runs in a process of its own with this interpreter, which has to have the peers: ``make bench`` sees to that. The
exit status is 1 if one of them could not run, whatever the others told.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import attrs

from benchmarks import drawing
from benchmarks.programs import ROOT
from benchmarks.report import Goal, Row, from_json, machine, table, to_json


def core_call_rows(answer: dict[str, dict[str, float]]) -> list[Row]:
    """Return what ``core_call.py`` says, as rows."""
    goals = {"HTTPTransport.send": Goal(of="ratio", at_most=1.3)}
    return [
        Row(
            measure="a core call over HTTP",
            contender=name,
            value=figures["microseconds"],
            unit="us",
            ratio=figures["ratio"],
            goal=goals.get(name),
        )
        for name, figures in answer.items()
    ]


@attrs.frozen
class Benchmark:
    """
    One of the benchmarks.

    :param about: what it measures, for ``--help``.
    :param command: after ``python``; it prints JSON.
    :param quick: words that make it quick.
    :param read: from that JSON to rows.
    """

    about: str
    command: Sequence[str]
    quick: Sequence[str] = ("--quick",)
    read: Callable[[Any], list[Row]] = from_json


BENCHMARKS = {
    "requests": Benchmark("CPU added to a request, in Flask and Django", ["-m", "benchmarks.request_cost", "--json"]),
    "servers": Benchmark("requests per second under gunicorn", ["-m", "benchmarks.throughput", "--json"]),
    "verify": Benchmark("one access token verified, beside other libraries", ["-m", "benchmarks.verify", "--json"]),
    "startup": Benchmark("import time and installed size", ["-m", "benchmarks.startup", "--json"]),
    "embedded": Benchmark("the embedded core in process", ["-m", "benchmarks.embedded_core", "--json"]),
    "core-size": Benchmark("the core's calls with few and with many users", ["-m", "benchmarks.core_size", "--json"]),
    "postgres": Benchmark("the embedded core on PostgreSQL", ["-m", "benchmarks.postgres_core", "--json"]),
    "core-call": Benchmark(
        "one core call over HTTP",
        ["benchmarks/core_call.py", "--json", "--peer", sys.executable, "--calls", "50"],
        quick=("--rounds", "10"),
        read=core_call_rows,
    ),
    "rush": Benchmark("an unrelated route while 40 users sign in at once", ["-m", "benchmarks.rush", "--json"]),
    "enumeration": Benchmark(
        "whether the time of a response tells who has an account", ["-m", "benchmarks.enumeration", "--json"]
    ),
    "load": Benchmark("64 clients at once under gunicorn: errors and leaks", ["-m", "benchmarks.load", "--json"]),
}


def main(arguments: Sequence[str] | None = None, benchmarks: dict[str, Benchmark] | None = None) -> int:
    """Run what was asked for; return the exit status."""
    known = BENCHMARKS if benchmarks is None else benchmarks
    options = _parser(known).parse_args(arguments)
    about = f"{machine()}, {date.today()}"
    rows: list[Row] = []
    broken: dict[str, str] = {}
    for name in options.only or known:
        began = time.monotonic()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        try:
            rows += _run(known[name], options.quick)
        except BenchmarkFailed as failure:
            broken[name] = str(failure)
        print(f"{'could not run' if name in broken else 'done'} ({time.monotonic() - began:.0f} s)", file=sys.stderr)
    if options.json:
        print(json.dumps({"machine": about, "rows": to_json(rows), "failed": broken}))
    else:
        print(f"\n{about}\n\n{table(rows)}")
    for name, reason in broken.items():
        print(f"\n{name} could not run:\n{reason}", file=sys.stderr)
    if options.svg is None or broken:
        return 1 if broken else 0
    try:
        options.svg.write_text(drawing.svg(rows, f"{about}. {drawing.versions()}."), "utf-8")
    except (ValueError, OSError) as error:
        print(f"\nthere is no picture: {error}", file=sys.stderr)
        return 1
    return 0


class BenchmarkFailed(Exception):
    """A benchmark could not run; the message is what it printed last."""


def _run(benchmark: Benchmark, quick: bool) -> list[Row]:
    command = [sys.executable, *benchmark.command, *(benchmark.quick if quick else ())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed("\n".join(done.stderr.splitlines()[-15:]) or f"exit status {done.returncode}")
    try:
        return benchmark.read(json.loads(done.stdout))
    except (ValueError, LookupError, TypeError) as error:
        raise BenchmarkFailed(f"it printed something else than figures ({error!r}):\n{done.stdout[:500]}") from None


def _parser(benchmarks: dict[str, Benchmark]) -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:12}{benchmark.about}" for name, benchmark in benchmarks.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What things cost, beside their peers in the same run.",
        epilog=f"benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, for a first look")
    parser.add_argument("--only", action="append", choices=list(benchmarks), metavar="NAME", help="may be given twice")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the ratios to other projects into a file, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
