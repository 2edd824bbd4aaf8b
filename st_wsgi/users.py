"""Users and what belongs to them: the values that all recipes share."""

from __future__ import annotations

import attrs

from .errors import ArgumentError

PUBLIC_TENANT = "public"
"""The tenant of apps that have no others, and the default."""


def _is_text(_id: object, _attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str):
        raise ArgumentError(f"the id of a login method must be a str, not a {type(value).__name__}")


@attrs.frozen
class RecipeUserId:
    """
    The id of one login method of a user, of a type of its own so that it is not mistaken for a user id.

    :param value: the id.
    :raises ArgumentError: it is no text.
    """

    value: str = attrs.field(validator=_is_text)

    def get_as_string(self) -> str:
        """Return the id as a text."""
        return self.value


def convert_to_recipe_user_id(recipe_user_id: str) -> RecipeUserId:
    """Return the id of a login method that the app stored as a text."""
    return RecipeUserId(recipe_user_id)


@attrs.frozen
class ThirdPartyInfo:
    """
    A user's account at a third party.

    :param id: of the third party, such as ``google``.
    :param user_id: of the user there.
    """

    id: str
    user_id: str


@attrs.frozen
class WebauthnInfo:
    """The passkeys of a user."""

    # The core shows a login method whose last passkey was removed with one that is null.
    credential_ids: tuple[str, ...] = attrs.field(default=(), metadata={"drops_null": True})


@attrs.frozen(kw_only=True)
class LoginMethod:
    """
    One way in which a user signs in, such as an e-mail with a password.

    :param time_joined: milliseconds since 1970.
    """

    recipe_id: str
    recipe_user_id: RecipeUserId
    tenant_ids: tuple[str, ...]
    verified: bool
    time_joined: int
    email: str | None = None
    phone_number: str | None = None
    third_party: ThirdPartyInfo | None = None
    webauthn: WebauthnInfo | None = None


@attrs.frozen(kw_only=True)
class User:
    """
    A user with all login methods.

    :param id: the primary user id.
    :param time_joined: milliseconds since 1970, that of the oldest login method.
    """

    id: str
    is_primary_user: bool
    tenant_ids: tuple[str, ...]
    time_joined: int
    emails: tuple[str, ...]
    phone_numbers: tuple[str, ...]
    third_party: tuple[ThirdPartyInfo, ...]
    login_methods: tuple[LoginMethod, ...]
    webauthn: WebauthnInfo = WebauthnInfo()

    def login_method(self, recipe_user_id: RecipeUserId) -> LoginMethod | None:
        """Return the login method that has this id, or None."""
        return next((method for method in self.login_methods if method.recipe_user_id == recipe_user_id), None)
