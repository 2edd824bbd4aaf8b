"""Signing in with a third party (CDI 1.4, semantics 3.1; ``thirdparty/ThirdParty.java`` of the official core)."""

from __future__ import annotations

from typing import Any

import attrs

from . import methods, signin, tenants_v1
from .call import Call, Endpoint
from .fields import Answered, Body, bad
from .methods import Identity, Method
from .storage.database import Database
from .tenancy import Tenant
from .users import normal_email, set_verified, update_copies

RECIPE = "thirdparty"


def sign_in_up(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup``."""
    third_party_id = call.body.text("thirdPartyId")
    third_party_user_id = call.body.text("thirdPartyUserId")
    about_email = Body(call.body.object("email"))
    email = normal_email(about_email.text("id"))
    verified = about_email.flag("isVerified")
    here = call.here
    tenants_v1.refuse_if_disabled(call, "thirdParty")
    account = Identity(None, None, third_party_id, third_party_user_id)
    user_id = methods.insert(call.db, here, RECIPE, call.now, attrs.evolve(account, email=email))
    created = user_id is not None
    if user_id is None:
        method = _known(call.db, here, account)
        if method.email != email:
            _change_email(call.db, here.app, method, email)
        user_id = method.user_id
    if verified:
        set_verified(call.db, here.app, user_id, email)
    answer = signin.signed_in(call, RECIPE, user_id, account, verified=verified)
    return {**answer, "createdNewUser": created}


def _known(db: Database, here: Tenant, account: Identity) -> Method:
    """Return the oldest login method with a provider's account of the tenant's user who has that account."""
    found = methods.find_in_tenant(db, here, RECIPE, account)
    assert found is not None, "the index refused the insert because of it"
    if not found.linked:
        return found
    wanted = methods.parts(account)
    return next(
        method
        for method in methods.of_group(db, here.app, found.primary_user_id)
        if methods.parts(attrs.evolve(method, email=None)) == wanted
    )


def _change_email(db: Database, app: int, method: Method, email: str) -> None:
    """Take the email that the provider reports now. :raises Answered: when another primary user has it."""
    db.alone()  # no other call may give another user this email meanwhile
    if methods.is_taken(db, app, method, Identity(email)):
        reason = "Email already associated with another primary user."
        raise Answered("EMAIL_CHANGE_NOT_ALLOWED_ERROR", reason=reason)
    # The provider's account has one email, in every tenant that knows the account.
    account = {"third_party_id": method.third_party_id, "third_party_user_id": method.third_party_user_id}
    for table in ("login_methods", "method_tenants"):
        db.update(table, {"email": email}, app=app, **account)
    update_copies(db, app, *(user_id for (user_id,) in db.select("login_methods", "user_id", app=app, **account)))


def get_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/user`` (deprecated): by ``userId`` or, in one tenant, by the third party's ids."""
    user_id = call.query.text_or_none("userId")
    account = Identity(None, None, call.query.text_or_none("thirdPartyId"), call.query.text_or_none("thirdPartyUserId"))
    if user_id is not None and account != Identity():
        raise bad("Please provide only one of userId or (thirdPartyId & thirdPartyUserId)")
    if user_id is None and not methods.parts(account):
        raise bad("Please provide one of userId or (thirdPartyId & thirdPartyUserId)")
    return signin.one_user(call, RECIPE, user_id, account, "THIRD_PARTY_USER")


def users_by_email(call: Call) -> dict[str, Any]:
    """``GET /recipe/users/by-email`` (deprecated): a tenant's users who have the email with a third party."""
    call.admit()
    email = normal_email(call.query.text("email"))
    return {"status": "OK", "users": signin.by_identity(call, RECIPE, Identity(email))}


ENDPOINTS = (
    Endpoint("POST", "/recipe/signinup", "tenant", sign_in_up, concurrent=True),
    Endpoint("GET", "/recipe/user", "tenant", get_user, rid=RECIPE),
    Endpoint("GET", "/recipe/users/by-email", "tenant", users_by_email),
)
