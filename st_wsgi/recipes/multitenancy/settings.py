"""The settings of the multitenancy recipe, and with which factors a user of a tenant may begin to sign in."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ...checks import a_function
from ...recipe_kit.recipe import Settings
from .types import FACTORS, GetAllowedDomainsForTenantId, ProvidersOfTenant, TenantConfig


@attrs.define(kw_only=True, eq=False, slots=False)
class MultitenancySettings(Settings):
    """
    The settings of the recipe, for its functions and APIs.

    :ivar available_first_factors: those of the app's recipes. Each of them adds its own when it is bound.
    :ivar static_first_factors: those that the multifactorauth recipe chooses among them; None for all.
    :ivar providers_of_tenant: set by the thirdparty recipe, None without it.
    """

    get_allowed_domains_for_tenant_id: GetAllowedDomainsForTenantId | None = attrs.field(
        default=None, validator=a_function("a tenant")
    )
    available_first_factors: tuple[str, ...] = attrs.field(init=False, repr=False, default=())
    static_first_factors: tuple[str, ...] | None = attrs.field(init=False, repr=False, default=None)
    providers_of_tenant: ProvidersOfTenant | None = attrs.field(init=False, repr=False, default=None)

    def add_first_factors(self, factors: Iterable[str]) -> None:
        """Make factors available. Recipes do so when they are bound."""
        self.available_first_factors = tuple(dict.fromkeys([*self.available_first_factors, *factors]))

    def first_factors_of(self, tenant: TenantConfig) -> tuple[str, ...]:
        """
        Return the factors with which the users of a tenant may begin to sign in.

        Those that the core has for the tenant count, even if there are none (FDI, rule F-07), else those of the app. A
        factor of SuperTokens needs a recipe that has it.
        """
        chosen = tenant.first_factors if tenant.first_factors is not None else self.static_first_factors
        if chosen is None:
            return self.available_first_factors
        return tuple(factor for factor in chosen if factor in self.available_first_factors or factor not in FACTORS)
