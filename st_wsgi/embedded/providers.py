"""A tenant's third party providers (CDI 1.7; ``thirdparty/ThirdParty.java`` of the official core checks them)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import tenantrows
from .call import Call, Endpoint
from .fields import Body, CallRefused, bad, trimmed
from .storage.database import Database

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
    third_party_id = trimmed(config.text("thirdPartyId"))
    skip = call.body.flag_or_none("skipValidation") is True
    here = call.here
    provider = _normal({**config.values, "thirdPartyId": third_party_id})
    kept = {one["thirdPartyId"]: one for one in tenantrows.providers(call.db, here.app, here.tenant_id)}
    # What the tables of the official core have no place for is refused in any case.
    unusable = {**provider, "thirdPartyId": "any"}
    for one in [unusable] if skip else {**kept, third_party_id: provider}.values():
        _check(one)
    created = tenantrows.save_provider(call.db, here.app, here.tenant_id, provider)
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
    for provider in tenantrows.providers(db, app, tenant_id):
        _check(provider)


def _invalid(problem: str) -> CallRefused:
    return bad(f"Invalid third party config: {problem}")


def _check(provider: Mapping[str, Any]) -> None:
    if not provider["thirdPartyId"]:
        raise _invalid("thirdPartyId cannot be null or empty")
    types = set()
    for client in provider["clients"]:
        if client.get("clientType") in types:
            raise _invalid("Duplicate clientType was specified in the clients list.")
        types.add(client.get("clientType"))
        _check_client(provider["thirdPartyId"], client)


def _check_client(third_party_id: str, client: Mapping[str, Any]) -> None:
    if client.get("clientId") is None:
        raise _invalid("clientId cannot be null")
    if None in (client.get("scope") or ()):
        raise _invalid("scope array cannot contain a null")
    more = client.get("additionalConfig") or {}
    if third_party_id.startswith("apple") and not all(_filled(more, key) for key in _APPLE_KEYS):
        raise _invalid(
            "a non empty string value must be specified for keyId, teamId and privateKey in the additionalConfig "
            "for Apple provider"
        )
    if third_party_id.startswith("google-workspaces") and "hd" in more and not _filled(more, "hd"):
        raise _invalid("hd in additionalConfig must be a non empty string value")
    if third_party_id.startswith("boxy-saml") and "boxyURL" in more and not _filled(more, "boxyURL"):
        raise _invalid(
            "a non empty string value must be specified for boxyURL in the additionalConfig for Boxy SAML provider"
        )


def _filled(values: Mapping[str, Any], key: str) -> bool:
    return isinstance(values.get(key), str) and bool(values[key])


def remove(call: Call) -> dict[str, Any]:
    """``POST /recipe/multitenancy/config/thirdparty/remove``."""
    third_party_id = trimmed(call.body.text("thirdPartyId"))
    here = call.here
    existed = tenantrows.remove_provider(call.db, here.app, here.tenant_id, third_party_id)
    refuse_unsound(call.db, here.app, here.tenant_id)
    return {"status": "OK", "didConfigExist": existed}


ENDPOINTS = (
    Endpoint("PUT", "/recipe/multitenancy/config/thirdparty", "tenant", put),
    Endpoint("POST", "/recipe/multitenancy/config/thirdparty/remove", "tenant", remove),
)
