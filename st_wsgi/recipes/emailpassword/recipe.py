"""The emailpassword recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...recipe_kit.recipe import Recipe, Requires
from ..session import Session
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
    :param email_delivery: sends the mails that reset passwords; the console in development.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = "emailpassword"
    requires: ClassVar[Requires] = (Session,)
    routes = ROUTES
