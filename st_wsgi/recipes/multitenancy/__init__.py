"""
Tenants: groups of users that sign in in ways of their own.

::

    from st_wsgi.recipes.multitenancy import TenantConfigCreateOrUpdate, create_or_update_tenant, get_tenant

    create_or_update_tenant(
        tenant_id="acme", config=TenantConfigCreateOrUpdate(first_factors=["emailpassword"])
    )
    assert get_tenant(tenant_id="acme").first_factors == ("emailpassword",)

The tenant of a request is that of its path, ``/auth/acme/signin``, unless an override of ``get_tenant_id`` says
otherwise; that of a request with a session is the session's.
"""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from ...recipe_kit.results import (
    EmailAlreadyExists as EmailAlreadyExists,
    PhoneNumberAlreadyExists as PhoneNumberAlreadyExists,
    UnknownUserId as UnknownUserId,
)
from .apis import MultitenancyAPIs as MultitenancyAPIs
from .claims import AllowedDomainsClaim as AllowedDomainsClaim
from .functions import MultitenancyFunctions as MultitenancyFunctions
from .recipe import Multitenancy as Multitenancy
from .types import (
    Association as Association,
    AssociationNotAllowed as AssociationNotAllowed,
    LoginMethodEnabled as LoginMethodEnabled,
    LoginMethods as LoginMethods,
    LoginProvider as LoginProvider,
    ProviderClientConfig as ProviderClientConfig,
    ProviderConfig as ProviderConfig,
    TenantConfig as TenantConfig,
    TenantConfigCreateOrUpdate as TenantConfigCreateOrUpdate,
    TenantDeleted as TenantDeleted,
    Tenants as Tenants,
    TenantSet as TenantSet,
    ThirdPartyConfigDeleted as ThirdPartyConfigDeleted,
    ThirdPartyEnabled as ThirdPartyEnabled,
    ThirdPartyUserAlreadyExists as ThirdPartyUserAlreadyExists,
    UserAssociated as UserAssociated,
    UserDisassociated as UserDisassociated,
    UserFields as UserFields,
    UserInfoMap as UserInfoMap,
)

associate_user_to_tenant: Final = user_facing(Multitenancy, MultitenancyFunctions.associate_user_to_tenant)
create_or_update_tenant: Final = user_facing(Multitenancy, MultitenancyFunctions.create_or_update_tenant)
create_or_update_third_party_config: Final = user_facing(
    Multitenancy, MultitenancyFunctions.create_or_update_third_party_config
)
delete_tenant: Final = user_facing(Multitenancy, MultitenancyFunctions.delete_tenant)
delete_third_party_config: Final = user_facing(Multitenancy, MultitenancyFunctions.delete_third_party_config)
disassociate_user_from_tenant: Final = user_facing(Multitenancy, MultitenancyFunctions.disassociate_user_from_tenant)
get_tenant: Final = user_facing(Multitenancy, MultitenancyFunctions.get_tenant)
list_all_tenants: Final = user_facing(Multitenancy, MultitenancyFunctions.list_all_tenants)
