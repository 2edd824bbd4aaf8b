"""
Sign in, or up, with a code or a link that comes by mail or by text message.

::

    from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless

    def send(message):  # a st_wsgi.delivery.Message; by default, messages go to the console in development
        print(message.to, message.code, message.link)

    Passwordless(
        contact_config=ContactEmailOnlyConfig(),
        flow_type="USER_INPUT_CODE_AND_MAGIC_LINK",
        email_delivery=send,
    )
"""

from __future__ import annotations

from typing import Final

from ...arguments import checked
from ...delivery import Message as Message
from ...errors import SuperTokensError
from ...recipe_kit.recipe import user_facing
from ...recipe_kit.results import (
    EmailAlreadyExists as EmailAlreadyExists,
    EmailChangeNotAllowed as EmailChangeNotAllowed,
    Exists as Exists,
    GeneralError as GeneralError,
    LinkingToSessionUserFailed as LinkingToSessionUserFailed,
    Ok as Ok,
    PhoneNumberAlreadyExists as PhoneNumberAlreadyExists,
    SignInUpNotAllowed as SignInUpNotAllowed,
    UnknownUserId as UnknownUserId,
)
from ...request import current
from ...users import PUBLIC_TENANT
from ..signing_in import SignedIn as SignedIn
from .apis import PasswordlessAPIs as PasswordlessAPIs
from .functions import PasswordlessFunctions as PasswordlessFunctions
from .recipe import Passwordless as Passwordless
from .types import (
    CodeChecked as CodeChecked,
    CodeConsumed as CodeConsumed,
    CodeSent as CodeSent,
    ConsumedDevice as ConsumedDevice,
    ContactEmailOnlyConfig as ContactEmailOnlyConfig,
    ContactEmailOrPhoneConfig as ContactEmailOrPhoneConfig,
    ContactPhoneOnlyConfig as ContactPhoneOnlyConfig,
    CreatedCode as CreatedCode,
    Device as Device,
    DeviceCode as DeviceCode,
    ExpiredUserInputCode as ExpiredUserInputCode,
    IncorrectUserInputCode as IncorrectUserInputCode,
    PhoneNumberChangeNotAllowed as PhoneNumberChangeNotAllowed,
    RestartFlow as RestartFlow,
    UserInputCodeAlreadyUsed as UserInputCodeAlreadyUsed,
)

check_code: Final = user_facing(Passwordless, PasswordlessFunctions.check_code)
consume_code: Final = user_facing(Passwordless, PasswordlessFunctions.consume_code)
create_code: Final = user_facing(Passwordless, PasswordlessFunctions.create_code)
create_new_code_for_device: Final = user_facing(Passwordless, PasswordlessFunctions.create_new_code_for_device)
delete_email_for_user: Final = user_facing(Passwordless, PasswordlessFunctions.delete_email_for_user)
delete_phone_number_for_user: Final = user_facing(Passwordless, PasswordlessFunctions.delete_phone_number_for_user)
list_codes_by_device_id: Final = user_facing(Passwordless, PasswordlessFunctions.list_codes_by_device_id)
list_codes_by_email: Final = user_facing(Passwordless, PasswordlessFunctions.list_codes_by_email)
list_codes_by_phone_number: Final = user_facing(Passwordless, PasswordlessFunctions.list_codes_by_phone_number)
list_codes_by_pre_auth_session_id: Final = user_facing(
    Passwordless, PasswordlessFunctions.list_codes_by_pre_auth_session_id
)
revoke_all_codes: Final = user_facing(Passwordless, PasswordlessFunctions.revoke_all_codes)
revoke_code: Final = user_facing(Passwordless, PasswordlessFunctions.revoke_code)
send_email: Final = user_facing(Passwordless, PasswordlessFunctions.send_email)
send_sms: Final = user_facing(Passwordless, PasswordlessFunctions.send_sms)
update_user: Final = user_facing(Passwordless, PasswordlessFunctions.update_user)


@checked
def create_magic_link(
    *, email: str | None = None, phone_number: str | None = None, tenant_id: str = PUBLIC_TENANT
) -> str:
    """
    Return a link to the website's page that signs a user in, or up. Only they may get it.

    :param email: either this or a phone number.
    :raises CoreRefused: there is neither an address nor a number, or both.
    """
    recipe = current.services().get(Passwordless)
    code = recipe.functions.create_code(
        email=email,
        phone_number=phone_number,
        user_input_code=recipe.custom_code(tenant_id, recipe.functions.context),
        tenant_id=tenant_id,
    )
    return recipe.magic_link(code, tenant_id=tenant_id)


@checked
def signinup(
    *, email: str | None = None, phone_number: str | None = None, tenant_id: str = PUBLIC_TENANT
) -> CodeConsumed:
    """
    Return the user with an e-mail address or a phone number; a new one if there is none.

    This sends no message and creates no session. An e-mail address counts as verified from then on.

    :param email: either this or a phone number.
    :raises CoreRefused: there is neither an address nor a number, or both.
    :raises SuperTokensError: the code was revoked meanwhile, such as by a sign-in at the same time.
    """
    functions = current.services().get(Passwordless).functions
    code = functions.create_code(email=email, phone_number=phone_number, user_input_code=None, tenant_id=tenant_id)
    outcome = functions.consume_code(
        pre_auth_session_id=code.pre_auth_session_id,
        user_input_code=None,
        device_id=None,
        link_code=code.link_code,
        session=None,
        tenant_id=tenant_id,
    )
    if not isinstance(outcome, CodeConsumed):
        raise SuperTokensError(f"the code was revoked before it could be used: {outcome.status}")
    return outcome
