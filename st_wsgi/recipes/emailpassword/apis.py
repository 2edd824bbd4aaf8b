"""The APIs of the emailpassword recipe: interface and default implementation."""

from __future__ import annotations

from ...errors import FieldErrors
from ...recipe_kit.forms import EMAIL, PASSWORD, FieldValue, normalise_email, text_of
from ...recipe_kit.results import (
    EmailAlreadyExists,
    Exists,
    GeneralError,
    LinkingToSessionUserFailed,
    Ok,
    SignInNotAllowed,
    SignInOk,
    SignUpNotAllowed,
    SignUpOk,
    UnknownUserId,
)
from ...request.context import RequestContext
from ...users import LoginMethod, RecipeUserId, User
from ..accountlinking import AccountInfoWithRecipeId
from ..emailverification import EmailVerification
from ..multitenancy.types import EMAIL_PASSWORD
from ..recovering import RecoveryAPIs
from ..refusals import Refusal, refused
from ..session import SessionContainer
from ..signing_in import SignedIn, automatic_linking, permission, signed_in
from .functions import EmailPasswordFunctions
from .settings import EmailPasswordSettings
from .types import (
    InvalidResetToken,
    PasswordPolicyViolated,
    PasswordResetNotAllowed,
    PasswordResetPostOk,
    ResetTokenConsumed,
    WrongCredentials,
)

_FACTORS = (EMAIL_PASSWORD,)
_TAKE_OVER_RISK = "Your password cannot be set by mail: it would not be safe. Please contact support. (ERR_CODE_001)"


class EmailPasswordAPIs(RecoveryAPIs[EmailPasswordSettings, EmailPasswordFunctions]):
    """The APIs of the emailpassword recipe. An override may be None, which switches the route off."""

    _requested = "password_reset_requested"

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
        email, password = text_of(form_fields, EMAIL), text_of(form_fields, PASSWORD)

        outcome = self._signed_up(
            email,
            lambda owner: self.functions.sign_up(email=email, password=password, session=owner, tenant_id=tenant_id),
            tenant_id=tenant_id,
            session=session,
            context=context,
        )
        if isinstance(outcome, EmailAlreadyExists):
            raise FieldErrors([(EMAIL, "There is an account with this address already. Please sign in.")])
        return outcome

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
        email, password = text_of(form_fields, EMAIL), text_of(form_fields, PASSWORD)

        def credentials_match(tenant: str) -> bool:
            outcome = self.functions.verify_credentials(email=email, password=password, tenant_id=tenant)
            return isinstance(outcome, SignInOk)

        def not_allowed(refusal: Refusal) -> SignInNotAllowed:
            return SignInNotAllowed(refused(context, EMAIL_PASSWORD, refusal, tenant_id=tenant_id, account=email))

        account = AccountInfoWithRecipeId(recipe_id=EMAIL_PASSWORD, email=email)
        may = permission(
            context,
            account,
            _FACTORS,
            tenant_id=tenant_id,
            session=session,
            is_sign_up=False,
            check_credentials=credentials_match,
        )
        # A stranger who does not know the password must not learn that the account is refused, or why.
        if may.refusal is not None and (may.refusal == "NO_LINKING" or credentials_match(tenant_id)):
            return not_allowed(may.refusal)
        result: SignInOk | WrongCredentials | LinkingToSessionUserFailed = WrongCredentials()
        if may.refusal is None and may.accepts(email):
            result = self.functions.sign_in(email=email, password=password, session=may.session, tenant_id=tenant_id)
        if isinstance(result, LinkingToSessionUserFailed):
            return not_allowed(result.reason)
        if isinstance(result, WrongCredentials):
            context.record(
                "sign_in_failed", tenant_id=tenant_id, reason=result.status, recipe_id=EMAIL_PASSWORD, account=email
            )
            return result
        return signed_in(context, result, factor_id=EMAIL_PASSWORD, tenant_id=tenant_id, session=may.session)

    def email_exists_get(self, *, email: str, tenant_id: str, context: RequestContext) -> Exists | GeneralError:
        """Return whether a user of this tenant has signed up with this e-mail and a password."""
        return self._exists(email, tenant_id)

    def generate_password_reset_token_post(
        self, *, form_fields: tuple[FieldValue, ...], tenant_id: str, context: RequestContext
    ) -> Ok | PasswordResetNotAllowed | GeneralError:
        """
        Send the user with this e-mail address the mail that sets a new password.

        The response says nothing about whether an account exists: the token is created and the mail is sent in the
        background.
        """
        email, create_token = text_of(form_fields, EMAIL), self.functions.create_reset_password_token
        is_safe = self._send_recovery_mail(email, tenant_id, create_token=create_token)
        return Ok() if is_safe else PasswordResetNotAllowed(_TAKE_OVER_RISK)

    def password_reset_post(
        self, *, form_fields: tuple[FieldValue, ...], token: str, tenant_id: str, context: RequestContext
    ) -> PasswordResetPostOk | InvalidResetToken | GeneralError:
        """
        Set a new password with the token of a mail. The mail was read, so its address is verified by that, too.

        :raises FieldErrors: an override of ``update_email_or_password`` refuses the password.
        """
        password = text_of(form_fields, PASSWORD)
        consumed = self.functions.consume_password_reset_token(token=token, tenant_id=tenant_id)
        if not isinstance(consumed, ResetTokenConsumed):
            return consumed
        email = normalise_email(consumed.email)

        def change(method: LoginMethod) -> InvalidResetToken | None:
            if not self._set_password(method.recipe_user_id, password, tenant_id):
                return InvalidResetToken()
            # An app with neither verifies no addresses: each reset would end all sessions of the user.
            verifies = context.services.find(EmailVerification) or automatic_linking(context.services)
            if verifies is not None and not method.verified:
                self._revoke_sessions(method)
            return None

        def create() -> SignUpOk | InvalidResetToken:
            # The mail was sent to a user who had no password yet. They get one, as a login method of its own.
            made = self.functions.create_new_recipe_user(email=email, password=password, tenant_id=tenant_id)
            return made if isinstance(made, SignUpOk) else InvalidResetToken()

        user = self._recovered(
            consumed.user_id, email, tenant_id=tenant_id, context=context, change=change, create=create
        )
        return PasswordResetPostOk(user=user, email=email) if isinstance(user, User) else InvalidResetToken()

    def _set_password(self, recipe_user_id: RecipeUserId, password: str, tenant_id: str) -> bool:
        """
        Set the password of a login method, and return whether it still exists.

        :raises FieldErrors: an override of ``update_email_or_password`` refuses the password.
        """
        outcome = self.functions.update_email_or_password(
            recipe_user_id=recipe_user_id,
            password=password,
            # The form was held to it. A list of breaches that replies only now would refuse after the token is used up.
            apply_password_policy=False,
            tenant_id_for_password_policy=tenant_id,
        )
        if isinstance(outcome, PasswordPolicyViolated):
            raise FieldErrors([(PASSWORD, outcome.failure_reason)])
        return not isinstance(outcome, UnknownUserId)
