"""The emailverification recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...recipe_kit.recipe import Recipe, Requires
from ...services import Services
from ...users import RecipeUserId
from ..session import Session
from .apis import EmailVerificationAPIs
from .claims import EmailVerificationClaim
from .functions import EmailVerificationFunctions
from .routes import ROUTES
from .settings import EmailVerificationSettings
from .types import VerificationToken


@attrs.define(kw_only=True, eq=False, slots=False)
class EmailVerification(EmailVerificationSettings, Recipe[EmailVerificationFunctions, EmailVerificationAPIs]):
    """
    Proof that users read mails to their addresses.

    :param mode: ``REQUIRED`` refuses sessions of unverified users with 403, except in our own routes; ``OPTIONAL``
        leaves it to the views.
    :param get_email_for_recipe_user_id: returns the address of login methods that the core does not know.
    :param email_delivery: sends the mails; the console in development.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = "emailverification"
    requires: ClassVar[Requires] = (Session,)
    routes = ROUTES

    def bind(self, services: Services) -> None:
        super().bind(services)
        session = services.get(Session)
        session.add_claim(EmailVerificationClaim)
        if self.mode == "REQUIRED":
            session.add_claim_validator(EmailVerificationClaim.is_verified())


def mark_as_verified(services: Services, recipe_user_id: RecipeUserId, email: str, *, tenant_id: str) -> bool:
    """
    Verify an address that its owner has proved in another way than by our mail, and link nothing.

    :returns: whether the app has the emailverification recipe.
    """
    verification = services.find(EmailVerification)
    if verification is None:
        return False
    functions = verification.functions
    token = functions.create_email_verification_token(recipe_user_id=recipe_user_id, email=email, tenant_id=tenant_id)
    if isinstance(token, VerificationToken):
        functions.verify_email_using_token(token=token.token, attempt_account_linking=False, tenant_id=tenant_id)
    return True
