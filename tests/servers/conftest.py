"""One server after the other, each started once for a module; what it printed is shown with a test that failed."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from sampling import exhaustive_but

from servers.running import APP, OTHERS, SERVERS, Site, running
from servers.visitor import Visitor

SHOWN = 6000

#: Each in a tuple of its own, as the one parameter of a row.
SITES = [(site,) for site in (*((APP, server) for server in SERVERS), *OTHERS.items())]

#: waitress and gevent serve other examples in each run, and gunicorn with threads and --preload is in test_time.py.
LEFT_OUT = [((APP, "gunicorn-gthread"),), ((APP, "gunicorn-gevent"),), ((APP, "waitress"),)]


@pytest.fixture(
    scope="module",
    params=exhaustive_but(SITES, [site for site in SITES if site not in LEFT_OUT]),
    ids="-".join,
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One example under every server, and every other one, with hashes that cost little."""
    app, server = request.param
    with running(app, server, folder=tmp_path_factory.mktemp(app), argon2_memory_kb=64, hashing_queue_size=100) as site:
        yield site


@pytest.fixture(params=["cookie", pytest.param("header", marks=pytest.mark.exhaustive)])
def mode(request: pytest.FixtureRequest) -> str:
    """How the visitor's tokens travel."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def visitor(site: Site, mode: str) -> Iterator[Visitor]:
    """A new user."""
    with Visitor(site.origin, mode) as visitor:
        yield visitor


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    site = getattr(item, "funcargs", {}).get("site")
    if report.failed and isinstance(site, Site):
        report.sections.append(("what the server printed last", site.log.read_text(errors="replace")[-SHOWN:]))
    return report
