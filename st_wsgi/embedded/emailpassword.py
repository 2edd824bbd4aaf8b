"""Email and password (CDI 1.3, semantics 3.8; ``emailpassword/EmailPassword.java`` of the official core)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any

from ..grammar import FAKE_EMAIL_DOMAINS
from . import hashes, methods, signin, tenants_v1
from .call import Call, Endpoint
from .fields import bad, trimmed
from .methods import Identity
from .storage.database import Database
from .users import external_id, internal_id, normal_email, set_verified, user_exists, user_json

RECIPE = "emailpassword"


def one_time_token() -> str:
    """Return a fresh token of 128 URL-safe characters, as the official core makes them for links in mails."""
    return base64.urlsafe_b64encode(secrets.token_hex(48).encode()).decode()


def token_hash(token: str) -> str:
    """Return what the store keeps of a token: hex SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()


_BY_EMAIL = (
    "SELECT m.user_id, m.password_hash FROM method_tenants t JOIN login_methods m USING (app, user_id)"
    " WHERE t.app = ? AND t.tenant_id = ? AND t.email = ? AND t.recipe_id = ?"
)


def _by_email(db: Database, app: int, tenant_id: str, email: str) -> tuple[str, str] | None:
    found: tuple[str, str] | None = db.row(_BY_EMAIL, app, tenant_id, email, RECIPE)
    return found


def sign_up(call: Call) -> dict[str, Any]:
    """``POST /recipe/signup``."""
    email = normal_email(call.body.text("email"))
    password = call.body.text("password")
    if not password:
        raise bad("Password cannot be an empty string")
    here = call.here
    tenants_v1.refuse_if_disabled(call, "emailPassword")
    with call.reading() as db:
        # Looked up before hashing, so that the loser does not cost a hash; the index has the last word.
        taken = _by_email(db, here.app, here.tenant_id, email) is not None
    if not taken:
        stored = signin.new_hash(call, password)
        with call.writing() as db:
            user_id = _insert(call, email, stored)
            if user_id is not None:
                return signin.signed_in(call, RECIPE, user_id, Identity(email))
    return {"status": "EMAIL_ALREADY_EXISTS_ERROR"}


def _insert(call: Call, email: str, stored: str) -> str | None:
    """Store a new user; return the id, or None when the tenant has the email already."""
    identity = Identity(email)
    user_id = methods.insert(call.db, call.here, RECIPE, call.now, identity, password_hash=stored)
    if user_id is not None and email.endswith(FAKE_EMAIL_DOMAINS):
        set_verified(call.db, call.app, user_id, email)
    return user_id


def sign_in(call: Call) -> dict[str, Any]:
    """
    ``POST /recipe/signin``.

    An unknown email costs as much as a wrong password, and a right password renews a hash of another kind than today's.
    """
    email = normal_email(call.body.text("email"))
    password = call.body.text("password")
    here = call.here
    tenants_v1.refuse_if_disabled(call, "emailPassword")
    with call.reading() as db:
        kinds_too = f"{_BY_EMAIL} UNION ALL SELECT NULL, name FROM key_values WHERE {hashes.IS_KIND}"
        rows = db.rows(kinds_too, here.app, here.tenant_id, email, RECIPE, here.app)
    user_id, stored = next((row for row in rows if row[0] is not None), ("", None))
    check = signin.check_password(call, password, stored, hashes.kinds(row[1] for row in rows if row[0] is None))
    if not check.right:
        return {"status": "WRONG_CREDENTIALS_ERROR"}
    if check.new_hash is not None:
        with call.writing() as db:
            _set_hash(db, here.app, user_id, check.new_hash, before=stored)
    with call.writing_row():
        return signin.signed_in(call, RECIPE, user_id, Identity(email))


def get_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/user`` (deprecated): by ``userId`` or, in one tenant, by ``email``."""
    user_id = call.query.text_or_none("userId")
    email = call.query.text_or_none("email")
    if user_id is not None and email is not None:
        raise bad("Please provide only one of userId or email")
    if user_id is None and email is None:
        raise bad("Please provide one of userId or email")
    return signin.one_user(call, RECIPE, user_id, Identity(normal_email(email or "")), "EMAIL")


def put_user(call: Call) -> dict[str, Any]:
    """``PUT /recipe/user``: another email or password for a login method."""
    user_id = call.body.text("recipeUserId")
    email = call.body.text("email") if "email" in call.body else None
    password = call.body.text_or_none("password")
    if email is None and password is None:
        raise bad("You have to provide either email or password.")
    with call.reading() as db:
        signin.method_of(call, RECIPE, user_id)
    stored = None if password is None else signin.new_hash(call, password)
    with call.writing() as db:
        method = signin.method_of(call, RECIPE, user_id)
        if email is not None:
            signin.change(db, call.app, method, "email", normal_email(email))
        if stored is not None:
            _set_hash(db, call.app, method.user_id, stored)
    return {"status": "OK"}


def _set_hash(db: Database, app: int, user_id: str, stored: str, *, before: str | None = None) -> None:
    """Store a hash; with *before*, only in its place, so that a password that was changed meanwhile stays."""
    place = {} if before is None else {"password_hash": before}
    db.update("login_methods", {"password_hash": stored}, app=app, user_id=user_id, **place)
    hashes.remember_kind(db, app, stored)


def create_reset_token(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/password/reset/token``: for any user id that exists, with an email to give back later."""
    user_id = call.body.text("userId")
    call.admit()
    tenants_v1.refuse_if_disabled(call, "emailPassword")
    email, token = call.body.text("email"), one_time_token()
    user_id = internal_id(call.db, call.app, user_id)
    if not user_exists(call.db, call.app, user_id):
        return {"status": "UNKNOWN_USER_ID_ERROR"}
    expires_at = call.now + call.settings.whole("password_reset_token_lifetime")
    row = {"token_hash": token_hash(token), "user_id": user_id, "email": email, "expires_at": expires_at}
    call.db.insert("password_reset_tokens", app=call.app, **row)
    call.services.cleaner.a_little(call.db, call.now)
    return {"status": "OK", "token": token}


def _consume(call: Call, token: str) -> tuple[str, str] | None:
    """Return the user id and email of a valid reset token; whatever it was, all tokens of its user are gone after."""
    key = {"app": call.app, "token_hash": token_hash(token)}
    row = call.db.first("password_reset_tokens", "user_id, email, expires_at", **key)
    if row is None:
        return None
    user_id, email, expires_at = row
    call.db.delete("password_reset_tokens", app=call.app, user_id=user_id)
    return None if expires_at < call.now else (user_id, email)


def consume_reset_token(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/password/reset/token/consume``: does not set a password."""
    token = call.body.text("token")
    found = _consume(call, token)
    if found is None:
        return {"status": "RESET_PASSWORD_INVALID_TOKEN_ERROR"}
    return {"status": "OK", "userId": external_id(call.db, call.app, found[0]), "email": found[1]}


def reset_password(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/password/reset`` (deprecated): consume a token and set a password at once."""
    method = call.body.text("method")
    token = call.body.text("token")
    password = call.body.text("newPassword")
    if method != "token":
        raise bad("Unsupported method for password reset")
    if not password:
        raise bad("Password cannot be an empty string")
    call.admit()
    with call.reading() as db:
        known = db.exists("password_reset_tokens", app=call.app, token_hash=token_hash(token))
    if not known:
        return {"status": "RESET_PASSWORD_INVALID_TOKEN_ERROR"}
    stored = signin.new_hash(call, password)
    with call.writing() as db:
        found = _consume(call, token)
        if found is None:
            return {"status": "RESET_PASSWORD_INVALID_TOKEN_ERROR"}
        _set_hash(db, call.app, found[0], stored)
        return {"status": "OK", "userId": external_id(db, call.app, found[0])}


def import_hash(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/passwordhash/import``: a user with a hash that another system made."""
    email = normal_email(call.body.text("email"))
    stored = trimmed(call.body.text("passwordHash"))
    algorithm = call.body.text_or_none("hashingAlgorithm")
    if not stored:
        raise bad("Password hash cannot be an empty string")
    if algorithm is not None:
        algorithm = trimmed(algorithm).upper()
        if not algorithm:
            raise bad("Hashing Algorithm cannot be an empty string")
        if algorithm not in hashes.FORMATS:
            raise bad("Unsupported password hashing algorithm")
    here, parsed = call.here, hashes.parse(stored)
    tenants_v1.refuse_if_disabled(call, "emailPassword")
    if parsed is None or algorithm not in (None, parsed.format.algorithm):
        title = f"{hashes.FORMATS[algorithm].title} " if algorithm else ""
        raise bad(f"Password hash is in invalid {title}format")
    if parsed.format is hashes.FIREBASE_SCRYPT and call.settings.text("firebase_password_hashing_signer_key") is None:
        raise bad("'firebase_password_hashing_signer_key' cannot be null")
    problem = call.services.passwords.problem_with_hash(parsed)
    if problem is not None:
        raise bad(problem)
    user_id = _insert(call, email, stored)
    existed = user_id is None
    if user_id is None:
        found = _by_email(call.db, here.app, here.tenant_id, email)
        assert found is not None, "the index refused the insert because of it"
        user_id = found[0]
        _set_hash(call.db, here.app, user_id, stored)
    user = user_json(call.db, here.app, user_id, call.version)
    return {"status": "OK", "user": user, "didUserAlreadyExist": existed}


ENDPOINTS = (
    Endpoint("POST", "/recipe/signup", "tenant", sign_up, concurrent=True),
    Endpoint("POST", "/recipe/signin", "tenant", sign_in, concurrent=True),
    Endpoint("GET", "/recipe/user", "tenant", get_user, rid=RECIPE),
    Endpoint("PUT", "/recipe/user", "app", put_user, rid=RECIPE),
    Endpoint("POST", "/recipe/user/password/reset/token", "tenant", create_reset_token, concurrent=True),
    Endpoint("POST", "/recipe/user/password/reset/token/consume", "tenant", consume_reset_token),
    Endpoint("POST", "/recipe/user/password/reset", "tenant", reset_password),
    Endpoint("POST", "/recipe/user/passwordhash/import", "tenant", import_hash),
)
