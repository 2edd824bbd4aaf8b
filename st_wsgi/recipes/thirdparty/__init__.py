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

from ...errors import ProviderFailed as ProviderFailed
from ...recipe_kit.recipe import user_facing
from ...recipe_kit.results import (
    EmailChangeNotAllowed as EmailChangeNotAllowed,
    GeneralError as GeneralError,
    LinkingToSessionUserFailed as LinkingToSessionUserFailed,
    SignInUpNotAllowed as SignInUpNotAllowed,
)
from ..multitenancy.types import (
    GenerateFakeEmail as GenerateFakeEmail,
    ProviderClientConfig as ProviderClientConfig,
    ProviderConfig as ProviderConfig,
    ProviderConfigForClient as ProviderConfigForClient,
    UserFields as UserFields,
    UserInfoMap as UserInfoMap,
    ValidateAccessToken as ValidateAccessToken,
    ValidateIdTokenPayload as ValidateIdTokenPayload,
)
from .apis import ThirdPartyAPIs as ThirdPartyAPIs
from .functions import ThirdPartyFunctions as ThirdPartyFunctions
from .providers.provider import (
    Provider as Provider,
    ProviderInput as ProviderInput,
    ProviderOverride as ProviderOverride,
)
from .recipe import ThirdParty as ThirdParty
from .types import (
    AppleRedirect as AppleRedirect,
    AuthorisationRedirect as AuthorisationRedirect,
    IsValidFrontendRedirectUri as IsValidFrontendRedirectUri,
    NoEmailGivenByProvider as NoEmailGivenByProvider,
    RawUserInfoFromProvider as RawUserInfoFromProvider,
    RedirectUriInfo as RedirectUriInfo,
    SignedInByProvider as SignedInByProvider,
    SignInUpOk as SignInUpOk,
    UserCreatedOrUpdated as UserCreatedOrUpdated,
    UserInfo as UserInfo,
    UserInfoEmail as UserInfoEmail,
)

get_provider: Final = user_facing(ThirdParty, ThirdPartyFunctions.get_provider)
manually_create_or_update_user: Final = user_facing(ThirdParty, ThirdPartyFunctions.manually_create_or_update_user)
sign_in_up: Final = user_facing(ThirdParty, ThirdPartyFunctions.sign_in_up)
