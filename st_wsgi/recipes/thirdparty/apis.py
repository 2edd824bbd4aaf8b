"""The APIs of the thirdparty recipe: interface and default implementation."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

from ...errors import BadInput, ConfigError
from ...recipe_kit.forms import email_rule, normalise_email
from ...recipe_kit.recipe import APIs
from ...recipe_kit.results import GeneralError, LinkingToSessionUserFailed, SignInUpNotAllowed
from ...request.context import RequestContext
from ...users import ThirdPartyInfo
from ..accountlinking import AccountInfoWithRecipeId
from ..multitenancy.types import THIRD_PARTY
from ..refusals import Refusal, refused
from ..session import SessionContainer
from ..signing_in import (
    automatic_linking,
    first_factors_allowed,
    is_fake,
    permission,
    signed_in,
    unless_withdrawn,
)
from .functions import ThirdPartyFunctions
from .providers.calls import known_error
from .providers.provider import Provider
from .redirects import frontend_of_state, with_form
from .settings import ThirdPartySettings
from .types import (
    AppleRedirect,
    AuthorisationRedirect,
    NoEmailGivenByProvider,
    RedirectUriInfo,
    SignedInByProvider,
    UserInfo,
    UserInfoEmail,
)

# An id that stands in a made-up address as it is. The core keeps addresses in small letters, and two ids, or the ids of
# two providers, must not share one.
_PLAIN_ID = re.compile("[a-z0-9_-]{1,64}")
_NOT_COMPLETED = "You have not signed in with the provider. Please try again, or choose another way to sign in."


class ThirdPartyAPIs(APIs[ThirdPartySettings, ThirdPartyFunctions]):
    """The APIs of the thirdparty recipe. An override may be None, which switches the route off."""

    def authorisation_url_get(
        self, *, provider: Provider, redirect_uri_on_provider_dashboard: str, context: RequestContext
    ) -> AuthorisationRedirect | GeneralError:
        """
        Return the address of the provider's page on which the user signs in.

        :raises ProviderFailed: the provider has no such page.
        """
        return provider.get_authorisation_redirect_url(
            redirect_uri_on_provider_dashboard=redirect_uri_on_provider_dashboard
        )

    def sign_in_up_post(
        self,
        *,
        provider: Provider,
        redirect_uri_info: RedirectUriInfo | None,
        oauth_tokens: dict[str, Any] | None,
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> SignedInByProvider | NoEmailGivenByProvider | SignInUpNotAllowed | GeneralError:
        """
        Sign a user in, or up, with what the provider says of them.

        :param redirect_uri_info: what the browser brought back from the provider; either this or tokens.
        :param oauth_tokens: that the client got from the provider by itself.
        :param session: of the user that the login method is to be linked to.
        :raises Unauthorised: the tenant does not allow this first factor.
        :raises ProviderFailed: the provider did not say who the user is.
        """

        def not_allowed(refusal: Refusal) -> SignInUpNotAllowed:
            return SignInUpNotAllowed(refused(context, THIRD_PARTY, refusal, tenant_id=tenant_id))

        if session is None:
            first_factors_allowed(context, [THIRD_PARTY], tenant_id=tenant_id)
        elif automatic_linking(context.services) is None:
            return not_allowed("NO_LINKING")
        if redirect_uri_info is not None:
            if problem := redirect_uri_info.redirect_uri_query_params.get("error"):
                self._failed(known_error(problem) or "PROVIDER_ERROR", tenant_id, context)
                return GeneralError(_NOT_COMPLETED)
            oauth_tokens = provider.exchange_auth_code_for_oauth_tokens(redirect_uri_info=redirect_uri_info)
            provider._vouch_for(oauth_tokens)
        if oauth_tokens is None:
            raise BadInput("please give either redirectURIInfo or oAuthTokens")
        info = provider.get_user_info(oauth_tokens=oauth_tokens)
        email = _address_of(info) or _made_up(provider, info, tenant_id)
        if email is None:
            self._failed(NoEmailGivenByProvider.status, tenant_id, context)
            return NoEmailGivenByProvider()
        may = permission(
            context,
            AccountInfoWithRecipeId(
                recipe_id=THIRD_PARTY,
                email=email.id,
                third_party=ThirdPartyInfo(id=provider.id, user_id=info.third_party_user_id),
            ),
            [THIRD_PARTY],
            tenant_id=tenant_id,
            session=session,
            is_verified=email.is_verified,
            check_credentials=lambda _tenant: True,  # the provider has vouched for the user
        )
        if may.refusal is not None:
            return not_allowed(may.refusal)
        outcome = unless_withdrawn(
            context,
            lambda: self.functions.sign_in_up(
                third_party_id=provider.id,
                third_party_user_id=info.third_party_user_id,
                email=email.id,
                is_verified=email.is_verified,
                oauth_tokens=oauth_tokens,
                raw_user_info_from_provider=info.raw_user_info_from_provider,
                session=may.session,
                tenant_id=tenant_id,
            ),
        )
        if outcome is None:
            return not_allowed("SIGN_UP_NOT_ALLOWED")
        if isinstance(outcome, LinkingToSessionUserFailed):
            return not_allowed(outcome.reason)
        if isinstance(outcome, SignInUpNotAllowed):
            self._failed(outcome.status, tenant_id, context)
            return outcome
        done = signed_in(context, outcome, factor_id=THIRD_PARTY, tenant_id=tenant_id, session=may.session)
        return SignedInByProvider(
            user=done.user,
            session=done.session,
            created=done.created,
            oauth_tokens=outcome.oauth_tokens,
            raw_user_info_from_provider=outcome.raw_user_info_from_provider,
        )

    def apple_redirect_handler_post(
        self, *, form_post_info: dict[str, str], context: RequestContext
    ) -> AppleRedirect | GeneralError:
        """
        Pass the form that Apple has a browser send on to the page of the website, or to the app, that began.

        :raises BadInput: the ``state`` names no such address.
        """
        parts = frontend_of_state(form_post_info.get("state", ""))
        url = with_form(parts, form_post_info)
        self.recipe.check_frontend(url)
        return AppleRedirect(url=url)

    def _failed(self, reason: str, tenant_id: str, context: RequestContext) -> None:
        context.record("sign_in_failed", tenant_id=tenant_id, reason=reason, recipe_id=THIRD_PARTY)


def _address_of(info: UserInfo) -> UserInfoEmail | None:
    """Return the address that the provider names, in its normal form; None if it is no address, or a made-up one."""
    email = None if info.email is None else _normal(info.email.id)
    if info.email is None or email is None or is_fake(email):
        return None
    return UserInfoEmail(id=email, is_verified=info.email.is_verified is True)


def _normal(text: object) -> str | None:
    """
    Return an address in its normal form; None if the text is not one address.

    In small letters, or in its compatible form, a letter beyond ASCII may become another one: the Kelvin sign is a k
    then. Such an address would be another person's.
    """
    if not isinstance(text, str) or any(
        not letter.isascii() and (letter.lower() != letter or unicodedata.normalize("NFKC", letter) != letter)
        for letter in text
    ):
        return None
    email = normalise_email(text)
    return email if email_rule(email, "") is None else None


def _made_up(provider: Provider, info: UserInfo, tenant_id: str) -> UserInfoEmail | None:
    """
    Return an address that stands for the account, if the app wants no real one.

    :raises ConfigError: the app's function returned no address.
    """
    config, name = provider.config, info.third_party_user_id
    if config.require_email is not False:
        return None
    if config.generate_fake_email is not None:
        email = _normal(config.generate_fake_email(tenant_id, name))
        if email is None:
            raise ConfigError("generate_fake_email must return an e-mail address")
        return UserInfoEmail(id=email, is_verified=True)
    if not _PLAIN_ID.fullmatch(name):  # the plus sign is in no plain id: a hash is never taken for one
        name = f"+{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return UserInfoEmail(id=f"{name}.{provider.id}@stfakeemail.supertokens.com", is_verified=True)
