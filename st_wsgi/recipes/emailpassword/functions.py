"""The functions of the emailpassword recipe: interface and default implementation."""

from __future__ import annotations

from ...accounts import user_by_id
from ...codec import present
from ...delivery import Message
from ...recipe_kit.results import (
    EmailAlreadyExists,
    EmailChangeNotAllowed,
    LinkingToSessionUserFailed,
    Ok,
    SignInOk,
    SignUpOk,
    UnknownUserId,
)
from ...users import PUBLIC_TENANT, RecipeUserId
from ..changing_email import change_email
from ..recovering import RecoveryFunctions
from ..session import SessionContainer
from ..signing_in import linked_outcome
from .passwords import normalised
from .settings import EmailPasswordSettings
from .types import (
    InvalidResetToken,
    PasswordPolicyViolated,
    ResetToken,
    ResetTokenConsumed,
    WrongCredentials,
)

_RESET_TOKEN = "/recipe/user/password/reset/token"


class EmailPasswordFunctions(RecoveryFunctions[EmailPasswordSettings]):
    """The functions of the emailpassword recipe."""

    def sign_up(
        self,
        *,
        email: str,
        password: str,
        session: SessionContainer | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> SignUpOk | EmailAlreadyExists | LinkingToSessionUserFailed:
        """
        Create a user. The rules of the form are not applied: the app's own code may create any user.

        The login method is linked as the :mod:`accountlinking <st_wsgi.recipes.accountlinking>` recipe says.

        :param session: of the user whom the login method is to be linked to.
        """
        outcome = self.functions.create_new_recipe_user(email=email, password=password, tenant_id=tenant_id)
        if isinstance(outcome, EmailAlreadyExists):
            return outcome
        return linked_outcome(self.context, outcome, tenant_id=tenant_id, session=session)

    def create_new_recipe_user(
        self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT
    ) -> SignUpOk | EmailAlreadyExists:
        """Create a login method in the core (CDI 5.4, ``POST /recipe/signup``)."""
        body = {"email": email, "password": normalised(password)}
        return self.core.post("/recipe/signup", body, tenant_id=tenant_id).into(SignUpOk, EmailAlreadyExists)

    def sign_in(
        self,
        *,
        email: str,
        password: str,
        session: SessionContainer | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> SignInOk | WrongCredentials | LinkingToSessionUserFailed:
        """
        Return the user with this e-mail and password. This creates no session.

        The login method is linked as the :mod:`accountlinking <st_wsgi.recipes.accountlinking>` recipe says.

        :param session: of the user whom the login method is to be linked to.
        """
        outcome = self.functions.verify_credentials(email=email, password=password, tenant_id=tenant_id)
        if isinstance(outcome, WrongCredentials):
            return outcome
        return linked_outcome(self.context, outcome, tenant_id=tenant_id, session=session)

    def verify_credentials(
        self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT
    ) -> SignInOk | WrongCredentials:
        """
        Ask the core whether e-mail and password belong together (CDI 5.4, ``POST /recipe/signin``).

        A password that is typed in another form than the normal one is tried as it was typed, too: other back ends and
        earlier releases hashed it so.
        """
        for form in dict.fromkeys((normalised(password), password)):
            body = {"email": email, "password": form}
            reply = self.core.post("/recipe/signin", body, tenant_id=tenant_id)
            outcome = reply.into(SignInOk, WrongCredentials)
            if isinstance(outcome, SignInOk):
                break
        return outcome

    def create_reset_password_token(
        self, *, user_id: str, email: str, tenant_id: str = PUBLIC_TENANT
    ) -> ResetToken | UnknownUserId:
        """
        Create a token that sets a new password (CDI 5.4, ``POST /recipe/user/password/reset/token``).

        :param user_id: of the user, or of the login method.
        :param email: the address that the token is sent to.
        """
        body = {"userId": user_id, "email": email}
        return self.core.post(_RESET_TOKEN, body, tenant_id=tenant_id).into(ResetToken, UnknownUserId)

    def consume_password_reset_token(
        self, *, token: str, tenant_id: str = PUBLIC_TENANT
    ) -> ResetTokenConsumed | InvalidResetToken:
        """
        Use up a token, without setting a password (CDI 5.4, ``POST /recipe/user/password/reset/token/consume``).
        """
        body = {"method": "token", "token": token}
        reply = self.core.post(f"{_RESET_TOKEN}/consume", body, tenant_id=tenant_id)
        return reply.into(ResetTokenConsumed, InvalidResetToken)

    def update_email_or_password(
        self,
        *,
        recipe_user_id: RecipeUserId,
        email: str | None = None,
        password: str | None = None,
        apply_password_policy: bool = True,
        tenant_id_for_password_policy: str = PUBLIC_TENANT,
    ) -> Ok | UnknownUserId | EmailAlreadyExists | EmailChangeNotAllowed | PasswordPolicyViolated:
        """
        Change the e-mail address or the password of a login method, or both (CDI 5.4, ``PUT /recipe/user``).

        :param apply_password_policy: refuse a password that the sign-up form would refuse.
        :param tenant_id_for_password_policy: the tenant whose rule is applied.
        """
        if password is not None and apply_password_policy:
            problem = self.recipe.password_problem(password, tenant_id=tenant_id_for_password_policy)
            if problem is not None:
                return PasswordPolicyViolated(failure_reason=problem)
        password = None if password is None else normalised(password)
        notice = self._change_notice(recipe_user_id, email, password, tenant_id_for_password_policy)

        def put(**changed: str | None) -> Ok | UnknownUserId | EmailAlreadyExists | EmailChangeNotAllowed:
            reply = self.core.put("/recipe/user", {"recipeUserId": recipe_user_id.value, **changed})
            return reply.into(Ok, UnknownUserId, EmailAlreadyExists, EmailChangeNotAllowed)

        outcome: Ok | UnknownUserId | EmailAlreadyExists | EmailChangeNotAllowed = Ok()
        if email is not None:
            outcome = change_email(
                self.recipe.services,
                recipe_user_id,
                email,
                change=lambda: put(email=email),
                undo=lambda before: put(email=before.email),
            )
        if isinstance(outcome, Ok) and (email is None or password is not None):  # the address may be refused
            outcome = put(**present({"password": password}))
        if isinstance(outcome, Ok):
            if password is not None:
                self.context.record("password_changed", user_id=recipe_user_id.value)
            if email is not None:
                self.context.record("email_changed", user_id=recipe_user_id.value)
            self._end_other_sessions(recipe_user_id)
            if notice is not None:
                self.recipe.background.run(lambda: self.functions.send_email(message=notice))
        return outcome

    def _change_notice(
        self, recipe_user_id: RecipeUserId, email: str | None, password: str | None, tenant_id: str
    ) -> Message | None:
        """Return the mail that tells a user of a change, to the address that they have before it."""
        if not self.recipe.send_change_notices:
            return None
        user = user_by_id(self.core, recipe_user_id.value)
        method = None if user is None else user.login_method(recipe_user_id)
        if user is None or method is None or method.email is None:
            return None
        kind = "PASSWORD_CHANGED" if email in (None, method.email) else "EMAIL_CHANGED"
        if kind == "PASSWORD_CHANGED" and password is None:
            return None
        return Message(kind=kind, to=method.email, tenant_id=tenant_id, user_id=user.id)
