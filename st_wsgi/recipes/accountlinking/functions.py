"""The functions of the accountlinking recipe: interface and default implementation."""

from __future__ import annotations

from ...accounts import user_by_id
from ...recipe_kit.recipe import Functions
from ...users import LoginMethod, RecipeUserId, User
from .settings import AccountLinkingSettings
from .types import (
    AccountInfoTaken,
    AccountsLinked,
    AccountUnlinked,
    CanCreatePrimaryUser,
    CanLinkAccounts,
    LinkedWithAnotherPrimaryUser,
    LinkedWithPrimaryUser,
    NotAPrimaryUser,
    PrimaryUserCreated,
)

_PATH = "/recipe/accountlinking/user"


class AccountLinkingFunctions(Functions[AccountLinkingSettings]):
    """
    The functions of the accountlinking recipe (CDI 5.4, ``/recipe/accountlinking/user`` and what is below).

    An id that the core does not know is refused with :class:`~st_wsgi.errors.CoreRefused`.
    """

    def can_create_primary_user(
        self, *, recipe_user_id: RecipeUserId
    ) -> CanCreatePrimaryUser | LinkedWithPrimaryUser | AccountInfoTaken:
        """Return whether a user can become a primary user, and change nothing."""
        params = {"recipeUserId": recipe_user_id.value}
        reply = self.core.get(f"{_PATH}/primary/check", params)
        return reply.into(CanCreatePrimaryUser, LinkedWithPrimaryUser, AccountInfoTaken)

    def create_primary_user(
        self, *, recipe_user_id: RecipeUserId
    ) -> PrimaryUserCreated | LinkedWithPrimaryUser | AccountInfoTaken:
        """Make a user a primary user, to which further login methods can be linked."""
        reply = self.core.post(f"{_PATH}/primary", {"recipeUserId": recipe_user_id.value})
        return reply.into(PrimaryUserCreated, LinkedWithPrimaryUser, AccountInfoTaken)

    def can_link_accounts(
        self, *, recipe_user_id: RecipeUserId, primary_user_id: str
    ) -> CanLinkAccounts | LinkedWithAnotherPrimaryUser | AccountInfoTaken | NotAPrimaryUser:
        """Return whether a login method can be linked to a primary user, and change nothing."""
        params = {"recipeUserId": recipe_user_id.value, "primaryUserId": primary_user_id}
        reply = self.core.get(f"{_PATH}/link/check", params)
        return reply.into(CanLinkAccounts, LinkedWithAnotherPrimaryUser, AccountInfoTaken, NotAPrimaryUser)

    def link_accounts(
        self, *, recipe_user_id: RecipeUserId, primary_user_id: str
    ) -> AccountsLinked | LinkedWithAnotherPrimaryUser | AccountInfoTaken | NotAPrimaryUser:
        """
        Link a login method to a primary user.

        Whoever signs in with it is that user from now on. Its sessions end. If the user has verified its e-mail address
        for another login method, the address is verified for this one, too.
        """
        body = {"recipeUserId": recipe_user_id.value, "primaryUserId": primary_user_id}
        reply = self.core.post(f"{_PATH}/link", body)
        outcome = reply.into(AccountsLinked, LinkedWithAnotherPrimaryUser, AccountInfoTaken, NotAPrimaryUser)
        if not isinstance(outcome, AccountsLinked) or outcome.accounts_already_linked:
            return outcome
        user = outcome.user
        method = self._method(user, recipe_user_id)
        if self.recipe.verify_if_another_method_is(user, method):
            user = user_by_id(self.core, user.id) or user
        self.context.record("accounts_linked", user_id=user.id, recipe_id=method.recipe_id)
        if self.recipe.on_account_linked is not None:
            self.recipe.on_account_linked(user, self._method(user, method.recipe_user_id))
        return AccountsLinked(user=user, accounts_already_linked=False)

    def unlink_account(self, *, recipe_user_id: RecipeUserId) -> AccountUnlinked:
        """
        Separate a login method from its primary user. Its sessions end.

        The login method whose id is that of the primary user is deleted if the user has others: the id stays theirs.
        """
        reply = self.core.post(f"{_PATH}/unlink", {"recipeUserId": recipe_user_id.value})
        outcome = reply.into(AccountUnlinked)
        if outcome.was_linked:
            self.context.record("account_unlinked", user_id=recipe_user_id.value)
        return outcome

    def _method(self, user: User, recipe_user_id: RecipeUserId) -> LoginMethod:
        """Return the login method of this id. The core names it by its external id if it has one."""
        ids = {recipe_user_id}
        if all(method.recipe_user_id != recipe_user_id for method in user.login_methods):
            mapping = self.core.get("/recipe/userid/map", {"userId": recipe_user_id.value, "userIdType": "ANY"})
            ids.add(RecipeUserId(mapping.ok(str, "externalUserId")))
        return next(method for method in user.login_methods if method.recipe_user_id in ids)
