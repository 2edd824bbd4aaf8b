"""Passkeys on the pages, with Chromium's virtual authenticator; and what a browser without scripts shows."""

from __future__ import annotations

from collections.abc import Iterator

import flask
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from sdks.processes import free_port

import st_wsgi
from browser.sites import CHEAP_HASHES, serving_app
from browser.test_passkeys import Authenticator, Place
from browser.visitor import LIMIT
from st_wsgi import AppInfo
from st_wsgi.delivery import Message
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.webauthn import Webauthn

EMAIL = "ada@example.com"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A club on localhost: browsers make no passkeys for 127.0.0.1."""
    port = free_port()
    messages: list[Message] = []
    place = Place(f"http://localhost:{port}", Webauthn(email_delivery=messages.append), messages)
    st = st_wsgi.SuperTokens(
        app_info=AppInfo(app_name="Club", api_domain=place.origin, website_domain=place.origin),
        core=f"sqlite://?{CHEAP_HASHES}",
        recipes=[
            place.recipe,
            EmailVerification(mode="OPTIONAL", email_delivery=messages.append),
            Session(),
            Pages(),
        ],
    )
    app = flask.Flask("club")

    @app.get("/members")
    def members() -> str:
        return f"<h1>Member {session.get_session(flask.request).get_user_id()}</h1>"

    with serving_app(st, st.wrap(app.wsgi_app), port=port):
        yield place


def tab(chromium: Browser, *, scripts: bool) -> Iterator[Page]:
    size: ViewportSize = {"width": 320, "height": 640}
    with chromium.new_context(java_script_enabled=scripts, viewport=size) as context:
        context.set_default_timeout(LIMIT)
        yield context.new_page()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    yield from tab(chromium, scripts=True)


@pytest.fixture
def plain_page(chromium: Browser) -> Iterator[Page]:
    yield from tab(chromium, scripts=False)


def test_sign_up_and_in_and_a_lost_passkey(page: Page, place: Place) -> None:
    authenticator, heading = Authenticator(page), page.get_by_role("heading")
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{place.origin}/members")
    page.get_by_role("link", name="Sign in with a passkey").click()
    page.get_by_role("link", name="Create an account with a passkey").click()
    expect(page.get_by_text("Passkeys need JavaScript and a recent browser.")).to_be_hidden()
    page.get_by_role("button", name="Create a passkey").click()
    email = page.get_by_label("E-mail address")
    expect(email).to_have_accessible_description("Please fill in this field.")
    email.fill(EMAIL)
    page.get_by_role("button", name="Create a passkey").click()
    expect(heading).to_contain_text("Member ")
    expect(page).to_have_url(f"{place.origin}/members")
    who = heading.inner_text()

    page.context.clear_cookies()
    page.goto(f"{place.origin}/members")
    page.get_by_role("link", name="Sign in with a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(heading).to_have_text(who)

    page.context.clear_cookies()
    authenticator.lose()
    page.goto(f"{place.origin}/auth/webauthn")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("Your browser could not use a passkey.")
    page.get_by_role("link", name="I have lost my passkey").click()
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_role("button", name="Send the link").click()
    expect(heading).to_have_text("Check your mailbox")
    page.goto(place.link(EMAIL))
    page.get_by_role("button", name="Create a passkey").click()
    expect(heading).to_have_text("Your new passkey is ready")
    page.get_by_role("link", name="Sign in with a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{place.origin}/")
    page.goto(f"{place.origin}/members")
    expect(heading).to_have_text(who)
    assert [text for text in errors if "Content Security Policy" in text] == []


@pytest.mark.exhaustive
def test_a_passkey_is_added_and_removed_on_the_account_page(page: Page, place: Place) -> None:
    authenticator, remove = Authenticator(page), page.get_by_text("Remove", exact=True)
    page.goto(f"{place.origin}/auth/webauthn?show=signup&redirectToPath=/auth/account")
    page.get_by_label("E-mail address").fill("grace@example.com")
    page.get_by_role("button", name="Create a passkey").click()
    page.wait_for_url(f"{place.origin}/auth/account")
    expect(remove).to_have_count(0)  # it is the only way in
    authenticator.lose()
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("status")).to_have_text("Your new passkey is ready")
    expect(remove).to_have_count(2)
    remove.first.click()
    page.get_by_role("button", name="Remove this passkey").first.click()
    expect(page.get_by_role("status")).to_have_text("The passkey is removed.")
    page.context.clear_cookies()
    page.goto(f"{place.origin}/auth/webauthn?redirectToPath=/auth/account")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{place.origin}/auth/account")
    expect(remove).to_have_count(0)


def test_without_scripts_the_page_says_what_passkeys_need(plain_page: Page, place: Place) -> None:
    plain_page.goto(f"{place.origin}/auth/webauthn")
    expect(plain_page.get_by_text("Passkeys need JavaScript and a recent browser.")).to_be_visible()
    expect(plain_page.get_by_role("button")).to_have_count(0)
    boxes = [element.bounding_box() for element in plain_page.locator("main, main *:visible").all()]
    assert all(box is None or box["x"] + box["width"] <= 320 for box in boxes)
