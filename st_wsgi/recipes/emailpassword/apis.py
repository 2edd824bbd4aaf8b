"""The APIs of the emailpassword recipe: interface and default implementation."""

from __future__ import annotations

from ...accounts import AccountInfo, users_by_account_info
from ...errors import FieldErrors
from ...recipe_kit.forms import EMAIL, PASSWORD, FieldValue, text_of
from ...recipe_kit.recipe import APIs
from ...recipe_kit.results import Exists, GeneralError, SignInNotAllowed, SignUpNotAllowed
from ...request.context import RequestContext
from ..session import SessionContainer
from ..signing_in import NO_LINKING, SignedIn, signed_in
from .functions import EmailPasswordFunctions
from .settings import EmailPasswordSettings
from .types import EmailAlreadyExists, WrongCredentials


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
        """
        if session is not None:
            return SignUpNotAllowed(NO_LINKING)
        email, password = text_of(form_fields, EMAIL), text_of(form_fields, PASSWORD)
        result = self.functions.sign_up(email=email, password=password, tenant_id=tenant_id)
        if isinstance(result, EmailAlreadyExists):
            raise FieldErrors([(EMAIL, "This email already exists. Please sign in instead.")])
        return signed_in(context, user=result.user, recipe_user_id=result.recipe_user_id, tenant_id=tenant_id)

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
        """
        if session is not None:
            return SignInNotAllowed(NO_LINKING)
        email, password = text_of(form_fields, EMAIL), text_of(form_fields, PASSWORD)
        result = self.functions.sign_in(email=email, password=password, tenant_id=tenant_id)
        if isinstance(result, WrongCredentials):
            return result
        return signed_in(context, user=result.user, recipe_user_id=result.recipe_user_id, tenant_id=tenant_id)

    def email_exists_get(self, *, email: str, tenant_id: str, context: RequestContext) -> Exists | GeneralError:
        """Return whether a user of this tenant has signed up with this e-mail and a password."""
        info = AccountInfo(email=email)
        users = users_by_account_info(self.recipe.services.core, account_info=info, tenant_id=tenant_id)
        return Exists(
            any(
                method.recipe_id == "emailpassword" and method.email == email and tenant_id in method.tenant_ids
                for user in users
                for method in user.login_methods
            )
        )
