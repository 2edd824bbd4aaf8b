"""Deleting users (CDI 3.7; ``authRecipe/AuthRecipe.java`` of the official core)."""

from __future__ import annotations

import sqlite3
from typing import Any

from . import methods, usage
from .call import Call, Endpoint
from .users import external_id, internal_id, primary_id, user_exists


def remove(call: Call) -> dict[str, Any]:
    """``POST /user/remove``: a whole user, or one login method of it. Unknown ids are fine."""
    user_id = call.body.text("userId")
    everything = call.body.flag_or_none("removeAllLinkedAccounts") is not False
    with call.write() as db:
        delete_user(db, call.app, user_id, everything=everything)
    return {"status": "OK"}


def delete_user(db: sqlite3.Connection, app: int, user_id: str, *, everything: bool) -> None:
    """Delete the user with *user_id* (any id of it), or with *everything* false only that login method."""
    user_id = internal_id(db, app, user_id)
    if not user_exists(db, app, user_id):
        return
    if not everything:
        _delete_method(db, app, user_id)
        return
    for method in methods.of_group(db, app, primary_id(db, app, user_id)):
        _delete_method(db, app, method.user_id)


def _delete_method(db: sqlite3.Connection, app: int, user_id: str) -> None:
    """
    Delete one login method.

    The id of a group outlives its own login method as long as others are in the group, with all that is kept under it.
    """
    group = primary_id(db, app, user_id)
    for table in ("login_methods", "method_tenants", "password_reset_tokens"):
        db.execute(f"DELETE FROM {table} WHERE app = ? AND user_id = ?", (app, user_id))
    if methods.of_group(db, app, group):
        methods.update_group_time(db, app, group)
        if user_id != group:
            _forget(db, app, user_id)
        return
    _forget(db, app, user_id)
    if user_id != group:
        _forget(db, app, group)


def _forget(db: sqlite3.Connection, app: int, user_id: str) -> None:
    """Remove what is kept about an id that is no user any more, and its mapping."""
    name = external_id(db, app, user_id)
    if name == user_id or not user_exists(db, app, name):
        # While users move between systems an external id may be another user of this core; what is his stays.
        usage.wipe(db, app, name)
    db.execute("DELETE FROM user_id_mappings WHERE app = ? AND user_id = ?", (app, user_id))
    db.execute("DELETE FROM last_active WHERE app = ? AND user_id = ?", (app, user_id))


ENDPOINTS = (Endpoint("POST", "/user/remove", "app", remove),)
