"""Finding and counting users (CDI 1.1, semantics 3.14)."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from typing import Any

from .call import Call, Endpoint
from .fields import bad, dump
from .users import internal_id, normal_email, user_exists, user_json, users_json
from .versions import ROTATING

PAGE_LIMIT = 500
_SEARCH_LIMIT = 1000

_RECIPES = (
    "emailpassword",
    "thirdparty",
    "session",
    "emailverification",
    "jwt",
    "passwordless",
    "usermetadata",
    "userroles",
    "useridmapping",
    "dashboard",
    "totp",
    "multitenancy",
    "accountlinking",
    "mfa",
    "oauth",
    "webauthn",
    "saml",
)
"""Every name that ``includeRecipeIds`` takes (``RECIPE_ID`` of the official plugin interface)."""

_SEARCHED = {
    ("email",): ("emailpassword", "thirdparty", "passwordless", "webauthn"),
    ("phone",): ("passwordless",),
    ("provider",): ("thirdparty",),
    ("email", "phone"): ("passwordless",),
    ("email", "provider"): ("thirdparty",),
}
"""The recipes that a combination of search tags looks at; other combinations find nothing."""


def _recipes(call: Call) -> list[str]:
    recipes = call.query.listed("includeRecipeIds") or []
    for recipe in recipes:
        if recipe not in _RECIPES:
            raise bad(f"Unknown recipe ID: {recipe}")
    return recipes


def list_users(call: Call) -> dict[str, Any]:
    """``GET /users``: a page of a tenant's users, or all (up to 1000 a recipe) that search tags find."""
    recipes = _recipes(call)
    call.admit()
    token = call.query.text_or_none("paginationToken")
    limit = call.query.int_or_none("limit")
    order = call.query.text_or_none("timeJoinedOrder")
    if order not in (None, "ASC", "DESC"):
        raise bad("timeJoinedOrder can be either ASC OR DESC")
    tags = {name: _tags(call, name) for name in ("email", "phone", "provider")}
    searching = any(tags.values())
    if limit is not None and limit > PAGE_LIMIT and not searching:
        raise bad(f"max limit allowed is {PAGE_LIMIT}")
    if limit is not None and limit < 1:
        raise bad("limit must a positive integer with min value 1")
    newest_first = order == "DESC"
    if searching:
        with call.read() as db:
            ids = _search(call, db, tags, recipes, newest_first=newest_first)
            return {"status": "OK", "users": users_json(db, call.app, ids, call.version)}
    size = limit or 100
    start = None if token is None else _start(token)
    with call.read() as db:
        page = _page(call, db, start, size + 1, recipes, newest_first=newest_first)
        users = users_json(db, call.app, [row[1] for row in page[:size]], call.version)
    answer: dict[str, Any] = {"status": "OK", "users": users}
    if len(page) > size:
        joined, user_id = page[size]
        answer["nextPaginationToken"] = base64.b64encode(f"{user_id};{joined}".encode()).decode()
    return answer


def _start(token: str) -> tuple[int, str]:
    try:
        user_id, joined = base64.b64decode(token, validate=True).decode().split(";")
        start = int(joined), user_id
    except (binascii.Error, ValueError):
        raise bad("invalid pagination token") from None
    if not -(2**63) <= start[0] < 2**63:
        raise bad("invalid pagination token")
    return start


def _page(
    call: Call,
    db: sqlite3.Connection,
    start: tuple[int, str] | None,
    size: int,
    recipes: list[str],
    *,
    newest_first: bool,
) -> list[tuple[int, str]]:
    """Return time joined and group id of a page's users, straight from an index."""
    query = "SELECT DISTINCT group_time_joined, primary_user_id FROM method_tenants WHERE app = ? AND tenant_id = ?"
    values: list[Any] = [call.app, call.here.tenant_id]
    if start is not None:
        later, joined = ("<", "<=") if newest_first else (">", ">=")
        query += f" AND group_time_joined {joined} ? AND (group_time_joined {later} ? OR primary_user_id <= ?)"
        values += [start[0], start[0], start[1]]
    if recipes:
        query += " AND recipe_id IN (SELECT value FROM json_each(?))"
        values.append(dump(recipes))
    direction = "DESC" if newest_first else "ASC"
    query += f" ORDER BY group_time_joined {direction}, primary_user_id DESC LIMIT ?"
    return db.execute(query, (*values, size)).fetchall()


def _tags(call: Call, name: str) -> list[str]:
    return [tag.lower() for tag in call.query.listed(name, ";") or []]


def _search(
    call: Call, db: sqlite3.Connection, tags: dict[str, list[str]], recipes: list[str], *, newest_first: bool
) -> list[str]:
    """Return the group ids of the users that the tags find."""
    given = tuple(name for name, values in tags.items() if values)
    conditions = ["app = ?", "tenant_id = ?", "recipe_id = ?"]
    values: list[Any] = []
    if tags["email"]:
        # A tag of an address matches from its start, or from the start of its domain.
        conditions.append("(" + " OR ".join(["email LIKE ? ESCAPE '\\'"] * 2 * len(tags["email"])) + ")")
        for tag in tags["email"]:
            values += [f"{_literal(tag)}%", f"%@{_literal(tag)}%"]
    for name, column in (("phone", "phone_number"), ("provider", "third_party_id")):
        if tags[name]:
            conditions.append("(" + " OR ".join([f"{column} LIKE ? ESCAPE '\\'"] * len(tags[name])) + ")")
            values += [f"{_literal(tag)}%" for tag in tags[name]]
    found: set[tuple[int, str]] = set()
    for recipe in _SEARCHED.get(given, ()):
        if recipes and recipe not in recipes:
            continue
        found.update(
            db.execute(
                "SELECT DISTINCT group_time_joined, primary_user_id FROM method_tenants"
                f" WHERE {' AND '.join(conditions)} LIMIT {_SEARCH_LIMIT}",
                (call.app, call.here.tenant_id, recipe, *values),
            )
        )
    ordered = sorted(found, key=lambda row: row[1], reverse=True)
    ordered.sort(key=lambda row: row[0], reverse=newest_first)
    return [row[1] for row in ordered]


def _literal(tag: str) -> str:
    return tag.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def search_tags(call: Call) -> dict[str, Any]:
    """``GET /user/search/tags``."""
    return {"status": "OK", "tags": ["email", "phone", "provider"]}


def count_users(call: Call) -> dict[str, Any]:
    """``GET /users/count``: of a tenant, or with ``includeAllTenants=true`` of the app. Always exact."""
    recipes = _recipes(call)
    whole_app = call.query.flag("includeAllTenants", False)
    if whole_app:
        call.public_only()
    place, values = "app = ? AND tenant_id = ?", [call.app, call.here.tenant_id]
    if whole_app:
        place, values = "app = ?", [call.app]
    if recipes:
        place += " AND recipe_id IN (SELECT value FROM json_each(?))"
        values.append(dump(recipes))
    with call.read() as db:
        found = _count_groups(db, "login_methods" if whole_app else "method_tenants", place, values)
    answer = {"status": "OK", "count": found}
    if call.version >= ROTATING and call.query.flag("allowApproximate", False):
        answer |= {"approximate": False, "asOf": call.now}
    return answer


def _count_groups(db: sqlite3.Connection, table: str, place: str, values: list[Any]) -> int:
    """
    Count the groups that have a login method in a place.

    Nearly every group is alone and counts by its one row; only of linked login methods (an index has those) it is asked
    whether their group was counted already. Counting distinct ids would take ten times as long.
    """
    row = db.execute(
        f"SELECT (SELECT count(*) FROM {table} WHERE {place} AND user_id = primary_user_id)"
        f" + (SELECT count(DISTINCT linked.primary_user_id) FROM"
        f" (SELECT primary_user_id FROM {table} WHERE {place} AND user_id <> primary_user_id) AS linked"
        f" WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {place} AND user_id = linked.primary_user_id))",
        (*values, *values, *values),
    ).fetchone()
    return int(row[0])


def count_active(call: Call) -> dict[str, Any]:
    """``GET /users/count/active``: how many users of the app were active since a time (milliseconds)."""
    since = call.query.long("since")
    if since < 0:
        raise bad("'since' query parameter must be >= 0")
    with call.read() as db:
        row = db.execute(
            "SELECT count(*) FROM last_active WHERE app = ? AND last_active >= ?", (call.app, since)
        ).fetchone()
    return {"status": "OK", "count": row[0]}


def by_id(call: Call) -> dict[str, Any]:
    """``GET /user/id``: by any id of the user."""
    user_id = call.query.text("userId")
    with call.read() as db:
        user_id = internal_id(db, call.app, user_id)
        user = user_json(db, call.app, user_id, call.version) if user_exists(db, call.app, user_id) else None
    return {"status": "UNKNOWN_USER_ID_ERROR"} if user is None else {"status": "OK", "user": user}


def by_account_info(call: Call) -> dict[str, Any]:
    """``GET /users/by-accountinfo``: a tenant's users with all of the given identities, or with any of them."""
    query = call.query
    email, phone = query.text_or_none("email"), query.text_or_none("phoneNumber")
    third_party = query.text_or_none("thirdPartyId"), query.text_or_none("thirdPartyUserId")
    credential = query.text_or_none("webauthnCredentialId")
    union = query.text("doUnionOfAccountInfo")
    if union not in ("true", "false"):
        raise bad("'doUnionOfAccountInfo' should be either 'true' or 'false'")
    if (third_party[0] is None) != (third_party[1] is None):
        raise bad("If 'thirdPartyId' is provided, 'thirdPartyUserId' must also be provided, and vice versa")
    wanted: list[tuple[str, tuple[str | None, ...]]] = []
    if email is not None:
        wanted.append(("email = ?", (normal_email(email),)))
    if phone is not None:
        wanted.append(("phone_number = ?", (phone.strip(),)))
    if third_party[0] is not None:
        wanted.append(("third_party_id = ? AND third_party_user_id = ?", third_party))
    with call.read() as db:
        found = [
            {
                row[0]
                for row in db.execute(
                    f"SELECT primary_user_id FROM method_tenants WHERE app = ? AND tenant_id = ? AND {condition}",
                    (call.app, call.here.tenant_id, *values),
                )
            }
            for condition, values in wanted
        ]
        if credential is not None:
            found.append(set())
        ids = set.union(*found) if found and union == "true" else set.intersection(*found) if found else set()
        users = users_json(db, call.app, list(ids), call.version)
    return {"status": "OK", "users": sorted(users, key=lambda user: user["timeJoined"])}


ENDPOINTS = (
    Endpoint("GET", "/users", "tenant", list_users),
    Endpoint("GET", "/users/count", "tenant", count_users),
    Endpoint("GET", "/users/count/active", "app", count_active),
    Endpoint("GET", "/user/id", "app", by_id),
    Endpoint("GET", "/users/by-accountinfo", "tenant", by_account_info),
    Endpoint("GET", "/user/search/tags", "special", search_tags),
)
