"""A person without scripts completes second factors on the pages: Chromium with JavaScript switched off."""

from __future__ import annotations

from collections.abc import Iterator

import flask
import pytest
from playwright.sync_api import Browser, Page, expect
from recipes.totp.parts import totp, wrong
from sdks.processes import free_port

import st_wsgi
from browser.sites import CHEAP_HASHES, Place, serving_app, with_second_factors
from browser.visitor import LIMIT, PASSWORD
from st_wsgi import AppInfo
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink
from st_wsgi.recipes.multifactorauth import require_factors
from st_wsgi.recipes.session import Session

EMAIL = "ada@example.com"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    port = free_port()
    place = Place(f"http://127.0.0.1:{port}")
    keep = place.messages.append
    st = st_wsgi.SuperTokens(
        app_info=AppInfo(app_name="Bank", api_domain=place.origin, website_domain=place.origin),
        core=f"sqlite://?{CHEAP_HASHES}",
        recipes=[
            *with_second_factors(keep),
            AccountLinking(
                should_do_automatic_account_linking=lambda *_: ShouldAutomaticallyLink(
                    should_require_verification=False
                )
            ),
            Session(),
            Pages(),
        ],
    )
    app = flask.Flask("bank")

    @app.get("/account")
    def account() -> str:
        return f"<h1>Account of {session.get_session(flask.request).get_user_id()}</h1>"

    @app.get("/transfer")
    def transfer() -> str:
        rule = require_factors(requirement_list=["totp"])
        session.get_session(flask.request, override_global_claim_validators=rule)
        return "<h1>The money is on its way</h1>"

    with serving_app(st, st.wrap(app.wsgi_app), port=port):
        yield place


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab of a browser that runs no scripts, as narrow as a small phone."""
    with chromium.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640}) as context:
        context.set_default_timeout(LIMIT)
        yield context.new_page()


def fits(page: Page) -> None:
    """Check that nothing is wider than the phone."""
    boxes = [element.bounding_box() for element in page.locator("main, main *:visible").all()]
    assert len(boxes) > 3
    assert all(box is None or box["x"] + box["width"] <= 320 for box in boxes)


def enter(page: Page, code: str) -> None:
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Continue").click()


def test_a_code_by_mail_and_an_app_set_up_by_its_key(page: Page, place: Place) -> None:
    heading = page.get_by_role("heading")
    page.goto(f"{place.origin}/account")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(heading).to_have_text("Confirm that it is you")
    fits(page)
    page.get_by_role("link", name="Code by e-mail").click()
    page.get_by_role("button", name=f"Send a code to {EMAIL}").click()
    expect(heading).to_have_text("Enter your code")
    fits(page)
    enter(page, place.code(EMAIL))
    expect(heading).to_contain_text("Account of ")
    expect(page).to_have_url(f"{place.origin}/account")

    page.goto(f"{place.origin}/transfer")
    expect(heading).to_have_text("Set up an authenticator app")
    page.get_by_role("button", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code for your authenticator app")).to_be_visible()
    fits(page)
    secret = page.locator("code").inner_text().replace(" ", "")
    enter(page, wrong(secret))
    code = page.get_by_label("Code", exact=True)
    expect(code).to_have_accessible_description("This code is wrong. Please enter the one that your app shows now.")
    expect(code).to_be_focused()
    expect(page.locator("code")).to_be_visible()
    enter(page, totp(secret))
    expect(heading).to_have_text("The money is on its way")

    page.goto(f"{place.origin}/auth/sign-out")
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{place.origin}/transfer")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Authenticator app").click()
    expect(heading).to_have_text("Confirm that it is you")
    fits(page)
    enter(page, totp(secret, steps=1))
    expect(heading).to_have_text("The money is on its way")
    expect(page).to_have_url(f"{place.origin}/transfer")
