"""All users of an app of an embedded core, one by one, with what other cores need to take them over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from . import tenantrows
from .fields import dump
from .knownsettings import setting_of
from .storage.database import Database, Store
from .storage.tables import EXTERNAL, VERIFIED
from .users import external_ids, users_json

REDACTED = "[redacted]"
_BATCH = 200
_IDENTITY = ("email", "phone_number", "third_party_id", "third_party_user_id")


@attrs.frozen
class Person:
    """
    A user with all that is kept about them.

    :param user: the user JSON of CDI 5.4; its ids are external where a mapping exists.
    :param user_id: the SuperTokens id in this core.
    :param mappings: SuperTokens id and note by external id, of the user and of each login method that has one.
    :param password_hashes: by recipe user id.
    :param verified_emails: all that are verified under one of the ids that apps use, by that id.
    :param roles: by tenant.
    :param totp_devices: each with ``deviceName``, ``secretKey``, ``period``, ``skew`` and ``verified``.
    """

    user: dict[str, Any]
    user_id: str
    mappings: dict[str, tuple[str, str | None]]
    password_hashes: dict[str, str] = attrs.field(repr=False)
    verified_emails: dict[str, list[str]]
    roles: dict[str, list[str]]
    metadata: dict[str, Any] | None
    totp_devices: list[dict[str, Any]] = attrs.field(repr=False)

    def json(self, *, secrets: bool) -> dict[str, Any]:
        """Return the person as one line of an export; without *secrets* password hashes and the like are not shown."""
        hashes = self.password_hashes if secrets else dict.fromkeys(self.password_hashes, REDACTED)
        devices = self.totp_devices if secrets else [{**one, "secretKey": REDACTED} for one in self.totp_devices]
        name = self.user["id"]
        return {
            "type": "user",
            "superTokensUserId": self.user_id,
            "externalUserId": name if name in self.mappings else None,
            "externalUserIdInfo": self.mappings.get(name, (None, None))[1],
            "user": self.user,
            "superTokensRecipeUserIds": {name: user_id for name, (user_id, _) in self.mappings.items()},
            "passwordHashes": hashes,
            "verifiedEmails": self.verified_emails,
            "roles": self.roles,
            "metadata": self.metadata,
            "totpDevices": devices,
        }


def count(store: Store, app: int) -> int:
    """Return how many users an app has."""
    with store.read() as db:
        return int(db.value("SELECT count(DISTINCT primary_user_id) FROM login_methods WHERE app = ?", app))


def people(store: Store, app: int, *, after: str = "") -> Iterator[Person]:
    """
    Yield the users of an app in the order of their SuperTokens ids.

    :param after: start behind this id; who joins meanwhile may or may not come.
    """
    while True:
        with store.snapshot() as db:
            ids = db.column(
                "SELECT DISTINCT primary_user_id FROM login_methods WHERE app = ? AND primary_user_id > ?"
                " ORDER BY primary_user_id LIMIT ?",
                *(app, after, _BATCH),
            )
            batch = _people(db, app, ids)
        yield from batch
        if len(ids) < _BATCH:
            return
        after = ids[-1]


def _people(db: Database, app: int, ids: Sequence[str]) -> list[Person]:
    """Return users by the ids of their groups, in that order."""
    users = users_json(db, app, ids)
    hashes: dict[str, dict[str, str]] = {user_id: {} for user_id in ids}
    methods: dict[str, list[str]] = {user_id: [] for user_id in ids}
    columns = "primary_user_id, user_id, password_hash"
    for group, user_id, stored in db.of_many(columns, "login_methods", app, ids, "primary_user_id"):
        methods[group].append(user_id)
        if stored is not None:
            hashes[group][user_id] = stored
    internal = {user_id for group, own in methods.items() for user_id in (group, *own)}
    external = external_ids(db, app, internal)
    notes = dict(db.of_many("user_id, info", "user_id_mappings", app, internal))
    names = {external.get(user_id, user_id) for user_id in internal}
    verified: dict[str, list[str]] = {}
    for name, email in sorted(db.of_many("user_id, email", "verified_emails", app, names)):
        verified.setdefault(name, []).append(email)
    roles: dict[str, dict[str, list[str]]] = {}
    for name, tenant_id, role in sorted(db.of_many("user_id, tenant_id, role", "user_roles", app, names)):
        roles.setdefault(name, {}).setdefault(tenant_id, []).append(role)
    metadata = dict(db.of_many("user_id, metadata", "user_metadata", app, names))
    devices: dict[str, list[dict[str, Any]]] = {}
    columns = "user_id, device_name, secret, period, skew, verified"
    for name, device, secret, period, skew, done in db.of_many(columns, "totp_devices", app, names):
        stored_device = {"deviceName": device, "secretKey": secret, "period": period, "skew": skew}
        devices.setdefault(name, []).append({**stored_device, "verified": done == 1})
    people = []
    for group, user in zip(ids, users, strict=True):
        own = dict.fromkeys((group, *methods[group]))
        name = user["id"]
        people.append(
            Person(
                user=user,
                user_id=group,
                mappings={external[user_id]: (user_id, notes[user_id]) for user_id in own if user_id in external},
                password_hashes={external.get(user_id, user_id): stored for user_id, stored in hashes[group].items()},
                verified_emails={
                    shown: verified[shown]
                    for shown in (external.get(user_id, user_id) for user_id in own)
                    if shown in verified
                },
                roles=roles.get(name, {}),
                metadata=json.loads(metadata[name]) if name in metadata else None,
                totp_devices=devices.get(name, []),
            )
        )
    return people


def roles(store: Store, app: int) -> dict[str, list[str]]:
    """Return the permissions of every role of an app."""
    with store.read() as db:
        found: dict[str, list[str]] = {role: [] for role in db.column("SELECT role FROM roles WHERE app = ?", app)}
        for role, permission in db.rows("SELECT role, permission FROM role_permissions WHERE app = ?", app):
            found[role].append(permission)
    return found


def tenants(store: Store, app: int) -> list[dict[str, Any]]:
    """Return the tenants of an app as CDI 5.1 shows them."""
    with store.read() as db:
        return [tenant.json() for tenant in tenantrows.load_all(db, app)]


def lines(store: Store, app: int, *, secrets: bool) -> Iterator[str]:
    """
    Yield an app as JSON, a line each for tenants, roles and users.

    :param secrets: with password hashes, TOTP secrets and client secrets, which are left out otherwise.
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
    for name in tenant["coreConfig"]:
        if setting_of(name).is_secret:
            tenant["coreConfig"][name] = REDACTED
    return tenant


def orphans(store: Store) -> dict[str, int]:
    """Return how many rows refer to something that is not there, by what is missing; empty when all is well."""
    checks = {
        "login methods of tenants without their user": "SELECT count(*) FROM method_tenants t WHERE NOT EXISTS"
        " (SELECT 1 FROM login_methods m WHERE m.app = t.app AND m.user_id = t.user_id)",
        "login methods whose tenants show another identity or user": "SELECT count(*) FROM method_tenants t"
        " JOIN login_methods m USING (app, user_id) WHERE t.primary_user_id <> m.primary_user_id OR "
        + " OR ".join(f"COALESCE(t.{name}, '') <> COALESCE(m.{name}, '')" for name in _IDENTITY),
        "login methods that show another mapping or verification": "SELECT count(*) FROM login_methods o"
        f" WHERE COALESCE(external_user_id, '') <> COALESCE({EXTERNAL}, '') OR verified <> {VERIFIED}",
        "codes without their device": "SELECT count(*) FROM passwordless_codes c WHERE NOT EXISTS (SELECT 1"
        " FROM passwordless_devices d WHERE d.app = c.app AND d.tenant_id = c.tenant_id"
        " AND d.device_id_hash = c.device_id_hash)",
        "passkeys without their user": "SELECT count(*) FROM webauthn_credentials c WHERE NOT EXISTS"
        " (SELECT 1 FROM login_methods m WHERE m.app = c.app AND m.user_id = c.user_id)",
        "permissions without their role": "SELECT count(*) FROM role_permissions p WHERE NOT EXISTS"
        " (SELECT 1 FROM roles r WHERE r.app = p.app AND r.role = p.role)",
        "roles of users without the role": "SELECT count(*) FROM user_roles u WHERE NOT EXISTS"
        " (SELECT 1 FROM roles r WHERE r.app = u.app AND r.role = u.role)",
        "tenants without their app": "SELECT count(*) FROM tenants t WHERE NOT EXISTS"
        " (SELECT 1 FROM apps a WHERE a.app = t.app)",
    }
    with store.snapshot() as db:
        found = {name: db.value(query) for name, query in checks.items()}
    return {name: number for name, number in found.items() if number}
