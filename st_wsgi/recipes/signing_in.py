"""
Signing a user in, as all recipes with a login method do: the session, the response, and linking to an earlier session.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
from werkzeug.wrappers import Response

from ..codec import present, to_json
from ..errors import NO_SUCH_TENANT, BadInput, Unauthorised
from ..grammar import FAKE_EMAIL_DOMAINS
from ..recipe_kit.results import Ok
from ..request.context import RequestContext
from ..request.respond import json_response
from ..users import RecipeUserId, User
from .multitenancy import Multitenancy
from .multitenancy.types import EMAIL_PASSWORD
from .session import SessionContainer
from .session.in_request import create_new_session, session_of_route

__all__ = [
    "EMAIL_PASSWORD",
    "NO_LINKING",
    "SignedIn",
    "first_factors_allowed",
    "is_fake",
    "session_to_link",
    "signed_in",
    "signing_in_response",
]

NO_LINKING = "Accounts cannot be linked here. Please sign out first, or contact support."


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


def is_fake(email: str) -> bool:
    """
    Return whether an address, in its normal form, stands for an account without one.

    Such an address counts as verified from the start, so it is refused at sign-up and sign-in (FDI, rule F-04).
    """
    return email.endswith(FAKE_EMAIL_DOMAINS)


def signed_in(
    context: RequestContext,
    *,
    user: User,
    recipe_user_id: RecipeUserId,
    tenant_id: str,
    created: bool | None = None,
    signed_up: bool | None = None,
) -> SignedIn:
    """
    Create a session for a user, send its tokens with the response to the request, and return both.

    :param signed_up: whether this is a sign-up, if *created* does not say so.
    """
    session = create_new_session(context, tenant_id=tenant_id, recipe_user_id=recipe_user_id, user_id=user.id)
    context.record(
        "signed_up" if created or signed_up else "signed_in",
        tenant_id=tenant_id,
        user_id=user.id,
        session_handle=session.get_handle(),
        recipe_id=next((m.recipe_id for m in user.login_methods if m.recipe_user_id == recipe_user_id), None),
    )
    return SignedIn(user=user, session=session, created=created)


def session_to_link(context: RequestContext, body: dict[str, Any]) -> SessionContainer | None:
    """
    Return the session that the user wants to link this login to (FDI 3.1 and later), or None. Its tenant becomes that
    of the request.

    :raises BadInput: the flag is no boolean.
    :raises Unauthorised: the flag is set and there is no session.
    """
    if context.fdi_version < (3, 1):
        return None
    flag = body.get("shouldTryLinkingWithSessionUser", False)
    if not isinstance(flag, bool):
        raise BadInput("shouldTryLinkingWithSessionUser must be true or false")
    return session_of_route(context, check_database=True) if flag else None


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
        recipe_user_id = result.session.get_recipe_user_id()
        method = next(
            (method for method in user.login_methods if method.recipe_user_id == recipe_user_id),
            min(user.login_methods, key=lambda method: method.time_joined),
        )
        flat = {
            "id": user.id,
            "timeJoined": method.time_joined,
            "thirdParty": to_json(method.third_party),
            "email": method.email,
            "phoneNumber": method.phone_number,
        }
        body = {"status": result.status, "createdNewUser": result.created, "user": present(flat)}
    return json_response(present(body))
