"""The functions of the thirdparty recipe: interface and default implementation."""

from __future__ import annotations

from typing import Any

from ...accounts import AccountInfo, users_by_account_info
from ...errors import NO_SUCH_TENANT, BadInput
from ...recipe_kit.recipe import Functions
from ...recipe_kit.results import EmailChangeNotAllowed, LinkingToSessionUserFailed, SignInUpNotAllowed
from ...users import PUBLIC_TENANT, LoginMethod, ThirdPartyInfo, User
from ..accountlinking import AccountLinking
from ..multitenancy.functions import MultitenancyFunctions
from ..session import SessionContainer
from ..signing_in import automatic_linking, linked_outcome
from .providers.provider import Provider
from .settings import ThirdPartySettings
from .types import RawUserInfoFromProvider, SignInUpOk, UserCreatedOrUpdated

_NEW_EMAIL = "Your new e-mail address belongs to another account. Please contact support. (ERR_CODE_{})"
_RISK = "another account with this e-mail address could be taken over"
_TAKEN = "Email already associated with another primary user."  # the core says it so, too


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
            provider._choose(client_type=client_type)
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
        session: SessionContainer | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> SignInUpOk | SignInUpNotAllowed | LinkingToSessionUserFailed:
        """
        Return the user with an account at a provider; a new one if there is none. This creates no session.

        :param is_verified: whether the provider has verified the address.
        :param session: of the user whom the login method is to be linked to.
        """
        outcome = self.functions.manually_create_or_update_user(
            third_party_id=third_party_id,
            third_party_user_id=third_party_user_id,
            email=email,
            is_verified=is_verified,
            session=session,
            tenant_id=tenant_id,
        )
        if isinstance(outcome, EmailChangeNotAllowed):
            return SignInUpNotAllowed(_NEW_EMAIL.format("005" if outcome.reason == _TAKEN else "024"))
        if isinstance(outcome, LinkingToSessionUserFailed):
            return outcome
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
        session: SessionContainer | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> UserCreatedOrUpdated | EmailChangeNotAllowed | LinkingToSessionUserFailed:
        """
        Create a user with an account at a provider, or give the one who has it this address. This asks no provider.

        The login method is linked as the :mod:`accountlinking <st_wsgi.recipes.accountlinking>` recipe says.

        :param email: it is stored as it is, whatever it is.
        :param is_verified: whether the address is known to be the user's.
        :param session: of the user whom the login method is to be linked to.
        """
        third_party = ThirdPartyInfo(id=third_party_id, user_id=third_party_user_id)
        before = self._login_methods(third_party, tenant_id)

        def is_refused() -> bool:
            """Return whether an existing account may not have this address. The core refuses a primary user's."""
            return any(
                linking.email_change(user, method, email, is_verified=is_verified, session=session)
                == "ACCOUNT_TAKEOVER_RISK"
                for linking, user, method in before
            )

        def put(address: str | None, is_verified: bool) -> UserCreatedOrUpdated | EmailChangeNotAllowed:
            body = {
                "thirdPartyId": third_party_id,
                "thirdPartyUserId": third_party_user_id,
                "email": {"id": address, "isVerified": is_verified},
            }
            reply = self.core.post("/recipe/signinup", body, tenant_id=tenant_id)
            return reply.into(UserCreatedOrUpdated, EmailChangeNotAllowed)

        if is_refused():
            return EmailChangeNotAllowed(_RISK)
        outcome = put(email, is_verified)
        if not isinstance(outcome, UserCreatedOrUpdated):
            return outcome
        # Another request may have created a login method with the new address meanwhile.
        old = next((method.email for _, _, method in before), email)
        if old != email and is_refused():
            put(old, False)
            return EmailChangeNotAllowed(_RISK)
        return linked_outcome(self.context, outcome, tenant_id=tenant_id, session=session)

    def _login_methods(
        self, third_party: ThirdPartyInfo, tenant_id: str
    ) -> list[tuple[AccountLinking, User, LoginMethod]]:
        """Return the login method with an account at a provider and its user, where accounts are linked."""
        linking = automatic_linking(self.recipe.services)
        if linking is None:
            return []
        users = users_by_account_info(self.core, account_info=AccountInfo(third_party=third_party), tenant_id=tenant_id)
        return [
            (linking, user, method)
            for user in users
            for method in user.login_methods
            if method.third_party == third_party
        ]
