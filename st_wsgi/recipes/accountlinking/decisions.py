"""
Who may sign in, sign up, or change an address, when accounts are linked automatically: tables without side effects.

Every table protects the owner of an address or number: another person must not get into the owner's account with it.
(``recipe/accountlinking/recipe.py`` of supertokens-python; FDI, rules F-01 and F-02.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from ...users import LoginMethod, User
from .types import AccountInfoWithRecipeId, EmailChange

NeedsVerification: TypeAlias = Callable[[AccountInfoWithRecipeId, User | None], bool | None]
"""The app's rule: whether a link needs verification on both sides; None for no link."""


def shares_contact(method: LoginMethod, account: AccountInfoWithRecipeId) -> bool:
    """Return whether both have the same e-mail address or the same phone number."""
    same_email = account.email is not None and method.email == account.email
    return same_email or (account.phone_number is not None and method.phone_number == account.phone_number)


def has_verified(user: User, account: AccountInfoWithRecipeId) -> bool:
    """Return whether the user has proved to own the account's address or number."""
    return any(method.verified and shares_contact(method, account) for method in user.login_methods)


def primary_user_of(users: Iterable[User]) -> User | None:
    """Return the primary user among users of one address or number. The core allows at most one."""
    return next((user for user in users if user.is_primary_user), None)


def may_link(account: AccountInfoWithRecipeId, primary: User, *, is_verified: bool, needs: bool | None) -> bool:
    """
    Return whether a login method may be linked to a primary user by its address or number.

    ================  ===========================  ===============================  =======
    the app's rule    the new method is verified   the user has verified the same   allowed
    ================  ===========================  ===============================  =======
    no link           any                          any                              no
    link              any                          any                              yes
    link verified     yes                          yes                              yes
    link verified     otherwise                                                     no
    ================  ===========================  ===============================  =======
    """
    if needs is None:
        return False
    return not needs or (is_verified and has_verified(primary, account))


def may_sign_in_or_up(
    account: AccountInfoWithRecipeId,
    others: Iterable[User],
    *,
    is_verified: bool,
    session_user_id: str | None,
    needs_verification: NeedsVerification,
) -> bool:
    """
    Return whether a login method may be used or created while other users have the same address or number.

    ================  ===================  ==============================================  =======
    the app's rule    a primary user       verified                                        allowed
    ================  ===================  ==============================================  =======
    no link, link     any                  any                                             yes
    link verified     none                 by all other users                              yes
    link verified     none                 otherwise: the mail that verifies one of them   no
                                           would go to the owner of the other
    link verified     of the session       the method                                      yes
    link verified     another              the method, and by the primary user             yes
    link verified     any                  otherwise                                       no
    ================  ===================  ==============================================  =======

    :param is_verified: whether the method's own address or number is verified, or will be by this sign-in.
    :param session_user_id: of the user who asks to link the method to theirs.
    """
    users = list(others)
    primary = primary_user_of(users)
    if not users or not needs_verification(account, primary):
        return True
    if primary is None:
        return all(has_verified(user, account) for user in users if user.id != session_user_id)
    return is_verified and (primary.id == session_user_id or has_verified(primary, account))


def may_change_email(
    user: User,
    others: Iterable[User],
    *,
    account: AccountInfoWithRecipeId,
    is_verified: bool,
    needs_verification: NeedsVerification,
) -> EmailChange:
    """
    Return whether a login method may have a new e-mail address, in one tenant.

    ==================  ============================  =============================  =========================
    the user is         the new address               is also that of                outcome
    ==================  ============================  =============================  =========================
    primary             any                           another primary user           PRIMARY_USER_CONFLICT
    primary             verified, here or for         any other user                 OK
                        another method of theirs
    primary             unverified                    a user whose link needs it     ACCOUNT_TAKEOVER_RISK
    not primary         verified, or unchanged        any other user                 OK
    not primary         unverified                    a primary user to whom a       ACCOUNT_TAKEOVER_RISK
                                                      link needs it
    any                 otherwise                                                    OK
    ==================  ============================  =============================  =========================

    :param others: the other users of the tenant who have the new address.
    :param account: the login method with its new address.
    """
    users = [other for other in others if other.id != user.id]
    primary = primary_user_of(users)
    if user.is_primary_user and primary is not None:
        return "PRIMARY_USER_CONFLICT"
    if user.is_primary_user:
        same = any(method.verified and method.email == account.email for method in user.login_methods)
        is_theirs, other = is_verified or same, next(iter(users), None)
        pair = None if other is None else (AccountInfoWithRecipeId.of(other.login_methods[0]), user)
    else:
        is_theirs = is_verified or any(method.email == account.email for method in user.login_methods)
        pair = None if primary is None else (AccountInfoWithRecipeId.of(user.login_methods[0]), primary)
    if is_theirs or pair is None or not needs_verification(*pair):
        return "OK"
    return "ACCOUNT_TAKEOVER_RISK"
