"""The pictures in docs/pictures: each is there in light and dark, small, and can be read and taken again."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarking.test_drawing import ABOUT, ROWS
from playwright.sync_api import Browser

from benchmarks import drawing

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
NAMES = ["account", "second-factor", "sign-in"]


def size(file: Path) -> tuple[int, int]:
    """Return width and height of a PNG."""
    head = file.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:])
    return width, height


def test_each_is_there_in_light_and_dark_and_small() -> None:
    assert sorted(file.name for file in PICTURES.glob("*.png")) == [
        f"{name}-{scheme}.png" for name in NAMES for scheme in ("dark", "light")
    ]
    assert max(file.stat().st_size for file in PICTURES.glob("*.png")) < 60_000
    for name in NAMES:
        assert size(PICTURES / f"{name}-dark.png") == size(PICTURES / f"{name}-light.png")


def test_pages_that_show_one_say_what_is_on_it_and_show_the_dark_one_where_it_is_dark() -> None:
    shown = set()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for picture in re.findall(r"<picture>.*?</picture>", page.read_text("utf-8"), re.DOTALL):
            dark, light = re.search(r'srcset="([^"]+)"', picture), re.search(r'src="([^"]+)"', picture)
            assert dark and light and '(prefers-color-scheme: dark)"' in picture
            assert light[1].replace("-light", "-dark") == dark[1] != light[1]
            assert re.search(r'alt="[^"]{20,}"', picture)
            shown |= {(page.parent / name[1]).resolve() for name in (dark, light)}
    assert shown == set(PICTURES.glob("*.png"))


@pytest.mark.exhaustive
def test_they_can_be_taken_again(chromium: Browser, tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / ".ci" / "pictures.py"), str(tmp_path / "pictures")]
    done = subprocess.run(script, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    page = chromium.new_page()
    for file in PICTURES.glob("*.png"):
        page.goto((tmp_path / "pictures" / file.name).as_uri())  # Chromium reads what was written by hand
        drawn = page.evaluate("[document.images[0].naturalWidth, document.images[0].naturalHeight]")
        assert tuple(drawn) == size(tmp_path / "pictures" / file.name)
        assert drawn[0] == size(file)[0]
    page.close()


BOXES = """() => [...document.querySelectorAll("text")].map((text) => {
    const box = text.getBBox();
    return [text.getAttribute("class"), text.textContent, box.x, box.y, box.x + box.width, box.y + box.height];
})"""


@pytest.fixture(params=["light", "dark"])
def shown(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Any]:
    with chromium.new_context(color_scheme=request.param) as context:
        yield context.new_page()


@pytest.mark.exhaustive
@pytest.mark.parametrize("file", [PICTURES / "benchmarks.svg", None], ids=["of the docs", "of these rows"])
def test_no_text_is_cut_or_covered_and_all_can_be_read(shown: Any, file: Path | None, tmp_path: Path) -> None:
    if file is None:
        file = tmp_path / "picture.svg"
        file.write_text(drawing.svg(ROWS, ABOUT), "utf-8")
    shown.goto(file.as_uri())
    boxes = shown.evaluate(BOXES)
    assert len(boxes) > 10
    width, height = shown.evaluate("(({ width, height }) => [width, height])(document.documentElement.viewBox.baseVal)")
    for kind, text, left, top, right, bottom in boxes:
        assert 0 < left < right < width, text
        assert 0 < top < bottom < height, text
        assert kind != "label" or right < drawing.LEFT, text
        assert kind != "value" or left > drawing.RIGHT, text
        for _, other, *box in boxes:
            apart = right <= box[0] or box[2] <= left or bottom <= box[1] + 2 or box[3] <= top + 2
            assert apart or (text, left, top) == (other, *box[:2]), (text, other)
    fill = "(name) => getComputedStyle(document.querySelector(name)).fill"
    assert abs(brightness(shown.evaluate(fill, ".page")) - brightness(shown.evaluate(fill, "text"))) > 180


def brightness(colour: str) -> float:
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
