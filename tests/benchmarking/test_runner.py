"""The runner of the benchmarks: one table, and a failure that cannot be overlooked."""

from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import BENCHMARKS, Benchmark, core_call_rows, main
from benchmarks.report import Goal, Row, from_json, quotients, row, table, to_json

ROWS = [
    Row("a request", "ours", 2.0, "us", spread=(1.5, 2.5), goal=Goal(of="value", at_most=3)),
    Row("a request", "the peer", 50.0, "us", spread=(45.0, 61.0), ratio=25.0, goal=Goal(of="ratio", at_least=30)),
    Row("sizes", "ours", 14, ""),
]


def printing(text: str, status: int = 0) -> Benchmark:
    program = f"import sys; print({text!r}); print('what went wrong', file=sys.stderr); sys.exit({status})"
    return Benchmark("for a test", ["-c", program])


GOOD = printing(json.dumps(to_json(ROWS)))


def test_rows_survive_the_way_from_the_child_to_the_runner() -> None:
    assert from_json(json.loads(json.dumps(to_json(ROWS)))) == ROWS


def test_the_table_has_medians_quartiles_ratios_and_which_goals_are_missed() -> None:
    head, _, first, second, third = table(ROWS).splitlines()
    assert head.split() == ["measure", "who", "median", "quartiles", "ratio", "goal"]
    assert first.split() == ["a", "request", "ours", "2", "us", "1.50", "..", "2.50", "<=", "3", "met"]
    assert second.split() == ["the", "peer", "50", "us", "45", "..", "61", "25", ">=", "30", "times", "MISSED"]
    assert third.split() == ["sizes", "ours", "14"]


@pytest.mark.parametrize(("ratio", "is_met"), [(0.8, False), (0.87, True), (1.0, True), (1.15, True), (1.2, False)])
def test_a_goal_may_have_two_bounds(ratio: float, is_met: bool) -> None:
    goal = Goal(of="ratio", at_least=0.87, at_most=1.15)
    assert goal.met_by(Row("a response", "ours", 1.0, "ms", ratio=ratio)) is is_met
    assert str(goal) == ">= 0.87, <= 1.15 times"


def test_a_row_tells_the_median_of_the_rounds_and_of_their_ratios() -> None:
    told = row("a", "b", [1.0, 2.0, 9.0], "us", ratios=quotients([1.0, 2.0, 9.0], [2.0, 2.0, 2.0]))
    assert (told.value, told.ratio) == (2.0, 1.0)


def test_a_difference_that_drowns_in_noise_gives_no_negative_ratio() -> None:
    assert quotients([5.0], [-0.3]) == [500.0]


def test_everything_that_was_asked_for_stands_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], {"one": GOOD, "two": GOOD}) == 0
    shown = capsys.readouterr().out
    assert "Python" in shown.splitlines()[1]
    assert shown.count("the peer") == 2
    assert main(["--only", "two"], {"one": printing("", 1), "two": GOOD}) == 0


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(printing("[]", 1), id="one that fails"),
        pytest.param(printing("no figures"), id="one that prints something else"),
        pytest.param(printing('[{"measure": 1}]'), id="one that prints half a row"),
    ],
)
def test_one_that_cannot_run_is_named_the_others_run_and_the_status_is_1(
    broken: Benchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json"], {"broken": broken, "good": GOOD}) == 1
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert from_json(told["rows"]) == ROWS
    assert list(told["failed"]) == ["broken"]
    assert "broken could not run" in shown.err


def test_help_lists_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown and benchmark.about in shown for name, benchmark in BENCHMARKS.items())


def test_what_core_call_says_becomes_rows() -> None:
    said = {
        "requests.Session": {"microseconds": 700.0, "ratio": 1.0},
        "Querier.get": {"microseconds": 350.0, "ratio": 0.5},
    }
    assert [(one.contender, one.value, one.ratio) for one in core_call_rows(said)] == [
        ("requests.Session", 700.0, 1.0),
        ("Querier.get", 350.0, 0.5),
    ]
