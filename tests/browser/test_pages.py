"""A person without scripts uses the pages: Chromium with JavaScript switched off."""

from __future__ import annotations

from collections.abc import Iterator

import flask
import pytest
from playwright.sync_api import Browser, Page, expect
from sdks.processes import free_port

import st_wsgi
from browser.sites import CHEAP_HASHES, serving_app
from browser.visitor import LIMIT, PASSWORD
from st_wsgi import AppInfo
from st_wsgi.pages import Brand, Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword, FormField, SignUpFeature
from st_wsgi.recipes.session import Session

TOKEN_SECONDS = 1


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A shop with pages, whose access tokens expire at once."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    form = SignUpFeature(form_fields=[FormField(id="name")])
    st = st_wsgi.SuperTokens(
        app_info=AppInfo(app_name="Shop", api_domain=origin, website_domain=origin),
        core=f"sqlite://?{CHEAP_HASHES}&access_token_validity={TOKEN_SECONDS}",
        recipes=[EmailPassword(sign_up_feature=form), Session(), Pages(brand=Brand(terms="/terms"))],
    )
    app = flask.Flask("shop")

    @app.get("/orders/<number>")
    def orders(number: str) -> str:
        return f"<h1>Order {number}</h1>{session.get_session(flask.request).get_user_id()}"

    with serving_app(st, st.wrap(app.wsgi_app), port=port):
        yield origin


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab of a browser that runs no scripts."""
    with chromium.new_context(java_script_enabled=False) as context:
        context.set_default_timeout(LIMIT)
        yield context.new_page()


def fill_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)


def sign_up(page: Page, email: str) -> None:
    page.get_by_role("link", name="Create an account").click()
    fill_in(page, email)
    page.get_by_label("Name").fill("Ada")
    page.get_by_role("button", name="Create account").click()


def test_from_a_strangers_link_to_the_page_and_back_again(page: Page, origin: str) -> None:
    page.goto(f"{origin}/orders/7")
    expect(page).to_have_title("Sign in to Shop · Shop")
    sign_up(page, "ada@example.com")
    expect(page.get_by_role("heading")).to_have_text("Order 7")
    expect(page).to_have_url(f"{origin}/orders/7")
    page.goto(f"{origin}/auth/sign-out")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading")).to_have_text("You are signed out")
    page.go_back()
    page.goto(f"{origin}/orders/8")
    fill_in(page, "ada@example.com", "wrong horse 1")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The e-mail address and the password do not match.")
    expect(page.get_by_label("E-mail address")).to_have_value("ada@example.com")
    expect(page.get_by_label("Password")).to_have_value("")
    fill_in(page, "ada@example.com")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading")).to_have_text("Order 8")


def test_errors_are_read_with_their_fields(page: Page, origin: str) -> None:
    page.goto(f"{origin}/auth?show=signup")
    page.get_by_role("button", name="Create account").click()
    for label in ("E-mail address", "Password", "Name"):
        expect(page.get_by_label(label)).to_have_accessible_description("Please fill in this field.")
    expect(page.get_by_label("E-mail address")).to_be_focused()


def test_access_tokens_expire_unseen_while_tabs_are_opened(page: Page, origin: str) -> None:
    page.goto(f"{origin}/orders/0")
    sign_up(page, "eve@example.com")
    expect(page.get_by_role("heading")).to_have_text("Order 0")
    tabs = [page, *(page.context.new_page() for _ in range(3))]
    seen: set[str] = set()
    while len(seen) < 4:
        for number, tab in enumerate(tabs):
            tab.goto(f"{origin}/orders/{number}", wait_until="commit")
        for number, tab in enumerate(tabs):
            expect(tab.get_by_role("heading")).to_have_text(f"Order {number}")
            expect(tab).to_have_url(f"{origin}/orders/{number}")
        seen |= {cookie["value"] for cookie in page.context.cookies(origin) if cookie["name"] == "sAccessToken"}


@pytest.mark.parametrize("path", ["/auth", "/auth?show=signup", "/auth/sign-out"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_small_phone(page: Page, origin: str, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(origin + path)
    boxes = [element.bounding_box() for element in page.locator("main, main *:visible").all()]
    assert len(boxes) > 3
    assert all(box is None or box["x"] + box["width"] <= 320 for box in boxes)
