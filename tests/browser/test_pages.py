"""
People without scripts use the pages of a shop under gunicorn: Chromium with JavaScript switched off.

The access tokens of the shop expire after three seconds, so that every journey goes through renewals that nobody may
notice. The shop is written in Flask; the last tests visit it in the other frameworks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from recipes.totp.parts import totp, wrong
from sampling import exhaustive_but
from servers.running import Site, running as running_example

from browser.guest import Guest, running
from browser.visitor import PASSWORD

#: What the field for a new password says of the rule.
RULE = "At least 8 characters, with a letter and a digit."

NEW = "another horse 2"

Arrive = Callable[..., Guest]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running("flask", tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture
def arrive(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Arrive]:
    """Brings a person to the shop, or the same one with another browser."""
    guests: list[Guest] = []

    def arrive(email: str | None = None, *, shop: Site | None = None) -> Guest:
        guests.append(Guest(chromium, shop or request.getfixturevalue("shop"), email))
        return guests[-1]

    yield arrive
    for guest in guests:
        guest.leave()


@pytest.fixture
def guest(arrive: Arrive) -> Guest:
    return arrive()


def test_sign_up_confirm_sign_out_and_in(guest: Guest) -> None:
    guest.open("/orders/7")
    expect(guest.page).to_have_title("Sign in to Shop · Shop")
    guest.sign_up()
    guest.confirm()
    guest.open("/orders/7?page=2")
    guest.sees("/orders/7", "/orders/7?page=2")
    who = guest.user_id()
    guest.sign_out()
    guest.open("/orders/8")
    guest.sign_in("wrong horse 1")
    expect(guest.page.get_by_role("alert")).to_have_text("The e-mail address and the password do not match.")
    expect(guest.page.get_by_label("E-mail address").first).to_have_value(guest.email)
    expect(guest.page.get_by_label("Password")).to_have_value("")
    guest.sign_in()
    guest.sees("/orders/8", "/orders/8")
    assert guest.user_id() == who


@pytest.mark.exhaustive
def test_a_forgotten_password(guest: Guest) -> None:
    guest.register()
    guest.sign_out()
    guest.open("/orders/7")
    guest.follow("Forgot your password?")
    guest.press("Send the link", {"E-mail address": guest.email})
    guest.sees("Check your mailbox")
    guest.open(guest.link("/auth/reset-password"))
    guest.press("Save the password", {"Password": "short"})
    expect(guest.page.get_by_label("Password")).to_have_accessible_description(
        f"{RULE} Password must contain at least 8 characters, including a number"
    )
    guest.press("Save the password", {"Password": NEW})
    guest.sees("Your new password is set", "/auth/reset-password?done=yes")
    guest.follow("Sign in")
    guest.sign_in()
    expect(guest.page.get_by_role("alert")).to_have_text("The e-mail address and the password do not match.")
    guest.sign_in(NEW)
    guest.sees("/", "/")


@pytest.mark.exhaustive
def test_a_code_by_mail(guest: Guest) -> None:
    guest.open("/orders/7")
    guest.press("Send me a code", {"E-mail address": guest.email})
    guest.sees("Enter your code")
    code = guest.code()
    guest.press("Sign in", {"Code": "000000" if code != "000000" else "111111"})
    expect(guest.page.get_by_role("alert")).to_have_text("This code is wrong. Please look at the newest message.")
    guest.press("Send a new message")
    expect(guest.page.get_by_role("status")).to_have_text("A new message is on its way.")
    guest.press("Sign in", {"Code": guest.code(2)})
    guest.sees("/orders/7", "/orders/7")


@pytest.mark.exhaustive
def test_an_account_at_a_provider(guest: Guest) -> None:
    guest.open("/orders/7")
    guest.go_to_the_provider()
    guest.page.get_by_role("link", name="Cancel").click()
    guest.sees("You are not signed in")
    expect(guest.page.get_by_role("alert")).to_contain_text("You have not signed in with the provider.")
    guest.open("/orders/7")
    guest.follow("Continue with the provider")
    guest.page.get_by_role("button", name="Continue").click()  # the provider knows them by now
    guest.sees("/orders/7", "/orders/7")
    who = guest.user_id()
    guest.sign_out()
    guest.open("/orders/7")
    guest.press("Send me a code", {"E-mail address": guest.email})
    guest.press("Sign in", {"Code": guest.code()})
    guest.sees("/orders/7", "/orders/7")
    assert guest.user_id() == who  # both say that the address is theirs


@pytest.mark.exhaustive
def test_an_authenticator_app(guest: Guest) -> None:
    guest.register()
    guest.open("/transfer")
    guest.sees("Set up an authenticator app")
    guest.press("Set up an app")
    expect(guest.page.get_by_role("img", name="QR code for your authenticator app")).to_be_visible()
    secret = guest.page.locator("code").inner_text().replace(" ", "")
    guest.press("Continue", {"Code": wrong(secret)})
    expect(guest.page.get_by_label("Code", exact=True)).to_have_accessible_description(
        "This code is wrong. Please enter the one that your app shows now."
    )
    guest.press("Continue", {"Code": totp(secret)})
    guest.sees("/transfer", "/transfer")
    guest.sign_out()
    guest.open("/transfer")
    guest.sign_in()
    guest.sees("Confirm that it is you")
    guest.press("Continue", {"Code": totp(secret, steps=1)})
    guest.sees("/transfer", "/transfer")


def open_in_tabs(guest: Guest) -> None:
    """Open four tabs at once when the access token has expired, twice."""
    who, context = guest.user_id(), guest.page.context
    tabs = [guest.page, *(context.new_page() for _ in range(3))]
    for _ in range(2):
        before = guest.access_token()
        guest.wait_for_expiry()
        for number, tab in enumerate(tabs):
            tab.goto(f"/orders/{number}?page=2", wait_until="commit")
        for number, tab in enumerate(tabs):
            expect(tab.get_by_role("heading")).to_have_text(f"/orders/{number}")
            expect(tab).to_have_url(f"{guest.shop.origin}/orders/{number}?page=2")
            assert tab.locator("p").inner_text() == who
        assert guest.access_token() != before


def test_access_tokens_expire_unseen_while_tabs_are_opened(guest: Guest) -> None:
    guest.register()
    open_in_tabs(guest)


@pytest.mark.exhaustive
def test_a_form_that_was_open_for_long_is_not_lost(guest: Guest) -> None:
    guest.register()
    guest.open("/auth/account/password")
    guest.wait_for_expiry()
    guest.press("Save", {"Current password": PASSWORD, "New password": NEW})
    guest.sees("Your account", "/auth/account?done=password")


def open_letter(guest: Guest, picture: Path, size: int) -> None:
    """Open a form of the shop, and choose a file for it."""
    picture.write_bytes(b"x" * size)
    guest.open("/letter")
    guest.page.set_input_files("input[name=picture]", picture)


def send_letter(guest: Guest) -> None:
    """Send the form when the access token has expired."""
    guest.wait_for_expiry()
    guest.press("Send", {"Text": "two pounds of tea"})


@pytest.mark.parametrize("size", exhaustive_but([10, 400_000], [400_000]))
def test_a_form_of_the_shop_is_not_lost(guest: Guest, tmp_path: Path, size: int) -> None:
    guest.register()
    open_letter(guest, tmp_path / "picture.png", size)
    send_letter(guest)
    expect(guest.page.locator("output")).to_have_text(f"two pounds of tea, {size} bytes")
    expect(guest.page).to_have_url(f"{guest.shop.origin}/letter")


@pytest.mark.exhaustive
def test_a_form_is_sent_again_by_a_reload_after_the_session_has_ended(
    guest: Guest, arrive: Arrive, tmp_path: Path
) -> None:
    guest.register()
    open_letter(guest, tmp_path / "picture.png", 10)
    phone = arrive(guest.email)
    phone.open("/auth/account")
    phone.sign_in()
    phone.press("Sign out everywhere else")
    expect(phone.page.get_by_role("status")).to_have_text("The other sessions have ended.")
    send_letter(guest)
    guest.sees("Your form was not sent")
    with guest.page.expect_popup() as opened:
        guest.follow("Open in another tab")
    form, guest.page = guest.page, opened.value
    guest.sign_in()
    guest.sees("/", "/")
    form.reload()
    expect(form.locator("output")).to_have_text("two pounds of tea, 10 bytes")


@pytest.mark.exhaustive
def test_sessions_are_ended_elsewhere(guest: Guest, arrive: Arrive) -> None:
    guest.register()
    phone, tablet = arrive(guest.email), arrive(guest.email)
    for other in (phone, tablet):
        other.open("/orders/7")
        other.sign_in()
        other.sees("/orders/7")
    guest.open("/auth/account")
    rows = guest.page.locator(".rows > li")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("This device")
    rows.nth(1).get_by_role("button", name="Sign out").click()
    expect(guest.page.get_by_role("status")).to_have_text("That session has ended.")
    expect(rows).to_have_count(2)
    guest.press("Sign out everywhere else")
    expect(guest.page.get_by_role("status")).to_have_text("The other sessions have ended.")
    expect(rows).to_have_count(1)
    for other in (phone, tablet):
        other.wait_for_expiry()
        other.open("/orders/7")
        other.sees("Sign in to Shop", "/auth?redirectToPath=%2Forders%2F7")
    guest.open("/orders/7")
    guest.sees("/orders/7")


@pytest.mark.exhaustive
def test_the_account_page_changes_password_and_address(guest: Guest, arrive: Arrive) -> None:
    guest.register()
    phone = arrive(guest.email)
    phone.open("/orders/7")
    phone.sign_in()
    phone.sees("/orders/7")
    guest.open("/auth/account")
    guest.follow("Change your password")
    guest.press("Save", {"Current password": "wrong horse 1", "New password": NEW})
    expect(guest.page.get_by_label("Current password")).to_have_accessible_description(
        "This is not your current password."
    )
    guest.press("Save", {"Current password": PASSWORD, "New password": NEW})
    expect(guest.page.get_by_role("status")).to_have_text("Your new password is set")
    phone.wait_for_expiry()
    phone.open("/orders/7")
    phone.sees("Sign in to Shop")
    guest.follow("Change your e-mail address")
    old, guest.email = guest.email, f"new-{guest.email}"
    guest.press("Save", {"Current password": NEW, "New e-mail address": guest.email})
    guest.confirm()
    guest.sign_out()
    guest.open("/orders/7")
    guest.sign_in(NEW)
    guest.sees("/orders/7")
    phone.press("Sign in", {"E-mail address": old, "Password": NEW})
    expect(phone.page.get_by_role("alert")).to_have_text("The e-mail address and the password do not match.")


@pytest.mark.exhaustive
def test_errors_are_read_with_their_fields(guest: Guest) -> None:
    guest.open("/auth?show=signup")
    guest.press("Create account")
    form = guest.form("Create account")
    for label, hint in (("E-mail address", ""), ("Password", f"{RULE} "), ("Name", "")):
        expect(form.get_by_label(label)).to_have_accessible_description(f"{hint}Please fill in this field.")
    expect(form.get_by_label("E-mail address")).to_be_focused()


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", ["/auth", "/auth?show=signup", "/auth/sign-out"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_small_phone(guest: Guest, path: str, scheme: str) -> None:
    guest.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    guest.page.set_viewport_size({"width": 320, "height": 640})
    guest.open(path)
    boxes = [element.bounding_box() for element in guest.page.locator("main, main *:visible").all()]
    assert len(boxes) > 3
    assert all(box is None or box["x"] + box["width"] <= 320 for box in boxes)


@pytest.mark.exhaustive
@pytest.mark.parametrize("framework", ["bottle", "pyramid", "django", "falcon"])
def test_a_journey_in_another_framework(arrive: Arrive, tmp_path: Path, framework: str) -> None:
    with running(framework, tmp_path) as shop:
        guest = arrive(shop=shop)
        guest.register("/orders/7")
        who = guest.user_id()
        open_in_tabs(guest)
        guest.sign_out()
        guest.open("/orders/7")
        guest.sign_in("wrong horse 1")
        guest.follow("Forgot your password?")
        guest.press("Send the link", {"E-mail address": guest.email})
        guest.open(guest.link("/auth/reset-password"))
        guest.press("Save the password", {"Password": NEW})
        guest.follow("Sign in")
        guest.sign_in(NEW)
        guest.open("/transfer")
        guest.press("Set up an app")
        guest.press("Continue", {"Code": totp(guest.page.locator("code").inner_text().replace(" ", ""))})
        guest.sees("/transfer", "/transfer")
        guest.sign_out()
        guest.open("/orders/7?page=2")
        guest.go_to_the_provider()
        guest.page.get_by_role("button", name="Continue").click()
        guest.sees("/orders/7", "/orders/7?page=2")
        assert guest.user_id() == who
        phone = arrive(guest.email, shop=shop)
        phone.open("/orders/8")
        phone.press("Send me a code", {"E-mail address": guest.email})
        phone.press("Sign in", {"Code": phone.code()})
        phone.sees("/orders/8", "/orders/8")
        assert phone.user_id() == who
        guest.open("/auth/account")
        guest.press("Sign out everywhere else")
        expect(guest.page.get_by_role("status")).to_have_text("The other sessions have ended.")
        phone.wait_for_expiry()
        phone.open("/orders/8")
        phone.sees("Sign in to Shop", "/auth?redirectToPath=%2Forders%2F8")


@pytest.mark.exhaustive
@pytest.mark.parametrize("example", ["flask_app", "bottle_app", "pyramid_app", "django_app", "falcon_app"])
def test_an_example(chromium: Browser, tmp_path: Path, example: str) -> None:
    with running_example(example, "gunicorn-gthread", folder=tmp_path, argon2_memory_kb=64) as site:
        guest = Guest(chromium, site)
        guest.open("/")
        guest.follow("Your orders")
        guest.sees("Sign in to " + guest.page.title().rpartition(" · ")[2], "/auth?redirectToPath=%2Forders")
        guest.follow("Create an account")
        guest.press("Create account", {"E-mail address": guest.email, "Password": PASSWORD})
        guest.sees("Your orders", "/orders")
        expect(guest.page.locator("strong")).to_have_text(guest.email)
        guest.follow("Your account")
        guest.follow("Confirm your e-mail address")
        guest.confirm()
        guest.open("/auth/account")
        expect(guest.page.get_by_role("link", name="Confirm your e-mail address")).to_have_count(0)
        guest.sign_out()
        guest.open("/orders")
        guest.sign_in()
        guest.sees("Your orders", "/orders")
        guest.leave()
