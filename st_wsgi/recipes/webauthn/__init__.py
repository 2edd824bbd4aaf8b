"""
Sign up and in with passkeys.

::

    from st_wsgi.recipes.webauthn import Webauthn

    def send(message):  # a st_wsgi.delivery.Message; by default, messages go to the console in development
        print(message.to, message.link)

    Webauthn(get_relying_party_id="shop.example", email_delivery=send)
"""

from __future__ import annotations

from typing import Final

from ...arguments import checked
from ...delivery import Message as Message
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
from .apis import WebauthnAPIs as WebauthnAPIs
from .functions import WebauthnFunctions as WebauthnFunctions
from .recipe import Webauthn as Webauthn
from .types import (
    Attestation as Attestation,
    Credential as Credential,
    CredentialAlreadyExists as CredentialAlreadyExists,
    CredentialFound as CredentialFound,
    CredentialInfo as CredentialInfo,
    CredentialNotFound as CredentialNotFound,
    CredentialRefusal as CredentialRefusal,
    Credentials as Credentials,
    GeneratedOptions as GeneratedOptions,
    GetForTenant as GetForTenant,
    InvalidAuthenticator as InvalidAuthenticator,
    InvalidCredentials as InvalidCredentials,
    InvalidEmail as InvalidEmail,
    InvalidOptions as InvalidOptions,
    InvalidRecoverAccountToken as InvalidRecoverAccountToken,
    OptionsNotFound as OptionsNotFound,
    RecoverAccountLink as RecoverAccountLink,
    RecoverAccountNotAllowed as RecoverAccountNotAllowed,
    RecoverAccountPostOk as RecoverAccountPostOk,
    RecoverAccountToken as RecoverAccountToken,
    RecoverAccountTokenConsumed as RecoverAccountTokenConsumed,
    RecoveringUser as RecoveringUser,
    RegisterCredentialNotAllowed as RegisterCredentialNotAllowed,
    RegisterOptions as RegisterOptions,
    ResidentKey as ResidentKey,
    SignInOptions as SignInOptions,
    UserVerification as UserVerification,
)

consume_recover_account_token: Final = user_facing(Webauthn, WebauthnFunctions.consume_recover_account_token)
create_new_recipe_user: Final = user_facing(Webauthn, WebauthnFunctions.create_new_recipe_user)
generate_recover_account_token: Final = user_facing(Webauthn, WebauthnFunctions.generate_recover_account_token)
get_credential: Final = user_facing(Webauthn, WebauthnFunctions.get_credential)
get_generated_options: Final = user_facing(Webauthn, WebauthnFunctions.get_generated_options)
get_user_from_recover_account_token: Final = user_facing(
    Webauthn, WebauthnFunctions.get_user_from_recover_account_token
)
list_credentials: Final = user_facing(Webauthn, WebauthnFunctions.list_credentials)
register_credential: Final = user_facing(Webauthn, WebauthnFunctions.register_credential)
register_options: Final = user_facing(Webauthn, WebauthnFunctions.register_options)
remove_credential: Final = user_facing(Webauthn, WebauthnFunctions.remove_credential)
remove_generated_options: Final = user_facing(Webauthn, WebauthnFunctions.remove_generated_options)
send_email: Final = user_facing(Webauthn, WebauthnFunctions.send_email)
sign_in: Final = user_facing(Webauthn, WebauthnFunctions.sign_in)
sign_in_options: Final = user_facing(Webauthn, WebauthnFunctions.sign_in_options)
sign_up: Final = user_facing(Webauthn, WebauthnFunctions.sign_up)
update_user_email: Final = user_facing(Webauthn, WebauthnFunctions.update_user_email)
verify_credentials: Final = user_facing(Webauthn, WebauthnFunctions.verify_credentials)


@checked
def recover_account(
    *, token: str, webauthn_generated_options_id: str, credential: Credential, tenant_id: str = PUBLIC_TENANT
) -> Ok | InvalidRecoverAccountToken | CredentialRefusal | CredentialAlreadyExists | UnknownUserId:
    """
    Add a passkey to a login method of this recipe with a token. The token is used up in any case.

    This ends no session, removes no other passkey and verifies no address, as the route of recovery does.
    """
    functions = current.services().get(Webauthn).functions
    consumed = functions.consume_recover_account_token(token=token, tenant_id=tenant_id)
    if isinstance(consumed, InvalidRecoverAccountToken):
        return consumed
    return functions.register_credential(
        webauthn_generated_options_id=webauthn_generated_options_id,
        credential=credential,
        recipe_user_id=RecipeUserId(consumed.user_id),
        tenant_id=tenant_id,
    )


@checked
def create_recover_account_link(
    *, user_id: str, email: str, tenant_id: str = PUBLIC_TENANT
) -> RecoverAccountLink | UnknownUserId:
    """
    Create a token and return the link to the website's page that adds a passkey with it.

    :param user_id: of the user, or of the login method.
    :param email: the address that the link is sent to.
    """
    outcome = generate_recover_account_token(user_id=user_id, email=email, tenant_id=tenant_id)
    if isinstance(outcome, UnknownUserId):
        return outcome
    return RecoverAccountLink(current.services().get(Webauthn).link(token=outcome.token, tenant_id=tenant_id))


@checked
def send_recover_account_email(*, user_id: str, email: str, tenant_id: str = PUBLIC_TENANT) -> bool | UnknownUserId:
    """
    Send a user the mail that adds a passkey to their account, and return whether the service accepted it.

    :param user_id: of the user, or of the login method.
    :param email: the address that the mail is sent to.
    """
    outcome = generate_recover_account_token(user_id=user_id, email=email, tenant_id=tenant_id)
    if isinstance(outcome, UnknownUserId):
        return outcome
    recipe = current.services().get(Webauthn)
    message = recipe.mail_with_link(token=outcome.token, email=email, user_id=user_id, tenant_id=tenant_id)
    return recipe.functions.send_email(message=message)
