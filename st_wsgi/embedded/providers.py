"""A tenant's third party providers (CDI 1.7; ``thirdparty/ThirdParty.java`` of the official core checks them)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import tenantrows
from .call import Call, Endpoint
from .database import Database
from .fields import Body, bad, dump

_MAPS = (
    "authorizationEndpointQueryParams",
    "tokenEndpointBodyParams",
    "userInfoEndpointQueryParams",
    "userInfoEndpointHeaders",
)
_TEXTS = ("name", "authorizationEndpoint", "tokenEndpoint", "userInfoEndpoint", "jwksURI", "oidcDiscoveryEndpoint")
_PROVIDER = {
    "thirdPartyId": str,
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys(_MAPS, dict),
    "clients": list,
    "requireEmail": bool,
    "userInfoMap": dict,
}
_CLIENT = {
    "clientType": str,
    "clientId": str,
    "clientSecret": str,
    "scope": list,
    "forcePKCE": bool,
    "additionalConfig": dict,
}
_USER_INFO = dict.fromkeys(("userId", "email", "emailVerified"), str)
_APPLE_KEYS = ("keyId", "teamId", "privateKey")


def put(call: Call) -> dict[str, Any]:
    """``PUT /recipe/multitenancy/config/thirdparty``: a provider of a tenant, new or in place of the one before."""
    config = Body(call.body.object("config"))
    third_party_id = config.text("thirdPartyId").strip()
    skip = call.body.flag_or_none("skipValidation") is True
    here = call.here
    provider = _normal({**config.values, "thirdPartyId": third_party_id})
    with call.write() as db:
        kept = tenantrows.providers(db, here.app, here.tenant_id)
        others = {one["thirdPartyId"]: one for one in kept}
        _refuse({**others, third_party_id: provider}.values() if not skip else [])
        _refuse_unusable(provider)
        created = tenantrows.save_provider(db, here.app, here.tenant_id, provider)
    return {"status": "OK", "createdNew": created}


def _picked(values: object, fields: Mapping[str, type], name: str = "config") -> dict[str, Any]:
    """Return the fields that are known and not null. :raises CallRefused: for a value of the wrong type."""
    if not isinstance(values, dict):
        raise bad(f"Field name '{name}' is invalid in JSON input")
    found = {field: values[field] for field in fields if values.get(field) is not None}
    for field, value in found.items():
        if not isinstance(value, fields[field]):
            raise bad(f"Field name '{field}' is invalid in JSON input")
    return found


def _normal(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provider without nulls, except in the maps where a null removes a parameter."""
    provider = _picked(config, _PROVIDER)
    provider["clients"] = [_picked(client, _CLIENT, "clients") for client in provider.get("clients", ())]
    info = provider.get("userInfoMap", {})
    provider["userInfoMap"] = {
        name: _picked(info.get(name) or {}, _USER_INFO, name) for name in ("fromIdTokenPayload", "fromUserInfoAPI")
    }
    return provider


def refuse_unsound(db: Database, app: int, tenant_id: str) -> None:
    """Refuse to change a tenant with a provider that cannot work, which was stored without validation."""
    _refuse(tenantrows.providers(db, app, tenant_id))


def _refuse(providers: Iterable[Mapping[str, Any]]) -> None:
    for provider in providers:
        problem = _problem(provider)
        if problem is not None:
            raise bad(f"Invalid third party config: {problem}")


def _refuse_unusable(provider: Mapping[str, Any]) -> None:
    """Refuse what the tables of the official core have no place for, whether validation is skipped or not."""
    types = [client.get("clientType") for client in provider["clients"]]
    if len(set(types)) < len(types):
        raise bad("Invalid third party config: Duplicate clientType was specified in the clients list.")
    for client in provider["clients"]:
        _refuse([{"thirdPartyId": "any", "clients": [client]}])


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
        refuse_unsound(db, here.app, here.tenant_id)
    return {"status": "OK", "didConfigExist": existed}


ENDPOINTS = (
    Endpoint("PUT", "/recipe/multitenancy/config/thirdparty", "tenant", put),
    Endpoint("POST", "/recipe/multitenancy/config/thirdparty/remove", "tenant", remove),
)
