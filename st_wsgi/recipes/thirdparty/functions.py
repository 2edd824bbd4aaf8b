"""The functions of the thirdparty recipe: interface and default implementation."""

from __future__ import annotations

from typing import Any

from ...errors import NO_SUCH_TENANT, BadInput
from ...recipe_kit.recipe import Functions
from ...recipe_kit.results import EmailChangeNotAllowed, SignInUpNotAllowed
from ...users import PUBLIC_TENANT
from ..multitenancy.functions import MultitenancyFunctions
from .providers.provider import Provider
from .settings import ThirdPartySettings
from .types import RawUserInfoFromProvider, SignInUpOk, UserCreatedOrUpdated

_EMAIL_TAKEN = "Your new e-mail address belongs to another account. Please contact support. (ERR_CODE_005)"


class ThirdPartyFunctions(Functions[ThirdPartySettings]):
    """The functions of the thirdparty recipe (CDI 5.4, ``/recipe/signinup``)."""

    def get_provider(
        self, *, third_party_id: str, client_type: str | None = None, tenant_id: str = PUBLIC_TENANT
    ) -> Provider | None:
        """
        Return a provider of a tenant, or None.

        :param client_type: which of its clients; None for the only one.
        :raises BadInput: there is no such tenant, or no such client.
        :raises ProviderFailed: the provider's discovery document cannot be read, or something is missing.
        """
        tenant = self.recipe.services.functions(MultitenancyFunctions).get_tenant(tenant_id=tenant_id)
        if tenant is None:
            raise BadInput(NO_SUCH_TENANT)
        provider = next((one for one in self.recipe.providers_of(tenant) if one.id == third_party_id), None)
        if provider is not None:
            provider.choose(client_type=client_type)
        return provider

    def sign_in_up(
        self,
        *,
        third_party_id: str,
        third_party_user_id: str,
        email: str,
        is_verified: bool,
        oauth_tokens: dict[str, Any],
        raw_user_info_from_provider: RawUserInfoFromProvider,
        tenant_id: str = PUBLIC_TENANT,
    ) -> SignInUpOk | SignInUpNotAllowed:
        """
        Return the user with an account at a provider; a new one if there is none. This creates no session.

        :param is_verified: whether the provider has verified the address.
        """
        outcome = self.functions.manually_create_or_update_user(
            third_party_id=third_party_id,
            third_party_user_id=third_party_user_id,
            email=email,
            is_verified=is_verified,
            tenant_id=tenant_id,
        )
        if isinstance(outcome, EmailChangeNotAllowed):
            return SignInUpNotAllowed(_EMAIL_TAKEN)
        return SignInUpOk(
            user=outcome.user,
            recipe_user_id=outcome.recipe_user_id,
            created_new_recipe_user=outcome.created_new_recipe_user,
            oauth_tokens=oauth_tokens,
            raw_user_info_from_provider=raw_user_info_from_provider,
        )

    def manually_create_or_update_user(
        self,
        *,
        third_party_id: str,
        third_party_user_id: str,
        email: str,
        is_verified: bool,
        tenant_id: str = PUBLIC_TENANT,
    ) -> UserCreatedOrUpdated | EmailChangeNotAllowed:
        """
        Create a user with an account at a provider, or give the one who has it this address. This asks no provider.

        :param is_verified: whether the address is known to be the user's.
        """
        body = {
            "thirdPartyId": third_party_id,
            "thirdPartyUserId": third_party_user_id,
            "email": {"id": email, "isVerified": is_verified},
        }
        reply = self.core.post("/recipe/signinup", body, tenant_id=tenant_id)
        return reply.into(UserCreatedOrUpdated, EmailChangeNotAllowed)
