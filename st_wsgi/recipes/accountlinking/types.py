"""Results and values of the accountlinking recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

import attrs

from ...recipe_kit.results import Ok
from ...users import LoginMethod, User

OnAccountLinked: TypeAlias = Callable[[User, LoginMethod], object]
"""Takes a primary user, and the login method that was linked to it."""


@attrs.frozen
class CanCreatePrimaryUser(Ok):
    """
    The user can become a primary user.

    :param was_already_a_primary_user: whether it is one.
    """

    was_already_a_primary_user: bool


@attrs.frozen(kw_only=True)
class PrimaryUserCreated(Ok):
    """
    The user is a primary user.

    :param was_already_a_primary_user: whether it was one before.
    """

    user: User
    was_already_a_primary_user: bool


@attrs.frozen
class CanLinkAccounts(Ok):
    """
    The login method can be linked to the primary user.

    :param accounts_already_linked: whether it is.
    """

    accounts_already_linked: bool


@attrs.frozen(kw_only=True)
class AccountsLinked(Ok):
    """
    The login method belongs to the primary user.

    :param user: the primary user, with all login methods.
    :param accounts_already_linked: whether it did before.
    """

    user: User
    accounts_already_linked: bool


@attrs.frozen(kw_only=True)
class AccountUnlinked(Ok):
    """
    The login method belongs to no primary user.

    :param was_linked: whether it did before.
    :param was_recipe_user_deleted: whether it is deleted, because its id is that of the primary user with other login
        methods.
    """

    was_linked: bool
    was_recipe_user_deleted: bool


@attrs.frozen(kw_only=True)
class Conflict:
    """
    Another primary user is in the way.

    :param primary_user_id: of that one.
    :param description: why, in the core's words, for the app's log.
    """

    primary_user_id: str
    description: str


@attrs.frozen(kw_only=True)
class LinkedWithPrimaryUser(Conflict):
    """The login method is linked to a primary user, so that it cannot become one."""

    status: ClassVar[Literal["RECIPE_USER_ID_ALREADY_LINKED_WITH_PRIMARY_USER_ID_ERROR"]] = (
        "RECIPE_USER_ID_ALREADY_LINKED_WITH_PRIMARY_USER_ID_ERROR"
    )


@attrs.frozen(kw_only=True)
class LinkedWithAnotherPrimaryUser(Conflict):
    """
    The login method is linked to another primary user.

    :param user: that one; None if it was only asked whether the login method can be linked.
    """

    user: User | None = None
    status: ClassVar[Literal["RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"]] = (
        "RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
    )


@attrs.frozen(kw_only=True)
class AccountInfoTaken(Conflict):
    """Another primary user has the e-mail address, the phone number or the account at a third party."""

    status: ClassVar[Literal["ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"]] = (
        "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
    )


@attrs.frozen
class NotAPrimaryUser:
    """The user that a login method is to be linked to is no primary user."""

    status: ClassVar[Literal["INPUT_USER_IS_NOT_A_PRIMARY_USER"]] = "INPUT_USER_IS_NOT_A_PRIMARY_USER"
