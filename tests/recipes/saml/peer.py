"""
A core with SAML, as far as the core driver interface describes it (CDI 5.4, ``/recipe/saml``).

Its identity providers sign nothing: a SAML response says in plain words what a real core would find in it.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

from st_wsgi.core_client.transport import CoreReply, CoreRequest, Transport

Json = dict[str, Any]
METADATA = '<?xml version="1.0"?><md:EntityDescriptor entityID="https://idp.example/{}"/>'


def saml_response(**says: Any) -> str:
    """Return a SAML response in base64; a forged one with ``signed=False``."""
    return base64.b64encode(("<Response>" + json.dumps(says)).encode()).decode()


class SamlPeer:
    """
    The SAML part of a core.

    :ivar received: the SAML responses, unchanged.
    """

    def __init__(self) -> None:
        self.clients: dict[tuple[str, str], Json] = {}
        self.states: dict[str, Json] = {}
        self.codes: dict[str, Json] = {}
        self.received: list[str] = []

    def answer(self, request: CoreRequest) -> CoreReply | None:
        """Return the reply to a call for SAML; None for all others."""
        tenant, found, path = request.path.partition("/recipe/saml/")
        if not found:
            return None
        answers = {
            "clients": self._set,
            "clients/list": self._list,
            "clients/remove": self._remove,
            "login": self._login,
            "callback": self._callback,
            "user": self._user,
        }
        body = answers[path](tenant, request.body or {})
        if body is None:
            return CoreReply(500, "Internal Error")
        return CoreReply(400, body) if isinstance(body, str) else CoreReply(200, body)

    def _set(self, tenant: str, body: Mapping[str, Any]) -> Json | str:
        try:
            xml = base64.b64decode(body["metadataXML"], validate=True).decode()
        except ValueError:
            xml = ""
        if "entityID=" not in xml:
            return "Http error. Status Code: 400. Message: metadataXML does not have a valid SAML metadata"
        entity = xml.partition('entityID="')[2].partition('"')[0]
        client_id = body.get("clientId") or f"st_saml_{uuid.uuid4().hex}"
        others = [one for key, one in self.clients.items() if key[0] == tenant and key[1] != client_id]
        if any(one["idpEntityId"] == entity for one in others):
            return {"status": "DUPLICATE_IDP_ENTITY_ERROR"}
        names = ("redirectURIs", "defaultRedirectURI", "allowIDPInitiatedLogin", "clientSecret")
        client = {"clientId": client_id, "idpEntityId": entity, "idpSigningCertificate": "MII"}
        client |= {"allowIDPInitiatedLogin": False, "enableRequestSigning": body.get("enableRequestSigning", True)}
        self.clients[tenant, client_id] = {**client, **{name: body[name] for name in names if name in body}}
        return {"status": "OK", **self.clients[tenant, client_id]}

    def _list(self, tenant: str, body: Mapping[str, Any]) -> Json:
        return {"status": "OK", "clients": [one for (owner, _), one in self.clients.items() if owner == tenant]}

    def _remove(self, tenant: str, body: Mapping[str, Any]) -> Json:
        return {"status": "OK", "didExist": self.clients.pop((tenant, body["clientId"]), None) is not None}

    def _login(self, tenant: str, body: Mapping[str, Any]) -> Json:
        client = self.clients.get((tenant, body["clientId"]))
        if client is None or body["redirectURI"] not in client["redirectURIs"]:
            return {"status": "INVALID_CLIENT_ERROR"}
        relay_state = uuid.uuid4().hex
        self.states[relay_state] = {**body, "tenant": tenant}
        return {"status": "OK", "ssoRedirectURI": f"{client['idpEntityId']}/sso?SAMLRequest=x&RelayState={relay_state}"}

    def _callback(self, tenant: str, body: Mapping[str, Any]) -> Json | str | None:
        self.received.append(body["samlResponse"])
        text = base64.b64decode(body["samlResponse"]).decode("utf-8", "replace")
        if not text.startswith("<Response>"):
            return "Http error. Status Code: 400. Message: Invalid or malformed SAML response input"
        says = json.loads(text.removeprefix("<Response>"))
        if "relayState" in body:
            began = self.states.pop(body["relayState"], None)
            if began is None or began["tenant"] != tenant:
                return {"status": "INVALID_RELAY_STATE_ERROR"}
            client_id, address, state = began["clientId"], began["redirectURI"], began.get("state")
            if (tenant, client_id) not in self.clients:
                return {"status": "INVALID_CLIENT_ERROR"}
        else:
            known = [one for (owner, _), one in self.clients.items() if owner == tenant]
            client = next((one for one in known if one["idpEntityId"] == says.get("issuer")), None)
            if client is None:
                return None  # the official core replies with 500, too
            if not client["allowIDPInitiatedLogin"]:
                return {"status": "IDP_LOGIN_DISALLOWED_ERROR"}
            client_id, address, state = client["clientId"], client["defaultRedirectURI"], None
        if says.get("signed") is False:
            return {"status": "SAML_RESPONSE_VERIFICATION_FAILED_ERROR"}
        code = uuid.uuid4().hex
        self.codes[code] = {"tenant": tenant, "clientId": client_id, **says}
        return {"status": "OK", "redirectURI": f"{address}?code={code}" + (f"&state={state}" if state else "")}

    def _user(self, tenant: str, body: Mapping[str, Any]) -> Json:
        if self.codes.get(body["accessToken"], {}).get("tenant") != tenant:
            return {"status": "INVALID_TOKEN_ERROR"}
        told = self.codes.pop(body["accessToken"])
        if told["clientId"] != body["clientId"]:
            return {"status": "INVALID_TOKEN_ERROR"}
        return {"status": "OK", "sub": told["sub"], "email": told.get("email"), "claims": told.get("claims", {})}


class CoreWithSaml(SamlPeer, Transport):
    """A core in front of another one, which answers the calls that are not for SAML."""

    in_process = True
    password_byte_limit: int | None = None

    def __init__(self, core: Transport) -> None:
        super().__init__()
        self._core = core

    def send(self, request: CoreRequest, /) -> CoreReply:
        return self.answer(request) or self._core.send(request)

    def close(self) -> None: ...
