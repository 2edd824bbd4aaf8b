"""The JWT recipe, and the keys that everybody may see."""

from __future__ import annotations

import re

import jwt

from contract.client import Caller, fresh
from contract.covered import covers
from contract.expectations import JWT
from contract.test_sessions import create, header

DOMAIN = "https://api.example.com"


@covers("POST /recipe/jwt", "GET /.well-known/jwks.json", "GET /recipe/jwt/jwks")
def test_a_jwt_verifies_with_the_published_keys(app: Caller) -> None:
    """What the core signs, anyone can check with its key set; the key is the one that never changes."""
    answer = app.post(
        "/recipe/jwt", algorithm="RS256", jwksDomain=DOMAIN, payload={"a": {"b": None}}, validity=60
    ).says("OK", jwt=JWT)
    keys = app.get("/.well-known/jwks.json").body["keys"]
    app.get("/recipe/jwt/jwks").says("OK", keys=keys)
    token = answer["jwt"]
    head = header(token)
    assert head.keys() == {"alg", "typ", "kid"}
    assert head["kid"].startswith("s-")
    key = next(key for key in keys if key["kid"] == head["kid"])
    found = jwt.decode(token, jwt.PyJWK(key).key, algorithms=["RS256"])
    assert found == {"a": {"b": None}, "iss": DOMAIN, "iat": found["iat"], "exp": found["iat"] + 60}


def test_dynamic_key_and_issuer(app: Caller) -> None:
    """The changing key may sign too, and an issuer or a time in the payload stays."""
    body = {"algorithm": "rs256", "jwksDomain": DOMAIN, "validity": 5}
    payload = {"iss": "me", "exp": 5, "iat": 6}
    token = app.post("/recipe/jwt", **body, payload=payload, useStaticSigningKey=False).body["jwt"]
    assert header(token)["kid"].startswith("d-")
    assert jwt.decode(token, options={"verify_signature": False}) == payload


def test_the_issuer_is_not_trimmed(app: Caller) -> None:
    """The domain of the key set stands in the token as it was given."""
    token = app.post("/recipe/jwt", algorithm="RS256", jwksDomain="  ", payload={}, validity=5).body["jwt"]
    assert jwt.decode(token, options={"verify_signature": False})["iss"] == "  "


def test_jwt_fields(app: Caller) -> None:
    """The algorithm must be known and the validity above zero."""
    app.post("/recipe/jwt", algorithm="HS256", jwksDomain=DOMAIN, payload={}, validity=5).says(
        "UNSUPPORTED_ALGORITHM_ERROR"
    )
    app.post("/recipe/jwt", algorithm="RS256", jwksDomain=DOMAIN, payload={}, validity=0).refused(
        400, "validity must be greater than or equal to 0"
    )
    app.post("/recipe/jwt", algorithm="RS256", jwksDomain=DOMAIN, payload=[], validity=5).refused(
        400, "Field name 'payload' is invalid in JSON input"
    )


def test_jwks(app: Caller, tenant: Caller) -> None:
    """The key set holds public RSA keys, needs no version, tells how long to keep it, and is the same in a tenant."""
    create(app, fresh("user"))
    answer = app.call("GET", "/.well-known/jwks.json", headers={"cdi-version": None})
    answer.gives(answer.body)
    assert list(answer.body) == ["keys"]
    for key in answer.body["keys"]:
        assert key == {"kty": "RSA", "kid": key["kid"], "n": key["n"], "e": "AQAB", "alg": "RS256", "use": "sig"}
        assert len(key["n"]) >= 342
    assert [key["kid"][:2] for key in answer.body["keys"]] == ["d-", "s-"]
    seconds = re.fullmatch(r"max-age=(\d+), must-revalidate", answer.headers["cache-control"])
    assert seconds is not None
    assert 1 <= int(seconds[1]) <= 168 * 3600
    assert tenant.get("/.well-known/jwks.json").body == answer.body
