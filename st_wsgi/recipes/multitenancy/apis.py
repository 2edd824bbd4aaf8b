"""The API behind the multitenancy route: interface and default implementation."""

from __future__ import annotations

from ...errors import NO_SUCH_TENANT, BadInput
from ...recipe_kit.recipe import APIs
from ...recipe_kit.results import GeneralError
from ...request.context import RequestContext
from .functions import MultitenancyFunctions
from .settings import MultitenancySettings
from .types import (
    EMAIL_PASSWORD,
    PASSWORDLESS_FACTORS,
    THIRD_PARTY,
    WEBAUTHN,
    LoginMethodEnabled,
    LoginMethods,
    ThirdPartyEnabled,
)


class MultitenancyAPIs(APIs[MultitenancySettings, MultitenancyFunctions]):
    """The API of the multitenancy recipe. An override may be None, which switches the route off."""

    def login_methods_get(
        self, *, tenant_id: str, client_type: str | None, context: RequestContext
    ) -> LoginMethods | GeneralError:
        """
        Return how the users of a tenant sign in.

        :param client_type: leaves out the providers that have no client of this type.
        :raises BadInput: the tenant does not exist.
        """
        tenant = self.functions.get_tenant(tenant_id=tenant_id)
        if tenant is None:
            raise BadInput(NO_SUCH_TENANT)
        factors = self.recipe.first_factors_of(tenant)
        providers_of = self.recipe.providers_of_tenant
        providers = () if providers_of is None else tuple(providers_of(tenant, client_type))
        return LoginMethods(
            email_password=LoginMethodEnabled(EMAIL_PASSWORD in factors),
            passwordless=LoginMethodEnabled(not PASSWORDLESS_FACTORS.isdisjoint(factors)),
            third_party=ThirdPartyEnabled(enabled=THIRD_PARTY in factors, providers=providers),
            webauthn=LoginMethodEnabled(WEBAUTHN in factors),
            first_factors=factors,
        )
