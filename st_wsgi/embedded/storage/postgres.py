"""
The PostgreSQL database behind an embedded core: connections, transactions, migrations.

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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, ClassVar, TypeVar
from urllib.parse import unquote_plus

import psycopg
from psycopg import errors, sql, waiting
from psycopg.abc import PQGen
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper
from psycopg_pool import ConnectionPool, PoolTimeout

from ...errors import ConfigError, CoreUnavailable
from ...forks import renew_after_fork
from ..cache import LeastRecentlyUsed
from ..fields import bad, sound
from .database import Cursor, Database, Store, on_conflict
from .tables import TABLES, VERSIONS

T = TypeVar("T")
Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]
Cursors = dict[bytes, psycopg.Cursor[Row]]
Versions = Sequence[Sequence[tuple[str, str]]]

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

_LOCK = 0x53745753
"""The key of our advisory locks: the number that is also the application id of our SQLite files."""

_CURSORS, _CURSOR_ROWS = 100, 100
"""How many cursors a connection keeps, and with how many rows at most: a cursor keeps its rows, too."""

_CACHED = 4096
"""How many queries a store remembers with their rows."""


class NotAlone(Exception):
    """The work has to be repeated in a transaction that writes alone."""


class Outdated(Exception):
    """Tenants have changed since they were read. The work has to be repeated with the newest ones."""


class Overtaken(Exception):
    """Another call changed the row first."""


class CommitUncertain(Exception):
    """The connection broke during a commit: the transaction may be committed or not."""


_CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation, Overtaken)
"""Errors of two transactions in conflict. A unique index may notice the conflict first."""


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


def split(address: str) -> tuple[str, dict[str, str], dict[str, object]]:
    """
    Split an address into the address for libpq, the settings of :data:`SETTINGS` and the settings of the core.

    :raises ConfigError: a setting is in the address twice.
    """
    own: dict[str, str] = {}
    of_core: dict[str, object] = {}
    of_libpq = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    start, _, query = address.partition("?")
    left: list[str] = []
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name in own or name in of_core:
            raise ConfigError(f"the setting {name!r} is in the address twice")
        if name in SETTINGS:
            own[name] = unquote_plus(value)
        elif name in of_libpq:
            left.append(pair)
        else:
            of_core[name] = unquote_plus(value)
    return f"{start}?{'&'.join(left)}", own, of_core


def dump_command(address: str, target: str) -> str:
    """Return the command that copies the schema at an address to a file. It has no password."""
    place, own, _ = split(address)
    options = {name: str(value) for name, value in conninfo_to_dict(place).items() if "password" not in name}
    words = "pg_dump", "--format=custom", f"--schema={own.get('schema', SETTINGS['schema'])}", f"--file={target}"
    return shlex.join((*words, f"--dbname={make_conninfo(**options)}"))


class _Flag(Int8Dumper):
    """Writes True as 1 and False as 0, as SQLite does."""

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


adapters: AdaptersMap = AdaptersMap(psycopg.adapters)
# One type for all numbers and all texts: a statement is prepared once, whatever its values.
for _type, _dumper in ((int, Int8Dumper), (bool, _Flag), (str, StrDumper)):
    adapters.register_dumper(_type, _dumper)

_TABLE = re.compile(rf"\b(FROM|JOIN|INTO|UPDATE) ({'|'.join(('apps', *(table.name for table in TABLES)))})\b")


@lru_cache(maxsize=2048)
def translated(query: str, schema: str) -> bytes:
    """Return a statement in the SQL of PostgreSQL: numbered placeholders, schema names, ``LIKE`` without case."""
    query = query.replace("LIKE ?", "ILIKE ? ESCAPE ''").replace("instr(", "strpos(")
    first, *others = query.split("?")
    numbered = first + "".join(f"${number}{text}" for number, text in enumerate(others, 1))
    return _TABLE.sub(rf"\1 {schema}.\2", numbered).encode()


def _for_postgres(statement: str) -> str:
    statement = statement.replace("PRIMARY KEY AUTOINCREMENT", "GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
    statement = statement.replace("instr(", "strpos(")
    # Sorted and compared byte by byte, as SQLite does it.
    return re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', statement.replace("INTEGER", "BIGINT").replace("BLOB", "BYTEA"))


class PostgresDatabase(Database):
    """
    A connection to a server.

    :param cursors: of the connection, by statement, the latest one last. A cursor that runs a statement again knows
        how to write the values and to read the rows.
    """

    wanted: ClassVar[str] = "unnest(?::text[]) AS wanted (value)"
    clustered: ClassVar[bool] = False
    to_stay: ClassVar[str] = " FOR KEY SHARE"
    not_unique: ClassVar[type[Exception]] = errors.UniqueViolation

    def __init__(
        self, connection: Connection, cursors: Cursors, schema: str, state: _State, *, in_transaction: bool = True
    ) -> None:
        self.connection = connection
        self.concurrent = False
        self.for_change = " FOR UPDATE" if in_transaction else ""
        self._cursors = cursors
        self._schema = schema
        self._state = state
        self._in_transaction = in_transaction

    def run(self, query: str, values: Sequence[Any] = (), /) -> Cursor:
        """Run a statement. :raises CallRefused: for a value that PostgreSQL cannot keep."""
        if self._state.assumed is not None and query.startswith("SELECT"):
            return _Found(self.with_stamp(query, values)[1])
        self.confirm()
        return self._run(query, values)

    def _run(self, query: str, values: Sequence[Any]) -> psycopg.Cursor[Row]:
        execute = self.execute if self._in_transaction or query.startswith("SELECT") else self.commit
        try:
            return execute(translated(query, self._schema), values)
        except (psycopg.DataError, errors.ProgramLimitExceeded, UnicodeEncodeError) as error:
            raise bad(f"a value cannot be stored: {str(error).splitlines()[0]}") from error

    def execute(self, statement: bytes, values: Sequence[Any] = ()) -> psycopg.Cursor[Row]:
        """Run a statement in the SQL of PostgreSQL. Its rows have to be fetched before it runs again."""
        cursors = self._cursors
        cursor = cursors.pop(statement, None) or self.connection.cursor()
        cursor.execute(statement, values or None, binary=bool(values))
        if cursor.rowcount <= _CURSOR_ROWS:
            cursors[statement] = cursor
            if len(cursors) > _CURSORS:
                del cursors[next(iter(cursors))]
        return cursor

    def commit(self, statement: bytes = b"COMMIT", values: Sequence[Any] = ()) -> psycopg.Cursor[Row]:
        """Run a statement that commits. :raises CommitUncertain: the connection broke meanwhile."""
        before, self._state.committed = self._state.committed, True
        try:
            return self.execute(statement, values)
        except psycopg.Error as error:
            if isinstance(error, psycopg.OperationalError) and _is_lost(error):
                raise CommitUncertain("the connection broke in the middle of a commit") from error
            self._state.committed = before
            raise

    def with_stamp(self, query: str, values: Sequence[Any] = ()) -> tuple[int, list[Row]]:
        """Return the stamp of the tenants, and the rows of a query. :raises Outdated: another stamp was assumed."""
        both = (
            # In this form, the planner knows that there is one row. It would prepare for thousands otherwise.
            f"SELECT * FROM (SELECT (SELECT tenants_stamp FROM {self._schema}.schema_version)) AS stamp"
            f" LEFT JOIN (SELECT true, own.* FROM ({query}) AS own) AS found ON true"
        )
        rows = self._run(both, values).fetchall()
        stamp, state = rows[0][0], self._state
        if state.assumed not in (None, stamp):
            raise Outdated
        state.assumed = None
        return stamp, [row[2:] for row in rows if row[1]]

    def confirm(self) -> None:
        """Compare the stamp that this work assumed. :raises Outdated: it is another one now."""
        if self._state.assumed is not None:
            self.with_stamp("SELECT 1")

    def run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement with the values of each row."""
        self.confirm()
        with self.connection.cursor() as cursor:
            cursor.executemany(translated(statement, self._schema), rows)

    def change_then_put(
        self, statement: str, values: Sequence[Any], table: str, key: Mapping[str, object], **more: object
    ) -> None:
        """Change a row and put another one, with one statement. :raises Overtaken: the first row was changed."""
        row = {**key, **more}
        put = f"INSERT INTO {table} ({', '.join(row)}) SELECT {', '.join('?' * len(row))} FROM changed"
        query = f"WITH changed AS ({statement} RETURNING 1) {put}{on_conflict(key, more)}"
        if not self.change(query, *values, *row.values()):
            raise Overtaken

    def change_and_rows(self, statement: str, values: Sequence[Any], query: str, *others: object) -> list[Any]:
        """Run a change and a query as one statement."""
        return self.rows(f"WITH changed AS ({statement}) {query}", *values, *others)

    def delete_some(self, table: str, key: Sequence[str], where: str, value: object, limit: int) -> int:
        """Delete rows with one statement."""
        some = f"SELECT {', '.join(key)} FROM {table} AS o WHERE {where} LIMIT {limit} FOR UPDATE SKIP LOCKED"
        return self.change(f"DELETE FROM {table} WHERE ({', '.join(key)}) IN ({some})", value)

    def alone(self) -> None:
        """Continue only if this transaction writes alone. :raises NotAlone: it does not."""
        if self.concurrent:
            raise NotAlone

    def continue_app_numbers(self) -> None:
        """Give new apps higher numbers than the apps that were copied with their numbers."""
        sequence = f"{self._schema}.apps"
        self.run("SELECT setval(pg_get_serial_sequence(?, 'app'), (SELECT max(app) FROM apps))", (sequence,))

    def listed(self, texts: Collection[str]) -> str:
        """Return a list of texts as one value, without texts that PostgreSQL cannot store: no row has them."""
        # As a literal, which is made in a tenth of the time that psycopg takes for a list.
        items = "\0".join(texts)
        if not sound(items) or items.count("\0") >= len(texts) > 0:
            return self.listed([text for text in texts if sound(text) and "\0" not in text])
        escaped = items.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
        return f'{{"{escaped}"}}' if texts else "{}"


class _Found:
    """Rows that a query found."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows
        self.rowcount = len(rows)

    def fetchone(self) -> Row | None:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Row]:
        return self._rows


_TRANSIENT = (
    psycopg.OperationalError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.UniqueViolation,
    Overtaken,
    CommitUncertain,
)
"""Errors after which a call may succeed some seconds later."""


class _State:
    """
    The state of a store in one thread or greenlet.

    :ivar db: its connection, None if it has none. It never takes a second one. Otherwise all threads could hold one
        connection each and wait for another.
    :ivar repeating: whether it is inside :meth:`PostgresStore.repeated`.
    :ivar committed: whether the work there has begun a commit.
    :ivar alone: whether the work there has to write alone.
    :ivar locking: whether the work there locks a row before it reads it.
    :ivar newest: whether the work there reads all tenants again.
    :ivar assumed: the stamp of the remembered rows that :meth:`PostgresStore.cached_rows` returned, until it is
        compared with the one in the database.
    """

    db: PostgresDatabase | None = None
    repeating: bool = False
    committed: bool = False
    alone: bool = False
    locking: bool = False
    newest: bool = False
    assumed: int | None = None


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
        self._begin = f"BEGIN;{local} SELECT pg_advisory_xact_lock{{}}({_LOCK}, hashtext('{self._schema}'))"
        self._cached_rows: LeastRecentlyUsed[tuple[str, tuple[object, ...]], tuple[int, list[Row]]]
        self._cached_rows = LeastRecentlyUsed(_CACHED)
        try:
            place = {**_DEFAULTS, **{name: str(value) for name, value in conninfo_to_dict(address).items()}}
        except psycopg.Error:
            # The text of libpq is left out, because it may contain a part of the password.
            raise ConfigError(
                "the address of PostgreSQL cannot be read. Write postgresql://user:password@host:5432/database, with "
                "special characters of user and password as %XX"
            ) from None
        self._conninfo = make_conninfo(**place)
        host, port = place.get("host") or place.get("hostaddr") or "", place.get("port") or "5432"
        self._name = f"postgresql://{place.get('user', '')}@{host}:{port}/{place.get('dbname', '')} ({self._schema})"
        self._closed = False
        self._pool: ConnectionPool[_LimitedConnection] | None = None
        self._opening = threading.Lock()
        self._states: ContextVar[_State | None]
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
    def _state(self) -> _State:
        return self._states.get() or _State()

    @contextmanager
    def _with_state(self) -> Iterator[_State]:
        """
        Yield the current state. If there is none, yield a new one, which ends with the block.

        ``threading.local`` would not do: with gunicorn's ``--preload``, this module is imported before gevent replaces
        it, and all greenlets would share one state.
        """
        state = self._states.get()
        if state is not None:
            yield state
        else:
            token = self._states.set(state := _State())
            try:
                yield state
            finally:
                self._states.reset(token)

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
        with self._with_state() as state:
            # Inside other work, that whole work is repeated.
            return work() if state.repeating else self._repeated(state, work)

    def _repeated(self, state: _State, work: Callable[[], T]) -> T:
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
                except _CONFLICTS:
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
                    if tries >= REPEATS or not _is_lost(error) or state.committed or isinstance(error, _NoReply):
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
        return isinstance(error, _TRANSIENT)

    def explain(self, error: Exception) -> str:
        """Return what went wrong, and what to do about it."""
        text = (str(error).strip() or type(error).__name__).splitlines()[0].strip().rstrip(".")
        remedy = next(remedy for sign, remedy in _REMEDIES if sign in (type(error).__name__, "") or sign in text)
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
        with self._with_state() as state:
            connection = pool.getconn()
            db = PostgresDatabase(connection, connection.cursors, self._schema, state, in_transaction=in_transaction)
            before, state.db = state.db, db
            try:
                yield db
            finally:
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


_REMEDIES = (
    ("_NoReply", "Check the server and the network, or raise reply_timeout_ms"),
    ("CommitUncertain", "The change may have been stored: look before you make it again"),
    ("PoolTimeout", "Is the server up? If it is, all {size} connections are in use: set pool_size"),
    ("DiskFull", "The disk of the server is full. Nothing was changed; free some space"),
    ("TooManyConnections", "Raise max_connections of the server, or lower pool_size"),
    ("too many clients", "Raise max_connections of the server, or lower pool_size"),
    ("authentication failed", "Correct user and password"),
    ("startup parameter", "A pooler refuses a setting of the address: name it in its ignore_startup_parameters"),
    ("LockNotAvailable", "Another call kept a lock for too long: try again, or raise lock_timeout_ms"),
    ("QueryCanceled", "A statement took too long: try again, or raise statement_timeout_ms"),
    ("does not exist", "Correct the address, or make what it names"),
    ("ReadOnlySqlTransaction", "Name the server that takes writes: target_session_attrs=read-write"),
    ("InsufficientPrivilege", "Let its owner run: CREATE SCHEMA {schema} AUTHORIZATION <user of the core>"),
    *((kind.__name__, "Too many calls change the same thing at once: try again") for kind in _CONFLICTS),
    ("", "Is the server up, and does this machine reach it?"),
)
"""What to do about an error, by the name of its class or a part of its text. The first match counts."""


def _is_lost(error: psycopg.OperationalError) -> bool:
    """Return whether the connection is lost: the client noticed it (no SQLSTATE), or the server closed it (57P0x)."""
    return (error.sqlstate or "57P0").startswith("57P0") and not isinstance(error, PoolTimeout)


def _whole(name: str, value: object) -> int:
    if not re.fullmatch("[0-9]{1,9}", str(value)):
        raise ConfigError(f"{name}={value!r}: write a whole number")
    return int(str(value))


_STAMPING = (
    "CREATE FUNCTION {schema}.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " UPDATE {schema}.schema_version SET tenants_stamp = tenants_stamp + 1; RETURN NULL; END $$",
    *(
        f"CREATE TRIGGER stamp AFTER INSERT OR UPDATE OR DELETE ON {{schema}}.{table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION {schema}.stamp()"
        for table in ("apps", "tenants")
    ),
)
"""Each change of apps and tenants raises a number, the stamp. While it is the same, remembered rows still hold."""


def migrate(connection: Connection, schema: str, versions: Versions = VERSIONS) -> None:
    """
    Bring the schema up to date, in one transaction; processes that start together wait for the first.

    :raises ConfigError: the schema is of a newer version of this package, or has tables of another program.
    """
    table = sql.Identifier(schema, "schema_version")
    if _version(connection, table) == len(versions):
        return
    with connection.transaction():
        connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})".encode())
        if connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", (schema,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        version = _version(connection, table)
        if version > len(versions):
            raise ConfigError(
                f"the schema {schema} was written by a newer version of this package (version {version}, this one "
                f"knows up to {len(versions)}). Upgrade the package"
            )
        if version == 0:
            there = "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'apps'"
            if connection.execute(there, (schema,)).fetchone() is not None:
                raise ConfigError(f"the schema {schema} has tables of another program. Name another one: schema=name")
            connection.execute(sql.SQL("CREATE TABLE {} (version BIGINT, tenants_stamp BIGINT)").format(table))
            connection.execute(sql.SQL("INSERT INTO {} VALUES (0, 0)").format(table))
        connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
        for statements in versions[version:]:
            for statement, _ in statements:
                connection.execute(_for_postgres(statement).encode())
        if version == 0:
            for statement in _STAMPING:
                connection.execute(statement.format(schema=schema).encode())
        connection.execute(sql.SQL("UPDATE {} SET version = {}").format(table, sql.Literal(len(versions))))


def _version(connection: Connection, table: sql.Identifier) -> int:
    name = table.as_string()
    if connection.execute("SELECT to_regclass($1)", (name,)).fetchone() == (None,):
        return 0
    row = connection.execute(sql.SQL("SELECT version FROM {}").format(table)).fetchone()
    return 0 if row is None else int(row[0])
