"""
Signing a user in, for all recipes with a login method: the checks, linking, the session, and the response.

A recipe asks for :func:`permission` before it looks at credentials, calls :func:`linked` when the core has accepted
them, and then :func:`signed_in`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, TypeVar

import attrs
from werkzeug.wrappers import Response

from ..accounts import AccountInfo, user_by_id, user_of_session, users_by_account_info
from ..codec import present, to_json
from ..errors import NO_SUCH_TENANT, ArgumentError, BadInput, Unauthorised
from ..grammar import FAKE_EMAIL_DOMAINS
from ..recipe_kit.results import FoundOrCreated, LinkingToSessionUserFailed, LoginOk, Ok, SignUpOk
from ..request.context import RequestContext
from ..request.respond import json_response
from ..services import Services
from ..users import LoginMethod, RecipeUserId, User
from .accountlinking import AccountInfoWithRecipeId, AccountLinking
from .accountlinking.decisions import has_verified, shares_contact
from .accountlinking.in_request import link_to_session_user, primary_user_of_session
from .multifactorauth import MultiFactorAuth, SecondFactors
from .multifactorauth.decisions import made_up_email
from .multifactorauth.functions import factors_to_set_up, is_protected, refusals_recorded
from .multitenancy import AssociationNotAllowed, Multitenancy, UserAssociated
from .refusals import Refusal
from .session import SessionContainer
from .session.in_request import create_new_session, session_of_route

_Login = TypeVar("_Login", bound=LoginOk)
_Outcome = TypeVar("_Outcome")


def offer_factors(services: Services, factors: Iterable[str], second: SecondFactors | None = None) -> None:
    """
    Add the factors of a recipe to those of the app, while the recipe is bound.

    :param second: its second factors. A recipe that has some names ``MultiFactorAuth`` in ``follows``.
    """
    services.get(Multitenancy).add_first_factors(factors)
    mfa = services.find(MultiFactorAuth)
    if mfa is not None and second is not None:
        mfa.offered.append(second)


@attrs.frozen(kw_only=True)
class SignedIn(Ok):
    """
    The user is signed in.

    :param session: the new session, or the one that the login method was linked to.
    :param created: whether the login method was created now; None when the protocol does not say.
    """

    user: User
    session: SessionContainer
    created: bool | None = None


def first_factors_allowed(context: RequestContext, factors: Iterable[str], *, tenant_id: str) -> tuple[str, ...]:
    """
    Return those of *factors* with which a user of the tenant may begin to sign in.

    This is asked before the credentials are looked at, so that the response does not tell which users exist.

    :raises BadInput: the tenant does not exist.
    :raises Unauthorised: none of them is allowed.
    """
    multitenancy = context.services.get(Multitenancy)
    tenant = multitenancy.functions.get_tenant(tenant_id=tenant_id)
    if tenant is None:
        raise BadInput(NO_SUCH_TENANT)
    allowed = multitenancy.first_factors_of(tenant)
    usable = tuple(factor for factor in factors if factor in allowed)
    if not usable:
        context.record("sign_in_failed", tenant_id=tenant_id, reason="FIRST_FACTOR_NOT_ALLOWED")
        raise Unauthorised("the tenant does not allow this first factor")
    return usable


@attrs.frozen(kw_only=True)
class Permission:
    """
    Whether an attempt to sign in or up may go on, before its credentials are looked at.

    :param factors: the offered factors that may be used.
    :param session: the session whose user the login method will be linked to; None for a first factor.
    :param owner: the user of that session.
    :param user: who has the login method already. It is looked for only where accounts are linked automatically.
    :param refusal: why the attempt may not go on; None if it may.
    """

    factors: tuple[str, ...] = ()
    session: SessionContainer | None = None
    owner: User | None = None
    user: User | None = None
    refusal: Refusal | None = None

    def accepts(self, email: str) -> bool:
        """
        Return whether an address may be used. A made-up one can only be used by the session's user whose address it is.

        It counts as verified from the start, so it is refused at sign-up and sign-in (FDI, rule F-04), and a user
        cannot add another user's made-up address to their account.
        """
        if not is_fake(email) or self.owner is None:
            return not is_fake(email)
        return email in (*self.owner.emails, *map(made_up_email, self.owner.login_methods))


def permission(
    context: RequestContext,
    account: AccountInfoWithRecipeId,
    factors: Iterable[str],
    *,
    tenant_id: str,
    session: SessionContainer | None,
    second_factors: Iterable[str] | None = None,
    is_verified: bool = False,
    is_sign_up: bool | None = None,
    check_credentials: Callable[[str], bool] | None = None,
    changes: bool = True,
) -> Permission:
    """
    Return whether a login method may be used or created, by the tenant's factors and the rule of account linking.

    :param account: the login method.
    :param session: from :func:`session_to_link`.
    :param second_factors: the factors in a session, if they differ from *factors*.
    :param is_verified: whether its address or number is verified, or will be by this sign-in.
    :param is_sign_up: None if it is one unless the login method exists.
    :param check_credentials: whether they are good in a tenant. A login method of the session's user that exists in
        another tenant is added to this one if they are.
    :param changes: False makes no primary user yet, for a request that only prepares a sign-in.
    :raises BadInput: the tenant does not exist, or the app does not link this to the session's user.
    :raises Unauthorised: the tenant does not allow this first factor, or the session's user does not exist.
    :raises InvalidClaims: the session's user has to verify their address, or to complete another factor, first: 403.
    """
    linking = automatic_linking(context.services)
    if linking is None:
        if session is not None:
            return Permission(refusal="NO_LINKING")
        return Permission(factors=first_factors_allowed(context, factors, tenant_id=tenant_id))
    users = _users_with(linking, account, tenant_id)
    user, method = _owner(users, account, tenant_id)
    if user is None and session is not None and (check_credentials is not None or not changes):
        user, method = _owner_elsewhere(linking, account, tenant_id, session, check_credentials)
    own: User | None = None
    if session is not None:
        to_link = _user_to_link_to(context, linking, account, session, user, changes=changes)
        if isinstance(to_link, LinkingToSessionUserFailed):
            return Permission(user=user, refusal=to_link.reason)
        own = to_link
    if own is None or session is None:
        session, factors = None, first_factors_allowed(context, factors, tenant_id=tenant_id)
    elif own is user:
        factors = factors if second_factors is None else second_factors
    else:
        factors = _second_factors(context, session, own, factors if second_factors is None else second_factors)
    refusal: Refusal | None = None
    if is_sign_up is None:
        is_sign_up = user is None
    if is_sign_up:
        is_verified = is_verified or (own is not None and has_verified(own, account))
        if not linking.allows(account, None, is_verified=is_verified, session=session, tenant_id=tenant_id):
            refusal = "SIGN_UP_NOT_ALLOWED"
    elif user is not None and method is not None:
        is_verified = is_verified or method.verified
        # Without a session, no further call: its time would tell strangers something about the account.
        known = users if session is None and account.third_party is None else None
        if not linking.allows(
            account, user, is_verified=is_verified, session=session, tenant_id=tenant_id, users=known
        ):
            refusal = "SIGN_IN_NOT_ALLOWED"
    return Permission(factors=tuple(factors), session=session, owner=own, user=user, refusal=refusal)


def _user_to_link_to(
    context: RequestContext,
    linking: AccountLinking,
    account: AccountInfoWithRecipeId,
    session: SessionContainer,
    owner: User | None,
    *,
    changes: bool,
) -> User | LinkingToSessionUserFailed | None:
    """
    Return the user of a session if a login method is theirs or may be linked to them. None: it is a first factor.

    :param owner: who has the login method already.
    :raises BadInput: the frontend asked for a link, and the app's rule does not allow it.
    """
    if owner is not None and owner.id == session.get_user_id():
        return owner
    primary = primary_user_of_session(linking.functions, session, changes=changes)
    if isinstance(primary, LinkingToSessionUserFailed):
        return primary
    rule = linking.rule(session, session.get_tenant_id())
    if primary is not None and rule(account, primary) is not None:
        return primary
    if _can_ask_to_link(context):
        raise BadInput("the app does not link this way to sign in to the user of the session")
    return None


def _second_factors(
    context: RequestContext, session: SessionContainer, owner: User, factors: Iterable[str]
) -> Iterable[str]:
    """Return those of *factors* that the user of a session may set up; without second factors in the app, all."""
    mfa = context.services.find(MultiFactorAuth)
    if mfa is None:
        return factors
    with refusals_recorded(mfa.functions, session):
        return factors_to_set_up(mfa.functions, session, owner, factors)


def linked(
    context: RequestContext,
    user: User,
    recipe_user_id: RecipeUserId,
    *,
    tenant_id: str,
    session: SessionContainer | None = None,
    is_new: bool = False,
) -> User | LinkingToSessionUserFailed:
    """
    Link a login method whose credentials were just checked, and return its user as they are afterwards.

    With a session, it is linked to the user of the session. Otherwise the app's rule decides; without one, nothing
    changes.

    :param is_new: whether it was created just now. If it cannot be linked to the user of the session, it is deleted, so
        that the owner of its address can still sign up.
    :raises ArgumentError: there is a session, and the app does not link automatically.
    """
    linking = automatic_linking(context.services)
    if linking is None:
        if session is not None:
            raise ArgumentError("session: without should_do_automatic_account_linking nothing is linked to its user")
        return user
    method = linking.method_of(user, recipe_user_id)
    if linking.verify_if_another_method_is(user, method):
        user = user_by_id(linking.core, user.id) or user
        method = linking.method_of(user, recipe_user_id)
    look_again = is_new and context.signs_up
    with ExitStack() as undo:
        if is_new and (look_again or session is not None):
            undo.callback(_delete, context, recipe_user_id)
        others = _others(linking, method, (), session, tenant_id) if look_again else ()
        outcome: User | LinkingToSessionUserFailed = user
        if session is not None and user.id != session.get_user_id() and _is_protected(context, user, method, tenant_id):
            outcome = LinkingToSessionUserFailed("RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR")
        elif session is not None:
            outcome = link_to_session_user(linking.functions, user, method, session)
        elif not user.is_primary_user:
            functions = linking.functions
            outcome = functions.create_primary_user_id_or_link_accounts(
                recipe_user_id=recipe_user_id, tenant_id=tenant_id
            )
        if look_again:
            _others(linking, method, others, session, tenant_id)
        if isinstance(outcome, User):
            undo.pop_all()
    return outcome


def linked_outcome(
    context: RequestContext, outcome: _Login, *, tenant_id: str, session: SessionContainer | None
) -> _Login | LinkingToSessionUserFailed:
    """Do what :func:`linked` does with the login method of an outcome, and return the outcome with its user."""
    user = linked(
        context,
        outcome.user,
        outcome.recipe_user_id,
        tenant_id=tenant_id,
        session=session,
        is_new=_is_new(outcome),
    )
    return user if isinstance(user, LinkingToSessionUserFailed) else attrs.evolve(outcome, user=user)


def _is_new(outcome: LoginOk) -> bool:
    """Return whether a login method was created just now."""
    return outcome.created_new_recipe_user if isinstance(outcome, FoundOrCreated) else isinstance(outcome, SignUpOk)


def _is_protected(context: RequestContext, user: User, method: LoginMethod, tenant_id: str) -> bool:
    """
    Return whether a login method alone does not open its user's account.

    A thief who has a password must not take the account over by linking the password to a session of their own.
    """
    mfa = context.services.find(MultiFactorAuth)
    return mfa is not None and is_protected(mfa.functions, user, method, tenant_id)


class _Withdrawn(Exception):  # not an ...Error: the app's overrides pass it on, and the route answers with a refusal
    """The permission for a sign-up is withdrawn: others have signed up with the address since it was given."""


def unless_withdrawn(context: RequestContext, sign_up: Callable[[], _Outcome]) -> _Outcome | None:
    """
    Call a function that may create a login method. Return None if the permission was withdrawn: it is deleted again.

    After :func:`permission`, another request may create a login method with the same address. So each of the two looks
    for others again, once its login method exists and once it is linked. At least one of the two finds the other one,
    and is refused.
    """
    context.signs_up = True
    try:
        return sign_up()
    except _Withdrawn:
        return None
    finally:
        context.signs_up = False


def _others(
    linking: AccountLinking,
    method: LoginMethod,
    known: tuple[User, ...],
    session: SessionContainer | None,
    tenant_id: str,
) -> tuple[User, ...]:
    """
    Return the other users with the address or number of a new login method: *known*, and those who were added since.

    The known users are returned as they were before: linking the new login method may have made one of them primary.

    :raises _Withdrawn: the sign-up is not permitted beside these users.
    """
    account = AccountInfoWithRecipeId.of(method)
    linking.core.forget()  # this request may have asked before, and written nothing since
    users = linking.users_with_contact_of(account, tenant_id)
    is_verified = method.verified or any(
        session is not None and user.id == session.get_user_id() and has_verified(user, account) for user in users
    )
    ids = {user.id for user in known}
    # A user whose oldest login method is the new one is no other user. The user whom it was linked to is one.
    new = [
        user
        for user in users
        if user.id not in ids
        and not _is_same(min(user.login_methods, key=lambda one: one.time_joined), account, tenant_id)
    ]
    others = (*known, *new)
    if linking.allows(account, None, is_verified=is_verified, session=session, tenant_id=tenant_id, users=others):
        return others
    raise _Withdrawn


def _delete(context: RequestContext, recipe_user_id: RecipeUserId) -> None:
    """Delete a login method that was created in this request."""
    body = {"userId": recipe_user_id.value, "removeAllLinkedAccounts": False}
    context.services.core.post("/user/remove", body).check()
    context.record("user_deleted", user_id=recipe_user_id.value)


def is_fake(email: str) -> bool:
    """Return whether an address, in its normal form, is made up: it stands for an account that has none."""
    return email.endswith(FAKE_EMAIL_DOMAINS)


def signed_in(
    context: RequestContext,
    outcome: LoginOk,
    *,
    factor_id: str,
    tenant_id: str,
    session: SessionContainer | None = None,
) -> SignedIn:
    """
    Create a session for a user, send its tokens with the response to the request, and return both.

    :param outcome: of the recipe's function: the user and their login method.
    :param factor_id: that the user has completed. The session notes it, if the app has second factors.
    :param session: of the same user, signed in with another login method. It is kept, and no new one is created.
    """
    user, recipe_user_id, is_new = outcome.user, outcome.recipe_user_id, _is_new(outcome)
    if session is None or user.login_method(session.get_recipe_user_id()) is None:
        session = create_new_session(context, tenant_id=tenant_id, recipe_user_id=recipe_user_id, user_id=user.id)
    mfa = context.services.find(MultiFactorAuth)
    if mfa is not None:
        mfa.functions.mark_factor_as_complete_in_session(session=session, factor_id=factor_id)
    method = user.login_method(recipe_user_id)
    context.record(
        "signed_up" if is_new else "signed_in",
        tenant_id=tenant_id,
        user_id=user.id,
        session_handle=session.get_handle(),
        recipe_id=None if method is None else method.recipe_id,
    )
    created = is_new if isinstance(outcome, FoundOrCreated) else None
    return SignedIn(user=user, session=session, created=created)


def session_to_link(context: RequestContext, body: dict[str, Any]) -> SessionContainer | None:
    """
    Return the session that the user wants to link this login to, or None. Its tenant becomes that of the request.

    Frontends below FDI 3.1 cannot say so: any session counts for them, where accounts are linked automatically.

    :raises BadInput: the flag is no boolean.
    :raises Unauthorised: the flag is set and there is no session.
    """
    if not _can_ask_to_link(context):
        if automatic_linking(context.services) is None:
            return None
        try:
            return session_of_route(context, check_database=True)
        except Unauthorised:
            return None
    flag = body.get("shouldTryLinkingWithSessionUser", False)
    if not isinstance(flag, bool):
        raise BadInput("shouldTryLinkingWithSessionUser must be true or false")
    return session_of_route(context, check_database=True) if flag else None


def _can_ask_to_link(context: RequestContext) -> bool:
    """Return whether the frontend can say that a login is to be linked to the session's user."""
    return context.fdi_version >= (3, 1)


def automatic_linking(services: Services) -> AccountLinking | None:
    """Return the accountlinking recipe if it links accounts automatically, else None."""
    linking = services.find(AccountLinking)
    return linking if linking is not None and linking.is_automatic else None


def _users_with(linking: AccountLinking, account: AccountInfoWithRecipeId, tenant_id: str) -> tuple[User, ...]:
    """Return the users with the address, number or provider's account of a login method."""
    info = (
        AccountInfo(email=account.email, phone_number=account.phone_number)
        if account.third_party is None
        else AccountInfo(third_party=account.third_party)
    )
    return users_by_account_info(linking.core, account_info=info, tenant_id=tenant_id)


def _owner(
    users: Iterable[User], account: AccountInfoWithRecipeId, tenant_id: str
) -> tuple[User, LoginMethod] | tuple[None, None]:
    """Return the user who has a login method in a tenant, and the login method."""
    for user in users:
        for method in user.login_methods:
            if _is_same(method, account, tenant_id):
                return user, method
    return None, None


def _owner_elsewhere(
    linking: AccountLinking,
    account: AccountInfoWithRecipeId,
    tenant_id: str,
    session: SessionContainer,
    check_credentials: Callable[[str], bool] | None,
) -> tuple[User, LoginMethod] | tuple[None, None]:
    """
    If the session's user has a login method in another tenant, add it to this one and return both.

    :param check_credentials: None adds it to no tenant yet.
    """
    own = user_of_session(linking.core, session.get_user_id())
    for method in own.login_methods if own.is_primary_user else ():
        there = next(iter(method.tenant_ids), None)
        if there is None or not _is_same(method, account, there):
            continue
        if check_credentials is None:
            return own, method
        if check_credentials(there):
            tenancy = linking.services.get(Multitenancy).functions
            outcome = tenancy.associate_user_to_tenant(recipe_user_id=method.recipe_user_id, tenant_id=tenant_id)
            if isinstance(outcome, AssociationNotAllowed):
                raise Unauthorised("the user of the session cannot be a user of this tenant")
            if isinstance(outcome, UserAssociated):
                return own, method
    return None, None


def _is_same(method: LoginMethod, account: AccountInfoWithRecipeId, tenant_id: str) -> bool:
    if method.recipe_id != account.recipe_id or tenant_id not in method.tenant_ids:
        return False
    if account.third_party is not None:
        return bool(method.third_party == account.third_party)
    return shares_contact(method, account)


def signing_in_response(context: RequestContext, result: object) -> Response:
    """
    Return the response to a sign-in or sign-up; a user has the form of the frontend's FDI version.

    From 1.18 below 2.0 and from 3.0 it is the whole user; otherwise the flat user of before account linking, made of
    the login method of the session, or of the oldest one.
    """
    if not isinstance(result, SignedIn):
        return json_response(result)
    user = result.user
    version = context.fdi_version
    if (1, 18) <= version < (2, 0) or version >= (3, 0):
        body = {"status": result.status, "createdNewRecipeUser": result.created, "user": to_json(user)}
    else:
        own = user.login_method(result.session.get_recipe_user_id())
        method = own or min(user.login_methods, key=lambda method: method.time_joined)
        flat = {
            "id": user.id,
            "timeJoined": method.time_joined,
            "thirdParty": to_json(method.third_party),
            "email": method.email,
            "phoneNumber": method.phone_number,
        }
        body = {"status": result.status, "createdNewUser": result.created, "user": present(flat)}
    return json_response(present(body))
