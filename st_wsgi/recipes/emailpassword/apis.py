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
    LinkingToSessionUserFailed,
    Ok,
    SignInNotAllowed,
    SignUpNotAllowed,
    UnknownUserId,
)
from ...request.context import RequestContext
from ...users import LoginMethod, RecipeUserId, User
from ..accountlinking.decisions import primary_user_of
from ..emailverification.recipe import mark_as_verified
from ..session import Session, SessionContainer
from ..signing_in import (
    EMAIL_PASSWORD,
    AccountInfoWithRecipeId,
    Refusal,
    SignedIn,
    automatic_linking,
    is_fake,
    linked,
    permission,
    refused,
    signed_in,
)
from .functions import EmailPasswordFunctions
from .settings import EmailPasswordSettings
from .types import (
    InvalidResetToken,
    PasswordPolicyViolated,
    PasswordResetNotAllowed,
    PasswordResetPostOk,
    ResetToken,
    ResetTokenConsumed,
    SignInOk,
    SignUpOk,
    WrongCredentials,
)

_FACTORS = (EMAIL_PASSWORD,)
_TAKE_OVER_RISK = "Your password cannot be set by mail: it would not be safe. Please contact support. (ERR_CODE_001)"


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
        email, password = text_of(form_fields, EMAIL), text_of(form_fields, PASSWORD)

        def not_allowed(refusal: Refusal) -> SignUpNotAllowed:
            return SignUpNotAllowed(
                refused(context, EMAIL_PASSWORD, refusal, tenant_id=tenant_id, account=email, is_sign_up=True)
            )

        account = AccountInfoWithRecipeId(recipe_id=EMAIL_PASSWORD, email=email)
        may = permission(
            context,
            account,
            _FACTORS,
            tenant_id=tenant_id,
            session=session,
            is_verified=is_fake(email),
            is_sign_up=True,
        )
        is_taken = may.user is not None and may.refusal == "SIGN_UP_NOT_ALLOWED"
        if may.refusal is not None and not is_taken:
            return not_allowed(may.refusal)
        result = (
            EmailAlreadyExists()
            if is_taken or not may.accepts(email)
            else self.functions.sign_up(email=email, password=password, session=may.session, tenant_id=tenant_id)
        )
        if isinstance(result, EmailAlreadyExists):
            raise FieldErrors([(EMAIL, "There is an account with this address already. Please sign in.")])
        if isinstance(result, LinkingToSessionUserFailed):
            return not_allowed(result.reason)
        return signed_in(
            context,
            user=result.user,
            recipe_user_id=result.recipe_user_id,
            tenant_id=tenant_id,
            session=may.session,
            signed_up=True,
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
        return signed_in(
            context,
            user=result.user,
            recipe_user_id=result.recipe_user_id,
            tenant_id=tenant_id,
            session=may.session,
        )

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
        # Mails to a made-up address would reach a stranger, or no person at all.
        users = () if is_fake(email) else self._users_with(email, tenant_id)
        method = next((method for user in users if (method := _method_of(user, email, tenant_id))), None)
        candidate = self._owner_after_reset(users, method, tenant_id)
        if candidate is not None and _is_take_over_risk(candidate, email):
            return PasswordResetNotAllowed(_TAKE_OVER_RISK)
        # Without an account, too: the time of the response must not tell whether there is one.
        self.recipe.background.run(lambda: self._send_reset_mail(candidate, method, email, tenant_id))
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
        if user is None:
            return InvalidResetToken()
        recipe_user_id = RecipeUserId(consumed.user_id)
        method = user.login_method(recipe_user_id)
        if method is None or method.recipe_id != EMAIL_PASSWORD:
            # The mail was sent to a user who had no password yet. They get one, as a login method of its own.
            made = self.functions.create_new_recipe_user(
                email=consumed.email, password=text_of(form_fields, PASSWORD), tenant_id=tenant_id
            )
            if not isinstance(made, SignUpOk):
                return InvalidResetToken()
            recipe_user_id = made.recipe_user_id
        else:
            is_risk = user.is_primary_user and _is_take_over_risk(user, consumed.email)
            if is_risk or not self._set_password(recipe_user_id, text_of(form_fields, PASSWORD), tenant_id):
                return InvalidResetToken()
            if automatic_linking(context.services) is not None and not method.verified:
                # A stranger may have signed up with the address. Now that its owner has proved it, those sessions end.
                context.services.get(Session).functions.revoke_all_sessions_for_user(user_id=recipe_user_id.value)
        mark_as_verified(context.services, recipe_user_id, consumed.email, tenant_id=tenant_id)
        user = user_by_id(self.recipe.services.core, recipe_user_id.value) or user
        after = linked(context, user, recipe_user_id, tenant_id=tenant_id)
        return PasswordResetPostOk(user=after if isinstance(after, User) else user, email=consumed.email)

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

    def _owner_after_reset(self, users: tuple[User, ...], method: LoginMethod | None, tenant_id: str) -> User | None:
        """
        Return the user who will have the password once it is set: the primary user with the address, or the user who
        becomes primary when accounts are linked. None if the password stays a login method of its own.
        """
        primary = primary_user_of(users)
        linking = automatic_linking(self.recipe.services)
        if primary is not None or linking is None or not users:
            return primary
        oldest = min(users, key=lambda user: user.time_joined)
        first = oldest.login_methods[0]
        if len(users) == 1 and first == method:
            return None
        needs = linking.rule(None, tenant_id)(AccountInfoWithRecipeId.of(first), None)
        return oldest if needs is not None and (first.verified or not needs) else None

    def _users_with(self, email: str, tenant_id: str) -> tuple[User, ...]:
        info = AccountInfo(email=email)
        return users_by_account_info(self.recipe.services.core, account_info=info, tenant_id=tenant_id)

    def _send_reset_mail(self, candidate: User | None, method: LoginMethod | None, email: str, tenant_id: str) -> None:
        user_id = self._user_to_reset(candidate, method, email, tenant_id)
        if user_id is None:
            return
        token_for = user_id if method is None else method.recipe_user_id.value
        self.functions.context.record("password_reset_requested", tenant_id=tenant_id, user_id=token_for)
        outcome = self.functions.create_reset_password_token(user_id=token_for, email=email, tenant_id=tenant_id)
        if isinstance(outcome, ResetToken):
            message = self.recipe.mail_with_link(token=outcome.token, email=email, user_id=user_id, tenant_id=tenant_id)
            self.functions.send_email(message=message)

    def _user_to_reset(
        self, candidate: User | None, method: LoginMethod | None, email: str, tenant_id: str
    ) -> str | None:
        """Return the id of the user whose password the mail sets; None if there is no user who has or may get one."""
        own = None if method is None else method.recipe_user_id.value
        if candidate is None or method in candidate.login_methods:
            return own if candidate is None else candidate.id
        linking = automatic_linking(self.recipe.services)
        account = AccountInfoWithRecipeId(recipe_id=EMAIL_PASSWORD, email=email)
        if method is not None:
            account = AccountInfoWithRecipeId.of(method)
        if linking is None or linking.rule(None, tenant_id)(account, candidate) is None:
            return own
        is_allowed = method is not None or linking.allows(
            account, None, is_verified=True, session=None, tenant_id=tenant_id
        )
        return candidate.id if is_allowed else None


def _method_of(user: User, email: str, tenant_id: str) -> LoginMethod | None:
    """Return the login method with this e-mail address and a password in this tenant, or None."""
    for method in user.login_methods:
        if method.recipe_id == EMAIL_PASSWORD and method.email == email and tenant_id in method.tenant_ids:
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
