"""Who may use the dashboard, and their sessions (CDI 1.8, semantics 3.17; ``dashboard/Dashboard.java``)."""

from __future__ import annotations

import re
import uuid
from typing import Any

import attrs

from . import hashes, signin
from .call import Call, Endpoint
from .fields import Answered, Body, Query, bad
from .users import normal_email

LIFETIME = 30 * 24 * 3_600_000
"""Of a session, in milliseconds."""

_LONGEST_EMAIL = 320
_ANY, _WORD, _OTHER = r"[^\n\r\u0085\u2028\u2029]", "[a-zA-Z0-9-]", r"[^a-zA-Z0-9\-\n\r\u0085\u2028\u2029]"
# What the official core's expression takes, in a form that no address keeps busy for long.
_EMAIL = re.compile(
    f"{_ANY}+@(?:[0-9{{}},.]|(?:{_WORD}+{_OTHER})+[a-zA-Z]{{2,}}|(?:{_WORD}+{_OTHER})*{_WORD}{{2,}}[a-zA-Z]{{2,}})"
)


@attrs.frozen
class _User:
    """A user of the dashboard."""

    user_id: str
    email: str
    time_joined: int
    password_hash: str = attrs.field(repr=False)

    def json(self) -> dict[str, Any]:
        """Return the user as answers show them."""
        return {"userId": self.user_id, "email": self.email, "timeJoined": self.time_joined}


def _users(call: Call, **known_by: str) -> list[_User]:
    columns = "user_id, email, time_joined, password_hash"
    return [_User(*row) for row in call.db.select("dashboard_users", columns, app=call.app, **known_by)]


def _find(call: Call, **known_by: str) -> _User | None:
    return next(iter(_users(call, **known_by)), None)


def _email(given: str) -> str:
    """Return the normal form of an email. :raises Answered: when it is none."""
    email = normal_email(given)
    if len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise Answered("INVALID_EMAIL_ERROR")
    return email


def _good(password: str) -> str:
    """Return a password. :raises Answered: when it is not good enough."""
    weak = None
    if len(password) < 8:
        weak = "Password must contain at least 8 characters, including a number"
    elif len(password) >= 100:
        weak = "Password's length must be lesser than 100 characters"
    elif not re.search("[A-Za-z]", password):
        weak = "Password must contain at least one alphabet"
    elif not re.search("[0-9]", password):
        weak = "Password must contain at least one number"
    if weak is not None:
        raise Answered("PASSWORD_WEAK_ERROR", message=weak)
    return password


def _named(fields: Body | Query) -> dict[str, str]:
    """Return the id, or else the email, that names a user."""
    if "userId" in fields.values:
        return {"user_id": fields.filled("userId")}
    if "email" in fields.values:
        return {"email": normal_email(fields.filled("email"))}
    raise bad("Either field 'email' or 'userId' must be present")


def list_users(call: Call) -> dict[str, Any]:
    """``GET /recipe/dashboard/users``, the oldest first."""
    users = _users(call)
    return {"status": "OK", "users": [one.json() for one in sorted(users, key=lambda one: one.time_joined)]}


def create_user(call: Call) -> dict[str, Any]:
    """``POST /recipe/dashboard/user``."""
    email, password = _email(call.body.filled("email")), _good(call.body.filled("password"))
    with call.reading() as db:
        if _find(call, email=email) is not None:
            raise Answered("EMAIL_ALREADY_EXISTS_ERROR")
    user = _User(str(uuid.uuid4()), email, call.now, signin.new_hash(call, password))
    with call.writing() as db:
        if not db.insert_new("dashboard_users", app=call.app, **attrs.asdict(user)):
            raise Answered("EMAIL_ALREADY_EXISTS_ERROR")
        hashes.remember_kind(db, call.app, user.password_hash)
    return {"status": "OK", "user": user.json()}


def put_user(call: Call) -> dict[str, Any]:
    """``PUT /recipe/dashboard/user``: another email or password; all sessions of the user end."""
    body = call.body
    email = _email(body.filled("newEmail")) if "newEmail" in body else None
    password = _good(body.filled("newPassword")) if "newPassword" in body else None
    call.admit()
    named = _named(body)
    with call.reading() as db:
        user = _find(call, **named)
    if user is None:
        raise Answered("UNKNOWN_USER_ERROR")
    stored = None if password is None else signin.new_hash(call, password)
    with call.writing() as db:
        user = _find(call, user_id=user.user_id)
        if user is None:
            raise Answered("UNKNOWN_USER_ERROR")
        changed = attrs.evolve(user, email=email or user.email, password_hash=stored or user.password_hash)
        if any(other.user_id != user.user_id for other in _users(call, email=changed.email)):
            raise Answered("EMAIL_ALREADY_EXISTS_ERROR")
        key = {"app": call.app, "user_id": user.user_id}
        changes = {"email": changed.email, "password_hash": changed.password_hash}
        db.update("dashboard_users", changes, **key)
        hashes.remember_kind(db, call.app, changed.password_hash)
        db.delete("dashboard_sessions", **key)
    return {"status": "OK", "user": changed.json()}


def remove_user(call: Call) -> dict[str, Any]:
    """``DELETE /recipe/dashboard/user``, with the user's sessions."""
    named = _named(call.query)
    user = _find(call, **named)
    if user is not None:
        for table in ("dashboard_sessions", "dashboard_users"):
            call.db.delete(table, app=call.app, user_id=user.user_id)
    return {"status": "OK", "didUserExist": user is not None}


def sign_in(call: Call) -> dict[str, Any]:
    """``POST /recipe/dashboard/signin``. An unknown email costs as much as a wrong password."""
    email, password = normal_email(call.body.filled("email")), call.body.filled("password")
    with call.reading() as db:
        user = _find(call, email=email)
        kinds = hashes.kinds_of(db, call.app)
    check = signin.check_password(call, password, None if user is None else user.password_hash, kinds)
    with call.writing() as db:
        # The password may have been changed meanwhile.
        if not check.right or user is None or _find(call, user_id=user.user_id) != user:
            return {"status": "INVALID_CREDENTIALS_ERROR"}
        session_id, now = str(uuid.uuid4()), call.now
        row = {"session_id": session_id, "user_id": user.user_id, "created_at": now, "expires_at": now + LIFETIME}
        db.insert("dashboard_sessions", app=call.app, **row)
        call.services.cleaner.a_little(db, now)
    return {"status": "OK", "sessionId": session_id}


def verify_session(call: Call) -> dict[str, Any]:
    """``POST /recipe/dashboard/session/verify``: whose session it is."""
    session_id = call.body.filled("sessionId")
    with call.reading() as db:
        email = db.value(
            "SELECT u.email FROM dashboard_sessions AS s JOIN dashboard_users AS u ON u.app = s.app"
            " AND u.user_id = s.user_id WHERE s.app = ? AND s.session_id = ? AND s.expires_at >= ?",
            *(call.app, session_id, call.now),
        )
    return {"status": "INVALID_SESSION_ERROR"} if email is None else {"status": "OK", "email": email}


def list_sessions(call: Call) -> dict[str, Any]:
    """``GET /recipe/dashboard/user/sessions``."""
    user_id = call.query.filled("userId")
    columns = "created_at, session_id, expires_at"
    rows = call.db.select("dashboard_sessions", columns, app=call.app, user_id=user_id)
    sessions = [
        {"sessionId": session_id, "userId": user_id, "timeCreated": created_at, "expiry": expires_at}
        for created_at, session_id, expires_at in sorted(rows)
        if expires_at >= call.now
    ]
    return {"status": "OK", "sessions": sessions}


def remove_session(call: Call) -> dict[str, Any]:
    """``DELETE /recipe/dashboard/session``. Unknown ids are fine."""
    session_id = call.query.filled("sessionId")
    call.db.delete("dashboard_sessions", app=call.app, session_id=session_id)
    return {"status": "OK"}


ENDPOINTS = tuple(
    Endpoint(method, f"/recipe/dashboard{path}", "app", handler)
    for method, path, handler in (
        ("GET", "/users", list_users),
        ("POST", "/user", create_user),
        ("PUT", "/user", put_user),
        ("DELETE", "/user", remove_user),
        ("POST", "/signin", sign_in),
        ("POST", "/session/verify", verify_session),
        ("DELETE", "/session", remove_session),
        ("GET", "/user/sessions", list_sessions),
    )
)
