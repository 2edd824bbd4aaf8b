"""The APIs behind the emailverification routes: interface and default implementation."""

from __future__ import annotations

from ...accounts import user_by_id
from ...errors import Unauthorised
from ...recipe_kit.recipe import APIs
from ...recipe_kit.results import GeneralError, Ok
from ...request.context import RequestContext
from ...users import RecipeUserId
from ..session import SessionContainer, get_session_information
from ..session.in_request import create_new_session
from .claims import EmailVerificationClaim
from .functions import EmailVerificationFunctions
from .settings import EmailVerificationSettings
from .types import (
    EmailAlreadyVerified,
    EmailDoesNotExist,
    EmailOfUser,
    EmailVerified,
    InvalidVerificationToken,
    VerificationState,
)


class EmailVerificationAPIs(APIs[EmailVerificationSettings, EmailVerificationFunctions]):
    """The APIs of the emailverification recipe. An override may be None, which switches the route off."""

    def generate_email_verify_token_post(
        self, *, session: SessionContainer, context: RequestContext
    ) -> Ok | EmailAlreadyVerified | GeneralError:
        """
        Send the user of a session the mail that verifies their address.

        The response does not wait for the mail server, and is the same whether the mail could be sent or not.

        :raises Unauthorised: the user does not exist any more.
        """
        recipe_user_id, tenant_id = session.get_recipe_user_id(), session.get_tenant_id()
        email = self._email_of(session)
        if email is None:
            return EmailAlreadyVerified()
        outcome = self.functions.create_email_verification_token(
            recipe_user_id=recipe_user_id, email=email, tenant_id=tenant_id
        )
        if isinstance(outcome, EmailAlreadyVerified):
            self._update_session(context, session, recipe_user_id)
            return outcome
        if session.get_claim_value(EmailVerificationClaim) is not False:
            session.fetch_and_set_claim(EmailVerificationClaim)  # it was verified once and is not any more
        message = self.recipe.mail_with_link(
            token=outcome.token, email=email, user_id=session.get_user_id(), tenant_id=tenant_id
        )
        self.recipe.background.run(lambda: self.functions.send_email(message=message))
        return Ok()

    def verify_email_post(
        self, *, token: str, tenant_id: str, session: SessionContainer | None, context: RequestContext
    ) -> Ok | InvalidVerificationToken | GeneralError:
        """
        Verify the e-mail address that a token was created for.

        :param session: of the browser that opened the link, None if it has none.
        """
        outcome = self.functions.verify_email_using_token(token=token, tenant_id=tenant_id)
        if not isinstance(outcome, EmailVerified):
            return outcome
        if session is not None:
            self._update_session(context, session, outcome.recipe_user_id)
        return Ok()

    def is_email_verified_get(
        self, *, session: SessionContainer, context: RequestContext
    ) -> VerificationState | GeneralError:
        """
        Return whether the e-mail address of a session's login method is verified, and write it into the session.

        A login method without an address counts as verified.

        :raises Unauthorised: the user does not exist any more.
        """
        recipe_user_id = session.get_recipe_user_id()
        email = self._email_of(session)
        if email is None:
            return VerificationState(is_verified=True)
        is_verified = self.functions.is_email_verified(recipe_user_id=recipe_user_id, email=email)
        if is_verified:
            self._update_session(context, session, recipe_user_id)
        else:
            session.set_claim_value(EmailVerificationClaim, False)
        return VerificationState(is_verified=is_verified)

    def _email_of(self, session: SessionContainer) -> str | None:
        info = self.recipe.email_of(session.get_recipe_user_id())
        if isinstance(info, EmailOfUser):
            return info.email
        if isinstance(info, EmailDoesNotExist):
            return None
        raise Unauthorised("the user of the session does not exist")

    def _update_session(
        self, context: RequestContext, session: SessionContainer, verified_user_id: RecipeUserId
    ) -> None:
        """
        Have a session show that an address is verified, if it is that of its own login method.

        When the login method has been linked to another user meanwhile, the session is replaced by one of that user.
        """
        if session.get_recipe_user_id() != verified_user_id:
            return
        user = user_by_id(self.recipe.services.core, verified_user_id.value)
        user_id = session.get_user_id() if user is None else user.id  # the app may know users that the core does not
        if user_id == session.get_user_id():
            session.fetch_and_set_claim(EmailVerificationClaim)
        elif get_session_information(session_handle=session.get_handle()) is not None:
            create_new_session(  # one that was revoked is not replaced by a living one
                context, tenant_id=session.get_tenant_id(), recipe_user_id=verified_user_id, user_id=user_id
            )
