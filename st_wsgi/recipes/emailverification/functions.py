"""The functions of the emailverification recipe: interface and default implementation."""

from __future__ import annotations

from ...recipe_kit.mail import MailFunctions
from ...users import PUBLIC_TENANT, RecipeUserId
from .settings import EmailVerificationSettings
from .types import EmailAlreadyVerified, EmailVerified, InvalidVerificationToken, VerificationToken

_PATH = "/recipe/user/email/verify"


class EmailVerificationFunctions(MailFunctions[EmailVerificationSettings]):
    """The functions of the emailverification recipe (CDI 5.4, ``/recipe/user/email/verify`` and what is below)."""

    def create_email_verification_token(
        self, *, recipe_user_id: RecipeUserId, email: str, tenant_id: str = PUBLIC_TENANT
    ) -> VerificationToken | EmailAlreadyVerified:
        """Create a token that verifies an e-mail address of a login method."""
        body = {"userId": recipe_user_id.value, "email": email}
        return self.core.post(f"{_PATH}/token", body, tenant_id=tenant_id).into(VerificationToken, EmailAlreadyVerified)

    def verify_email_using_token(
        self, *, token: str, attempt_account_linking: bool = True, tenant_id: str = PUBLIC_TENANT
    ) -> EmailVerified | InvalidVerificationToken:
        """
        Verify the e-mail address that a token was created for. The token cannot be used again.

        :param attempt_account_linking: link the login method, if the accountlinking recipe links automatically.
        """
        body = {"method": "token", "token": token}
        outcome = self.core.post(_PATH, body, tenant_id=tenant_id).into(EmailVerified, InvalidVerificationToken)
        if isinstance(outcome, EmailVerified):
            self.context.record("email_verified", tenant_id=tenant_id, user_id=outcome.recipe_user_id.value)
            if attempt_account_linking and self.recipe.on_verified is not None:
                self.recipe.on_verified(outcome.recipe_user_id, tenant_id)
        return outcome

    def is_email_verified(self, *, recipe_user_id: RecipeUserId, email: str) -> bool:
        """Return whether an e-mail address of a login method is verified."""
        return self.core.get(_PATH, {"userId": recipe_user_id.value, "email": email}).ok(bool, "isVerified")

    def revoke_email_verification_tokens(
        self, *, recipe_user_id: RecipeUserId, email: str, tenant_id: str = PUBLIC_TENANT
    ) -> None:
        """Make all tokens for an e-mail address of a login method useless."""
        body = {"userId": recipe_user_id.value, "email": email}
        self.core.post(f"{_PATH}/token/remove", body, tenant_id=tenant_id).check()

    def unverify_email(self, *, recipe_user_id: RecipeUserId, email: str) -> None:
        """Make an e-mail address of a login method unverified again."""
        self.core.post(f"{_PATH}/remove", {"userId": recipe_user_id.value, "email": email}).check()
        self.context.record("email_unverified", user_id=recipe_user_id.value)
