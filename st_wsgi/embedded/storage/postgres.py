"""
The PostgreSQL database behind an embedded core: its address, its pool, its transactions, and repeated calls.

Three rules hold everywhere:

* a write is one transaction, and no other one writes at the same time, as in SQLite. Only transactions with
  ``concurrent`` may run beside each other: they share a lock (``pg_advisory_xact_lock``) that others take exclusively.
  :meth:`PostgresStore.write_row` takes no such lock: its one changing statement checks what was read before;
* each statement of a read sees the newest commit, and a read holds no lock;
* a commit is never repeated. If the connection breaks during a commit, the transaction may be committed or not.

``docs/postgresql.md`` has the reasons.
"""

from __future__ import annotations

import importlib
import random
import re
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar
from urllib.parse import unquote_plus

import psycopg
from psycopg import errors, waiting
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from ...errors import ConfigError, CoreUnavailable
from ...forks import renew_after_fork
from ..cache import LeastRecentlyUsed
from .database import Store
from .postgres_database import Cursors, PostgresDatabase, Row, State, adapters
from .postgres_errors import (
    CONFLICTS,
    REMEDIES,
    TRANSIENT,
    CommitUncertain,
    NotAlone,
    Outdated,
    Overtaken,
    is_lost,
)
from .postgres_schema import LOCK, migrate

T = TypeVar("T")

SETTINGS: Mapping[str, str | int] = {
    "schema": "st_wsgi",
    "pool_size": 10,
    "pool_timeout_ms": 5000,
    "lock_timeout_ms": 10_000,
    "statement_timeout_ms": 30_000,
    "reply_timeout_ms": 35_000,
    "prepare_threshold": 5,
}
"""The settings in an address that are neither the core's nor libpq's, with their defaults."""

_DEFAULTS = {
    "connect_timeout": "5",
    "application_name": "st_wsgi",
    "tcp_user_timeout": "15000",
    "keepalives_idle": "30",
}
"""Settings of libpq with which a dead server is noticed. Those in the address take precedence."""

REPEATS = 5
"""How often a call is tried."""

_CACHED = 4096
"""How many queries a store remembers with their rows."""


class _NoReply(psycopg.OperationalError):
    """The server did not reply in time, and the connection was closed."""


class _LimitedConnection(psycopg.Connection[Row]):
    """
    A connection that is closed when a reply takes too long: if the server or the network hangs, nothing else ends it.

    :ivar limit: how many seconds a reply takes at most; 0 for no limit.
    :ivar cursors: of :class:`PostgresDatabase`.
    """

    limit: float = 0

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.cursors: Cursors = {}

    def wait(self, gen: PQGen[T], *args: Any, **more: Any) -> T:
        """Wait for the server. :raises _NoReply: for too long."""
        return super().wait(self._limited(gen) if self.limit else gen, *args, **more)

    def _limited(self, gen: PQGen[T]) -> PQGen[T]:
        end = time.monotonic() + self.limit
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted  # every 0.1 seconds even if nothing has come
                if time.monotonic() > end:
                    self.pgconn.finish()
                    raise _NoReply(f"the server did not reply within {self.limit:g} seconds")
                wanted = gen.send(ready)
        except StopIteration as done:
            outcome: T = done.value
            return outcome


_ABANDONED: list[ConnectionPool[_LimitedConnection]] = []
"""Pools inherited by a fork. They are kept, because closing one would end the connections of the parent."""


_ADDRESS = re.compile("postgres(ql)?://([^/?@]*@)?[^@]*")
"""An address whose only ``@`` is the one behind the password, with no ``/`` and no ``?`` before it. Others are %XX."""


def _unreadable() -> ConfigError:
    """Return the error for an address that may have its password anywhere. The text has no part of it."""
    return ConfigError(
        "the address of PostgreSQL cannot be read. Write postgresql://user:password@host:5432/database, with "
        "special characters of user and password as %XX"
    )


def split(address: str) -> tuple[str, dict[str, str], dict[str, object]]:
    """
    Split an address into the address for libpq, the settings of :data:`SETTINGS` and the settings of the core.

    :raises ConfigError: a setting is in the address twice, or the address cannot be read.
    """
    if not _ADDRESS.fullmatch(address):
        raise _unreadable()
    own: dict[str, str] = {}
    of_core: dict[str, object] = {}
    of_libpq = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    start, _, query = address.partition("?")
    left: list[str] = []
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if not re.fullmatch(r"\w+", name):
            raise _unreadable()
        if name in own or name in of_core:
            raise ConfigError(f"the setting {name!r} is in the address twice")
        if name in SETTINGS:
            own[name] = unquote_plus(value)
        elif name in of_libpq:
            left.append(pair)
        else:
            of_core[name] = unquote_plus(value)
    return f"{start}?{'&'.join(left)}", own, of_core


def _for_libpq(address: str) -> dict[str, str]:
    """Return the settings of libpq in an address of :func:`split`. :raises ConfigError: it cannot be read."""
    settings = None
    with suppress(psycopg.Error, UnicodeError):  # their texts may contain a part of the password
        settings = {name: str(value) for name, value in conninfo_to_dict(address).items()}
    if settings is None or not re.fullmatch("[0-9,]*", settings.get("port", "")):
        raise _unreadable()
    return settings


def dump_command(address: str, target: str) -> str:
    """Return the command that copies the schema at an address to a file. It has no password."""
    place, own, _ = split(address)
    options = {name: value for name, value in _for_libpq(place).items() if "password" not in name}
    words = "pg_dump", "--format=custom", f"--schema={own.get('schema', SETTINGS['schema'])}", f"--file={target}"
    return shlex.join((*words, f"--dbname={make_conninfo(**options)}"))


class PostgresStore(Store):
    """
    One PostgreSQL database, or a schema in it.

    Connections are opened when they are needed, and anew after a fork.

    :param address: an address for libpq, ``postgresql://...``.
    :param settings: of :data:`SETTINGS`.
    :raises ConfigError: the address or the database cannot be used. The text has the reason and what to do.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (psycopg.Error, CommitUncertain, Overtaken)

    def __init__(self, address: str, settings: Mapping[str, str] | None = None) -> None:
        given = {**SETTINGS, **(settings or {})}
        self._schema = str(given["schema"])
        if not re.fullmatch("[a-z_][a-z0-9_]*", self._schema):
            raise ConfigError(f"schema={self._schema!r}: take a name of small letters, digits and underscores")
        numbers = {name: _whole(name, value) for name, value in given.items() if name != "schema"}
        self._size, self._patience = max(1, numbers["pool_size"]), numbers["pool_timeout_ms"] / 1000
        self._prepare = numbers["prepare_threshold"] or None
        self._reply_limit = numbers["reply_timeout_ms"] / 1000
        self._limits = {
            "lock_timeout": numbers["lock_timeout_ms"],
            "statement_timeout": numbers["statement_timeout_ms"],
            # A machine that disappears during a transaction would keep the lock.
            "idle_in_transaction_session_timeout": numbers["statement_timeout_ms"],
        }
        local = "".join(f" SET LOCAL {name} = {value};" for name, value in self._limits.items())
        self._begin = f"BEGIN;{local} SELECT pg_advisory_xact_lock{{}}({LOCK}, hashtext('{self._schema}'))"
        self._cached_rows: LeastRecentlyUsed[tuple[str, tuple[object, ...]], tuple[int, list[Row]]]
        self._cached_rows = LeastRecentlyUsed(_CACHED)
        place = {**_DEFAULTS, **_for_libpq(address)}
        self._conninfo = make_conninfo(**place)
        host, port = place.get("host") or place.get("hostaddr") or "", place.get("port") or "5432"
        self._name = f"postgresql://{place.get('user', '')}@{host}:{port}/{place.get('dbname', '')} ({self._schema})"
        self._closed = False
        self._pool: ConnectionPool[_LimitedConnection] | None = None
        self._opening = threading.Lock()
        # Not a threading.local: with gunicorn's ``--preload``, this module is imported before gevent replaces that
        # class, and all greenlets would share one state.
        self._states: ContextVar[State | None]
        self._states = ContextVar("state of a store", default=None)
        try:
            with psycopg.connect(self._conninfo, **self._connecting()) as connection:
                migrate(connection, self._schema)
        except psycopg.Error as error:
            raise ConfigError(self.explain(error)) from error
        renew_after_fork(self)

    @property
    def name(self) -> str:
        """The name of the database in messages, without secrets."""
        return self._name

    @property
    def _state(self) -> State:
        """The current state. If there is none, a new one."""
        return self._states.get() or State()

    def close(self) -> None:
        """Close all connections that are not in use; those in use close when they come back."""
        self._closed = True
        if self._pool is not None:
            self._pool.close()

    def after_fork(self) -> None:
        """Take new connections in a child process."""
        if self._pool is not None:
            _ABANDONED.append(self._pool)
        self._pool = None
        self._opening = threading.Lock()
        self._states = ContextVar("state of a store", default=None)

    def read(self) -> AbstractContextManager[PostgresDatabase]:
        """Hand out a connection for reading: every statement sees the newest commit."""
        held = self._state.db
        return self._lent() if held is None else nullcontext(held)

    @contextmanager
    def snapshot(self) -> Iterator[PostgresDatabase]:
        """Hand out a connection for reading on which all statements see the same state of the database."""
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as db:
            yield db

    @contextmanager
    def write(self, *, concurrent: bool = False) -> Iterator[PostgresDatabase]:
        """Hand out a connection inside a write transaction: committed at the end, rolled back by an exception."""
        concurrent = concurrent and not self._state.alone
        with self._transaction(self._begin.format("_shared" if concurrent else "")) as db:
            db.concurrent = concurrent
            yield db

    def write_row(self) -> AbstractContextManager[PostgresDatabase]:
        """Hand out a connection without a transaction, or with one if another call has changed the row meanwhile."""
        if self._state.locking or self._state.db is not None:
            return self.write(concurrent=True)
        return self._lent(in_transaction=False)

    def cached_rows(self, query: str, *values: object) -> list[Any]:
        """Return the rows of a query, maybe remembered ones. Then the next statement checks that they still hold."""
        key, state = (query, values), self._state
        known = self._cached_rows.get(key) if state.repeating and not state.newest else None
        if known is not None and state.assumed in (None, known[0]):
            state.assumed = known[0]
            return known[1]
        with self.read() as db:
            known = db.with_stamp(query, values)
        if state.db is None:  # what a transaction sees may be rolled back
            self._cached_rows.put(key, known)
        return known[1]

    def repeated(self, work: Callable[[], T]) -> T:
        """Return what *work* returns. It is repeated if its transaction and another one were in conflict."""
        state = self._state
        if state.repeating:  # that whole work is repeated
            return work()
        token = self._states.set(state)
        try:
            return self._repeated(state, work)
        finally:
            self._states.reset(token)

    def _repeated(self, state: State, work: Callable[[], T]) -> T:
        state.repeating, state.committed, tries = True, False, 0
        try:
            while True:
                tries += 1
                try:
                    return self._confirmed(work)
                except NotAlone:
                    state.alone = True
                except Outdated:
                    state.newest = True
                except CONFLICTS:
                    if tries >= REPEATS:
                        raise
                    state.locking = True
                    time.sleep(random.random() * 0.01 * 2**tries)
                except errors.ReadOnlySqlTransaction:
                    # Another server may take the writes now: new connections find it.
                    self._replace(self._pool)
                    if tries > 1 or state.committed:
                        raise
                except psycopg.OperationalError as error:
                    if tries >= REPEATS or not is_lost(error) or state.committed or isinstance(error, _NoReply):
                        raise
                state.assumed = None
        finally:
            state.repeating = state.alone = state.locking = state.newest = False
            state.assumed = None

    def _confirmed(self, work: Callable[[], T]) -> T:
        """Return what *work* returns, or raise what it raises. :raises Outdated: it assumed rows that have changed."""
        try:
            outcome = work()
        except (psycopg.Error, CommitUncertain, Overtaken, NotAlone, Outdated):
            raise
        except BaseException:  # a refusal may be due to rows that have changed
            self._confirm()
            raise
        self._confirm()
        return outcome

    def _confirm(self) -> None:
        if self._state.assumed is not None:
            with self.read() as db:
                db.confirm()

    def is_transient(self, error: Exception) -> bool:
        """Return whether a call that failed with this error may succeed some seconds later."""
        return isinstance(error, TRANSIENT)

    def explain(self, error: Exception) -> str:
        """Return what went wrong, and what to do about it."""
        text = (str(error).strip() or type(error).__name__).splitlines()[0].strip().rstrip(".")
        remedy = next(remedy for sign, remedy in REMEDIES if sign in (type(error).__name__, "") or sign in text)
        return f"{self._name}: {text}. {remedy.format(schema=self._schema, size=self._size)}".strip()

    def _connecting(self) -> dict[str, Any]:
        return {
            "autocommit": True,
            "context": adapters,
            "cursor_factory": psycopg.RawCursor,
            "prepare_threshold": None,
        }

    def _opened(self) -> ConnectionPool[_LimitedConnection]:
        with self._opening:
            if self._closed:
                raise CoreUnavailable("this embedded core was closed: make a new SuperTokens instance")
            if self._pool is None:
                _wait_as_this_process_does()
                self._pool = ConnectionPool(
                    self._conninfo,
                    connection_class=_LimitedConnection,
                    kwargs=self._connecting(),
                    configure=self._configure,
                    min_size=0,
                    max_size=self._size,
                    timeout=self._patience,
                    reconnect_timeout=self._patience,
                    num_workers=1,
                    name="st_wsgi",
                    open=True,
                )
            return self._pool

    def _configure(self, connection: _LimitedConnection) -> None:
        """Set limits for statements outside of transactions, and prepare statements; neither of it through a pooler."""
        connection.limit = self._reply_limit
        limits = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in self._limits.items())
        # A pooler reports a process id of its own. Behind it, clients share sessions of the server: others would get
        # our limits, and we could run a statement that another client prepared under the same name.
        query = f"SELECT {limits} WHERE pg_backend_pid() = {connection.info.backend_pid}"
        if connection.execute(query.encode()).fetchone() is not None:
            connection.prepare_threshold = self._prepare

    def _replace(self, pool: ConnectionPool[_LimitedConnection] | None) -> None:
        """Open new connections from now on. After a restart of the server, all those of a pool are dead."""
        with self._opening:
            if self._pool is pool:
                self._pool = None
        if pool is not None:
            pool.close()

    @contextmanager
    def _lent(self, *, in_transaction: bool = True) -> Iterator[PostgresDatabase]:
        pool = self._pool if self._pool is not None and not self._closed else self._opened()
        connection, state = pool.getconn(), self._state
        db = PostgresDatabase(connection, connection.cursors, self._schema, state, in_transaction=in_transaction)
        before, state.db = state.db, db
        token = self._states.set(state)
        try:
            yield db
        finally:
            self._states.reset(token)
            state.db = before
            pool.putconn(connection)
            if connection.closed:
                self._replace(pool)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[PostgresDatabase]:
        with self._lent() as db:
            try:
                db.execute(begin.encode())
                yield db
            except BaseException:  # roll back for every exception, and pass it on
                with suppress(psycopg.Error):
                    db.execute(b"ROLLBACK")
                raise
            db.commit()


def _wait_as_this_process_does() -> None:
    """
    Let psycopg choose again how it waits, if gevent patched this process after psycopg was imported.

    That is so in the workers of gunicorn with ``--preload``. A wait of psycopg would stop all greenlets.
    """
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("select") and waiting.wait is getattr(waiting, "wait_c", None):
        importlib.reload(waiting)


def _whole(name: str, value: object) -> int:
    if not re.fullmatch("[0-9]{1,9}", str(value)):
        raise ConfigError(f"{name}={value!r}: write a whole number")
    return int(str(value))
