"""Which apps and tenants there are, and the settings in force for each."""

from __future__ import annotations

import json
from typing import Any

import attrs

from .cache import LeastRecentlyUsed
from .fields import CallRefused
from .knownsettings import SettingRefused, setting_of
from .settings import CoreSettings
from .storage.database import Store

NEVER_TENANTS = ("recipe", "config", "users", "hello")
"""What is no tenant id, since paths begin with it."""

_CACHED = 4096


@attrs.frozen
class Tenant:
    """
    A tenant that exists.

    :param app: the number of its app in the tables; never used again after the app's removal.
    :param key_version: how often the signing keys of the app were replaced as a whole.
    :param settings: its own, over those of its app's public tenant, over the core's.
    """

    app: int
    app_id: str
    tenant_id: str
    key_version: int
    settings: CoreSettings

    @property
    def place(self) -> dict[str, Any]:
        """The columns that say of a row to which tenant it belongs."""
        return {"app": self.app, "tenant_id": self.tenant_id}


class Tenancy:
    """
    Looks tenants up, one query a call, so that a change made by another process counts at once.

    Only the parsing is cached, by the very text of the configuration, and so can never be stale.
    """

    def __init__(self, store: Store, base: CoreSettings) -> None:
        self.base = base
        self._store = store
        self._parsed: LeastRecentlyUsed[tuple[str, str], CoreSettings] = LeastRecentlyUsed(_CACHED)

    def find(self, app_id: str, tenant_id: str) -> Tenant | None:
        """Return a tenant, None when it or its app does not exist."""
        return self.find_with_public(app_id, tenant_id)[0]

    def find_with_public(self, app_id: str, tenant_id: str) -> tuple[Tenant | None, Tenant | None]:
        """Return a tenant and the public tenant of its app; None for one that does not exist."""
        rows = self._store.cached_rows(
            "SELECT app, tenant_id, core_config, key_version FROM apps JOIN tenants USING (app)"
            " WHERE app_id = ? AND tenant_id IN ('public', ?) ORDER BY tenant_id",
            *(app_id, tenant_id),
        )
        found = {}
        configs = {row[1]: row[2] for row in rows}
        for app, name, config, key_version in rows:
            own = config if name != "public" else "{}"
            found[name] = Tenant(app, app_id, name, key_version, self.settings(configs["public"], own))
        return found.get(tenant_id), found.get("public")

    def settings(self, of_app: str, of_tenant: str) -> CoreSettings:
        """Return the settings that two ``coreConfig`` objects (as JSON text) make over the base."""
        if of_app == of_tenant == "{}":
            return self.base
        key = (of_app, of_tenant)
        found = self._parsed.get(key)
        if found is None:
            # A setting at app level is the same for all its tenants, whatever an older value of theirs says.
            own = json.loads(of_tenant)
            own = {name: value for name, value in own.items() if setting_of(name).scope == "tenant"}
            try:
                found = self.base.over_configs(json.loads(of_app), own)
            except SettingRefused as error:
                # They were valid when they were stored; the core's own settings have changed since.
                raise CallRefused(
                    500, f"the settings of this app do not go with those of the core any more: {error}"
                ) from error
            self._parsed.put(key, found)
        return found
