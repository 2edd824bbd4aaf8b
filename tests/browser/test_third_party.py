"""Visitors sign in at the certified OpenID provider, with the official web SDK in the page that they come from."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from flask import Flask, request
from openid.real_provider import PUBLIC_CLIENT, SECRET, SECRET_CLIENT, RealProvider, running
from playwright.sync_api import Error, Page
from sampling import exhaustive_but
from sdks.processes import free_port

import st_wsgi
from browser.sites import with_page
from browser.visitor import Tab, Visitor
from st_wsgi import AppInfo
from st_wsgi.recipes import session
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ProviderInput, ThirdParty

WAYS: dict[str, dict[str, Any]] = {
    "pkce": {"client_id": PUBLIC_CLIENT},
    "secret": {"client_id": SECRET_CLIENT, "client_secret": SECRET},
    "both": {"client_id": SECRET_CLIENT, "client_secret": SECRET, "force_pkce": True},
}


@attrs.frozen
class Place:
    """The website with its API on one origin, and the provider that its visitors go to."""

    origin: str
    provider: RealProvider

    def open(self, visitor: Visitor, mode: str = "cookie") -> Tab:
        return visitor.open(f"{self.origin}/page.html?api={self.origin}&mode={mode}")

    def leave(self, tab: Tab, way: str) -> None:
        """Go to the provider."""
        tab.page.goto(tab.run("leaveFor", way))

    def answer(self, page: Page, name: str, *, consent: bool = True) -> str:
        """Sign in at the provider, answer its question, and return the address that it sends the visitor back to."""
        page.fill("input[name=login]", name)
        page.fill("input[name=password]", "any")
        page.get_by_role("button", name="Sign-in").click()
        button = page.get_by_role("button", name="Continue")
        button.wait_for()
        (button if consent else page.get_by_role("link", name="Cancel")).click()
        page.wait_for_url(f"{self.origin}/auth/callback/**")
        page.wait_for_function("window.frontend !== undefined")
        return page.url


@pytest.fixture(scope="module")
def place(page_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    callbacks = [f"/auth/callback/{way}" for way in WAYS]
    with running(tmp_path_factory.mktemp("provider"), *(f"{origin}{path}" for path in callbacks)) as provider:
        inputs = [
            ProviderInput(
                config=ProviderConfig(
                    third_party_id=way,
                    clients=[ProviderClientConfig(scope=["openid", "email"], **client)],
                    oidc_discovery_endpoint=provider.discovery,
                )
            )
            for way, client in WAYS.items()
        ]
        st = st_wsgi.init(
            app_info=AppInfo(app_name="Providers", api_domain=origin, website_domain=origin),
            core="sqlite://",
            recipes=[ThirdParty(providers=inputs, allow_private_networks=True), Session()],
        )
        app = Flask("place")

        @app.get("/sessioninfo")
        def session_info() -> dict[str, Any]:
            return {"userId": session.get_session(request).get_user_id()}

        with with_page(st, app, port=port, folder=page_folder, also_at=callbacks):
            yield Place(origin, provider)


def name() -> str:
    return f"ada-{uuid.uuid4().hex}"


@pytest.mark.parametrize(
    ("way", "mode"),
    exhaustive_but(
        [("pkce", "cookie"), ("pkce", "header"), ("secret", "cookie"), ("both", "header")],
        [("pkce", "cookie"), ("both", "header")],
    ),
)
def test_a_visitor_goes_to_the_provider_and_comes_back(visitor: Visitor, place: Place, way: str, mode: str) -> None:
    tab = place.open(visitor, mode)
    place.leave(tab, way)
    someone = name()
    place.answer(tab.page, someone)
    came_back = tab.run("comeBack")
    assert (came_back["status"], came_back["createdNewRecipeUser"]) == ("OK", True)
    [method] = came_back["user"]["loginMethods"]
    assert method["thirdParty"] == {"id": way, "userId": someone}
    assert (method["email"], method["verified"]) == (f"{someone}@example.com", True)
    assert tab.session_info() == {"status": 200, "body": {"userId": came_back["user"]["id"]}}
    assert visitor.holds() == mode
    tab.run("signOut")
    assert tab.session_info()["status"] == 401


@pytest.mark.exhaustive
def test_a_visitor_who_does_not_consent_is_not_signed_in(visitor: Visitor, place: Place) -> None:
    tab = place.open(visitor)
    place.leave(tab, "pkce")
    address = place.answer(tab.page, name(), consent=False)
    assert "error=access_denied" in address
    with pytest.raises(Error, match="access_denied"):  # the SDK tells the page, and does not ask us
        tab.run("comeBack")
    assert visitor.answers("/auth/signinup") == []
    assert tab.session_info()["status"] == 401


@pytest.mark.exhaustive
def test_a_key_that_was_rotated_while_the_visitor_was_away(visitor: Visitor, place: Place) -> None:
    tab = place.open(visitor)
    place.leave(tab, "pkce")
    place.answer(tab.page, name())
    place.provider.rotate(keep=False)
    assert tab.run("comeBack")["status"] == "OK"


def test_a_foreign_code_signs_nobody_in(visitor: Visitor, elsewhere: Visitor, place: Place) -> None:
    """Login CSRF: an attacker sends the address with a code of their own. The victim's page has no such state."""
    attacker = place.open(elsewhere)
    place.leave(attacker, "pkce")
    address = place.answer(attacker.page, name())
    victim = place.open(visitor)
    victim.page.goto(address)
    victim.page.wait_for_function("window.frontend !== undefined")
    with pytest.raises(Error, match="state"):
        victim.run("comeBack")
    assert victim.session_info()["status"] == 401
