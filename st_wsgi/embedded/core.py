"""
A core in one SQLite file, or in PostgreSQL, as a transport.

The official core's order of checks holds for every call (``webserver/WebserverAPI.java``): the client's address, the
API key, the CDI version, the handler's own fields, the tenant, the work. What a call may do is in the rows that the
modules of the areas contribute; :data:`ENDPOINTS` joins them.
"""

from __future__ import annotations

import logging
import os
import pathlib
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from ..core_client.transport import CoreReply, CoreRequest, intercepted
from ..errors import ConfigError
from . import (
    absent,
    admission,
    associations,
    bulkimport,
    dashboard,
    emailpassword,
    emailverification,
    general,
    idmapping,
    jwt,
    linking,
    listing,
    metadata,
    passwordless,
    providers,
    removal,
    roles,
    sessionrows,
    sessions,
    tenants,
    thirdparty,
    totp,
    webauthn,
)
from .attempts import Attempts
from .bulkqueue import BulkQueue
from .call import Call, Clock, CoreServices, Endpoint
from .cleanup import Cleaner
from .fields import Answered, Body, CallRefused, Query
from .general import TEXT
from .hashes import HashUnusable
from .keys import Keys
from .offload import HashingBusy
from .passwords import Passwords
from .settings import CoreSettings
from .stats import RequestStats
from .storage.database import Store
from .storage.sqlite import SQLiteStore
from .tenancy import NEVER_TENANTS, Tenancy, Tenant
from .versions import Version

_USERS = (listing, removal, idmapping, roles, metadata, sessions, sessionrows, linking, associations, bulkimport)
_WAYS_IN = (emailpassword, emailverification, thirdparty, passwordless, webauthn, totp)
ENDPOINTS: tuple[Endpoint, ...] = tuple(
    endpoint
    for area in (*_USERS, *_WAYS_IN, general, jwt, dashboard, tenants, providers, absent)
    for endpoint in area.ENDPOINTS
)
"""Every endpoint."""

_APP = re.compile(r"/appid-([a-z0-9-]*)(?![^/])")
_TENANT = re.compile(r"/([a-z0-9-]+)(?![^/])")
_log = logging.getLogger("st_wsgi.core")


def _now() -> int:
    return time.time_ns() // 1_000_000


_Rows = Mapping[tuple[str, "str | None"], Endpoint]
"""The endpoints of one path, by method and recipe."""


def _table(endpoints: Iterable[Endpoint]) -> Mapping[str, _Rows]:
    table: dict[str, dict[tuple[str, str | None], Endpoint]] = {}
    for endpoint in endpoints:
        rows = table.setdefault(endpoint.path.rstrip("/").lower(), {})
        if rows.setdefault((endpoint.method, endpoint.rid), endpoint) is not endpoint:
            raise ValueError(f"two endpoints for {endpoint.method} {endpoint.path}")
    return table


_TABLE = _table(ENDPOINTS)


def _split(path: str) -> tuple[str, str, _Rows | None]:
    """Return app id, tenant id and the endpoints of a path: ``[/appid-<app>][/<tenant>]<path>``, in any case."""
    rest, app_id = path.lower().rstrip("/"), "public"
    app = _APP.match(rest)
    if app is not None:
        app_id, rest = app[1] or "public", rest[app.end() :]
    if rest in _TABLE:
        return app_id, "public", _TABLE[rest]
    tenant = _TENANT.match(rest)
    if tenant is None or tenant[1] in NEVER_TENANTS or rest[tenant.end() :] not in _TABLE:
        return "public", "public", None
    return app_id, tenant[1], _TABLE[rest[tenant.end() :]]


def _choose(rows: _Rows, method: str, rid: str | None) -> Endpoint | None:
    """Return the endpoint for a method; where recipes share a path, of the recipe that ``rid`` names."""
    only = rows.get((method, None))
    if only is not None:
        return only
    if all(recipe != rid for _, recipe in rows):
        rid = emailpassword.RECIPE
    return rows.get((method, rid))


@attrs.frozen
class _Place:
    """
    What a path names.

    :param rows: None when there is nothing.
    :param public: the public tenant of the app, None when there is no such app.
    """

    app_id: str
    tenant_id: str
    rows: _Rows | None
    tenant: Tenant | None
    public: Tenant | None

    @property
    def keyless(self) -> bool:
        """Whether it is served without an API key, and takes no body."""
        return self.rows is None or any(row.keyless for row in self.rows.values())


_ADMITTED = CoreReply(200, "")


class EmbeddedCore:
    """
    A SuperTokens core in this process, with its users in one SQLite file or in PostgreSQL.

    A :class:`~st_wsgi.core_client.transport.Transport`: ``send`` takes calls from any number of threads, greenlets and
    (for a file) processes. The bodies it returns are fresh objects that belong to the caller.

    :param path: the file, made if it is not there; None keeps everything in memory, for as long as this object lives.
        A function opens another database.
    :param settings: core settings by their official names, such as ``{"access_token_validity": 2}``.
    :param clock: returns the time in milliseconds since 1970.
    :raises ConfigError: for a setting or a file that cannot be used. The message names it and what to do.
    :cvar in_process: asking it costs microseconds, so that nothing needs to be fetched ahead in the background.
    """

    in_process = True

    def __init__(
        self,
        path: str | os.PathLike[str] | Callable[[], Store] | None = None,
        *,
        settings: Mapping[str, object] | None = None,
        clock: Clock = _now,
    ) -> None:
        base = CoreSettings.of(settings or {})
        passwords = Passwords(base)
        store = path() if callable(path) else SQLiteStore(path)
        tenancy = Tenancy(store, base)
        self._services = CoreServices(
            store=store,
            clock=clock,
            keys=Keys(store),
            passwords=passwords,
            tenancy=tenancy,
            stats=RequestStats(),
            cleaner=Cleaner(),
            imports=BulkQueue(store, clock, passwords, tenancy),
        )

    @classmethod
    def open(cls, address: str, *, settings: Mapping[str, object] | None = None, clock: Clock = _now) -> EmbeddedCore:
        """
        Return the core at *address*.

        ``sqlite:///auth.db`` is relative, ``sqlite:////srv/auth.db`` absolute, ``sqlite://`` in memory, and
        ``postgresql://user@host:5432/database`` a server. The query holds core settings:
        ``sqlite:///auth.db?access_token_validity=2``. *settings* go on top.

        :raises ConfigError: when the address, a setting or the file is not usable.
        """
        opener, given = locate(address)
        return cls(opener, settings={**given, **(settings or {})}, clock=clock)

    @staticmethod
    def check_api_key(address: str, api_key: str | None) -> None:
        """
        Check the key with which an app is going to call the core at *address*, before that is opened.

        :raises ConfigError: the core has ``api_keys`` and this is none of them, or it has none.
        """
        _, values = locate(address)
        keys = CoreSettings.of(values).api_keys
        if keys and (api_key is None or api_key.strip().encode() not in keys):
            raise ConfigError("core has the setting api_keys: pass one of them as api_key too, or leave api_keys out")
        if api_key is not None and not keys:
            raise ConfigError(
                "api_key is for a core at another address: leave it out, since the embedded core has no key"
            )

    def __repr__(self) -> str:
        return f"<EmbeddedCore {self._services.store.name}, {self._services.tenancy.base!r}>"

    @property
    def password_byte_limit(self) -> int | None:
        """How many bytes of a password the hash looks at: 72 with bcrypt, all with Argon2."""
        return 72 if self._services.tenancy.base.text("password_hashing_alg") == "BCRYPT" else None

    @property
    def attempts(self) -> Attempts:
        """Counts attempts to sign in and the like for the app, together with all its other processes."""
        return Attempts(self._services)

    @property
    def services(self) -> CoreServices:
        """What the commands (``db``, ``user``, ``export``) work on."""
        return self._services

    def close(self) -> None:
        """Close the database. Calls that run finish; later ones fail. A bulk import goes on when it is opened again."""
        self._services.imports.close()
        self._services.store.close()

    def __enter__(self) -> EmbeddedCore:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def send(self, request: CoreRequest, /) -> CoreReply:
        """Reply to one call as the official core would."""
        request = intercepted(request, "http://embedded.localhost")
        return self.serve(request, lambda: request.body)

    def serve(
        self, request: CoreRequest, read_body: Callable[[], Mapping[str, Any] | None], *, client: str | None = None
    ) -> CoreReply:
        """
        Reply to a call whose body is read when the headers were accepted.

        :param read_body: returns the JSON object of the body, None when it is something else.
        :param client: the address of a client that calls over HTTP; None for a call in this process.
        """

        bodies: list[Mapping[str, Any] | None] = []
        counted = False

        def handle() -> dict[str, Any] | CoreReply:
            nonlocal counted
            place = self._place(request)
            if place.public is not None and not counted:
                counted = True
                self._services.stats.count(place.app_id, self._services.clock())
            endpoint, version = self._admit(request, place, client)
            if not bodies:  # it can be read once, whatever is repeated
                bodies.append(read_body() if request.method in ("POST", "PUT") and not place.keyless else {})
            if bodies[0] is None:
                raise CallRefused(400, "Invalid Json Input")
            with ExitStack() as until_the_end:
                call = Call(
                    services=self._services,
                    scope=endpoint.scope,
                    app_id=place.app_id,
                    tenant_id=place.tenant_id,
                    tenant=place.tenant,
                    version=version,
                    body=Body(bodies[0]),
                    query=Query(request.params),
                    headers=request.headers,
                    reads=request.method == "GET",
                    concurrent=endpoint.concurrent,
                    until_the_end=until_the_end,
                )
                if endpoint.early:
                    call.admit()
                return endpoint.handler(call)

        def reply() -> dict[str, Any] | CoreReply:
            self._services.imports.look()
            return self._services.store.repeated(handle)

        return self._guarded(request, reply)

    def refusal(self, request: CoreRequest, *, client: str) -> CoreReply | None:
        """Return the reply to a call over HTTP whose large body need not be received, None when it must be."""

        def reply() -> CoreReply:
            place = self._services.store.repeated(lambda: self._place(request))
            self._admit(request, place, client)
            if place.public is None or place.keyless:
                raise CallRefused(413, "this call takes no such body")
            return _ADMITTED

        checked = self._guarded(request, reply)
        return None if checked is _ADMITTED else checked

    def _guarded(self, request: CoreRequest, reply: Callable[[], dict[str, Any] | CoreReply]) -> CoreReply:
        try:
            made = reply()
        except CallRefused as error:
            return CoreReply(error.status, error.text, TEXT)
        except Answered as error:
            return CoreReply(200, error.answer)
        except HashUnusable as error:
            _log.error("%s %s: %s", request.method, request.path, error)
            return CoreReply(500, str(error), TEXT)
        except HashingBusy:
            return CoreReply(503, "too many passwords are being hashed: try again", {**TEXT, "retry-after": "1"})
        except self._services.store.errors as error:
            text = self._services.store.explain(error)
            _log.error("%s %s: %s", request.method, request.path, text)
            if self._services.store.is_transient(error):
                return CoreReply(503, text, {**TEXT, "retry-after": "1"})
            return CoreReply(500, text, TEXT)
        return made if isinstance(made, CoreReply) else CoreReply(200, made)

    def _admit(self, request: CoreRequest, place: _Place, client: str | None) -> tuple[Endpoint, Version]:
        """Return the endpoint and the CDI version of a call. :raises CallRefused: before its body is looked at."""
        base, headers = self._services.tenancy.base, request.headers
        settings = base if place.public is None else place.public.settings
        if client is not None and place.public is not None:
            admission.check_address((place.tenant or place.public).settings, client)
        secret = base.text("supertokens_saas_secret")
        keys = settings.api_keys if secret is None else (*settings.api_keys, secret.encode())
        if not keys and client is not None:
            admission.refuse_browsers(headers)
        if keys and place.public is not None and not place.keyless:
            admission.check_key(keys, headers)
        endpoint = None if place.rows is None else _choose(place.rows, request.method, headers.get("rid"))
        version = admission.cdi_version(headers.get("cdi-version"), settings)
        if place.rows is None:
            raise CallRefused(404, "Not found")
        if endpoint is None:
            raise CallRefused(405, "Method not supported")
        return endpoint, version

    def _place(self, request: CoreRequest) -> _Place:
        app_id, tenant_id, rows = _split(unquote(request.path))
        return _Place(app_id, tenant_id, rows, *self._services.tenancy.find_with_public(app_id, tenant_id))


def locate(address: str) -> tuple[Callable[[], Store], dict[str, object]]:
    """
    Return a function that opens the database at an address, and the core settings in its query.

    :raises ConfigError: it is no address of a database.
    """
    if re.match("postgres(ql)?:", address, re.IGNORECASE):
        try:
            from .storage import postgres  # an app on a file never loads psycopg
        except ImportError as error:
            raise ConfigError("PostgreSQL needs psycopg. Run `pip install 'st-wsgi[postgres]'`") from error
        place, own, settings = postgres.split(address)
        return partial(postgres.PostgresStore, place, own), settings
    path, settings = parse_address(address)
    return partial(SQLiteStore, path), settings


def backup_command(address: str, target: str) -> str:
    """Return the command that copies a database in PostgreSQL to a file. :raises ConfigError: it is no address."""
    locate(address)  # says what is missing
    from .storage import postgres  # as there

    return postgres.dump_command(address, target)


def parse_address(address: str) -> tuple[pathlib.Path | None, dict[str, object]]:
    """
    Return the file (None for memory) and the core settings of a ``sqlite:`` address.

    ``sqlite:///auth.db`` is relative to the current folder, ``sqlite:////srv/auth.db`` absolute.

    :raises ConfigError: when it is not such an address.
    """
    parts = urlsplit(address)
    if parts.scheme != "sqlite":
        raise ConfigError(
            f"the embedded core keeps its users in a SQLite file or in PostgreSQL, not in {parts.scheme or address!r}. "
            "Write sqlite:///auth.db or postgresql://user@host:5432/database"
        )
    if parts.netloc or parts.fragment:
        raise ConfigError(
            f"{parts.netloc!r} is no place for a file: write sqlite:///auth.db (in the current folder) or "
            "sqlite:////srv/auth.db"
        )
    settings: dict[str, object] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in settings:
            raise ConfigError(f"the core setting {name!r} is in the address twice")
        settings[name] = value
    path = unquote(parts.path.removeprefix("/"))
    return (None if path in ("", ":memory:") else pathlib.Path(path)), settings
