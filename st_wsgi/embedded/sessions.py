"""
Sessions: creating, refreshing, verifying, regenerating (CDI 1.2, semantics 3.2 and 3.3; ``session/Session.java`` of the
official core). When a refresh token takes the place of the one before it is in ``rotation.py``.
"""

from __future__ import annotations

import hmac
import json
import random
import uuid
from typing import Any

import attrs

from . import sessionrows
from .call import Call, Endpoint
from .fields import bad, dump
from .keys import TokenInvalid, split_token
from .rotation import Reuse, arrive, is_live, rotate
from .sessionrows import MISSING, SessionRow, check_payload, check_tenant, unauthorised
from .tokens import AccessTokenContent, RefreshTokenContent, RefreshTokenInvalid, hash1, hash2, tenant_of_handle
from .users import SessionUser, session_user
from .versions import ROTATING


def _try_refresh(message: str) -> dict[str, Any]:
    return {"status": "TRY_REFRESH_TOKEN", "message": message}


def _whole_seconds(milliseconds: int) -> int:
    return milliseconds // 1000 * 1000


def _session_json(token: AccessTokenContent) -> dict[str, Any]:
    return {
        "handle": token.handle,
        "userId": token.user_id,
        "recipeUserId": token.recipe_user_id,
        "userDataInJWT": dict(token.payload),
        "tenantId": token.tenant_id,
    }


def _signed(call: Call, token: AccessTokenContent, *, static: bool, now: int) -> dict[str, Any]:
    key = call.services.keys.for_signing(call.here, now, static=static)
    return {"token": token.signed(key, now), "expiry": token.expires_at, "createdTime": _whole_seconds(now)}


def _asked_lifetime(call: Call) -> int | None:
    return call.body.whole_or_none("accessTokenValidity") if call.version >= ROTATING else None


def _lifetime(call: Call, asked: int | None) -> int:
    """
    Return how long a new access token is to live, in milliseconds.

    :param asked: what the call says, which may only be shorter than the setting.
    """
    configured = call.settings.access_token_validity
    if asked is None:
        # So that tokens which were made together do not all end together.
        return int(configured * (1 - random.random() * call.settings.access_token_jitter))
    if not 0 < asked <= configured:
        raise bad(
            "accessTokenValidity must be greater than 0 and at most the configured access_token_validity "
            f"({configured} ms)"
        )
    return asked


def create(call: Call) -> dict[str, Any]:
    """``POST /recipe/session``: a new session, for any user id."""
    user_id = call.body.text("userId")
    enable_anti_csrf = call.body.flag("enableAntiCsrf")
    payload = call.body.object("userDataInJWT")
    data = dump(call.body.object("userDataInDatabase"))
    static = call.body.flag_or_none("useDynamicSigningKey") is False
    asked_lifetime = _asked_lifetime(call)
    here, now = call.here, call.now
    lifetime = _lifetime(call, asked_lifetime)
    check_payload(payload)
    handle = str(uuid.uuid4()) if here.tenant_id == "public" else f"{uuid.uuid4()}_{here.tenant_id}"
    anti_csrf = str(uuid.uuid4()) if enable_anti_csrf else None
    seal = call.services.keys.seal(here)
    with call.writing() as db:
        user = session_user(db, here.app, user_id)
        refresh = RefreshTokenContent(handle, user.recipe_user_id, None, anti_csrf).sealed(seal)
        row = SessionRow(
            handle=handle,
            tenant_id=here.tenant_id,
            user_id=user.recipe_user_id,
            refresh_hash2=hash2(refresh),
            previous_hash2=None,
            rotated_at=None,
            data=data,
            payload=dump(payload),
            static_key=static,
            created_at=now,
            expires_at=now + call.settings.refresh_token_validity,
        )
        sessionrows.add(db, here.app, row, user)
        call.services.cleaner.a_little(db, now)
    return _tokens(call, row, user, refresh=refresh, parent_hash1=None, anti_csrf=anti_csrf, lifetime=lifetime, now=now)


def _tokens(
    call: Call,
    row: SessionRow,
    user: SessionUser,
    *,
    refresh: str,
    parent_hash1: str | None,
    anti_csrf: str | None,
    lifetime: int,
    now: int,
) -> dict[str, Any]:
    """Return the answer with a new refresh token of a session, and an access token that says where it came from."""
    token = AccessTokenContent(
        handle=row.handle,
        user_id=user.user_id,
        recipe_user_id=user.recipe_user_id,
        tenant_id=row.tenant_id,
        refresh_hash1=hash1(refresh),
        parent_hash1=parent_hash1,
        anti_csrf=anti_csrf,
        expires_at=_whole_seconds(now + lifetime),
        payload=json.loads(row.payload),
    )
    expiry = now + call.settings.refresh_token_validity
    return {
        "status": "OK",
        "session": _session_json(token),
        "accessToken": _signed(call, token, static=row.static_key, now=now),
        "refreshToken": {"token": refresh, "expiry": expiry, "createdTime": now},
        **({} if anti_csrf is None else {"antiCsrfToken": anti_csrf}),
    }


def refresh(call: Call) -> dict[str, Any]:
    """``POST /recipe/session/refresh``: a child of a refresh token, or the discovery that the token was stolen."""
    presented = call.body.text("refreshToken")
    anti_csrf = call.body.text_or_none("antiCsrfToken")
    enable_anti_csrf = call.body.flag("enableAntiCsrf")
    static = not call.body.flag("useDynamicSigningKey")
    asked_lifetime = _asked_lifetime(call)
    check_tenant(call, call.tenant_id)
    app, now = call.app, call.now
    seal = call.services.keys.seal(call.here)
    try:
        info = RefreshTokenContent.opened(presented, seal)
    except RefreshTokenInvalid as error:
        return unauthorised(str(error))
    if enable_anti_csrf and info.anti_csrf is not None and not _same(info.anti_csrf, anti_csrf):
        return unauthorised("Anti CSRF token missing, or not matching")
    check_tenant(call, tenant_of_handle(info.handle))
    lifetime = _lifetime(call, asked_lifetime)
    presented_hash1 = hash1(presented)
    child_anti_csrf = str(uuid.uuid4()) if enable_anti_csrf else None
    with call.writing_row() as db:
        found = sessionrows.find_with_user(db, app, info.handle)
        if found is None or found[0].expires_at < now:
            return unauthorised("Session missing in db or has expired")
        row, user = found
        child = RefreshTokenContent(info.handle, user.recipe_user_id, presented_hash1, child_anti_csrf).sealed(seal)
        after = _after_refresh(call, row, presented_hash1=presented_hash1, info=info, child_hash2=hash2(child), now=now)
        if not isinstance(after, SessionRow):
            if after is not None:
                sessionrows.remove_handles(db, app, [info.handle])
            return _reused(call, info.handle, user, after)
        after = attrs.evolve(after, static_key=static)
        sessionrows.replace(db, app, row, after, user=user, now=now)
    parent = None if call.version >= ROTATING else presented_hash1
    return _tokens(
        call, after, user, refresh=child, parent_hash1=parent, anti_csrf=child_anti_csrf, lifetime=lifetime, now=now
    )


def _after_refresh(
    call: Call, row: SessionRow, *, presented_hash1: str, info: RefreshTokenContent, child_hash2: str, now: int
) -> SessionRow | Reuse | None:
    """Return a session after a refresh, under the rule of the call's CDI version; otherwise what is wrong with it."""
    settings = call.settings
    validity = settings.refresh_token_validity
    if call.version < ROTATING:
        return arrive(row, presented_hash1, info.parent_hash1, now=now, validity=validity)
    grace = settings.rotation_grace_period
    return rotate(row, presented_hash1, info, child_hash2, now=now, grace=grace, validity=validity)


def _reused(call: Call, handle: str, user: SessionUser, reuse: Reuse | None) -> dict[str, Any]:
    """Return the answer to a refresh with a token of the past; the kind of reuse is told from CDI 5.6 on."""
    subtype = {} if reuse is None else {"recentTokenReuseSubtype": reuse}
    recent = reuse in ("RECENT_PREV", "ORPHANED_BRANCH")
    if recent and call.settings.text("recent_token_reuse_behaviour") == "UNAUTHORISED":
        return {**unauthorised("refresh token reuse detected"), **subtype}
    session = {"handle": handle, "userId": user.user_id, "recipeUserId": user.recipe_user_id}
    return {"status": "TOKEN_THEFT_DETECTED", "session": session, **subtype}


def _same(left: str, right: str | None) -> bool:
    return right is not None and hmac.compare_digest(left.encode(), right.encode())


def verify(call: Call) -> dict[str, Any]:
    """``POST /recipe/session/verify``: check an access token; its first use after a refresh settles the refresh."""
    text = call.body.text("accessToken")
    anti_csrf = call.body.text_or_none("antiCsrfToken")
    do_check = call.body.flag("doAntiCsrfCheck")
    enable_anti_csrf = call.body.flag("enableAntiCsrf")
    if call.version >= ROTATING:
        call.public_only()
    app, now = call.app, call.now
    check_database = call.body.flag("checkDatabase")
    check_anti_csrf = do_check and enable_anti_csrf
    try:
        token = AccessTokenContent.of(*call.services.keys.verify(call.here, now, text))
    except TokenInvalid as error:
        return _try_refresh(str(error))
    if token is None or (check_anti_csrf and token.anti_csrf is None):
        return _try_refresh("Access token does not contain all the information. Maybe the structure has changed?")
    if token.expires_at < now:
        return _try_refresh("Access token expired")
    check_tenant(call, token.tenant_id)
    if check_anti_csrf and token.anti_csrf is not None and not _same(token.anti_csrf, anti_csrf):
        return _try_refresh("anti-csrf check failed")
    if check_database:
        with call.reading() as db:
            row = sessionrows.find(db, app, token.handle)
        if row is None:
            return unauthorised("Either the session has ended or has been blacklisted")
        if call.version >= ROTATING:
            return _compared(token, row)
        if token.parent_hash1 is None and json.loads(row.payload) == token.payload:
            return {"status": "OK", "session": _session_json(token)}
    elif token.parent_hash1 is None or call.version >= ROTATING:
        return {"status": "OK", "session": _session_json(token)}
    return _settle(call, token, now)


def _compared(token: AccessTokenContent, row: SessionRow) -> dict[str, Any]:
    """Answer the verification of a token beside its session (CDI 5.6 and later), which changes nothing."""
    if not is_live(row, token):
        return unauthorised("rotated-out token branch; refresh required")
    drifted = json.loads(row.payload) != token.payload
    return {"status": "OK", "session": _session_json(token), "payloadUpdateAvailable": drifted}


def _settle(call: Call, token: AccessTokenContent, now: int) -> dict[str, Any]:
    """Make the refresh that *token* came from count, and answer with a token that says so."""
    app = call.app
    with call.writing() as db:
        row = sessionrows.find(db, app, token.handle, for_change=True)
        if row is None:
            return unauthorised("Session missing in db")
        validity = call.settings.refresh_token_validity
        after = arrive(row, token.refresh_hash1, token.parent_hash1, now=now, validity=validity)
        if after is not None and after != row:
            sessionrows.settle(db, app, row, after)
        payload = json.loads(row.payload)
        if after is None and payload == token.payload:
            return {"status": "OK", "session": _session_json(token)}
    token = attrs.evolve(
        token,
        parent_hash1=None,
        payload=payload,
        expires_at=_whole_seconds(now + call.settings.access_token_validity),
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
        token = AccessTokenContent.of(header, claims)
    except TokenInvalid as error:
        return unauthorised(str(error))
    if token is None:
        return unauthorised("Access token does not contain all the information. Maybe the structure has changed?")
    check_tenant(call, token.tenant_id)
    live = token.expires_at >= now
    if live:
        try:
            call.services.keys.verify(call.here, now, text)
        except TokenInvalid as error:
            return unauthorised(str(error))
    if payload is not None:
        check_payload(payload)
    with call.writing() as db:
        row = sessionrows.find(db, app, token.handle, for_change=True)
        if row is None or row.expires_at < now:
            return unauthorised(MISSING)
        stored = row.payload if payload is None else dump(payload)
        if payload is not None:
            db.change("UPDATE sessions SET jwt_payload = ? WHERE app = ? AND handle = ?", stored, app, token.handle)
    token = attrs.evolve(token, payload=json.loads(stored))
    answer: dict[str, Any] = {"status": "OK", "session": _session_json(token)}
    if live:
        answer["accessToken"] = _signed(call, token, static=row.static_key, now=now)
    return answer


ENDPOINTS = (
    Endpoint("POST", "/recipe/session", "tenant", create, concurrent=True),
    Endpoint("POST", "/recipe/session/verify", "app-tolerant", verify, concurrent=True),
    Endpoint("POST", "/recipe/session/refresh", "app-tolerant", refresh, concurrent=True),
    Endpoint("POST", "/recipe/session/regenerate", "app-tolerant", regenerate, concurrent=True),
)
