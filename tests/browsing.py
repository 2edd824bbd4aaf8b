"""
Chromium without a screen, for every folder of the tests: fixtures that ``tests/conftest.py`` has.

They stand there and not in the folder with most of these tests, because a process may start Playwright only once. It is
imported when it is asked for: most runs have no browser.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

#: Milliseconds in which Chromium has to start.
START_LIMIT = 120_000

#: Chromium looks up nothing and talks to the servers of the tests only.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
]


@pytest.fixture(scope="session")
def executable() -> str:
    """The path of Chromium."""
    from sdks.installs import missing

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("Chromium (on Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    from browser.visitor import LIMIT
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=LIMIT)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, executable: str) -> Iterator[Browser]:
    """One Chromium for all tests."""
    launched = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS, timeout=START_LIMIT)
    with launched as browser:
        yield browser
