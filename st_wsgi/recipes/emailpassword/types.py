"""Results and values of the emailpassword recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import attrs

from ...recipe_kit.forms import FormField
from ...users import RecipeUserId, User


def _form_fields(values: Iterable[FormField]) -> tuple[FormField, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class SignUpFeature:
    """
    The sign-up form.

    :param form_fields: fields beside e-mail and password, or in place of them.
    """

    form_fields: tuple[FormField, ...] = attrs.field(default=(), converter=_form_fields)


@attrs.frozen(kw_only=True)
class SignUpOk:
    """A new user, and the id of their new login method."""

    user: User
    recipe_user_id: RecipeUserId
    status: ClassVar[Literal["OK"]] = "OK"


@attrs.frozen
class EmailAlreadyExists:
    """Another user of this tenant has signed up with this e-mail."""

    status: ClassVar[Literal["EMAIL_ALREADY_EXISTS_ERROR"]] = "EMAIL_ALREADY_EXISTS_ERROR"


@attrs.frozen(kw_only=True)
class SignInOk:
    """The user with this e-mail and password, and the id of the login method."""

    user: User
    recipe_user_id: RecipeUserId
    status: ClassVar[Literal["OK"]] = "OK"


@attrs.frozen
class WrongCredentials:
    """No user of this tenant has this e-mail with this password."""

    status: ClassVar[Literal["WRONG_CREDENTIALS_ERROR"]] = "WRONG_CREDENTIALS_ERROR"
