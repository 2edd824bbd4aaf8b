"""The APIs of the passwordless recipe: interface and default implementation."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...accounts import AccountInfo, user_by_id, users_by_account_info
from ...delivery import Channel
from ...errors import BadInput, CoreRefused, TenantUnknown
from ...recipe_kit.recipe import APIs
from ...recipe_kit.results import Exists, GeneralError, LinkingToSessionUserFailed, Ok, SignInUpNotAllowed
from ...request.context import RequestContext
from ..accountlinking import AccountInfoWithRecipeId
from ..emailverification import EmailVerification
from ..emailverification.recipe import mark_as_verified
from ..multitenancy.types import LINK_EMAIL, LINK_PHONE, OTP_EMAIL, OTP_PHONE
from ..refusals import Refusal, refused
from ..session import SessionContainer
from ..signing_in import (
    Permission,
    SignedIn,
    automatic_linking,
    is_fake,
    permission,
    signed_in,
    unless_withdrawn,
)
from .functions import PasswordlessFunctions
from .settings import PasswordlessSettings, flow_type_of
from .types import (
    PASSWORDLESS,
    CodeChecked,
    CodeConsumed,
    CodeSent,
    CreatedCode,
    Device,
    ExpiredUserInputCode,
    FlowType,
    IncorrectUserInputCode,
    RestartFlow,
    UserInputCodeAlreadyUsed,
)

_TRIES = 3
_NO_FIRST_FACTOR = "This address cannot be used to sign in. Please choose another way to sign in, or contact support."


class PasswordlessAPIs(APIs[PasswordlessSettings, PasswordlessFunctions]):
    """The APIs of the passwordless recipe. An override may be None, which switches the route off."""

    def create_code_post(
        self,
        *,
        email: str | None,
        phone_number: str | None,
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> CodeSent | SignInUpNotAllowed | GeneralError:
        """
        Begin an attempt to sign in, and send the message for it.

        It says nothing about whether an account exists: the message is sent in either case.

        :param email: in its normal form; None if there is a phone number.
        :param phone_number: likewise.
        :param session: of the user that the login method is to be linked to.
        :raises Unauthorised: the tenant does not allow this first factor.
        :raises MessageNotSent: the message was not accepted.
        """
        may = self._permission(email, phone_number, tenant_id, session, context)
        if may.refusal is not None:
            account = email or phone_number
            text = refused(context, PASSWORDLESS, may.refusal, tenant_id=tenant_id, account=account)
            return SignInUpNotAllowed(text)
        if email is not None and is_fake(email):  # a message to a made-up address would reach no user
            return SignInUpNotAllowed(_NO_FIRST_FACTOR)
        with _refused_by_core():
            code = self.functions.create_code(
                email=email,
                phone_number=phone_number,
                user_input_code=self.recipe.custom_code(tenant_id, context),
                tenant_id=tenant_id,
            )
        flow_type = flow_type_of(may.factors)
        self._send(code, flow_type, email, phone_number, tenant_id)
        return CodeSent(device_id=code.device_id, pre_auth_session_id=code.pre_auth_session_id, flow_type=flow_type)

    def resend_code_post(
        self,
        *,
        device_id: str,
        pre_auth_session_id: str,
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> Ok | RestartFlow | GeneralError:
        """
        Send one more code to where the first one went.

        :param session: of the user that the login method is to be linked to.
        :raises TooManyRequests: too many messages to this address or number.
        :raises Unauthorised: the tenant does not allow this first factor any more.
        :raises MessageNotSent: the message was not accepted.
        """
        with _refused_by_core():
            device = self.functions.list_codes_by_device_id(device_id=device_id, tenant_id=tenant_id)
        if device is None or not self.recipe.factors(_channel(device.email)):
            return RestartFlow()
        context.count_attempt(account=device.email or device.phone_number, address=False)
        may = self._permission(device.email, device.phone_number, tenant_id, session, context)
        if may.refusal not in (None, "SIGN_UP_NOT_ALLOWED"):
            return RestartFlow()
        for _ in range(_TRIES):
            code = self.functions.create_new_code_for_device(
                device_id=device_id, user_input_code=self.recipe.custom_code(tenant_id, context), tenant_id=tenant_id
            )
            if not isinstance(code, UserInputCodeAlreadyUsed):
                break
        else:
            return GeneralError("No new code could be made. Please try again.")
        if isinstance(code, RestartFlow):
            return code
        self._send(code, flow_type_of(may.factors), device.email, device.phone_number, tenant_id)
        return Ok()

    def consume_code_post(
        self,
        *,
        pre_auth_session_id: str,
        user_input_code: str | None,
        device_id: str | None,
        link_code: str | None,
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> SignedIn | IncorrectUserInputCode | ExpiredUserInputCode | RestartFlow | SignInUpNotAllowed | GeneralError:
        """
        Sign a user in, or up, with a code or a link. An e-mail address is verified by that.

        :param user_input_code: the code that was typed in, with *device_id*; None with a link.
        :param link_code: the secret of the link; None with a code.
        :param session: of the user that the login method is to be linked to.
        :raises TooManyRequests: too many attempts at this address or number.
        :raises Unauthorised: the tenant does not allow this first factor.
        """
        device = self.functions.list_codes_by_pre_auth_session_id(
            pre_auth_session_id=pre_auth_session_id, tenant_id=tenant_id
        )
        if device is None:
            return self._failed(RestartFlow(), None, tenant_id, context)
        account = device.email or device.phone_number or ""
        context.count_attempt(account=account, address=False)
        given: dict[str, Any] = {
            "pre_auth_session_id": pre_auth_session_id,
            "user_input_code": user_input_code,
            "device_id": device_id,
            "link_code": link_code,
        }

        @functools.cache  # a wrong code counts once
        def check() -> CodeChecked | IncorrectUserInputCode | ExpiredUserInputCode | RestartFlow:
            with _refused_by_core():
                return self.functions.check_code(**given, tenant_id=tenant_id)

        if session is not None and device.email is not None and self._is_unverified(session, device.email):
            if isinstance(checked := check(), CodeChecked):
                mark_as_verified(context.services, session.get_recipe_user_id(), device.email, tenant_id=tenant_id)
            else:
                return self._failed(checked, account, tenant_id, context)
        method = AccountInfoWithRecipeId(recipe_id=PASSWORDLESS, email=device.email, phone_number=device.phone_number)
        may = permission(
            context,
            method,
            [_factor(device, is_link=link_code is not None)],
            tenant_id=tenant_id,
            session=session,
            is_verified=True,
            check_credentials=lambda _tenant: isinstance(check(), CodeChecked),
        )

        def not_allowed(refusal: Refusal) -> SignInUpNotAllowed:
            return SignInUpNotAllowed(refused(context, PASSWORDLESS, refusal, tenant_id=tenant_id, account=account))

        if may.refusal is not None:
            return not_allowed(may.refusal)
        if device.email is not None and is_fake(device.email):
            return SignInUpNotAllowed(_NO_FIRST_FACTOR)
        with _refused_by_core():
            outcome = unless_withdrawn(
                context, lambda: self.functions.consume_code(**given, session=may.session, tenant_id=tenant_id)
            )
        if outcome is None:
            return not_allowed("SIGN_UP_NOT_ALLOWED")
        if isinstance(outcome, LinkingToSessionUserFailed):
            return not_allowed(outcome.reason)
        if not isinstance(outcome, CodeConsumed):
            return self._failed(outcome, account, tenant_id, context)
        context.forget_attempts(account=account)
        return signed_in(context, outcome, factor_id=may.factors[0], tenant_id=tenant_id, session=may.session)

    def email_exists_get(self, *, email: str, tenant_id: str, context: RequestContext) -> Exists | GeneralError:
        """Return whether a user of this tenant has signed up with this e-mail address and without a password."""
        return self._exists(AccountInfo(email=email), tenant_id)

    def phone_number_exists_get(
        self, *, phone_number: str, tenant_id: str, context: RequestContext
    ) -> Exists | GeneralError:
        """Return whether a user of this tenant has signed up with this phone number."""
        return self._exists(AccountInfo(phone_number=phone_number), tenant_id)

    def _permission(
        self,
        email: str | None,
        phone_number: str | None,
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> Permission:
        """Return whether an attempt may begin. In a session only a code can be used, not a link."""
        return permission(
            context,
            AccountInfoWithRecipeId(recipe_id=PASSWORDLESS, email=email, phone_number=phone_number),
            self.recipe.factors(_channel(email)),
            tenant_id=tenant_id,
            session=session,
            second_factors=[OTP_PHONE if email is None else OTP_EMAIL],
            is_verified=True,
            changes=False,
        )

    def _is_unverified(self, session: SessionContainer, email: str) -> bool:
        """Return whether an address is that of the session's login method, and not verified yet."""
        if automatic_linking(self.recipe.services) is None or self.recipe.services.find(EmailVerification) is None:
            return False
        user = user_by_id(self.recipe.services.core, session.get_user_id())
        method = None if user is None else user.login_method(session.get_recipe_user_id())
        return method is not None and method.email == email and not method.verified

    def _send(
        self, code: CreatedCode, flow_type: FlowType, email: str | None, phone_number: str | None, tenant_id: str
    ) -> None:
        send = self.functions.send_sms if email is None else self.functions.send_email
        to = email or phone_number or ""
        send(message=self.recipe.login_message(code, flow_type=flow_type, to=to, tenant_id=tenant_id))

    def _failed(
        self,
        outcome: IncorrectUserInputCode | ExpiredUserInputCode | RestartFlow,
        account: str | None,
        tenant_id: str,
        context: RequestContext,
    ) -> IncorrectUserInputCode | ExpiredUserInputCode | RestartFlow:
        context.record(
            "sign_in_failed", tenant_id=tenant_id, reason=outcome.status, recipe_id=PASSWORDLESS, account=account
        )
        return outcome

    def _exists(self, info: AccountInfo, tenant_id: str) -> Exists:
        users = users_by_account_info(self.recipe.services.core, account_info=info, tenant_id=tenant_id)
        return Exists(
            any(
                method.recipe_id == PASSWORDLESS
                and tenant_id in method.tenant_ids
                and (method.email == info.email if info.email else method.phone_number == info.phone_number)
                for user in users
                for method in user.login_methods
            )
        )


def _channel(email: str | None) -> Channel:
    return "sms" if email is None else "email"


def _factor(device: Device, *, is_link: bool) -> str:
    if device.email is not None:
        return LINK_EMAIL if is_link else OTP_EMAIL
    return LINK_PHONE if is_link else OTP_PHONE


@contextmanager
def _refused_by_core() -> Iterator[None]:
    """Have the client get 400 for what the core refuses, such as ids that do not belong together."""
    try:
        yield
    except TenantUnknown:
        raise
    except CoreRefused as refused:
        if refused.status != 400:
            raise
        raise BadInput("the ids or codes are not those that were handed out") from None
