"""Finding and counting users (CDI 1.1, semantics 3.14)."""

from __future__ import annotations

import re
from typing import Any

from . import methods, signin
from .call import Call, Endpoint
from .fields import bad, page_start, page_token
from .methods import Identity
from .phones import normal_phone_or_none
from .storage.database import Database
from .storage.tables import DOMAIN, SEVERAL_ATS
from .users import external_id, internal_id, normal_email, user_exists, user_json, users_json
from .versions import ROTATING

PAGE_LIMIT = 500
_SEARCH_LIMIT = 1000

_RECIPES = (
    *("emailpassword", "thirdparty", "session", "emailverification", "jwt", "passwordless", "usermetadata"),
    *("userroles", "useridmapping", "dashboard", "totp", "multitenancy", "accountlinking", "mfa", "oauth"),
    *("webauthn", "saml"),
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
        if recipe.lower() not in _RECIPES:
            raise bad(f"Unknown recipe ID: {recipe}")
    return sorted({recipe.lower() for recipe in recipes})


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
    size = limit or 100
    start = None if token is None else page_start(token)
    if searching:
        ids = _search(call, tags, newest_first=newest_first)
        return {"status": "OK", "users": users_json(call.db, call.app, ids, call.version)}
    page = _page(call, start, size + 1, recipes, newest_first=newest_first)
    users = users_json(call.db, call.app, [row[1] for row in page[:size]], call.version)
    answer: dict[str, Any] = {"status": "OK", "users": users}
    if len(page) > size:
        joined, user_id = page[size]
        answer["nextPaginationToken"] = page_token(user_id, joined)
    return answer


def _page(
    call: Call,
    start: tuple[str, int] | None,
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
        values += [start[1], start[1], start[0]]
    if recipes:
        query += f" AND recipe_id IN ({', '.join('?' * len(recipes))})"
        values += recipes
    direction = "DESC" if newest_first else "ASC"
    query += f" ORDER BY group_time_joined {direction}, primary_user_id DESC LIMIT {size}"
    return call.db.rows(query, *values)


def _tags(call: Call, name: str) -> list[str]:
    return [tag.lower() for tag in call.query.listed(name, ";") or []]


def _search(call: Call, tags: dict[str, list[str]], *, newest_first: bool) -> list[str]:
    """Return the group ids of the users that the tags find; in a tag ``%`` and ``_`` stand for any letters or one."""
    given = [name for name, values in tags.items() if values]
    place = [call.app, call.here.tenant_id]
    ways = [way for tag in tags[given[0]] for way in _ways(given[0], tag, place)]
    rest, values = "", []
    if len(given) > 1:
        likes = [f"{_COLUMNS[given[1]]} LIKE ?"] * len(tags[given[1]])
        rest, values = f" AND ({' OR '.join(likes)})", [f"{tag}%" for tag in tags[given[1]]]
    found: set[tuple[int, str]] = set()
    for recipe in _SEARCHED.get(tuple(given), ()):
        # The conditions of the indexes, in their words.
        kind = "recipe_id = 'thirdparty'" if recipe == "thirdparty" else f"recipe_id = '{recipe}' AND {_NOT_PROVIDERS}"
        own: set[tuple[int, str]] = set()
        for condition, wanted in ways:
            query = (
                "SELECT DISTINCT group_time_joined, primary_user_id FROM method_tenants"
                f" WHERE app = ? AND tenant_id = ? AND {kind} AND {condition}{rest} LIMIT ?"
            )
            own.update(call.db.rows(query, *place, *wanted, *values, _SEARCH_LIMIT))
        found.update(sorted(own)[:_SEARCH_LIMIT])
    ordered = sorted(found, key=lambda row: row[1], reverse=True)
    ordered.sort(key=lambda row: row[0], reverse=newest_first)
    return [row[1] for row in ordered]


_NOT_PROVIDERS = "recipe_id <> 'thirdparty'"
_COLUMNS = {"email": "email", "phone": "phone_number", "provider": "third_party_id"}
_ACCOUNTS = """third_party_id IS NOT NULL AND third_party_id IN (WITH RECURSIVE names (name) AS (
    SELECT min(third_party_id) FROM method_tenants WHERE app = ? AND tenant_id = ? AND third_party_id IS NOT NULL
    UNION ALL SELECT (SELECT min(third_party_id) FROM method_tenants WHERE app = ? AND tenant_id = ?
    AND third_party_id > names.name) FROM names WHERE names.name IS NOT NULL)
    SELECT name FROM names WHERE name LIKE ?)"""
"""The accounts of providers whose names are like something. The names are few, and found one by one in an index."""


def _ways(name: str, tag: str, place: list[Any]) -> list[tuple[str, list[Any]]]:
    """
    Return the SQL conditions, each for another index, one of which holds for what a tag finds, and their values.

    A tag of an address matches from the start of the address, or from the start of its domain: behind any ``@``.
    """
    if name == "provider":
        return [(_ACCOUNTS, [*place, *place, f"{tag}%"])]
    # Until the first letter that LIKE reads in its own way, an index has the matches side by side.
    start = re.split("[%_]" if name == "email" else "[%_a-z]", tag)[0]
    side_by_side = "{0} >= ? AND {0} < ?".format
    limits = [start, start + chr(0x10FFFF)]
    if name == "phone":
        return [(f"{side_by_side('phone_number')} AND phone_number LIKE ?", [*limits, f"{tag}%"])]
    return [
        (f"{side_by_side('email')} AND email LIKE ?", [*limits, f"{tag}%"]),
        (f"{side_by_side(DOMAIN)} AND email LIKE ? AND email IS NOT NULL", [*limits, f"%@{tag}%"]),
        (f"{SEVERAL_ATS} AND email LIKE ?", [f"%@{tag}%"]),
    ]


def search_tags(call: Call) -> dict[str, Any]:
    """``GET /user/search/tags``."""
    return {"status": "OK", "tags": ["email", "phone", "provider"]}


def count_users(call: Call) -> dict[str, Any]:
    """``GET /users/count``: of a tenant, or with ``includeAllTenants=true`` of the app. Always exact."""
    recipes = _recipes(call)
    whole_app = call.query.flag("includeAllTenants", False)
    if whole_app:
        call.public_only()
    values: list[Any] = [call.app] if whole_app else [call.app, call.here.tenant_id]
    place = "app = ?" if whole_app else "app = ? AND tenant_id = ?"
    if recipes:
        place += f" AND recipe_id IN ({', '.join('?' * len(recipes))})"
        values += recipes
    found = _count_groups(call.db, place, values, several_tenants=whole_app)
    answer = {"status": "OK", "count": found}
    if call.version >= ROTATING and call.query.flag("allowApproximate", False):
        answer |= {"approximate": False, "asOf": call.now}
    return answer


def _count_groups(db: Database, place: str, values: list[Any], *, several_tenants: bool) -> int:
    """
    Count the groups that have a login method in a place.

    In one tenant nearly every group is alone and counts by its one row; only of linked login methods (an index has
    those) it is asked whether their group was counted already. Counting distinct ids would take longer.
    """
    if several_tenants:
        return int(db.value(f"SELECT count(DISTINCT primary_user_id) FROM method_tenants WHERE {place}", *values))
    query = (
        f"SELECT (SELECT count(*) FROM method_tenants WHERE {place} AND user_id = primary_user_id)"
        f" + (SELECT count(DISTINCT linked.primary_user_id) FROM"
        f" (SELECT primary_user_id FROM method_tenants WHERE {place} AND user_id <> primary_user_id) AS linked"
        f" WHERE NOT EXISTS (SELECT 1 FROM method_tenants WHERE {place} AND user_id = linked.primary_user_id))"
    )
    return int(db.value(query, *values, *values, *values))


def count_active(call: Call) -> dict[str, Any]:
    """``GET /users/count/active``: how many users of the app were active since a time (milliseconds)."""
    since = call.query.long("since")
    if since < 0:
        raise bad("'since' query parameter must be >= 0")
    query = "SELECT count(*) FROM last_active WHERE app = ? AND last_active >= ?"
    return {"status": "OK", "count": call.db.value(query, call.app, since)}


def by_id(call: Call) -> dict[str, Any]:
    """``GET /user/id``: by any id of the user."""
    user_id = call.query.text("userId")
    user_id = internal_id(call.db, call.app, user_id)
    user = user_json(call.db, call.app, user_id, call.version) if user_exists(call.db, call.app, user_id) else None
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
    wanted = [
        Identity(email=None if email is None else normal_email(email)),
        Identity(phone_number=normal_phone_or_none(phone)),
        Identity(None, None, *third_party),
    ]
    asked = [identity for identity in wanted if identity != Identity()]
    groups = dict.fromkeys(group for one in asked for group in methods.groups_in_tenant(call.db, call.here, one))
    owners = [] if credential is None else methods.groups_by_credential(call.db, call.app, credential)
    users = users_json(call.db, call.app, list(groups | dict.fromkeys(owners)), call.version)
    names = {external_id(call.db, call.app, group) for group in owners}
    if union == "false":
        # What the tenant does not know a user by counts here too, when it belongs to the same user.
        users = [
            user
            for user in users
            if all(any(signin.has(own, one) for own in user["loginMethods"]) for one in asked)
            and (credential is None or user["id"] in names)
        ]
    return {"status": "OK", "users": sorted(users, key=lambda user: int(user["timeJoined"]))}


ENDPOINTS = (
    Endpoint("GET", "/users", "tenant", list_users),
    Endpoint("GET", "/users/count", "tenant", count_users),
    Endpoint("GET", "/users/count/active", "app", count_active),
    Endpoint("GET", "/user/id", "app", by_id),
    Endpoint("GET", "/users/by-accountinfo", "tenant", by_account_info),
    Endpoint("GET", "/user/search/tags", "special", search_tags),
)
