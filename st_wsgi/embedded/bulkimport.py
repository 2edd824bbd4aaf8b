"""
Bulk import (CDI 5.3; ``bulkimport/BulkImport.java`` of the official core).

Users wait in a queue until the core has stored them. Who is stored is not in the queue any more; who cannot be stays
there, with the reason. A plain password is kept, and shown, until then.
"""

from __future__ import annotations

import json
from typing import Any

from .bulkusers import BulkReader, UserRefused, primary_method
from .call import Call, Endpoint
from .fields import bad, dump, page_start, page_token
from .users import user_json

_MOST_ADDED = 10_000
_MOST_REMOVED = 500
_PAGE_LIMIT = 500
_STATUSES = ("NEW", "PROCESSING", "FAILED")


def _status(call: Call) -> str | None:
    status = call.query.text_or_none("status")
    if status is not None and status not in _STATUSES:
        raise bad("Invalid value for status. Pass one of NEW, PROCESSING, or FAILED!")
    return status


def _reader(call: Call, *, stored: bool = False) -> BulkReader:
    with call.reading() as db:
        return BulkReader(db, call.here, call.services.passwords, call.now, stored=stored)


def add(call: Call) -> dict[str, Any]:
    """``POST /bulk-import/users``: up to 10,000 users, all of them or, when one is not in order, none."""
    given = call.body.array("users")
    if not given:
        return {"status": "OK"}
    if len(given) > _MOST_ADDED:
        raise bad(dump({"error": f"You can only add {_MOST_ADDED} users at a time."}))
    if not all(isinstance(one, dict) for one in given):
        raise bad("Field name 'users' is invalid in JSON input")
    now, reader = call.now, _reader(call)
    users, refused = [], []
    for index, one in enumerate(given):
        try:
            users.append(reader.read(one))
        except UserRefused as error:
            refused.append({"index": index, "errors": list(error.errors)})
    if refused:
        problem = "Data has missing or invalid fields. Please check the users field for more details."
        raise bad(dump({"error": problem, "users": refused}))
    ids = [primary_method(user)["superTokensUserId"] for user in users]
    rows = [{"id": user_id, "content": dump(user)} for user_id, user in zip(ids, users, strict=True)]
    with call.writing() as db:
        for row in rows:
            db.insert("bulk_import_users", app=call.app, **row, status="NEW", created_at=now, updated_at=now)
    call.services.imports.wake()
    return {"status": "OK", "users": list(map(_added, users))}


def _added(user: dict[str, Any]) -> dict[str, Any]:
    """Return a user as the answer to adding them shows them."""
    methods = []
    for method in user["loginMethods"]:
        own: dict[str, Any] = {"recipeId": method["recipeId"], "userId": method["superTokensUserId"]}
        own.update(tenants=method["tenantIds"], email=method.get("email"))
        if own["recipeId"] == "passwordless":
            own["phoneNumber"] = method.get("phoneNumber")
        elif own["recipeId"] == "thirdparty":
            own.update(thirdpartyId=method["thirdPartyId"], thirdpartyUserId=method["thirdPartyUserId"])
        methods.append(own)
    user_id = user.get("externalUserId", primary_method(user)["superTokensUserId"])
    return {"userId": user_id, "loginMethods": methods}


def listed(call: Call) -> dict[str, Any]:
    """``GET /bulk-import/users``: a page of those in the queue, the newest first."""
    token, limit = call.query.text_or_none("paginationToken"), call.query.int_or_none("limit")
    if limit is not None and limit > _PAGE_LIMIT:
        raise bad(f"Max limit allowed is {_PAGE_LIMIT}")
    if limit is not None and limit < 1:
        raise bad("limit must a positive integer with min value 1")
    size = limit or 100
    status = _status(call)
    call.admit()
    query = "SELECT id, content, status, error_message, created_at, updated_at FROM bulk_import_users WHERE app = ?"
    values: list[Any] = [call.app]
    if status is not None:
        query, values = f"{query} AND status = ?", [*values, status]
    if token is not None:
        user_id, created_at = page_start(token)
        query = f"{query} AND created_at <= ? AND (created_at < ? OR id <= ?)"
        values += [created_at, created_at, user_id]
    with call.reading() as db:
        rows = db.rows(f"{query} ORDER BY created_at DESC, id DESC LIMIT ?", *values, size + 1)
    call.services.imports.wake()
    answer: dict[str, Any] = {"status": "OK", "users": [_shown(row) for row in rows[:size]]}
    if len(rows) > size:
        user_id, *_, created_at, _ = rows[size]
        answer["nextPaginationToken"] = page_token(user_id, created_at)
    return answer


def _shown(row: tuple[Any, ...]) -> dict[str, Any]:
    user_id, text, status, problem, created_at, updated_at = row
    shown = {"id": user_id, **json.loads(text), "status": status, "createdAt": created_at, "updatedAt": updated_at}
    return shown if problem is None else {**shown, "errorMessage": problem}


def count(call: Call) -> dict[str, Any]:
    """``GET /bulk-import/users/count``: how many are in the queue."""
    status = _status(call)
    call.admit()
    statuses = _STATUSES if status is None else (status,)
    with call.reading() as db:
        counts = [db.first("bulk_import_users", "count(*)", app=call.app, status=one) for one in statuses]
    call.services.imports.wake()
    return {"status": "OK", "count": sum(number for (number,) in counts)}


def remove(call: Call) -> dict[str, Any]:
    """``POST /bulk-import/users/remove``: take users out of the queue."""
    given = call.body.array("ids")
    if not given:
        return {"deletedIds": [], "invalidIds": []}
    if len(given) > _MOST_REMOVED:
        raise bad(f"Field name 'ids' cannot contain more than {_MOST_REMOVED} elements")
    ids = call.body.texts("ids")
    if "" in ids:
        raise bad("Field name 'ids' cannot contain an empty string")
    found: dict[bool, list[str]] = {True: [], False: []}
    for one in ids:
        found[call.db.delete("bulk_import_users", app=call.app, id=one) > 0].append(one)
    return {"deletedIds": found[True], "invalidIds": found[False]}


def import_now(call: Call) -> dict[str, Any]:
    """``POST /bulk-import/import``: one user, stored at once."""
    reader = _reader(call)
    try:
        user = reader.read(call.body.values)
        hashed = reader.hash_passwords(user)
        with call.writing() as db:
            again = _reader(call, stored=True)  # roles and tenants may have changed meanwhile
            again.store(db, again.read(user), hashed)
            answer = user_json(db, call.app, primary_method(user)["superTokensUserId"], call.version)
    except UserRefused as error:
        raise bad(dump({"errors": list(error.errors)})) from None
    return {"status": "OK", "user": answer}


ENDPOINTS = (
    Endpoint("GET", "/bulk-import/users", "app", listed),
    Endpoint("POST", "/bulk-import/users", "app", add),
    Endpoint("GET", "/bulk-import/users/count", "app", count),
    Endpoint("POST", "/bulk-import/users/remove", "app", remove),
    Endpoint("POST", "/bulk-import/import", "app", import_now),
)
