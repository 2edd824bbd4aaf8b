"""Results and values of the thirdparty recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeAlias

import attrs

from ...recipe_kit.results import FoundOrCreated, Ok, Outcome
from ..signing_in import SignedIn

IsValidFrontendRedirectUri: TypeAlias = Callable[[str], bool]
"""Takes the address that Apple's form would be passed on to, and returns True if it is a page or an app of ours."""


@attrs.frozen(kw_only=True)
class RedirectUriInfo:
    """
    What a browser brings back from a provider.

    :param redirect_uri_on_provider_dashboard: where the provider sent the browser.
    :param redirect_uri_query_params: the query that the provider sent, such as ``code``.
    :param pkce_code_verifier: that came with the address of the provider's page, if any.
    """

    redirect_uri_on_provider_dashboard: str
    redirect_uri_query_params: dict[str, Any] = attrs.field(repr=False)
    pkce_code_verifier: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class AuthorisationRedirect(Ok):
    """
    The page of a provider on which a user signs in.

    :param pkce_code_verifier: a secret of the browser that asked, which it sends with the code; None without PKCE.
    """

    url_with_query_params: str
    pkce_code_verifier: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class RawUserInfoFromProvider:
    """What a provider says of a user, as it says it."""

    from_id_token_payload: dict[str, Any] = attrs.field(factory=dict, repr=False)
    from_user_info_api: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class UserInfoEmail:
    """An e-mail address, and whether the provider has verified it."""

    id: str
    is_verified: bool


@attrs.frozen(kw_only=True)
class UserInfo:
    """
    Who a user is at a provider.

    :param third_party_user_id: their id there.
    :param email: None if the provider names none.
    """

    third_party_user_id: str
    email: UserInfoEmail | None
    raw_user_info_from_provider: RawUserInfoFromProvider


class UserCreatedOrUpdated(FoundOrCreated):
    """The user with an account at a provider."""


@attrs.frozen(kw_only=True)
class SignInUpOk(UserCreatedOrUpdated):
    """The user with an account at a provider, and what the provider said. The tokens are secrets of the user."""

    oauth_tokens: dict[str, Any] = attrs.field(repr=False)
    raw_user_info_from_provider: RawUserInfoFromProvider


@attrs.frozen(kw_only=True)
class SignedInByProvider(SignedIn):
    """
    The user is signed in.

    :param oauth_tokens: of the provider, for calls in the user's name. The frontend does not get them.
    """

    oauth_tokens: dict[str, Any] = attrs.field(repr=False)
    raw_user_info_from_provider: RawUserInfoFromProvider


class NoEmailGivenByProvider(Outcome):
    """The provider does not name an e-mail address, and the app wants one."""

    status: ClassVar[Literal["NO_EMAIL_GIVEN_BY_PROVIDER"]] = "NO_EMAIL_GIVEN_BY_PROVIDER"


@attrs.frozen(kw_only=True)
class AppleRedirect(Ok):
    """
    The page, or the app, that gets what Apple's form has.

    :param url: with the fields of the form in its query.
    """

    url: str = attrs.field(repr=False)
