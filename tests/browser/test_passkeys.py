"""Passkeys in Chromium's virtual authenticators: with the official web SDK, and on the page of the example."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from flask import Flask, request
from playwright.sync_api import CDPSession, Page
from sdks.processes import free_port

import st_wsgi
from browser.sites import CHEAP_HASHES, with_page
from browser.visitor import Tab, Visitor
from st_wsgi import AppInfo
from st_wsgi.delivery import Message
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.webauthn import Webauthn

ROOT = Path(__file__).parent.parent.parent


@attrs.frozen
class Place:
    """The website with its API on one origin, and the mails that it sent. Browsers make no passkeys for 127.0.0.1."""

    origin: str
    recipe: Webauthn
    messages: list[Message]

    def link(self, to: str) -> str:
        """Return the link of the mail that went to an address last."""
        self.recipe.background.close()
        return next(str(message.link) for message in reversed(self.messages) if message.to == to)


@pytest.fixture(scope="module")
def place(page_folder: Path) -> Iterator[Place]:
    port = free_port()
    messages: list[Message] = []
    place = Place(f"http://localhost:{port}", Webauthn(email_delivery=messages.append), messages)
    st = st_wsgi.init(
        app_info=AppInfo(app_name="Passkeys", api_domain=place.origin, website_domain=place.origin),
        core=f"sqlite://?{CHEAP_HASHES}",
        recipes=[
            place.recipe,
            EmailPassword(email_delivery=messages.append),
            EmailVerification(mode="OPTIONAL", email_delivery=messages.append),
            Session(),
        ],
    )
    app = Flask("place")

    @app.get("/sessioninfo")
    def session_info() -> dict[str, Any]:
        return {"userId": session.get_session(request).get_user_id()}

    with with_page(st, app, port=port, folder=page_folder, also_at=["/auth/webauthn/recover"]):
        yield place


class Authenticator:
    """
    A virtual authenticator of a page (Chrome DevTools Protocol, domain WebAuthn).

    :param transport: ``internal`` for one that is built in, ``usb`` for a key.
    :param resident: whether it can keep passkeys, so that it knows its user.
    :param verifies: whether it asks for a finger or a PIN.
    """

    def __init__(
        self, page: Page, *, transport: str = "internal", resident: bool = True, verifies: bool = True
    ) -> None:
        self._devtools: CDPSession = page.context.new_cdp_session(page)
        self._devtools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": transport,
            "hasResidentKey": resident,
            "hasUserVerification": verifies,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        made = self._devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._id = {"authenticatorId": made["authenticatorId"]}

    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._devtools.send("WebAuthn.getCredentials", self._id)["credentials"]
        return found

    def lose(self) -> None:
        """Forget all passkeys."""
        self._devtools.send("WebAuthn.clearCredentials", self._id)


Open = Callable[..., tuple[Tab, Authenticator]]


@pytest.fixture
def opened(visitor: Visitor, place: Place) -> Open:
    def open_page(url: str = "", mode: str = "cookie", **kind: Any) -> tuple[Tab, Authenticator]:
        tab = visitor.open(url or f"{place.origin}/page.html?api={place.origin}&mode={mode}")
        return tab, Authenticator(tab.page, **kind)

    return open_page


@pytest.mark.parametrize("mode", ["cookie", pytest.param("header", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("transport", ["internal", pytest.param("usb", marks=pytest.mark.exhaustive)])
def test_sign_up_and_in(visitor: Visitor, opened: Open, transport: str, mode: str) -> None:
    tab, authenticator = opened(mode=mode, transport=transport)
    signed_up = tab.run("signUpWithPasskey", visitor.email)
    assert signed_up["status"] == "OK", signed_up
    assert signed_up["user"]["emails"] == [visitor.email]
    [kept] = authenticator.credentials()
    assert kept["isResidentCredential"] is True
    assert kept["rpId"] == "localhost"
    assert tab.session_info()["body"] == {"userId": signed_up["user"]["id"]}
    assert visitor.holds() == mode
    tab.run("signOut")
    signed_in = tab.run("signInWithPasskey")
    assert (signed_in["status"], signed_in["user"]["id"]) == ("OK", signed_up["user"]["id"])
    assert tab.run("signUpWithPasskey", visitor.email)["status"] == "EMAIL_ALREADY_EXISTS_ERROR"


@pytest.mark.exhaustive
@pytest.mark.parametrize("lacks", [{"resident": False}, {"verifies": False}])
def test_a_usb_key_that_keeps_no_passkeys_or_verifies_nobody(
    visitor: Visitor, opened: Open, lacks: dict[str, bool]
) -> None:
    """The browser refuses it: only with a passkey that is kept a user can sign in without saying who they are."""
    tab, authenticator = opened(transport="usb", **lacks)
    assert tab.run("signUpWithPasskey", visitor.email)["status"] == "FAILED_TO_REGISTER_USER"
    assert authenticator.credentials() == []
    assert tab.run("passkeyEmailExists", visitor.email) == {"status": "OK", "exists": False, "httpStatus": 200}


@pytest.mark.exhaustive
def test_a_device_that_verifies_nobody(visitor: Visitor, opened: Open) -> None:
    """Verification is not required. A passkey can be made, and the browser keeps it to itself later."""
    tab, authenticator = opened(verifies=False)
    assert tab.run("signUpWithPasskey", visitor.email)["status"] == "OK"
    assert len(authenticator.credentials()) == 1
    tab.run("signOut")
    assert tab.run("signInWithPasskey")["status"] == "FAILED_TO_AUTHENTICATE_USER"
    assert tab.run("sessionExists") is False


def test_recovery(visitor: Visitor, place: Place, opened: Open) -> None:
    tab, authenticator = opened()
    user_id = tab.run("signUpWithPasskey", visitor.email)["user"]["id"]
    tab.run("signOut")
    authenticator.lose()
    assert tab.run("signInWithPasskey")["status"] != "OK"
    assert tab.run("recoveryMail", visitor.email)["status"] == "OK"
    tab, authenticator = opened(place.link(visitor.email))
    assert tab.run("recover")["status"] == "OK"
    assert len(authenticator.credentials()) == 1
    assert tab.run("signInWithPasskey")["user"]["id"] == user_id
    assert tab.run("recover")["status"] == "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR"


@pytest.mark.exhaustive
def test_the_passkeys_of_a_user(visitor: Visitor, opened: Open) -> None:
    tab, _ = opened()
    user = tab.run("signUpWithPasskey", visitor.email)["user"]
    added = tab.run("addPasskey", user["loginMethods"][0]["recipeUserId"], visitor.email)
    assert added["status"] == "OK", added
    listed = tab.run("passkeys")["credentials"]
    assert len(listed) == 2
    assert tab.run("removePasskey", listed[0]["webauthnCredentialId"])["status"] == "OK"
    assert [one["webauthnCredentialId"] for one in tab.run("passkeys")["credentials"]] == [
        listed[1]["webauthnCredentialId"]
    ]
