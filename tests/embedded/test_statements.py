"""How many statements a call issues: each takes the time of one, however few rows it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from contract.plans import trace

from st_wsgi.core_client.transport import CoreRequest, Method
from st_wsgi.embedded import EmbeddedCore

PASSWORD = {"email": "ann@example.com", "password": "correct horse 1"}
ACCOUNT = {"thirdPartyId": "google", "thirdPartyUserId": "ann", "email": {"id": "ann@example.com", "isVerified": True}}
IMPORTED: dict[str, Any] = {
    "loginMethods": [
        {"recipeId": "thirdparty", "isPrimary": number == 0, "email": f"{number}@example.com", "isVerified": True}
        | {"thirdPartyId": "github", "thirdPartyUserId": str(number)}
        for number in range(10)
    ]
}


def statements(core: EmbeddedCore, method: Method, path: str, body: Any = None, **params: str) -> int:
    """Return how many statements the second of two equal calls issues, without those of transactions."""
    issued: list[str] = []
    for callback in (None, issued.append):
        trace(core, callback)
        request = CoreRequest(method, path, params=params, body=body, headers={"cdi-version": "5.4"})
        reply = core.send(request)
        assert isinstance(reply.body, Mapping), reply
        assert reply.body["status"] == "OK"
    trace(core, None)
    return sum(not statement.startswith(("BEGIN", "COMMIT")) for statement in issued)


def sign_up(core: EmbeddedCore, path: str, body: Any) -> str:
    reply = core.send(CoreRequest("POST", path, body=body, headers={"cdi-version": "5.4"}))
    assert isinstance(reply.body, dict)
    user_id: str = reply.body["user"]["id"]
    return user_id


@pytest.fixture
def core() -> Iterator[EmbeddedCore]:
    """A core in memory."""
    with EmbeddedCore(settings={"argon2_memory_kb": 64}) as core:
        yield core


def test_a_user_is_one_statement_whatever_their_login_methods(core: EmbeddedCore) -> None:
    one = sign_up(core, "/recipe/signup", PASSWORD)
    ten = sign_up(core, "/bulk-import/import", IMPORTED)
    counts = [statements(core, "GET", "/user/id", userId=user_id) for user_id in (one, ten)]
    # The tenant, the id of the mapping, whether there is such a user, and that one.
    assert counts == [4, 4]
    assert statements(core, "GET", "/users", limit="100") == 3


def test_a_sign_in_with_a_provider(core: EmbeddedCore) -> None:
    sign_up(core, "/recipe/signinup", ACCOUNT)
    assert statements(core, "POST", "/recipe/signinup", ACCOUNT) == 7
