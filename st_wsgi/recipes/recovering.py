"""
What passwords and passkeys share: a sign-up with an e-mail address, and a way back in by mail after a loss.

The link in a mail opens an account, so the address must be the owner's: see ``_is_take_over_risk``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias, TypeVar

import attrs

from ..accounts import AccountInfo, user_by_id, users_by_account_info
from ..checks import a_flag
from ..events import EventName
from ..recipe_kit.mail import MailFunctions, MailSettings
from ..recipe_kit.recipe import APIs
from ..recipe_kit.results import (
    EmailAlreadyExists,
    Exists,
    LinkingToSessionUserFailed,
    MailToken,
    SignUpNotAllowed,
    SignUpOk,
    UnknownUserId,
)
from ..request.context import RequestContext
from ..users import LoginMethod, RecipeUserId, User
from .accountlinking import AccountInfoWithRecipeId
from .accountlinking.decisions import primary_user_of
from .emailverification.recipe import mark_as_verified
from .refusals import Refusal, refused
from .session import Session, SessionContainer
from .session.container import SESSION_KEY
from .signing_in import (
    SignedIn,
    automatic_linking,
    is_fake,
    linked,
    permission,
    signed_in,
    unless_withdrawn,
)


@attrs.define(kw_only=True, eq=False, slots=False)
class RecoverySettings(MailSettings):
    """Settings of a recipe whose users recover by mail."""

    end_sessions_on_change: bool = attrs.field(default=False, validator=a_flag())


S = TypeVar("S", bound=RecoverySettings)
_Refused = TypeVar("_Refused")

CreateToken: TypeAlias = Callable[..., MailToken | UnknownUserId]
"""Takes ``user_id``, ``email`` and ``tenant_id``."""


class RecoveryFunctions(MailFunctions[S]):
    """Functions of a recipe whose users recover by mail."""

    def _end_other_sessions(self, recipe_user_id: RecipeUserId) -> None:
        """End the user's sessions after a change if the app wants that, except the one of the request in flight."""
        if not self.recipe.end_sessions_on_change:
            return
        functions = self.recipe.services.get(Session).functions
        own = (self.context.environ or {}).get(SESSION_KEY)
        handles = functions.get_all_session_handles_for_user(user_id=recipe_user_id.value)
        if isinstance(own, SessionContainer) and own.get_handle() in handles:
            handles.remove(own.get_handle())
        if handles:
            functions.revoke_multiple_sessions(session_handles=handles)


F = TypeVar("F", bound=RecoveryFunctions[Any])


class RecoveryAPIs(APIs[S, F]):
    """
    APIs of a recipe whose users recover by mail.

    :cvar _requested: the event of a mail that was asked for.
    """

    _requested: ClassVar[EventName]

    def _signed_up(
        self,
        email: str,
        sign_up: Callable[[SessionContainer | None], SignUpOk | LinkingToSessionUserFailed | _Refused],
        *,
        tenant_id: str,
        session: SessionContainer | None,
        context: RequestContext,
    ) -> SignedIn | SignUpNotAllowed | EmailAlreadyExists | _Refused:
        """
        Sign a user up with an e-mail address, and in.

        :param sign_up: the recipe's function. It takes the session of the user that the login method is linked to.
        """

        def not_allowed(refusal: Refusal) -> SignUpNotAllowed:
            text = refused(context, self.recipe.id, refusal, tenant_id=tenant_id, account=email, is_sign_up=True)
            return SignUpNotAllowed(text)

        may = permission(
            context,
            AccountInfoWithRecipeId(recipe_id=self.recipe.id, email=email),
            [self.recipe.id],
            tenant_id=tenant_id,
            session=session,
            is_verified=is_fake(email),
            is_sign_up=True,
        )
        is_taken = may.user is not None and may.refusal == "SIGN_UP_NOT_ALLOWED"
        if may.refusal is not None and not is_taken:
            return not_allowed(may.refusal)
        if is_taken or not may.accepts(email):
            return EmailAlreadyExists()
        outcome = unless_withdrawn(context, lambda: sign_up(may.session))
        if outcome is None:
            return not_allowed("SIGN_UP_NOT_ALLOWED")
        if isinstance(outcome, LinkingToSessionUserFailed):
            return not_allowed(outcome.reason)
        if not isinstance(outcome, SignUpOk):
            return outcome
        return signed_in(context, outcome, factor_id=self.recipe.id, tenant_id=tenant_id, session=may.session)

    def _exists(self, email: str, tenant_id: str) -> Exists:
        return Exists(any(self._method_of(user, email, tenant_id) for user in self._users_with(email, tenant_id)))

    def _send_recovery_mail(
        self,
        email: str,
        tenant_id: str,
        *,
        create_token: CreateToken,
        is_allowed: Callable[[User], bool] = lambda _candidate: True,
    ) -> bool:
        """
        Send the link to the user with an e-mail address. Return False if it could open another person's account.

        The outcome tells nothing else about the account: the token is created and the mail is sent in the background.

        :param create_token: the recipe's function, with the overrides of the app.
        :param is_allowed: a rule of the recipe's own for the user who will have the new credentials.
        """
        # Mails to a made-up address would reach a stranger, or no person at all.
        users = () if is_fake(email) else self._users_with(email, tenant_id)
        method = next((method for user in users if (method := self._method_of(user, email, tenant_id))), None)
        candidate = self._owner_afterwards(users, method, tenant_id)
        if candidate is not None and self._is_take_over_risk(candidate, email, tenant_id):
            return False

        def send() -> None:
            if candidate is None or is_allowed(candidate):
                self._send(candidate, method, email, tenant_id, create_token)

        # Without an account, too: the time of the response must not tell whether there is one.
        self.recipe.background.run(send)
        return True

    def _recovered(
        self,
        user_id: str,
        email: str,
        *,
        tenant_id: str,
        context: RequestContext,
        change: Callable[[LoginMethod], _Refused | None],
        create: Callable[[], SignUpOk | _Refused],
    ) -> User | _Refused | None:
        """
        Give the user of a token new credentials. The user has read the mail, so its address is verified.

        :param change: changes the credentials of a login method.
        :param create: creates a login method for a user who has none of this recipe.
        :returns: the user; or the refusal of *change* or *create*; or None if the token cannot be used any more.
        """
        user = user_by_id(self.recipe.services.core, user_id)
        if user is None:
            return None
        recipe_user_id = RecipeUserId(user_id)
        method = user.login_method(recipe_user_id)
        if method is None or method.recipe_id != self.recipe.id:
            if not self._may_sign_up(email, tenant_id):
                return None
            made = create()
            if not isinstance(made, SignUpOk):
                return made
            recipe_user_id = made.recipe_user_id
        else:
            if method.email != email:  # it was changed after the mail was sent
                return None
            if user.is_primary_user and self._is_take_over_risk(user, email, tenant_id):
                return None
            refusal = change(method)
            if refusal is not None:
                return refusal
        mark_as_verified(context.services, recipe_user_id, email, tenant_id=tenant_id)
        self.functions._end_other_sessions(recipe_user_id)
        user = user_by_id(self.recipe.services.core, recipe_user_id.value) or user
        after = linked(context, user, recipe_user_id, tenant_id=tenant_id)
        return after if isinstance(after, User) else user

    def _is_take_over_risk(self, primary: User, email: str, tenant_id: str) -> bool:
        """
        Return whether a recovery by this address could open another person's account.

        That is so when the address was never verified as the user's, while the user has other ways to be reached. Where
        links need verification, any other way in counts: all addresses may have been changed to that of another person.
        """
        methods = primary.login_methods
        if any(method.email == email and method.verified for method in methods):
            return False
        if any(method.phone_number or method.email not in (None, email) for method in methods):
            return True
        linking = automatic_linking(self.recipe.services)
        account = AccountInfoWithRecipeId.of(methods[0])
        return len(methods) > 1 and linking is not None and bool(linking.rule(None, tenant_id)(account, primary))

    def _revoke_sessions(self, method: LoginMethod) -> None:
        """
        End the sessions of a login method whose address was never verified, once its owner has proved it.

        A stranger may have signed up with the address.
        """
        self.recipe.services.get(Session).functions.revoke_all_sessions_for_user(user_id=method.recipe_user_id.value)

    def _may_sign_up(self, email: str, tenant_id: str) -> bool:
        linking = automatic_linking(self.recipe.services)
        account = AccountInfoWithRecipeId(recipe_id=self.recipe.id, email=email)
        return linking is None or linking.allows(account, None, is_verified=True, session=None, tenant_id=tenant_id)

    def _owner_afterwards(self, users: tuple[User, ...], method: LoginMethod | None, tenant_id: str) -> User | None:
        """
        Return the user who will have the credentials: the primary user with the address, or the user who becomes
        primary when accounts are linked. None if they stay a login method of their own.
        """
        primary = primary_user_of(users)
        linking = automatic_linking(self.recipe.services)
        if primary is not None or linking is None or not users:
            return primary
        oldest = min(users, key=lambda user: user.time_joined)
        first = oldest.login_methods[0]
        if len(users) == 1 and first == method:
            return None
        needs = linking.rule(None, tenant_id)(AccountInfoWithRecipeId.of(first), None)
        return oldest if needs is not None and (first.verified or not needs) else None

    def _users_with(self, email: str, tenant_id: str) -> tuple[User, ...]:
        info = AccountInfo(email=email)
        return users_by_account_info(self.recipe.services.core, account_info=info, tenant_id=tenant_id)

    def _method_of(self, user: User, email: str, tenant_id: str) -> LoginMethod | None:
        """Return the login method of this recipe with this e-mail address in this tenant, or None."""
        for method in user.login_methods:
            if method.recipe_id == self.recipe.id and method.email == email and tenant_id in method.tenant_ids:
                return method
        return None

    def _send(
        self, candidate: User | None, method: LoginMethod | None, email: str, tenant_id: str, create_token: CreateToken
    ) -> None:
        user_id = self._user_to_recover(candidate, method, email, tenant_id)
        if user_id is None:
            return
        token_for = user_id if method is None else method.recipe_user_id.value
        self.functions.context.record(self._requested, tenant_id=tenant_id, user_id=token_for)
        outcome = create_token(user_id=token_for, email=email, tenant_id=tenant_id)
        if isinstance(outcome, MailToken):
            message = self.recipe.mail_with_link(token=outcome.token, email=email, user_id=user_id, tenant_id=tenant_id)
            self.functions.send_email(message=message)

    def _user_to_recover(
        self, candidate: User | None, method: LoginMethod | None, email: str, tenant_id: str
    ) -> str | None:
        """Return the id of the user whom the mail is for; None if no user has a login method or may get one."""
        own = None if method is None else method.recipe_user_id.value
        if candidate is None or method in candidate.login_methods:
            return own if candidate is None else candidate.id
        linking = automatic_linking(self.recipe.services)
        account = AccountInfoWithRecipeId(recipe_id=self.recipe.id, email=email)
        if method is not None:
            account = AccountInfoWithRecipeId.of(method)
        if linking is None or linking.rule(None, tenant_id)(account, candidate) is None:
            return own
        return candidate.id if method is not None or self._may_sign_up(email, tenant_id) else None
