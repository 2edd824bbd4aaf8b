"""Results and values of the webauthn recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import attrs

from ...recipe_kit.results import MailLink, MailToken, MailTokenConsumed, Ok, Outcome, Recovered, Refusal
from ...request.context import RequestContext
from ...users import RecipeUserId, User

GetForTenant: TypeAlias = Callable[[str, RequestContext], str]
"""Takes the tenant and the context of the request, and returns a setting."""

Credential: TypeAlias = Mapping[str, Any]
"""What a browser returns for a passkey, as JSON: a ``RegistrationResponseJSON`` or ``AuthenticationResponseJSON``."""

ResidentKey: TypeAlias = Literal["required", "preferred", "discouraged"]
UserVerification: TypeAlias = Literal["required", "preferred", "discouraged"]
Attestation: TypeAlias = Literal["none", "indirect", "direct", "enterprise"]


@attrs.frozen(kw_only=True)
class _Options(Ok):
    webauthn_generated_options_id: str
    created_at: int
    expires_at: int
    challenge: str
    timeout: int


@attrs.frozen(kw_only=True)
class RegisterOptions(_Options):
    """
    What a browser is asked for to make a passkey. The members are those of its ``PublicKeyCredentialCreationOptions``.

    :param webauthn_generated_options_id: names the options in the call that sends the passkey.
    :param created_at: milliseconds since 1970; *expires_at* likewise.
    :param timeout: milliseconds.
    """

    rp: dict[str, Any]
    user: dict[str, Any]
    attestation: str
    pub_key_cred_params: list[dict[str, Any]]
    exclude_credentials: list[dict[str, Any]]
    authenticator_selection: dict[str, Any]


@attrs.frozen(kw_only=True)
class SignInOptions(_Options):
    """
    What a browser is asked for to sign in. The members are those of its ``PublicKeyCredentialRequestOptions``.

    :param rp_id: the relying party, which passkeys belong to.
    """

    rp_id: str
    user_verification: str


@attrs.frozen(kw_only=True)
class GeneratedOptions(_Options):
    """
    Options that were made before, and what the core checks an answer against.

    :param email: of the user who gets a passkey; None for options to sign in.
    """

    relying_party_id: str
    relying_party_name: str
    origin: str
    email: str | None = None
    user_verification: str
    user_presence: bool


@attrs.frozen(kw_only=True)
class CredentialInfo:
    """
    A passkey of a login method.

    :param created_at: milliseconds since 1970.
    """

    webauthn_credential_id: str
    relying_party_id: str
    recipe_user_id: RecipeUserId
    created_at: int


@attrs.frozen(kw_only=True)
class CredentialFound(CredentialInfo, Ok):
    """The passkey that was asked for."""


@attrs.frozen
class Credentials(Ok):
    """Passkeys, the oldest of each login method first."""

    credentials: tuple[CredentialInfo, ...]


@attrs.frozen(kw_only=True)
class RecoveringUser(Ok):
    """
    The user who may recover with a token.

    :param recipe_user_id: of their login method with passkeys in the tenant; None if they have none yet.
    """

    user: User
    recipe_user_id: RecipeUserId | None = None


class RecoverAccountToken(MailToken):
    """A token that adds a passkey to an account once. Only the reader of mails to the user's address may get it."""


class RecoverAccountLink(MailLink):
    """The address of the website's page that adds a passkey to an account; it contains the token."""


class RecoverAccountTokenConsumed(MailTokenConsumed):
    """The user and the e-mail address that a token was created for. The token cannot be used again."""


class RecoverAccountPostOk(Recovered):
    """The user has the new passkey."""


class InvalidRecoverAccountToken(Outcome):
    """The token is unknown, was used, or has expired."""

    status: ClassVar[Literal["RECOVER_ACCOUNT_TOKEN_INVALID_ERROR"]] = "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR"


@attrs.frozen
class InvalidEmail(Outcome):
    """
    The e-mail address cannot be used.

    :param err: shown to the user.
    """

    err: str
    status: ClassVar[Literal["INVALID_EMAIL_ERROR"]] = "INVALID_EMAIL_ERROR"


class InvalidOptions(Outcome):
    """The options have expired, are for another purpose or another user, or make no sense."""

    status: ClassVar[Literal["INVALID_OPTIONS_ERROR"]] = "INVALID_OPTIONS_ERROR"


class OptionsNotFound(Outcome):
    """The tenant has no options with this id."""

    status: ClassVar[Literal["OPTIONS_NOT_FOUND_ERROR"]] = "OPTIONS_NOT_FOUND_ERROR"


class InvalidCredentials(Outcome):
    """The passkey is not one that signs in here, or cannot be read."""

    status: ClassVar[Literal["INVALID_CREDENTIALS_ERROR"]] = "INVALID_CREDENTIALS_ERROR"


@attrs.frozen
class InvalidAuthenticator(Outcome):
    """
    The passkey does not answer the options: another origin, challenge, counter or signature.

    :param reason: in the core's words.
    """

    reason: str = ""
    status: ClassVar[Literal["INVALID_AUTHENTICATOR_ERROR"]] = "INVALID_AUTHENTICATOR_ERROR"


class CredentialNotFound(Outcome):
    """The user has no such passkey."""

    status: ClassVar[Literal["CREDENTIAL_NOT_FOUND_ERROR"]] = "CREDENTIAL_NOT_FOUND_ERROR"


class CredentialAlreadyExists(Outcome):
    """The passkey is registered already."""

    status: ClassVar[Literal["CREDENTIAL_ALREADY_EXISTS_ERROR"]] = "CREDENTIAL_ALREADY_EXISTS_ERROR"


class RegisterCredentialNotAllowed(Refusal):
    """The passkey cannot be added to the account."""

    status: ClassVar[Literal["REGISTER_CREDENTIAL_NOT_ALLOWED"]] = "REGISTER_CREDENTIAL_NOT_ALLOWED"


class RecoverAccountNotAllowed(Refusal):
    """No mail was sent, because a recovery could take over another user's account."""

    status: ClassVar[Literal["RECOVER_ACCOUNT_NOT_ALLOWED"]] = "RECOVER_ACCOUNT_NOT_ALLOWED"


CredentialRefusal: TypeAlias = InvalidCredentials | InvalidOptions | OptionsNotFound | InvalidAuthenticator
"""Why the core does not accept a passkey."""
