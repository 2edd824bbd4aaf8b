"""Linking a login method to the user of a session (``auth_utils.py`` of supertokens-python)."""

from __future__ import annotations

from ...accounts import user_of_session
from ...errors import BadInput, CoreRefused, Unauthorised
from ...recipe_kit.results import LinkingToSessionUserFailed
from ...users import LoginMethod, User
from ..emailverification import EmailVerification, EmailVerificationClaim
from ..session import SessionContainer
from .decisions import has_verified
from .functions import AccountLinkingFunctions, is_about_unknown_user
from .types import (
    AccountInfoTaken,
    AccountInfoWithRecipeId,
    AccountsLinked,
    LinkedWithAnotherPrimaryUser,
    NotAPrimaryUser,
    PrimaryUserCreated,
)

_TRIES = 10


def primary_user_of_session(
    functions: AccountLinkingFunctions, session: SessionContainer, *, changes: bool
) -> User | LinkingToSessionUserFailed | None:
    """
    Return the user of a session as a primary user; None if the app's rule does not make them one.

    :param changes: False leaves the user as they are, for a request that only prepares a link.
    :raises InvalidClaims: their own address has to be verified first: 403.
    :raises Unauthorised: the user does not exist any more.
    """
    user = user_of_session(functions.core, session.get_user_id())
    if user.is_primary_user:
        return user
    method = user.login_methods[0]
    needs = functions.recipe.rule(session, session.get_tenant_id())(AccountInfoWithRecipeId.of(method), None)
    if needs is None or not changes:
        return None if needs is None else user
    if needs and not method.verified:
        if functions.recipe.services.find(EmailVerification) is None:
            return LinkingToSessionUserFailed("EMAIL_VERIFICATION_REQUIRED")
        if session.get_claim_value(EmailVerificationClaim) is not False:
            session.set_claim_value(EmailVerificationClaim, False)
        session.assert_claims([EmailVerificationClaim.is_verified()])
    try:
        made = functions.create_primary_user(recipe_user_id=method.recipe_user_id)
    except CoreRefused as refused:
        if is_about_unknown_user(refused):
            raise Unauthorised("the user of the session does not exist") from None
        raise
    if isinstance(made, PrimaryUserCreated):
        return made.user
    if isinstance(made, AccountInfoTaken):
        return LinkingToSessionUserFailed(
            "SESSION_USER_ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
        )
    raise Unauthorised("the user of the session was linked to another user")


def link_to_session_user(
    functions: AccountLinkingFunctions, user: User, method: LoginMethod, session: SessionContainer
) -> User | LinkingToSessionUserFailed:
    """
    Link a login method, whose credentials were just checked, to the user of a session.

    :raises BadInput: the app's rule does not link these two.
    :raises InvalidClaims: the address of the session's user has to be verified first: 403.
    :raises Unauthorised: the session's user does not exist any more.
    """
    account = AccountInfoWithRecipeId.of(method)
    for _ in range(_TRIES):
        if user.id == session.get_user_id():
            return user
        primary = primary_user_of_session(functions, session, changes=True)
        if isinstance(primary, LinkingToSessionUserFailed):
            return primary
        needs = None if primary is None else functions.recipe.rule(session, session.get_tenant_id())(account, primary)
        if primary is None or needs is None:
            raise BadInput("the app does not link this way to sign in to the user of the session")
        if needs and not (method.verified or has_verified(primary, account)):
            return LinkingToSessionUserFailed("EMAIL_VERIFICATION_REQUIRED")
        try:
            outcome = functions.link_accounts(recipe_user_id=method.recipe_user_id, primary_user_id=primary.id)
        except CoreRefused as refused:
            if is_about_unknown_user(refused):
                raise Unauthorised("a user was deleted meanwhile") from None
            raise
        if isinstance(outcome, AccountsLinked):
            return outcome.user
        if not isinstance(outcome, NotAPrimaryUser):  # another request may have unlinked the primary user: try again
            break
    if isinstance(outcome, LinkedWithAnotherPrimaryUser):
        return LinkingToSessionUserFailed("RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR")
    return LinkingToSessionUserFailed("ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR")
