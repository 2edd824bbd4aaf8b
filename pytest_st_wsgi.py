"""
The pytest plugin of st-wsgi: fixtures for tests of apps that use it.

It imports nothing but pytest until a test asks for a fixture, or the option ``st_app`` names an app.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from st_wsgi import SuperTokens
    from st_wsgi.testing import Kit, Outbox

    Load = Callable[[], Any]

_KIT = "st_wsgi.testing"


def _kit() -> Any:
    return importlib.import_module(_KIT)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("st_app", "the app under test: shop:app, or shop:create_app() for a function that makes it")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Be there before the app is imported, so that it never opens its core."""
    if early_config.getini("st_app"):
        _kit().start()
    return (yield)


def pytest_collection_finish() -> None:
    if _KIT in sys.modules:
        _kit().start().loaded()


def pytest_unconfigure() -> None:
    if _KIT in sys.modules:
        _kit().stop()


@pytest.fixture(scope="session")
def _st_load(request: pytest.FixtureRequest) -> Load:
    """Return a function that returns the app; import its module, so that the core of each test has what that did."""
    module, _, name = request.config.getini("st_app").partition(":")
    if not name:
        raise pytest.UsageError("name your app in the option st_app, such as shop:app, or override the fixture st_app")
    with _kit().start().loading():
        found = getattr(importlib.import_module(module), name.removesuffix("()"))
    return found if name.endswith("()") else lambda: found


@pytest.fixture
def st_core_settings() -> dict[str, object]:
    """Settings of the core. Override it: ``return {"access_token_validity": 2}``."""
    return {}


@pytest.fixture
def st_kit(st_core_settings: dict[str, object]) -> Iterator[Kit]:
    """The kit of this test. A fixture of yours that makes an app asks for it, so that the kit is there first."""
    with _kit().start().test(st_core_settings) as kit:
        yield kit


@pytest.fixture
def st_app(_st_load: Load, st_kit: Kit) -> Any:
    """The app under test. Override it, or name the app in the option ``st_app``."""
    return _st_load()


@pytest.fixture
def st_outbox(st_kit: Kit) -> Outbox:
    """The mails and text messages that the test has caused."""
    return st_kit.outbox


@pytest.fixture
def st_client(st_app: Any, st_kit: Kit) -> Callable[..., Any]:
    """Make a client that is signed in as a fresh user: ``st_client(roles=["admin"], claims={"plan": "gold"})``."""

    def client(*, app: Any = st_app, instance: SuperTokens | None = None, **user: Any) -> Any:
        return _kit().signed_in(app, st_kit.instance(instance), **user)

    return client
