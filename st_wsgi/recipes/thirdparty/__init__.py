"""
Sign in, or up, with an account at a provider such as Google, GitHub or any other that speaks OpenID or OAuth 2.

::

    from st_wsgi.recipes.thirdparty import ProviderClientConfig, ProviderConfig, ProviderInput, ThirdParty

    github = ProviderConfig(
        third_party_id="github",
        clients=[ProviderClientConfig(client_id="1234", client_secret="from-your-secrets")],
    )
    ThirdParty(providers=[ProviderInput(config=github)])
"""

from __future__ import annotations

from typing import Final

from ...errors import ProviderFailed
from ...recipe_kit.recipe import user_facing
from ...recipe_kit.results import EmailChangeNotAllowed, GeneralError, LinkingToSessionUserFailed, SignInUpNotAllowed
from ..multitenancy.types import (
    GenerateFakeEmail,
    ProviderClientConfig,
    ProviderConfig,
    ProviderConfigForClient,
    UserFields,
    UserInfoMap,
    ValidateAccessToken,
    ValidateIdTokenPayload,
)
from .apis import ThirdPartyAPIs
from .functions import ThirdPartyFunctions
from .providers.provider import Provider, ProviderInput, ProviderOverride
from .recipe import ThirdParty
from .types import (
    AppleRedirect,
    AuthorisationRedirect,
    IsValidFrontendRedirectUri,
    NoEmailGivenByProvider,
    RawUserInfoFromProvider,
    RedirectUriInfo,
    SignedInByProvider,
    SignInUpOk,
    UserCreatedOrUpdated,
    UserInfo,
    UserInfoEmail,
)

__all__ = [
    "AppleRedirect",
    "AuthorisationRedirect",
    "EmailChangeNotAllowed",
    "GeneralError",
    "GenerateFakeEmail",
    "IsValidFrontendRedirectUri",
    "LinkingToSessionUserFailed",
    "NoEmailGivenByProvider",
    "Provider",
    "ProviderClientConfig",
    "ProviderConfig",
    "ProviderConfigForClient",
    "ProviderFailed",
    "ProviderInput",
    "ProviderOverride",
    "RawUserInfoFromProvider",
    "RedirectUriInfo",
    "SignInUpNotAllowed",
    "SignInUpOk",
    "SignedInByProvider",
    "ThirdParty",
    "ThirdPartyAPIs",
    "ThirdPartyFunctions",
    "UserCreatedOrUpdated",
    "UserFields",
    "UserInfo",
    "UserInfoEmail",
    "UserInfoMap",
    "ValidateAccessToken",
    "ValidateIdTokenPayload",
    "get_provider",
    "manually_create_or_update_user",
    "sign_in_up",
]

get_provider: Final = user_facing(ThirdParty, ThirdPartyFunctions.get_provider)
manually_create_or_update_user: Final = user_facing(ThirdParty, ThirdPartyFunctions.manually_create_or_update_user)
sign_in_up: Final = user_facing(ThirdParty, ThirdPartyFunctions.sign_in_up)
