"""
Users: who they are, as JSON, and what belongs to them (CDI 3.1).

A user is a group of login methods with one primary id; without account linking a group of one. Ids that leave the core
are external ids where a mapping exists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import attrs

from .fields import trimmed
from .storage.database import Database, on_conflict
from .storage.tables import COPIES
from .versions import NEWEST, WEBAUTHN, Version


def normal_email(email: str) -> str:
    """Return the one spelling under which an email is stored and found."""
    return trimmed(email).lower()


def internal_id(db: Database, app: int, user_id: str) -> str:
    """
    Return the SuperTokens id that *user_id* stands for: itself when it is mapped, else the one mapped to it.

    A SuperTokens id without a mapping may be the external id of another user. It then means that user.
    """
    found = db.column(
        "SELECT user_id FROM user_id_mappings WHERE app = ? AND user_id = ?"
        " UNION ALL SELECT user_id FROM user_id_mappings WHERE app = ? AND external_user_id = ?",
        *(app, user_id, app, user_id),
    )
    return user_id if not found or user_id in found else str(found[0])


def user_exists(db: Database, app: int, user_id: str) -> bool:
    """Return whether *user_id* is a SuperTokens id: of a login method, or of a group whose first method is gone."""
    query = (
        "SELECT 1 FROM login_methods WHERE app = ? AND user_id = ?"
        " UNION ALL SELECT 1 FROM retired_ids WHERE app = ? AND user_id = ? LIMIT 1"
    )
    return db.row(query, app, user_id, app, user_id) is not None


def external_id(db: Database, app: int, user_id: str) -> str:
    """Return the id under which *user_id* leaves the core."""
    found = db.value("SELECT external_user_id FROM user_id_mappings WHERE app = ? AND user_id = ?", app, user_id)
    return user_id if found is None else str(found)


def primary_id(db: Database, app: int, user_id: str) -> str:
    """Return the id of the group that the login method *user_id* belongs to; *user_id* itself when there is none."""
    found = db.value("SELECT primary_user_id FROM login_methods WHERE app = ? AND user_id = ?", app, user_id)
    return user_id if found is None else str(found)


@attrs.frozen
class SessionUser:
    """
    Whose session it is, at this moment.

    :param user_id: the user's id, as it leaves the core.
    :param recipe_user_id: the login method's, likewise.
    :param internal_id: the user's SuperTokens id.
    """

    user_id: str
    recipe_user_id: str
    internal_id: str


USER_OF_SESSION = "COALESCE(t.primary_user_id, e.user_id, one.user_id), p.external_user_id"
"""The user of a session ``one``: the SuperTokens id, and the app's own id or null."""

JOINED_TO_SESSION = (
    " LEFT JOIN user_id_mappings AS e ON e.app = one.app AND e.external_user_id = one.user_id"
    " LEFT JOIN method_tenants AS t ON t.app = one.app AND t.user_id = COALESCE(e.user_id, one.user_id)"
    " LEFT JOIN user_id_mappings AS p ON p.app = one.app"
    " AND p.user_id = COALESCE(t.primary_user_id, e.user_id, one.user_id)"
)
"""What :data:`USER_OF_SESSION` needs behind ``FROM``."""


def session_user(db: Database, app: int, user_id: str) -> SessionUser:
    """Return whose session one of *user_id* is; any id will do, also one that no user has."""
    group, external, recipe_user_id = db.row(
        f"SELECT {USER_OF_SESSION}, COALESCE(o.external_user_id, one.user_id)"
        f" FROM (SELECT ? AS app, ? AS user_id) AS one{JOINED_TO_SESSION}"
        " LEFT JOIN user_id_mappings AS o ON o.app = one.app AND o.user_id = one.user_id AND e.user_id IS NULL LIMIT 1",
        *(app, user_id),
    )
    return SessionUser(external or group, recipe_user_id, group)


def touch(db: Database, app: int, user_id: str, now: int) -> None:
    """Note that a user (SuperTokens id) was active."""
    db.put("last_active", {"app": app, "user_id": user_id}, last_active=now)


def touched_user(db: Database, app: int, user_id: str, now: int, version: Version) -> dict[str, Any] | None:
    """Note that the user of a login method (SuperTokens id) is active; return them, or None if there is no such one."""
    touching = (
        "INSERT INTO last_active (app, user_id, last_active) SELECT app, primary_user_id, ? FROM login_methods"
        f" WHERE app = ? AND user_id = ?{db.to_stay}{on_conflict(('app', 'user_id'), ('last_active',))}"
    )
    query, values = _in_groups(db, app, *_group(app, user_id))
    rows = db.change_and_rows(touching, (now, app, user_id), query, *values)
    return next(iter(_users(db, app, rows, version).values()), None)


def set_verified(db: Database, app: int, user_id: str, email: str) -> None:
    """Note that an email of a user is verified."""
    if db.insert_new("verified_emails", app=app, user_id=user_id, email=email):
        update_copies(db, app, user_id)


def update_copies(db: Database, app: int, *user_ids: str) -> None:
    """Bring login methods up to date when the mapping, the email or the verified emails of an id have changed."""
    for user_id in user_ids:
        known_by = "(?, (SELECT user_id FROM user_id_mappings WHERE app = ? AND external_user_id = ?))"
        db.change(f"{COPIES} WHERE o.app = ? AND o.user_id IN {known_by}", app, user_id, app, user_id)


def user_json(db: Database, app: int, user_id: str, version: Version = NEWEST) -> dict[str, Any] | None:
    """Return the user that *user_id* (SuperTokens id of a method or group) belongs to, None when there is none."""
    query, values = _in_groups(db, app, *_group(app, user_id))
    return next(iter(_users(db, app, db.rows(query, *values), version).values()), None)


def method_json(db: Database, app: int, user_id: str, version: Version) -> dict[str, Any] | None:
    """Return a login method (SuperTokens id) as a user of its own, whatever it is linked to; None if there is none."""
    user = user_json(db, app, user_id, version)
    if user is None:
        return None
    name = external_id(db, app, user_id)
    own = [method for method in user["loginMethods"] if method["recipeUserId"] == name]
    return _user(name, user["isPrimaryUser"], own, version) if own else None


_SHOWN = (
    "time_joined, user_id, primary_user_id, recipe_id, linked, email, phone_number, third_party_id,"
    " third_party_user_id, external_user_id, verified"
)


def users_json(db: Database, app: int, primary_ids: Sequence[str], version: Version = NEWEST) -> list[dict[str, Any]]:
    """
    Return users by the ids of their groups, in that order; ids without a user are left out.

    The number of statements does not depend on how many users there are, nor on their login methods.
    """
    if not primary_ids:
        return []
    query, values = _in_groups(db, app, db.wanted, db.listed(primary_ids))
    users = _users(db, app, db.rows(query, *values), version)
    return [users[group] for group in primary_ids if group in users]


def _group(app: int, user_id: str) -> tuple[str, object, object, object]:
    """Return SQL for a table ``wanted (value)`` with the id of the group of *user_id*, and the values in it."""
    group = "COALESCE((SELECT primary_user_id FROM login_methods WHERE app = ? AND user_id = ?), ?)"
    return f"(SELECT {group} AS value) AS wanted", app, user_id, user_id


def _in_groups(db: Database, app: int, wanted: str, *values: object) -> tuple[str, list[object]]:
    """
    Return a query for the login methods of groups and, in rows without a time, the tenants of each; with its values.

    :param wanted: SQL for a table ``wanted (value)`` with the ids of the groups; its *values*.
    """
    by_group = "t.primary_user_id"
    if db.clustered:
        # Most methods are the first of their group and have its id. The others lie in an index that has all columns.
        ways = ["t.user_id AND t.user_id = t.primary_user_id", f"{by_group} AND t.user_id <> t.primary_user_id"]
    else:
        ways = [by_group]
    source = f"FROM {wanted} CROSS JOIN {{}} AS t WHERE t.app = ? AND wanted.value ="
    parts = [f"SELECT {_SHOWN} {source.format('login_methods')} {way}" for way in ways]
    parts.append(f"SELECT NULL, user_id, tenant_id{', NULL' * 8} {source.format('method_tenants')} {by_group}")
    return " UNION ALL ".join(parts), [*values, app] * len(parts)


def _users(db: Database, app: int, rows: Iterable[Sequence[Any]], version: Version) -> dict[str, dict[str, Any]]:
    """Return the JSON of users by the ids of their groups, from the rows of :func:`_in_groups`."""
    tenants: dict[str, list[str]] = {}
    methods: list[Any] = []
    for row in rows:
        if row[0] is None:
            tenants.setdefault(row[1], []).append(row[2])
        else:
            methods.append(row)
    methods.sort()
    names = {row[1]: row[9] for row in methods if row[9] is not None}
    retired = {row[2] for row in methods}.difference(row[1] for row in methods)
    names |= external_ids(db, app, retired)
    passkeys: dict[str, list[str]] = {}
    if version >= WEBAUTHN:
        owners = [row[1] for row in methods if row[3] == "webauthn"]
        for user_id, credential_id in db.of_many("user_id, credential_id", "webauthn_credentials", app, owners):
            passkeys.setdefault(user_id, []).append(credential_id)
    groups: dict[str, tuple[str, bool, list[dict[str, Any]]]] = {}
    for time, user_id, group, recipe, linked, email, phone, party, party_user, name, verified in methods:
        method: dict[str, Any] = {
            "tenantIds": sorted(tenants.get(user_id, ())),
            "recipeUserId": name or user_id,
            "verified": email is None or verified == 1,
            "timeJoined": time,
            "recipeId": recipe,
        }
        if email is not None:
            method["email"] = email
        if phone is not None:
            method["phoneNumber"] = phone
        if party is not None:
            method["thirdParty"] = {"id": party, "userId": party_user}
        if recipe == "webauthn" and version >= WEBAUTHN:
            # Without any, the official core shows one that is null.
            method["webauthn"] = {"credentialIds": passkeys.get(user_id, [None])}
        if group in groups:
            groups[group][2].append(method)
        else:
            groups[group] = names.get(group, group), linked == 1, [method]
    return {group: _user(*shown, version) for group, shown in groups.items()}


def _user(user_id: str, is_primary: bool, methods: list[dict[str, Any]], version: Version) -> dict[str, Any]:
    """Return the JSON of a user with these login methods, the oldest first."""
    tenants: dict[str, None] = {}  # its keys are distinct, and in the order in which they came
    emails: list[str] = []
    phones: list[str] = []
    accounts: list[dict[str, str]] = []
    credentials: list[str | None] = []
    for method in methods:
        for tenant_id in method["tenantIds"]:
            tenants[tenant_id] = None
        if method["recipeId"] == "webauthn":
            if version < WEBAUTHN:
                continue
            credentials += method["webauthn"]["credentialIds"]
        if "email" in method and method["email"] not in emails:
            emails.append(method["email"])
        if "phoneNumber" in method and method["phoneNumber"] not in phones:
            phones.append(method["phoneNumber"])
        if "thirdParty" in method and method["thirdParty"] not in accounts:
            accounts.append({**method["thirdParty"]})
    user: dict[str, Any] = {
        "id": user_id,
        "isPrimaryUser": is_primary,
        "tenantIds": list(tenants),
        "timeJoined": methods[0]["timeJoined"],
        "emails": emails,
        "phoneNumbers": phones,
        "thirdParty": accounts,
        "loginMethods": methods,
    }
    if version >= WEBAUTHN:
        user["webauthn"] = {"credentialIds": credentials}
    return user


def external_ids(db: Database, app: int, user_ids: Collection[str]) -> dict[str, str]:
    """Return the external ids of those of *user_ids* that have one."""
    return dict(db.of_many("user_id, external_user_id", "user_id_mappings", app, user_ids))
