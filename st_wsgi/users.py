"""Users and what belongs to them: the values that all recipes share."""

from __future__ import annotations

import attrs


@attrs.frozen
class RecipeUserId:
    """
    The id of one login method of a user, kept apart from user ids so that the two are not mixed up.

    :param value: the id.
    """

    value: str = attrs.field(validator=attrs.validators.instance_of(str))

    def get_as_string(self) -> str:
        return self.value


def convert_to_recipe_user_id(recipe_user_id: str) -> RecipeUserId:
    """Return the id of a login method that the app kept as a text."""
    return RecipeUserId(recipe_user_id)


@attrs.frozen
class ThirdPartyInfo:
    """Who a user is at a third party."""

    id: str
    user_id: str


@attrs.frozen
class WebauthnInfo:
    """The passkeys of a user."""

    credential_ids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class LoginMethod:
    """
    One way in which a user signs in.

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
    A user as the core tells it (CDI 4 and later).

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
