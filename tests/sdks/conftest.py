"""The official SDKs for Node and Python, each in its own process, on top of our core served over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sdks.installs import node, node_packages, python_environment
from sdks.ours import Ours, frontend_of_ours
from sdks.peers import Peer, running
from sdks.processes import free_port, last_words, serving

HERE = Path(__file__).parent
API_KEY = "a-key-that-every-call-needs"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the SDK for Python in make exhaustive alone. It follows the one for Node, and takes a minute more."""
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if item.path.parent == HERE and "python" in parameters.values():
            item.add_marker(pytest.mark.exhaustive)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections.extend(last_words())
    return report


@pytest.fixture(scope="session")
def core_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `st-wsgi core serve` with an empty database, to those who know the API key."""
    folder = tmp_path_factory.mktemp("core")
    with serving_core(str(folder / "auth.db"), folder) as url:
        yield url


@contextmanager
def serving_core(database: str, folder: Path) -> Iterator[str]:
    """Serve a core over HTTP until the block ends."""
    port = free_port()
    options = ["--db", database, "--port", str(port), "--api-key", API_KEY]
    command = [sys.executable, "-m", "st_wsgi", "core", "serve", *options, "--set", "argon2_memory_kb=64"]
    with serving(command, port=port, log=folder / "core.log"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session", params=["node", "python"])
def sdk(request: pytest.FixtureRequest, core_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """The official SDK for Node, then the one for Python, running against the core."""
    with official(request.param, core_url, tmp_path_factory) as peer:
        yield peer


@pytest.fixture(scope="session", params=["node", "python"])
def linking_sdk(
    request: pytest.FixtureRequest, core_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    """The same, in an app that links accounts."""
    with official(request.param, core_url, tmp_path_factory, "links") as peer:
        yield peer


@contextmanager
def official(language: str, core_url: str, folders: pytest.TempPathFactory, *more: str) -> Iterator[Peer]:
    """Run an official SDK, in an app that has *more*: ``links``, ``factors``."""
    if language == "node":
        node_packages(HERE)
        command = [node(), str(HERE / "node_app.mjs"), core_url, *more]
    else:
        command = [str(python_environment(HERE)), str(HERE / "python_app.py"), core_url, *more]
    with running(command, folders.mktemp(language) / "errors.log", api_key=API_KEY) as peer:
        yield peer


@pytest.fixture(scope="session")
def ours(core_url: str) -> Iterator[Ours]:
    """The same app on the same core, with our SDK instead of the official one."""
    ours = frontend_of_ours(core_url, API_KEY)
    yield ours
    ours.st.close()


@pytest.fixture(scope="session")
def linking_ours(core_url: str) -> Iterator[Ours]:
    """The same, linking accounts."""
    ours = frontend_of_ours(core_url, API_KEY, links=True)
    yield ours
    ours.st.close()


@pytest.fixture(scope="session")
def ours_elsewhere(core_url: str) -> Iterator[Ours]:
    """The same at another API domain, whose tokens have another issuer."""
    ours = frontend_of_ours(core_url, API_KEY, api_domain="https://api.elsewhere.example")
    yield ours
    ours.st.close()
