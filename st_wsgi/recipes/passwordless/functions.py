"""The functions of the passwordless recipe: interface and default implementation."""

from __future__ import annotations

from typing import Any

from ...codec import present
from ...core_client.replies import Reply
from ...recipe_kit.mail import SmsFunctions
from ...recipe_kit.results import (
    EmailAlreadyExists,
    EmailChangeNotAllowed,
    LinkingToSessionUserFailed,
    Ok,
    PhoneNumberAlreadyExists,
    UnknownUserId,
)
from ...users import PUBLIC_TENANT, RecipeUserId
from ..changing_email import change_email
from ..session import SessionContainer
from ..signing_in import linked_outcome
from .settings import PasswordlessSettings
from .types import (
    CodeChecked,
    CodeConsumed,
    CreatedCode,
    Device,
    ExpiredUserInputCode,
    IncorrectUserInputCode,
    PhoneNumberChangeNotAllowed,
    RestartFlow,
    UserInputCodeAlreadyUsed,
)

_PATH = "/recipe/signinup/code"


class PasswordlessFunctions(SmsFunctions[PasswordlessSettings]):
    """
    The functions of the passwordless recipe (CDI 5.4, ``/recipe/signinup/code`` and what is below).

    Each attempt to sign in is a *device*: an e-mail address or a phone number, and the codes that were sent there.
    """

    def create_code(
        self,
        *,
        email: str | None = None,
        phone_number: str | None = None,
        user_input_code: str | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> CreatedCode:
        """
        Begin an attempt to sign in, with a code. This sends no message.

        :param email: where the message will go; either this or a phone number.
        :param user_input_code: default: six digits.
        :raises CoreRefused: there is neither an address nor a number, or both.
        """
        body = present({"email": email, "phoneNumber": phone_number, "userInputCode": user_input_code})
        return self.core.post(_PATH, body, tenant_id=tenant_id).into(CreatedCode)

    def create_new_code_for_device(
        self, *, device_id: str, user_input_code: str | None = None, tenant_id: str = PUBLIC_TENANT
    ) -> CreatedCode | RestartFlow | UserInputCodeAlreadyUsed:
        """
        Make one more code for an attempt to sign in. The earlier ones stay good.

        :param user_input_code: default: six digits.
        """
        body = present({"deviceId": device_id, "userInputCode": user_input_code})
        reply = self.core.post(_PATH, body, tenant_id=tenant_id)
        return reply.into(CreatedCode, RestartFlow, UserInputCodeAlreadyUsed)

    def consume_code(
        self,
        *,
        pre_auth_session_id: str,
        user_input_code: str | None = None,
        device_id: str | None = None,
        link_code: str | None = None,
        session: SessionContainer | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> CodeConsumed | IncorrectUserInputCode | ExpiredUserInputCode | RestartFlow | LinkingToSessionUserFailed:
        """
        Return the user whom a code or a link proves; a new one if there is none. This creates no session.

        A wrong code counts. After too many of them, and after a right one, the attempt has ended.

        :param user_input_code: the code that was typed in; needs *device_id*.
        :param link_code: the secret of the link, in the place of these two.
        :param session: of the user whom the login method is to be linked to.
        :raises CoreRefused: something of that is missing, or does not belong together.
        """
        body = _attempt(pre_auth_session_id, user_input_code, device_id, link_code)
        reply = self.core.post(f"{_PATH}/consume", body, tenant_id=tenant_id)
        outcome = reply.into(CodeConsumed, IncorrectUserInputCode, ExpiredUserInputCode, RestartFlow)
        if not isinstance(outcome, CodeConsumed):
            return outcome
        return linked_outcome(self.context, outcome, tenant_id=tenant_id, session=session)

    def check_code(
        self,
        *,
        pre_auth_session_id: str,
        user_input_code: str | None = None,
        device_id: str | None = None,
        link_code: str | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> CodeChecked | IncorrectUserInputCode | ExpiredUserInputCode | RestartFlow:
        """Do the same as :meth:`consume_code`, without a user: a right code stays good, a wrong one counts."""
        body = _attempt(pre_auth_session_id, user_input_code, device_id, link_code)
        reply = self.core.post(f"{_PATH}/check", body, tenant_id=tenant_id)
        return reply.into(CodeChecked, IncorrectUserInputCode, ExpiredUserInputCode, RestartFlow)

    def revoke_code(self, *, code_id: str, tenant_id: str = PUBLIC_TENANT) -> None:
        """Make a code and its link useless. The attempt ends with its last code."""
        self.core.post(f"{_PATH}/remove", {"codeId": code_id}, tenant_id=tenant_id).check()

    def revoke_all_codes(
        self, *, email: str | None = None, phone_number: str | None = None, tenant_id: str = PUBLIC_TENANT
    ) -> None:
        """
        End all attempts to sign in with an e-mail address or a phone number.

        :raises CoreRefused: there is neither an address nor a number, or both.
        """
        body = present({"email": email, "phoneNumber": phone_number})
        self.core.post("/recipe/signinup/codes/remove", body, tenant_id=tenant_id).check()

    def list_codes_by_email(self, *, email: str, tenant_id: str = PUBLIC_TENANT) -> tuple[Device, ...]:
        """Return the attempts to sign in with an e-mail address."""
        return self._devices("email", email, tenant_id)

    def list_codes_by_phone_number(self, *, phone_number: str, tenant_id: str = PUBLIC_TENANT) -> tuple[Device, ...]:
        """Return the attempts to sign in with a phone number."""
        return self._devices("phoneNumber", phone_number, tenant_id)

    def list_codes_by_device_id(self, *, device_id: str, tenant_id: str = PUBLIC_TENANT) -> Device | None:
        """Return an attempt to sign in, or None."""
        return next(iter(self._devices("deviceId", device_id, tenant_id)), None)

    def list_codes_by_pre_auth_session_id(
        self, *, pre_auth_session_id: str, tenant_id: str = PUBLIC_TENANT
    ) -> Device | None:
        """Return an attempt to sign in, or None."""
        return next(iter(self._devices("preAuthSessionId", pre_auth_session_id, tenant_id)), None)

    def update_user(
        self, *, recipe_user_id: RecipeUserId, email: str | None = None, phone_number: str | None = None
    ) -> (
        Ok
        | UnknownUserId
        | EmailAlreadyExists
        | PhoneNumberAlreadyExists
        | EmailChangeNotAllowed
        | PhoneNumberChangeNotAllowed
    ):
        """Change the e-mail address or the phone number of a login method, or both. None leaves one as it is."""

        def change() -> (
            Ok
            | UnknownUserId
            | EmailAlreadyExists
            | PhoneNumberAlreadyExists
            | EmailChangeNotAllowed
            | PhoneNumberChangeNotAllowed
        ):
            return self._change(recipe_user_id, present({"email": email, "phoneNumber": phone_number})).into(
                Ok,
                UnknownUserId,
                EmailAlreadyExists,
                PhoneNumberAlreadyExists,
                EmailChangeNotAllowed,
                PhoneNumberChangeNotAllowed,
            )

        if email is None:
            return change()
        return change_email(
            self.recipe.services,
            recipe_user_id,
            email,
            change=change,
            undo=lambda old: self._change(recipe_user_id, {"email": old.email, "phoneNumber": old.phone_number}),
            if_same=lambda: self._change(recipe_user_id, present({"phoneNumber": phone_number})).into(
                Ok, UnknownUserId, PhoneNumberAlreadyExists, PhoneNumberChangeNotAllowed
            ),
        )

    def delete_email_for_user(self, *, recipe_user_id: RecipeUserId) -> Ok | UnknownUserId:
        """
        Take the e-mail address from a login method, which keeps its phone number.

        :raises CoreRefused: there is no phone number.
        """
        return self._change(recipe_user_id, {"email": None}).into(Ok, UnknownUserId)

    def delete_phone_number_for_user(self, *, recipe_user_id: RecipeUserId) -> Ok | UnknownUserId:
        """
        Take the phone number from a login method, which keeps its e-mail address.

        :raises CoreRefused: there is no e-mail address.
        """
        return self._change(recipe_user_id, {"phoneNumber": None}).into(Ok, UnknownUserId)

    def _devices(self, name: str, value: str, tenant_id: str) -> tuple[Device, ...]:
        reply = self.core.get("/recipe/signinup/codes", {name: value}, tenant_id=tenant_id)
        return reply.ok(tuple[Device, ...], "devices")

    def _change(self, recipe_user_id: RecipeUserId, changes: dict[str, str | None]) -> Reply:
        reply = self.core.put("/recipe/user", {"recipeUserId": recipe_user_id.value, **changes})
        if reply.body.get("status") == "OK":
            if "email" in changes:
                self.context.record("email_changed", user_id=recipe_user_id.value)
            if "phoneNumber" in changes:
                self.context.record("phone_number_changed", user_id=recipe_user_id.value)
        return reply


def _attempt(
    pre_auth_session_id: str, user_input_code: str | None, device_id: str | None, link_code: str | None
) -> dict[str, Any]:
    members = {"userInputCode": user_input_code, "deviceId": device_id, "linkCode": link_code}
    return {"preAuthSessionId": pre_auth_session_id, **present(members)}
