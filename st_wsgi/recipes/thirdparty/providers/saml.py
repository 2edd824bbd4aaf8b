"""The provider ``saml``: its page is the route ``/saml/login``, and its code is the access token of the core."""

from __future__ import annotations

from urllib.parse import urlencode

import attrs

from ....errors import ConfigError, ProviderFailed
from ....services import Services
from ...multitenancy.types import ProviderConfigForClient
from ...saml.functions import SamlFunctions
from ...saml.types import SamlUserInfo
from ..types import AuthorisationRedirect, RawUserInfoFromProvider, UserInfo, UserInfoEmail


@attrs.frozen
class SamlOfTenant:
    """The saml recipe, for the provider ``saml`` of one tenant."""

    services: Services
    tenant_id: str

    def page(self, config: ProviderConfigForClient, redirect_uri: str) -> AuthorisationRedirect:
        """Return the address that sends browsers to the identity provider."""
        self.functions()
        query = urlencode({"client_id": config.client_id, "redirect_uri": redirect_uri})
        address = f"{self.services.app_info.issuer}/{self.tenant_id}/saml/login"
        return AuthorisationRedirect(url_with_query_params=f"{address}?{query}", pkce_code_verifier=None)

    def user(self, config: ProviderConfigForClient, access_token: str) -> UserInfo:
        """
        Return the user of an access token. Their address counts as verified by the organisation.

        :raises ProviderFailed: the core does not know the token, or it is another client's.
        """
        outcome = self.functions().get_user_info(
            access_token=access_token, client_id=config.client_id, tenant_id=self.tenant_id
        )
        if not isinstance(outcome, SamlUserInfo):
            raise ProviderFailed(f"the core replied {outcome.status} to the access token")
        return UserInfo(
            third_party_user_id=outcome.sub or "",
            email=UserInfoEmail(id=outcome.email, is_verified=True) if outcome.email else None,
            raw_user_info_from_provider=RawUserInfoFromProvider(from_user_info_api=outcome.claims),
        )

    def functions(self) -> SamlFunctions:
        """
        Return the functions of the recipe.

        :raises ProviderFailed: the app does not have it.
        """
        try:
            return self.services.functions(SamlFunctions)
        except ConfigError as missing:
            raise ProviderFailed(str(missing)) from None
