"""Everyone in an app of an embedded core, one by one, with what other cores need to take them over."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import attrs

from . import tenantrows
from .fields import dump
from .store import Store
from .users import external_id, users_json

REDACTED = "[redacted]"
_BATCH = 200


@attrs.frozen
class Person:
    """
    A user with all that is kept about him.

    :param user: the user JSON of CDI 5.4; its ids are external where a mapping exists.
    :param user_id: the SuperTokens id in this core.
    :param mapped: whether ``user["id"]`` is an external id.
    :param password_hashes: by recipe user id.
    :param verified_emails: all that are verified under the user's id.
    :param roles: by tenant.
    """

    user: dict[str, Any]
    user_id: str
    mapped: bool
    mapping_info: str | None
    password_hashes: dict[str, str] = attrs.field(repr=False)
    verified_emails: tuple[str, ...]
    roles: dict[str, list[str]]
    metadata: dict[str, Any] | None

    def json(self, *, secrets: bool) -> dict[str, Any]:
        """Return the person as one line of an export; without *secrets* password hashes are not shown."""
        hashes = self.password_hashes if secrets else dict.fromkeys(self.password_hashes, REDACTED)
        return {
            "type": "user",
            "superTokensUserId": self.user_id,
            "externalUserId": self.user["id"] if self.mapped else None,
            "externalUserIdInfo": self.mapping_info,
            "user": self.user,
            "passwordHashes": hashes,
            "verifiedEmails": list(self.verified_emails),
            "roles": self.roles,
            "metadata": self.metadata,
        }


def count(store: Store, app: int) -> int:
    """Return how many users an app has."""
    with store.read() as db:
        row = db.execute("SELECT count(DISTINCT primary_user_id) FROM login_methods WHERE app = ?", (app,)).fetchone()
    return int(row[0])


def people(store: Store, app: int, *, after: str = "") -> Iterator[Person]:
    """
    Yield the users of an app in the order of their SuperTokens ids.

    :param after: start behind this id; who joins meanwhile may or may not come.
    """
    while True:
        with store.snapshot() as db:
            rows = db.execute(
                "SELECT DISTINCT primary_user_id FROM login_methods WHERE app = ? AND primary_user_id > ?"
                " ORDER BY primary_user_id LIMIT ?",
                (app, after, _BATCH),
            ).fetchall()
            ids = [row[0] for row in rows]
            batch = [_person(db, app, *pair) for pair in zip(ids, users_json(db, app, ids), strict=True)]
        yield from batch
        if len(ids) < _BATCH:
            return
        after = ids[-1]


def _person(db: sqlite3.Connection, app: int, user_id: str, user: dict[str, Any]) -> Person:
    hashes = db.execute(
        "SELECT user_id, password_hash FROM login_methods"
        " WHERE app = ? AND primary_user_id = ? AND password_hash IS NOT NULL",
        (app, user_id),
    ).fetchall()
    info = db.execute("SELECT info FROM user_id_mappings WHERE app = ? AND user_id = ?", (app, user_id)).fetchone()
    name = user["id"]
    roles: dict[str, list[str]] = {}
    for tenant_id, role in db.execute(
        "SELECT tenant_id, role FROM user_roles WHERE app = ? AND user_id = ? ORDER BY tenant_id, role", (app, name)
    ):
        roles.setdefault(tenant_id, []).append(role)
    metadata = db.execute("SELECT metadata FROM user_metadata WHERE app = ? AND user_id = ?", (app, name)).fetchone()
    emails = db.execute("SELECT email FROM verified_emails WHERE app = ? AND user_id = ? ORDER BY email", (app, name))
    return Person(
        user=user,
        user_id=user_id,
        mapped=info is not None,
        mapping_info=None if info is None else info[0],
        password_hashes={external_id(db, app, method): stored for method, stored in hashes},
        verified_emails=tuple(row[0] for row in emails),
        roles=roles,
        metadata=None if metadata is None else json.loads(metadata[0]),
    )


def roles(store: Store, app: int) -> dict[str, list[str]]:
    """Return the permissions of every role of an app."""
    with store.read() as db:
        found: dict[str, list[str]] = {row[0]: [] for row in db.execute("SELECT role FROM roles WHERE app = ?", (app,))}
        for role, permission in db.execute("SELECT role, permission FROM role_permissions WHERE app = ?", (app,)):
            found[role].append(permission)
    return found


def tenants(store: Store, app: int) -> list[dict[str, Any]]:
    """Return the tenants of an app as CDI 5.1 shows them."""
    with store.read() as db:
        return [tenant.json_v2() for tenant in tenantrows.load_all(db, app)]


def lines(store: Store, app: int, *, secrets: bool) -> Iterator[str]:
    """
    Yield an app as JSON, a line each for tenants, roles and users.

    :param secrets: with password hashes and the providers' client secrets, which are left out otherwise.
    """
    for tenant in tenants(store, app):
        yield dump({"type": "tenant", **(tenant if secrets else _without_secrets(tenant))})
    for role, permissions in roles(store, app).items():
        yield dump({"type": "role", "role": role, "permissions": permissions})
    for person in people(store, app):
        yield dump(person.json(secrets=secrets))


def _without_secrets(tenant: dict[str, Any]) -> dict[str, Any]:
    for provider in tenant["thirdParty"]["providers"]:
        for client in provider["clients"]:
            for name in {"clientSecret", "additionalConfig"} & client.keys():
                client[name] = REDACTED
    for name in {"api_keys", "firebase_password_hashing_signer_key"} & tenant["coreConfig"].keys():
        tenant["coreConfig"][name] = REDACTED
    return tenant


def orphans(store: Store) -> dict[str, int]:
    """Return how many rows refer to something that is not there, by what is missing; empty when all is well."""
    checks = {
        "login methods of tenants without their user": "SELECT count(*) FROM method_tenants t WHERE NOT EXISTS"
        " (SELECT 1 FROM login_methods m WHERE m.app = t.app AND m.user_id = t.user_id)",
        "login methods whose tenants show another email": "SELECT count(*) FROM method_tenants t"
        " JOIN login_methods m USING (app, user_id) WHERE t.email IS NOT m.email",
        "permissions without their role": "SELECT count(*) FROM role_permissions p WHERE NOT EXISTS"
        " (SELECT 1 FROM roles r WHERE r.app = p.app AND r.role = p.role)",
        "roles of users without the role": "SELECT count(*) FROM user_roles u WHERE NOT EXISTS"
        " (SELECT 1 FROM roles r WHERE r.app = u.app AND r.role = u.role)",
        "tenants without their app": "SELECT count(*) FROM tenants t WHERE NOT EXISTS"
        " (SELECT 1 FROM apps a WHERE a.app = t.app)",
    }
    with store.snapshot() as db:
        found = {name: db.execute(query).fetchone()[0] for name, query in checks.items()}
    return {name: number for name, number in found.items() if number}
