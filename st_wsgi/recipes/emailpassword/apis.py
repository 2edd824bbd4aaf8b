"""The APIs behind the emailpassword routes: interface and default implementation."""

from __future__ import annotations

from ...accounts import AccountInfo, users_by_account_info
from ...errors import FieldErrors
from ...recipe_kit.recipe import Recipe
from ...request.context import RequestContext
from ...users import RecipeUserId, User
from ..session import Session, SessionContainer, in_request
from .fields import EMAIL, PASSWORD, value_of
from .functions import EmailPasswordFunctions
from .types import (
    EmailAlreadyExists,
    EmailExists,
    EmailPasswordConfig,
    FieldValue,
    GeneralError,
    SignInNotAllowed,
    SignInPostOk,
    SignUpNotAllowed,
    SignUpPostOk,
    WrongCredentials,
)


class EmailPasswordAPIs:
    """The APIs of the emailpassword recipe. An override may be None, which switches the route off."""

    def __init__(self, recipe: Recipe[EmailPasswordConfig, EmailPasswordFunctions, EmailPasswordAPIs]) -> None:
        self.recipe = recipe

    def sign_up_post(
        self, *, form_fields: tuple[FieldValue, ...], tenant_id: str, context: RequestContext
    ) -> SignUpPostOk | SignUpNotAllowed | GeneralError:
        """
        Sign a user up and in.

        :raises FieldErrors: the e-mail is taken.
        """
        result = self.recipe.functions.sign_up(
            email=value_of(form_fields, EMAIL), password=value_of(form_fields, PASSWORD), tenant_id=tenant_id
        )
        if isinstance(result, EmailAlreadyExists):
            raise FieldErrors([(EMAIL, "This email already exists. Please sign in instead.")])
        session = self._new_session(context, result.user, result.recipe_user_id, tenant_id)
        return SignUpPostOk(user=result.user, session=session)

    def sign_in_post(
        self, *, form_fields: tuple[FieldValue, ...], tenant_id: str, context: RequestContext
    ) -> SignInPostOk | WrongCredentials | SignInNotAllowed | GeneralError:
        """Sign a user in."""
        result = self.recipe.functions.sign_in(
            email=value_of(form_fields, EMAIL), password=value_of(form_fields, PASSWORD), tenant_id=tenant_id
        )
        if isinstance(result, WrongCredentials):
            return result
        session = self._new_session(context, result.user, result.recipe_user_id, tenant_id)
        return SignInPostOk(user=result.user, session=session)

    def email_exists_get(self, *, email: str, tenant_id: str, context: RequestContext) -> EmailExists | GeneralError:
        """Say whether somebody in this tenant has signed up with this e-mail and a password."""
        users = users_by_account_info(
            self.recipe.services.core, account_info=AccountInfo(email=email), tenant_id=tenant_id
        )
        return EmailExists(
            any(
                method.recipe_id == "emailpassword" and method.email == email and tenant_id in method.tenant_ids
                for user in users
                for method in user.login_methods
            )
        )

    def _new_session(
        self, context: RequestContext, user: User, recipe_user_id: RecipeUserId, tenant_id: str
    ) -> SessionContainer:
        return in_request.create_new_session(
            self.recipe.services.get(Session),
            context,
            tenant_id=tenant_id,
            recipe_user_id=recipe_user_id,
            user_id=user.id,
        )
