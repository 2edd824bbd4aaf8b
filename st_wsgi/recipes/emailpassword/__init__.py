"""
Sign up and in with e-mail and password.

::

    from st_wsgi.recipes.emailpassword import EmailPassword, FormField, SignUpFeature

    def send(message):  # a st_wsgi.delivery.Message; by default, messages go to the console in development
        print(message.to, message.link)

    EmailPassword(
        sign_up_feature=SignUpFeature(form_fields=[FormField(id="name")]),
        email_delivery=send,
    )
"""

from __future__ import annotations

from typing import Final

from ...arguments import checked
from ...delivery import Message as Message
from ...recipe_kit.forms import FieldValue as FieldValue, FormField as FormField, email_rule as email_rule
from ...recipe_kit.recipe import user_facing
from ...recipe_kit.results import (
    EmailAlreadyExists as EmailAlreadyExists,
    EmailChangeNotAllowed as EmailChangeNotAllowed,
    Exists as Exists,
    GeneralError as GeneralError,
    LinkingToSessionUserFailed as LinkingToSessionUserFailed,
    Ok as Ok,
    SignInNotAllowed as SignInNotAllowed,
    SignInOk as SignInOk,
    SignUpNotAllowed as SignUpNotAllowed,
    SignUpOk as SignUpOk,
    UnknownUserId as UnknownUserId,
)
from ...request import current
from ...users import PUBLIC_TENANT, RecipeUserId
from ..signing_in import SignedIn as SignedIn
from .apis import EmailPasswordAPIs as EmailPasswordAPIs
from .functions import EmailPasswordFunctions as EmailPasswordFunctions
from .passwords import BreachedPasswords as BreachedPasswords, PasswordPolicy as PasswordPolicy
from .recipe import EmailPassword as EmailPassword
from .types import (
    InvalidResetToken as InvalidResetToken,
    PasswordPolicyViolated as PasswordPolicyViolated,
    PasswordResetNotAllowed as PasswordResetNotAllowed,
    PasswordResetPostOk as PasswordResetPostOk,
    ResetLink as ResetLink,
    ResetToken as ResetToken,
    ResetTokenConsumed as ResetTokenConsumed,
    SignUpFeature as SignUpFeature,
    WrongCredentials as WrongCredentials,
)

consume_password_reset_token: Final = user_facing(EmailPassword, EmailPasswordFunctions.consume_password_reset_token)
create_reset_password_token: Final = user_facing(EmailPassword, EmailPasswordFunctions.create_reset_password_token)
send_email: Final = user_facing(EmailPassword, EmailPasswordFunctions.send_email)
sign_in: Final = user_facing(EmailPassword, EmailPasswordFunctions.sign_in)
sign_up: Final = user_facing(EmailPassword, EmailPasswordFunctions.sign_up)
update_email_or_password: Final = user_facing(EmailPassword, EmailPasswordFunctions.update_email_or_password)
verify_credentials: Final = user_facing(EmailPassword, EmailPasswordFunctions.verify_credentials)


@checked
def reset_password_using_token(
    *, token: str, new_password: str, tenant_id: str = PUBLIC_TENANT
) -> Ok | InvalidResetToken | UnknownUserId | PasswordPolicyViolated:
    """
    Set a new password with a token of :func:`create_reset_password_token`. The token is used up in any case.

    :param new_password: held to the rule of the sign-up form.
    """
    functions = current.services().get(EmailPassword).functions
    consumed = functions.consume_password_reset_token(token=token, tenant_id=tenant_id)
    if isinstance(consumed, InvalidResetToken):
        return consumed
    outcome = functions.update_email_or_password(
        recipe_user_id=RecipeUserId(consumed.user_id), password=new_password, tenant_id_for_password_policy=tenant_id
    )
    assert not isinstance(outcome, EmailAlreadyExists | EmailChangeNotAllowed), "the e-mail address does not change"
    return outcome


@checked
def create_reset_password_link(
    *, user_id: str, email: str, tenant_id: str = PUBLIC_TENANT
) -> ResetLink | UnknownUserId:
    """
    Create a token and return the link to the website's page that sets a new password with it.

    :param user_id: of the user, or of the login method.
    :param email: the address that the link is sent to.
    """
    outcome = create_reset_password_token(user_id=user_id, email=email, tenant_id=tenant_id)
    if isinstance(outcome, UnknownUserId):
        return outcome
    return ResetLink(current.services().get(EmailPassword).link(token=outcome.token, tenant_id=tenant_id))


@checked
def send_reset_password_email(*, user_id: str, email: str, tenant_id: str = PUBLIC_TENANT) -> bool | UnknownUserId:
    """
    Send a user the mail that sets a new password, and return whether the service accepted it.

    :param user_id: of the user, or of the login method.
    :param email: the address that the mail is sent to.
    """
    outcome = create_reset_password_token(user_id=user_id, email=email, tenant_id=tenant_id)
    if isinstance(outcome, UnknownUserId):
        return outcome
    recipe = current.services().get(EmailPassword)
    message = recipe.mail_with_link(token=outcome.token, email=email, user_id=user_id, tenant_id=tenant_id)
    return recipe.functions.send_email(message=message)
