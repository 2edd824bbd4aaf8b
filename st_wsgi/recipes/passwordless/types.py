"""Results and values of the passwordless recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, Literal, TypeAlias

import attrs

from ...checks import a_function
from ...phone import is_phone_number
from ...recipe_kit.forms import Validate, email_rule
from ...recipe_kit.results import FoundOrCreated, Ok, Outcome, Refusal
from ...request.context import RequestContext

PASSWORDLESS: Final = "passwordless"
"""The id of the recipe, and of its login methods."""

FlowType: TypeAlias = Literal["USER_INPUT_CODE", "MAGIC_LINK", "USER_INPUT_CODE_AND_MAGIC_LINK"]
"""What a message has: a code to type in, a link, or both."""

GetCustomUserInputCode: TypeAlias = Callable[[str, RequestContext], str]
"""Takes the tenant and the context of the request, and returns the code that the user types in."""

_a_rule = a_function("contact and tenant", or_none=False)


def phone_number_rule(value: str, _tenant_id: str) -> str | None:
    """Return what is wrong with a phone number, or None."""
    return None if is_phone_number(value) else "Phone number is invalid"


@attrs.frozen(kw_only=True)
class ContactEmailOnlyConfig:
    """
    Messages go to e-mail addresses.

    :param validate_email_address: from the address and the tenant to an error text, or None if the address is good.
    """

    validate_email_address: Validate = attrs.field(default=email_rule, validator=_a_rule)
    contact_method: ClassVar[Literal["EMAIL"]] = "EMAIL"


@attrs.frozen(kw_only=True)
class ContactPhoneOnlyConfig:
    """
    Messages go to phones.

    :param validate_phone_number: from the number and the tenant to an error text, or None if the number is good.
    """

    validate_phone_number: Validate = attrs.field(default=phone_number_rule, validator=_a_rule)
    contact_method: ClassVar[Literal["PHONE"]] = "PHONE"


@attrs.frozen(kw_only=True)
class ContactEmailOrPhoneConfig:
    """
    Users choose between an e-mail address and a phone number.

    :param validate_email_address: from the address and the tenant to an error text, or None if the address is good.
    :param validate_phone_number: likewise for a number.
    """

    validate_email_address: Validate = attrs.field(default=email_rule, validator=_a_rule)
    validate_phone_number: Validate = attrs.field(default=phone_number_rule, validator=_a_rule)
    contact_method: ClassVar[Literal["EMAIL_OR_PHONE"]] = "EMAIL_OR_PHONE"


ContactConfig: TypeAlias = ContactEmailOnlyConfig | ContactPhoneOnlyConfig | ContactEmailOrPhoneConfig
"""Where messages go."""


@attrs.frozen(kw_only=True)
class CreatedCode(Ok):
    """
    A new code, and the secret of the link that does the same. Each of them is enough to sign in.

    :param pre_auth_session_id: names the attempt to sign in.
    :param code_id: names the code.
    :param device_id: a secret of the browser that asked.
    :param user_input_code: what the user types in.
    :param link_code: the secret of the link.
    :param code_life_time: milliseconds.
    :param time_created: milliseconds since 1970.
    """

    pre_auth_session_id: str
    code_id: str
    device_id: str = attrs.field(repr=False)
    user_input_code: str = attrs.field(repr=False)
    link_code: str = attrs.field(repr=False)
    code_life_time: int = attrs.field(metadata={"wire": "codeLifetime"})
    time_created: int


class UserInputCodeAlreadyUsed(Outcome):
    """The browser has been sent this code before. Choose another one."""

    status: ClassVar[Literal["USER_INPUT_CODE_ALREADY_USED_ERROR"]] = "USER_INPUT_CODE_ALREADY_USED_ERROR"


class RestartFlow(Outcome):
    """The attempt to sign in has ended: it succeeded, there were too many wrong codes, or it never began."""

    status: ClassVar[Literal["RESTART_FLOW_ERROR"]] = "RESTART_FLOW_ERROR"


@attrs.frozen(kw_only=True)
class _RefusedCode(Outcome):
    failed_code_input_attempt_count: int
    maximum_code_input_attempts: int


class IncorrectUserInputCode(_RefusedCode):
    """The code is wrong."""

    status: ClassVar[Literal["INCORRECT_USER_INPUT_CODE_ERROR"]] = "INCORRECT_USER_INPUT_CODE_ERROR"


class ExpiredUserInputCode(_RefusedCode):
    """The code was right and is too old."""

    status: ClassVar[Literal["EXPIRED_USER_INPUT_CODE_ERROR"]] = "EXPIRED_USER_INPUT_CODE_ERROR"


@attrs.frozen(kw_only=True)
class ConsumedDevice:
    """The attempt to sign in that a code belongs to, with an e-mail address or a phone number."""

    pre_auth_session_id: str
    failed_code_input_attempt_count: int
    email: str | None = None
    phone_number: str | None = None


@attrs.frozen(kw_only=True)
class CodeConsumed(FoundOrCreated):
    """The user whom a code or a link proved."""

    consumed_device: ConsumedDevice


@attrs.frozen(kw_only=True)
class CodeChecked(Ok):
    """The code or the link is good. It can still be used."""

    consumed_device: ConsumedDevice


@attrs.frozen(kw_only=True)
class DeviceCode:
    """
    A code that is not used yet.

    :param time_created: milliseconds since 1970.
    :param code_life_time: milliseconds.
    """

    code_id: str
    time_created: int
    code_life_time: int = attrs.field(metadata={"wire": "codeLifetime"})


@attrs.frozen(kw_only=True)
class Device(ConsumedDevice):
    """An attempt to sign in, with an e-mail address or a phone number and the codes that were sent there."""

    codes: tuple[DeviceCode, ...]


@attrs.frozen(kw_only=True)
class CodeSent(Ok):
    """A message was sent. The browser needs the two ids for all that follows."""

    device_id: str = attrs.field(repr=False)
    pre_auth_session_id: str
    flow_type: FlowType


class PhoneNumberChangeNotAllowed(Refusal):
    """The phone number cannot be changed, because another account with the new number could be taken over."""

    status: ClassVar[Literal["PHONE_NUMBER_CHANGE_NOT_ALLOWED_ERROR"]] = "PHONE_NUMBER_CHANGE_NOT_ALLOWED_ERROR"
