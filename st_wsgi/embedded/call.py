"""
One call of the core driver interface as its handler sees it.

A handler reads its fields first and touches the database after; the first touch checks that the tenant of the path
exists and that the path may name one (``webserver/WebserverAPI.java`` of the official core answers in that order too).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Literal, Protocol

import attrs

from ..core_client.transport import CoreReply
from .cleanup import Cleaner
from .fields import Body, CallRefused, Query
from .keys import Keys
from .passwords import Passwords
from .settings import CoreSettings
from .stats import RequestStats
from .storage.database import Database, Store
from .tenancy import Tenancy, Tenant
from .versions import Version

Clock = Callable[[], int]
"""Returns the time in milliseconds since 1970."""

Scope = Literal["app", "app-user", "app-tolerant", "tenant", "special"]
"""
``app``: no tenant in the path. ``app-user``: likewise, and the refusal of an unknown app names no tenant.
``app-tolerant``: a tenant in the path is ignored. ``tenant``: the tenant must exist. ``special``: the handler checks by
itself.
"""


class ImportQueue(Protocol):
    """The queue of the bulk import, as handlers see it: ``bulkqueue`` is above them."""

    def look(self) -> None: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...


@attrs.frozen
class CoreServices:
    """What the handlers of one embedded core share."""

    store: Store
    clock: Clock
    keys: Keys
    passwords: Passwords
    tenancy: Tenancy
    stats: RequestStats
    cleaner: Cleaner
    imports: ImportQueue


@attrs.define
class Call:
    """A call that passed the checks of API key and version, on its way through a handler."""

    services: CoreServices
    scope: Scope
    app_id: str
    tenant_id: str
    tenant: Tenant | None
    version: Version
    body: Body
    query: Query
    headers: Mapping[str, str]
    _reads: bool
    _concurrent: bool
    _until_the_end: ExitStack
    _admitted: bool = False
    _db: Database | None = None

    @property
    def now(self) -> int:
        """The time in milliseconds since 1970."""
        return self.services.clock()

    @property
    def here(self) -> Tenant:
        """The tenant that this call is for; for calls at app level the app's public one."""
        self.admit()
        assert self.tenant is not None
        return self.tenant

    @property
    def app(self) -> int:
        """The number of the app in the tables."""
        return self.here.app

    @property
    def settings(self) -> CoreSettings:
        """The settings in force for this call."""
        return self.here.settings

    def admit(self) -> None:
        """Refuse a tenant that does not exist, or that the path may not name."""
        if self._admitted:
            return
        if self.scope in ("app", "app-user"):
            self.public_only()
        elif self.scope == "app-tolerant" and self.tenant_id != "public":
            # The tenant, if one matters, comes from the session handle or token.
            self.tenant = self.services.tenancy.find(self.app_id, "public")
        if self.tenant is None and self.scope == "app-user":
            raise CallRefused(
                400,
                "AppId or tenantId not found => App with the following connectionURIDomain and appId combination not "
                f"found: (, {self.app_id})",
            )
        if self.tenant is None:
            raise self.unknown_tenant(self.tenant_id if self.scope != "app-tolerant" else "public")
        self._admitted = True

    def public_only(self) -> None:
        """Refuse a tenant in the path: this call is about the whole app."""
        if self.tenant_id != "public":
            raise CallRefused(403, "Only public tenantId can call this app specific API")

    def unknown_tenant(self, tenant_id: str) -> CallRefused:
        """Return the refusal of a tenant that this app does not have."""
        return CallRefused(
            400,
            "AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId "
            f"combination not found: (, {self.app_id}, {tenant_id})",
        )

    @property
    def db(self) -> Database:
        """
        The database. The first use opens a transaction that ends with the call; in a ``GET``, a connection.

        Within a block of :meth:`reading` or :meth:`writing` it is the connection of that block.
        """
        if self._db is None:
            self.admit()
            store = self.services.store
            self._db = self._until_the_end.enter_context(store.read() if self._reads else self._write())
        return self._db

    def reading(self) -> AbstractContextManager[Database]:
        """Open the database for reading in this block only, in a call that does something slow before or after."""
        return self._opened(self.services.store.read)

    def writing(self) -> AbstractContextManager[Database]:
        """Open a transaction for this block only, in a call that does something slow before or after."""
        return self._opened(self._write)

    def writing_row(self) -> AbstractContextManager[Database]:
        """Open the database for reading and changing one row, as :meth:`.Store.write_row` does."""
        return self._opened(self.services.store.write_row)

    def _write(self) -> AbstractContextManager[Database]:
        return self.services.store.write(concurrent=self._concurrent)

    @contextmanager
    def _opened(self, source: Callable[[], AbstractContextManager[Database]]) -> Iterator[Database]:
        self.admit()
        with source() as db:
            before, self._db = self._db, db
            try:
                yield db
            finally:
                self._db = before


Handler = Callable[[Call], "dict[str, Any] | CoreReply"]
"""Returns the JSON object of a 200, or another response."""


@attrs.frozen
class Endpoint:
    """
    One row of the endpoint table.

    :param rid: for ``/recipe/user``, the recipe that the ``rid`` header names.
    :param keyless: served without an API key.
    :param early: the tenant is checked before the fields.
    :param concurrent: its transactions may run at the same time as others of this kind. They depend only on one row,
        which they lock, or on a unique index. All other transactions write alone.
    """

    method: str
    path: str
    scope: Scope
    handler: Handler
    rid: str | None = None
    keyless: bool = False
    early: bool = False
    concurrent: bool = False
