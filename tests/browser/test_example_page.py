"""A person uses the page of the Flask example that has scripts: on a phone, with empty fields, after a restart."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sampling import exhaustive_but
from sdks.processes import free_port

from browser.sites import CHEAP_HASHES, example_alone, link_in_mail
from browser.visitor import PASSWORD, Visitor


def fill_in(page: Page, email: str) -> None:
    page.locator("#email").fill(email)
    page.locator("#password").fill(PASSWORD)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of an example that runs for all tests of this module that restart nothing."""
    folder = tmp_path_factory.mktemp("example")
    port = free_port()
    core = f"sqlite:///{folder}/auth.db?{CHEAP_HASHES}"
    website = f"http://127.0.0.1:{port}"
    with example_alone(core=core, port=port, website=website, log=folder / "server.log") as api:
        yield api


@pytest.fixture
def page(visitor: Visitor, origin: str) -> Page:
    """The page, after it has looked whether the visitor is signed in."""
    page = visitor.new_page()
    page.goto(f"{origin}/spa")
    expect(page.locator("#status")).to_have_text("You are not signed in.")
    return page


@pytest.mark.parametrize("width", exhaustive_but([320, 390, 768], [320]))
def test_nothing_is_wider_than_the_screen(visitor: Visitor, page: Page, width: int) -> None:
    """Not the session's details, and not the errors below the fields."""
    page.set_viewport_size({"width": width, "height": 700})
    page.locator("#sign-in").click()
    expect(page.locator("#email-error")).not_to_be_empty()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    fill_in(page, visitor.email)
    page.locator("#sign-up").click()
    expect(page.locator("#status")).to_contain_text(visitor.email)
    page.locator("#who-am-i").click()
    expect(page.locator("#status")).to_contain_text("sessionHandle")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for name in ("main", "#email", "#status", "#sign-out"):
        box = page.locator(name).bounding_box()
        assert box is not None
        assert (box["x"] > 0, box["x"] + box["width"] < width) == (True, True), name


@pytest.mark.parametrize("button", ["sign-up", "sign-in"])
def test_each_empty_field_is_named_and_nothing_is_sent(visitor: Visitor, page: Page, button: str) -> None:
    email, password = page.get_by_label("E-mail"), page.get_by_label("Password")
    visitor.requests.clear()
    page.locator(f"#{button}").click()
    expect(email).to_have_accessible_description("Enter your e-mail address.")
    expect(password).to_have_accessible_description(re.compile(r"Enter your password\.$"))
    expect(email).to_be_focused()
    email.fill(visitor.email)
    page.locator(f"#{button}").click()
    expect(email).to_have_attribute("aria-invalid", "false")
    expect(email).to_have_accessible_description("")
    expect(password).to_have_attribute("aria-invalid", "true")
    expect(password).to_be_focused()
    assert visitor.requests == []


def test_an_error_of_the_server_stands_below_its_field(page: Page) -> None:
    page.locator("#email").fill("no address")
    page.locator("#password").fill("short")
    page.locator("#sign-up").click()
    expect(page.locator("#email-error")).to_contain_text("Email")
    expect(page.locator("#password-error")).to_contain_text("Password")
    expect(page.locator("#status")).to_be_empty()


def test_after_a_reload_the_page_says_who_is_signed_in(visitor: Visitor, page: Page) -> None:
    fill_in(page, visitor.email)
    page.locator("#sign-up").click()
    expect(page.locator("#status")).to_have_text(f"Welcome, {visitor.email}.")
    page.reload()
    expect(page.locator("#status")).to_have_text(f"You are signed in as {visitor.email}.")
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.locator("#status")).to_have_text(re.compile(r"You are signed in as user [0-9a-f-]{36}\."))
    page.locator("#sign-out").click()
    expect(page.locator("#status")).to_have_text("You are signed out.")
    page.reload()
    expect(page.locator("#status")).to_have_text("You are not signed in.")


@pytest.mark.exhaustive
def test_sign_up_who_am_i_sign_out_restart_sign_in(visitor: Visitor, tmp_path: Path) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    core = f"sqlite:///{tmp_path}/auth.db"
    page = visitor.new_page()
    status = page.locator("#status")

    with example_alone(core=core, port=port, website=origin, log=tmp_path / "server.log"):
        page.goto(f"{origin}/spa")
        page.locator("#who-am-i").click()
        expect(status).to_contain_text("not signed in", ignore_case=True)
        fill_in(page, visitor.email)
        page.locator("#sign-up").click()
        expect(status).to_contain_text(visitor.email)
        page.locator("#who-am-i").click()
        expect(status).to_contain_text("sessionHandle")
        page.locator("#sign-out").click()
        expect(status).to_contain_text("signed out", ignore_case=True)
        page.locator("#who-am-i").click()
        expect(status).to_contain_text("not signed in", ignore_case=True)

    with example_alone(core=core, port=port, website=origin, log=tmp_path / "server.log"):
        page.goto(f"{origin}/spa")
        fill_in(page, visitor.email)
        page.locator("#sign-in").click()
        expect(status).to_contain_text(visitor.email)
        page.locator("#who-am-i").click()
        expect(status).to_contain_text("sessionHandle")

    with example_alone(core=core, port=port, website=origin, log=tmp_path / "server.log"):
        page.reload()
        page.locator("#who-am-i").click()
        expect(status).to_contain_text("sessionHandle")


@pytest.mark.exhaustive
def test_verification_the_page_for_administrators_and_a_forgotten_password(visitor: Visitor, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "server.log"
    origin, core = f"http://127.0.0.1:{port}", f"sqlite:///{tmp_path}/auth.db?{CHEAP_HASHES}"
    page = visitor.new_page()
    status = page.locator("#status")
    with example_alone(core=core, port=port, website=origin, log=log):
        page.goto(f"{origin}/spa")
        page.locator("#admin").click()
        expect(status).to_have_text("Sign in first.")
        fill_in(page, visitor.email)
        page.locator("#sign-up").click()
        expect(status).to_contain_text("Welcome")
        page.locator("#admin").click()
        expect(status).to_have_text("Confirm your e-mail address first.")
        page.locator("#verify").click()
        expect(status).to_contain_text("A mail is on its way.")
        page.goto(link_in_mail(log, visitor.email, "/auth/verify-email"))
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("heading")).to_have_text("Your e-mail address is confirmed")
        page.goto(f"{origin}/spa")
        page.locator("#verify").click()
        expect(status).to_have_text("Your e-mail address is confirmed already.")
        page.locator("#admin").click()
        expect(status).to_have_text("This page is for administrators.")
        roles = [sys.executable, "-m", "st_wsgi", "user", "roles", "--db", str(tmp_path / "auth.db")]
        subprocess.run([*roles, visitor.email, "--add", "admin"], check=True, capture_output=True)
        for _ in range(100):  # the claim may be a second old
            page.locator("#admin").click()
            expect(page.locator("#admin")).to_be_enabled()
            if status.inner_text() != "This page is for administrators.":
                break
        expect(status).to_contain_text("You are an administrator")

        page.locator("#sign-out").click()
        expect(status).to_contain_text("signed out")
        page.locator("#email").fill(visitor.email)
        page.locator("#forgot").click()
        expect(status).to_contain_text("a mail is on its way")
        page.goto(link_in_mail(log, visitor.email, "/auth/reset-password"))
        page.get_by_label("Password").fill("another horse 2")
        page.get_by_role("button", name="Save the password").click()
        expect(page.get_by_role("heading")).to_have_text("Your new password is set")
        page.goto(f"{origin}/spa")
        fill_in(page, visitor.email)
        page.locator("#sign-in").click()
        expect(status).to_contain_text("do not match")
        page.locator("#password").fill("another horse 2")
        page.locator("#sign-in").click()
        expect(status).to_contain_text("Welcome back")
