"""The settings of the accountlinking recipe, and what follows from the app's rule."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import attrs

from ...accounts import AccountInfo, users_by_account_info
from ...checks import a_function
from ...errors import ArgumentError, ConfigError
from ...grammar import FAKE_EMAIL_DOMAINS
from ...recipe_kit.recipe import Settings
from ...request import current
from ...users import PUBLIC_TENANT, LoginMethod, RecipeUserId, User
from ..emailverification.recipe import mark_as_verified
from ..session import SessionContainer
from .decisions import NeedsVerification, may_change_email, may_sign_in_or_up
from .types import (
    AccountInfoWithRecipeId,
    EmailChange,
    OnAccountLinked,
    ShouldAutomaticallyLink,
    ShouldDoAutomaticAccountLinking,
    ShouldNotAutomaticallyLink,
)


@attrs.define(kw_only=True, eq=False, slots=False)
class AccountLinkingSettings(Settings):
    """The settings of the recipe, for its functions and APIs."""

    should_do_automatic_account_linking: ShouldDoAutomaticAccountLinking | None = attrs.field(
        default=None,
        validator=a_function("a login method, a user, a session, the id of a tenant and the request"),
    )
    on_account_linked: OnAccountLinked | None = attrs.field(
        default=None, validator=a_function("a user and the login method that was linked")
    )

    @property
    def is_automatic(self) -> bool:
        """Whether accounts are linked when users sign in, up, and verify addresses."""
        return self.should_do_automatic_account_linking is not None

    def needs_verification(
        self, account: AccountInfoWithRecipeId, user: User | None, *, session: SessionContainer | None, tenant_id: str
    ) -> bool | None:
        """
        Ask the app whether a link needs verification on both sides; None is for no link.

        :raises ConfigError: the app's function returned something else.
        """
        if self.should_do_automatic_account_linking is None:
            return None
        context = current.context_for(self.services)
        answer = self.should_do_automatic_account_linking(account, user, session, tenant_id, context)
        if isinstance(answer, ShouldNotAutomaticallyLink):
            return None
        if not isinstance(answer, ShouldAutomaticallyLink):
            raise ConfigError(
                "should_do_automatic_account_linking must return ShouldAutomaticallyLink() or "
                f"ShouldNotAutomaticallyLink(), not {answer!r}"
            )
        return answer.should_require_verification

    def rule(self, session: SessionContainer | None, tenant_id: str) -> NeedsVerification:
        """Return :meth:`needs_verification` for one session and tenant."""
        return functools.partial(self.needs_verification, session=session, tenant_id=tenant_id)

    def users_with_contact_of(self, account: AccountInfoWithRecipeId, tenant_id: str) -> tuple[User, ...]:
        """
        Return the users of a tenant with the address, the number or the account at a third party.

        A made-up address proves nothing: a stranger can work out the one that an account at a provider gets.
        """
        email = None if account.email is None or account.email.endswith(FAKE_EMAIL_DOMAINS) else account.email
        if email is None and account.phone_number is None and account.third_party is None:
            return ()
        info = AccountInfo(email=email, phone_number=account.phone_number, third_party=account.third_party)
        return users_by_account_info(
            self.services.core, account_info=info, tenant_id=tenant_id, do_union_of_account_info=True
        )

    def allows(
        self,
        account: AccountInfoWithRecipeId,
        user: User | None,
        *,
        is_verified: bool,
        session: SessionContainer | None,
        tenant_id: str,
        users: Sequence[User] | None = None,
    ) -> bool:
        """
        Return whether a login method may be used, or created.

        :param user: who has the login method; None for a new one.
        :param is_verified: whether its address or number is verified, or will be by this sign-in.
        :param users: who has its address or number; None asks the core.
        """
        if user is not None and (user.is_primary_user or is_verified):
            return True
        if users is None:
            users = self.users_with_contact_of(account, tenant_id)
        if user is not None and [one.id for one in users] == [user.id]:
            return True
        return may_sign_in_or_up(
            account,
            users,
            is_verified=is_verified,
            session_user_id=None if session is None else session.get_user_id(),
            needs_verification=self.rule(session, tenant_id),
        )

    def email_change(
        self, user: User, method: LoginMethod, email: str, *, is_verified: bool, session: SessionContainer | None
    ) -> EmailChange:
        """Return whether a login method may have a new e-mail address in all tenants of its user."""
        account = attrs.evolve(AccountInfoWithRecipeId.of(method), email=email)
        for tenant_id in user.tenant_ids:
            info = AccountInfo(email=email)
            outcome = may_change_email(
                user,
                users_by_account_info(self.services.core, account_info=info, tenant_id=tenant_id),
                account=account,
                is_verified=is_verified,
                needs_verification=self.rule(session, tenant_id),
            )
            if outcome != "OK":
                return outcome
        return "OK"

    def verify_if_another_method_is(self, user: User, method: LoginMethod) -> bool:
        """
        Verify the e-mail address of a primary user's login method if they have verified it for another one.

        :returns: whether it is verified now and was not before.
        """
        known = any(other.verified and other.email == method.email for other in user.login_methods)
        if not user.is_primary_user or method.email is None or method.verified or not known:
            return False
        tenant_id = next(iter(method.tenant_ids), PUBLIC_TENANT)
        return mark_as_verified(self.services, method.recipe_user_id, method.email, tenant_id=tenant_id)

    def method_of(self, user: User, recipe_user_id: RecipeUserId) -> LoginMethod:
        """
        Return the login method of a user that has this id. The core names it by its external id if it has one.

        :raises ArgumentError: the user has none.
        """
        method = user.login_method(recipe_user_id)
        if method is None:
            params = {"userId": recipe_user_id.value, "userIdType": "ANY"}
            reply = self.services.core.get("/recipe/userid/map", params)
            if reply.is_ok("UNKNOWN_MAPPING_ERROR"):
                method = user.login_method(RecipeUserId(reply.ok(str, "externalUserId")))
        if method is None:
            raise ArgumentError("no login method has this id")
        return method
