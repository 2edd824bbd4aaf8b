"""Results and values of the multitenancy recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, Literal, TypeAlias

import attrs

from ...checks import a_list
from ...recipe_kit.results import EmailAlreadyExists, Ok, Outcome, PhoneNumberAlreadyExists, Refusal, UnknownUserId

EMAIL_PASSWORD: Final = "emailpassword"
THIRD_PARTY: Final = "thirdparty"
OTP_EMAIL: Final = "otp-email"
OTP_PHONE: Final = "otp-phone"
LINK_EMAIL: Final = "link-email"
LINK_PHONE: Final = "link-phone"
TOTP: Final = "totp"
WEBAUTHN: Final = "webauthn"

PASSWORDLESS_FACTORS = frozenset({OTP_EMAIL, OTP_PHONE, LINK_EMAIL, LINK_PHONE})
FACTORS = PASSWORDLESS_FACTORS | {EMAIL_PASSWORD, THIRD_PARTY, TOTP, WEBAUTHN}
"""The factors that SuperTokens has. An app may name others, which its own code asks for."""

GetAllowedDomainsForTenantId: TypeAlias = Callable[[str], "Iterable[str] | None"]
"""Takes a tenant and returns the domains that its users may use, or None to leave the claim out."""


@attrs.frozen(kw_only=True)
class UserFields:
    """
    The names of the members that say who a user of a provider is. Dots lead into objects, as in ``data.id``.

    :param user_id: of the member with the user's id at the provider.
    :param email: of the member with the e-mail address.
    :param email_verified: of the member that is true if that address is verified.
    """

    user_id: str | None = None
    email: str | None = None
    email_verified: str | None = None


@attrs.frozen(kw_only=True)
class UserInfoMap:
    """
    Where a provider says who a user is.

    :param from_id_token_payload: in the claims of the id token.
    :param from_user_info_api: in the response of the user info endpoint.
    """

    from_id_token_payload: UserFields = UserFields()
    from_user_info_api: UserFields = attrs.field(default=UserFields(), metadata={"wire": "fromUserInfoAPI"})


def _texts(values: Iterable[str] | None) -> tuple[str, ...] | None:
    if values is None:
        return None
    a_list("texts", kind=str).argument("scope", values)
    return tuple(values)


@attrs.frozen(kw_only=True)
class ProviderClientConfig:
    """
    An app that is registered at a provider.

    :param client_id: the id that the provider gave the app.
    :param client_secret: its secret; without one, PKCE is used.
    :param client_type: tells several clients of one provider apart, such as ``web`` and ``ios``.
    :param scope: what the app asks the provider for, such as ``["openid", "email"]``.
    :param force_pkce: use PKCE although there is a client secret.
    :param additional_config: what the provider needs beside, such as Apple's key.
    """

    client_id: str
    client_secret: str | None = attrs.field(default=None, repr=False)
    client_type: str | None = None
    scope: tuple[str, ...] | None = attrs.field(default=None, converter=_texts)
    force_pkce: bool | None = attrs.field(default=None, metadata={"wire": "forcePKCE"})
    additional_config: dict[str, Any] | None = attrs.field(default=None, repr=False)


def _clients(values: Iterable[ProviderClientConfig]) -> tuple[ProviderClientConfig, ...]:
    a_list("ProviderClientConfig(...)", kind=ProviderClientConfig).argument("clients", values, shown=False)
    return tuple(values)


ValidateIdTokenPayload: TypeAlias = Callable[[dict[str, Any], "ProviderConfigForClient"], object]
"""Takes the claims of a verified id token and the configuration. It raises ``ProviderFailed`` to refuse them."""

ValidateAccessToken: TypeAlias = Callable[[str, "ProviderConfigForClient"], object]
"""Takes an access token that a client sent and the configuration. It raises ``ProviderFailed`` to refuse it."""

GenerateFakeEmail: TypeAlias = Callable[[str, str], str]
"""Takes the tenant and the user's id at the provider, and returns an address for a user who has none."""


@attrs.frozen(kw_only=True)
class ProviderConfig:
    """
    A provider with which users sign in. What it leaves out is known for the named providers.

    A parameter that is None in one of the dictionaries removes the default of that name.

    :param third_party_id: such as ``github``, or an id of the app's own choice.
    :param name: the name that sign-in pages show.
    :param clients: the app as it is registered at the provider, once for each kind of client.
    :param authorization_endpoint: the address that browsers are sent to.
    :param authorization_endpoint_query_params: further parameters of that address.
    :param token_endpoint: the address at which a code is exchanged for tokens.
    :param token_endpoint_body_params: further members of that request.
    :param user_info_endpoint: the address that says who a user is.
    :param user_info_endpoint_query_params: further parameters of that address.
    :param user_info_endpoint_headers: further headers of that request.
    :param jwks_uri: the address of the keys that sign id tokens.
    :param oidc_discovery_endpoint: the address of a discovery document, which has the addresses above.
    :param user_info_map: where the provider says who a user is.
    :param require_email: with False, users without an e-mail address sign in with an address that is made up.
    :param validate_id_token_payload: an app's own check. This and the next two are never stored in the core.
    :param validate_access_token: takes the place of the check that an access token was issued to this app.
    :param generate_fake_email: makes that address up.
    """

    third_party_id: str
    name: str | None = None
    clients: tuple[ProviderClientConfig, ...] = attrs.field(default=(), converter=_clients)
    authorization_endpoint: str | None = None
    authorization_endpoint_query_params: dict[str, Any] | None = None
    token_endpoint: str | None = None
    token_endpoint_body_params: dict[str, Any] | None = attrs.field(default=None, repr=False)
    user_info_endpoint: str | None = None
    user_info_endpoint_query_params: dict[str, Any] | None = attrs.field(default=None, repr=False)
    user_info_endpoint_headers: dict[str, Any] | None = attrs.field(default=None, repr=False)
    jwks_uri: str | None = attrs.field(default=None, metadata={"wire": "jwksURI"})
    oidc_discovery_endpoint: str | None = None
    user_info_map: UserInfoMap | None = None
    require_email: bool | None = None
    validate_id_token_payload: ValidateIdTokenPayload | None = attrs.field(default=None, metadata={"wire": None})
    validate_access_token: ValidateAccessToken | None = attrs.field(default=None, metadata={"wire": None})
    generate_fake_email: GenerateFakeEmail | None = attrs.field(default=None, metadata={"wire": None})


@attrs.frozen(kw_only=True)
class ProviderConfigForClient(ProviderConfig):
    """A provider and the one of its clients that a request is for, complete with what is known of the provider."""

    client_id: str
    client_secret: str | None = attrs.field(default=None, repr=False)
    client_type: str | None = None
    scope: tuple[str, ...] | None = None
    force_pkce: bool | None = None
    additional_config: dict[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen
class ThirdPartyOfTenant:
    """The providers of a tenant."""

    providers: tuple[ProviderConfig, ...] = ()


@attrs.frozen(kw_only=True)
class TenantConfig(Ok):
    """
    A tenant as the core has it.

    :param first_factors: with which its users may begin to sign in; None for those of the app, empty for none.
    :param required_secondary_factors: which they need beside, None for those of the app.
    :param core_config: the core's settings that the tenant has for itself.
    """

    tenant_id: str
    first_factors: tuple[str, ...] | None = None
    required_secondary_factors: tuple[str, ...] | None = None
    core_config: dict[str, Any] = attrs.field(factory=dict)
    third_party: ThirdPartyOfTenant = ThirdPartyOfTenant()

    @property
    def third_party_providers(self) -> tuple[ProviderConfig, ...]:
        """The providers that the core has for the tenant."""
        return self.third_party.providers


NO_CHANGE: Final = ("NO_CHANGE",)
"""Leaves a list of factors as it is."""


_FACTORS_OR_NONE: Any = attrs.validators.optional(a_list('factors such as ["emailpassword"]', kind=str))


@attrs.frozen(kw_only=True)
class TenantConfigCreateOrUpdate:
    """
    What is set of a tenant. What is not named stays as it is.

    :param first_factors: None for those of the app.
    :param required_secondary_factors: None for those of the app.
    :param core_config: settings of the core. One that is None is reset.
    :raises ConfigError: a list of factors is something else.
    """

    first_factors: Iterable[str] | None = attrs.field(default=NO_CHANGE, validator=_FACTORS_OR_NONE)
    required_secondary_factors: Iterable[str] | None = attrs.field(default=NO_CHANGE, validator=_FACTORS_OR_NONE)
    core_config: dict[str, Any] = attrs.field(factory=dict)


class TenantNotFound(Outcome):
    """No tenant has this id."""

    status: ClassVar[Literal["TENANT_NOT_FOUND_ERROR"]] = "TENANT_NOT_FOUND_ERROR"


@attrs.frozen
class TenantSet(Ok):
    """The tenant, or the provider, is set."""

    created_new: bool


@attrs.frozen
class TenantDeleted(Ok):
    """There is no such tenant any more."""

    did_exist: bool


@attrs.frozen
class Tenants(Ok):
    """All tenants."""

    tenants: tuple[TenantConfig, ...]


@attrs.frozen
class ThirdPartyConfigDeleted(Ok):
    """The tenant does not have the provider any more."""

    did_config_exist: bool


@attrs.frozen
class UserAssociated(Ok):
    """The login method can be used in the tenant."""

    was_already_associated: bool


class ThirdPartyUserAlreadyExists(Outcome):
    """Another user of the tenant has this account of a provider."""

    status: ClassVar[Literal["THIRD_PARTY_USER_ALREADY_EXISTS_ERROR"]] = "THIRD_PARTY_USER_ALREADY_EXISTS_ERROR"


class AssociationNotAllowed(Refusal):
    """The login method is linked to a user who would collide with another one of the tenant."""

    status: ClassVar[Literal["ASSOCIATION_NOT_ALLOWED_ERROR"]] = "ASSOCIATION_NOT_ALLOWED_ERROR"


Association: TypeAlias = (
    UserAssociated
    | UnknownUserId
    | EmailAlreadyExists
    | PhoneNumberAlreadyExists
    | ThirdPartyUserAlreadyExists
    | AssociationNotAllowed
)


@attrs.frozen
class UserDisassociated(Ok):
    """The login method cannot be used in the tenant."""

    was_associated: bool


@attrs.frozen
class LoginProvider:
    """A provider as a sign-in page shows it."""

    id: str
    name: str | None = None


@attrs.frozen
class LoginMethodEnabled:
    """Whether a recipe can be used in a tenant."""

    enabled: bool


@attrs.frozen
class ThirdPartyEnabled:
    """Whether providers can be used in a tenant, and which."""

    enabled: bool
    providers: tuple[LoginProvider, ...]


@attrs.frozen(kw_only=True)
class LoginMethods(Ok):
    """How the users of a tenant sign in."""

    email_password: LoginMethodEnabled
    passwordless: LoginMethodEnabled
    third_party: ThirdPartyEnabled
    webauthn: LoginMethodEnabled
    first_factors: tuple[str, ...]


ProvidersOfTenant: TypeAlias = Callable[[TenantConfig, "str | None"], Iterable[LoginProvider]]
"""Takes a tenant and a client type, and returns the providers for its sign-in page."""
