"""A person uses the page of the example with tenants: at each sub-domain, it shows the way to sign in that is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sdks.processes import ROOT, free_port, serving

from browser.sites import CHEAP_HASHES
from browser.visitor import PASSWORD, Visitor


@pytest.mark.exhaustive
def test_each_sub_domain_has_its_way_to_sign_in_and_its_session(visitor: Visitor, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "server.log"
    env = {"PORT": str(port), "ST_CORE": f"sqlite:///{tmp_path}/auth.db?{CHEAP_HASHES}"}
    with serving([sys.executable, str(ROOT / "examples" / "tenants.py")], port=port, log=log, env=env):
        page = visitor.new_page()
        state = page.get_by_role("status")
        page.goto(f"http://localhost:{port}")
        expect(state).to_have_text(f"Open one of: http://acme.localhost:{port}, http://school.localhost:{port}")

        page.goto(f"http://acme.localhost:{port}")
        expect(page.locator("#contact")).to_be_hidden()
        page.locator("#email").fill(visitor.email)
        page.get_by_label("Password").fill("short")
        page.get_by_role("button", name="Sign up").click()
        expect(state).to_contain_text("at least 8")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign up").click()
        expect(state).to_contain_text("at acme.")

        page.goto(f"http://school.localhost:{port}")
        expect(page.locator("#password")).to_be_hidden()
        page.locator("#contact").fill(visitor.email)
        page.get_by_role("button", name="Send a code").click()
        page.get_by_label("Code from the message").fill("wrong")
        page.locator("#enter").get_by_role("button").click()
        expect(state).to_have_text("This code is wrong.")
        page.get_by_label("Code from the message").fill(log.read_text().split(f"{visitor.email}:")[1].split()[0])
        page.locator("#enter").get_by_role("button").click()
        expect(state).to_contain_text("at school.")

        page.goto(f"http://acme.localhost:{port}/whoami")
        expect(page.locator("body")).to_contain_text("at acme.")
