"""The example: from a link to an order, over a new account and its confirmed address, to the order."""

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

EXAMPLE = Path(__file__).parents[2] / "examples" / "pages_app.py"
ORIGIN = "http://localhost"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    monkeypatch.setenv("ST_CORE", "sqlite://?argon2_memory_kb=64")
    monkeypatch.setenv("ST_API_DOMAIN", ORIGIN)
    yield SimpleNamespace(**runpy.run_path(str(EXAMPLE)))
    current.set_default(None)


def test_the_example(example: SimpleNamespace, capfd: pytest.CaptureFixture[str]) -> None:
    person = Person(example, origin=ORIGIN)
    person.open("/orders/7")
    person.open(person.screen.link("Create an account"))
    new = {"st-action": "sign-up", "email": person.email, "password": PASSWORD}
    assert person.submit(**new).heading == "Confirm your e-mail address"
    person.submit()
    example.st.services.get(EmailVerification).background.close()  # sends what waits
    [link] = re.findall(rf"^{ORIGIN}(/auth/verify-email\S+)$", capfd.readouterr().err, re.MULTILINE)
    person.open(link)
    assert person.submit().heading == "Your e-mail address is confirmed"
    assert person.open("/orders/7").heading == "Order 7"
    assert person.open(person.screen.link("Your account")).heading == "Your account"
    example.st.close()
