"""The functions of the multitenancy recipe: interface and default implementation."""

from __future__ import annotations

from typing import Any

from ...codec import to_json
from ...errors import ArgumentError
from ...grammar import TENANT_ID
from ...recipe_kit.recipe import Functions
from ...recipe_kit.results import EmailAlreadyExists, PhoneNumberAlreadyExists, UnknownUserId
from ...request.context import RequestContext
from ...users import PUBLIC_TENANT, RecipeUserId
from .settings import MultitenancySettings
from .types import (
    NO_CHANGE,
    Association,
    AssociationNotAllowed,
    ProviderConfig,
    TenantConfig,
    TenantConfigCreateOrUpdate,
    TenantDeleted,
    TenantNotFound,
    Tenants,
    TenantSet,
    ThirdPartyConfigDeleted,
    ThirdPartyUserAlreadyExists,
    UserAssociated,
    UserDisassociated,
)

_PATH = "/recipe/multitenancy"


class MultitenancyFunctions(Functions[MultitenancySettings]):
    """The functions of the multitenancy recipe (CDI 5.4, ``/recipe/multitenancy`` and what is below)."""

    def get_tenant_id(self, *, tenant_id_from_frontend: str, context: RequestContext) -> str:
        """
        Return the tenant of a request for one of our routes.

        An override may take it from elsewhere, such as a sub-domain.

        :param tenant_id_from_frontend: the tenant in the path, ``public`` if it names none.
        """
        return tenant_id_from_frontend

    def create_or_update_tenant(self, *, tenant_id: str, config: TenantConfigCreateOrUpdate | None = None) -> TenantSet:
        """
        Create a tenant, or change one.

        A new tenant has no first factors until *config* names some, or None for those of the app.

        :raises ArgumentError: the id is not usable.
        :raises CoreRefused: a setting is not usable.
        """
        if not TENANT_ID.fullmatch(tenant_id):
            raise ArgumentError(
                f"tenant_id must be 1 to 64 small letters, digits and dashes, and not begin with appid-: {tenant_id!r}"
            )
        if not isinstance(config, TenantConfigCreateOrUpdate | None):
            raise ArgumentError(f"config must be TenantConfigCreateOrUpdate(...), not a {type(config).__name__}")
        body: dict[str, Any] = {"tenantId": tenant_id}
        if config is not None:
            lists = {
                "firstFactors": config.first_factors,
                "requiredSecondaryFactors": config.required_secondary_factors,
            }
            for name, factors in lists.items():
                if factors is not NO_CHANGE:
                    body[name] = None if factors is None else list(factors)
            body["coreConfig"] = config.core_config
        return self.core.put(f"{_PATH}/tenant/v2", body).into(TenantSet)

    def delete_tenant(self, *, tenant_id: str) -> TenantDeleted:
        """
        Delete a tenant. Its users remain, without it.

        :raises CoreRefused: it is the public tenant.
        """
        return self.core.post(f"{_PATH}/tenant/remove", {"tenantId": tenant_id}).into(TenantDeleted)

    def get_tenant(self, *, tenant_id: str = PUBLIC_TENANT) -> TenantConfig | None:
        """Return a tenant, or None if there is none with this id."""
        if not TENANT_ID.fullmatch(tenant_id):
            return None
        tenant = self.core.get(f"{_PATH}/tenant/v2", tenant_id=tenant_id).into(TenantConfig, TenantNotFound)
        return tenant if isinstance(tenant, TenantConfig) else None

    def list_all_tenants(self) -> Tenants:
        """Return all tenants."""
        return self.core.get(f"{_PATH}/tenant/list/v2").into(Tenants)

    def create_or_update_third_party_config(
        self, *, config: ProviderConfig, skip_validation: bool = False, tenant_id: str = PUBLIC_TENANT
    ) -> TenantSet:
        """
        Set a provider of a tenant.

        :param skip_validation: accept a configuration that is not complete.
        :raises CoreRefused: the configuration is not usable.
        """
        body = {"config": to_json(config), "skipValidation": skip_validation}
        return self.core.put(f"{_PATH}/config/thirdparty", body, tenant_id=tenant_id).into(TenantSet)

    def delete_third_party_config(
        self, *, third_party_id: str, tenant_id: str = PUBLIC_TENANT
    ) -> ThirdPartyConfigDeleted:
        """Remove a provider from a tenant."""
        body = {"thirdPartyId": third_party_id}
        path = f"{_PATH}/config/thirdparty/remove"
        return self.core.post(path, body, tenant_id=tenant_id).into(ThirdPartyConfigDeleted)

    def associate_user_to_tenant(self, *, recipe_user_id: RecipeUserId, tenant_id: str = PUBLIC_TENANT) -> Association:
        """Have a login method be usable in a tenant, too."""
        body = {"recipeUserId": recipe_user_id.value}
        return self.core.post(f"{_PATH}/tenant/user", body, tenant_id=tenant_id).into(
            UserAssociated,
            UnknownUserId,
            EmailAlreadyExists,
            PhoneNumberAlreadyExists,
            ThirdPartyUserAlreadyExists,
            AssociationNotAllowed,
        )

    def disassociate_user_from_tenant(
        self, *, recipe_user_id: RecipeUserId, tenant_id: str = PUBLIC_TENANT
    ) -> UserDisassociated:
        """Have a login method not be usable in a tenant any more. Its sessions there end."""
        body = {"recipeUserId": recipe_user_id.value}
        return self.core.post(f"{_PATH}/tenant/user/remove", body, tenant_id=tenant_id).into(UserDisassociated)
