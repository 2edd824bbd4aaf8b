"""The Flask example in its arrangements, a visitor with an empty profile for each test."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from browsing import CHROMIUM_FLAGS, START_LIMIT
from playwright.sync_api import Browser, BrowserContext, Playwright
from sdks.processes import last_words

from browser.sites import CHEAP_HASHES, Site, built_page, site
from browser.visitor import Visitor, visiting

HERE = Path(__file__).parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections.extend(last_words())
    return report


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test page with the official web SDK in it, ready to be served."""
    return built_page(tmp_path_factory.mktemp("page"))


class Sites(Protocol):
    """Starts an arrangement when it is first asked for and keeps it until the end."""

    def __call__(self, origins: str, *, token_seconds: int = 3600) -> Site: ...


@pytest.fixture(scope="session")
def sites(page_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Sites by arrangement (``one origin``, ``two origins``) and life of the access token in seconds."""
    started: dict[tuple[str, int], Site] = {}
    with ExitStack() as stack:

        def get(origins: str, *, token_seconds: int = 3600) -> Site:
            if (origins, token_seconds) not in started:
                folder = tmp_path_factory.mktemp("site")
                core = f"sqlite:///{folder}/auth.db?{CHEAP_HASHES}&access_token_validity={token_seconds}"
                made = site(origins=origins, core=core, page=page_folder, log=folder / "server.log")
                started[origins, token_seconds] = stack.enter_context(made)
            return started[origins, token_seconds]

        yield get


# A profile with its first tab takes more work than most tests, so the visitors get an emptied one.


@pytest.fixture(scope="session")
def private_profile(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context(ignore_https_errors=True) as context:
        yield context


@pytest.fixture(scope="session")
def private_profile_elsewhere(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context() as context:
        yield context


@pytest.fixture
def visitor(private_profile: BrowserContext) -> Iterator[Visitor]:
    """A person with an empty browser profile, of the kind that private windows have."""
    with visiting(private_profile) as person:
        yield person


@pytest.fixture
def elsewhere(private_profile_elsewhere: BrowserContext) -> Iterator[Visitor]:
    """The same person on another device, or another person."""
    with visiting(private_profile_elsewhere) as person:
        yield person


@pytest.fixture(scope="session")
def everyday_profile(
    playwright: Playwright, executable: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """An ordinary profile that takes cookies of other sites too, which private windows refuse."""
    folder = tmp_path_factory.mktemp("profile")
    preferences = folder / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"profile": {"block_third_party_cookies": False, "cookie_controls_mode": 0}}))
    profile = playwright.chromium.launch_persistent_context(
        folder,
        executable_path=executable,
        args=CHROMIUM_FLAGS,
        ignore_https_errors=True,
        timeout=START_LIMIT,
    )
    with profile as context:
        yield context


@pytest.fixture
def everyday_visitor(everyday_profile: BrowserContext) -> Iterator[Visitor]:
    """A person with an empty browser profile of the ordinary kind."""
    with visiting(everyday_profile) as person:
        yield person
