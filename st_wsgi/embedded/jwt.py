"""The JWT recipe and the JWKS (CDI 1.2, semantics 3.5)."""

from __future__ import annotations

from typing import Any

from ..core_client.transport import CoreReply
from .call import Call, Endpoint
from .fields import bad


def create(call: Call) -> dict[str, Any]:
    """``POST /recipe/jwt``: sign a payload; the static key unless asked otherwise."""
    algorithm = call.body.text("algorithm")
    domain = call.body.text("jwksDomain")
    payload = call.body.object("payload")
    validity = call.body.whole("validity")
    dynamic = call.body.flag_or_none("useStaticSigningKey") is False
    if validity <= 0:
        raise bad("validity must be greater than or equal to 0")
    if algorithm.upper() != "RS256":
        return {"status": "UNSUPPORTED_ALGORITHM_ERROR"}
    issued = call.now // 1000
    key = call.services.keys.for_signing(call.here, call.now, static=not dynamic)
    # What the payload says goes first.
    claims = {"iss": domain, "exp": issued + validity, "iat": issued, **payload}
    return {"status": "OK", "jwt": key.sign({}, claims)}


def well_known(call: Call) -> CoreReply:
    """``GET /.well-known/jwks.json``: the public keys, for everyone."""
    keys, seconds = call.services.keys.jwks(call.here, call.now)
    return CoreReply(200, {"keys": keys}, {"cache-control": f"max-age={seconds}, must-revalidate"})


def recipe_jwks(call: Call) -> dict[str, Any]:
    """``GET /recipe/jwt/jwks`` (deprecated)."""
    return {"status": "OK", "keys": call.services.keys.jwks(call.here, call.now)[0]}


ENDPOINTS = (
    Endpoint("POST", "/recipe/jwt", "app", create),
    Endpoint("GET", "/recipe/jwt/jwks", "app", recipe_jwks),
    Endpoint("GET", "/.well-known/jwks.json", "app-tolerant", well_known, keyless=True),
)
