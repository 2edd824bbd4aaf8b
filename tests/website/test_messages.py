"""Links and codes that come by mail: forgotten passwords, confirmed addresses, signing in with a code or a link."""

from __future__ import annotations

import json
from queue import Queue
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from recipes.shop import API, PASSWORD, Borrowed, Clock, Shop, no_mail

from st_wsgi.delivery import Message
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, ContactEmailOrPhoneConfig, Passwordless
from website.conftest import with_pages
from website.person import Person

NEW = "another horse 2"


class Mailbox:
    """Messages that were sent, perhaps a moment later."""

    def __init__(self) -> None:
        self._queue: Queue[Message] = Queue()
        self.deliver = self._queue.put

    def take(self) -> Message:
        return self._queue.get(timeout=60)

    def link(self) -> str:
        """Return the path and query of the link in the next message."""
        link = self.take().link
        assert link is not None
        assert link.startswith(f"{API}/auth/")
        return urlsplit(link)._replace(scheme="", netloc="").geturl()

    @property
    def is_empty(self) -> bool:
        return self._queue.empty()


@pytest.fixture
def shop(timed_core: Borrowed, clock: Clock) -> Shop:
    """A shop whose time the test moves."""
    return with_pages(timed_core, clock=clock)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def test_a_forgotten_password(core: Borrowed, mailbox: Mailbox) -> None:
    person = Person(with_pages(core, EmailPassword(email_delivery=mailbox.deliver)))
    person.sign_up()
    person.open("/auth/sign-out")
    person.submit()
    person.open("/orders")
    person.open(person.screen.link("Forgot your password?"))
    assert person.submit(email="nobody").error_of("email") == "Email is invalid"
    assert person.submit(email=person.email).heading == "Check your mailbox"
    assert person.screen.response.headers["Referrer-Policy"] == "no-referrer"
    link = mailbox.link()
    person.open(link)
    assert person.screen.heading == "Choose a new password"
    assert person.screen.response.headers["Referrer-Policy"] == "no-referrer"
    assert person.submit(password="short").error_of("password") is not None
    assert person.submit(password=NEW).heading == "Your new password is set"
    assert "token" not in person.path
    assert person.sign_in().status == 422
    assert json.loads(person.sign_in(NEW).html)["userId"]
    person.open(link)
    assert (person.submit(password=NEW).status, person.screen.heading) == (410, "This link is not valid any more")


def test_a_stranger_learns_nothing_from_a_forgotten_password(core: Borrowed, mailbox: Mailbox) -> None:
    person = Person(with_pages(core, EmailPassword(email_delivery=mailbox.deliver)))
    person.open("/auth/reset-password")
    assert person.submit(email=person.email).heading == "Check your mailbox"
    assert mailbox.is_empty


def verifying(core: Borrowed, mailbox: Mailbox) -> Shop:
    verification = EmailVerification(mode="REQUIRED", email_delivery=mailbox.deliver)
    return with_pages(core, EmailPassword(email_delivery=mailbox.deliver), verification)


def test_an_address_is_confirmed_on_the_way(core: Borrowed, mailbox: Mailbox) -> None:
    person = Person(verifying(core, mailbox))
    person.open("/orders?page=2")
    person.open(person.screen.link("Create an account"))
    screen = person.submit(email=person.email, password=PASSWORD)
    assert screen.heading == "Confirm your e-mail address"
    assert f"We send a mail to {person.email}." in screen.all("p")[0].text
    assert mailbox.is_empty
    screen = person.submit()
    assert f"We have sent a mail to {person.email}." in screen.all("p", role="status")[0].text
    link = mailbox.link()
    other = Person(person.shop)  # a phone, on which nobody is signed in
    assert other.open(link).heading == "Confirm your e-mail address"
    assert person.open(person.screen.link("I have confirmed it")).heading == "Confirm your e-mail address"
    other.open(link)
    assert other.submit().heading == "Your e-mail address is confirmed"
    assert "token" not in other.path
    assert person.open("/orders?page=2").heading == "Your e-mail address is confirmed"
    assert person.open(person.screen.link("Continue")).status == 200
    assert person.path == "/orders?page=2"
    other.open(link)
    assert (other.submit().status, other.screen.heading) == (410, "This link is not valid any more")


def test_the_page_of_confirmation_is_for_users(core: Borrowed, mailbox: Mailbox) -> None:
    person = Person(verifying(core, mailbox))
    assert person.open("/auth/verify-email").heading == "Sign in to Shop"
    assert person.path == "/auth?redirectToPath=%2Fauth%2Fverify-email"


def test_an_address_is_confirmed_although_the_session_has_ended(
    timed_core: Borrowed, clock: Clock, mailbox: Mailbox
) -> None:
    verification = EmailVerification(mode="OPTIONAL", email_delivery=mailbox.deliver)
    person = Person(with_pages(timed_core, EmailPassword(email_delivery=no_mail), verification, clock=clock))
    person.sign_up()
    user_id = json.loads(person.screen.html)["userId"]
    person.open("/auth/verify-email")
    person.submit()
    person.open(mailbox.link())
    session.revoke_all_sessions_for_user(user_id=user_id)
    clock.wait(7200)
    assert person.submit().heading == "Your e-mail address is confirmed"


def test_a_form_that_needs_a_session_leads_to_the_sign_in_page(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    user_id = json.loads(person.screen.html)["userId"]
    person.open("/auth/account/password")
    session.revoke_all_sessions_for_user(user_id=user_id)
    clock.wait(7200)
    assert person.submit(current=PASSWORD, password=NEW).heading == "Sign in to Shop"
    assert person.path == "/auth?redirectToPath=%2Fauth%2Faccount%2Fpassword"


def with_codes(core: Borrowed, mailbox: Mailbox, *more: Any, **settings: Any) -> Person:
    chosen = {"flow_type": "USER_INPUT_CODE", "contact_config": ContactEmailOnlyConfig(), **settings}
    recipe = Passwordless(email_delivery=mailbox.deliver, sms_delivery=mailbox.deliver, **chosen)
    return Person(with_pages(core, recipe, *more))


def test_a_code_signs_in(core: Borrowed, mailbox: Mailbox) -> None:
    person = with_codes(core, mailbox)
    person.open("/orders")
    assert person.submit(contact="nobody").alert == "Email is invalid"
    assert person.screen.all("input", type="email")[0].attributes["value"] == "nobody"
    assert person.submit(contact=person.email).heading == "Enter your code"
    assert f"We have sent a code to {person.email}." in [one.text for one in person.screen.all("p")]
    code = mailbox.take().code
    assert code is not None
    [field] = [one for one in person.screen.all("input") if one.attributes["name"] == "code"]
    assert (field.attributes["autocomplete"], field.attributes["inputmode"]) == ("one-time-code", "numeric")
    token = person.screen.hidden()
    assert person.submit(**{"st-action": "enter", "code": "000"}).alert == (
        "This code is wrong. Please look at the newest message."
    )
    assert person.send("POST", person.path, {**token, "st-action": "resend"}).status == 303
    person.open(str(person.screen.location))
    assert "A new message is on its way." in [one.text for one in person.screen.all("p")]
    newest = mailbox.take().code
    assert newest is not None
    screen = person.submit(**{"st-action": "enter", "code": f" {newest[:3]} {newest[3:]} "})
    assert (screen.status, person.path) == (200, "/orders")
    assert person.cookie("__Host-st-code") is None


def test_too_many_wrong_codes_start_again(core: Borrowed, mailbox: Mailbox) -> None:
    person = with_codes(core, mailbox)
    person.open("/auth")
    person.submit(contact=person.email)
    for _ in range(5):
        screen = person.submit(**{"st-action": "enter", "code": "000"})
        if screen.status == 410:
            break
    assert (screen.status, screen.heading) == (410, "Please sign in again")
    assert person.cookie("__Host-st-code") is None
    assert person.open("/auth/code").heading == "Please sign in again"


def test_a_link_signs_in_after_a_click(core: Borrowed, mailbox: Mailbox) -> None:
    person = with_codes(core, mailbox, flow_type="MAGIC_LINK")
    person.open("/auth")
    assert person.submit(contact=person.email).heading == "Look at your messages"
    link = mailbox.link()
    assert "#" not in link
    person.open(link)
    assert person.screen.response.headers["Referrer-Policy"] == "no-referrer"
    assert person.cookie("sAccessToken") is None
    assert json.loads(person.submit().html)["userId"]
    person.open("/auth/sign-out")
    person.submit()
    person.open(link)
    assert (person.submit().status, person.screen.heading) == (410, "Please sign in again")
    assert person.open("/auth/verify?preAuthSessionId=x&tenantId=public").heading == "Please sign in again"


def test_codes_stand_beside_passwords_and_keep_their_errors(core: Borrowed, mailbox: Mailbox) -> None:
    password = EmailPassword(email_delivery=mailbox.deliver)
    person = with_codes(core, mailbox, password, contact_config=ContactEmailOrPhoneConfig())
    person.open("/auth")
    assert [one.text for one in person.screen.all("button")] == ["Sign in", "Send me a code"]
    screen = person.submit(**{"st-action": "code", "contact": "12"})
    assert (screen.alert, screen.status) == ("Phone number is invalid", 422)
    assert person.submit(**{"st-action": "code", "contact": "+49 30 123456"}).heading == "Enter your code"
    assert mailbox.take().to == "+4930123456"


@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "[]", "{}", '{"deviceId":1}', "[" * 3000, '{"deviceId":"<b>","preAuthSessionId":"x"}'),
        r'{"deviceId":"x","preAuthSessionId":"x","flowType":"x","contact":"\ud800"}',
    ],
)
def test_a_cookie_of_a_stranger_changes_nothing(core: Borrowed, mailbox: Mailbox, value: str) -> None:
    person = with_codes(core, mailbox)
    person.client.set_cookie("__Host-st-code", quote(value, safe='[]{}":,<>'), domain="api.shop.example")
    assert (person.open("/auth/code").status, person.screen.heading) == (410, "Please sign in again")
    assert Pages().order[0] == "thirdparty"
