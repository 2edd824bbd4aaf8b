"""User metadata (CDI 1.6, semantics 3.12)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .call import Call, Endpoint
from .fields import dump
from .storage.database import Database


def _find(db: Database, app: int, user_id: str) -> dict[str, Any]:
    text = db.value("SELECT metadata FROM user_metadata WHERE app = ? AND user_id = ?", app, user_id)
    found: dict[str, Any] = {} if text is None else json.loads(text)
    return found


def get(call: Call) -> dict[str, Any]:
    """``GET /recipe/user/metadata``: ``{}`` for a user without any."""
    user_id = call.query.text("userId")
    return {"status": "OK", "metadata": _find(call.db, call.app, user_id)}


def put(call: Call) -> dict[str, Any]:
    """``PUT /recipe/user/metadata``: merged at the top level, where null removes a key."""
    user_id = call.body.text("userId")
    update = call.body.object("metadataUpdate")
    stored = merge(call.db, call.app, user_id, update)
    return {"status": "OK", "metadata": json.loads(stored)}


def merge(db: Database, app: int, user_id: str, update: Mapping[str, Any]) -> str:
    """Merge *update* into a user's metadata; return what is stored then, as JSON."""
    merged = _find(db, app, user_id)
    for key, value in update.items():
        merged.pop(key, None)
        if value is not None:
            merged[key] = value
    stored = dump(merged)
    db.put("user_metadata", {"app": app, "user_id": user_id}, metadata=stored)
    return stored


def remove(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/metadata/remove``."""
    user_id = call.body.text("userId")
    call.db.delete("user_metadata", app=call.app, user_id=user_id)
    return {"status": "OK"}


def bulk(call: Call) -> dict[str, Any]:
    """``POST /recipe/user/metadata/bulk``: of up to 500 users, null for those without any."""
    user_ids = call.body.user_ids()
    with call.reading() as db:
        found = dict(db.of_many("user_id, metadata", "user_metadata", call.app, user_ids))
    users = [
        {"userId": user_id, "metadata": json.loads(found[user_id]) if user_id in found else None}
        for user_id in user_ids
    ]
    return {"status": "OK", "users": users}


ENDPOINTS = (
    Endpoint("GET", "/recipe/user/metadata", "app", get),
    Endpoint("PUT", "/recipe/user/metadata", "app", put),
    Endpoint("POST", "/recipe/user/metadata/remove", "app", remove),
    Endpoint("POST", "/recipe/user/metadata/bulk", "app", bulk),
)
