"""
The ratios to other projects as a picture: an SVG for light and dark pages, made with the standard library.

It draws what was measured beside the official SDK, and the verification of a token beside other libraries. A bar is the
median of all rounds, the line over it reaches from quartile to quartile, and a mark is the goal.
"""

from __future__ import annotations

import importlib.metadata
import math
import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from xml.etree import ElementTree

import attrs

from benchmarks.report import Row

OURS, OFFICIAL, BARE = "st_wsgi", "supertokens-python", "cryptography, the bare check"

#: How the names of measures begin, and what stands above their bars.
GROUPS = {
    "added CPU, Flask, ": "CPU time added to a request in Flask: times less",
    "added CPU, Django, ": "CPU time added to a request in Django: times less",
    "gunicorn, ": "Requests per second under gunicorn: times as many",
    "import, ": "CPU time to import it: times less",
    "installed": "What is installed, with all that it needs: times less",
}
#: What stands before a bar in place of the rest of the measure's name.
LABELS = {"installed, with all that it needs": "size", "installed distributions": "distributions"}
TOKEN = "one token"

#: What is measured, and what decides how quick that is.
PACKAGES = (
    *("st-wsgi", "st-verify", "supertokens-python", "PyJWT", "joserfc", "Authlib", "cryptography"),
    *("Flask", "Django", "gunicorn"),
)

WIDTH, MARGIN, LINE = 520, 16, 21
#: Where the bars begin and end.
LEFT, RIGHT = 218, 424
#: Characters of small print in a line.
SMALL_PRINT = 72

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 17px; font-weight: 600 }
.heading { font-weight: 600 }
.small { font-size: 12px; fill: #59636e }
.page { fill: #ffffff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0 }
.one { stroke: #818b98 }
.ours { fill: #2f81d8 }
.other { fill: #b3bbc4 }
.quartiles { stroke: #1f2328; stroke-width: 2 }
.goal { stroke: #bc4c00; stroke-width: 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .page { fill: #0d1117; stroke: #3d444d }
  .grid { stroke: #2a313c }
  .one { stroke: #9198a1 }
  .ours { fill: #2f6feb }
  .other { fill: #565e69 }
  .quartiles { stroke: #ffffff }
  .goal { stroke: #f0883e }
}
"""


@attrs.frozen
class Bar:
    """
    One ratio.

    :param label: what stands before it.
    :param row: with the ratio and its goal.
    """

    label: str
    row: Row
    is_ours: bool = True

    @property
    def ratio(self) -> float:
        assert self.row.ratio is not None
        return self.row.ratio

    @property
    def spread(self) -> tuple[float, float]:
        return self.row.ratio_spread or (self.ratio, self.ratio)

    @property
    def goal(self) -> float | None:
        goal = self.row.goal
        return None if goal is None or goal.of != "ratio" else goal.at_least or goal.at_most

    def __str__(self) -> str:
        missed = "" if self.goal is None or (self.row.goal and self.row.goal.met_by(self.row)) else ", missed"
        figure = f"{self.ratio:.2g}" if self.ratio < 1 else f"{self.ratio:.{1 if self.ratio < 10 else 0}f}"
        return figure + missed


def groups(rows: Sequence[Row]) -> dict[str, list[Bar]]:
    """Return the bars beside the official SDK, by their heading."""
    found: dict[str, list[Bar]] = {}
    for prefix, heading in GROUPS.items():
        for row in rows:
            if row.measure.startswith(prefix) and row.contender in (OURS, OFFICIAL) and row.ratio is not None:
                label = LABELS.get(row.measure) or row.measure.removeprefix(prefix)
                found.setdefault(heading, []).append(Bar(label, row))
    return found


def tokens(rows: Sequence[Row]) -> list[Bar]:
    """Return the bars of the verification of one token."""
    return [
        Bar(row.contender, row, row.contender.startswith("st_verify"))
        for row in rows
        if row.measure == TOKEN and row.ratio is not None
    ]


def versions() -> str:
    """Return what is installed of ``PACKAGES``, with versions."""
    found = []
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):  # then its benchmark could not run, and has no bar
            found.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(found)


def svg(rows: Sequence[Row], about: str) -> str:
    """
    Return the picture.

    :param about: the machine, the date and the versions.
    :raises ValueError: none of the rows has a ratio to another project.
    """
    beside, verified = groups(rows), tokens(rows)
    if not beside and not verified:
        raise ValueError("nothing to draw: no benchmark that was run has a peer in the picture")
    drawing = _Drawing()
    if beside:
        drawing.title(
            "st_wsgi beside supertokens-python",
            "Longer is better for st_wsgi; 1 is the same. The scale is logarithmic.",
        )
        drawing.logarithmic(beside)
    if verified:
        drawing.title("One access token verified", "CPU time, in times of the bare signature check. Shorter is better.")
        drawing.linear(verified)
    drawing.small_print(
        "A bar is the median of all rounds, in which both took turns. The line over it reaches from quartile to "
        "quartile. The upright mark is the goal, where there is one."
    )
    drawing.small_print(about)
    return drawing.text(_told(beside, verified))


def _told(beside: dict[str, list[Bar]], verified: list[Bar]) -> str:
    """Return the picture in words."""
    lines = [f"{heading}. {'; '.join(f'{bar.label}: {bar}' for bar in bars)}." for heading, bars in beside.items()]
    if verified:
        named = "; ".join(f"{bar.label}: {bar}" for bar in verified)
        lines.append(f"One access token verified, in times of the bare signature check. {named}.")
    return " ".join(lines)


class _Drawing:
    """A picture that grows downwards."""

    def __init__(self) -> None:
        self._height = float(MARGIN)
        self._root = ElementTree.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
        self._root.set("aria-labelledby", "title desc")
        ElementTree.SubElement(self._root, "title", id="title").text = "Benchmarks: ratios to other projects"
        self._words = ElementTree.SubElement(self._root, "desc", id="desc")
        ElementTree.SubElement(self._root, "style").text = STYLE
        self._page = self._add("rect", "page", x=0.5, y=0.5, rx=8)

    def title(self, text: str, more: str) -> None:
        self._height += 8
        self._text(text, "title")
        self._text(more, "small")

    def small_print(self, text: str) -> None:
        self._height += 8
        for line in textwrap.wrap(text, SMALL_PRINT):
            self._text(line, "small", height=16)

    def logarithmic(self, groups: dict[str, list[Bar]]) -> None:
        """Bars that begin at 1, to the right or to the left."""
        ends = [end for bars in groups.values() for bar in bars for end in (bar.ratio, *bar.spread)]
        lowest = math.floor(math.log10(max(min(*ends, 1), 0.001)))
        highest = max(math.ceil(math.log10(max(ends))), lowest + 1)

        def place(value: float) -> float:
            share = (math.log10(max(value, 10**lowest)) - lowest) / (highest - lowest)
            return LEFT + share * (RIGHT - LEFT)

        marks = [10.0**power for power in range(lowest, highest + 1)]
        self._scale(marks, place)
        for heading, bars in groups.items():
            self._height += 4
            self._text(heading, "heading")
            self._bars(bars, place, 1, marks)
        self._height += 8

    def linear(self, bars: list[Bar]) -> None:
        """Bars that begin at 0."""
        most = math.ceil(max(end for bar in bars for end in (bar.ratio, *bar.spread)))

        def place(value: float) -> float:
            return LEFT + max(value, 0) / most * (RIGHT - LEFT)

        marks = [float(value) for value in range(0, most + 1, max(1, most // 4))]
        self._scale(marks, place)
        self._bars(bars, place, 0, [*marks, 1.0])
        self._height += 8

    def text(self, words: str) -> str:
        """Return the picture as a document; *words* say the same."""
        height = math.ceil(self._height) + MARGIN
        for element in (self._root, self._page):
            less = 0 if element is self._root else 1
            element.set("width", str(WIDTH - less))
            element.set("height", str(height - less))
        self._root.set("viewBox", f"0 0 {WIDTH} {height}")
        self._words.text = words
        ElementTree.indent(self._root)
        return ElementTree.tostring(self._root, encoding="unicode") + "\n"

    def _bars(self, bars: list[Bar], place: Callable[[float], float], start: float, marks: list[float]) -> None:
        for mark in marks:
            kind = "one" if mark == 1 else "grid"
            self._line(kind, place(mark), self._height, place(mark), self._height + LINE * len(bars))
        for bar in bars:
            top, middle = self._height, self._height + LINE / 2
            begin, end = sorted((place(start), place(bar.ratio)))
            self._add(
                "rect", "ours" if bar.is_ours else "other", x=begin, y=top + 4, width=end - begin, height=LINE - 8
            )
            if bar.goal is not None:
                self._line("goal", place(bar.goal), top + 1, place(bar.goal), top + LINE - 1)
            if bar.row.ratio_spread is not None:
                low, high = map(place, bar.spread)
                self._line("quartiles", low, middle, high, middle)
            self._put(str(bar), WIDTH - MARGIN, "value", anchor="end")
            self._text(bar.label)

    def _scale(self, marks: list[float], place: Callable[[float], float]) -> None:
        for mark in marks:
            self._put(f"{mark:g}", place(mark), "small", anchor="middle")
        self._height += LINE

    def _text(self, text: str, kind: str = "label", height: float = LINE) -> None:
        self._put(text, MARGIN, kind, height=height)
        self._height += height

    def _put(self, text: str, x: float, kind: str, *, anchor: str = "start", height: float = LINE) -> None:
        element = self._add("text", kind, x=x, y=self._height + height / 2 + 4.5)
        element.set("text-anchor", anchor)
        element.text = text

    def _line(self, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
        self._add("line", kind, x1=x1, y1=y1, x2=x2, y2=y2)

    def _add(self, tag: str, kind: str, **numbers: float) -> ElementTree.Element:
        places = {name: f"{number:.1f}" for name, number in numbers.items()}
        return ElementTree.SubElement(self._root, tag, {"class": kind, **places})
