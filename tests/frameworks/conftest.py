"""Sites of every framework and every kind of settings, each started once for all tests and stopped at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest
from recipes.shop import QUICK
from sdks.processes import free_port

from frameworks import bottle_site, cherrypy_site, django_site, falcon_site, flask_site, pyramid_site, webpy_site
from frameworks.sites import ACTIVE, Site, serving
from st_wsgi import AppInfo, Override, SuperTokens, like, replace
from st_wsgi.core_client.transport import CoreReply, CoreRequest, Transport
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session, SessionFunctions

if TYPE_CHECKING:
    from frameworks.sites import Build

FRAMEWORKS: dict[str, Build] = {
    "flask": flask_site.build,
    "bottle": bottle_site.build,
    "pyramid": pyramid_site.build,
    "falcon": falcon_site.build,
    "django": django_site.build,
    "django-wrapped": django_site.build_wrapped,
    "cherrypy": cherrypy_site.build,
    "webpy": webpy_site.build,
}

ORIGIN = "http://127.0.0.1"

Sites = Callable[..., Site]


def only_active(original: SessionFunctions) -> SessionFunctions:
    """Every session needs the claim ``active``, unless a route says otherwise."""

    @like(original.get_global_claim_validators)
    def get_global_claim_validators(**about: Any) -> list[Any]:
        return [*original.get_global_claim_validators(**about), ACTIVE.is_true()]

    return replace(original, get_global_claim_validators=get_global_claim_validators)


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "guarded": {"anti_csrf": "VIA_CUSTOM_HEADER"},
    "by token": {"anti_csrf": "VIA_TOKEN"},
    "moved": {"older_cookie_domain": ""},
    "other codes": {"session_expired_status_code": 440, "invalid_claim_status_code": 418},
    "outage": {},
}
"""Settings of the session recipe. The core of the last kind is not there."""


class Clock:
    """The core's clock, in milliseconds: the real one, or some time before it."""

    def __init__(self) -> None:
        self.behind = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 - self.behind


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


class SharedCore(Transport):
    """One core for all these apps, which is not closed with any of them: its keys take time to make."""

    in_process = True

    def __init__(self, core: EmbeddedCore) -> None:
        self._core = core

    def send(self, request: CoreRequest, /) -> CoreReply:
        return self._core.send(request)

    def close(self) -> None:
        """It stays open for the others."""


@pytest.fixture(scope="session")
def core(clock: Clock) -> Iterator[SharedCore]:
    with EmbeddedCore(settings=QUICK, clock=clock) as core:
        yield SharedCore(core)


@pytest.fixture(scope="session")
def sites(core: SharedCore) -> Iterator[Sites]:
    """Gives the site of a framework (see ``FRAMEWORKS``) and a kind of settings (see ``KINDS``)."""
    running: dict[Any, Site] = {}
    with ExitStack() as stack:

        def site(framework: str, kind: str = "plain", *, catch_all: bool = False) -> Site:
            key = framework, kind, catch_all
            if key not in running:
                outage = kind == "outage"
                st = SuperTokens(
                    app_info=AppInfo(app_name="Shop", api_domain=ORIGIN, website_domain=ORIGIN),
                    core=f"http://127.0.0.1:{free_port()}" if outage else core,
                    recipes=[EmailPassword(), Session(override=Override(functions=only_active), **KINDS[kind])],
                )
                stack.enter_context(closing(st))
                app = FRAMEWORKS[framework](st, catch_all=catch_all)
                running[key] = stack.enter_context(serving(app, st))
            return running[key]

        yield site


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def site(sites: Sites, framework: str) -> Site:
    """The site with default settings."""
    return sites(framework)


@pytest.fixture
def st(core: SharedCore) -> Iterator[SuperTokens]:
    """An instance of one test, for apps that the test makes itself."""
    st = SuperTokens(
        app_info=AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost"),
        core=core,
        recipes=[EmailPassword(), Session()],
    )
    with closing(st):
        yield st
