"""The OAuth 2 provider and SAML, where nothing of the kind was set up."""

from __future__ import annotations

from typing import Any

import pytest

from contract.client import Caller
from contract.covered import covers

NO_CLIENT = {"status": "CLIENT_NOT_FOUND_ERROR"}
NO_LOGOUT = {
    "status": "OAUTH_ERROR",
    "error": "invalid_request",
    "errorDescription": "Logout request not found",
    "statusCode": 400,
}
GONE = {"status": "OK", "didExist": False}
TOKEN = {"iss": "a", "inputBody": {"grant_type": "client_credentials"}, "access_token": {}, "id_token": {}}

#: Method, path, the body that is complete, and the answer to it.
ANSWERED: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("PUT", "/recipe/oauth/clients", {"clientId": "x"}, NO_CLIENT),
    ("POST", "/recipe/oauth/clients/remove", {"clientId": "x"}, GONE),
    ("POST", "/recipe/oauth/auth", {"params": {"client_id": "x"}}, NO_CLIENT),
    ("POST", "/recipe/oauth/token", TOKEN, NO_CLIENT),
    ("PUT", "/recipe/oauth/auth/requests/logout/accept", {"challenge": "x"}, NO_LOGOUT),
    ("PUT", "/recipe/oauth/auth/requests/logout/reject", {"challenge": "x"}, {"status": "OK"}),
    ("POST", "/recipe/oauth/introspect", {"token": "x"}, {"status": "OK", "active": False}),
    ("POST", "/recipe/oauth/token/revoke", {"token": "x"}, {"status": "OK"}),
    ("POST", "/recipe/oauth/session/revoke", {"sessionHandle": "x"}, {"status": "OK"}),
    ("POST", "/recipe/saml/clients/remove", {"clientId": "x"}, GONE),
    ("POST", "/recipe/saml/user", {"accessToken": "x", "clientId": "x"}, {"status": "INVALID_TOKEN_ERROR"}),
]

CONSENT = {
    **dict.fromkeys(("iss", "tId", "rsub", "sessionHandle"), "x"),
    **{name: {} for name in ("initialAccessTokenPayload", "initialIdTokenPayload")},
}
LOGIN = dict.fromkeys(("clientId", "redirectURI", "acsURL"), "x")

#: The official core fails with such calls.
REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/recipe/oauth/clients", {}),
    ("GET", "/recipe/oauth/clients", {"clientId": "x"}),
    ("GET", "/recipe/oauth/clients/list", {}),
    ("GET", "/recipe/oauth/auth/requests/login", {}),
    ("PUT", "/recipe/oauth/auth/requests/login/accept", {}),
    ("PUT", "/recipe/oauth/auth/requests/login/reject", {}),
    ("GET", "/recipe/oauth/auth/requests/consent", {}),
    ("PUT", "/recipe/oauth/auth/requests/consent/accept", CONSENT),
    ("PUT", "/recipe/oauth/auth/requests/consent/reject", {}),
    ("POST", "/recipe/oauth/tokens/revoke", {"client_id": "x"}),
    ("GET", "/recipe/oauth/sessions/logout", {}),
    ("POST", "/recipe/saml/login", LOGIN),
    ("POST", "/recipe/saml/callback", {"samlResponse": "x"}),
    ("GET", "/recipe/saml/legacy/authorize", {"client_id": "x", "redirect_uri": "x"}),
]


def send(app: Caller, method: str, path: str, fields: dict[str, Any]) -> Any:
    return app.get(path, **fields) if method == "GET" else app.call(method, path, fields)


@covers(*(f"{method} {path}" for method, path, *_ in ANSWERED))
def test_what_is_answered(app: Caller) -> None:
    """Without a client, a token or a request there is an answer for each call; fields are looked at first."""
    for method, path, fields, answer in ANSWERED:
        send(app, method, path, fields).gives(answer)
        for name in fields:
            lacking = {other: value for other, value in fields.items() if other != name}
            send(app, method, path, lacking).refused(400, f"Field name '{name}' is invalid in JSON input")
    lacking = {**TOKEN, "inputBody": {}}
    app.post("/recipe/oauth/token", **lacking).refused(400, "Field name 'grant_type' is invalid in JSON input")
    app.get("/recipe/saml/clients/list").gives({"status": "OK", "clients": []})


@covers("GET /recipe/saml/clients/list")
def test_there_are_no_saml_clients(app: Caller) -> None:
    app.get("/recipe/saml/clients/list").gives({"status": "OK", "clients": []})


@covers(*(f"{method} {path}" for method, path, _ in REFUSED))
def test_what_is_not_there(app: Caller, request: pytest.FixtureRequest) -> None:
    """What would need a provider is refused with a text, after its fields were looked at."""
    texts = {"GET": "Field name '{}' is missing in GET request"}
    for method, path, fields in REFUSED:
        for name in fields:
            lacking = {other: value for other, value in fields.items() if other != name}
            text = texts.get(method, "Field name '{}' is invalid in JSON input")
            send(app, method, path, lacking).refused(400, text.format(name))
        if request.node.callspec.params["wire"] != "remote":
            send(app, method, path, fields).refused(400, "The embedded core has no OAuth 2 provider and no SAML")


@covers("PUT /recipe/saml/clients")
def test_a_saml_client(app: Caller, request: pytest.FixtureRequest) -> None:
    """A client is looked at field by field."""
    client = {
        "defaultRedirectURI": "https://a.example",
        "redirectURIs": ["https://a.example"],
        "metadataXML": "PHgvPg==",
    }
    for name in client:
        lacking = {other: value for other, value in client.items() if other != name}
        app.put("/recipe/saml/clients", **lacking).refused(400, f"Field name '{name}' is invalid in JSON input")
    app.put("/recipe/saml/clients", **{**client, "redirectURIs": []}).refused(
        400, "redirectURIs is required in the input"
    )
    app.put("/recipe/saml/clients", **{**client, "metadataXML": "<x/>"}).refused(
        400, "metadataXML does not have a valid SAML metadata"
    )
    app.put("/recipe/saml/clients", **client, enableRequestSigning="yes").refused(
        400, "Field name 'enableRequestSigning' is invalid in JSON input"
    )
    if request.node.callspec.params["wire"] != "remote":
        app.put("/recipe/saml/clients", **client).refused(400, "The embedded core has no OAuth 2 provider and no SAML")


@covers("POST /recipe/saml/legacy/callback", "POST /recipe/saml/legacy/token", "GET /recipe/saml/legacy/userinfo")
def test_older_saml(app: Caller) -> None:
    """The older form of SAML takes forms, needs no key, and knows no token."""
    app.call("POST", "/recipe/saml/legacy/callback").refused(400, "Missing form field: SAMLResponse")
    app.call("POST", "/recipe/saml/legacy/token").refused(400, "Missing form field: client_id")
    path = "/recipe/saml/legacy/userinfo"
    app.call("GET", path, headers={"authorization": None}).refused(400, "Authorization header is required")
    app.call("GET", path, headers={"authorization": "Bearer x"}).refused(400, "INVALID_TOKEN_ERROR")


def test_places_of_oauth_and_saml(app: Caller) -> None:
    """OAuth belongs to apps, SAML to tenants."""
    refusal = "Only public tenantId can call this app specific API"
    app.below("t1").post("/recipe/oauth/session/revoke", sessionHandle="x").refused(403, refusal)
    assert "t1" in app.below("t1").post("/recipe/saml/user", accessToken="x", clientId="x").body
