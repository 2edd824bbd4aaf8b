"""
Login methods of all recipes: making, finding, changing, linking and removing their rows.

A user is a group of login methods with one primary id. A login method that is linked to no other is a group of one,
under its own id. The rows of a group in ``method_tenants`` say which tenants the user is in.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import attrs

from . import hashes
from .storage.database import Database, Taken
from .tenancy import Tenant
from .users import update_copies


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
    linked: bool = attrs.field(kw_only=True, converter=bool)
    time_joined: int = attrs.field(kw_only=True)


Kind = Literal["email", "phone number", "third party"]
"""A part of an identity, as texts call it."""

_COLUMNS = ", ".join(attribute.name for attribute in attrs.fields(Method))
_OF_ITS_OWN = tuple(attribute.name for attribute in attrs.fields(Method) if attribute.kw_only)
_COLUMNS_OF_M = ", ".join(f"m.{attribute.name}" for attribute in attrs.fields(Method))
_PARTS: Mapping[Kind, tuple[str, ...]] = {
    "email": ("email",),
    "phone number": ("phone_number",),
    "third party": ("third_party_id", "third_party_user_id"),
}

OF_METHOD = (
    "login_methods",
    "method_tenants",
    "password_reset_tokens",
    "webauthn_credentials",
    "webauthn_recovery_tokens",
)
"""The tables whose rows go with a login method; each has ``app`` and ``user_id``."""


Part = tuple[Kind, Mapping[str, str]]
"""A part of an identity: its kind, and the columns of the tables that hold it."""


def parts(identity: Identity) -> list[Part]:
    """Return the parts that an identity has."""
    found = [(kind, {name: getattr(identity, name) for name in names}) for kind, names in _PARTS.items()]
    return [(kind, columns) for kind, columns in found if None not in columns.values()]


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
    row = {"user_id": user_id, "recipe_id": recipe_id, "primary_user_id": user_id, **attrs.asdict(identity)}
    if not db.insert_new("method_tenants", **here.place, **row, group_time_joined=now):
        return None
    db.insert("login_methods", app=here.app, **row, time_joined=now, password_hash=password_hash)
    if password_hash is not None:
        hashes.remember_kind(db, here.app, password_hash)
    return user_id


def _found(db: Database, **where: object) -> list[Method]:
    """Return the login methods that have these values, the oldest first."""
    found = map(_method, db.select("login_methods", _COLUMNS, **where))
    return sorted(found, key=lambda method: (method.time_joined, method.user_id))


def _method(row: Sequence[Any]) -> Method:
    return Method(*row[:4], **dict(zip(_OF_ITS_OWN, row[4:], strict=True)))


def find(db: Database, app: int, user_id: str, recipe_id: str | None = None) -> Method | None:
    """Return the login method with the SuperTokens id *user_id*, None when there is none (of that recipe)."""
    found = [one for one in _found(db, app=app, user_id=user_id) if recipe_id in (None, one.recipe_id)]
    return found[0] if found else None


def find_in_tenant(db: Database, here: Tenant, recipe_id: str, identity: Identity) -> Method | None:
    """Return the login method of a recipe that a tenant knows by *identity* (one part of one), None if unknown."""
    [(_, columns)] = parts(identity)
    query = (
        f"SELECT {_COLUMNS_OF_M} FROM method_tenants AS t JOIN login_methods AS m ON m.app = t.app"
        " AND m.user_id = t.user_id WHERE t.app = ? AND t.tenant_id = ? AND t.recipe_id = ? AND "
    )
    query += " AND ".join(f"t.{name} = ?" for name in columns)
    row = db.row(query, here.app, here.tenant_id, recipe_id, *columns.values())
    return None if row is None else _method(row)


def groups_in_tenant(db: Database, here: Tenant, identity: Identity) -> list[str]:
    """Return the primary ids of a tenant's users who have *identity* (one part of one), in any recipe."""
    [(_, columns)] = parts(identity)
    rows = db.select("method_tenants", "DISTINCT primary_user_id", **here.place, **columns)
    return [primary_user_id for (primary_user_id,) in rows]


def groups_by_credential(db: Database, app: int, credential_id: str) -> list[str]:
    """Return the primary ids of the users of an app who have a WebAuthn credential, in whatever tenant."""
    query = (
        "SELECT DISTINCT m.primary_user_id FROM webauthn_credentials AS c"
        " JOIN login_methods AS m ON m.app = c.app AND m.user_id = c.user_id WHERE c.app = ? AND c.credential_id = ?"
    )
    return db.column(query, app, credential_id)


def has_in_tenant(db: Database, here: Tenant, primary_user_id: str, recipe_id: str, part: Part) -> bool:
    """Return whether a user has a part of an identity in a tenant by a login method of a recipe."""
    user = {"primary_user_id": primary_user_id, "recipe_id": recipe_id}
    return db.exists("method_tenants", **here.place, **user, **part[1])


def of_group(db: Database, app: int, primary_user_id: str) -> list[Method]:
    """Return the login methods of a group, the oldest first."""
    return _found(db, app=app, primary_user_id=primary_user_id)


def tenants_of(db: Database, app: int, user_id: str) -> list[str]:
    """Return the tenants that a login method belongs to."""
    return db.column("SELECT tenant_id FROM method_tenants WHERE app = ? AND user_id = ?", app, user_id)


def tenants_of_groups(db: Database, app: int, *primary_user_ids: str) -> list[str]:
    """Return the tenants that one of some users is in, sorted."""
    rows = db.of_many("t.tenant_id", "method_tenants", app, primary_user_ids, "primary_user_id")
    return sorted({tenant_id for (tenant_id,) in rows})


Contact = Literal["email", "phone_number"]
"""A column that a user can change."""


def change(db: Database, app: int, user_id: str, column: Contact, value: str | None) -> bool:
    """Change a part of an identity in all tenants; return False, with nothing changed, when one of them has it."""
    try:
        with db.attempt():
            db.update("method_tenants", {column: value}, app=app, user_id=user_id)
    except Taken:
        return False
    db.update("login_methods", {column: value}, app=app, user_id=user_id)
    update_copies(db, app, user_id)
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
            (kind, _owners(db, app, columns, everywhere=kind == "email", primary=kind in primary))
            for kind, columns in parts(identity)
        ]
        for tenant_id in tenant_ids:
            for kind, users in owners:
                for user_id, tenants in users.items():
                    if user_id != but_not and tenant_id in tenants:
                        return kind, user_id
    return None


def _owners(
    db: Database, app: int, columns: Mapping[str, str], *, everywhere: bool, primary: bool
) -> dict[str, set[str]]:
    """
    Return the users who have a part of an identity with the tenants that they are in, the oldest user first.

    :param everywhere: also count a login method that is in no tenant itself.
    """
    query = (
        "SELECT m.primary_user_id, t.tenant_id, (SELECT min(g.time_joined) FROM login_methods AS g"
        " WHERE g.app = m.app AND g.primary_user_id = m.primary_user_id) FROM login_methods AS m"
        " JOIN method_tenants AS t ON t.app = m.app AND t.primary_user_id = m.primary_user_id"
        f" WHERE m.app = ? AND {' AND '.join(f'm.{name} = ?' for name in columns)}"
    )
    if primary:
        query += " AND m.linked = 1"
    if not everywhere:
        query += " AND EXISTS (SELECT 1 FROM method_tenants AS o WHERE o.app = m.app AND o.user_id = m.user_id)"
    owners: dict[str, set[str]] = {}
    rows = db.rows(query, app, *columns.values())
    for user_id, tenant_id, _ in sorted(rows, key=lambda row: int(row[2])):
        owners.setdefault(user_id, set()).add(tenant_id)
    return owners


def make_primary(db: Database, app: int, user_id: str) -> None:
    """Make a login method that is alone a primary user, so that others can be linked to it."""
    db.update("login_methods", {"linked": 1}, app=app, user_id=user_id)


def move(db: Database, app: int, method: Method, primary_user_id: str, *, linked: bool) -> None:
    """Move a login method into another group: that of a primary user, or, not *linked* any more, its own."""
    change = {"primary_user_id": primary_user_id}
    db.update("login_methods", {**change, "linked": int(linked)}, app=app, user_id=method.user_id)
    change_here = {**change, "group_time_joined": method.time_joined}
    db.update("method_tenants", change_here, app=app, user_id=method.user_id)
    for group in {primary_user_id, method.primary_user_id}:
        update_group_time(db, app, group)


def update_group_time(db: Database, app: int, primary_user_id: str) -> None:
    """Set the time joined of a group, by which users are listed, to the earliest of its login methods in any tenant."""
    db.change(
        "UPDATE method_tenants SET group_time_joined = (SELECT min(m.time_joined) FROM method_tenants AS t"
        " JOIN login_methods AS m ON m.app = t.app AND m.user_id = t.user_id"
        " WHERE t.app = ? AND t.primary_user_id = ?) WHERE app = ? AND primary_user_id = ?",
        *(app, primary_user_id, app, primary_user_id),
    )


def add_to_tenant(db: Database, here: Tenant, method: Method) -> Kind | None:
    """Add a login method to a tenant; return None, or which part of its identity is taken there."""
    row = {name: value for name, value in attrs.asdict(method).items() if name not in ("linked", "time_joined")}
    if db.insert_new("method_tenants", **here.place, **row, group_time_joined=method.time_joined):
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
    return db.delete("method_tenants", **here.place, user_id=user_id) > 0


def delete(db: Database, app: int, user_id: str) -> None:
    """Delete a login method with what only it has."""
    for table in OF_METHOD:
        db.delete(table, app=app, user_id=user_id)
