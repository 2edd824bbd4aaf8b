"""A person clicks through the Flask example's own page, and is still known after the server restarts."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect
from sdks.processes import free_port

from browser.sites import example_alone
from browser.visitor import PASSWORD, Visitor


def fill_in(page: Page, email: str) -> None:
    page.locator("#email").fill(email)
    page.locator("#password").fill(PASSWORD)


def test_sign_up_who_am_i_sign_out_restart_sign_in(visitor: Visitor, tmp_path: Path) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    core = f"sqlite:///{tmp_path}/auth.db"
    page = visitor.context.new_page()
    status = page.locator("#status")

    with example_alone(core=core, port=port, website=origin, log=tmp_path / "server.log"):
        page.goto(origin)
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
        page.goto(origin)
        fill_in(page, visitor.email)
        page.locator("#sign-in").click()
        expect(status).to_contain_text(visitor.email)
        page.locator("#who-am-i").click()
        expect(status).to_contain_text("sessionHandle")

    with example_alone(core=core, port=port, website=origin, log=tmp_path / "server.log"):
        page.reload()
        page.locator("#who-am-i").click()
        expect(status).to_contain_text("sessionHandle")
