"""Settings, results and values of the emailpassword recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import attrs

from ...users import RecipeUserId, User
from ..session import SessionContainer

Validate: TypeAlias = Callable[[str, str], str | None]
"""From a field's value and the tenant to the text that the user sees, or None if the value is good."""


@attrs.frozen(kw_only=True)
class FormField:
    """
    One field of the sign-up form.

    :param id: its name; ``email`` and ``password`` are always there.
    :param validate: default: everything that is not empty is good; for e-mail and password, SuperTokens' rules.
    :param optional: whether it may be missing or empty.
    """

    id: str
    validate: Validate | None = None
    optional: bool = False


def _form_fields(values: Iterable[FormField]) -> tuple[FormField, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class SignUpFeature:
    """
    The sign-up form.

    :param form_fields: fields beside, or in place of, e-mail and password.
    """

    form_fields: tuple[FormField, ...] = attrs.field(default=(), converter=_form_fields)


@attrs.frozen(kw_only=True)
class EmailPasswordConfig:
    """The settings of the recipe: the fields of both forms, complete and with their rules."""

    sign_up_fields: tuple[FormField, ...]
    sign_in_fields: tuple[FormField, ...]


@attrs.frozen
class FieldValue:
    """What a user filled in."""

    id: str
    value: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class SignUpOk:
    """A new user, and the id of the login method that was made."""

    user: User
    recipe_user_id: RecipeUserId
    status = "OK"


@attrs.frozen
class EmailAlreadyExists:
    """Somebody in this tenant has signed up with this e-mail."""

    status = "EMAIL_ALREADY_EXISTS_ERROR"


@attrs.frozen(kw_only=True)
class SignInOk:
    """The user whose e-mail and password these are, and the id of the login method."""

    user: User
    recipe_user_id: RecipeUserId
    status = "OK"


@attrs.frozen
class WrongCredentials:
    """There is no such user, or the password is another one."""

    status = "WRONG_CREDENTIALS_ERROR"


@attrs.frozen(kw_only=True)
class SignUpPostOk:
    """The user has signed up and is signed in."""

    user: User
    session: SessionContainer
    status = "OK"


@attrs.frozen(kw_only=True)
class SignInPostOk:
    """The user is signed in."""

    user: User
    session: SessionContainer
    status = "OK"


@attrs.frozen
class SignUpNotAllowed:
    """Signing up is not possible now; the reason is shown to the user."""

    reason: str
    status = "SIGN_UP_NOT_ALLOWED"


@attrs.frozen
class SignInNotAllowed:
    """Signing in is not possible now; the reason is shown to the user."""

    reason: str
    status = "SIGN_IN_NOT_ALLOWED"


@attrs.frozen
class EmailExists:
    """Whether somebody has signed up with an e-mail."""

    exists: bool
    status = "OK"


@attrs.frozen
class GeneralError:
    """What an override answers to have the frontend show a message of its own."""

    message: str
    status = "GENERAL_ERROR"
