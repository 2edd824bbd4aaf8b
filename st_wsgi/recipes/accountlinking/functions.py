"""The functions of the accountlinking recipe: interface and default implementation."""

from __future__ import annotations

import logging

from ...accounts import user_by_id
from ...errors import ArgumentError, CoreRefused
from ...recipe_kit.recipe import Functions
from ...users import PUBLIC_TENANT, LoginMethod, RecipeUserId, User
from ..session import SessionContainer
from .decisions import may_link, primary_user_of
from .settings import AccountLinkingSettings
from .types import (
    AccountInfoTaken,
    AccountInfoWithRecipeId,
    AccountsLinked,
    AccountUnlinked,
    CanCreatePrimaryUser,
    CanLinkAccounts,
    LinkedWithAnotherPrimaryUser,
    LinkedWithPrimaryUser,
    NotAPrimaryUser,
    PrimaryUserCreated,
)

_log = logging.getLogger("st_wsgi")
_PATH = "/recipe/accountlinking/user"
_TRIES = 10


def is_about_unknown_user(refused: CoreRefused) -> bool:
    """Return whether the core refused a call because there is no user with the id."""
    return "Unknown user ID" in str(refused)


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

        A person who signs in with it is that user from now on. The sessions of the login method end. If the user has
        verified its e-mail address for another login method, the address is verified for this one, too.
        """
        body = {"recipeUserId": recipe_user_id.value, "primaryUserId": primary_user_id}
        reply = self.core.post(f"{_PATH}/link", body)
        outcome = reply.into(AccountsLinked, LinkedWithAnotherPrimaryUser, AccountInfoTaken, NotAPrimaryUser)
        if not isinstance(outcome, AccountsLinked) or outcome.accounts_already_linked:
            return outcome
        user = outcome.user
        method = self.recipe.method_of(user, recipe_user_id)
        if self.recipe.verify_if_another_method_is(user, method):
            user = user_by_id(self.core, user.id) or user
        self.context.record("accounts_linked", user_id=user.id, recipe_id=method.recipe_id)
        self._tell(user, self.recipe.method_of(user, method.recipe_user_id))
        return AccountsLinked(user=user, accounts_already_linked=False)

    def unlink_account(self, *, recipe_user_id: RecipeUserId) -> AccountUnlinked:
        """
        Separate a login method from its primary user. The sessions of the login method end.

        If the login method has the id of the primary user, who has others, it is deleted: the user keeps the id.
        """
        reply = self.core.post(f"{_PATH}/unlink", {"recipeUserId": recipe_user_id.value})
        outcome = reply.into(AccountUnlinked)
        if outcome.was_linked:
            self.context.record("account_unlinked", user_id=recipe_user_id.value)
        return outcome

    def create_primary_user_id_or_link_accounts(
        self, *, recipe_user_id: RecipeUserId, session: SessionContainer | None = None, tenant_id: str = PUBLIC_TENANT
    ) -> User:
        """
        Link a user to the primary user with the same address or number, or make them a primary user.

        The app's rule decides. Without a primary user, the oldest user with the address or number becomes one.

        :param session: is passed to the rule.
        :returns: the user as they are afterwards.
        :raises ArgumentError: no login method has this id.
        """
        for _ in range(_TRIES):
            user, method = self._user_of(recipe_user_id)
            try:
                outcome = self._link_once(user, method, session, tenant_id)
            except CoreRefused as refused:
                if not is_about_unknown_user(refused):
                    raise
                continue  # another request has deleted one of the users
            if outcome is not None:
                return outcome
        _log.warning("a login method was not linked: other requests changed the accounts %d times meanwhile", _TRIES)
        return user

    def get_primary_user_that_can_be_linked_to_recipe_user_id(
        self, *, recipe_user_id: RecipeUserId, tenant_id: str = PUBLIC_TENANT
    ) -> User | None:
        """
        Return the primary user with the same address or number, whatever the app's rule; the user if they are primary.

        :raises ArgumentError: no login method has this id.
        """
        user, method = self._user_of(recipe_user_id)
        if user.is_primary_user:
            return user
        return primary_user_of(self.recipe.users_with_contact_of(AccountInfoWithRecipeId.of(method), tenant_id))

    def is_sign_up_allowed(
        self,
        *,
        new_user: AccountInfoWithRecipeId,
        is_verified: bool,
        session: SessionContainer | None = None,
        tenant_id: str = PUBLIC_TENANT,
    ) -> bool:
        """
        Return whether a new login method may be created while others have the same address or number.

        :param is_verified: whether its address or number will be verified from the start.
        :param session: of the user whom it will be linked to.
        :raises ArgumentError: it has both an address and a number.
        """
        if new_user.email is not None and new_user.phone_number is not None:
            raise ArgumentError("new_user has an e-mail address and a phone number; a new login method has one of them")
        return self.recipe.allows(new_user, None, is_verified=is_verified, session=session, tenant_id=tenant_id)

    def is_sign_in_allowed(
        self, *, recipe_user_id: RecipeUserId, session: SessionContainer | None = None, tenant_id: str = PUBLIC_TENANT
    ) -> bool:
        """
        Return whether a login method may be used while others have the same address or number.

        :param session: of the user whom it will be linked to.
        :raises ArgumentError: no login method has this id.
        """
        user, method = self._user_of(recipe_user_id)
        account = AccountInfoWithRecipeId.of(method)
        return self.recipe.allows(account, user, is_verified=method.verified, session=session, tenant_id=tenant_id)

    def is_email_change_allowed(
        self,
        *,
        recipe_user_id: RecipeUserId,
        new_email: str,
        is_verified: bool,
        session: SessionContainer | None = None,
    ) -> bool:
        """
        Return whether a login method may have another e-mail address, in all tenants of its user.

        :param is_verified: whether the new address is verified as theirs.
        :raises ArgumentError: no login method has this id.
        """
        user, method = self._user_of(recipe_user_id)
        return self.recipe.email_change(user, method, new_email, is_verified=is_verified, session=session) == "OK"

    def _tell(self, user: User, method: LoginMethod) -> None:
        """Call the app's function. The link is made already, so an error in there is logged and changes nothing."""
        if self.recipe.on_account_linked is not None:
            try:
                self.recipe.on_account_linked(user, method)
            except Exception as error:  # the boundary: the request goes on
                _log.error("on_account_linked raised %s", type(error).__name__)

    def _link_once(
        self, user: User, method: LoginMethod, session: SessionContainer | None, tenant_id: str
    ) -> User | None:
        """Return the user as they are now; None if other requests changed the accounts meanwhile."""
        if user.is_primary_user:
            return user
        account, needs_verification = AccountInfoWithRecipeId.of(method), self.recipe.rule(session, tenant_id)

        def may_become_primary(one: User) -> bool:
            first = one.login_methods[0]
            needs = needs_verification(AccountInfoWithRecipeId.of(first), None)
            return needs is not None and (first.verified or not needs)

        users = self.recipe.users_with_contact_of(account, tenant_id)
        primary = primary_user_of(users)
        if primary is None:
            oldest = min(users, key=lambda one: one.time_joined, default=user)
            # A user who did not prove to own the address cannot become primary.
            candidate = next((one for one in (oldest, user) if may_become_primary(one)), None)
            if candidate is None:
                return user
            made = self.functions.create_primary_user(recipe_user_id=candidate.login_methods[0].recipe_user_id)
            if not isinstance(made, PrimaryUserCreated):
                return self._unless_elsewhere(made, user, account, tenant_id)
            if candidate.id == user.id:
                return made.user
            primary = made.user
        needs = needs_verification(account, primary)
        if not may_link(account, primary, is_verified=method.verified, needs=needs):
            return user
        linked = self.functions.link_accounts(recipe_user_id=method.recipe_user_id, primary_user_id=primary.id)
        if isinstance(linked, AccountsLinked | LinkedWithAnotherPrimaryUser):
            return linked.user
        return self._unless_elsewhere(linked, user, account, tenant_id)

    def _unless_elsewhere(
        self, outcome: object, user: User, account: AccountInfoWithRecipeId, tenant_id: str
    ) -> User | None:
        """
        Return the user, unchanged, if a primary user of another tenant has the address: trying again would not help.
        Return None if other requests have changed the accounts of this tenant meanwhile.
        """
        if not isinstance(outcome, AccountInfoTaken):
            return None
        now = self.recipe.users_with_contact_of(account, tenant_id)
        return None if any(one.id == outcome.primary_user_id for one in now) else user

    def _user_of(self, recipe_user_id: RecipeUserId) -> tuple[User, LoginMethod]:
        user = user_by_id(self.core, recipe_user_id.value)
        if user is None:
            raise ArgumentError("no login method has this id")
        return user, self.recipe.method_of(user, recipe_user_id)
