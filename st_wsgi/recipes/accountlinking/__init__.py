"""
Several login methods of one user, such as a password and a Google account.

::

    from st_wsgi.recipes.accountlinking import create_primary_user, link_accounts

    def link(user: User, other: User) -> bool:
        primary = create_primary_user(recipe_user_id=user.login_methods[0].recipe_user_id)
        if primary.status != "OK":
            return False
        method = other.login_methods[0].recipe_user_id
        return link_accounts(recipe_user_id=method, primary_user_id=primary.user.id).status == "OK"

Link a login method only to the user who has proved to own it. A person who signs in with it is that user from then on.
"""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from ...recipe_kit.results import LinkingToSessionUserFailed as LinkingToSessionUserFailed
from .functions import AccountLinkingFunctions as AccountLinkingFunctions
from .recipe import AccountLinking as AccountLinking
from .types import (
    AccountInfoTaken as AccountInfoTaken,
    AccountInfoWithRecipeId as AccountInfoWithRecipeId,
    AccountLinkConflict as AccountLinkConflict,
    AccountsLinked as AccountsLinked,
    AccountUnlinked as AccountUnlinked,
    CanCreatePrimaryUser as CanCreatePrimaryUser,
    CanLinkAccounts as CanLinkAccounts,
    LinkedWithAnotherPrimaryUser as LinkedWithAnotherPrimaryUser,
    LinkedWithPrimaryUser as LinkedWithPrimaryUser,
    NotAPrimaryUser as NotAPrimaryUser,
    OnAccountLinked as OnAccountLinked,
    PrimaryUserCreated as PrimaryUserCreated,
    ShouldAutomaticallyLink as ShouldAutomaticallyLink,
    ShouldDoAutomaticAccountLinking as ShouldDoAutomaticAccountLinking,
    ShouldNotAutomaticallyLink as ShouldNotAutomaticallyLink,
)

can_create_primary_user: Final = user_facing(AccountLinking, AccountLinkingFunctions.can_create_primary_user)
can_link_accounts: Final = user_facing(AccountLinking, AccountLinkingFunctions.can_link_accounts)
create_primary_user: Final = user_facing(AccountLinking, AccountLinkingFunctions.create_primary_user)
create_primary_user_id_or_link_accounts: Final = user_facing(
    AccountLinking, AccountLinkingFunctions.create_primary_user_id_or_link_accounts
)
get_primary_user_that_can_be_linked_to_recipe_user_id: Final = user_facing(
    AccountLinking, AccountLinkingFunctions.get_primary_user_that_can_be_linked_to_recipe_user_id
)
is_email_change_allowed: Final = user_facing(AccountLinking, AccountLinkingFunctions.is_email_change_allowed)
is_sign_in_allowed: Final = user_facing(AccountLinking, AccountLinkingFunctions.is_sign_in_allowed)
is_sign_up_allowed: Final = user_facing(AccountLinking, AccountLinkingFunctions.is_sign_up_allowed)
link_accounts: Final = user_facing(AccountLinking, AccountLinkingFunctions.link_accounts)
unlink_account: Final = user_facing(AccountLinking, AccountLinkingFunctions.unlink_account)
