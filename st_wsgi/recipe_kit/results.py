"""
Results that several recipes return.

A result is a frozen attrs class with its wire ``status``, which stands nowhere else: the core's reply is read into it
(:meth:`~st_wsgi.core_client.replies.Reply.into`), and a route's response is made of it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs

from ..users import RecipeUserId, User


@attrs.frozen
class Outcome:
    """The base of all results. A class that adds no member to its base needs no decorator."""


@attrs.frozen
class Ok(Outcome):
    """It is done. All results with the status ``OK`` are of this class."""

    status: ClassVar[Literal["OK"]] = "OK"


@attrs.frozen(kw_only=True)
class LoginOk(Ok):
    """A user, and the id of one of their login methods."""

    user: User
    recipe_user_id: RecipeUserId


class SignUpOk(LoginOk):
    """A new user, and the id of their new login method."""


class SignInOk(LoginOk):
    """The user whose credentials these are, and the id of the login method."""


@attrs.frozen(kw_only=True)
class FoundOrCreated(LoginOk):
    """
    The user of a login method, which may be new.

    :param created_new_recipe_user: whether this is a sign-up.
    """

    created_new_recipe_user: bool = attrs.field(metadata={"wire": "createdNewUser"})


@attrs.frozen
class MailToken(Ok):
    """A token that works once. Only the reader of mails to the user's address may get it."""

    token: str = attrs.field(repr=False)


@attrs.frozen
class MailLink(Ok):
    """The address of the website's page that does something with such a token; it contains the token."""

    link: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class MailTokenConsumed(Ok):
    """The user and the e-mail address that a token was created for. The token cannot be used again."""

    user_id: str
    email: str


@attrs.frozen(kw_only=True)
class Recovered(Ok):
    """
    The user has new credentials.

    :param user: whose they are.
    :param email: the address that the mail was sent to.
    """

    user: User = attrs.field(metadata={"wire": None})
    email: str = attrs.field(metadata={"wire": None})


@attrs.frozen
class GeneralError(Outcome):
    """
    An override of an API returns this to have the frontend show a message.

    :param message: shown to the user.
    """

    message: str
    status: ClassVar[Literal["GENERAL_ERROR"]] = "GENERAL_ERROR"


@attrs.frozen
class Refusal(Outcome):
    """
    The user cannot do what they want to do.

    :param reason: shown to the user.
    """

    reason: str


class SignUpNotAllowed(Refusal):
    """The user cannot sign up now."""

    status: ClassVar[Literal["SIGN_UP_NOT_ALLOWED"]] = "SIGN_UP_NOT_ALLOWED"


class SignInNotAllowed(Refusal):
    """The user cannot sign in now."""

    status: ClassVar[Literal["SIGN_IN_NOT_ALLOWED"]] = "SIGN_IN_NOT_ALLOWED"


class SignInUpNotAllowed(Refusal):
    """The user can neither sign in nor sign up now."""

    status: ClassVar[Literal["SIGN_IN_UP_NOT_ALLOWED"]] = "SIGN_IN_UP_NOT_ALLOWED"


@attrs.frozen
class LinkingToSessionUserFailed(Outcome):
    """
    The login method cannot be linked to the user of the session.

    :param reason: no side has verified the address or number; or another primary user has the login method, its
        address, or the address of the session's user.
    """

    reason: Literal[
        "EMAIL_VERIFICATION_REQUIRED",
        "RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
        "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
        "SESSION_USER_ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
    ]
    status: ClassVar[Literal["LINKING_TO_SESSION_USER_FAILED"]] = "LINKING_TO_SESSION_USER_FAILED"


class UnknownUserId(Outcome):
    """No user, and no login method, has this id."""

    status: ClassVar[Literal["UNKNOWN_USER_ID_ERROR"]] = "UNKNOWN_USER_ID_ERROR"


class EmailAlreadyExists(Outcome):
    """Another user of the tenant has this e-mail address."""

    status: ClassVar[Literal["EMAIL_ALREADY_EXISTS_ERROR"]] = "EMAIL_ALREADY_EXISTS_ERROR"


class PhoneNumberAlreadyExists(Outcome):
    """Another user of the tenant has this phone number."""

    status: ClassVar[Literal["PHONE_NUMBER_ALREADY_EXISTS_ERROR"]] = "PHONE_NUMBER_ALREADY_EXISTS_ERROR"


@attrs.frozen
class EmailChangeNotAllowed(Outcome):
    """
    The e-mail address cannot be changed, because another account with the new address could be taken over.

    :param reason: for the app's log or the user.
    """

    reason: str = ""
    status: ClassVar[Literal["EMAIL_CHANGE_NOT_ALLOWED_ERROR"]] = "EMAIL_CHANGE_NOT_ALLOWED_ERROR"


@attrs.frozen
class Exists(Ok):
    """
    Whether a user with an e-mail or a phone number exists.

    :param exists: in the tenant, with the recipe that was asked.
    """

    exists: bool
