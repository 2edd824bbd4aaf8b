"""The multitenancy recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...errors import NO_SUCH_TENANT, BadInput, ConfigError
from ...grammar import TENANT_ID
from ...recipe_kit.recipe import Recipe, Requires
from ...request.context import RequestContext
from ...services import Services
from ..session import Session
from .apis import MultitenancyAPIs
from .claims import AllowedDomainsClaim
from .functions import MultitenancyFunctions
from .routes import ROUTES
from .settings import MultitenancySettings


@attrs.define(kw_only=True, eq=False, slots=False)
class Multitenancy(MultitenancySettings, Recipe[MultitenancyFunctions, MultitenancyAPIs]):
    """
    Tenants: groups of users with first factors, providers and settings of the core of their own.

    Every app with a way to sign in has it with its defaults.

    :param get_allowed_domains_for_tenant_id: returns the domains that the users of a tenant may use, which sessions
        then name in the claim ``st-t-dmns``.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = "multitenancy"
    requires: ClassVar[Requires] = (Session,)
    routes = ROUTES

    def bind(self, services: Services) -> None:
        super().bind(services)
        if self.get_allowed_domains_for_tenant_id is not None:
            services.get(Session).add_claim(AllowedDomainsClaim)

    def tenant_of(self, context: RequestContext) -> str:
        """
        Return the tenant of a request for one of our routes.

        :raises BadInput: it is not the id of a tenant.
        :raises ConfigError: an override returned no text.
        """
        tenant_id = self.functions.get_tenant_id(tenant_id_from_frontend=context.tenant_id, context=context)
        if not isinstance(tenant_id, str):
            raise ConfigError(f"get_tenant_id must return the id of a tenant, not {tenant_id!r}")
        if not TENANT_ID.fullmatch(tenant_id):  # the client may have chosen the text, such as a sub-domain
            raise BadInput(NO_SUCH_TENANT)
        return tenant_id
