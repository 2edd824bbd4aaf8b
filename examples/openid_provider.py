"""
A small OpenID provider for trials: it believes every e-mail address. ``examples/third_party.py`` starts it on loopback.

It has only what an app needs: one client and one redirect URI, codes that work once and for a minute, PKCE, id tokens
that are signed. It has one process and no memory: a restart makes a new key and forgets all codes.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
import uuid
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, Response, abort, jsonify, redirect, request
from werkzeug.serving import BaseWSGIServer, make_server

CODE_SECONDS = 60
TOKEN_SECONDS = 600

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Provider</title>
<style>
:root { color-scheme: light dark; }
body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button { margin: .25rem 0 1rem; padding: .6rem; }
</style>
<h1>An OpenID provider</h1>
<p>The example wants to know your e-mail address. This provider believes what you type.</p>
<form method="post"><label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="ada@example.com" required>
<button name="consent" value="yes">Continue</button>
<button name="consent" value="no" formnovalidate>Cancel</button></form></html>
"""


def start(*, client_id: str, redirect_uri: str, port: int = 0) -> BaseWSGIServer:
    """Serve the provider on loopback, in a thread. Its issuer is ``http://127.0.0.1:<port of the server>``."""
    app = Flask("openid_provider")
    server = make_server("127.0.0.1", port, app, threaded=True)
    issuer = f"http://127.0.0.1:{server.port}"
    key = rsa.generate_private_key(65537, 2048)
    kid = uuid.uuid4().hex
    codes: dict[str, dict[str, Any]] = {}
    users: dict[str, dict[str, Any]] = {}

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        return jsonify(
            issuer=issuer,
            authorization_endpoint=f"{issuer}/authorize",
            token_endpoint=f"{issuer}/token",
            userinfo_endpoint=f"{issuer}/userinfo",
            jwks_uri=f"{issuer}/jwks",
            response_types_supported=["code"],
            subject_types_supported=["public"],
            id_token_signing_alg_values_supported=["RS256"],
            code_challenge_methods_supported=["S256"],
        )

    @app.get("/jwks")
    def jwks() -> Response:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return jsonify(keys=[{**public, "kid": kid, "use": "sig", "alg": "RS256"}])

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        asked = request.args
        if (asked.get("client_id"), asked.get("redirect_uri")) != (client_id, redirect_uri):
            abort(400)  # never a redirect to an address that is not registered
        back = {"state": asked["state"]} if "state" in asked else {}
        if (asked.get("response_type"), asked.get("code_challenge_method")) != ("code", "S256"):
            return redirect(f"{redirect_uri}?{urlencode({'error': 'invalid_request', **back})}")
        if request.method == "GET":
            return PAGE
        email = request.form.get("email", "").strip().lower()
        if request.form.get("consent") != "yes" or "@" not in email:
            return redirect(f"{redirect_uri}?{urlencode({'error': 'access_denied', **back})}")
        code = secrets.token_urlsafe()
        user = {"sub": str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{email}")), "email": email, "email_verified": True}
        codes[code] = {
            "user": user,
            "nonce": {"nonce": asked["nonce"]} if "nonce" in asked else {},
            "challenge": asked.get("code_challenge"),
            "until": time.time() + CODE_SECONDS,
        }
        return redirect(f"{redirect_uri}?{urlencode({'code': code, **back})}")

    @app.post("/token")
    def token() -> Any:
        sent = request.form
        code = codes.pop(sent.get("code", ""), None)
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            code is None
            or code["until"] < time.time()
            or code["challenge"] != challenge
            or (sent.get("client_id"), sent.get("redirect_uri")) != (client_id, redirect_uri)
        ):
            return jsonify(error="invalid_grant"), 400
        access_token = secrets.token_urlsafe()
        users[access_token] = code["user"]
        now = int(time.time())
        claims = {"iss": issuer, "aud": client_id, "iat": now, "exp": now + TOKEN_SECONDS}
        id_token = jwt.encode({**claims, **code["nonce"], **code["user"]}, key, algorithm="RS256", headers={"kid": kid})
        return jsonify(access_token=access_token, token_type="Bearer", expires_in=TOKEN_SECONDS, id_token=id_token)

    @app.get("/userinfo")
    def userinfo() -> Any:
        user = users.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return jsonify(user) if user else (jsonify(error="invalid_token"), 401)

    threading.Thread(target=server.serve_forever, name="openid-provider", daemon=True).start()
    return server
