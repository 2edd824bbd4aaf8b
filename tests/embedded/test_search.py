"""How many users a search finds."""

from __future__ import annotations

import pytest

from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.embedded import EmbeddedCore, listing

HEADERS = {"cdi-version": "5.4"}


def test_those_that_several_indexes_find_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address is found by its start and by its domain: what both find leaves room for the others."""
    monkeypatch.setattr(listing, "_SEARCH_LIMIT", 8)
    addresses = {*(f"acme{number}@acme.com" for number in range(6)), "x@acme.org", "y@acme.org"}
    with EmbeddedCore(settings={"argon2_memory_kb": 64}) as core:
        for address in addresses:
            body = {"email": address, "password": "correct horse 1"}
            assert core.send(CoreRequest("POST", "/public/recipe/signup", body=body, headers=HEADERS)).status == 200
        reply = core.send(CoreRequest("GET", "/public/users", params={"email": "acme"}, headers=HEADERS))
        assert isinstance(reply.body, dict)
        assert {user["emails"][0] for user in reply.body["users"]} == addresses
