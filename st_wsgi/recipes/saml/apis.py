"""The APIs of the saml recipe: interface and default implementation."""

from __future__ import annotations

from ...recipe_kit.recipe import APIs, Settings
from ...recipe_kit.results import GeneralError
from ...request.context import RequestContext
from .functions import SamlFunctions
from .types import (
    IdpLoginDisallowed,
    InvalidClient,
    InvalidRelayState,
    LoginRequest,
    SamlResponseNotVerified,
    SamlResponseVerified,
)


class SamlAPIs(APIs[Settings, SamlFunctions]):
    """The APIs of the saml recipe. An override may be None, which switches the route off."""

    def login_get(
        self, *, client_id: str, redirect_uri: str, state: str | None, tenant_id: str, context: RequestContext
    ) -> LoginRequest | InvalidClient | GeneralError:
        """Begin a sign-in. The core knows whether the client has this redirect URI."""
        return self.functions.create_login_request(
            client_id=client_id,
            redirect_uri=redirect_uri,
            acs_url=f"{context.services.app_info.issuer}/{tenant_id}/saml/callback",
            state=state,
            tenant_id=tenant_id,
        )

    def callback_post(
        self, *, saml_response: str, relay_state: str | None, tenant_id: str, context: RequestContext
    ) -> (
        SamlResponseVerified
        | SamlResponseNotVerified
        | InvalidRelayState
        | InvalidClient
        | IdpLoginDisallowed
        | GeneralError
    ):
        """Have the core verify a SAML response, and return the redirect URI with a code."""
        return self.functions.verify_saml_response(
            saml_response=saml_response, relay_state=relay_state, tenant_id=tenant_id
        )
