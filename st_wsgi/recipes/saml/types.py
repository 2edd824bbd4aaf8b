"""Results and values of the saml recipe."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import attrs

from ...recipe_kit.results import Ok, Outcome


@attrs.frozen(kw_only=True)
class SamlClient(Ok):
    """
    An identity provider of a tenant, as the core has it.

    :param client_id: the provider's ``client_id`` in the configuration of the thirdparty recipe.
    :param redirect_uris: the addresses that browsers may be sent to after the sign-in.
    :param idp_entity_id: the entity id in the metadata of the identity provider.
    """

    client_id: str
    client_secret: str | None = attrs.field(default=None, repr=False)
    redirect_uris: tuple[str, ...] = attrs.field(metadata={"wire": "redirectURIs"})
    default_redirect_uri: str = attrs.field(metadata={"wire": "defaultRedirectURI"})
    idp_entity_id: str
    idp_signing_certificate: str | None = attrs.field(default=None, repr=False)
    allow_idp_initiated_login: bool = attrs.field(default=False, metadata={"wire": "allowIDPInitiatedLogin"})
    enable_request_signing: bool = False


@attrs.frozen
class SamlClients(Ok):
    """All identity providers of a tenant."""

    clients: tuple[SamlClient, ...]


class DuplicateIdpEntity(Outcome):
    """Another client of the tenant has this identity provider."""

    status: ClassVar[Literal["DUPLICATE_IDP_ENTITY_ERROR"]] = "DUPLICATE_IDP_ENTITY_ERROR"


class InvalidMetadataXml(Outcome):
    """The text is no metadata of a SAML identity provider."""

    status: ClassVar[Literal["INVALID_METADATA_XML_ERROR"]] = "INVALID_METADATA_XML_ERROR"


@attrs.frozen
class SamlClientRemoved(Ok):
    """There is no such client any more."""

    did_exist: bool


@attrs.frozen
class LoginRequest(Ok):
    """The address at the identity provider that the browser is sent to."""

    redirect_uri: str = attrs.field(metadata={"wire": "ssoRedirectURI"})


@attrs.frozen
class SamlResponseVerified(Ok):
    """The address of the app that the browser is sent to. It contains a code, which is an access token."""

    redirect_uri: str = attrs.field(repr=False, metadata={"wire": "redirectURI"})


class InvalidClient(Outcome):
    """The tenant has no such client, or the client has no such redirect URI."""

    status: ClassVar[Literal["INVALID_CLIENT_ERROR"]] = "INVALID_CLIENT_ERROR"


class InvalidRelayState(Outcome):
    """No sign-in began with this relay state, or it began too long ago."""

    status: ClassVar[Literal["INVALID_RELAY_STATE_ERROR"]] = "INVALID_RELAY_STATE_ERROR"


class SamlResponseNotVerified(Outcome):
    """The SAML response is not genuine, not for this app, too old, or not SAML at all."""

    status: ClassVar[Literal["SAML_RESPONSE_VERIFICATION_FAILED_ERROR"]] = "SAML_RESPONSE_VERIFICATION_FAILED_ERROR"


class IdpLoginDisallowed(Outcome):
    """The client does not allow sign-ins that begin at the identity provider."""

    status: ClassVar[Literal["IDP_LOGIN_DISALLOWED_ERROR"]] = "IDP_LOGIN_DISALLOWED_ERROR"


@attrs.frozen(kw_only=True)
class SamlUserInfo(Ok):
    """
    Who signed in.

    :param sub: the user's id at the identity provider; None if the assertion has none.
    :param claims: all attributes of the assertion.
    """

    sub: str | None = None
    email: str | None = None
    claims: dict[str, Any] = attrs.field(factory=dict, repr=False)


class InvalidToken(Outcome):
    """The access token is unknown, was used before, has expired, or belongs to another client."""

    status: ClassVar[Literal["INVALID_TOKEN_ERROR"]] = "INVALID_TOKEN_ERROR"
