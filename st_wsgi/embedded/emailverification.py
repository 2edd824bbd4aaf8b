"""Email verification (CDI 1.3, semantics 3.9). User ids are whatever the SDK says; the user need not exist."""

from __future__ import annotations

from typing import Any

from .call import Call, Endpoint
from .emailpassword import one_time_token, token_hash
from .fields import bad
from .users import normal_email, set_verified, update_copies


def create_token(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/email/verify/token``."""
    user_id = call.body.text("userId")
    email = normal_email(call.body.text("email"))
    here, token = call.here, one_time_token()
    if call.db.exists("verified_emails", app=here.app, user_id=user_id, email=email):
        return {"status": "EMAIL_ALREADY_VERIFIED_ERROR"}
    expires_at = call.now + call.settings.whole("email_verification_token_lifetime")
    row = {"user_id": user_id, "email": email, "token_hash": token_hash(token), "expires_at": expires_at}
    call.db.insert("email_verification_tokens", **here.place, **row)
    call.services.cleaner.a_little(call.db, call.now)
    return {"status": "OK", "token": token}


def verify(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/email/verify``: whatever comes out, the tokens of that user and email are used up."""
    method = call.body.text("method")
    token = call.body.text("token")
    if method != "token":
        raise bad("Unsupported method for email verification")
    here = call.here
    key = {**here.place, "token_hash": token_hash(token)}
    row = call.db.first("email_verification_tokens", "user_id, email, expires_at", **key)
    if row is not None:
        call.db.delete("email_verification_tokens", **here.place, user_id=row[0], email=row[1])
    if row is None or row[2] < call.now:
        return {"status": "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"}
    set_verified(call.db, here.app, row[0], row[1])
    return {"status": "OK", "userId": row[0], "email": row[1]}


def is_verified(call: Call) -> dict[str, Any]:
    """``GET /recipe/user/email/verify``. The email is taken as it is, not normalised."""
    user_id = call.query.text("userId")
    email = call.query.text("email")
    verified = call.db.exists("verified_emails", app=call.app, user_id=user_id, email=email)
    return {"status": "OK", "isVerified": verified}


def unverify(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/email/verify/remove``."""
    user_id = call.body.text("userId")
    email = normal_email(call.body.text("email"))
    call.db.delete("verified_emails", app=call.app, user_id=user_id, email=email)
    update_copies(call.db, call.app, user_id)
    return {"status": "OK"}


def remove_tokens(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/email/verify/token/remove``."""
    user_id = call.body.text("userId")
    email = normal_email(call.body.text("email"))
    call.db.delete("email_verification_tokens", **call.here.place, user_id=user_id, email=email)
    return {"status": "OK"}


ENDPOINTS = (
    Endpoint("POST", "/recipe/user/email/verify/token", "tenant", create_token, concurrent=True),
    Endpoint("POST", "/recipe/user/email/verify", "tenant", verify),
    Endpoint("GET", "/recipe/user/email/verify", "app", is_verified),
    Endpoint("POST", "/recipe/user/email/verify/remove", "app", unverify),
    Endpoint("POST", "/recipe/user/email/verify/token/remove", "tenant", remove_tokens),
)
