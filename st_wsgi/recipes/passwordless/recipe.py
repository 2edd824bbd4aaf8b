"""The passwordless recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...recipe_kit.recipe import Recipe, Requires
from ...services import Services
from ..multifactorauth import MultiFactorAuth
from ..multifactorauth.decisions import factors_by_code
from ..multitenancy import Multitenancy
from ..session import Session
from ..signing_in import offer_factors
from .apis import PasswordlessAPIs
from .functions import PasswordlessFunctions
from .routes import ROUTES
from .settings import PasswordlessSettings
from .types import PASSWORDLESS


@attrs.define(kw_only=True, eq=False, slots=False)
class Passwordless(PasswordlessSettings, Recipe[PasswordlessFunctions, PasswordlessAPIs]):
    """
    Sign in, or up, with a code or a link that comes by mail or by text message.

    ::

        Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE")

    :param contact_config: where messages go: ``ContactEmailOnlyConfig()``, ``ContactPhoneOnlyConfig()`` or
        ``ContactEmailOrPhoneConfig()``, each with the app's own rules for addresses and numbers.
    :param flow_type: what a message has: ``USER_INPUT_CODE``, ``MAGIC_LINK`` or ``USER_INPUT_CODE_AND_MAGIC_LINK``.
    :param get_custom_user_input_code: returns the codes that users type in; by default the core makes six digits. It is
        called once for each code, with the tenant and the context of the request.
    :param email_delivery: sends the mails; the console in development.
    :param sms_delivery: sends the text messages; the console in development.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = PASSWORDLESS
    requires: ClassVar[Requires] = (Session, Multitenancy)
    follows: ClassVar[Requires] = (MultiFactorAuth,)
    routes = ROUTES

    def bind(self, services: Services) -> None:
        super().bind(services)
        factors = self.factors("email", "sms")
        offer_factors(services, factors, factors_by_code(PASSWORDLESS, factors))
