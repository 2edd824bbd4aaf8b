"""The APIs of the emailpassword recipe: interface and default implementation."""

from __future__ import annotations

from ...accounts import AccountInfo, user_by_id, users_by_account_info
from ...errors import FieldErrors
from ...recipe_kit.forms import EMAIL, PASSWORD, FieldValue, text_of
from ...recipe_kit.recipe import APIs
from ...recipe_kit.results import (
    EmailAlreadyExists,
    Exists,
    GeneralError,
    Ok,
    SignInNotAllowed,
    SignUpNotAllowed,
    UnknownUserId,
)
from ...request.context import RequestContext
from ...users import LoginMethod, RecipeUserId, User
from ..emailverification import EmailVerification, VerificationToken
from ..session import SessionContainer
from ..signing_in import EMAIL_PASSWORD, NO_LINKING, SignedIn, first_factors_allowed, is_fake, signed_in
from .functions import EmailPasswordFunctions
from .settings import EmailPasswordSettings
from .types import (
    InvalidResetToken,
    PasswordPolicyViolated,
    PasswordResetNotAllowed,
    PasswordResetPostOk,
    ResetToken,
    ResetTokenConsumed,
    WrongCredentials,
)

_TAKE_OVER_RISK = (
    "Reset password link was not created because of account take over risk. Please contact support. (ERR_CODE_001)"
)


class EmailPasswordAPIs(APIs[EmailPasswordSettings, EmailPasswordFunctions]):
    """The APIs of the emailpassword recipe. An override may be None, which switches the route off."""

    def sign_up_post(
        self,
        *,
        form_fields: tuple[FieldValue, ...],
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> SignedIn | SignUpNotAllowed | GeneralError:
        """
        Sign a user up, and in.

        :param session: of the user that the new login method is to be linked to.
        :raises FieldErrors: the e-mail is taken.
        :raises Unauthorised: the tenant does not allow this first factor.
        """
        if session is not None:
            return SignUpNotAllowed(NO_LINKING)
        first_factors_allowed(context, [EMAIL_PASSWORD], tenant_id=tenant_id)
        email, password = text_of(form_fields, EMAIL), text_of(form_fields, PASSWORD)
        result = (
            EmailAlreadyExists()
            if is_fake(email)
            else self.functions.sign_up(email=email, password=password, tenant_id=tenant_id)
        )
        if isinstance(result, EmailAlreadyExists):
            raise FieldErrors([(EMAIL, "This email already exists. Please sign in instead.")])
        return signed_in(
            context, user=result.user, recipe_user_id=result.recipe_user_id, tenant_id=tenant_id, signed_up=True
        )

    def sign_in_post(
        self,
        *,
        form_fields: tuple[FieldValue, ...],
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> SignedIn | WrongCredentials | SignInNotAllowed | GeneralError:
        """
        Sign a user in.

        :param session: of the user that the login method is to be linked to.
        :raises Unauthorised: the tenant does not allow this first factor.
        """
        if session is not None:
            return SignInNotAllowed(NO_LINKING)
        first_factors_allowed(context, [EMAIL_PASSWORD], tenant_id=tenant_id)
        email, password = text_of(form_fields, EMAIL), text_of(form_fields, PASSWORD)
        result = (
            WrongCredentials()
            if is_fake(email)
            else self.functions.sign_in(email=email, password=password, tenant_id=tenant_id)
        )
        if isinstance(result, WrongCredentials):
            context.record(
                "sign_in_failed", tenant_id=tenant_id, reason=result.status, recipe_id="emailpassword", account=email
            )
            return result
        return signed_in(context, user=result.user, recipe_user_id=result.recipe_user_id, tenant_id=tenant_id)

    def email_exists_get(self, *, email: str, tenant_id: str, context: RequestContext) -> Exists | GeneralError:
        """Return whether a user of this tenant has signed up with this e-mail and a password."""
        users = self._users_with(email, tenant_id)
        return Exists(any(_method_of(user, email, tenant_id) is not None for user in users))

    def generate_password_reset_token_post(
        self, *, form_fields: tuple[FieldValue, ...], tenant_id: str, context: RequestContext
    ) -> Ok | PasswordResetNotAllowed | GeneralError:
        """
        Send the user with this e-mail address the mail that sets a new password.

        The response says nothing about whether an account exists: the token is created and the mail is sent in the
        background.
        """
        email = text_of(form_fields, EMAIL)
        users = self._users_with(email, tenant_id)
        primary = next((user for user in users if user.is_primary_user), None)
        if primary is not None and _is_take_over_risk(primary, email):
            return PasswordResetNotAllowed(_TAKE_OVER_RISK)
        method = next((method for user in users if (method := _method_of(user, email, tenant_id))), None)
        user_id = None if method is None else method.recipe_user_id.value
        # Without an account, too: the response must not take another time.
        self.recipe.background.run(lambda: self._send_reset_mail(user_id, email, tenant_id))
        return Ok()

    def password_reset_post(
        self, *, form_fields: tuple[FieldValue, ...], token: str, tenant_id: str, context: RequestContext
    ) -> PasswordResetPostOk | InvalidResetToken | GeneralError:
        """
        Set a new password with the token of a mail. The mail was read, so its address is verified by that, too.

        :raises FieldErrors: an override of ``update_email_or_password`` refuses the password.
        """
        consumed = self.functions.consume_password_reset_token(token=token, tenant_id=tenant_id)
        if not isinstance(consumed, ResetTokenConsumed):
            return consumed
        user = user_by_id(self.recipe.services.core, consumed.user_id)
        methods = () if user is None else user.login_methods
        recipe_user_id = RecipeUserId(consumed.user_id)
        if user is None or ("emailpassword", recipe_user_id) not in [(m.recipe_id, m.recipe_user_id) for m in methods]:
            return InvalidResetToken()
        outcome = self.functions.update_email_or_password(
            recipe_user_id=recipe_user_id,
            password=text_of(form_fields, PASSWORD),
            # The form was held to it. A list of breaches that replies only now would refuse after the token is used up.
            apply_password_policy=False,
            tenant_id_for_password_policy=tenant_id,
        )
        if isinstance(outcome, PasswordPolicyViolated):
            raise FieldErrors([(PASSWORD, outcome.failure_reason)])
        if isinstance(outcome, UnknownUserId):
            return InvalidResetToken()
        self._mark_as_verified(recipe_user_id, consumed.email, tenant_id)
        return PasswordResetPostOk(user=user_by_id(self.recipe.services.core, user.id) or user, email=consumed.email)

    def _users_with(self, email: str, tenant_id: str) -> tuple[User, ...]:
        info = AccountInfo(email=email)
        return users_by_account_info(self.recipe.services.core, account_info=info, tenant_id=tenant_id)

    def _send_reset_mail(self, user_id: str | None, email: str, tenant_id: str) -> None:
        if user_id is None:
            return
        self.functions.context.record("password_reset_requested", tenant_id=tenant_id, user_id=user_id)
        outcome = self.functions.create_reset_password_token(user_id=user_id, email=email, tenant_id=tenant_id)
        if isinstance(outcome, ResetToken):
            message = self.recipe.mail_with_link(token=outcome.token, email=email, user_id=user_id, tenant_id=tenant_id)
            self.functions.send_email(message=message)

    def _mark_as_verified(self, recipe_user_id: RecipeUserId, email: str, tenant_id: str) -> None:
        verification = self.recipe.services.find(EmailVerification)
        if verification is None:
            return
        outcome = verification.functions.create_email_verification_token(
            recipe_user_id=recipe_user_id, email=email, tenant_id=tenant_id
        )
        if isinstance(outcome, VerificationToken):
            verification.functions.verify_email_using_token(token=outcome.token, tenant_id=tenant_id)


def _method_of(user: User, email: str, tenant_id: str) -> LoginMethod | None:
    """Return the login method with this e-mail address and a password in this tenant, or None."""
    for method in user.login_methods:
        if method.recipe_id == "emailpassword" and method.email == email and tenant_id in method.tenant_ids:
            return method
    return None


def _is_take_over_risk(primary: User, email: str) -> bool:
    """
    Return whether a reset by this address could open another person's account.

    That is so when the address was never verified as the user's, while the user has other ways to be reached.
    """
    is_verified = any(method.email == email and method.verified for method in primary.login_methods)
    has_other = any(method.phone_number or method.email not in (None, email) for method in primary.login_methods)
    return has_other and not is_verified
