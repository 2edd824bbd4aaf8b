"""
Login methods of all recipes: making, finding, changing, linking and removing their rows.

A user is a group of login methods with one primary id. A login method that is linked to no other is a group of one,
under its own id. The rows of a group in ``method_tenants`` say which tenants the user is in.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from typing import Literal

import attrs

from . import hashes
from .database import Database
from .tenancy import Tenant


@attrs.frozen
class Identity:
    """What a login method is known by; a value is None where its recipe has none."""

    email: str | None = None
    phone_number: str | None = None
    third_party_id: str | None = None
    third_party_user_id: str | None = None


@attrs.frozen
class Method(Identity):
    """
    A login method as it is stored.

    :param primary_user_id: the id of its group; its own id as long as it is alone.
    :param linked: whether it belongs to a primary user (or is one).
    :param time_joined: milliseconds since 1970.
    """

    user_id: str = attrs.field(kw_only=True)
    recipe_id: str = attrs.field(kw_only=True)
    primary_user_id: str = attrs.field(kw_only=True)
    linked: bool = attrs.field(kw_only=True)
    time_joined: int = attrs.field(kw_only=True)


Kind = Literal["email", "phone number", "third party"]
"""A part of an identity, as texts call it."""

_IDENTITY = "email, phone_number, third_party_id, third_party_user_id"
_COLUMNS = (
    "m.user_id, m.recipe_id, m.primary_user_id, m.linked, m.time_joined,"
    " m.email, m.phone_number, m.third_party_id, m.third_party_user_id"
)
_Row = tuple[str, str, str, int, int, "str | None", "str | None", "str | None", "str | None"]

OF_METHOD = (
    "login_methods",
    "method_tenants",
    "password_reset_tokens",
    "webauthn_credentials",
    "webauthn_recovery_tokens",
)
"""The tables whose rows go with a login method; each has ``app`` and ``user_id``."""


def _method(row: _Row) -> Method:
    user_id, recipe_id, primary_user_id, linked, time_joined, *identity = row
    return Method(
        *identity,
        user_id=user_id,
        recipe_id=recipe_id,
        primary_user_id=primary_user_id,
        linked=bool(linked),
        time_joined=time_joined,
    )


Part = tuple[Kind, str, tuple[str, ...]]
"""A part of an identity: its kind, the SQL condition on a table ``m``, and the values of that."""


def parts(identity: Identity) -> list[Part]:
    """Return the parts that an identity has."""
    found: list[Part] = []
    if identity.email is not None:
        found.append(("email", "m.email = ?", (identity.email,)))
    if identity.phone_number is not None:
        found.append(("phone number", "m.phone_number = ?", (identity.phone_number,)))
    if identity.third_party_id is not None and identity.third_party_user_id is not None:
        pair = identity.third_party_id, identity.third_party_user_id
        found.append(("third party", "m.third_party_id = ? AND m.third_party_user_id = ?", pair))
    return found


def insert(
    db: Database,
    here: Tenant,
    recipe_id: str,
    now: int,
    identity: Identity,
    *,
    password_hash: str | None = None,
    user_id: str | None = None,
) -> str | None:
    """
    Store a new user of one login method; return its id, or None when its identity is taken in the tenant.

    :param user_id: the id; None for a new one.
    """
    user_id = user_id or str(uuid.uuid4())
    values = attrs.astuple(identity)
    added = db.execute(
        "INSERT INTO method_tenants (app, tenant_id, user_id, recipe_id, primary_user_id, group_time_joined,"
        f" {_IDENTITY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (here.app, here.tenant_id, user_id, recipe_id, user_id, now, *values),
    ).rowcount
    if not added:
        return None
    db.execute(
        "INSERT INTO login_methods (app, user_id, recipe_id, primary_user_id, linked, time_joined,"
        f" {_IDENTITY}, password_hash) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?)",
        (here.app, user_id, recipe_id, user_id, now, *values, password_hash),
    )
    if password_hash is not None:
        hashes.remember_kind(db, here.app, password_hash)
    return user_id


def find(db: Database, app: int, user_id: str, recipe_id: str | None = None) -> Method | None:
    """Return the login method with the SuperTokens id *user_id*, None when there is none (of that recipe)."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM login_methods AS m WHERE m.app = ? AND m.user_id = ?", (app, user_id)
    ).fetchone()
    return None if row is None or recipe_id not in (None, row[1]) else _method(row)


def find_in_tenant(db: Database, here: Tenant, recipe_id: str, identity: Identity) -> Method | None:
    """Return the login method of a recipe that a tenant knows by *identity* (one part of one), None if unknown."""
    [(_, condition, values)] = parts(identity)
    row = db.execute(
        f"SELECT {_COLUMNS} FROM method_tenants AS t JOIN login_methods AS m ON m.app = t.app AND m.user_id = t.user_id"
        f" WHERE t.app = ? AND t.tenant_id = ? AND t.recipe_id = ? AND {condition.replace('m.', 't.')}",
        (here.app, here.tenant_id, recipe_id, *values),
    ).fetchone()
    return None if row is None else _method(row)


def groups_in_tenant(db: Database, here: Tenant, identity: Identity) -> list[str]:
    """Return the primary ids of a tenant's users who have *identity* (one part of one), in any recipe."""
    [(_, condition, values)] = parts(identity)
    rows = db.execute(
        "SELECT DISTINCT m.primary_user_id FROM method_tenants AS m"
        f" WHERE m.app = ? AND m.tenant_id = ? AND {condition}",
        (here.app, here.tenant_id, *values),
    ).fetchall()
    return [row[0] for row in rows]


def groups_by_credential(db: Database, app: int, credential_id: str) -> list[str]:
    """Return the primary ids of the users of an app who have a WebAuthn credential, in whatever tenant."""
    rows = db.execute(
        "SELECT DISTINCT m.primary_user_id FROM webauthn_credentials AS c"
        " JOIN login_methods AS m ON m.app = c.app AND m.user_id = c.user_id WHERE c.app = ? AND c.credential_id = ?",
        (app, credential_id),
    ).fetchall()
    return [row[0] for row in rows]


def has_in_tenant(db: Database, here: Tenant, primary_user_id: str, recipe_id: str, part: Part) -> bool:
    """Return whether a user has a part of an identity in a tenant by a login method of a recipe."""
    _, condition, values = part
    row = db.execute(
        "SELECT 1 FROM method_tenants AS m WHERE m.app = ? AND m.tenant_id = ? AND m.primary_user_id = ?"
        f" AND m.recipe_id = ? AND {condition}",
        (here.app, here.tenant_id, primary_user_id, recipe_id, *values),
    ).fetchone()
    return row is not None


def of_group(db: Database, app: int, primary_user_id: str) -> list[Method]:
    """Return the login methods of a group, the oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM login_methods AS m WHERE m.app = ? AND m.primary_user_id = ?", (app, primary_user_id)
    ).fetchall()
    return sorted(map(_method, rows), key=lambda method: (method.time_joined, method.user_id))


def tenants_of(db: Database, app: int, user_id: str) -> list[str]:
    """Return the tenants that a login method belongs to."""
    rows = db.execute("SELECT tenant_id FROM method_tenants WHERE app = ? AND user_id = ?", (app, user_id)).fetchall()
    return [row[0] for row in rows]


def tenants_of_groups(db: Database, app: int, *primary_user_ids: str) -> list[str]:
    """Return the tenants that one of some users is in, sorted."""
    tenants: set[str] = set()
    for primary_user_id in primary_user_ids:
        rows = db.execute(
            "SELECT tenant_id FROM method_tenants WHERE app = ? AND primary_user_id = ?", (app, primary_user_id)
        )
        tenants.update(row[0] for row in rows)
    return sorted(tenants)


Contact = Literal["email", "phone_number"]
"""A column that a user can change."""


def change(db: Database, app: int, user_id: str, column: Contact, value: str | None) -> bool:
    """Change a part of an identity in all tenants; return False, with nothing changed, when one of them has it."""
    db.execute("SAVEPOINT identity")
    try:
        db.execute(f"UPDATE method_tenants SET {column} = ? WHERE app = ? AND user_id = ?", (value, app, user_id))
    except sqlite3.IntegrityError:
        db.execute("ROLLBACK TO identity")
        return False
    finally:
        db.execute("RELEASE identity")
    db.execute(f"UPDATE login_methods SET {column} = ? WHERE app = ? AND user_id = ?", (value, app, user_id))
    return True


def is_taken(db: Database, app: int, method: Method, identity: Identity) -> bool:
    """Return whether a login method may not have a new identity, since another primary user has it (CDI 3.6)."""
    if not method.linked:
        return False
    tenants = tenants_of_groups(db, app, method.primary_user_id)
    return owner_of(db, app, tenants, [identity], but_not=method.primary_user_id) is not None


def owner_of(
    db: Database,
    app: int,
    tenant_ids: Sequence[str],
    identities: Iterable[Identity],
    *,
    but_not: str,
    primary: Iterable[Kind] = ("email", "phone number", "third party"),
) -> tuple[Kind, str] | None:
    """
    Return who else has one of *identities*: its kind and the id of another user who is in one of the tenants.

    The other user may have the identity anywhere in the app, and be in the tenant by another login method
    (``authRecipe/AuthRecipe.java`` of the official core, whose order of tenants and kinds this keeps).

    :param but_not: the primary id of a user who does not count.
    :param primary: the kinds of which only primary users count.
    """
    for identity in identities:
        owners = [
            (kind, _owners(db, app, condition, values, everywhere=kind == "email", primary=kind in primary))
            for kind, condition, values in parts(identity)
        ]
        for tenant_id in tenant_ids:
            for kind, users in owners:
                for user_id, tenants in users.items():
                    if user_id != but_not and tenant_id in tenants:
                        return kind, user_id
    return None


def _owners(
    db: Database, app: int, condition: str, values: tuple[str, ...], *, everywhere: bool, primary: bool
) -> dict[str, set[str]]:
    """
    Return the users who have a part of an identity with the tenants that they are in, the oldest user first.

    :param everywhere: also count a login method that is in no tenant itself.
    """
    query = (
        "SELECT m.primary_user_id, t.tenant_id, (SELECT min(g.time_joined) FROM login_methods AS g"
        " WHERE g.app = m.app AND g.primary_user_id = m.primary_user_id) FROM login_methods AS m"
        " JOIN method_tenants AS t ON t.app = m.app AND t.primary_user_id = m.primary_user_id"
        f" WHERE m.app = ? AND {condition}"
    )
    if primary:
        query += " AND m.linked = 1"
    if not everywhere:
        query += " AND EXISTS (SELECT 1 FROM method_tenants AS o WHERE o.app = m.app AND o.user_id = m.user_id)"
    owners: dict[str, set[str]] = {}
    rows = db.execute(query, (app, *values)).fetchall()
    for user_id, tenant_id, _ in sorted(rows, key=lambda row: int(row[2])):
        owners.setdefault(user_id, set()).add(tenant_id)
    return owners


def make_primary(db: Database, app: int, user_id: str) -> None:
    """Make a login method that is alone a primary user, so that others can be linked to it."""
    db.execute("UPDATE login_methods SET linked = 1 WHERE app = ? AND user_id = ?", (app, user_id))


def move(db: Database, app: int, method: Method, primary_user_id: str, *, linked: bool) -> None:
    """Move a login method into another group: that of a primary user, or, not *linked* any more, its own."""
    db.execute(
        "UPDATE login_methods SET primary_user_id = ?, linked = ? WHERE app = ? AND user_id = ?",
        (primary_user_id, int(linked), app, method.user_id),
    )
    db.execute(
        "UPDATE method_tenants SET primary_user_id = ?, group_time_joined = ? WHERE app = ? AND user_id = ?",
        (primary_user_id, method.time_joined, app, method.user_id),
    )
    for group in {primary_user_id, method.primary_user_id}:
        update_group_time(db, app, group)


def update_group_time(db: Database, app: int, primary_user_id: str) -> None:
    """Set the time joined of a group, by which users are listed, to the earliest of its login methods in any tenant."""
    db.execute(
        "UPDATE method_tenants SET group_time_joined = (SELECT min(m.time_joined) FROM method_tenants AS t"
        " JOIN login_methods AS m ON m.app = t.app AND m.user_id = t.user_id"
        " WHERE t.app = ? AND t.primary_user_id = ?) WHERE app = ? AND primary_user_id = ?",
        (app, primary_user_id, app, primary_user_id),
    )


def add_to_tenant(db: Database, here: Tenant, method: Method) -> Kind | None:
    """Add a login method to a tenant; return None, or which part of its identity is taken there."""
    added = db.execute(
        "INSERT INTO method_tenants (app, tenant_id, user_id, recipe_id, primary_user_id, group_time_joined,"
        f" {_IDENTITY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            *(here.app, here.tenant_id, method.user_id, method.recipe_id, method.primary_user_id, method.time_joined),
            *(method.email, method.phone_number, method.third_party_id, method.third_party_user_id),
        ),
    ).rowcount
    if added:
        update_group_time(db, here.app, method.primary_user_id)
        return None
    return taken_part(db, here, method.recipe_id, method)


def taken_part(db: Database, here: Tenant, recipe_id: str, identity: Identity) -> Kind:
    """Return which part of an identity, that a tenant's index refused, another login method of the recipe has."""
    if identity.third_party_id is not None:
        return "third party"
    if identity.email is not None and find_in_tenant(db, here, recipe_id, Identity(email=identity.email)):
        return "email"
    return "phone number"


def remove_from_tenant(db: Database, here: Tenant, user_id: str) -> bool:
    """Remove a login method from a tenant, its last one too; return whether it was in it."""
    gone = db.execute(
        "DELETE FROM method_tenants WHERE app = ? AND tenant_id = ? AND user_id = ?",
        (here.app, here.tenant_id, user_id),
    ).rowcount
    return gone > 0


def delete(db: Database, app: int, user_id: str) -> None:
    """Delete a login method with what only it has."""
    for table in OF_METHOD:
        db.execute(f"DELETE FROM {table} WHERE app = ? AND user_id = ?", (app, user_id))
