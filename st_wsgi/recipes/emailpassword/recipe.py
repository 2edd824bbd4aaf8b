"""The emailpassword recipe."""

from __future__ import annotations

import attrs

from ...recipe_kit.override import Override
from ...recipe_kit.recipe import Recipe
from ...services import Services
from ..session import Session
from .apis import EmailPasswordAPIs
from .fields import sign_in_fields, sign_up_fields, with_rules
from .functions import EmailPasswordFunctions
from .routes import ROUTES
from .types import EmailPasswordConfig, SignUpFeature


class EmailPassword(Recipe[EmailPasswordConfig, EmailPasswordFunctions, EmailPasswordAPIs]):
    """
    Sign up and in with e-mail and password.

    :param sign_up_feature: the sign-up form.
    :param override: changes of the functions and APIs.
    :raises ConfigError: the fields contradict each other.
    """

    id = "emailpassword"
    requires = (Session,)
    routes = ROUTES
    functions_class = EmailPasswordFunctions
    apis_class = EmailPasswordAPIs

    def __init__(
        self,
        *,
        sign_up_feature: SignUpFeature | None = None,
        override: Override[EmailPasswordFunctions, EmailPasswordAPIs] | None = None,
    ) -> None:
        fields = sign_up_fields(() if sign_up_feature is None else sign_up_feature.form_fields)
        super().__init__(EmailPasswordConfig(sign_up_fields=fields, sign_in_fields=sign_in_fields(fields)), override)

    def bind(self, services: Services) -> None:
        limit = services.password_byte_limit
        self.config = attrs.evolve(
            self.config,
            sign_up_fields=with_rules(self.config.sign_up_fields, byte_limit=limit),
            sign_in_fields=with_rules(self.config.sign_in_fields, byte_limit=limit),
        )
        super().bind(services)
