"""The picture of the benchmarks: every measure is there with its ratio, and everything can be read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import drawing
from benchmarks.__main__ import Benchmark, main
from benchmarks.report import Goal, Row, row, to_json

SVG = "{http://www.w3.org/2000/svg}"
ROOT = Path(__file__).parents[2]
DRAWN = ROOT / "docs" / "pictures" / "benchmarks.svg"

TEN = Goal(of="ratio", at_least=10)
ROWS = [
    row("added CPU, Flask, protected, by header", "st_wsgi", [10.0, 11.0], "us"),
    row("added CPU, Flask, protected, by header", "st_wsgi with Pages", [10.0, 11.0], "us"),
    row("added CPU, Flask, protected, by header", "supertokens-python", [400.0], "us", ratios=[40.0, 44.0], goal=TEN),
    row("gunicorn, refresh", "supertokens-python", [100.0], "/s"),
    row("gunicorn, refresh", "st_wsgi", [50.0], "/s", ratios=[0.25, 0.5, 0.75], goal=TEN),
    row("gunicorn, refresh", "st_wsgi, embedded core", [50.0], "/s", ratios=[0.7]),
    Row("installed distributions", "st_wsgi", 14, ""),
    Row("installed distributions", "supertokens-python", 44, "", ratio=44 / 14),
    row("one token", "cryptography, the bare check", [20.0], "us"),
    row("one token", "st_verify, cold", [30.0], "us", ratios=[1.4, 1.6], goal=Goal(of="ratio", at_most=1.8)),
    row("one token", "A & B <c>", [90.0], "us", ratios=[4.0, 5.5]),
    row("rush", "an unrelated route", [2.0], "ms", ratios=[1.5]),
]
ABOUT = "CPython 3.11.7, 2 x a processor, load 0.1 at the start, 2026-01-31. " + "a-package 1.2.3, " * 12


def drawn(rows: list[Row] = ROWS) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.svg(rows, ABOUT))


def texts(picture: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in picture.iter(f"{SVG}text")]


def bars(picture: ElementTree.Element, kind: str = "ours") -> list[tuple[float, float]]:
    """Return where each bar begins and ends."""
    found = [one for one in picture.iter(f"{SVG}rect") if one.get("class") == kind]
    return [(float(one.attrib["x"]), float(one.attrib["x"]) + float(one.attrib["width"])) for one in found]


def test_each_measure_with_a_peer_has_a_bar_with_its_ratio() -> None:
    shown = texts(drawn())
    for label, ratio in (
        ("protected, by header", "42"),
        ("refresh", "0.5, missed"),
        ("distributions", "3.1"),
        ("st_verify, cold", "1.5"),
        ("A & B <c>", "4.8"),
    ):
        assert shown[shown.index(label) - 1] == ratio
    assert not {"st_wsgi with Pages", "st_wsgi, embedded core", "rush", "cryptography, the bare check"} & set(shown)


def test_bars_begin_at_1_beside_the_official_sdk_and_at_0_beside_the_bare_check() -> None:
    more, less, installed, token = bars(drawn())
    assert more[0] == installed[0] == less[1]
    assert less[0] < more[0] < installed[1] < more[1]
    ((others_begin, others_end),) = bars(drawn(), "other")
    assert token[0] == others_begin == drawing.LEFT
    assert (token[1] - token[0]) / (others_end - others_begin) == pytest.approx(1.5 / 4.75, abs=0.01)


def test_quartiles_and_goals_are_where_they_belong() -> None:
    lines = [line for line in drawn().iter(f"{SVG}line") if line.get("class") in ("quartiles", "goal")]
    kinds = [line.get("class") for line in lines]
    assert kinds == ["goal", "quartiles", "goal", "quartiles", "goal", "quartiles", "quartiles"]
    first_goal, _, second_goal, quartiles = (float(line.attrib["x1"]) for line in lines[:4])
    assert first_goal == second_goal
    assert quartiles < bars(drawn())[1][0] < float(lines[3].attrib["x2"])


def test_it_says_the_same_in_words_and_what_it_was_measured_on() -> None:
    picture = drawn()
    words = str(picture.findtext(f"{SVG}desc"))
    assert picture.findtext(f"{SVG}title")
    assert picture.get("aria-labelledby") == "title desc"
    assert "protected, by header: 42" in words
    assert "refresh: 0.5, missed" in words
    assert "A & B <c>: 4.8" in words
    assert ABOUT.strip() in " ".join(texts(picture))


def test_without_a_peer_there_is_no_picture() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        drawing.svg(ROWS[-1:], ABOUT)


def test_the_versions_are_those_that_are_installed() -> None:
    assert re.search(r"\bst-wsgi \d+\.\d+\.\d+.*, Flask \d+\.\d+\.\d+", drawing.versions())


def test_the_picture_of_the_docs_was_drawn_by_a_run() -> None:
    picture = ElementTree.parse(DRAWN).getroot()
    said = " ".join(texts(picture))
    assert re.search(r"CPython \d.*, load [\d.]+ at the start, 20\d\d-\d\d-\d\d\. .*supertokens-python \d", said)
    assert set(drawing.GROUPS.values()) <= set(texts(picture))
    assert DRAWN.stat().st_size < 20_000
    for address in re.findall(r'(?:https?:|url\(|href=|src=)[^"\s]*', DRAWN.read_text("utf-8")):
        assert address == "http://www.w3.org/2000/svg"


def test_what_the_readme_says_is_in_the_picture() -> None:
    text = " ".join((ROOT / "README.md").read_text("utf-8").split())
    words = str(ElementTree.parse(DRAWN).getroot().findtext(f"{SVG}desc"))

    def ratio(heading: str, label: str) -> float:
        found = re.search(rf"{re.escape(heading)}.*?\b{re.escape(label)}: ([\d.]+)", words)
        assert found is not None, label
        return float(found[1].rstrip("."))

    assert "over 25 times less CPU time to a protected route in Flask than the official Python SDK" in text
    in_flask = drawing.GROUPS["added CPU, Flask, "]
    assert min(ratio(in_flask, "protected, by header"), ratio(in_flask, "protected, by cookie")) > 25
    assert "gunicorn serves over twice as many requests of such a route" in text
    assert ratio(drawing.GROUPS["gunicorn, "], "protected route") > 2
    assert "st-verify checks a new token in less than twice the time of the bare signature check" in text
    assert ratio("One access token verified", "st_verify, cold") < 2


def test_the_runner_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "picture.svg"

    def run(rows: list[Row]) -> int:
        program = f"print({json.dumps(to_json(rows))!r})"
        return main(["--svg", str(file)], {"one": Benchmark("for a test", ["-c", program])})

    assert run(ROWS[-1:]) == 1
    assert "there is no picture: nothing to draw" in capsys.readouterr().err
    assert run(ROWS) == 0
    shown = " ".join(texts(ElementTree.parse(file).getroot()))
    assert "refresh" in shown
    assert re.search(r"load [\d.]+ at the start, 20\d\d-\d\d-\d\d\. st-wsgi \d", shown)
