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
from .apis import SamlAPIs as SamlAPIs
from .functions import SamlFunctions as SamlFunctions
from .recipe import Saml as Saml
from .types import (
    DuplicateIdpEntity as DuplicateIdpEntity,
    IdpLoginDisallowed as IdpLoginDisallowed,
    InvalidClient as InvalidClient,
    InvalidMetadataXml as InvalidMetadataXml,
    InvalidRelayState as InvalidRelayState,
    InvalidToken as InvalidToken,
    LoginRequest as LoginRequest,
    SamlClient as SamlClient,
    SamlClientRemoved as SamlClientRemoved,
    SamlClients as SamlClients,
    SamlResponseNotVerified as SamlResponseNotVerified,
    SamlResponseVerified as SamlResponseVerified,
    SamlUserInfo as SamlUserInfo,
)

create_login_request: Final = user_facing(Saml, SamlFunctions.create_login_request)
create_or_update_client: Final = user_facing(Saml, SamlFunctions.create_or_update_client)
get_user_info: Final = user_facing(Saml, SamlFunctions.get_user_info)
list_clients: Final = user_facing(Saml, SamlFunctions.list_clients)
remove_client: Final = user_facing(Saml, SamlFunctions.remove_client)
verify_saml_response: Final = user_facing(Saml, SamlFunctions.verify_saml_response)
