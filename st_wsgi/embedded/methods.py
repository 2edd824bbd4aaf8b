"""Rows of login methods, whatever their recipe: made, found, changed, removed in one place."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable

import attrs


@attrs.frozen
class Method:
    """
    A login method as it is stored.

    :param primary_user_id: the id of its group; its own id as long as it is alone.
    :param linked: whether it belongs to a primary user (or is one).
    """

    user_id: str
    recipe_id: str
    primary_user_id: str
    linked: bool
    time_joined: int
    email: str | None
    phone_number: str | None
    third_party_id: str | None
    third_party_user_id: str | None


_COLUMNS = (
    "user_id, recipe_id, primary_user_id, linked, time_joined, email, phone_number, third_party_id, third_party_user_id"
)


def _method(row: tuple[str, str, str, int, int, str | None, str | None, str | None, str | None]) -> Method:
    return Method(row[0], row[1], row[2], bool(row[3]), *row[4:])


def insert(
    db: sqlite3.Connection,
    app: int,
    tenant_id: str,
    recipe_id: str,
    now: int,
    *,
    email: str | None = None,
    phone_number: str | None = None,
    third_party: tuple[str, str] | None = None,
    password_hash: str | None = None,
) -> str | None:
    """Store a new user of one login method; return its id, or None when its identity is taken in the tenant."""
    user_id = str(uuid.uuid4())
    identity = (email, phone_number, *(third_party or (None, None)))
    try:
        db.execute(
            "INSERT INTO method_tenants VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (app, tenant_id, user_id, recipe_id, user_id, now, *identity),
        )
    except sqlite3.IntegrityError:
        return None
    db.execute(
        f"INSERT INTO login_methods (app, {_COLUMNS}, password_hash) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?)",
        (app, user_id, recipe_id, user_id, now, *identity, password_hash),
    )
    return user_id


def find(db: sqlite3.Connection, app: int, user_id: str, recipe_id: str | None = None) -> Method | None:
    """Return the login method with the SuperTokens id *user_id*, None when there is none (of that recipe)."""
    row = db.execute(f"SELECT {_COLUMNS} FROM login_methods WHERE app = ? AND user_id = ?", (app, user_id)).fetchone()
    return None if row is None or recipe_id not in (None, row[1]) else _method(row)


def of_group(db: sqlite3.Connection, app: int, primary_user_id: str) -> list[Method]:
    """Return the login methods of a group, the oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM login_methods WHERE app = ? AND primary_user_id = ?", (app, primary_user_id)
    ).fetchall()
    return sorted(map(_method, rows), key=lambda method: (method.time_joined, method.user_id))


def group_of(db: sqlite3.Connection, app: int, user_id: str) -> str:
    """Return the group's id of a login method."""
    method = find(db, app, user_id)
    return user_id if method is None else method.primary_user_id


def tenants_of(db: sqlite3.Connection, app: int, user_id: str) -> list[str]:
    """Return the tenants that a login method belongs to."""
    rows = db.execute("SELECT tenant_id FROM method_tenants WHERE app = ? AND user_id = ?", (app, user_id)).fetchall()
    return [row[0] for row in rows]


def change_email(db: sqlite3.Connection, app: int, user_id: str, email: str) -> bool:
    """Give a login method another email in all its tenants; False, and nothing changed, when one of them has it."""
    db.execute("SAVEPOINT email")
    try:
        db.execute("UPDATE method_tenants SET email = ? WHERE app = ? AND user_id = ?", (email, app, user_id))
    except sqlite3.IntegrityError:
        db.execute("ROLLBACK TO email")
        return False
    finally:
        db.execute("RELEASE email")
    db.execute("UPDATE login_methods SET email = ? WHERE app = ? AND user_id = ?", (email, app, user_id))
    return True


def other_primary_with(
    db: sqlite3.Connection,
    app: int,
    method: Method,
    *,
    email: str | None = None,
    phone_number: str | None = None,
) -> str | None:
    """
    Return the id of another *primary* user who has that email or phone number in a tenant of *method*.

    Only asked of primary users (CDI 3.6): None when *method* is not linked.
    """
    if not method.linked:
        return None
    return primary_with(
        db,
        app,
        tenants_of(db, app, method.user_id),
        email=email,
        phone_number=phone_number,
        but_not=method.primary_user_id,
    )


def primary_with(
    db: sqlite3.Connection,
    app: int,
    tenant_ids: Iterable[str],
    *,
    email: str | None = None,
    phone_number: str | None = None,
    third_party: tuple[str, str] | None = None,
    but_not: str = "",
) -> str | None:
    """Return the id of a primary user, other than *but_not*, who has that identity in one of the tenants."""
    tried: list[tuple[str, tuple[str, ...]]] = []
    if email is not None:
        tried.append(("t.email = ?", (email,)))
    if phone_number is not None:
        tried.append(("t.phone_number = ?", (phone_number,)))
    if third_party is not None:
        tried.append(("t.third_party_id = ? AND t.third_party_user_id = ?", third_party))
    for tenant_id in tenant_ids:
        for condition, values in tried:
            row = db.execute(
                "SELECT m.primary_user_id FROM method_tenants t JOIN login_methods m USING (app, user_id)"
                f" WHERE t.app = ? AND t.tenant_id = ? AND {condition} AND m.linked = 1 AND m.primary_user_id <> ?",
                (app, tenant_id, *values, but_not),
            ).fetchone()
            if row is not None:
                return str(row[0])
    return None


def update_group_time(db: sqlite3.Connection, app: int, primary_user_id: str) -> None:
    """Set the time joined of a group, by which users are listed, to the earliest of its login methods."""
    db.execute(
        "UPDATE method_tenants SET group_time_joined ="
        " (SELECT min(time_joined) FROM login_methods WHERE app = ?1 AND primary_user_id = ?2)"
        " WHERE app = ?1 AND primary_user_id = ?2",
        (app, primary_user_id),
    )


def add_to_tenant(db: sqlite3.Connection, app: int, tenant_id: str, method: Method) -> str | None:
    """Add a login method to a tenant; return None, or the status that says which of its identities is taken there."""
    joined = db.execute(
        "SELECT min(time_joined) FROM login_methods WHERE app = ? AND primary_user_id = ?",
        (app, method.primary_user_id),
    ).fetchone()[0]
    identity = (method.email, method.phone_number, method.third_party_id, method.third_party_user_id)
    try:
        db.execute(
            "INSERT INTO method_tenants VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (app, tenant_id, method.user_id, method.recipe_id, method.primary_user_id, joined, *identity),
        )
    except sqlite3.IntegrityError as error:
        if "phone_number" in str(error):
            return "PHONE_NUMBER_ALREADY_EXISTS_ERROR"
        return "THIRD_PARTY_USER_ALREADY_EXISTS_ERROR" if "third" in str(error) else "EMAIL_ALREADY_EXISTS_ERROR"
    return None


def remove_from_tenant(db: sqlite3.Connection, app: int, tenant_id: str, user_id: str) -> bool:
    """Remove a login method from a tenant, its last one too; tell whether it was in it."""
    gone = db.execute(
        "DELETE FROM method_tenants WHERE app = ? AND tenant_id = ? AND user_id = ?", (app, tenant_id, user_id)
    ).rowcount
    return gone > 0
