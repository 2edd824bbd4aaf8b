"""Sessions as they are stored: reading, changing, finding and removing them (CDI 1.2, semantics 3.2 and 3.3)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

import attrs

from .call import Call, Endpoint
from .fields import bad, dump
from .storage.database import Database
from .tokens import PROTECTED, tenant_of_handle
from .users import JOINED_TO_SESSION, USER_OF_SESSION, SessionUser, internal_id, primary_id, touch

MISSING = "Session does not exist."


@attrs.frozen
class SessionRow:
    """
    A session as it is stored.

    :param previous_hash2: of the refresh token before the current one; None until the first rotation.
    :param rotated_at: when the current one took its place, in milliseconds; None likewise.
    """

    handle: str
    tenant_id: str
    user_id: str
    refresh_hash2: str
    previous_hash2: str | None
    rotated_at: int | None
    data: str
    payload: str
    static_key: bool = attrs.field(converter=bool)
    created_at: int
    expires_at: int


COLUMNS = (
    "handle, tenant_id, user_id, refresh_token_hash_2, prev_refresh_token_hash_2, rotated_at, session_data,"
    " jwt_payload, use_static_key, created_at, expires_at"
)
"""The columns of :class:`SessionRow`, in its order."""


def find(db: Database, app: int, handle: str, *, for_change: bool = False) -> SessionRow | None:
    """Return a session, expired or not; None when there is none."""
    lock = db.for_change if for_change else ""
    row = db.row(f"SELECT {COLUMNS} FROM sessions WHERE app = ? AND handle = ?{lock}", app, handle)
    return None if row is None else SessionRow(*row)


def find_with_user(db: Database, app: int, handle: str) -> tuple[SessionRow, SessionUser] | None:
    """Return a session, expired or not, and whose it is; None when there is none."""
    columns = f"one.{COLUMNS.replace(', ', ', one.')}, {USER_OF_SESSION}"
    lock = f"{db.for_change} OF one" if db.for_change else ""
    query = f"SELECT {columns} FROM sessions AS one{JOINED_TO_SESSION} WHERE one.app = ? AND one.handle = ?{lock}"
    row = db.row(query, app, handle)  # the first of several if the user is in several tenants
    if row is None:
        return None
    *own, group, external = row
    found = SessionRow(*own)
    # A session keeps the name of the login method that it was made with, also when that is mapped meanwhile.
    return found, SessionUser(external or group, found.user_id, group)


def add(db: Database, app: int, row: SessionRow, user: SessionUser) -> None:
    """Store a new session, and that its user is active."""
    statement = f"INSERT INTO sessions (app, {COLUMNS}) VALUES (?{', ?' * 11})"
    active = {"app": app, "user_id": user.internal_id}
    db.change_then_put(statement, (app, *attrs.astuple(row)), "last_active", active, last_active=row.created_at)


_REPLACE = (
    "UPDATE sessions SET refresh_token_hash_2 = ?, prev_refresh_token_hash_2 = ?, rotated_at = ?, expires_at = ?,"
    " use_static_key = ? WHERE app = ? AND handle = ? AND refresh_token_hash_2 = ?"
)


def replace(db: Database, app: int, before: SessionRow, row: SessionRow, *, user: SessionUser, now: int) -> None:
    """Store a session after a refresh in place of the one before, and that its user is active."""
    active = {"app": app, "user_id": user.internal_id}
    db.change_then_put(_REPLACE, _replacing(app, before, row), "last_active", active, last_active=now)


def settle(db: Database, app: int, before: SessionRow, row: SessionRow) -> None:
    """Store a session after the first use of a new token, in place of the one before."""
    db.change(_REPLACE, *_replacing(app, before, row))


def _replacing(app: int, before: SessionRow, row: SessionRow) -> tuple[object, ...]:
    after = (row.refresh_hash2, row.previous_hash2, row.rotated_at, row.expires_at, row.static_key)
    return *after, app, row.handle, before.refresh_hash2


def unauthorised(message: str) -> dict[str, Any]:
    """Return the answer for a session that is not there or not to be used."""
    return {"status": "UNAUTHORISED", "message": message}


def check_tenant(call: Call, tenant_id: str) -> None:
    """Refuse a session of a tenant that does not exist."""
    if tenant_id != "public" and call.services.tenancy.find(call.app_id, tenant_id) is None:
        raise call.unknown_tenant(tenant_id)


def _no_session(call: Call, handle: str) -> dict[str, Any]:
    """Answer for a handle without a session; one that names a tenant which does not exist is refused as such."""
    check_tenant(call, tenant_of_handle(handle))
    return unauthorised(MISSING)


def check_payload(payload: dict[str, Any]) -> None:
    """Refuse a user's payload that says what only the core may say."""
    if any(name in payload for name in PROTECTED):
        raise bad("The user payload contains protected field")


def get(call: Call) -> dict[str, Any]:
    """``GET /recipe/session``: what is stored of an unexpired session."""
    handle = call.query.text("sessionHandle")
    row = find(call.db, call.app, handle)
    live = row is not None and row.expires_at >= call.now
    primary = primary_id(call.db, call.app, row.user_id) if row is not None else ""
    if row is None or not live:
        return _no_session(call, handle)
    return {
        "status": "OK",
        "sessionHandle": handle,
        "userId": primary,
        "recipeUserId": row.user_id,
        "userDataInDatabase": json.loads(row.data),
        "userDataInJWT": json.loads(row.payload),
        "expiry": row.expires_at,
        "timeCreated": row.created_at,
        "tenantId": row.tenant_id,
    }


def get_kept(kept: tuple[str, str], call: Call) -> dict[str, Any]:
    """``GET /recipe/session/data`` and ``GET /recipe/jwt/data`` (both deprecated)."""
    column, name = kept
    handle = call.query.text("sessionHandle")
    query = f"SELECT {column} FROM sessions WHERE app = ? AND handle = ? AND expires_at >= ?"
    found = call.db.value(query, call.app, handle, call.now)
    return _no_session(call, handle) if found is None else {"status": "OK", name: json.loads(found)}


def put_kept(kept: tuple[str, str], call: Call) -> dict[str, Any]:
    """``PUT /recipe/session/data``, and ``PUT /recipe/jwt/data`` for the payload that later access tokens carry."""
    column, name = kept
    handle = call.body.text("sessionHandle")
    value = call.body.object(name)
    call.admit()
    if column == "jwt_payload":
        check_payload(value)
    text = dump(value)  # before the lock: it may be large, or refused
    query = f"UPDATE sessions SET {column} = ? WHERE app = ? AND handle = ? AND expires_at >= ?"
    changed = call.db.change(query, text, call.app, handle, call.now)
    return {"status": "OK"} if changed else _no_session(call, handle)


def remove(call: Call) -> dict[str, Any]:
    """``POST /recipe/session/remove``: end sessions, by handle or by user."""
    user_id = call.body.text_or_none("userId")
    handles = call.body.texts_or_none("sessionHandles")
    if (user_id is None) == (handles is None):
        raise bad("Invalid JSON input - use one of userId or sessionHandles array")
    everywhere = call.body.flag_or_none("revokeAcrossAllTenants")
    if user_id is None and everywhere is not None:
        raise bad("Invalid JSON input - revokeAcrossAllTenants can only be set if userId is set")
    linked = call.body.flag_or_none("revokeSessionsForLinkedAccounts")
    if user_id is None and linked is not None:
        raise bad("Invalid JSON input - revokeSessionsForLinkedAccounts can only be set if userId is set")
    tenant_id = _one_tenant(call, everywhere is not False, by_handle=user_id is None)
    with call.writing() as db:
        if user_id is not None:
            handles = handles_of_user(
                db, call.app, user_id, tenant_id, linked=linked is not False, expiring_after=call.now
            )
            touch(db, call.app, internal_id(db, call.app, user_id), call.now)
        revoked = remove_handles(db, call.app, handles or ())
    for handle in handles or ():
        # Said after what could be revoked is revoked.
        check_tenant(call, tenant_of_handle(handle))
    return {"status": "OK", "sessionHandlesRevoked": revoked}


def _one_tenant(call: Call, everywhere: bool, *, by_handle: bool = False) -> str | None:
    """Return the tenant that a call about a user's sessions is limited to, None for the whole app."""
    if by_handle:
        # The handles say which tenants they belong to; the one in the path only has to exist with its app.
        call.tenant = call.services.tenancy.find(call.app_id, "public")
        return None
    if everywhere:
        call.public_only()
        return None
    return call.here.tenant_id


def remove_handles(db: Database, app: int, handles: Iterable[str]) -> list[str]:
    """Delete sessions; return the handles of the ones that existed, each as often as it was named."""
    query = "DELETE FROM sessions WHERE app = ? AND handle = ?"
    named = list(handles)
    gone = {handle for handle in set(named) if db.change(query, app, handle)}
    return [handle for handle in named if handle in gone]


def handles_of_user(
    db: Database, app: int, user_id: str, tenant_id: str | None, *, linked: bool, expiring_after: int
) -> list[str]:
    """
    Return the handles of a user's sessions.

    A session is found by the id that it was created for (the external id, when mapped).

    :param tenant_id: only sessions of that tenant; None for all.
    :param linked: also the sessions of the login methods that are linked with *user_id*.
    :param expiring_after: milliseconds; leaves out what expired before.
    """
    names = [user_id]
    if linked:
        query = "SELECT user_id FROM login_methods WHERE app = ? AND primary_user_id = ?"
        others = db.column(query, app, primary_id(db, app, user_id))
        names.extend(name for name in others if name != user_id)
    within = [] if tenant_id is None else [tenant_id]
    query = "SELECT handle FROM sessions WHERE app = ? AND user_id = ? AND expires_at >= ?"
    query += " AND tenant_id = ?" * len(within)
    return [handle for name in names for handle in db.column(query, app, name, expiring_after, *within)]


def of_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/session/user``: the handles of a user's unexpired sessions."""
    user_id = call.query.text("userId")
    everywhere = call.query.flag("fetchAcrossAllTenants", True)
    linked = call.query.flag("fetchSessionsForAllLinkedAccounts", True)
    tenant_id = _one_tenant(call, everywhere)
    handles = handles_of_user(call.db, call.app, user_id, tenant_id, linked=linked, expiring_after=call.now)
    return {"status": "OK", "sessionHandles": handles}


# What a session keeps: the column, and its name in requests and answers.
_DATA = ("session_data", "userDataInDatabase")
_PAYLOAD = ("jwt_payload", "userDataInJWT")

ENDPOINTS = (
    Endpoint("GET", "/recipe/session", "app-tolerant", get),
    Endpoint("POST", "/recipe/session/remove", "special", remove, concurrent=True),
    Endpoint("GET", "/recipe/session/user", "special", of_user),
    Endpoint("GET", "/recipe/session/data", "app-tolerant", partial(get_kept, _DATA)),
    Endpoint("PUT", "/recipe/session/data", "app-tolerant", partial(put_kept, _DATA), concurrent=True),
    Endpoint("GET", "/recipe/jwt/data", "app-tolerant", partial(get_kept, _PAYLOAD)),
    Endpoint("PUT", "/recipe/jwt/data", "app-tolerant", partial(put_kept, _PAYLOAD), concurrent=True),
)
