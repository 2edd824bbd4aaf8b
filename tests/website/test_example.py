"""The examples: from a link to a page, over a new account and its confirmed address, to the account page."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from recipes.shop import PASSWORD

from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.request import current
from website.person import Person

EXAMPLES = Path(__file__).parents[2] / "examples"
ORIGIN = "http://localhost"


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    monkeypatch.setenv("ST_CORE", "sqlite://?argon2_memory_kb=64")
    monkeypatch.setenv("ST_API_DOMAIN", ORIGIN)
    monkeypatch.delenv("ST_WEBSITE_DOMAIN", raising=False)
    names = SimpleNamespace(**runpy.run_path(str(EXAMPLES / f"{request.param}.py")))
    yield names
    current.set_default(None)
    names.st.close()


def confirm(person: Person, example: SimpleNamespace, capfd: pytest.CaptureFixture[str]) -> None:
    """Ask for the mail on the page that is shown, and open the link that is printed on a line of its own."""
    assert person.screen.heading == "Confirm your e-mail address"
    person.submit()
    example.st.services.get(EmailVerification).background.close()  # sends what waits
    [link] = re.findall(rf"^{ORIGIN}(/auth/verify-email\S+)$", capfd.readouterr().err, re.MULTILINE)
    person.open(link)
    assert person.submit().heading == "Your e-mail address is confirmed"


@pytest.mark.parametrize("example", ["flask_app", "bottle_app", "pyramid_app", "falcon_app"], indirect=True)
def test_from_a_link_to_the_account_page(example: SimpleNamespace, capfd: pytest.CaptureFixture[str]) -> None:
    person = Person(example, origin=ORIGIN)
    person.open(person.open("/").link("Your orders"))
    person.open(person.screen.link("Create an account"))
    new = {"st-action": "sign-up", "email": person.email, "password": PASSWORD}
    assert person.submit(**new).heading == "Your orders"
    assert person.email in person.open(person.screen.link("Home")).html
    person.open(person.screen.link("Your account"))
    person.open(person.screen.link("Confirm your e-mail address"))
    confirm(person, example, capfd)
    person.open(person.open("/").link("Sign out"))
    person.submit()
    assert "You are not signed in." in person.open("/").html


@pytest.mark.parametrize("example", ["flask_app"], indirect=True)
def test_the_page_for_administrators(example: SimpleNamespace, capfd: pytest.CaptureFixture[str]) -> None:
    person = Person(example, origin=ORIGIN)
    person.sign_up()
    person.open(person.open("/").link("Page for administrators"))
    confirm(person, example, capfd)
    denied = person.open("/admin")
    assert (denied.status, denied.heading) == (403, "Access denied")
