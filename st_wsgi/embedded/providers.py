"""A tenant's third party providers (CDI 1.7; ``thirdparty/ThirdParty.java`` of the official core checks them)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import tenantrows
from .call import Call, Endpoint
from .fields import bad, dump

_MAPS = (
    "authorizationEndpointQueryParams",
    "tokenEndpointBodyParams",
    "userInfoEndpointQueryParams",
    "userInfoEndpointHeaders",
)
_APPLE_KEYS = ("keyId", "teamId", "privateKey")


def put(call: Call) -> dict[str, Any]:
    """``PUT /recipe/multitenancy/config/thirdparty``: a provider of a tenant, new or in place of the one before."""
    config = call.body.object("config")
    given_id = config.get("thirdPartyId")
    if not isinstance(given_id, str):
        raise bad("Field name 'thirdPartyId' is invalid in JSON input")
    skip = call.body.flag_or_none("skipValidation") is True
    here = call.here
    provider = _normal({**config, "thirdPartyId": given_id.strip()})
    if not skip:
        problem = _problem(provider)
        if problem is not None:
            raise bad(f"Invalid third party config: {problem}")
    with call.write() as db:
        created = tenantrows.save_provider(db, here.app, here.tenant_id, provider)
    return {"status": "OK", "createdNew": created}


def _normal(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provider without nulls, except in the maps where a null removes a parameter."""
    provider = {key: value for key, value in config.items() if value is not None}
    clients = provider.get("clients") or []
    if not isinstance(clients, list) or not all(isinstance(client, dict) for client in clients):
        raise bad("Field name 'config' is invalid in JSON input")
    provider["clients"] = [{key: value for key, value in client.items() if value is not None} for client in clients]
    for name in (*_MAPS, "userInfoMap"):
        if not isinstance(provider.get(name, {}), dict):
            raise bad("Field name 'config' is invalid in JSON input")
    info = provider.get("userInfoMap", {})
    provider["userInfoMap"] = {name: info.get(name) or {} for name in ("fromIdTokenPayload", "fromUserInfoAPI")}
    return provider


def _problem(provider: Mapping[str, Any]) -> str | None:
    third_party_id: str = provider["thirdPartyId"]
    if not third_party_id:
        return "thirdPartyId cannot be null or empty"
    types: set[str] = set()
    for client in provider["clients"]:
        client_type = dump(client.get("clientType"))
        if client_type in types:
            return "Duplicate clientType was specified in the clients list."
        types.add(client_type)
        if client.get("clientId") is None:
            return "clientId cannot be null"
        scope = client.get("scope")
        if isinstance(scope, list) and None in scope:
            return "scope array cannot contain a null"
        more = client.get("additionalConfig") or {}
        if third_party_id.startswith("apple") and not all(_filled(more, key) for key in _APPLE_KEYS):
            return (
                "a non empty string value must be specified for keyId, teamId and privateKey in the additionalConfig "
                "for Apple provider"
            )
        if third_party_id.startswith("google-workspaces") and "hd" in more and not _filled(more, "hd"):
            return "hd in additionalConfig must be a non empty string value"
        if third_party_id.startswith("boxy-saml") and "boxyURL" in more and not _filled(more, "boxyURL"):
            return (
                "a non empty string value must be specified for boxyURL in the additionalConfig for Boxy SAML provider"
            )
    return None


def _filled(values: Mapping[str, Any], key: str) -> bool:
    return isinstance(values.get(key), str) and bool(values[key])


def remove(call: Call) -> dict[str, Any]:
    """``POST /recipe/multitenancy/config/thirdparty/remove``."""
    third_party_id = call.body.text("thirdPartyId").strip()
    here = call.here
    with call.write() as db:
        existed = tenantrows.remove_provider(db, here.app, here.tenant_id, third_party_id)
    return {"status": "OK", "didConfigExist": existed}


ENDPOINTS = (
    Endpoint("PUT", "/recipe/multitenancy/config/thirdparty", "tenant", put),
    Endpoint("POST", "/recipe/multitenancy/config/thirdparty/remove", "tenant", remove),
)
