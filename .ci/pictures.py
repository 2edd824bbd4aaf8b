"""
The pictures of the pages in ``docs/pictures``: ``make pictures`` takes them again, in light and dark.

They are taken of ``examples/flask_app.py`` and ``examples/second_factor.py`` by the Chromium of this machine, without
scripts. The users and secrets in them are gone with the folder that the examples kept them in.
"""

from __future__ import annotations

import shutil
import struct
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from recipes.totp.parts import totp
from sdks.processes import ROOT, free_port, serving

PICTURES = ROOT / "docs" / "pictures"
EMAIL, PASSWORD = "ada@example.com", "correct horse 1"

#: Pixels of the page, and how many of the picture there are for each of these.
WIDTH, SCALE = 480, 2
#: Pixels of the page around what it shows.
EDGE = 16
#: Bytes of a picture.
MOST = 60_000


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as databases:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            with example("flask_app", Path(databases, scheme)) as origin, tab(browser, scheme) as page:
                page.goto(f"{origin}/orders")
                take(page, folder / f"sign-in-{scheme}.png")
            with example("second_factor", Path(databases, f"second-{scheme}")) as origin, tab(browser, scheme) as page:
                page.goto(f"{origin}/auth?show=signup&redirectToPath=/auth/account")
                fill(page, {"E-mail address": EMAIL, "Password": PASSWORD}, "Create account")
                page.wait_for_url("**/auth/mfa?*")
                page.goto(f"{origin}/auth/mfa/totp?redirectToPath=/auth/account")
                page.get_by_role("button", name="Set up an app").click()
                page.get_by_role("img").wait_for()
                take(page, folder / f"second-factor-{scheme}.png")
                secret = page.locator("code").inner_text().replace(" ", "")
                fill(page, {"Code": totp(secret)}, "Continue")
                page.wait_for_url("**/auth/account")
                take(page, folder / f"account-{scheme}.png")
        browser.close()


@contextmanager
def example(name: str, folder: Path) -> Iterator[str]:
    """Serve an example with a database of its own; gives its origin."""
    folder.mkdir()
    port = free_port()
    origin = f"http://localhost:{port}"
    env = {"PORT": str(port), "ST_API_DOMAIN": origin, "ST_WEBSITE_DOMAIN": origin}
    env["ST_CORE"] = f"sqlite:///{folder}/auth.db"
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py")]
    with serving(command, port=port, log=folder / "log", env=env):
        yield origin


@contextmanager
def tab(browser: Browser, scheme: str) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": 600},
        device_scale_factor=SCALE,
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=False,
        locale="en",
    )
    with context:
        yield context.new_page()


def fill(page: Page, fields: dict[str, str], button: str) -> None:
    """Fill a form in, and send it."""
    form = page.locator("form").filter(has=page.get_by_role("button", name=button))
    for label, value in fields.items():
        form.get_by_label(label, exact=True).fill(value)
    form.get_by_role("button", name=button).click()


def take(page: Page, file: Path) -> None:
    """Write a picture of what the page shows."""
    boxes = [box for box in (one.bounding_box() for one in page.locator("body > *").all()) if box is not None]
    top, bottom = min(box["y"] for box in boxes) - EDGE, max(box["y"] + box["height"] for box in boxes) + EDGE
    clip = {"x": 0.0, "y": max(top, 0.0), "width": float(WIDTH), "height": bottom - max(top, 0.0)}
    picture = smaller(page.screenshot(full_page=True, clip=clip, animations="disabled"))  # type: ignore[arg-type]
    if len(picture) > MOST:
        sys.exit(f"{file.name} has {len(picture):,} bytes, more than {MOST:,}")
    file.write_bytes(picture)
    print(f"{file.name} {len(picture):,} bytes")


def smaller(picture: bytes) -> bytes:
    """Return a PNG of Chromium with its 256 most frequent colours, and the nearest of these in place of others."""
    width, height, pixels = _decoded(picture)
    count = Counter(pixels[at : at + 3] for at in range(0, len(pixels), 3))
    palette = [colour for colour, _ in count.most_common(256)]
    numbers = {
        colour: min(range(len(palette)), key=lambda number: _distance(palette[number], colour)) for colour in count
    }
    rows = [
        b"\0" + bytes(numbers[pixels[at : at + 3]] for at in range(row, row + 3 * width, 3))
        for row in range(0, len(pixels), 3 * width)
    ]
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", head),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(b"".join(rows), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _decoded(picture: bytes) -> tuple[int, int, bytes]:
    """Return width and height of an opaque PNG with 8 bits for a colour, and three bytes for each pixel."""
    width, height, depth, colours = struct.unpack(">IIBB", picture[16:26])
    at, data, size = 8, b"", {2: 3, 6: 4}[colours]
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        data += picture[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    assert depth == 8
    lines, before, pixels = zlib.decompress(data), bytearray(width * size), bytearray()
    for row in range(height):
        start = row * (width * size + 1)
        line = bytearray(lines[start + 1 : start + 1 + width * size])
        for place in range(len(line)):
            left = line[place - size] if place >= size else 0
            corner = before[place - size] if place >= size else 0
            line[place] = (line[place] + _predicted(lines[start], left, before[place], corner)) & 255
        pixels += line if size == 3 else b"".join(line[place : place + 3] for place in range(0, len(line), 4))
        before = line
    return width, height, bytes(pixels)


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    """Return what a filter of PNG takes away from a byte (PNG, section 9)."""
    if kind == 4:
        guess = left + above - corner
        return min((left, above, corner), key=lambda one: abs(guess - one))
    return (0, left, above, (left + above) // 2)[kind]


if __name__ == "__main__":
    main(Path(*sys.argv[1:]) if sys.argv[1:] else PICTURES)
