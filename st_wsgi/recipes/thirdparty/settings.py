"""The settings of the thirdparty recipe, and what follows from them: a tenant's providers, and addresses of ours."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator

import attrs

from ...checks import a_flag, a_function, a_list, above_zero
from ...errors import BadInput, ConfigError, ProviderFailed
from ...recipe_kit.recipe import Settings
from ...services import Services
from ...users import PUBLIC_TENANT
from ..multitenancy.types import LoginProvider, ProviderConfig, TenantConfig
from .providers.calls import Calls
from .providers.configuration import merged
from .providers.oidc import OpenIdProviders
from .providers.provider import Provider, ProviderInput
from .redirects import origin_of
from .types import IsValidFrontendRedirectUri

_log = logging.getLogger("st_wsgi.thirdparty")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def _inputs(values: Iterable[ProviderInput]) -> tuple[ProviderInput, ...]:
    a_list("ProviderInput(...)", kind=ProviderInput).argument("providers", values, shown=False)
    inputs = tuple(values)
    for config in (one.config for one in inputs):
        if not config.third_party_id:
            raise ConfigError("third_party_id must not be empty")
        if sum(one.config.third_party_id == config.third_party_id for one in inputs) > 1:
            raise ConfigError(f"two providers have the id {config.third_party_id!r}")
        if not all(client.client_id.strip() for client in config.clients):
            raise ConfigError(f"the client_id of {config.third_party_id} must not be empty")
        if len({client.client_type for client in config.clients}) != len(config.clients):
            raise ConfigError(f"the clients of {config.third_party_id} need a client_type each, and different ones")
    return inputs


def _uris(values: Iterable[str]) -> tuple[str, ...]:
    a_list('texts such as "com.example.app://callback"', kind=str).argument("redirect_uris", values)
    for uri in values:
        if uri and not _SCHEME.match(uri):
            raise ConfigError(f"redirect_uris must be addresses such as com.example.app://callback, not {uri!r}")
    return tuple(values)


@attrs.define(kw_only=True, eq=False, slots=False)
class ThirdPartySettings(Settings):
    """
    The settings of the recipe, for its functions and APIs.

    :ivar calls: calls providers.
    :ivar openid: discovery documents and keys of providers.
    """

    providers: tuple[ProviderInput, ...] = attrs.field(default=(), converter=_inputs)
    redirect_uris: tuple[str, ...] = attrs.field(default=(), converter=_uris)
    is_valid_frontend_redirect_uri: IsValidFrontendRedirectUri | None = attrs.field(
        default=None, validator=a_function("an address")
    )
    allow_private_networks: bool = attrs.field(default=False, validator=a_flag())
    timeout: float = attrs.field(default=10, validator=above_zero())
    calls: Calls = attrs.field(init=False, repr=False)
    openid: OpenIdProviders = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        super().bind(services)
        self.calls = Calls(allow_private_networks=self.allow_private_networks, timeout=self.timeout)
        self.openid = OpenIdProviders(self.calls)
        for one in self.providers:
            one.check(calls=self.calls, openid=self.openid, services=services)
            if not one.config.clients:
                _log.warning("the provider %s has no clients: only tenants can use it", one.config.third_party_id)

    def providers_of(self, tenant: TenantConfig) -> Iterator[Provider]:
        """
        Return the providers of a tenant, none of them with a client chosen.

        These are the tenant's own providers in the core, each completed by the app's provider of the same id. A tenant
        without any has the app's providers that are for all tenants.
        """
        for one in self._inputs_of(tenant):
            yield one.provider(tenant_id=tenant.tenant_id, calls=self.calls, openid=self.openid, services=self.services)

    def _inputs_of(self, tenant: TenantConfig) -> Iterator[ProviderInput]:
        if not tenant.third_party_providers:
            for one in self.providers:
                if tenant.tenant_id == PUBLIC_TENANT or one.include_in_non_public_tenants_by_default:
                    yield one
        by_id = {one.config.third_party_id: one for one in self.providers}
        for config in tenant.third_party_providers:
            static = by_id.get(config.third_party_id, ProviderInput(config=ProviderConfig(third_party_id="")))
            yield attrs.evolve(static, config=merged(static.config, config))

    def login_providers(self, tenant: TenantConfig, client_type: str | None) -> Iterator[LoginProvider]:
        """Return the providers for the sign-in page of a tenant: those that have a client of this type."""
        for provider in self.providers_of(tenant):
            try:
                config = provider.get_config_for_client_type(client_type=client_type)
            except (BadInput, ProviderFailed):
                continue
            yield LoginProvider(id=provider.id, name=config.name)

    def check_redirect_uri(self, uri: str) -> str:
        """
        Return the address that a provider sends browsers to, if it is the website's, the API's, or one of the settings.

        :raises BadInput: it is another one (FDI, rule F-25).
        """
        app_info = self.services.app_info
        ours = {*app_info.possible_origins, app_info.api_domain}
        if uri not in self.redirect_uris and origin_of(uri) not in ours:
            raise BadInput(
                "redirectURIOnProviderDashboard is not an address of this app; see the setting redirect_uris"
            )
        return uri

    def check_frontend(self, url: str) -> None:
        """
        Check that an address may get what Apple's form has.

        :param url: in the form that browsers are sent to.
        :raises BadInput: it is not on the website, nor what the app's own rule accepts (FDI, rule F-20).
        """
        rule = self.is_valid_frontend_redirect_uri
        is_ours = origin_of(url) in self.services.app_info.possible_origins if rule is None else rule(url) is True
        if not is_ours:
            raise BadInput("frontendRedirectURI is not an address of this app")
