"""The accountlinking recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...accounts import user_by_id
from ...recipe_kit.recipe import NoAPIs, Recipe, Requires
from ...services import Services
from ...users import RecipeUserId
from ..emailverification import EmailVerification
from ..session import Session
from .functions import AccountLinkingFunctions
from .settings import AccountLinkingSettings


@attrs.define(kw_only=True, eq=False, slots=False)
class AccountLinking(AccountLinkingSettings, Recipe[AccountLinkingFunctions, NoAPIs]):
    """
    Several login methods of one user, linked by the app's own code or automatically.

    :param should_do_automatic_account_linking: decides whether accounts are linked when a user signs in, signs up or
        verifies an address. None links nothing.
    :param on_account_linked: is called with the user and the login method after each link, in the thread that links.
    :param override: replacements of functions.
    :raises ConfigError: a setting is not usable.
    """

    id = "accountlinking"
    requires: ClassVar[Requires] = (Session,)
    follows: ClassVar[Requires] = (EmailVerification,)

    def bind(self, services: Services) -> None:
        super().bind(services)
        verification = services.find(EmailVerification)
        if verification is not None and self.is_automatic:
            verification.on_verified = self._link_verified

    def _link_verified(self, recipe_user_id: RecipeUserId, tenant_id: str) -> None:
        # The app may verify addresses of users that the core does not know.
        if user_by_id(self.core, recipe_user_id.value) is not None:
            self.functions.create_primary_user_id_or_link_accounts(recipe_user_id=recipe_user_id, tenant_id=tenant_id)
