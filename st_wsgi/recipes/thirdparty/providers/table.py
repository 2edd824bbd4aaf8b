"""
The named providers: their addresses, scopes, names of fields, and special cases.

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
    :param is_saml: its users sign in by the saml recipe.
    :param sends_user_once: with the first sign-in, in the form that comes back.
    :param prepare: completes a configuration.
    :param user_info: asks who the owner of an access token is.
    :param check_token: asks whether an access token was issued to one of these client ids; None without such a call.
    :param check_user: refuses users that the configuration does not want.
    """

    config: ProviderConfig
    scope: tuple[str, ...] | None = None
    force_pkce: bool | None = None
    address_name: str = ""
    addresses: Mapping[str, str] = attrs.field(factory=dict)
    has_basic_authorization: bool = False
    is_saml: bool = False
    sends_user_once: bool = False
    prepare: Prepare = lambda config: config
    user_info: AskForUser = quirks.user_info
    check_token: CheckToken | None = None
    check_user: CheckUser = lambda _config, _raw: None


_FIELDS = ("sub", "email", "email_verified")


def _row(name: str | None, fields: tuple[str, str, str] = _FIELDS, **settings: Any) -> KnownProvider:
    """
    Return a row.

    :param fields: what the user info calls the id, the e-mail address, and whether that is verified.
    :param settings: of the row, and of its configuration.
    """
    own = {field.name: settings.pop(field.name) for field in attrs.fields(KnownProvider) if field.name in settings}
    user_info_map = UserInfoMap(from_id_token_payload=_fields(*_FIELDS), from_user_info_api=_fields(*fields))
    config = ProviderConfig(third_party_id="", name=name, user_info_map=user_info_map, **settings)
    return KnownProvider(config=config, **own)


def _fields(user_id: str, email: str, email_verified: str) -> UserFields:
    return UserFields(user_id=user_id, email=email, email_verified=email_verified)


_OPENID = ("openid", "email")
_GOOGLE: dict[str, Any] = {
    "scope": _OPENID,
    "check_token": quirks.check_google_token,
    "oidc_discovery_endpoint": f"https://accounts.google.com{WELL_KNOWN}",
    # Google calls the first one include_granted_scopes; the official SDKs send it in this spelling.
    "authorization_endpoint_query_params": {"included_grant_scopes": "true", "access_type": "offline"},
}

_TABLE: dict[str, KnownProvider] = {
    "active-directory": _row(
        "Active Directory",
        scope=_OPENID,
        address_name="directoryId",
        addresses={"oidc_discovery_endpoint": f"https://login.microsoftonline.com/{{}}/v2.0{WELL_KNOWN}"},
    ),
    "apple": _row(
        "Apple",
        scope=_OPENID,
        sends_user_once=True,
        prepare=quirks.with_apple_secret,
        oidc_discovery_endpoint=f"https://appleid.apple.com{WELL_KNOWN}",
        authorization_endpoint_query_params={"response_mode": "form_post"},
    ),
    "bitbucket": _row(
        "Bitbucket",
        ("uuid", "primary_email.email", "primary_email.is_confirmed"),
        scope=("account", "email"),
        user_info=quirks.bitbucket_user_info,
        authorization_endpoint="https://bitbucket.org/site/oauth2/authorize",
        authorization_endpoint_query_params={"audience": "api.atlassian.com"},
        token_endpoint="https://bitbucket.org/site/oauth2/access_token",
        user_info_endpoint="https://api.bitbucket.org/2.0/user",
    ),
    "boxy-saml": _row(
        "SAML",
        ("id", "email", "email_verified"),
        address_name="boxyURL",
        addresses={
            "authorization_endpoint": "{}/api/oauth/authorize",
            "token_endpoint": "{}/api/oauth/token",
            "user_info_endpoint": "{}/api/oauth/userinfo",
        },
    ),
    "discord": _row(
        "Discord",
        ("id", "email", "verified"),
        scope=("identify", "email"),
        check_token=quirks.check_discord_token,
        authorization_endpoint="https://discord.com/oauth2/authorize",
        token_endpoint="https://discord.com/api/oauth2/token",
        user_info_endpoint="https://discord.com/api/users/@me",
    ),
    "facebook": _row(
        "Facebook",
        ("id", "email", ""),  # nothing says whether an address is verified
        scope=("email",),
        user_info=quirks.facebook_user_info,
        check_token=quirks.check_facebook_token,
        authorization_endpoint="https://www.facebook.com/v12.0/dialog/oauth",
        token_endpoint="https://graph.facebook.com/v12.0/oauth/access_token",
        user_info_endpoint="https://graph.facebook.com/me",
    ),
    "github": _row(
        "Github",
        ("id", "primary_email.email", "primary_email.verified"),
        scope=("read:user", "user:email"),
        user_info=quirks.github_user_info,
        check_token=quirks.check_github_token,
        authorization_endpoint="https://github.com/login/oauth/authorize",
        token_endpoint="https://github.com/login/oauth/access_token",
        user_info_endpoint="https://api.github.com/user",
    ),
    "gitlab": _row(
        "Gitlab",
        scope=_OPENID,
        check_token=quirks.check_gitlab_token,
        address_name="gitlabBaseUrl",
        addresses={"oidc_discovery_endpoint": f"{{}}{WELL_KNOWN}"},
        oidc_discovery_endpoint=f"https://gitlab.com{WELL_KNOWN}",
    ),
    "google-workspaces": _row(
        "Google Workspaces", prepare=quirks.with_hosted_domain, check_user=quirks.check_hosted_domain, **_GOOGLE
    ),
    "google": _row("Google", **_GOOGLE),
    "linkedin": _row(
        "Linkedin",
        scope=("openid", "profile", "email"),
        authorization_endpoint="https://www.linkedin.com/oauth/v2/authorization",
        token_endpoint="https://www.linkedin.com/oauth/v2/accessToken",
        user_info_endpoint="https://api.linkedin.com/v2/userinfo",
    ),
    "okta": _row(
        "Okta",
        scope=_OPENID,
        address_name="oktaDomain",
        addresses={"oidc_discovery_endpoint": f"{{}}{WELL_KNOWN}"},
    ),
    "saml": _row("SAML", is_saml=True),
    "twitter": _row(
        "Twitter",
        ("data.id", "email", "email_verified"),
        scope=("users.read", "tweet.read"),
        force_pkce=True,
        has_basic_authorization=True,
        require_email=False,
        authorization_endpoint="https://twitter.com/i/oauth2/authorize",
        token_endpoint="https://api.twitter.com/2/oauth2/token",
        user_info_endpoint="https://api.twitter.com/2/users/me",
    ),
}
_GENERIC = _row(None)


def known_provider(third_party_id: str) -> KnownProvider:
    """Return what is known of a provider, by its id."""
    return next((row for name, row in _TABLE.items() if third_party_id.startswith(name)), _GENERIC)
