"""External user ids (CDI 1.5, semantics 3.15; ``useridmapping/UserIdMapping.java`` of the official core)."""

from __future__ import annotations

from typing import Any

import attrs

from . import usage
from .call import Call, Endpoint
from .fields import Answered, bad, trimmed
from .storage.database import Database
from .users import update_copies, user_exists

_KINDS = ("SUPERTOKENS", "EXTERNAL", "ANY")


@attrs.frozen
class IdMapping:
    """A SuperTokens id, the id that stands for it outside, and a note about that one."""

    user_id: str
    external_id: str
    info: str | None


def _find(db: Database, app: int, user_id: str, kind: str) -> IdMapping | None:
    """Return the mapping of an id; of any kind, the one that it is the SuperTokens id of goes first."""
    columns = {"SUPERTOKENS": ["user_id"], "EXTERNAL": ["external_user_id"]}.get(kind, ["user_id", "external_user_id"])
    for column in columns:
        row = db.first("user_id_mappings", "user_id, external_user_id, info", app=app, **{column: user_id})
        if row is not None:
            return IdMapping(*row)
    return None


def _column(db: Database, app: int, user_id: str, kind: str) -> str:
    """Return the column by which a mapping is changed; an id of any kind is a SuperTokens id when a user has it."""
    internal = kind == "SUPERTOKENS" or (kind == "ANY" and user_exists(db, app, user_id))
    return "user_id" if internal else "external_user_id"


def _kind(text: str | None) -> str:
    kind = "ANY" if text is None else trimmed(text)
    if kind not in _KINDS:
        raise bad("Field name 'userIdType' should be one of 'SUPERTOKENS', 'EXTERNAL' or 'ANY'")
    return kind


def _info(call: Call) -> str | None:
    info = call.body.text_or_null("externalUserIdInfo")
    if info is not None and not trimmed(info):
        raise bad("Field name 'externalUserIdInfo' cannot be an empty String")
    return info if info is None else trimmed(info)


def create(call: Call) -> dict[str, Any]:
    """``POST /recipe/userid/map``."""
    user_id = call.body.filled("superTokensUserId")
    external_id = call.body.filled("externalUserId")
    info = _info(call)
    force = call.body.flag_or_none("force") is True
    clash = _find(call.db, call.app, external_id, "EXTERNAL")
    if clash is not None:
        return _exists(internal=clash.user_id == user_id, external=True)
    if not user_exists(call.db, call.app, user_id):
        raise Answered("UNKNOWN_SUPERTOKENS_USER_ID_ERROR")
    if not force:
        _check_unused(call.db, call.app, user_id, external_id)
    row = {"user_id": user_id, "external_user_id": external_id, "info": info}
    created = call.db.insert_new("user_id_mappings", app=call.app, **row)
    update_copies(call.db, call.app, user_id, external_id)
    if not created:
        # What moved along stays with the external id, as on the official core.
        return _exists(internal=True, external=False)
    return {"status": "OK"}


def _exists(*, internal: bool, external: bool) -> dict[str, Any]:
    found = {"doesSuperTokensUserIdExist": internal, "doesExternalUserIdExist": external}
    return {"status": "USER_ID_MAPPING_ALREADY_EXISTS_ERROR", **found}


def _check_unused(db: Database, app: int, user_id: str, external_id: str) -> None:
    """Refuse a mapping that would hide what is kept under the SuperTokens id; verified emails move along instead."""
    if user_exists(db, app, external_id):
        raise bad("Cannot create a userId mapping where the externalId is also a SuperTokens userID")
    used = usage.recipes_using(db, app, user_id)
    if used == ["EmailVerification"]:
        db.change(
            "INSERT INTO verified_emails SELECT app, ?, email FROM verified_emails WHERE app = ? AND user_id = ?"
            " ON CONFLICT DO NOTHING",
            *(external_id, app, user_id),
        )
        db.delete("verified_emails", app=app, user_id=user_id)
        db.update("email_verification_tokens", {"user_id": external_id}, app=app, user_id=user_id)
    elif used:
        raise bad(f"UserId is already in use in {used[0]} recipe")


def get(call: Call) -> dict[str, Any]:
    """``GET /recipe/userid/map``."""
    user_id = call.query.filled("userId")
    kind = _kind(call.query.text_or_none("userIdType"))
    found = _find(call.db, call.app, user_id, kind)
    if found is None:
        raise Answered("UNKNOWN_MAPPING_ERROR")
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
    mapping = _find(call.db, call.app, user_id, "ANY")
    if mapping is None or _find(call.db, call.app, user_id, kind) is None:
        return {"status": "OK", "didMappingExist": False}
    column = _column(call.db, call.app, user_id, kind)
    if user_exists(call.db, call.app, mapping.external_id):
        column, user_id = "user_id", mapping.user_id
    elif not force:
        used = usage.recipes_using(call.db, call.app, mapping.external_id)
        if used:
            raise bad(f"UserId is already in use in {used[0]} recipe")
    gone = call.db.delete("user_id_mappings", app=call.app, **{column: user_id})
    update_copies(call.db, call.app, mapping.user_id)
    return {"status": "OK", "didMappingExist": gone > 0}


def put_info(call: Call) -> dict[str, Any]:
    """``PUT /recipe/userid/external-user-id-info``: set the note, or with null remove it."""
    user_id = call.body.filled("userId")
    kind = _kind(call.body.text_or_none("userIdType"))
    if "externalUserIdInfo" not in call.body:
        call.body.text("externalUserIdInfo")
    info = _info(call)
    column = _column(call.db, call.app, user_id, kind)
    changed = call.db.update("user_id_mappings", {"info": info}, app=call.app, **{column: user_id})
    return {"status": "OK" if changed else "UNKNOWN_MAPPING_ERROR"}


ENDPOINTS = (
    Endpoint("POST", "/recipe/userid/map", "app", create),
    Endpoint("GET", "/recipe/userid/map", "app-user", get),
    Endpoint("POST", "/recipe/userid/map/remove", "app-user", remove),
    Endpoint("PUT", "/recipe/userid/external-user-id-info", "app-user", put_info),
)
