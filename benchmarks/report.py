"""What a benchmark tells: rows of one table, with the machine that they were measured on."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs


@attrs.frozen
class Goal:
    """
    A bound that is aimed at, or two.

    :param of: ``value`` for the row's figure, ``ratio`` for its ratio to the peer.
    :param at_most: the figure may not be above it.
    :param at_least: the figure may not be below it.
    """

    of: str
    at_most: float | None = None
    at_least: float | None = None

    def met_by(self, row: Row) -> bool:
        figure = row.value if self.of == "value" else row.ratio
        if figure is None:
            return False
        return (self.at_most is None or figure <= self.at_most) and (self.at_least is None or figure >= self.at_least)

    def __str__(self) -> str:
        bounds = [
            f"{sign} {bound:g}" for sign, bound in ((">=", self.at_least), ("<=", self.at_most)) if bound is not None
        ]
        return ", ".join(bounds) + ("" if self.of == "value" else " times")


@attrs.frozen
class Row:
    """
    One figure.

    :param measure: what was measured; rows of one measure belong together.
    :param contender: whose figure it is.
    :param value: the median.
    :param unit: of the value and the spread.
    :param spread: the quartiles, between which half of the rounds lie; None for what is counted, not timed.
    :param ratio: to the peer in the same run; which way round says the measure. None for the peer itself.
    :param ratio_spread: the quartiles of the ratios of the rounds, None for what is counted.
    """

    measure: str
    contender: str
    value: float
    unit: str
    spread: tuple[float, float] | None = None
    ratio: float | None = None
    ratio_spread: tuple[float, float] | None = None
    goal: Goal | None = None


def row(
    measure: str,
    contender: str,
    values: Sequence[float],
    unit: str,
    *,
    ratios: Sequence[float] | None = None,
    goal: Goal | None = None,
) -> Row:
    """Return the row of a figure that was measured in several rounds; *ratios* are those of the single rounds."""
    return Row(
        measure=measure,
        contender=contender,
        value=statistics.median(values),
        unit=unit,
        spread=_quartiles(values),
        ratio=None if ratios is None else statistics.median(ratios),
        ratio_spread=None if ratios is None else _quartiles(ratios),
        goal=goal,
    )


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0], values[0], values[0])
    return low, high


def quotients(above: Iterable[float], below: Iterable[float]) -> list[float]:
    """
    Return the ratio of each round. Below a hundredth of a unit a figure is noise and counts as a hundredth, so that a
    round in which nothing was to be seen gives a large ratio and not a negative one.
    """
    return [over / max(under, 0.01) for over, under in zip(above, below, strict=True)]


def to_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [attrs.asdict(row) for row in rows]


def from_json(rows: Iterable[dict[str, Any]]) -> list[Row]:
    """Return the rows that :func:`to_json` wrote."""
    return [
        Row(
            **{
                **row,
                **{name: None if row[name] is None else tuple(row[name]) for name in ("spread", "ratio_spread")},
                "goal": None if row["goal"] is None else Goal(**row["goal"]),
            }
        )
        for row in rows
    ]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text, aligned; a goal that is missed says so."""
    lines = [("measure", "who", "median", "quartiles", "ratio", "goal")]
    measure = ""
    for row in rows:
        met = "" if row.goal is None else f"{row.goal} {'met' if row.goal.met_by(row) else 'MISSED'}"
        lines.append(
            (
                "" if row.measure == measure else row.measure,
                row.contender,
                f"{_figure(row.value)} {row.unit}".rstrip(),
                "" if row.spread is None else f"{_figure(row.spread[0])} .. {_figure(row.spread[1])}",
                "" if row.ratio is None else f"{_figure(row.ratio)}",
                met,
            )
        )
        measure = row.measure
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    right = {2, 3, 4}
    text = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def machine() -> str:
    """Return what the figures were measured on, in one line."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass  # not Linux: the architecture has to do
    load = os.getloadavg()[0]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"{python}, {platform.system()} {platform.machine()}, {os.cpu_count()} x {model}, load {load:.1f} at the start"
    )


def main(description: str, measure: Callable[[bool], Sequence[Row]]) -> None:
    """Be the command line of one benchmark; *measure* is told whether to be quick."""
    parser = argparse.ArgumentParser(description=description.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, for a first look")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()
    about = machine()
    rows = measure(options.quick)
    if options.json:
        json.dump(to_json(rows), sys.stdout)
        print()
    else:
        print(about, table(rows), sep="\n\n")


def _figure(value: float) -> str:
    value = float(value)
    if abs(value) >= 1000 or value.is_integer():
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
