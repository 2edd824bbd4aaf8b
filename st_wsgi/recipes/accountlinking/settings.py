"""The settings of the accountlinking recipe, and which address becomes verified by a link."""

from __future__ import annotations

import attrs

from ...checks import a_function
from ...recipe_kit.recipe import Settings
from ...users import LoginMethod, User
from ..emailverification import EmailVerification
from ..emailverification.types import VerificationToken
from .types import OnAccountLinked


@attrs.define(kw_only=True, eq=False, slots=False)
class AccountLinkingSettings(Settings):
    """The lower half of the recipe."""

    on_account_linked: OnAccountLinked | None = attrs.field(
        default=None, validator=a_function("a user and the login method that was linked")
    )

    def verify_if_another_method_is(self, user: User, method: LoginMethod) -> bool:
        """
        Verify the e-mail address of a login method if the user has verified it for another one.

        :returns: whether it is verified now and was not before.
        """
        verification = self.services.find(EmailVerification)
        known = any(other.verified and other.email == method.email for other in user.login_methods)
        if verification is None or method.email is None or method.verified or not known:
            return False
        functions, tenant_id = verification.functions, method.tenant_ids[0]
        token = functions.create_email_verification_token(
            recipe_user_id=method.recipe_user_id, email=method.email, tenant_id=tenant_id
        )
        if isinstance(token, VerificationToken):
            functions.verify_email_using_token(token=token.token, tenant_id=tenant_id)
        return True
