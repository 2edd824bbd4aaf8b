"""The official web SDK links a second way to sign in: in a session, and by an address that its user verifies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest
from flask import Flask, request
from sdks.processes import free_port

import st_wsgi
from browser.sites import CHEAP_HASHES, with_page
from browser.visitor import PASSWORD, Tab, Visitor
from st_wsgi import AppInfo
from st_wsgi.delivery import Message
from st_wsgi.recipes import session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session

LINK = {"shouldTryLinkingWithSessionUser": True}
LIMIT = 30  # seconds after which something that was to happen has failed


@attrs.frozen
class Place:
    """The website with its API on one origin, and the messages that it sent."""

    origin: str
    messages: list[Message] = attrs.field(factory=list)
    sent: threading.Condition = attrs.field(factory=threading.Condition)

    def keep(self, message: Message) -> None:
        with self.sent:
            self.messages.append(message)
            self.sent.notify_all()

    def newest(self, kind: str, to: str) -> Message:
        """Return the newest message of a kind to an address or number, once it is there."""

        def found() -> Message | None:
            fitting = [message for message in self.messages if (message.kind, message.to) == (kind, to)]
            return fitting[-1] if fitting else None

        with self.sent:
            message = self.sent.wait_for(found, LIMIT)
        assert message is not None
        return message

    def open(self, visitor: Visitor, mode: str = "cookie") -> Tab:
        return visitor.open(f"{self.origin}/page.html?api={self.origin}&mode={mode}")

    def by_code(self, tab: Tab, contact: dict[str, str], more: dict[str, Any] | None = None) -> Any:
        """Sign in with a code."""
        [to] = contact.values()
        asked = tab.run("askForCode", {**contact, **(more or {})})
        assert asked["status"] == "OK", asked
        return tab.run("enterCode", self.newest("PASSWORDLESS_LOGIN", to).code, more or {})


@pytest.fixture(scope="module")
def place(page_folder: Path) -> Iterator[Place]:
    port = free_port()
    place = Place(f"http://127.0.0.1:{port}")
    st = st_wsgi.init(
        app_info=AppInfo(app_name="Linking", api_domain=place.origin, website_domain=place.origin),
        core=f"sqlite://?{CHEAP_HASHES}",
        recipes=[
            AccountLinking(should_do_automatic_account_linking=lambda *_: ShouldAutomaticallyLink()),
            EmailPassword(email_delivery=place.keep),
            EmailVerification(mode="OPTIONAL", email_delivery=place.keep),
            Passwordless(
                contact_config=ContactEmailOrPhoneConfig(),
                flow_type="USER_INPUT_CODE",
                email_delivery=place.keep,
                sms_delivery=place.keep,
            ),
            Session(),
        ],
    )
    app = Flask("place")

    @app.get("/sessioninfo")
    def session_info() -> dict[str, Any]:
        found = session.get_session(request)
        return {"userId": found.get_user_id(), "handle": found.get_handle()}

    with with_page(st, app, port=port, folder=page_folder, also_at=["/auth/verify-email"]):
        yield place


def phone_of(visitor: Visitor) -> str:
    return f"+4930{int(visitor.email[:8], 16) % 10**7:07}"


def ways(answer: Any) -> list[tuple[str, bool]]:
    """Return the login methods of the user in a response, and whether each is verified."""
    return sorted((method["recipeId"], method["verified"]) for method in answer["user"]["loginMethods"])


@pytest.mark.parametrize("mode", ["cookie", pytest.param("header", marks=pytest.mark.exhaustive)])
def test_a_second_way_joins_the_account_of_the_session(visitor: Visitor, place: Place, mode: str) -> None:
    """A password for the same address, and a phone. The session stays, and each of them opens the account later."""
    tab, phone = place.open(visitor, mode), phone_of(visitor)
    user_id = place.by_code(tab, {"email": visitor.email})["user"]["id"]
    before = tab.session_info()["body"]
    form = {"email": visitor.email, "password": PASSWORD}
    linked = tab.run("signUp", form, LINK)
    assert (linked["status"], linked["user"]["id"]) == ("OK", user_id)
    linked = place.by_code(tab, {"phoneNumber": phone}, LINK)
    assert ways(linked) == [("emailpassword", True), ("passwordless", True), ("passwordless", True)]
    assert tab.session_info()["body"] == before
    for by_phone in (False, True):
        tab.run("signOut")
        signed_in = place.by_code(tab, {"phoneNumber": phone}) if by_phone else tab.run("signIn", form)
        assert signed_in["user"]["id"] == user_id
        assert tab.session_info()["body"]["userId"] == user_id


@pytest.mark.exhaustive
def test_an_address_that_nobody_has_verified_is_refused_and_stays_free(
    visitor: Visitor, elsewhere: Visitor, place: Place
) -> None:
    tab = place.open(visitor)
    user_id = place.by_code(tab, {"email": visitor.email})["user"]["id"]
    refused = tab.run("signUp", {"email": elsewhere.email, "password": PASSWORD}, LINK)
    assert (refused["status"], refused["reason"][-14:]) == ("SIGN_UP_NOT_ALLOWED", "(ERR_CODE_013)")
    assert tab.session_info()["body"]["userId"] == user_id
    there = place.open(elsewhere)
    assert place.by_code(there, {"email": elsewhere.email})["createdNewRecipeUser"] is True


@pytest.mark.exhaustive
def test_accounts_are_linked_once_the_address_is_verified(visitor: Visitor, elsewhere: Visitor, place: Place) -> None:
    """Until then the other way is refused: its mail could be taken for the one that verifies."""
    tab, there = place.open(visitor), place.open(elsewhere)
    user_id = tab.sign_up(visitor.email)["user"]["id"]
    refused = there.run("askForCode", {"email": visitor.email})
    assert (refused["status"], refused["reason"][-14:]) == ("SIGN_IN_UP_NOT_ALLOWED", "(ERR_CODE_002)")
    assert tab.run("sendVerification")["status"] == "OK"
    link = str(place.newest("EMAIL_VERIFICATION", visitor.email).link)
    assert urlsplit(link).path == "/auth/verify-email"
    assert visitor.open(link).run("verifyEmail")["status"] == "OK"
    signed_in = place.by_code(there, {"email": visitor.email})
    assert (signed_in["createdNewRecipeUser"], signed_in["user"]["id"]) == (True, user_id)
    assert ways(signed_in) == [("emailpassword", True), ("passwordless", True)]
    assert there.session_info()["body"]["userId"] == tab.session_info()["body"]["userId"] == user_id
