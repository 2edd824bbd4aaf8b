"""External user ids (CDI 1.5, semantics 3.15; ``useridmapping/UserIdMapping.java`` of the official core)."""

from __future__ import annotations

import sqlite3
from typing import Any

import attrs

from . import usage
from .call import Call, Endpoint
from .fields import bad
from .users import ID_LIMIT, user_exists

_KINDS = ("SUPERTOKENS", "EXTERNAL", "ANY")


@attrs.frozen
class IdMapping:
    """A SuperTokens id, the id that stands for it outside, and a note about that one."""

    user_id: str
    external_id: str
    info: str | None


def _find(db: sqlite3.Connection, app: int, user_id: str, kind: str) -> IdMapping | None:
    if kind != "EXTERNAL" and (kind == "SUPERTOKENS" or user_exists(db, app, user_id)):
        column = "user_id"
    else:
        column = "external_user_id"
    row = db.execute(
        f"SELECT user_id, external_user_id, info FROM user_id_mappings WHERE app = ? AND {column} = ?", (app, user_id)
    ).fetchone()
    return None if row is None else IdMapping(*row)


def _kind(text: str | None) -> str:
    kind = "ANY" if text is None else text.strip()
    if kind not in _KINDS:
        raise bad("Field name 'userIdType' should be one of 'SUPERTOKENS', 'EXTERNAL' or 'ANY'")
    return kind


def _info(call: Call) -> str | None:
    info = call.body.text_or_null("externalUserIdInfo")
    if info is not None and not info.strip():
        raise bad("Field name 'externalUserIdInfo' cannot be an empty String")
    return info if info is None else info.strip()


def create(call: Call) -> dict[str, Any]:
    """``POST /recipe/userid/map``."""
    user_id = call.body.filled("superTokensUserId")
    external_id = call.body.filled("externalUserId", limit=ID_LIMIT)
    info = _info(call)
    force = call.body.flag_or_none("force") is True
    with call.write() as db:
        clash = _find(db, call.app, external_id, "EXTERNAL")
        known = user_exists(db, call.app, user_id)
        if clash is None and not known:
            return {"status": "UNKNOWN_SUPERTOKENS_USER_ID_ERROR"}
        own = _find(db, call.app, user_id, "SUPERTOKENS")
        if clash is not None or own is not None:
            return {
                "status": "USER_ID_MAPPING_ALREADY_EXISTS_ERROR",
                "doesSuperTokensUserIdExist": own is not None,
                "doesExternalUserIdExist": clash is not None,
            }
        if not force:
            _check_unused(db, call.app, user_id, external_id)
        db.execute("INSERT INTO user_id_mappings VALUES (?, ?, ?, ?)", (call.app, user_id, external_id, info))
    return {"status": "OK"}


def _check_unused(db: sqlite3.Connection, app: int, user_id: str, external_id: str) -> None:
    """Refuse a mapping that would hide what is kept under the SuperTokens id; verified emails move along instead."""
    if user_exists(db, app, external_id):
        raise bad("Cannot create a userId mapping where the externalId is also a SuperTokens userID")
    used = usage.recipes_using(db, app, user_id)
    if used == ["EmailVerification"]:
        for table in ("verified_emails", "email_verification_tokens"):
            db.execute(
                f"UPDATE OR REPLACE {table} SET user_id = ? WHERE app = ? AND user_id = ?", (external_id, app, user_id)
            )
    elif used:
        raise bad(f"UserId is already in use in {used[0]} recipe")


def get(call: Call) -> dict[str, Any]:
    """``GET /recipe/userid/map``."""
    user_id = call.query.filled("userId")
    kind = _kind(call.query.text_or_none("userIdType"))
    with call.read() as db:
        found = _find(db, call.app, user_id, kind)
    if found is None:
        return {"status": "UNKNOWN_MAPPING_ERROR"}
    return {
        "status": "OK",
        "superTokensUserId": found.user_id,
        "externalUserId": found.external_id,
        **({} if found.info is None else {"externalUserIdInfo": found.info}),
    }


def remove(call: Call) -> dict[str, Any]:
    """``POST /recipe/userid/map/remove``."""
    user_id = call.body.filled("userId")
    kind = _kind(call.body.text_or_none("userIdType"))
    force = call.body.flag_or_none("force") is True
    with call.write() as db:
        found = _find(db, call.app, user_id, kind)
        if found is None:
            return {"status": "OK", "didMappingExist": False}
        if not force and not user_exists(db, call.app, found.external_id):
            used = usage.recipes_using(db, call.app, found.external_id)
            if used:
                raise bad(f"UserId is already in use in {used[0]} recipe")
        db.execute("DELETE FROM user_id_mappings WHERE app = ? AND user_id = ?", (call.app, found.user_id))
    return {"status": "OK", "didMappingExist": True}


def put_info(call: Call) -> dict[str, Any]:
    """``PUT /recipe/userid/external-user-id-info``: set the note, or with null remove it."""
    user_id = call.body.filled("userId")
    kind = _kind(call.body.text_or_none("userIdType"))
    if "externalUserIdInfo" not in call.body:
        call.body.text("externalUserIdInfo")
    info = _info(call)
    with call.write() as db:
        found = _find(db, call.app, user_id, kind)
        if found is None:
            return {"status": "UNKNOWN_MAPPING_ERROR"}
        db.execute(
            "UPDATE user_id_mappings SET info = ? WHERE app = ? AND user_id = ?", (info, call.app, found.user_id)
        )
    return {"status": "OK"}


ENDPOINTS = (
    Endpoint("POST", "/recipe/userid/map", "app", create),
    Endpoint("GET", "/recipe/userid/map", "app", get),
    Endpoint("POST", "/recipe/userid/map/remove", "app", remove),
    Endpoint("PUT", "/recipe/userid/external-user-id-info", "app", put_info),
)
