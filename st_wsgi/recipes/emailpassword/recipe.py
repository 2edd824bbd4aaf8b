"""The emailpassword recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...recipe_kit.recipe import Recipe, Requires
from ...services import Services
from ..multifactorauth import MultiFactorAuth
from ..multifactorauth.decisions import factor_by_email
from ..multitenancy import Multitenancy
from ..multitenancy.types import EMAIL_PASSWORD
from ..session import Session
from ..signing_in import offer_factors
from .apis import EmailPasswordAPIs
from .functions import EmailPasswordFunctions
from .routes import ROUTES
from .settings import EmailPasswordSettings


@attrs.define(kw_only=True, eq=False, slots=False)
class EmailPassword(EmailPasswordSettings, Recipe[EmailPasswordFunctions, EmailPasswordAPIs]):
    """
    Sign up and in with e-mail and password.

    ::

        EmailPassword(sign_up_feature=SignUpFeature(form_fields=[FormField(id="name")]))

    :param sign_up_feature: the sign-up form.
    :param password_policy: rules for new passwords, such as ``PasswordPolicy()``. Default: SuperTokens' own, 8 to 99
        characters with a letter and a digit.
    :param end_sessions_on_change: a changed password or e-mail address ends all sessions of the user but the one of the
        request.
    :param send_change_notices: send a mail to the user whose password or e-mail address was changed. After a change
        of the address, it goes to the former address.
    :param email_delivery: sends the mails that reset passwords; the console in development.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = "emailpassword"
    requires: ClassVar[Requires] = (Session, Multitenancy)
    follows: ClassVar[Requires] = (MultiFactorAuth,)
    routes = ROUTES

    def bind(self, services: Services) -> None:
        super().bind(services)
        offer_factors(services, [EMAIL_PASSWORD], factor_by_email(EMAIL_PASSWORD, makes_up=True))
