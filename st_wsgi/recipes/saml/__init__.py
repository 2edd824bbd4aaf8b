"""
SAML: users sign in with the identity provider of their organisation.

::

    from st_wsgi.recipes.saml import create_or_update_client

    def client_id_for(tenant_id, metadata_xml):
        return create_or_update_client(
            redirect_uris=["https://shop.example/auth/callback/saml"],
            default_redirect_uri="https://shop.example/auth/callback/saml",
            metadata_xml=metadata_xml,
            tenant_id=tenant_id,
        ).client_id

The client id goes into the configuration of the tenant's provider ``saml``. SAML needs an official core.
"""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from .apis import SamlAPIs
from .functions import SamlFunctions
from .recipe import Saml
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

__all__ = [
    "DuplicateIdpEntity",
    "IdpLoginDisallowed",
    "InvalidClient",
    "InvalidMetadataXml",
    "InvalidRelayState",
    "InvalidToken",
    "LoginRequest",
    "Saml",
    "SamlAPIs",
    "SamlClient",
    "SamlClientRemoved",
    "SamlClients",
    "SamlFunctions",
    "SamlResponseNotVerified",
    "SamlResponseVerified",
    "SamlUserInfo",
    "create_login_request",
    "create_or_update_client",
    "get_user_info",
    "list_clients",
    "remove_client",
    "verify_saml_response",
]

create_login_request: Final = user_facing(Saml, SamlFunctions.create_login_request)
create_or_update_client: Final = user_facing(Saml, SamlFunctions.create_or_update_client)
get_user_info: Final = user_facing(Saml, SamlFunctions.get_user_info)
list_clients: Final = user_facing(Saml, SamlFunctions.list_clients)
remove_client: Final = user_facing(Saml, SamlFunctions.remove_client)
verify_saml_response: Final = user_facing(Saml, SamlFunctions.verify_saml_response)
