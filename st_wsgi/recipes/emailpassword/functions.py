"""The functions of the emailpassword recipe: interface and default implementation."""

from __future__ import annotations

from ...core_client.querier import present
from ...recipe_kit.mail import MailFunctions
from ...recipe_kit.results import Ok
from ...users import PUBLIC_TENANT, RecipeUserId
from .settings import EmailPasswordSettings
from .types import (
    EmailAlreadyExists,
    EmailChangeNotAllowed,
    InvalidResetToken,
    PasswordPolicyViolated,
    ResetToken,
    ResetTokenConsumed,
    SignInOk,
    SignUpOk,
    UnknownUserId,
    WrongCredentials,
)

_RESET_TOKEN = "/recipe/user/password/reset/token"


class EmailPasswordFunctions(MailFunctions[EmailPasswordSettings]):
    """The functions of the emailpassword recipe."""

    def sign_up(self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT) -> SignUpOk | EmailAlreadyExists:
        """Create a user. The rules of the form are not applied: the app's own code may create any user."""
        return self.functions.create_new_recipe_user(email=email, password=password, tenant_id=tenant_id)

    def create_new_recipe_user(
        self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT
    ) -> SignUpOk | EmailAlreadyExists:
        """Create a login method in the core (CDI 5.4, ``POST /recipe/signup``)."""
        body = {"email": email, "password": password}
        return self.core.post("/recipe/signup", body, tenant_id=tenant_id).into(SignUpOk, EmailAlreadyExists)

    def sign_in(self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT) -> SignInOk | WrongCredentials:
        """Return the user with this e-mail and password. This creates no session."""
        return self.functions.verify_credentials(email=email, password=password, tenant_id=tenant_id)

    def verify_credentials(
        self, *, email: str, password: str, tenant_id: str = PUBLIC_TENANT
    ) -> SignInOk | WrongCredentials:
        """Ask the core whether e-mail and password belong together (CDI 5.4, ``POST /recipe/signin``)."""
        body = {"email": email, "password": password}
        return self.core.post("/recipe/signin", body, tenant_id=tenant_id).into(SignInOk, WrongCredentials)

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
        body = present({"recipeUserId": recipe_user_id.value, "email": email, "password": password})
        reply = self.core.put("/recipe/user", body)
        outcome = reply.into(Ok, UnknownUserId, EmailAlreadyExists, EmailChangeNotAllowed)
        if isinstance(outcome, Ok):
            if password is not None:
                self.context.record("password_changed", user_id=recipe_user_id.value)
            if email is not None:
                self.context.record("email_changed", user_id=recipe_user_id.value)
        return outcome
