"""A core without an API key on the same machine as a browser: a page of another site can neither change nor read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from contract.client import serving

from browser.sites import page_server
from browser.visitor import Visitor
from st_wsgi.embedded import EmbeddedCore

FORM = """<!doctype html><title>A page that wants a user of its own</title>
<form method="post" enctype="text/plain" action="{core}/recipe/signup">
<input name='{{"email":"evil@example.com","password":"x","x":"' value='"}}'></form>"""


@pytest.fixture
def core() -> Iterator[str]:
    """The address of a core with one user."""
    with EmbeddedCore(settings={"argon2_memory_kb": 64}) as core, serving(core) as server:
        body = {"email": "ada@example.com", "password": "secret"}
        assert requests.post(f"{server.address}/recipe/signup", json=body, timeout=30).json()["status"] == "OK"
        yield server.address


def users(core: str) -> list[str]:
    """Return the e-mail addresses of all users."""
    found = requests.get(f"{core}/users", timeout=30).json()["users"]
    return [user["emails"][0] for user in found]


def test_a_form_of_another_site_creates_no_user(visitor: Visitor, core: str, tmp_path: Path) -> None:
    """A form may send any text to any address, and this one sends JSON as text."""
    (tmp_path / "form.html").write_text(FORM.format(core=core))
    page = visitor.new_page()
    with page_server(tmp_path) as port:
        page.goto(f"http://evil.test:{port}/form.html")
        with page.expect_response(f"{core}/recipe/signup") as posted, page.expect_navigation():
            page.evaluate("document.forms[0].submit()")
        assert posted.value.status == 403
        assert posted.value.request.post_data == '{"email":"evil@example.com","password":"x","x":"="}\r\n'
    assert users(core) == ["ada@example.com"]


def test_a_name_that_was_bound_to_this_machine_reads_nothing(visitor: Visitor, core: str) -> None:
    """After DNS rebinding the core has the page's own origin, so that its scripts may read every reply."""
    address = core.replace("127.0.0.1", "evil.test")
    page = visitor.new_page()
    opened = page.goto(f"{address}/hello")
    assert opened is not None
    assert opened.status == 403
    status, text = page.evaluate("fetch('/users').then(async (reply) => [reply.status, await reply.text()])")
    assert status == 403
    assert "ada@example.com" not in text
