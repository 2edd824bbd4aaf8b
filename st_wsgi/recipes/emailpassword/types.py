"""Results and values of the emailpassword recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import attrs

from ...checks import a_list
from ...recipe_kit.forms import FormField
from ...recipe_kit.results import MailLink, MailToken, MailTokenConsumed, Outcome, Recovered, Refusal


def _form_fields(values: Iterable[FormField]) -> tuple[FormField, ...]:
    a_list('fields such as FormField(id="name")', kind=FormField).argument("form_fields", values)
    return tuple(values)


@attrs.frozen(kw_only=True)
class SignUpFeature:
    """
    The sign-up form.

    :param form_fields: fields beside e-mail and password, or in place of them.
    """

    form_fields: tuple[FormField, ...] = attrs.field(default=(), converter=_form_fields)


class WrongCredentials(Outcome):
    """No user of this tenant has this e-mail with this password."""

    status: ClassVar[Literal["WRONG_CREDENTIALS_ERROR"]] = "WRONG_CREDENTIALS_ERROR"


class ResetToken(MailToken):
    """A token that sets a new password once. Only the reader of mails to the user's address may get it."""


class ResetLink(MailLink):
    """The address of the website's page that sets a new password; it contains the token."""


class ResetTokenConsumed(MailTokenConsumed):
    """The user and the e-mail address that a token was created for. The token cannot be used again."""


class InvalidResetToken(Outcome):
    """The token is unknown, was used, or has expired."""

    status: ClassVar[Literal["RESET_PASSWORD_INVALID_TOKEN_ERROR"]] = "RESET_PASSWORD_INVALID_TOKEN_ERROR"


@attrs.frozen(kw_only=True)
class PasswordPolicyViolated:
    """
    The new password does not meet the rule of the sign-up form.

    :param failure_reason: shown to the user.
    """

    failure_reason: str
    status: ClassVar[Literal["PASSWORD_POLICY_VIOLATED_ERROR"]] = "PASSWORD_POLICY_VIOLATED_ERROR"


class PasswordResetNotAllowed(Refusal):
    """No mail was sent, because a reset could take over another user's account."""

    status: ClassVar[Literal["PASSWORD_RESET_NOT_ALLOWED"]] = "PASSWORD_RESET_NOT_ALLOWED"


class PasswordResetPostOk(Recovered):
    """The new password is set."""
