"""
Special cases of single providers. The table of providers says which of these functions are for whom.

Further addresses are derived from those of the configuration, so that self-hosted providers work too.
"""

from __future__ import annotations

import base64
import functools
import json
import time
from collections.abc import Collection, Mapping
from typing import Any

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ....errors import ProviderFailed
from ...multitenancy.types import ProviderConfigForClient
from ..types import RawUserInfoFromProvider
from .calls import Calls, ProviderReply

_DAY = 86_400
_APPLE_SECRET_DAYS = 180  # Apple allows six months
_FACEBOOK_FIELDS = {
    "public_profile": ["first_name", "last_name", "middle_name", "name", "name_format", "picture", "short_name"],
    "email": ["id", "email"],
}


def user_info(calls: Calls, config: ProviderConfigForClient, access_token: str) -> dict[str, Any]:
    """Ask the user-info endpoint, as OpenID Connect Core 1.0, section 5.3, has it."""
    return _get(calls, config, str(config.user_info_endpoint), access_token).object()


def facebook_user_info(calls: Calls, config: ProviderConfigForClient, access_token: str) -> dict[str, Any]:
    """
    Facebook takes the token in the query, and says nothing that was not asked for.

    A scope such as ``user_birthday`` stands for the field ``birthday``.
    """
    fields = [
        field
        for scope in config.scope or ("email",)
        for field in _FACEBOOK_FIELDS.get(scope, [scope.removeprefix("user_")] if scope.startswith("user_") else [])
    ]
    query = {"access_token": access_token, "fields": ",".join(dict.fromkeys(["id", *fields])), "format": "json"}
    query |= config.user_info_endpoint_query_params or {}
    headers = {"Authorization": None, **(config.user_info_endpoint_headers or {})}
    return calls.get(str(config.user_info_endpoint), query=query, headers=headers).object()


def github_user_info(calls: Calls, config: ProviderConfigForClient, access_token: str) -> dict[str, Any]:
    """GitHub lists e-mail addresses at another address; the one in the profile need not be verified."""
    info = user_info(calls, config, access_token)
    addresses = _get(calls, config, f"{config.user_info_endpoint}/emails", access_token)
    return {**info, **_primary(addresses, addresses.json() if addresses.status == 200 else None, "primary")}


def bitbucket_user_info(calls: Calls, config: ProviderConfigForClient, access_token: str) -> dict[str, Any]:
    """Bitbucket lists e-mail addresses at another address."""
    info = user_info(calls, config, access_token)
    addresses = _get(calls, config, f"{config.user_info_endpoint}/emails", access_token)
    return {**info, **_primary(addresses, addresses.object().get("values"), "is_primary")}


def _get(calls: Calls, config: ProviderConfigForClient, url: str, access_token: str) -> ProviderReply:
    headers = {**_bearer(access_token), **(config.user_info_endpoint_headers or {})}
    return calls.get(url, query=config.user_info_endpoint_query_params, headers=headers)


def _bearer(access_token: str) -> dict[str, Any]:
    return {"Authorization": f"Bearer {access_token}"}


def _primary(reply: ProviderReply, addresses: object, mark: str) -> dict[str, Any]:
    if not isinstance(addresses, list):
        raise ProviderFailed(f"{reply.source} replied {reply.status} without a list of e-mail addresses")
    primary = (one for one in addresses if isinstance(one, dict) and one.get(mark) is True)
    return {"emails": addresses, "primary_email": next(primary, None)}


def check_google_token(
    calls: Calls, config: ProviderConfigForClient, access_token: str, client_ids: Collection[str]
) -> None:
    """https://developers.google.com/identity/protocols/oauth2/openid-connect, tokeninfo"""
    url = f"{_before(config.token_endpoint, '/token')}/tokeninfo"
    told = calls.get(url, query={"access_token": access_token}).object()
    _require(_is_among(told.get("aud"), client_ids) or _is_among(told.get("azp"), client_ids))


def check_facebook_token(
    calls: Calls, config: ProviderConfigForClient, access_token: str, client_ids: Collection[str]
) -> None:
    """https://developers.facebook.com/docs/facebook-login/guides/access-tokens/debugging"""
    if not config.client_secret:
        raise ProviderFailed("Facebook needs the client_secret to tell which app a token was issued to")
    url = f"{_before(config.user_info_endpoint, '/me')}/debug_token"
    query = {"input_token": access_token, "access_token": f"{config.client_id}|{config.client_secret}"}
    told = calls.get(url, query=query).object().get("data")
    told = told if isinstance(told, dict) else {}
    _require(told.get("is_valid") is True and _is_among(told.get("app_id"), client_ids))


def check_github_token(
    calls: Calls, config: ProviderConfigForClient, access_token: str, client_ids: Collection[str]
) -> None:
    """https://docs.github.com/en/rest/apps/oauth-applications#check-a-token"""
    if not config.client_secret:
        raise ProviderFailed("GitHub needs the client_secret to tell which app a token was issued to")
    url = f"{_before(config.user_info_endpoint, '/user')}/applications/{config.client_id}/token"
    headers = {"Authorization": basic_authorization(config.client_id, config.client_secret)}
    reply = calls.post(url, json_body={"access_token": access_token}, headers=headers)
    if reply.status in (401, 403):
        raise ProviderFailed(f"{reply.source} replied {reply.status}: check client_id and client_secret")
    app = reply.object().get("app")
    _require(isinstance(app, dict) and app.get("client_id") == config.client_id)


def check_gitlab_token(
    calls: Calls, config: ProviderConfigForClient, access_token: str, client_ids: Collection[str]
) -> None:
    """https://docs.gitlab.com/api/oauth2/#retrieve-the-token-information"""
    _check_application(calls.get(f"{config.token_endpoint}/info", headers=_bearer(access_token)), "uid", client_ids)


def check_discord_token(
    calls: Calls, config: ProviderConfigForClient, access_token: str, client_ids: Collection[str]
) -> None:
    """https://discord.com/developers/docs/topics/oauth2#get-current-authorization-information"""
    url = f"{_before(config.user_info_endpoint, '/users/@me')}/oauth2/@me"
    _check_application(calls.get(url, headers=_bearer(access_token)), "id", client_ids)


def _check_application(reply: ProviderReply, name: str, client_ids: Collection[str]) -> None:
    application = reply.object().get("application")
    _require(isinstance(application, dict) and _is_among(application.get(name), client_ids))


def _is_among(told: object, client_ids: Collection[str]) -> bool:
    """Return whether an id is one of ours; it may be a number."""
    return (str(told) if type(told) is int else told) in tuple(client_ids)


def _before(endpoint: str | None, end: str) -> str:
    return (endpoint or "").removesuffix(end)


def _require(is_ours: bool) -> None:
    if not is_ours:
        raise ProviderFailed("the access token was not issued to this app")


def check_hosted_domain(config: ProviderConfigForClient, raw: RawUserInfoFromProvider) -> None:
    """Refuse users of other Google Workspaces than the one that is configured."""
    wanted = hosted_domain(config)
    told = raw.from_id_token_payload or raw.from_user_info_api
    if wanted != "*" and told.get("hd") != wanted:
        raise ProviderFailed("the user belongs to another Google Workspace than hd in additional_config")


def hosted_domain(config: ProviderConfigForClient) -> str:
    """Return the domain whose users may sign in; ``*`` for every account, also those that belong to no Workspace."""
    return str((config.additional_config or {}).get("hd", "*"))


def with_hosted_domain(config: ProviderConfigForClient) -> ProviderConfigForClient:
    """Have Google's page offer only accounts of the domain."""
    params = {"hd": hosted_domain(config), **(config.authorization_endpoint_query_params or {})}
    return attrs.evolve(config, authorization_endpoint_query_params=params)


def with_apple_secret(config: ProviderConfigForClient) -> ProviderConfigForClient:
    """
    Make the client secret out of Apple's key, unless one is set.

    https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
    """
    if config.client_secret:
        return config
    given = config.additional_config or {}
    key_id, team_id, private_key = (given.get(name) for name in ("keyId", "teamId", "privateKey"))
    if not (isinstance(key_id, str) and isinstance(team_id, str) and isinstance(private_key, str)):
        raise ProviderFailed("Apple needs the texts keyId, teamId and privateKey in additional_config")
    half = int(time.time()) // (_DAY * _APPLE_SECRET_DAYS // 2)
    return attrs.evolve(config, client_secret=_apple_secret(config.client_id, key_id, team_id, private_key, half))


@functools.lru_cache(maxsize=256)
def _apple_secret(client_id: str, key_id: str, team_id: str, private_key: str, _half: int) -> str:
    """Sign a secret. It is used for half of its life: the last argument changes then."""
    try:
        key = load_pem_private_key(private_key.replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ProviderFailed(
            "privateKey in additional_config is no key of Apple: it must be a PEM text that begins with "
            "-----BEGIN PRIVATE KEY-----"
        )
    from jwt import encode  # of all providers, Apple alone needs it

    now = int(time.time())
    claims = {
        "iss": team_id,
        "iat": now,
        "exp": now + _DAY * _APPLE_SECRET_DAYS,
        "aud": "https://appleid.apple.com",
        "sub": client_id,
    }
    return encode(claims, key, algorithm="ES256", headers={"kid": key_id})


def basic_authorization(client_id: str, client_secret: str | None) -> str:
    """Return the Authorization header of a client, for HTTP Basic."""
    return "Basic " + base64.b64encode(f"{client_id}:{client_secret or ''}".encode()).decode()


def apple_user(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the name that Apple tells with the first sign-in of a user, and never again."""
    user = params.get("user")
    try:
        user = json.loads(user) if isinstance(user, str) else user
    except (ValueError, RecursionError):
        return None
    return user if isinstance(user, dict) else None
