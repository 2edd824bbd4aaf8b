"""Deleting users (CDI 3.7; ``authRecipe/AuthRecipe.java`` of the official core)."""

from __future__ import annotations

from typing import Any

from . import methods, usage
from .call import Call, Endpoint
from .storage.database import Database
from .users import external_id, internal_id, primary_id, user_exists


def remove(call: Call) -> dict[str, Any]:
    """``POST /user/remove``: a whole user, or one login method of it. Unknown ids are fine."""
    user_id = call.body.text("userId")
    everything = call.body.flag_or_none("removeAllLinkedAccounts") is not False
    # While users move between systems, the id of one may be the external id of another. Here it means its owner.
    if not user_exists(call.db, call.app, user_id):
        user_id = internal_id(call.db, call.app, user_id)
    group = methods.of_group(call.db, call.app, primary_id(call.db, call.app, user_id))
    if everything:
        for method in group:
            delete_method(call.db, call.app, method.user_id)
    elif group:
        # The id of a group whose own login method is gone means the last one that is left.
        delete_method(call.db, call.app, group[0].user_id if len(group) == 1 else user_id)
    return {"status": "OK"}


def delete_method(db: Database, app: int, user_id: str) -> None:
    """
    Delete one login method, and what is kept about its id.

    The id of a group outlives its own login method as long as others are in the group, with all that is kept under it.
    """
    group = primary_id(db, app, user_id)
    alone = len(methods.of_group(db, app, group)) == 1
    name = external_id(db, app, user_id)
    # What is kept under an id that two users have stays with the other one.
    kept_for_other = internal_id(db, app, user_id) != user_id if name == user_id else user_exists(db, app, name)
    known = user_exists(db, app, user_id)
    methods.delete(db, app, user_id)
    if user_id != group or alone:
        if not kept_for_other:
            usage.wipe(db, app, name)
        _forget(db, app, user_id)
        if user_id != group and alone:
            usage.wipe(db, app, external_id(db, app, group))
            _forget(db, app, group)
    elif known:
        db.insert_new("retired_ids", app=app, user_id=user_id)


def _forget(db: Database, app: int, user_id: str) -> None:
    """Remove an id that is no user any more, with its mapping."""
    for table in ("retired_ids", "user_id_mappings"):
        db.delete(table, app=app, user_id=user_id)


ENDPOINTS = (Endpoint("POST", "/user/remove", "app-user", remove),)
