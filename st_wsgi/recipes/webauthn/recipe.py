"""The webauthn recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...recipe_kit.recipe import Recipe, Requires
from ...services import Services
from ..multifactorauth import MultiFactorAuth
from ..multifactorauth.decisions import factor_by_email
from ..multitenancy import Multitenancy
from ..multitenancy.types import WEBAUTHN
from ..session import Session
from ..signing_in import offer_factors
from .apis import WebauthnAPIs
from .functions import WebauthnFunctions
from .routes import ROUTES
from .settings import WebauthnSettings


@attrs.define(kw_only=True, eq=False, slots=False)
class Webauthn(WebauthnSettings, Recipe[WebauthnFunctions, WebauthnAPIs]):
    """
    Sign up and in with passkeys.

    ::

        Webauthn(get_relying_party_id="shop.example", get_relying_party_name="The shop")

    Each of the first three settings is a text, or a function of the tenant and the context of the request.

    :param get_relying_party_id: the domain that passkeys belong to: the host of the website, or a domain above it.
        Default: the host of the API. Passkeys are lost when it changes.
    :param get_relying_party_name: what browsers show; the name of the app by default.
    :param get_origin: the origin of the page that asks for a passkey, or several in a list; the website's by default.
        An app for Android has ``android:apk-key-hash:`` and the hash of its key.
    :param validate_email_address: from the address and the tenant to an error text, or None if the address is good.
    :param end_sessions_on_change: a recovery or a changed e-mail address ends all sessions of the user but the one of
        the request.
    :param email_delivery: sends the mails of recovery; the console in development.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = WEBAUTHN
    requires: ClassVar[Requires] = (Session, Multitenancy)
    follows: ClassVar[Requires] = (MultiFactorAuth,)
    routes = ROUTES

    def bind(self, services: Services) -> None:
        super().bind(services)
        offer_factors(services, [WEBAUTHN], factor_by_email(WEBAUTHN))
