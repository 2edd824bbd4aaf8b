"""
The OAuth 2 provider and SAML (CDI 5.2 and 5.4), which the embedded core does not have.

Their endpoints check their fields and reply as the official core does when nothing of the kind was set up: there is no
client, no token and no request. Where the official core fails in that case, these calls are refused with a text.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from .call import Call, Endpoint, Scope
from .fields import Body, CallRefused, Query, bad

_NONE = "The embedded core has no OAuth 2 provider and no SAML"
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

# Method, path, the fields (required texts, unless it says how they are read), and the reply, or why it is refused.
_OAUTH: tuple[tuple[str, str, str, dict[str, Any] | str], ...] = (
    ("POST", "/clients", "", _NONE),
    ("GET", "/clients", "clientId", _NONE),
    ("PUT", "/clients", "clientId", _NO_CLIENT),
    ("GET", "/clients/list", "", _NONE),
    ("POST", "/clients/remove", "clientId", _NOTHING_TO_REMOVE),
    ("POST", "/auth", "params:object", _NO_CLIENT),
    ("POST", "/token", "iss inputBody:object access_token:object id_token:object inputBody.grant_type", _NO_CLIENT),
    ("GET", "/auth/requests/login", "", _NONE),
    ("PUT", "/auth/requests/login/accept", "", _NONE),
    ("PUT", "/auth/requests/login/reject", "", _NONE),
    ("GET", "/auth/requests/consent", "", _NONE),
    ("PUT", "/auth/requests/consent/accept", _CONSENT, _NONE),
    ("PUT", "/auth/requests/consent/reject", "", _NONE),
    ("PUT", "/auth/requests/logout/accept", "challenge", _NO_LOGOUT),
    ("PUT", "/auth/requests/logout/reject", "challenge", _OK),
    ("POST", "/introspect", "token", {"status": "OK", "active": False}),
    ("POST", "/token/revoke", "token", _OK),
    ("POST", "/tokens/revoke", "client_id", _NONE),
    ("POST", "/session/revoke", "sessionHandle", _OK),
    ("GET", "/sessions/logout", "", _NONE),
)
_SAML: tuple[tuple[str, str, str, dict[str, Any] | str], ...] = (
    ("GET", "/clients/list", "", {"status": "OK", "clients": []}),
    ("POST", "/clients/remove", "clientId", _NOTHING_TO_REMOVE),
    ("POST", "/login", "clientId redirectURI acsURL", _NONE),
    ("POST", "/callback", "samlResponse relayState:text_or_none", _NONE),
    ("POST", "/user", "accessToken clientId", {"status": "INVALID_TOKEN_ERROR"}),
    ("GET", "/legacy/authorize", "client_id redirect_uri", _NONE),
)


def _endpoint(
    method: str, path: str, scope: Scope, fields: str, reply: dict[str, Any] | str, *, keyless: bool = False
) -> Endpoint:
    def handler(call: Call) -> dict[str, Any]:
        _check(call.query if method == "GET" else call.body, fields)
        call.admit()
        if isinstance(reply, str):
            raise bad(reply)
        return dict(reply)

    return Endpoint(method, path, scope, handler, keyless=keyless)


def _check(given: Body | Query, fields: str) -> None:
    for field in fields.split():
        name, _, kind = field.partition(":")
        outer, _, inner = name.partition(".")
        if inner and isinstance(given, Body):
            Body(given.object(outer)).text(inner)
        else:
            getattr(given, kind or "text")(name)


def put_saml_client(call: Call) -> dict[str, Any]:
    """``PUT /recipe/saml/clients``: its fields are checked, and then it is refused."""
    _check(call.body, "defaultRedirectURI redirectURIs:array")
    if not call.body.array("redirectURIs"):
        raise bad("redirectURIs is required in the input")
    _check(call.body, "metadataXML allowIDPInitiatedLogin:flag_or_none enableRequestSigning:flag_or_none")
    try:
        base64.b64decode(call.body.text("metadataXML"), validate=True)
    except (binascii.Error, ValueError):
        raise bad("metadataXML does not have a valid SAML metadata") from None
    call.admit()
    raise bad(_NONE)


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
    *(
        _endpoint("POST", f"/recipe/saml/legacy/{name}", "tenant", "", f"Missing form field: {field}", keyless=True)
        for name, field in (("callback", "SAMLResponse"), ("token", "client_id"))
    ),
    Endpoint("GET", "/recipe/saml/legacy/userinfo", "tenant", saml_user, keyless=True),
    Endpoint("POST", "/recipe/handshake", "app", handshake, keyless=True),
)
