"""
Users: who they are, as JSON, and what belongs to them (CDI 3.1).

A user is a group of login methods with one primary id; without account linking a group of one. Ids that leave the core
are external ids where a mapping exists.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from .fields import dump

EMAIL_LIMIT = 256
ID_LIMIT = 128


def normal_email(email: str) -> str:
    """Return the one spelling under which an email is stored and found."""
    return email.strip().lower()


def internal_id(db: sqlite3.Connection, app: int, user_id: str) -> str:
    """Return the SuperTokens id that *user_id* stands for: itself if it is one, else the one mapped to it."""
    if user_exists(db, app, user_id):
        return user_id
    row = db.execute(
        "SELECT user_id FROM user_id_mappings WHERE app = ? AND external_user_id = ?", (app, user_id)
    ).fetchone()
    return user_id if row is None else str(row[0])


def user_exists(db: sqlite3.Connection, app: int, user_id: str) -> bool:
    """Tell whether *user_id* is a SuperTokens id: of a login method, or of a group whose first method is gone."""
    row = db.execute(
        "SELECT 1 FROM login_methods WHERE app = ? AND user_id = ?"
        " UNION ALL SELECT 1 FROM login_methods WHERE app = ? AND primary_user_id = ? LIMIT 1",
        (app, user_id, app, user_id),
    ).fetchone()
    return row is not None


def external_id(db: sqlite3.Connection, app: int, user_id: str) -> str:
    """Return the id under which *user_id* leaves the core."""
    row = db.execute(
        "SELECT external_user_id FROM user_id_mappings WHERE app = ? AND user_id = ?", (app, user_id)
    ).fetchone()
    return user_id if row is None else str(row[0])


def primary_id(db: sqlite3.Connection, app: int, user_id: str) -> str:
    """Return the id of the group that the login method *user_id* belongs to; *user_id* itself when there is none."""
    row = db.execute(
        "SELECT primary_user_id FROM login_methods WHERE app = ? AND user_id = ?", (app, user_id)
    ).fetchone()
    return user_id if row is None else str(row[0])


def ids_for_session(db: sqlite3.Connection, app: int, user_id: str) -> tuple[str, str]:
    """Return the user id and the recipe user id that a session of *user_id* (any id, of nobody too) reports."""
    recipe_id = internal_id(db, app, user_id)
    group = primary_id(db, app, recipe_id)
    own = external_id(db, app, recipe_id)
    return (own if group == recipe_id else external_id(db, app, group)), own


def touch(db: sqlite3.Connection, app: int, user_id: str, now: int) -> None:
    """Note that a user (SuperTokens id) was active."""
    db.execute(
        "INSERT INTO last_active VALUES (?, ?, ?) ON CONFLICT (app, user_id) DO UPDATE"
        " SET last_active = excluded.last_active",
        (app, user_id, now),
    )


def user_json(
    db: sqlite3.Connection, app: int, user_id: str, version: tuple[int, ...] = (5, 4)
) -> dict[str, Any] | None:
    """Return the user that *user_id* (SuperTokens id of a method or group) belongs to, None when there is none."""
    found = users_json(db, app, [primary_id(db, app, user_id)], version)
    return found[0] if found else None


def users_json(
    db: sqlite3.Connection, app: int, primary_ids: Sequence[str], version: tuple[int, ...] = (5, 4)
) -> list[dict[str, Any]]:
    """Return users by the ids of their groups, in that order; ids without a user are left out."""
    wanted = (dump(primary_ids), app)
    methods = db.execute(
        "SELECT user_id, primary_user_id, recipe_id, linked, time_joined, email, phone_number, third_party_id,"
        " third_party_user_id FROM json_each(?) AS wanted"
        " CROSS JOIN login_methods ON app = ? AND primary_user_id = wanted.value",
        wanted,
    ).fetchall()
    methods.sort(key=lambda row: (row[4], row[0]))
    if not methods:
        return []
    tenants: dict[str, list[str]] = {}
    for user_id, tenant_id in db.execute(
        "SELECT user_id, tenant_id FROM json_each(?) AS wanted"
        " CROSS JOIN method_tenants ON app = ? AND primary_user_id = wanted.value",
        wanted,
    ):
        tenants.setdefault(user_id, []).append(tenant_id)
    external = external_ids(db, app, {row[0] for row in methods} | {row[1] for row in methods})
    verified = _verified(db, app, [(row[0], external.get(row[0]), row[5]) for row in methods if row[5] is not None])
    groups: dict[str, dict[str, Any]] = {}
    for user_id, group_id, recipe, linked, joined, email, phone, third_party_id, third_party_user_id in methods:
        method: dict[str, Any] = {
            "tenantIds": sorted(tenants.get(user_id, ())),
            "recipeUserId": external.get(user_id, user_id),
            "verified": (user_id, email) in verified if email is not None else phone is not None,
            "timeJoined": joined,
            "recipeId": recipe,
        }
        if email is not None:
            method["email"] = email
        if phone is not None:
            method["phoneNumber"] = phone
        if third_party_id is not None:
            method["thirdParty"] = {"id": third_party_id, "userId": third_party_user_id}
        group = groups.get(group_id)
        if group is None:
            group = groups[group_id] = _empty(external.get(group_id, group_id), bool(linked), version)
        _add(group, method)
    return [groups[group_id] for group_id in primary_ids if group_id in groups]


def _empty(user_id: str, is_primary: bool, version: tuple[int, ...]) -> dict[str, Any]:
    user: dict[str, Any] = {
        "id": user_id,
        "isPrimaryUser": is_primary,
        "tenantIds": [],
        "timeJoined": None,
        "emails": [],
        "phoneNumbers": [],
        "thirdParty": [],
        "loginMethods": [],
    }
    if version >= (5, 3):
        user["webauthn"] = {"credentialIds": []}
    return user


def _add(user: dict[str, Any], method: dict[str, Any]) -> None:
    user["loginMethods"].append(method)
    if user["timeJoined"] is None:
        user["timeJoined"] = method["timeJoined"]
    _merge(user["tenantIds"], method["tenantIds"])
    if "email" in method:
        _merge(user["emails"], [method["email"]])
    if "phoneNumber" in method:
        _merge(user["phoneNumbers"], [method["phoneNumber"]])
    if "thirdParty" in method:
        user["thirdParty"].append(dict(method["thirdParty"]))


def _merge(into: list[str], values: Iterable[str]) -> None:
    into.extend(value for value in values if value not in into)


def external_ids(db: sqlite3.Connection, app: int, user_ids: Iterable[str]) -> dict[str, str]:
    """Return the external ids of those of *user_ids* that have one."""
    rows = db.execute(
        "SELECT user_id, external_user_id FROM json_each(?) AS wanted"
        " CROSS JOIN user_id_mappings ON app = ? AND user_id = wanted.value",
        (dump(list(user_ids)), app),
    ).fetchall()
    return dict(rows)


def _verified(db: sqlite3.Connection, app: int, methods: Sequence[tuple[str, str | None, str]]) -> set[tuple[str, str]]:
    """Return which (SuperTokens id, email) pairs are verified, under the SuperTokens id or the external one."""
    names = {name: user_id for user_id, other, _ in methods for name in (user_id, other) if name is not None}
    rows = db.execute(
        "SELECT user_id, email FROM json_each(?) AS wanted"
        " CROSS JOIN verified_emails ON app = ? AND user_id = wanted.value",
        (dump(list(names)), app),
    ).fetchall()
    return {(names[name], email) for name, email in rows}
