"""The settings of the emailverification recipe, and whose e-mail address is verified."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ...accounts import user_by_id
from ...checks import a_function, one_of
from ...recipe_kit.mail import MailSettings
from ...recipe_kit.results import UnknownUserId
from ...users import RecipeUserId
from .types import EmailDoesNotExist, EmailInfo, EmailOfUser, GetEmailForRecipeUserId, Mode


@attrs.define(kw_only=True, eq=False, slots=False)
class EmailVerificationSettings(MailSettings):
    """
    The settings of the recipe, for its functions and APIs.

    :ivar on_verified: set by the accountlinking recipe: it may link the login method now. None without it.
    """

    page = "/verify-email"
    mail_kind = "EMAIL_VERIFICATION"

    mode: Mode = attrs.field(validator=one_of("REQUIRED", "OPTIONAL"))
    get_email_for_recipe_user_id: GetEmailForRecipeUserId | None = attrs.field(
        default=None, validator=a_function("the id of a login method")
    )
    on_verified: Callable[[RecipeUserId, str], None] | None = attrs.field(init=False, repr=False, default=None)

    def email_of(self, recipe_user_id: RecipeUserId) -> EmailInfo:
        """Return the e-mail address of a login method: the app's setting is asked first, then the core."""
        if self.get_email_for_recipe_user_id is not None:
            info = self.get_email_for_recipe_user_id(recipe_user_id)
            if not isinstance(info, UnknownUserId):
                return info
        user = user_by_id(self.services.core, recipe_user_id.value)
        if user is None:
            return UnknownUserId()
        method = user.login_method(recipe_user_id)
        return EmailDoesNotExist() if method is None or method.email is None else EmailOfUser(method.email)
