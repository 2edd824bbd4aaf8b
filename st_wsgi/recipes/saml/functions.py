"""The functions of the saml recipe: interface and default implementation."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable

from ...checks import a_list
from ...codec import present
from ...errors import CoreRefused
from ...recipe_kit.recipe import Functions, Settings
from ...users import PUBLIC_TENANT
from .types import (
    DuplicateIdpEntity,
    IdpLoginDisallowed,
    InvalidClient,
    InvalidMetadataXml,
    InvalidRelayState,
    InvalidToken,
    LoginRequest,
    SamlClient,
    SamlClientRemoved,
    SamlClients,
    SamlResponseNotVerified,
    SamlResponseVerified,
    SamlUserInfo,
)

_log = logging.getLogger("st_wsgi.saml")

_PATH = "/recipe/saml"
# Parts of the core's replies with status 400 to texts that are no SAML (CDI 5.4).
_NO_METADATA, _NO_RESPONSE = "valid SAML metadata", "malformed SAML response"


class SamlFunctions(Functions[Settings]):
    """
    The functions of the saml recipe (CDI 5.4, ``/recipe/saml``). The work with XML is the core's.

    :raises CoreRefused: from each of them, if the core has no SAML: the embedded core, and a core without the licence.
    """

    def create_or_update_client(
        self,
        *,
        redirect_uris: Iterable[str],
        default_redirect_uri: str,
        metadata_xml: str,
        client_id: str | None = None,
        client_secret: str | None = None,
        allow_idp_initiated_login: bool | None = None,
        enable_request_signing: bool | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> SamlClient | DuplicateIdpEntity | InvalidMetadataXml:
        """
        Register an identity provider, or change one.

        :param metadata_xml: the metadata of the identity provider, as XML or in base64.
        :param client_id: of the client to change; None registers a new one, whose id the core makes.
        """
        a_list("addresses", kind=str).argument("redirect_uris", redirect_uris)
        is_xml = metadata_xml.lstrip("\ufeff \t\r\n").startswith("<")
        body = {
            "redirectURIs": list(redirect_uris),
            "defaultRedirectURI": default_redirect_uri,
            "metadataXML": base64.b64encode(metadata_xml.encode()).decode() if is_xml else metadata_xml,
            "clientId": client_id,
            "clientSecret": client_secret,
            "allowIDPInitiatedLogin": allow_idp_initiated_login,
            "enableRequestSigning": enable_request_signing,
        }
        try:
            reply = self.core.put(f"{_PATH}/clients", present(body), tenant_id=tenant_id)
        except CoreRefused as refusal:
            if refusal.status == 400 and _NO_METADATA in refusal.text:
                return InvalidMetadataXml()
            raise
        return reply.into(SamlClient, DuplicateIdpEntity, InvalidMetadataXml)

    def list_clients(self, *, tenant_id: str = PUBLIC_TENANT) -> SamlClients:
        """Return all identity providers of a tenant."""
        return self.core.get(f"{_PATH}/clients/list", tenant_id=tenant_id).into(SamlClients)

    def remove_client(self, *, client_id: str, tenant_id: str = PUBLIC_TENANT) -> SamlClientRemoved:
        """Remove an identity provider."""
        return self.core.post(f"{_PATH}/clients/remove", {"clientId": client_id}, tenant_id=tenant_id).into(
            SamlClientRemoved
        )

    def create_login_request(
        self,
        *,
        client_id: str,
        redirect_uri: str,
        acs_url: str,
        state: str | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> LoginRequest | InvalidClient:
        """
        Begin a sign-in.

        :param redirect_uri: where the browser goes in the end; one of the client's.
        :param acs_url: where the identity provider sends the browser: the address of our route ``/saml/callback``.
        :param state: comes back with the code.
        """
        body = {"clientId": client_id, "redirectURI": redirect_uri, "acsURL": acs_url, "state": state}
        return self.core.post(f"{_PATH}/login", present(body), tenant_id=tenant_id).into(LoginRequest, InvalidClient)

    def verify_saml_response(
        self, *, saml_response: str, relay_state: str | None = None, tenant_id: str = PUBLIC_TENANT
    ) -> SamlResponseVerified | SamlResponseNotVerified | InvalidRelayState | InvalidClient | IdpLoginDisallowed:
        """
        Have the core verify a SAML response.

        :param saml_response: in base64, as the browser sent it.
        :param relay_state: as the browser sent it; None if the sign-in began at the identity provider.
        """
        body = {"samlResponse": saml_response, "relayState": relay_state}
        try:
            reply = self.core.post(f"{_PATH}/callback", present(body), tenant_id=tenant_id)
        except CoreRefused as refusal:
            # Anyone can send SAML responses. To some of them the official core replies with the status 500, such as to
            # a sign-in that began at an identity provider which it does not know. The app must not answer with 500.
            if refusal.status >= 500:
                _log.warning("a SAML response is refused, since %s", refusal)
            elif not (refusal.status == 400 and _NO_RESPONSE in refusal.text):
                raise
            return SamlResponseNotVerified()
        return reply.into(
            SamlResponseVerified, SamlResponseNotVerified, InvalidRelayState, InvalidClient, IdpLoginDisallowed
        )

    def get_user_info(
        self, *, access_token: str, client_id: str, tenant_id: str = PUBLIC_TENANT
    ) -> SamlUserInfo | InvalidToken:
        """Return who signed in. The access token is the code that the browser brought back."""
        body = {"accessToken": access_token, "clientId": client_id}
        return self.core.post(f"{_PATH}/user", body, tenant_id=tenant_id).into(SamlUserInfo, InvalidToken)
