"""Email verification (CDI 1.3, semantics 3.9). User ids are whatever the SDK says; the user need not exist."""

from __future__ import annotations

from typing import Any

from .call import Call, Endpoint
from .database import Database
from .emailpassword import one_time_token, token_hash
from .fields import bad
from .users import normal_email


def _is_verified(db: Database, app: int, user_id: str, email: str) -> bool:
    row = db.execute(
        "SELECT 1 FROM verified_emails WHERE app = ? AND user_id = ? AND email = ?", (app, user_id, email)
    ).fetchone()
    return row is not None


def _remove_tokens(db: Database, app: int, tenant_id: str, user_id: str, email: str) -> None:
    db.execute(
        "DELETE FROM email_verification_tokens WHERE app = ? AND tenant_id = ? AND user_id = ? AND email = ?",
        (app, tenant_id, user_id, email),
    )


def create_token(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/email/verify/token``."""
    user_id = call.body.text("userId")
    email = normal_email(call.body.text("email"))
    here, token = call.here, one_time_token()
    with call.write() as db:
        if _is_verified(db, here.app, user_id, email):
            return {"status": "EMAIL_ALREADY_VERIFIED_ERROR"}
        expires_at = call.now + call.settings.whole("email_verification_token_lifetime")
        db.execute(
            "INSERT INTO email_verification_tokens VALUES (?, ?, ?, ?, ?, ?)",
            (here.app, here.tenant_id, user_id, email, token_hash(token), expires_at),
        )
        call.services.cleaner.a_little(db, call.now)
    return {"status": "OK", "token": token}


def verify(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/email/verify``: whatever comes out, the tokens of that user and email are used up."""
    method = call.body.text("method")
    token = call.body.text("token")
    if method != "token":
        raise bad("Unsupported method for email verification")
    here = call.here
    with call.write() as db:
        row = db.execute(
            "SELECT user_id, email, expires_at FROM email_verification_tokens"
            " WHERE app = ? AND tenant_id = ? AND token_hash = ?",
            (here.app, here.tenant_id, token_hash(token)),
        ).fetchone()
        if row is not None:
            _remove_tokens(db, here.app, here.tenant_id, row[0], row[1])
        if row is None or row[2] < call.now:
            return {"status": "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"}
        db.execute("INSERT INTO verified_emails VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (here.app, row[0], row[1]))
    return {"status": "OK", "userId": row[0], "email": row[1]}


def is_verified(call: Call) -> dict[str, Any]:
    """``GET /recipe/user/email/verify``. The email is taken as it is, not normalised."""
    user_id = call.query.text("userId")
    email = call.query.text("email")
    with call.read() as db:
        return {"status": "OK", "isVerified": _is_verified(db, call.app, user_id, email)}


def unverify(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/email/verify/remove``."""
    user_id = call.body.text("userId")
    email = normal_email(call.body.text("email"))
    with call.write() as db:
        db.execute(
            "DELETE FROM verified_emails WHERE app = ? AND user_id = ? AND email = ?", (call.app, user_id, email)
        )
    return {"status": "OK"}


def remove_tokens(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/email/verify/token/remove``."""
    user_id = call.body.text("userId")
    email = normal_email(call.body.text("email"))
    here = call.here
    with call.write() as db:
        _remove_tokens(db, here.app, here.tenant_id, user_id, email)
    return {"status": "OK"}


ENDPOINTS = (
    Endpoint("POST", "/recipe/user/email/verify/token", "tenant", create_token),
    Endpoint("POST", "/recipe/user/email/verify", "tenant", verify),
    Endpoint("GET", "/recipe/user/email/verify", "app", is_verified),
    Endpoint("POST", "/recipe/user/email/verify/remove", "app", unverify),
    Endpoint("POST", "/recipe/user/email/verify/token/remove", "tenant", remove_tokens),
)
