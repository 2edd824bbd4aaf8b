"""Phone numbers without the library that reads them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from contract.client import email
from contract.logins import by_code, phone

from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore, phones


def test_without_the_library(make_core: Callable[..., EmbeddedCore], monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs it says how to install it, and nothing else does. No number is stored in the spelling of a request."""
    monkeypatch.setattr(phones, "_PHONENUMBERS", False)
    app = caller(make_core())
    text = "phone numbers need the package phonenumbers: run `pip install 'st-wsgi[phone]'`"
    app.post("/recipe/signinup/code", phoneNumber=phone()).refused(500, text)
    app.get("/users/by-accountinfo", phoneNumber=phone(), doUnionOfAccountInfo="true").refused(500, text)
    by_code(app, email=email())
