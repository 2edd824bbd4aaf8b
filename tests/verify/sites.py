"""What every protected site of the documentation must answer, whatever its framework."""

from __future__ import annotations

import time
from typing import Any

from werkzeug.test import Client

from st_verify import FetchedKeys
from st_verify.fetch import HttpFetcher
from verify.minting import jwk, jwks, payload, token


def answer_for_the_key_server(fetcher: HttpFetcher) -> FetchedKeys:
    """Stands in for the exchange with a host that does not exist."""
    return FetchedKeys(jwks(jwk()))


def fresh(**claims: Any) -> str:
    """A token that counts by the real clock."""
    at = int(time.time())
    return token(body=payload(iat=at - 5, exp=at + 600) | claims)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def shows_the_four_answers(app: Any, *, admin: bool = True) -> None:
    client = Client(app)
    served = client.get("/me", headers=bearer(fresh()))
    assert (served.status_code, served.text) == (200, "user-1")
    missing = client.get("/me")
    assert (missing.status_code, missing.json) == (401, {"message": "unauthorised"})
    assert missing.headers["Cache-Control"] == "no-store"
    forged = client.get("/me", headers=bearer(token(key="attacker")))
    assert (forged.status_code, forged.json) == (401, {"message": "try refresh token"})
    if admin:
        role = {"st-role": {"v": ["admin"], "t": 1}}
        assert client.get("/admin", headers=bearer(fresh(**role))).text == "user-1"
        refused = client.get("/admin", headers=bearer(fresh()))
        assert (refused.status_code, (refused.json or {})["message"]) == (403, "invalid claim")
        assert [error["id"] for error in (refused.json or {})["claimValidationErrors"]] == ["st-role"]
