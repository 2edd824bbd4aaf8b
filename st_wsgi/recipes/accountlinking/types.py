"""Results and values of the accountlinking recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

import attrs

from ...recipe_kit.results import Ok, Outcome
from ...request.context import RequestContext
from ...users import LoginMethod, RecipeUserId, ThirdPartyInfo, User
from ..session import SessionContainer


@attrs.frozen(kw_only=True)
class AccountInfoWithRecipeId:
    """
    A login method, or one that is about to be created.

    :param recipe_id: such as ``emailpassword``.
    :param recipe_user_id: None for one that does not exist yet.
    """

    recipe_id: str
    email: str | None = None
    phone_number: str | None = None
    third_party: ThirdPartyInfo | None = None
    recipe_user_id: RecipeUserId | None = None

    @classmethod
    def of(cls, method: LoginMethod) -> AccountInfoWithRecipeId:
        """Return what is known of an existing login method."""
        return cls(
            recipe_id=method.recipe_id,
            email=method.email,
            phone_number=method.phone_number,
            third_party=method.third_party,
            recipe_user_id=method.recipe_user_id,
        )


@attrs.frozen
class ShouldNotAutomaticallyLink:
    """The app's answer: leave these accounts alone."""


@attrs.frozen
class ShouldAutomaticallyLink:
    """
    The app's answer: link these accounts.

    :param should_require_verification: only if the address or number is verified on both sides. Without that, a person
        can sign up with another person's address and so get into their account.
    """

    should_require_verification: bool = True


ShouldDoAutomaticAccountLinking: TypeAlias = Callable[
    [AccountInfoWithRecipeId, User | None, SessionContainer | None, str, RequestContext],
    ShouldNotAutomaticallyLink | ShouldAutomaticallyLink,
]
"""
Takes a login method, the primary user that it may be linked to (None: it may become a primary user itself), the session
of the user who asked for the link (None: the link is by address or number), the tenant and the request.
"""

EmailChange: TypeAlias = Literal["OK", "PRIMARY_USER_CONFLICT", "ACCOUNT_TAKEOVER_RISK"]

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
    :param was_recipe_user_deleted: whether it was deleted: its id is that of the primary user, who has other login
        methods.
    """

    was_linked: bool
    was_recipe_user_deleted: bool


@attrs.frozen(kw_only=True)
class AccountLinkConflict(Outcome):
    """
    It cannot be done because of another primary user.

    :param primary_user_id: the id of the other primary user.
    :param description: why, in the core's words, for the app's log.
    """

    primary_user_id: str
    description: str


class LinkedWithPrimaryUser(AccountLinkConflict):
    """The login method is linked to a primary user, so that it cannot become one."""

    status: ClassVar[Literal["RECIPE_USER_ID_ALREADY_LINKED_WITH_PRIMARY_USER_ID_ERROR"]] = (
        "RECIPE_USER_ID_ALREADY_LINKED_WITH_PRIMARY_USER_ID_ERROR"
    )


@attrs.frozen(kw_only=True)
class LinkedWithAnotherPrimaryUser(AccountLinkConflict):
    """
    The login method is linked to another primary user.

    :param user: the other user; None from ``can_link_accounts``.
    """

    user: User | None = None
    status: ClassVar[Literal["RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"]] = (
        "RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
    )


class AccountInfoTaken(AccountLinkConflict):
    """Another primary user has the e-mail address, the phone number or the account at a third party."""

    status: ClassVar[Literal["ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"]] = (
        "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
    )


class NotAPrimaryUser(Outcome):
    """The user that a login method is to be linked to is no primary user."""

    status: ClassVar[Literal["INPUT_USER_IS_NOT_A_PRIMARY_USER"]] = "INPUT_USER_IS_NOT_A_PRIMARY_USER"
