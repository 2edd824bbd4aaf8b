"""A service without auth routes: ``python examples/resource_server.py`` beside an auth server such as flask_app.py."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import make_server

from st_verify import ANY, Refused, RemoteKeys, SessionVerifier, UserRoleClaim
from st_verify.wsgi import CsrfMode, SessionGuard, refusal_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

ISSUER = os.environ.get("ST_ISSUER", "http://127.0.0.1:3000/auth")
JWKS_URL = os.environ.get("ST_JWKS_URL", "http://127.0.0.1:3000/auth/jwt/jwks.json")
PORT = int(os.environ.get("PORT", "3001"))

verifier = SessionVerifier(keys=RemoteKeys(JWKS_URL), issuer=ISSUER, tenants=ANY)
guard = SessionGuard(verifier, csrf=CsrfMode.NONE, transport="any")  # the anti-CSRF mode of the auth server


def session_info(environ: dict[str, Any]) -> dict[str, Any]:
    session = guard.session(environ)
    return {
        "userId": session.user_id,
        "sessionHandle": session.session_handle,
        "accessTokenPayload": dict(session.claims),
    }


def admin(environ: dict[str, Any]) -> dict[str, Any]:
    session = guard.session(environ, UserRoleClaim.includes("admin"))
    return {"userId": session.user_id, "admin": True}


PROTECTED = {"/sessioninfo": session_info, "/admin": admin}


def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    handler = PROTECTED.get(environ["PATH_INFO"])
    try:
        body = json.dumps(handler(environ)) if handler else "Anyone may read this."
    except Refused as refused:
        return refusal_response(refused)(environ, start_response)
    start_response("200 OK", [("Content-Type", "application/json" if handler else "text/plain")])
    return [body.encode()]


if __name__ == "__main__":
    print(f"Serving http://127.0.0.1:{PORT}, for sessions of {ISSUER}")
    make_server("127.0.0.1", PORT, app).serve_forever()
