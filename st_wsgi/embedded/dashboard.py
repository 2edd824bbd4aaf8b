"""Who may use the dashboard, and their sessions (CDI 1.8, semantics 3.17; ``dashboard/Dashboard.java``)."""

from __future__ import annotations

import re
import uuid
from typing import Any

import attrs

from . import hashes
from .call import Call, Endpoint
from .database import Database
from .fields import Body, Query, bad
from .passwords import Check
from .users import normal_email

LIFETIME = 30 * 24 * 3_600_000
"""Of a session, in milliseconds."""

_LONGEST_EMAIL = 320
_ANY, _WORD, _OTHER = r"[^\n\r\u0085\u2028\u2029]", "[a-zA-Z0-9-]", r"[^a-zA-Z0-9\-\n\r\u0085\u2028\u2029]"
# What the official core's expression takes, in a form that no address keeps busy for long.
_EMAIL = re.compile(
    f"{_ANY}+@(?:[0-9{{}},.]|(?:{_WORD}+{_OTHER})+[a-zA-Z]{{2,}}|(?:{_WORD}+{_OTHER})*{_WORD}{{2,}}[a-zA-Z]{{2,}})"
)
_UNKNOWN = {"status": "UNKNOWN_USER_ERROR"}
_TAKEN = {"status": "EMAIL_ALREADY_EXISTS_ERROR"}


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


_USERS = "SELECT user_id, email, time_joined, password_hash FROM dashboard_users"


def _find(db: Database, call: Call, user_id: str | None, email: str | None) -> _User | None:
    """Return a user by id, or by email."""
    column, value = ("user_id", user_id) if user_id is not None else ("email", email)
    row = db.execute(f"{_USERS} WHERE app = ? AND {column} = ?", (call.app, value)).fetchone()
    return None if row is None else _User(*row)


def _problem(email: str | None, password: str | None) -> dict[str, Any] | None:
    """Return the answer to an email or password that is not good enough, None for good ones and for None."""
    if email is not None and not (len(email) <= _LONGEST_EMAIL and _EMAIL.fullmatch(email)):
        return {"status": "INVALID_EMAIL_ERROR"}
    weak = None
    if password is not None:
        if len(password) < 8:
            weak = "Password must contain at least 8 characters, including a number"
        elif len(password) >= 100:
            weak = "Password's length must be lesser than 100 characters"
        elif not re.search("[A-Za-z]", password):
            weak = "Password must contain at least one alphabet"
        elif not re.search("[0-9]", password):
            weak = "Password must contain at least one number"
    return None if weak is None else {"status": "PASSWORD_WEAK_ERROR", "message": weak}


def _filled(fields: Body | Query, name: str) -> str | None:
    """Return a text that may be absent, but not blank."""
    return fields.filled(name) if name in fields.values else None


def _email(fields: Body | Query, name: str = "email") -> str | None:
    found = _filled(fields, name)
    return None if found is None else normal_email(found)


def _named(fields: Body | Query) -> tuple[str | None, str | None]:
    """Return the id, or else the email, that names a user."""
    user_id = _filled(fields, "userId")
    email = _email(fields) if user_id is None else None
    if user_id is None and email is None:
        raise bad("Either field 'email' or 'userId' must be present")
    return user_id, email


def _hash(call: Call, password: str) -> str:
    return call.services.passwords.hash(password, call.settings.text("password_hashing_alg"))


def list_users(call: Call) -> dict[str, Any]:
    """``GET /recipe/dashboard/users``, the oldest first."""
    with call.read() as db:
        users = [_User(*row) for row in db.execute(f"{_USERS} WHERE app = ?", (call.app,))]
    return {"status": "OK", "users": [one.json() for one in sorted(users, key=lambda one: one.time_joined)]}


def create_user(call: Call) -> dict[str, Any]:
    """``POST /recipe/dashboard/user``."""
    email = normal_email(call.body.filled("email"))
    problem = _problem(email, None)
    if problem is not None:
        return problem
    password = call.body.filled("password")
    problem = _problem(None, password)
    if problem is not None:
        return problem
    with call.read() as db:
        if _find(db, call, None, email) is not None:
            return dict(_TAKEN)
    user = _User(str(uuid.uuid4()), email, call.now, _hash(call, password))
    with call.write() as db:
        added = db.execute(
            "INSERT INTO dashboard_users (app, user_id, email, time_joined, password_hash) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (call.app, *attrs.astuple(user)),
        ).rowcount
        hashes.remember_kind(db, call.app, user.password_hash)
    return {"status": "OK", "user": user.json()} if added else dict(_TAKEN)


def put_user(call: Call) -> dict[str, Any]:
    """``PUT /recipe/dashboard/user``: another email or password; all sessions of the user end."""
    email = _email(call.body, "newEmail")
    problem = _problem(email, None)
    if problem is not None:
        return problem
    password = _filled(call.body, "newPassword")
    problem = _problem(None, password)
    if problem is not None:
        return problem
    call.admit()
    named = _named(call.body)
    with call.read() as db:
        user = _find(db, call, *named)
    if user is None:
        return dict(_UNKNOWN)
    stored = None if password is None else _hash(call, password)
    with call.write() as db:
        user = _find(db, call, user.user_id, None)
        if user is None:
            return dict(_UNKNOWN)
        changed = attrs.evolve(user, email=email or user.email, password_hash=stored or user.password_hash)
        other = _find(db, call, None, changed.email)
        if other is not None and other.user_id != user.user_id:
            return dict(_TAKEN)
        db.execute(
            "UPDATE dashboard_users SET email = ?, password_hash = ? WHERE app = ? AND user_id = ?",
            (changed.email, changed.password_hash, call.app, user.user_id),
        )
        hashes.remember_kind(db, call.app, changed.password_hash)
        db.execute("DELETE FROM dashboard_sessions WHERE app = ? AND user_id = ?", (call.app, user.user_id))
    return {"status": "OK", "user": changed.json()}


def remove_user(call: Call) -> dict[str, Any]:
    """``DELETE /recipe/dashboard/user``, with the user's sessions."""
    named = _named(call.query)
    with call.write() as db:
        user = _find(db, call, *named)
        if user is not None:
            for table in ("dashboard_sessions", "dashboard_users"):
                db.execute(f"DELETE FROM {table} WHERE app = ? AND user_id = ?", (call.app, user.user_id))
    return {"status": "OK", "didUserExist": user is not None}


def sign_in(call: Call) -> dict[str, Any]:
    """``POST /recipe/dashboard/signin``. An unknown email costs as much as a wrong password."""
    email, password = normal_email(call.body.filled("email")), call.body.filled("password")
    with call.read() as db:
        user = _find(db, call, None, email)
        kinds = hashes.kinds_of(db, call.app)
    check: Check = call.services.passwords.check(
        password,
        None if user is None else user.password_hash,
        algorithm=call.settings.text("password_hashing_alg"),
        kinds=kinds,
        firebase_key=call.settings.text("firebase_password_hashing_signer_key"),
    )
    with call.write() as db:
        # The password may have been changed meanwhile.
        if not check.right or user is None or _find(db, call, user.user_id, None) != user:
            return {"status": "INVALID_CREDENTIALS_ERROR"}
        session_id, now = str(uuid.uuid4()), call.now
        db.execute(
            "INSERT INTO dashboard_sessions (app, session_id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
            (call.app, session_id, user.user_id, now, now + LIFETIME),
        )
        call.services.cleaner.a_little(db, now)
    return {"status": "OK", "sessionId": session_id}


def verify_session(call: Call) -> dict[str, Any]:
    """``POST /recipe/dashboard/session/verify``: whose session it is."""
    session_id = call.body.filled("sessionId")
    with call.read() as db:
        row = db.execute(
            "SELECT u.email FROM dashboard_sessions AS s JOIN dashboard_users AS u ON u.app = s.app"
            " AND u.user_id = s.user_id WHERE s.app = ? AND s.session_id = ? AND s.expires_at >= ?",
            (call.app, session_id, call.now),
        ).fetchone()
    return {"status": "INVALID_SESSION_ERROR"} if row is None else {"status": "OK", "email": row[0]}


def list_sessions(call: Call) -> dict[str, Any]:
    """``GET /recipe/dashboard/user/sessions``."""
    user_id = call.query.filled("userId")
    with call.read() as db:
        rows = db.execute(
            "SELECT created_at, session_id, expires_at FROM dashboard_sessions"
            " WHERE app = ? AND user_id = ? AND expires_at >= ?",
            (call.app, user_id, call.now),
        ).fetchall()
    sessions = [
        {"sessionId": session_id, "userId": user_id, "timeCreated": created_at, "expiry": expires_at}
        for created_at, session_id, expires_at in sorted(rows)
    ]
    return {"status": "OK", "sessions": sessions}


def remove_session(call: Call) -> dict[str, Any]:
    """``DELETE /recipe/dashboard/session``. Unknown ids are fine."""
    session_id = call.query.filled("sessionId")
    with call.write() as db:
        db.execute("DELETE FROM dashboard_sessions WHERE app = ? AND session_id = ?", (call.app, session_id))
    return {"status": "OK"}


ENDPOINTS = (
    Endpoint("GET", "/recipe/dashboard/users", "app", list_users),
    Endpoint("POST", "/recipe/dashboard/user", "app", create_user),
    Endpoint("PUT", "/recipe/dashboard/user", "app", put_user),
    Endpoint("DELETE", "/recipe/dashboard/user", "app", remove_user),
    Endpoint("POST", "/recipe/dashboard/signin", "app", sign_in),
    Endpoint("POST", "/recipe/dashboard/session/verify", "app", verify_session),
    Endpoint("DELETE", "/recipe/dashboard/session", "app", remove_session),
    Endpoint("GET", "/recipe/dashboard/user/sessions", "app", list_sessions),
)
