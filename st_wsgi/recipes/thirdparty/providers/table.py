"""
What is known of the named providers: where they are, what they are asked for, and what they call things.

An id belongs to the first row that it begins with, so that ``google-eu`` is a Google. All others are generic.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import attrs

from ...multitenancy.types import ProviderConfig, ProviderConfigForClient, UserFields, UserInfoMap
from ..types import RawUserInfoFromProvider
from . import quirks
from .calls import Calls

Prepare: TypeAlias = Callable[[ProviderConfigForClient], ProviderConfigForClient]
AskForUser: TypeAlias = Callable[[Calls, ProviderConfigForClient, str], dict[str, Any]]
CheckToken: TypeAlias = Callable[[Calls, ProviderConfigForClient, str, Collection[str]], None]
CheckUser: TypeAlias = Callable[[ProviderConfigForClient, RawUserInfoFromProvider], None]

WELL_KNOWN = "/.well-known/openid-configuration"


@attrs.frozen(kw_only=True)
class KnownProvider:
    """
    A row of the table.

    :param config: what a configuration need not say.
    :param scope: what is asked for.
    :param force_pkce: whether PKCE is used together with a client secret.
    :param address_name: the member of ``additional_config`` that tells where the provider is.
    :param addresses: with that in the place of ``{}``.
    :param has_basic_authorization: at the token endpoint, where others take id and secret in the form.
    :param sends_user_once: with the first sign-in, in the form that comes back.
    :param prepare: completes a configuration.
    :param user_info: asks who the owner of an access token is.
    :param check_token: asks whether an access token was issued to one of these client ids; None where nobody can say.
    :param check_user: refuses users that the configuration does not want.
    """

    config: ProviderConfig
    scope: tuple[str, ...] | None = None
    force_pkce: bool | None = None
    address_name: str = ""
    addresses: Mapping[str, str] = attrs.field(factory=dict)
    has_basic_authorization: bool = False
    sends_user_once: bool = False
    prepare: Prepare = lambda config: config
    user_info: AskForUser = quirks.user_info
    check_token: CheckToken | None = None
    check_user: CheckUser = lambda _config, _raw: None


def _row(name: str | None, fields: UserFields | None = None, **config: Any) -> ProviderConfig:
    """Return what is known of a provider; *fields* are those of its user info."""
    defaults = UserFields(user_id="sub", email="email", email_verified="email_verified")
    user_info_map = UserInfoMap(from_id_token_payload=defaults, from_user_info_api=fields or defaults)
    return ProviderConfig(third_party_id="", name=name, user_info_map=user_info_map, **config)


_OPENID = ("openid", "email")
_GOOGLE_PAGE = {"included_grant_scopes": "true", "access_type": "offline"}
_DISCOVERY = "oidc_discovery_endpoint"

_TABLE: dict[str, KnownProvider] = {
    "active-directory": KnownProvider(
        config=_row("Active Directory"),
        scope=_OPENID,
        address_name="directoryId",
        addresses={_DISCOVERY: f"https://login.microsoftonline.com/{{}}/v2.0{WELL_KNOWN}"},
    ),
    "apple": KnownProvider(
        config=_row(
            "Apple",
            oidc_discovery_endpoint=f"https://appleid.apple.com{WELL_KNOWN}",
            authorization_endpoint_query_params={"response_mode": "form_post"},
        ),
        scope=_OPENID,
        sends_user_once=True,
        prepare=quirks.with_apple_secret,
    ),
    "bitbucket": KnownProvider(
        config=_row(
            "Bitbucket",
            UserFields(user_id="uuid", email="primary_email.email", email_verified="primary_email.is_confirmed"),
            authorization_endpoint="https://bitbucket.org/site/oauth2/authorize",
            authorization_endpoint_query_params={"audience": "api.atlassian.com"},
            token_endpoint="https://bitbucket.org/site/oauth2/access_token",
            user_info_endpoint="https://api.bitbucket.org/2.0/user",
        ),
        scope=("account", "email"),
        user_info=quirks.bitbucket_user_info,
    ),
    "boxy-saml": KnownProvider(
        config=_row("SAML", UserFields(user_id="id", email="email", email_verified="email_verified")),
        address_name="boxyURL",
        addresses={
            "authorization_endpoint": "{}/api/oauth/authorize",
            "token_endpoint": "{}/api/oauth/token",
            "user_info_endpoint": "{}/api/oauth/userinfo",
        },
    ),
    "discord": KnownProvider(
        config=_row(
            "Discord",
            UserFields(user_id="id", email="email", email_verified="verified"),
            authorization_endpoint="https://discord.com/oauth2/authorize",
            token_endpoint="https://discord.com/api/oauth2/token",
            user_info_endpoint="https://discord.com/api/users/@me",
        ),
        scope=("identify", "email"),
        check_token=quirks.check_discord_token,
    ),
    "facebook": KnownProvider(
        config=_row(
            "Facebook",
            UserFields(user_id="id", email="email", email_verified=""),  # nothing says that an address is verified
            authorization_endpoint="https://www.facebook.com/v12.0/dialog/oauth",
            token_endpoint="https://graph.facebook.com/v12.0/oauth/access_token",
            user_info_endpoint="https://graph.facebook.com/me",
        ),
        scope=("email",),
        user_info=quirks.facebook_user_info,
        check_token=quirks.check_facebook_token,
    ),
    "github": KnownProvider(
        config=_row(
            "Github",
            UserFields(user_id="id", email="primary_email.email", email_verified="primary_email.verified"),
            authorization_endpoint="https://github.com/login/oauth/authorize",
            token_endpoint="https://github.com/login/oauth/access_token",
            user_info_endpoint="https://api.github.com/user",
        ),
        scope=("read:user", "user:email"),
        user_info=quirks.github_user_info,
        check_token=quirks.check_github_token,
    ),
    "gitlab": KnownProvider(
        config=_row("Gitlab", oidc_discovery_endpoint=f"https://gitlab.com{WELL_KNOWN}"),
        scope=_OPENID,
        address_name="gitlabBaseUrl",
        addresses={_DISCOVERY: f"{{}}{WELL_KNOWN}"},
        check_token=quirks.check_gitlab_token,
    ),
    "google-workspaces": KnownProvider(
        config=_row(
            "Google Workspaces",
            oidc_discovery_endpoint=f"https://accounts.google.com{WELL_KNOWN}",
            authorization_endpoint_query_params=_GOOGLE_PAGE,
        ),
        scope=_OPENID,
        prepare=quirks.with_hosted_domain,
        check_token=quirks.check_google_token,
        check_user=quirks.check_hosted_domain,
    ),
    "google": KnownProvider(
        config=_row(
            "Google",
            oidc_discovery_endpoint=f"https://accounts.google.com{WELL_KNOWN}",
            authorization_endpoint_query_params=_GOOGLE_PAGE,
        ),
        scope=_OPENID,
        check_token=quirks.check_google_token,
    ),
    "linkedin": KnownProvider(
        config=_row(
            "Linkedin",
            authorization_endpoint="https://www.linkedin.com/oauth/v2/authorization",
            token_endpoint="https://www.linkedin.com/oauth/v2/accessToken",
            user_info_endpoint="https://api.linkedin.com/v2/userinfo",
        ),
        scope=("openid", "profile", "email"),
    ),
    "okta": KnownProvider(
        config=_row("Okta"),
        scope=_OPENID,
        address_name="oktaDomain",
        addresses={_DISCOVERY: f"{{}}{WELL_KNOWN}"},
    ),
    "twitter": KnownProvider(
        config=_row(
            "Twitter",
            UserFields(user_id="data.id", email="email", email_verified="email_verified"),
            authorization_endpoint="https://twitter.com/i/oauth2/authorize",
            token_endpoint="https://api.twitter.com/2/oauth2/token",
            user_info_endpoint="https://api.twitter.com/2/users/me",
            require_email=False,
        ),
        scope=("users.read", "tweet.read"),
        force_pkce=True,
        has_basic_authorization=True,
    ),
}
_GENERIC = KnownProvider(config=_row(None))


def known_provider(third_party_id: str) -> KnownProvider:
    """Return what is known of a provider, by its id."""
    return next((row for name, row in _TABLE.items() if third_party_id.startswith(name)), _GENERIC)
