"""What is stored of a tenant, and the two shapes in which the core driver interface shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .fields import dump
from .storage.database import Database
from .storage.tables import TABLES, tables_with

RECIPE_FACTORS: Mapping[str, tuple[str, ...]] = {
    "emailPassword": ("emailpassword",),
    "thirdParty": ("thirdparty",),
    "passwordless": ("otp-phone", "otp-email", "link-phone", "link-email"),
}
"""The factors that the older endpoints' switches (``emailPasswordEnabled``, ...) stand for."""

ALL_ON: Mapping[str, bool] = dict.fromkeys(RECIPE_FACTORS, True)
ALL_OFF: Mapping[str, bool] = dict.fromkeys(RECIPE_FACTORS, False)


@attrs.frozen
class TenantRow:
    """
    The configuration of a tenant.

    :param first_factors: None where nothing was said.
    :param enabled: the older endpoints' switches, by recipe.
    :param providers: third party providers, as they were given.
    """

    tenant_id: str
    core_config: Mapping[str, Any] = attrs.field(factory=dict)
    first_factors: Sequence[str] | None = None
    required_secondary_factors: Sequence[str] | None = None
    enabled: Mapping[str, bool] = ALL_ON
    providers: Sequence[Mapping[str, Any]] = ()

    @property
    def switched_factors(self) -> list[str]:
        """The first factors that the older endpoints' switches mean."""
        return [factor for recipe, names in RECIPE_FACTORS.items() if self.enabled[recipe] for factor in names]

    def shown_as_enabled(self, recipe: str) -> bool:
        """Return the older endpoints' switch of a recipe; without any first factor everything is off (CDI 5.0)."""
        return self.enabled[recipe] and (self.first_factors is None or len(self.first_factors) > 0)

    def json(self, *, v2: bool = True) -> dict[str, Any]:
        """
        Return the tenant as CDI 5.1 and later show it: what is null is left out.

        :param v2: False for the deprecated endpoints, as they show it to CDI 5.0 and later.
        """
        answer: dict[str, Any] = {
            "tenantId": self.tenant_id,
            "thirdParty": {"providers": json.loads(dump(list(self.providers)))},
            "coreConfig": json.loads(dump(dict(self.core_config))),
        }
        if self.first_factors is not None or not all(self.enabled.values()):
            answer["firstFactors"] = list(self.switched_factors if self.first_factors is None else self.first_factors)
        if self.required_secondary_factors is not None:
            answer["requiredSecondaryFactors"] = list(self.required_secondary_factors)
        if not v2:
            for recipe in RECIPE_FACTORS:
                answer.setdefault(recipe, {})["enabled"] = self.shown_as_enabled(recipe)
            if not self.first_factors:
                answer.pop("firstFactors", None)
        return answer


def new_v2(tenant_id: str) -> TenantRow:
    """Return a new tenant: the public one allows everything, another nothing."""
    return TenantRow(tenant_id, first_factors=None if tenant_id == "public" else [])


def new_v1(tenant_id: str) -> TenantRow:
    """Return the same, as the deprecated endpoints say it."""
    return TenantRow(tenant_id, enabled=ALL_ON if tenant_id == "public" else ALL_OFF)


_SWITCHES = ("email_password_enabled", "third_party_enabled", "passwordless_enabled")
_COLUMNS = f"tenant_id, core_config, first_factors, required_secondary_factors, {', '.join(_SWITCHES)}"


def providers(db: Database, app: int, tenant_id: str) -> list[dict[str, Any]]:
    """Return the third party providers of a tenant, in the order in which the official core shows them."""
    return _in_order(db.select("tenant_providers", "third_party_id, config", app=app, tenant_id=tenant_id))


def _in_order(rows: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return providers by id and configuration in the order of the official core's Java hash map."""
    # Buckets, as many as a power of two, a quarter of them free.
    buckets = 16
    while len(rows) > buckets * 3 // 4:
        buckets *= 2
    rows.sort(key=lambda row: (_java_hash(row[0]) % buckets, row[0]))
    return [json.loads(row[1]) for row in rows]


def _java_hash(text: str) -> int:
    number = 0
    for unit in memoryview(text.encode("utf-16-le")).cast("H"):
        number = (31 * number + unit) % 2**32
    return number ^ number >> 16


def _load(db: Database, condition: str, *values: object) -> dict[int, list[TenantRow]]:
    """Return the tenants that a condition is true for, by the number of their app, in the order they were made in."""
    kept: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for app, tenant_id, third_party_id, config in db.rows(
        f"SELECT app, tenant_id, third_party_id, config FROM tenant_providers WHERE {condition}", *values
    ):
        kept.setdefault((app, tenant_id), []).append((third_party_id, config))
    tenants: dict[int, list[TenantRow]] = {}
    order = "app, tenant_id <> 'public', created_at, tenant_id"
    for app, tenant_id, core_config, first, secondary, *enabled in db.rows(
        f"SELECT app, {_COLUMNS} FROM tenants WHERE {condition} ORDER BY {order}", *values
    ):
        tenant = TenantRow(
            tenant_id=tenant_id,
            core_config=json.loads(core_config),
            first_factors=None if first is None else json.loads(first),
            required_secondary_factors=None if secondary is None else json.loads(secondary),
            enabled=dict(zip(RECIPE_FACTORS, map(bool, enabled), strict=True)),
            providers=_in_order(kept.get((app, tenant_id), [])),
        )
        tenants.setdefault(app, []).append(tenant)
    return tenants


def load(db: Database, app: int, tenant_id: str) -> TenantRow | None:
    """Return a tenant of an app, None when there is none of that id."""
    tenants = _load(db, "app = ? AND tenant_id = ?", app, tenant_id).get(app)
    return tenants[0] if tenants else None


def load_all(db: Database, app: int) -> list[TenantRow]:
    """Return an app's tenants in the order in which they were made."""
    return _load(db, "app = ?", app).get(app, [])


def load_apps(db: Database) -> dict[str, list[TenantRow]]:
    """Return the tenants of every app by the app's id, in the order in which they were made."""
    tenants = _load(db, "true")
    return {app_id: tenants.get(app, []) for app, app_id in db.rows("SELECT app, app_id FROM apps ORDER BY app")}


def save(db: Database, app: int, tenant: TenantRow, now: int) -> None:
    """Store a tenant, new or changed; its providers are stored by :func:`save_provider`."""
    secondary = tenant.required_secondary_factors
    stored = {
        "core_config": dump(dict(tenant.core_config)),
        "first_factors": None if tenant.first_factors is None else dump(list(tenant.first_factors)),
        # No required factors and nothing said about them are the same thing.
        "required_secondary_factors": dump(list(secondary)) if secondary else None,
        **{column: tenant.enabled[recipe] for column, recipe in zip(_SWITCHES, RECIPE_FACTORS, strict=True)},
    }
    db.insert_new("tenants", app=app, tenant_id=tenant.tenant_id, created_at=now)
    db.update("tenants", stored, app=app, tenant_id=tenant.tenant_id)


def save_provider(db: Database, app: int, tenant_id: str, provider: Mapping[str, Any]) -> bool:
    """Store a provider of a tenant; tell whether it is new."""
    key = (app, tenant_id, provider["thirdPartyId"])
    new = not remove_provider(db, *key)
    db.change("INSERT INTO tenant_providers VALUES (?, ?, ?, ?)", *key, dump(dict(provider)))
    return new


def remove_provider(db: Database, app: int, tenant_id: str, third_party_id: str) -> bool:
    """Remove a provider of a tenant; tell whether it was there."""
    return db.delete("tenant_providers", app=app, tenant_id=tenant_id, third_party_id=third_party_id) > 0


def create_app(db: Database, app_id: str, now: int) -> int:
    """Store a new app without any tenant yet; return its number."""
    db.insert("apps", app_id=app_id, created_at=now)
    return int(db.value("SELECT app FROM apps WHERE app_id = ?", app_id))


def app_number(db: Database, app_id: str) -> int | None:
    """Return the number of an app, None when there is none of that id."""
    number: int | None = db.value("SELECT app FROM apps WHERE app_id = ?", app_id)
    return number


def remove_app(db: Database, app: int) -> None:
    """Remove an app with everything in it."""
    for table in ("apps", *(table.name for table in TABLES)):
        db.delete(table, app=app)


def remove_tenant(db: Database, app: int, tenant_id: str) -> None:
    """Remove a tenant with what is its own; its users stay in the app."""
    for table in tables_with("tenant_id"):
        db.delete(table.name, app=app, tenant_id=tenant_id)
