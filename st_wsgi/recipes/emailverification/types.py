"""Results and values of the emailverification recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

import attrs

from ...recipe_kit.results import MailLink, MailToken, Ok, Outcome, UnknownUserId
from ...users import RecipeUserId

Mode: TypeAlias = Literal["REQUIRED", "OPTIONAL"]


@attrs.frozen
class EmailOfUser(Ok):
    """The e-mail address of a login method."""

    email: str


class EmailDoesNotExist(Outcome):
    """The login method has no e-mail address, so there is nothing to verify."""

    status: ClassVar[Literal["EMAIL_DOES_NOT_EXIST_ERROR"]] = "EMAIL_DOES_NOT_EXIST_ERROR"


EmailInfo: TypeAlias = EmailOfUser | EmailDoesNotExist | UnknownUserId
GetEmailForRecipeUserId: TypeAlias = Callable[[RecipeUserId], EmailInfo]
"""Takes the id of a login method and returns its e-mail address, for login methods that the core does not know."""


class VerificationToken(MailToken):
    """A token that proves, when it comes back, that its recipient reads mails to the address."""


class VerificationLink(MailLink):
    """The address of the website's page that verifies the e-mail address; it contains the token."""


class EmailAlreadyVerified(Outcome):
    """The e-mail address is verified already."""

    status: ClassVar[Literal["EMAIL_ALREADY_VERIFIED_ERROR"]] = "EMAIL_ALREADY_VERIFIED_ERROR"


@attrs.frozen(kw_only=True)
class EmailVerified(Ok):
    """The e-mail address is verified now, and whose it is."""

    recipe_user_id: RecipeUserId = attrs.field(metadata={"wire": "userId"})
    email: str


class InvalidVerificationToken(Outcome):
    """The token is unknown, was used, or has expired."""

    status: ClassVar[Literal["EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"]] = "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"


@attrs.frozen
class VerificationState(Ok):
    """Whether the e-mail address of the session's login method is verified."""

    is_verified: bool
