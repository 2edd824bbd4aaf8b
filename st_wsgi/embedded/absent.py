"""
The OAuth 2 provider and SAML (CDI 5.2 and 5.4), which the embedded core does not have.

Their endpoints check their fields and reply as the official core does when nothing of the kind was set up: there is no
client, no token and no request. Where the official core fails in that case, these calls are refused with a text.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from .call import Call, Endpoint, Handler, Scope
from .fields import Body, CallRefused, bad

_NO_CLIENT = {"status": "CLIENT_NOT_FOUND_ERROR"}
_OK = {"status": "OK"}
_NOTHING_TO_REMOVE = {"status": "OK", "didExist": False}
_NO_LOGOUT = {
    "status": "OAUTH_ERROR",
    "error": "invalid_request",
    "errorDescription": "Logout request not found",
    "statusCode": 400,
}
_CONSENT = "iss tId rsub sessionHandle initialAccessTokenPayload:object initialIdTokenPayload:object"

# Method, path, the fields that are required (texts, unless their kind is named), and the reply: None is a refusal.
_OAUTH: tuple[tuple[str, str, str, dict[str, Any] | None], ...] = (
    ("POST", "/clients", "", None),
    ("GET", "/clients", "clientId", None),
    ("PUT", "/clients", "clientId", _NO_CLIENT),
    ("GET", "/clients/list", "", None),
    ("POST", "/clients/remove", "clientId", _NOTHING_TO_REMOVE),
    ("POST", "/auth", "params:object", _NO_CLIENT),
    ("POST", "/token", "iss inputBody:object access_token:object id_token:object inputBody.grant_type", _NO_CLIENT),
    ("GET", "/auth/requests/login", "", None),
    ("PUT", "/auth/requests/login/accept", "", None),
    ("PUT", "/auth/requests/login/reject", "", None),
    ("GET", "/auth/requests/consent", "", None),
    ("PUT", "/auth/requests/consent/accept", _CONSENT, None),
    ("PUT", "/auth/requests/consent/reject", "", None),
    ("PUT", "/auth/requests/logout/accept", "challenge", _NO_LOGOUT),
    ("PUT", "/auth/requests/logout/reject", "challenge", _OK),
    ("POST", "/introspect", "token", {"status": "OK", "active": False}),
    ("POST", "/token/revoke", "token", _OK),
    ("POST", "/tokens/revoke", "client_id", None),
    ("POST", "/session/revoke", "sessionHandle", _OK),
    ("GET", "/sessions/logout", "", None),
)
_SAML: tuple[tuple[str, str, str, dict[str, Any] | None], ...] = (
    ("GET", "/clients/list", "", {"status": "OK", "clients": []}),
    ("POST", "/clients/remove", "clientId", _NOTHING_TO_REMOVE),
    ("POST", "/login", "clientId redirectURI acsURL", None),
    ("POST", "/callback", "samlResponse relayState:optional", None),
    ("POST", "/user", "accessToken clientId", {"status": "INVALID_TOKEN_ERROR"}),
    ("GET", "/legacy/authorize", "client_id redirect_uri", None),
)


def _endpoint(method: str, path: str, scope: Scope, fields: str, reply: dict[str, Any] | None) -> Endpoint:
    def handler(call: Call) -> dict[str, Any]:
        for field in fields.split():
            if method == "GET":
                call.query.text(field)
            else:
                _check(call.body, *field.partition(":")[::2])
        call.admit()
        if reply is None:
            raise bad("The embedded core has no OAuth 2 provider and no SAML")
        return dict(reply)

    return Endpoint(method, path, scope, handler)


def _check(body: Body, name: str, kind: str) -> None:
    outer, _, inner = name.partition(".")
    if inner:
        Body(body.object(outer)).text(inner)
    elif kind == "object":
        body.object(name)
    elif kind != "optional" or name in body:
        body.text(name)


def put_saml_client(call: Call) -> dict[str, Any]:
    """``PUT /recipe/saml/clients``: its fields are checked, and then it is refused."""
    body = call.body
    body.text("defaultRedirectURI")
    if not body.array("redirectURIs"):
        raise bad("redirectURIs is required in the input")
    metadata = body.text("metadataXML")
    for name in ("allowIDPInitiatedLogin", "enableRequestSigning"):
        body.flag_or_none(name)
    try:
        base64.b64decode(metadata, validate=True)
    except (binascii.Error, ValueError):
        raise bad("metadataXML does not have a valid SAML metadata") from None
    call.admit()
    raise bad("The embedded core has no OAuth 2 provider and no SAML")


def _refusing(text: str) -> Handler:
    def handler(call: Call) -> dict[str, Any]:
        call.admit()
        raise bad(text)

    return handler


def saml_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/saml/legacy/userinfo``: no user has a token."""
    known = "authorization" in call.headers
    raise bad("INVALID_TOKEN_ERROR" if known else "Authorization header is required")


def handshake(call: Call) -> dict[str, Any]:
    """``POST /recipe/handshake``: only CDI versions before 3.0 have it."""
    raise CallRefused(404, "Not found")


ENDPOINTS = (
    *(_endpoint(method, f"/recipe/oauth{path}", "app", fields, reply) for method, path, fields, reply in _OAUTH),
    *(_endpoint(method, f"/recipe/saml{path}", "tenant", fields, reply) for method, path, fields, reply in _SAML),
    Endpoint("PUT", "/recipe/saml/clients", "tenant", put_saml_client),
    Endpoint(
        "POST", "/recipe/saml/legacy/callback", "tenant", _refusing("Missing form field: SAMLResponse"), keyless=True
    ),
    Endpoint("POST", "/recipe/saml/legacy/token", "tenant", _refusing("Missing form field: client_id"), keyless=True),
    Endpoint("GET", "/recipe/saml/legacy/userinfo", "tenant", saml_user, keyless=True),
    Endpoint("POST", "/recipe/handshake", "app", handshake, keyless=True),
)
