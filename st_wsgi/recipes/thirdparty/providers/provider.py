"""A provider of one tenant and one client: what it is asked, and what its replies say of a user."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

import attrs

from st_verify import base64url

from ....checks import a, a_flag, a_function
from ....codec import present
from ....errors import BadInput, ConfigError, ProviderFailed
from ....recipe_kit.override import compose
from ....services import Services
from ....users import PUBLIC_TENANT
from ...multitenancy.types import ProviderConfig, ProviderConfigForClient, UserFields
from ...saml.functions import SamlFunctions
from ..types import AuthorisationRedirect, RawUserInfoFromProvider, RedirectUriInfo, UserInfo, UserInfoEmail
from . import quirks
from .calls import Calls
from .configuration import client_of, completed
from .oidc import OpenIdProviders
from .saml import SamlOfTenant
from .table import known_provider

_LONGEST_ID = 256  # characters that the core stores
_VERIFIER_BYTES = 64


@attrs.define
class _State:
    """What is known of a provider once its client is chosen. Copies that overrides make share it."""

    config: ProviderConfigForClient | None = None
    issuer: str | None = None
    own_tokens: set[str] = attrs.field(factory=set)


class Provider:
    """
    A provider, for one tenant. The methods are interface and default implementation; ``ProviderInput(override=...)``
    replaces them.

    Each request gets a new one: nothing of a tenant, a client or a user reaches another request.

    :ivar id: such as ``google``.
    :ivar tenant_id: that it is for.
    """

    id: str
    tenant_id: str

    def __init__(
        self, config: ProviderConfig, *, tenant_id: str, calls: Calls, openid: OpenIdProviders, services: Services
    ) -> None:
        self.id = config.third_party_id
        self.tenant_id = tenant_id
        self._whole = config
        self._known = known_provider(config.third_party_id)
        self._calls = calls
        self._openid = openid
        self._saml = SamlOfTenant(services, tenant_id) if self._known.is_saml else None
        self._state = _State()

    def __repr__(self) -> str:
        return f"<Provider {self.id!r} of tenant {self.tenant_id!r}>"

    @property
    def config(self) -> ProviderConfigForClient:
        """
        The configuration of the client that the request is for.

        :raises ConfigError: none has been chosen yet.
        """
        if self._state.config is None:
            raise ConfigError("the provider has no configuration before get_config_for_client_type has returned")
        return self._state.config

    def get_config_for_client_type(self, *, client_type: str | None) -> ProviderConfigForClient:
        """
        Return the configuration for one of the clients.

        :param client_type: None for the only one.
        :raises BadInput: there is no such client.
        :raises ProviderFailed: something that the provider needs is missing.
        """
        return completed(self._whole, client_of(self._whole, client_type), self._known)

    def get_authorisation_redirect_url(self, *, redirect_uri_on_provider_dashboard: str) -> AuthorisationRedirect:
        """
        Return the address of the provider's page on which a user signs in.

        :raises ProviderFailed: the provider has no such page.
        """
        config = self.config
        if self._saml is not None:
            return self._saml.page(config, redirect_uri_on_provider_dashboard)
        verifier = secrets.token_urlsafe(_VERIFIER_BYTES) if _has_pkce(config) else None
        params: dict[str, Any] = {
            "client_id": config.client_id,
            "redirect_uri": redirect_uri_on_provider_dashboard,
            "response_type": "code",
            "scope": None if config.scope is None else " ".join(config.scope),
        }
        if verifier is not None:
            digest = hashlib.sha256(verifier.encode()).digest()
            params |= {"code_challenge": base64url.encode(digest), "code_challenge_method": "S256"}
        params |= config.authorization_endpoint_query_params or {}
        address = self._calls.checked(_needed(config.authorization_endpoint, "authorization_endpoint"))
        kept = [(name, value) for name, value in parse_qsl(address.query) if name not in params]
        query = urlencode([*kept, *present(params).items()])
        return AuthorisationRedirect(
            url_with_query_params=address._replace(query=query).geturl(), pkce_code_verifier=verifier
        )

    def exchange_auth_code_for_oauth_tokens(self, *, redirect_uri_info: RedirectUriInfo) -> dict[str, Any]:
        """
        Return the tokens for the code that a browser brought back.

        :raises BadInput: there is no code, or no PKCE verifier with a client that uses PKCE.
        :raises ProviderFailed: the provider did not take it.
        """
        config, params = self.config, redirect_uri_info.redirect_uri_query_params
        code, verifier = params.get("code"), redirect_uri_info.pkce_code_verifier
        if not isinstance(code, str) or not code:
            raise BadInput("redirectURIQueryParams has no code")
        if self._saml is not None:
            return {"access_token": code}
        if verifier is None and _has_pkce(config):
            raise BadInput("pkceCodeVerifier is missing: another browser may have got the code")
        form = {
            "client_id": config.client_id,
            "redirect_uri": redirect_uri_info.redirect_uri_on_provider_dashboard,
            "code": code,
            "grant_type": "authorization_code",
            "client_secret": None if self._known.has_basic_authorization else config.client_secret,
            "code_verifier": verifier,
            **(config.token_endpoint_body_params or {}),
        }
        headers = {}
        if self._known.has_basic_authorization:
            headers["Authorization"] = quirks.basic_authorization(config.client_id, config.client_secret)
        url = _needed(config.token_endpoint, "token_endpoint")
        tokens = self._calls.post(url, form=form, headers=headers).object()
        user = quirks.apple_user(params) if self._known.sends_user_once else None
        tokens |= {} if user is None else {"user": user}
        self._vouch_for(tokens)
        return tokens

    def get_user_info(self, *, oauth_tokens: dict[str, Any]) -> UserInfo:
        """
        Return who the user of these tokens is.

        An access token that the app did not get for a code itself must have been issued to one of its clients.

        :raises ProviderFailed: the tokens do not say, or are not for this app.
        """
        config = self.config
        access_token, id_token = _token(oauth_tokens, "access_token"), _token(oauth_tokens, "id_token")
        if self._saml is not None:
            user = self._saml.user(config, _needed(access_token, "access_token"))
            return attrs.evolve(user, third_party_user_id=_user_id(user.third_party_user_id))
        claims: dict[str, Any] = {}
        info: dict[str, Any] = {}
        if id_token is not None and config.jwks_uri is not None:
            claims = self._openid.claims_of(
                id_token, jwks_uri=config.jwks_uri, issuer=self._state.issuer, client_ids=self._client_ids()
            )
            if config.validate_id_token_payload is not None:
                config.validate_id_token_payload(claims, config)
        if access_token is not None:
            is_checked = self._is_ours(access_token)
            if not (is_checked or claims):
                raise ProviderFailed(
                    "an access token may be of another app: send an id token with it, or set validate_access_token"
                )
            if config.user_info_endpoint is not None:
                info = self._known.user_info(self._calls, config, access_token)
                if claims and (not is_checked or "sub" in info) and info.get("sub") != claims["sub"]:
                    raise ProviderFailed("the id token and the user info are of two users")
        if self._known.sends_user_once and isinstance(oauth_tokens.get("user"), dict):
            claims = {**claims, "user": oauth_tokens["user"]} if claims else claims
        raw = RawUserInfoFromProvider(from_id_token_payload=claims, from_user_info_api=info)
        self._known.check_user(config, raw)
        return _read(config, raw)

    def _choose(self, *, client_type: str | None) -> None:
        """
        Choose a client, and complete its configuration with what the provider's discovery document says.

        :raises BadInput: there is no such client.
        :raises ProviderFailed: the document cannot be read.
        """
        config = self.get_config_for_client_type(client_type=client_type)
        a(ProviderConfigForClient).argument("the outcome of get_config_for_client_type", config, shown=False)
        if config.oidc_discovery_endpoint is not None:
            found = self._openid.discover(config.oidc_discovery_endpoint)
            self._state.issuer = found.issuer
            config = attrs.evolve(
                config,
                authorization_endpoint=config.authorization_endpoint or found.authorization_endpoint,
                token_endpoint=config.token_endpoint or found.token_endpoint,
                user_info_endpoint=config.user_info_endpoint or found.userinfo_endpoint,
                jwks_uri=config.jwks_uri or found.jwks_uri,
            )
        self._state.config = config

    def _vouch_for(self, oauth_tokens: Mapping[str, Any]) -> None:
        """Note that the app got these tokens for a code by itself, so that they were issued to it."""
        token = oauth_tokens.get("access_token")
        if isinstance(token, str):
            self._state.own_tokens.add(token)

    def _client_ids(self) -> set[str]:
        return {self.config.client_id, *(client.client_id for client in self._whole.clients)}

    def _is_ours(self, access_token: str) -> bool:
        """Return whether an access token is known to be issued to this app."""
        config = self.config
        if config.validate_access_token is not None:
            config.validate_access_token(access_token, config)
            return True
        if access_token in self._state.own_tokens:
            return True
        if self._known.check_token is None:
            return False
        self._known.check_token(self._calls, config, access_token, self._client_ids())
        return True

    def _check(self) -> None:
        """
        Check the configuration of each client, unless an override makes it.

        :raises ConfigError: something is missing that no request can bring.
        """
        if self._saml is not None:
            self._saml.services.functions(SamlFunctions)
        if self._saml is not None or "get_config_for_client_type" in vars(self):
            return
        for client in self._whole.clients:
            try:
                config = completed(self._whole, client, self._known)
            except ProviderFailed as failure:
                raise ConfigError(f"the provider {self.id}: {failure}") from None
            has_endpoints = config.authorization_endpoint is not None and config.token_endpoint is not None
            if config.oidc_discovery_endpoint is None and not has_endpoints:
                named = f"{self._known.address_name} in additional_config"
                generic = "oidc_discovery_endpoint, or authorization_endpoint and token_endpoint"
                raise ConfigError(f"{self.id} needs {named if self._known.address_name else generic}")


ProviderOverride: TypeAlias = Callable[[Provider], Provider]
"""From a provider to one with other methods: ``replace(original, get_user_info=...)``."""


@attrs.frozen(kw_only=True)
class ProviderInput:
    """
    A provider that the app has.

    ::

        ProviderInput(
            config=ProviderConfig(
                third_party_id="github",
                clients=[ProviderClientConfig(client_id="1234", client_secret="from-your-secrets")],
            )
        )

    :param config: its addresses, and the app's clients there.
    :param include_in_non_public_tenants_by_default: other tenants than ``public`` have it too, as long as they have no
        providers of their own in the core.
    :param override: replaces methods of the provider.
    """

    config: ProviderConfig = attrs.field(validator=a(ProviderConfig))
    include_in_non_public_tenants_by_default: bool = attrs.field(default=False, validator=a_flag())
    override: ProviderOverride | None = attrs.field(default=None, validator=a_function("a provider"))

    def check(self, *, calls: Calls, openid: OpenIdProviders, services: Services) -> None:
        """
        Try the configuration and the override, so that errors show at the start.

        :raises ConfigError: one of them is not usable.
        """
        self.provider(tenant_id=PUBLIC_TENANT, calls=calls, openid=openid, services=services)._check()

    def provider(self, *, tenant_id: str, calls: Calls, openid: OpenIdProviders, services: Services) -> Provider:
        """Return a new provider, with the override."""
        provider = Provider(self.config, tenant_id=tenant_id, calls=calls, openid=openid, services=services)
        return compose(provider, () if self.override is None else (self.override,))


def _has_pkce(config: ProviderConfigForClient) -> bool:
    return not config.client_secret or bool(config.force_pkce)


def _needed(address: str | None, name: str) -> str:
    if address is None:
        raise ProviderFailed(f"the provider has no {name}: set it, or oidc_discovery_endpoint")
    return address


def _token(tokens: Mapping[str, Any], name: str) -> str | None:
    token = tokens.get(name)
    if token is not None and (not isinstance(token, str) or not token):
        raise ProviderFailed(f"the {name} is no text")
    return token


def _read(config: ProviderConfigForClient, raw: RawUserInfoFromProvider) -> UserInfo:
    """Return the user from both sources. The id token comes first, since its signature was verified."""
    fields = config.user_info_map
    if fields is None:
        raise ProviderFailed("the configuration has no user_info_map")
    sources: list[tuple[dict[str, Any], UserFields]] = [
        (raw.from_id_token_payload, fields.from_id_token_payload),
        (raw.from_user_info_api, fields.from_user_info_api),
    ]
    user_id = next((told for source, names in sources if (told := _member(source, names.user_id)) is not None), None)
    emails = [(told, source, names) for source, names in sources if (told := _member(source, names.email))]
    email = emails[0][0] if emails else None
    if email is not None and not isinstance(email, str):
        raise ProviderFailed("the e-mail address is no text")
    # An address is verified only by a source that has this very address.
    is_verified = any(_member(source, names.email_verified) is True for told, source, names in emails if told == email)
    return UserInfo(
        third_party_user_id=_user_id(user_id),
        email=None if email is None else UserInfoEmail(id=email, is_verified=is_verified),
        raw_user_info_from_provider=raw,
    )


def _user_id(told: object) -> str:
    text = str(told) if type(told) is int else told
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_ID:
        raise ProviderFailed("the id of the user is missing, or neither a text nor a whole number")
    return text


def _member(source: object, path: str | None) -> Any:
    """Return a member by its name, or by several with dots between them."""
    for name in (path or "").split("."):
        source = source.get(name) if isinstance(source, dict) else None
    return source
