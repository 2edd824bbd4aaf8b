"""
Sessions (CDI 1.2, semantics 3.2 and 3.3; ``session/Session.java`` of the official core).

The rule behind rotation: the store holds the hash of the newest refresh token that is *known to have arrived*. A
refresh hands out a child without storing it; only the first use of the child (in a refresh or in a verification) makes
it the stored one, and from then on its parent is a stolen token. So an answer that got lost on its way never signs
anyone out.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
import uuid
from collections.abc import Iterable
from typing import Any

import attrs

from .call import Call, Route
from .fields import bad, dump
from .keys import TokenInvalid, split_token
from .tokens import (
    PROTECTED,
    AccessToken,
    RefreshToken,
    RefreshTokenInvalid,
    hash1,
    hash2,
    tenant_of_handle,
)
from .users import ID_LIMIT, ids_for_session, internal_id, touch

_MISSING = "Session does not exist."


@attrs.frozen
class Row:
    """A session as it is stored."""

    handle: str
    tenant_id: str
    user_id: str
    refresh_hash2: str
    data: str
    payload: str
    static_key: bool = attrs.field(converter=bool)
    created_at: int
    expires_at: int


_COLUMNS = (
    "handle, tenant_id, user_id, refresh_token_hash_2, session_data, jwt_payload, use_static_key, created_at,"
    " expires_at"
)


def _find(db: sqlite3.Connection, app: int, handle: str) -> Row | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM sessions WHERE app = ? AND handle = ?", (app, handle)).fetchone()
    return None if row is None else Row(*row)


def _unauthorised(message: str) -> dict[str, Any]:
    return {"status": "UNAUTHORISED", "message": message}


def _try_refresh(message: str) -> dict[str, Any]:
    return {"status": "TRY_REFRESH_TOKEN", "message": message}


def _no_session(call: Call, handle: str) -> dict[str, Any]:
    """Answer for a handle without a session; one that names a tenant which does not exist is refused as such."""
    tenant_id = tenant_of_handle(handle)
    if call.engine.tenancy.find(call.app_id, tenant_id) is None:
        raise call.unknown_tenant(tenant_id)
    return _unauthorised(_MISSING)


def _check_payload(payload: dict[str, Any]) -> None:
    if any(name in payload for name in PROTECTED):
        raise bad("The user payload contains protected field")


def _whole_seconds(milliseconds: int) -> int:
    return milliseconds // 1000 * 1000


def _session_json(token: AccessToken) -> dict[str, Any]:
    return {
        "handle": token.handle,
        "userId": token.user_id,
        "recipeUserId": token.recipe_user_id,
        "userDataInJWT": dict(token.payload),
        "tenantId": token.tenant_id,
    }


def _signed(call: Call, token: AccessToken, *, static: bool, now: int) -> dict[str, Any]:
    key = call.engine.keys.for_signing(call.app, call.settings, now, static=static)
    return {"token": token.signed(key, now), "expiry": token.expires_at, "createdTime": _whole_seconds(now)}


def _fresh_expiry(call: Call, now: int) -> int:
    return _whole_seconds(now + call.settings.access_token_validity)


def create(call: Call) -> dict[str, Any]:
    """``POST /recipe/session``: a new session, for any user id."""
    user_id = call.body.text("userId", limit=ID_LIMIT)
    enable_anti_csrf = call.body.flag("enableAntiCsrf")
    payload = call.body.object("userDataInJWT")
    data = dump(call.body.object("userDataInDatabase"))
    static = call.body.flag_or_none("useDynamicSigningKey") is False
    here, now = call.here, call.now
    _check_payload(payload)
    stored_payload = dump(payload)
    handle = str(uuid.uuid4()) if here.tenant_id == "public" else f"{uuid.uuid4()}_{here.tenant_id}"
    anti_csrf = str(uuid.uuid4()) if enable_anti_csrf else None
    seal = call.engine.keys.seal(here.app)
    refresh_expiry = now + call.settings.refresh_token_validity
    with call.write() as db:
        group_id, recipe_user_id = ids_for_session(db, here.app, user_id)
        refresh = RefreshToken(handle, recipe_user_id, None, anti_csrf).sealed(seal)
        db.execute(
            f"INSERT INTO sessions (app, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                here.app,
                handle,
                here.tenant_id,
                recipe_user_id,
                hash2(refresh),
                data,
                stored_payload,
                static,
                now,
                refresh_expiry,
            ),
        )
        touch(db, here.app, internal_id(db, here.app, group_id), now)
        call.engine.cleaner.a_little(db, now)
    token = AccessToken(
        handle=handle,
        user_id=group_id,
        recipe_user_id=recipe_user_id,
        tenant_id=here.tenant_id,
        refresh_hash1=hash1(refresh),
        parent_hash1=None,
        anti_csrf=anti_csrf,
        expires_at=_fresh_expiry(call, now),
        payload=json.loads(stored_payload),
    )
    return {
        "status": "OK",
        "session": _session_json(token),
        "accessToken": _signed(call, token, static=static, now=now),
        "refreshToken": _refresh_json(refresh, refresh_expiry, now),
        **({} if anti_csrf is None else {"antiCsrfToken": anti_csrf}),
    }


def _refresh_json(token: str, expires_at: int, now: int) -> dict[str, Any]:
    return {"token": token, "expiry": expires_at, "createdTime": now}


def refresh(call: Call) -> dict[str, Any]:
    """``POST /recipe/session/refresh``: a child of a refresh token, or the discovery that the token was stolen."""
    presented = call.body.text("refreshToken")
    anti_csrf = call.body.text_or_none("antiCsrfToken")
    enable_anti_csrf = call.body.flag("enableAntiCsrf")
    static = not call.body.flag("useDynamicSigningKey")
    app, now, settings = call.app, call.now, call.settings
    seal = call.engine.keys.seal(app)
    try:
        info = RefreshToken.opened(presented, seal)
    except RefreshTokenInvalid as error:
        return _unauthorised(str(error))
    if enable_anti_csrf and info.anti_csrf is not None and not _same(info.anti_csrf, anti_csrf):
        return _unauthorised("Anti CSRF token missing, or not matching")
    presented_hash1 = hash1(presented)
    presented_hash2 = hash1(presented_hash1)
    expires_at = now + settings.refresh_token_validity
    with call.write() as db:
        row = _find(db, app, info.handle)
        if row is None or row.expires_at < now:
            return _unauthorised("Session missing in db or has expired")
        group_id, recipe_user_id = ids_for_session(db, app, row.user_id)
        if presented_hash2 != row.refresh_hash2:
            if info.parent_hash1 is None or hash1(info.parent_hash1) != row.refresh_hash2:
                session = {"handle": info.handle, "userId": group_id, "recipeUserId": recipe_user_id}
                return {"status": "TOKEN_THEFT_DETECTED", "session": session}
            # The child is now known to have arrived.
            _promote(db, app, info.handle, presented_hash2, expires_at)
        else:
            expires_at = row.expires_at
        if static != row.static_key:
            db.execute(
                "UPDATE sessions SET use_static_key = ? WHERE app = ? AND handle = ?", (static, app, info.handle)
            )
        touch(db, app, internal_id(db, app, group_id), now)
        call.engine.cleaner.a_little(db, now)
    child_anti_csrf = str(uuid.uuid4()) if enable_anti_csrf else None
    child = RefreshToken(info.handle, recipe_user_id, presented_hash1, child_anti_csrf).sealed(seal)
    token = AccessToken(
        handle=info.handle,
        user_id=group_id,
        recipe_user_id=recipe_user_id,
        tenant_id=row.tenant_id,
        refresh_hash1=hash1(child),
        parent_hash1=presented_hash1,
        anti_csrf=child_anti_csrf,
        expires_at=_fresh_expiry(call, now),
        payload=json.loads(row.payload),
    )
    return {
        "status": "OK",
        "session": _session_json(token),
        "accessToken": _signed(call, token, static=static, now=now),
        "refreshToken": _refresh_json(child, now + settings.refresh_token_validity, now),
        **({} if child_anti_csrf is None else {"antiCsrfToken": child_anti_csrf}),
    }


def _promote(db: sqlite3.Connection, app: int, handle: str, refresh_hash2: str, expires_at: int) -> None:
    db.execute(
        "UPDATE sessions SET refresh_token_hash_2 = ?, expires_at = ? WHERE app = ? AND handle = ?",
        (refresh_hash2, expires_at, app, handle),
    )


def _same(left: str, right: str | None) -> bool:
    return right is not None and hmac.compare_digest(left.encode(), right.encode())


def verify(call: Call) -> dict[str, Any]:
    """``POST /recipe/session/verify``: check an access token; its first use after a refresh settles the refresh."""
    text = call.body.text("accessToken")
    anti_csrf = call.body.text_or_none("antiCsrfToken")
    do_check = call.body.flag("doAntiCsrfCheck")
    enable_anti_csrf = call.body.flag("enableAntiCsrf")
    app, now = call.app, call.now
    check_database = call.body.flag("checkDatabase")
    check_anti_csrf = do_check and enable_anti_csrf
    try:
        token = AccessToken.of(*call.engine.keys.verify(app, call.settings, now, text))
    except TokenInvalid as error:
        return _try_refresh(str(error))
    if token is None or (check_anti_csrf and token.anti_csrf is None):
        return _try_refresh("Access token does not contain all the information. Maybe the structure has changed?")
    if token.expires_at < now:
        return _try_refresh("Access token expired")
    if check_anti_csrf and token.anti_csrf is not None and not _same(token.anti_csrf, anti_csrf):
        return _try_refresh("anti-csrf check failed")
    if check_database:
        with call.read() as db:
            row = _find(db, app, token.handle)
        if row is None:
            return _unauthorised("Either the session has ended or has been blacklisted")
        if token.parent_hash1 is None and json.loads(row.payload) == token.payload:
            return {"status": "OK", "session": _session_json(token)}
    elif token.parent_hash1 is None:
        return {"status": "OK", "session": _session_json(token)}
    return _settle(call, token, now)


def _settle(call: Call, token: AccessToken, now: int) -> dict[str, Any]:
    """Make the refresh that *token* came from count, and answer with a token that says so."""
    app = call.app
    with call.write() as db:
        row = _find(db, app, token.handle)
        if row is None:
            return _unauthorised("Session missing in db")
        stored = row.refresh_hash2
        promoted = token.parent_hash1 is not None and hash1(token.parent_hash1) == stored
        if promoted:
            stored = hash1(token.refresh_hash1)
            _promote(db, app, token.handle, stored, now + call.settings.refresh_token_validity)
        payload = json.loads(row.payload)
        if not promoted and hash1(token.refresh_hash1) != stored and payload == token.payload:
            return {"status": "OK", "session": _session_json(token)}
        group_id, recipe_user_id = ids_for_session(db, app, row.user_id)
    token = attrs.evolve(
        token,
        user_id=group_id,
        recipe_user_id=recipe_user_id,
        parent_hash1=None,
        payload=payload,
        expires_at=_fresh_expiry(call, now),
    )
    signed = _signed(call, token, static=row.static_key, now=now)
    return {"status": "OK", "session": _session_json(token), "accessToken": signed}


def regenerate(call: Call) -> dict[str, Any]:
    """``POST /recipe/session/regenerate``: another payload for a session and its access token, all else kept."""
    text = call.body.text("accessToken")
    payload = call.body.object_or_none("userDataInJWT")
    app, now = call.app, call.now
    try:
        # Expired is fine here, and so is a key that was dropped meanwhile: then only the session is changed.
        header, claims, _ = split_token(text)
        token = AccessToken.of(header, claims)
    except TokenInvalid as error:
        return _unauthorised(str(error))
    if token is None:
        return _unauthorised("Access token does not contain all the information. Maybe the structure has changed?")
    live = token.expires_at >= now
    if live:
        try:
            call.engine.keys.verify(app, call.settings, now, text)
        except TokenInvalid as error:
            return _unauthorised(str(error))
    if payload is not None:
        _check_payload(payload)
    with call.write() as db:
        row = _find(db, app, token.handle)
        if row is None or row.expires_at < now:
            return _unauthorised(_MISSING)
        stored = row.payload if payload is None else dump(payload)
        if payload is not None:
            db.execute("UPDATE sessions SET jwt_payload = ? WHERE app = ? AND handle = ?", (stored, app, token.handle))
    token = attrs.evolve(token, payload=json.loads(stored))
    answer: dict[str, Any] = {"status": "OK", "session": _session_json(token)}
    if live:
        answer["accessToken"] = _signed(call, token, static=row.static_key, now=now)
    return answer


def get(call: Call) -> dict[str, Any]:
    """``GET /recipe/session``: what is stored of an unexpired session."""
    handle = call.query.text("sessionHandle")
    with call.read() as db:
        row = _find(db, call.app, handle)
        live = row is not None and row.expires_at >= call.now
        group_id, recipe_user_id = ids_for_session(db, call.app, row.user_id) if row is not None else ("", "")
    if row is None or not live:
        return _no_session(call, handle)
    return {
        "status": "OK",
        "sessionHandle": handle,
        "userId": group_id,
        "recipeUserId": recipe_user_id,
        "userDataInDatabase": json.loads(row.data),
        "userDataInJWT": json.loads(row.payload),
        "expiry": row.expires_at,
        "timeCreated": row.created_at,
        "tenantId": row.tenant_id,
    }


def _stored_object(call: Call, column: str, name: str) -> dict[str, Any]:
    handle = call.query.text("sessionHandle")
    with call.read() as db:
        found = db.execute(
            f"SELECT {column} FROM sessions WHERE app = ? AND handle = ? AND expires_at >= ?",
            (call.app, handle, call.now),
        ).fetchone()
    return _no_session(call, handle) if found is None else {"status": "OK", name: json.loads(found[0])}


def _replace_object(call: Call, column: str, handle: str, value: str) -> dict[str, Any]:
    with call.write() as db:
        changed = db.execute(
            f"UPDATE sessions SET {column} = ? WHERE app = ? AND handle = ? AND expires_at >= ?",
            (value, call.app, handle, call.now),
        ).rowcount
    return {"status": "OK"} if changed else _no_session(call, handle)


def get_data(call: Call) -> dict[str, Any]:
    """``GET /recipe/session/data`` (deprecated)."""
    return _stored_object(call, "session_data", "userDataInDatabase")


def put_data(call: Call) -> dict[str, Any]:
    """``PUT /recipe/session/data``: replace what the session keeps in the database."""
    handle = call.body.text("sessionHandle")
    value = dump(call.body.object("userDataInDatabase"))
    return _replace_object(call, "session_data", handle, value)


def get_payload(call: Call) -> dict[str, Any]:
    """``GET /recipe/jwt/data`` (deprecated)."""
    return _stored_object(call, "jwt_payload", "userDataInJWT")


def put_payload(call: Call) -> dict[str, Any]:
    """``PUT /recipe/jwt/data``: replace the payload that later access tokens carry."""
    handle = call.body.text("sessionHandle")
    payload = call.body.object("userDataInJWT")
    call.admit()
    _check_payload(payload)
    return _replace_object(call, "jwt_payload", handle, dump(payload))


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
    with call.write() as db:
        if user_id is not None:
            handles = handles_of_user(
                db, call.app, user_id, tenant_id, linked=linked is not False, expiring_after=call.now
            )
            touch(db, call.app, internal_id(db, call.app, user_id), call.now)
        revoked = remove_handles(db, call.app, handles or ())
    return {"status": "OK", "sessionHandlesRevoked": revoked}


def _one_tenant(call: Call, everywhere: bool, *, by_handle: bool = False) -> str | None:
    """Return the tenant that a call about a user's sessions is limited to, None for the whole app."""
    if by_handle:
        # The handles say which tenants they belong to; the one in the path only has to exist with its app.
        call.tenant = call.engine.tenancy.find(call.app_id, "public")
        return None
    if everywhere:
        call.public_only()
        return None
    return call.here.tenant_id


def remove_handles(db: sqlite3.Connection, app: int, handles: Iterable[str]) -> list[str]:
    """Delete sessions; return the handles of those that were there."""
    revoked = []
    for handle in dict.fromkeys(handles):
        if db.execute("DELETE FROM sessions WHERE app = ? AND handle = ?", (app, handle)).rowcount:
            revoked.append(handle)
    return revoked


def handles_of_user(
    db: sqlite3.Connection, app: int, user_id: str, tenant_id: str | None, *, linked: bool, expiring_after: int
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
        rows = db.execute(
            "SELECT m.user_id, e.external_user_id FROM login_methods m"
            " LEFT JOIN user_id_mappings e USING (app, user_id) WHERE m.app = ? AND m.linked = 1"
            " AND m.primary_user_id = (SELECT primary_user_id FROM login_methods WHERE app = m.app AND user_id = ?)",
            (app, internal_id(db, app, user_id)),
        ).fetchall()
        names.extend(name for row in rows for name in row if name is not None and name not in names)
    handles: list[str] = []
    for name in names:
        query = "SELECT handle FROM sessions WHERE app = ? AND user_id = ? AND expires_at >= ?"
        values: tuple[Any, ...] = (app, name, expiring_after)
        if tenant_id is not None:
            query, values = f"{query} AND tenant_id = ?", (*values, tenant_id)
        handles.extend(row[0] for row in db.execute(query, values).fetchall())
    return handles


def of_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/session/user``: the handles of a user's unexpired sessions."""
    user_id = call.query.text("userId")
    everywhere = call.query.flag("fetchAcrossAllTenants", True)
    linked = call.query.flag("fetchSessionsForAllLinkedAccounts", True)
    tenant_id = _one_tenant(call, everywhere)
    with call.read() as db:
        handles = handles_of_user(db, call.app, user_id, tenant_id, linked=linked, expiring_after=call.now)
    return {"status": "OK", "sessionHandles": handles}


ROUTES = (
    Route("POST", "/recipe/session", "tenant", create),
    Route("GET", "/recipe/session", "app-tolerant", get),
    Route("POST", "/recipe/session/verify", "app-tolerant", verify),
    Route("POST", "/recipe/session/refresh", "app-tolerant", refresh),
    Route("POST", "/recipe/session/regenerate", "app-tolerant", regenerate),
    Route("POST", "/recipe/session/remove", "special", remove),
    Route("GET", "/recipe/session/user", "special", of_user),
    Route("GET", "/recipe/session/data", "app-tolerant", get_data),
    Route("PUT", "/recipe/session/data", "app-tolerant", put_data),
    Route("GET", "/recipe/jwt/data", "app-tolerant", get_payload),
    Route("PUT", "/recipe/jwt/data", "app-tolerant", put_payload),
)
