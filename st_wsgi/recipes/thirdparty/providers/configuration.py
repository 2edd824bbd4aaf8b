"""Configurations of a provider, put together: what is known of it, what the app says, and what the tenant says."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import attrs

from ....errors import BadInput, ProviderFailed
from ...multitenancy.types import ProviderClientConfig, ProviderConfig, ProviderConfigForClient, UserFields, UserInfoMap
from .table import WELL_KNOWN, KnownProvider

_MAP = "user_info_map"


def merged(lower: ProviderConfig, upper: ProviderConfig) -> ProviderConfig:
    """
    Return a new configuration that has each field of *upper*, and where that has none, of *lower*.

    A client of *upper* takes the place of one of the same type.
    """
    values = _merged_values(lower, upper)
    if lower.user_info_map is not None and upper.user_info_map is not None:
        kinds = (field.name for field in attrs.fields(UserInfoMap))
        fields = {
            kind: UserFields(**_merged_values(getattr(lower.user_info_map, kind), getattr(upper.user_info_map, kind)))
            for kind in kinds
        }
        values[_MAP] = UserInfoMap(**fields)
    clients = {client.client_type: client for client in (*lower.clients, *upper.clients)}
    return ProviderConfig(**{**values, "clients": tuple(clients.values())})


def _merged_values(lower: Any, upper: Any) -> dict[str, Any]:
    names = [field.name for field in attrs.fields(type(lower))]
    return {name: getattr(lower if getattr(upper, name) is None else upper, name) for name in names}


def client_of(config: ProviderConfig, client_type: str | None) -> ProviderClientConfig:
    """
    Return the client of a type; without a type the only one.

    :raises BadInput: there is none, or there are several.
    """
    if client_type is None:
        if len(config.clients) != 1:
            raise BadInput("please give the clientType: the provider does not have exactly one client")
        return config.clients[0]
    client = next((client for client in config.clients if client.client_type == client_type), None)
    if client is None:
        raise BadInput("the provider has no client of this clientType")
    return client


def completed(config: ProviderConfig, client: ProviderClientConfig, known: KnownProvider) -> ProviderConfigForClient:
    """
    Return a configuration for one client, with what is known of the provider.

    :raises ProviderFailed: something is missing.
    """
    whole = merged(known.config, config)
    params = {
        **(known.config.authorization_endpoint_query_params or {}),
        **(config.authorization_endpoint_query_params or {}),
    }
    values = {
        **{field.name: getattr(whole, field.name) for field in attrs.fields(ProviderConfig)},
        **{field.name: getattr(client, field.name) for field in attrs.fields(ProviderClientConfig)},
        "authorization_endpoint_query_params": params,
        "scope": known.scope if client.scope is None else client.scope,
        "force_pkce": known.force_pkce if client.force_pkce is None else client.force_pkce,
    }
    values |= {
        name: address
        for name, address in _addresses(client, known).items()
        if values[name] is None or name == "oidc_discovery_endpoint"
    }
    document = values["oidc_discovery_endpoint"]
    if document is not None and known.config.name is not None and not document.endswith(WELL_KNOWN):
        values["oidc_discovery_endpoint"] = document.rstrip("/") + WELL_KNOWN
    return known.prepare(ProviderConfigForClient(**values))


def _addresses(client: ProviderClientConfig, known: KnownProvider) -> dict[str, str]:
    place = (client.additional_config or {}).get(known.address_name)
    if place is None:
        return {}
    if not isinstance(place, str) or not place:
        raise ProviderFailed(f"{known.address_name} in additional_config must be a text")
    with_scheme = (place if "://" in place else f"https://{place}").rstrip("/")
    return {
        name: template.format(with_scheme if template.startswith("{}") else quote(place, safe=""))
        for name, template in known.addresses.items()
    }
