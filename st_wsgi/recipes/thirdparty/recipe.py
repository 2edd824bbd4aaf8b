"""The thirdparty recipe."""

from __future__ import annotations

import logging
from typing import ClassVar

import attrs
from werkzeug.wrappers import Response

from ...errors import Answerable, ProviderFailed
from ...recipe_kit.recipe import Answers, Recipe, Requires
from ...request.context import RequestContext
from ...services import Services
from ..multitenancy import Multitenancy
from ..multitenancy.types import THIRD_PARTY
from ..saml import Saml
from ..session import Session
from .apis import ThirdPartyAPIs
from .functions import ThirdPartyFunctions
from .routes import ROUTES
from .settings import ThirdPartySettings

_log = logging.getLogger("st_wsgi.thirdparty")


@attrs.define(kw_only=True, eq=False, slots=False)
class ThirdParty(ThirdPartySettings, Recipe[ThirdPartyFunctions, ThirdPartyAPIs]):
    """
    Sign in, or up, with an account at a provider such as Google or GitHub.

    ::

        ThirdParty(
            providers=[
                ProviderInput(
                    config=ProviderConfig(
                        third_party_id="google",
                        clients=[ProviderClientConfig(client_id="1234", client_secret="from-your-secrets")],
                    )
                )
            ]
        )

    :param providers: the providers of the app. A tenant may have others in the core.
    :param redirect_uris: further addresses that providers send browsers to, such as ``com.example.app://callback`` of a
        phone's app. Those on the website and on the API are good anyway.
    :param is_valid_frontend_redirect_uri: returns True for addresses that Apple's form may be passed on to; by default,
        those on the website.
    :param allow_private_networks: also call providers in private networks, and on this machine without TLS. A person
        who may set a tenant's providers can then make the app call servers in your network.
    :param timeout: seconds that one call to a provider may take.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = THIRD_PARTY
    requires: ClassVar[Requires] = (Session, Multitenancy)
    follows: ClassVar[Requires] = (Saml,)
    routes = ROUTES
    answers: ClassVar[Answers] = (ProviderFailed,)

    def bind(self, services: Services) -> None:
        super().bind(services)
        multitenancy = services.get(Multitenancy)
        multitenancy.add_first_factors([THIRD_PARTY])
        multitenancy.providers_of_tenant = self.login_providers

    def answer(self, error: Answerable, context: RequestContext) -> Response:
        """Return the response to a failure of a provider, which is also logged and an event."""
        _log.warning("signing in failed, tenant %s, provider %s", context.tenant_id, error)
        context.record("sign_in_failed", reason="PROVIDER_FAILED", recipe_id=THIRD_PARTY)
        return error.plain_response()
