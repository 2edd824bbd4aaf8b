"""
The SQLite file behind an embedded core: connections, transactions, migrations.

Three rules hold everywhere:

* a write happens inside :meth:`SQLiteStore.write`, in a transaction that takes its lock at the start;
* a connection serves one thread at a time and never leaves the process that opened it;
* nothing inside these transactions and :meth:`SQLiteStore.read` waits for anything but SQLite. Under gevent another
  greenlet of the process would otherwise wait for a lock that its own process holds, and so would a fork.

A fork takes place while no other thread is inside SQLite and no connection to a file is open. A child would inherit
SQLite's own locks, held by threads that it does not have, and what SQLite remembers of the locks that the process has
on an open file, which a child does not have: the log that it writes to would be removed under it.

An acknowledged write survives the death of the process (``kill -9``): WAL hands every commit to the operating system
before it returns. ``synchronous=NORMAL`` leaves the last commits before a *power failure* to the file system, without
ever breaking the file.
"""

from __future__ import annotations

import json
import logging
import os
import pathlib
import re
import sqlite3
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, ClassVar

from ...errors import ConfigError, CoreUnavailable, SuperTokensError
from ...forks import part_before_fork, renew_after_fork, turns
from .database import Database, Store
from .tables import VERSIONS

APPLICATION_ID = 0x53745753

Migrations = Sequence[Sequence[str]]
"""SQL statements by version. The first entry creates version 1 in an empty database."""

_NAME = re.compile(r"CREATE (?:UNIQUE )?(?:TABLE (\w+)|INDEX (\w+)\s+ON (\w+))")


def _for_sqlite(statements: Iterable[tuple[str, str]]) -> Iterator[str]:
    """
    Yield the statements of a version, and those that write statistics for the planner (``sqlite_stat1``).

    Without statistics, the planner takes ``app = ?`` for a selective condition, although nearly all rows have the same
    app.
    """
    rows = []
    for statement, numbers in statements:
        # A table with a key of its own needs no hidden one.
        yield f"{statement} WITHOUT ROWID" if statement.endswith("))") and "PRIMARY KEY (" in statement else statement
        named = _NAME.match(statement)
        if named is not None and numbers:
            of_table, of_index, indexed = named.groups()
            index = of_index or ("sqlite_autoindex_apps_1" if of_table == "apps" else of_table)
            stat = numbers.replace("M", "000000").replace("k", "000")
            rows.append(f"('{of_table or indexed}', '{index}', '{stat}')")
    if rows:
        yield "ANALYZE sqlite_master"  # makes the table for them
        yield f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES {', '.join(rows)}"
        yield "ANALYZE sqlite_master"  # makes SQLite read them


MIGRATIONS: Migrations = tuple(tuple(_for_sqlite(statements)) for statements in VERSIONS)

BUSY_TIMEOUT = 60.0
"""Seconds to wait for another process that writes."""

CACHE_KIB = 2_000
"""KiB of the file that each connection keeps in memory of its own: what it changes, and what is in the log."""

MAPPED_BYTES = 2**31 - 2**16
"""
Bytes of the file that SQLite reads where the system keeps them in memory, without a call and a copy for each page.

All threads and processes share that memory, and the system takes it back when others need it.
"""

_OTHERS = 0o077
_log = logging.getLogger("st_wsgi.core")

_ABANDONED: list[deque[SQLiteDatabase]] = []
"""Connections inherited by a fork. They are kept, because closing them here would disturb the parent's locks."""


class SQLiteDatabase(Database, sqlite3.Connection):
    """A connection to a file, or to memory."""

    wanted: ClassVar[str] = "json_each(?) AS wanted"
    clustered: ClassVar[bool] = True
    for_change = ""
    to_stay: ClassVar[str] = ""
    not_unique: ClassVar[type[Exception]] = sqlite3.IntegrityError

    def run(self, query: str, values: Sequence[Any] = (), /) -> sqlite3.Cursor:
        """Run a statement."""
        return self.execute(query, values)

    def run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement with the values of each row."""
        self.executemany(statement, rows)

    def alone(self) -> None:
        """Continue: SQLite has one writer."""

    def continue_app_numbers(self) -> None:
        """Do nothing: ``AUTOINCREMENT`` continues after the highest number by itself."""

    def listed(self, texts: Collection[str]) -> str:
        """Return a list of texts as one value."""
        return json.dumps(list(texts))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """
        Commit what happens inside, or nothing of it when it raises.

        ``BEGIN IMMEDIATE`` takes the lock of the writer at once: SQLite would refuse to upgrade a lock later, whatever
        the time-out.
        """
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:  # roll back for every exception, and pass it on
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise


class SQLiteStore(Store):
    """
    One SQLite database, shared by threads, greenlets and processes.

    Connections are pooled rather than tied to threads: a server that starts a thread (or greenlet) a request reuses
    them, and they do not pile up. They are opened lazily, and anew after a fork.

    :param path: the file, or None for a database in memory, which lives as long as this object.
    :param migrations: the schema: statements by version.
    :raises ConfigError: when the file cannot be used; it says why and what to do, and the file is untouched.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error,)

    def __init__(self, path: str | os.PathLike[str] | None, *, migrations: Migrations = MIGRATIONS) -> None:
        self._migrations = migrations
        self.path: pathlib.Path | None = None if path is None else pathlib.Path(path)
        self._idle: deque[SQLiteDatabase] = deque()
        self._writing = threading.RLock()
        self._unusable: Callable[[], SuperTokensError] | None = None
        self._reported = False
        with turns.taken():
            if self.path is None:
                db = self._connect("file::memory:")
                migrate(db, migrations)
                self._idle.append(db)
            else:
                self._prepare(self.path)
        renew_after_fork(self)
        part_before_fork(self)

    @property
    def name(self) -> str:
        """The name of the database in messages."""
        return "the in-memory database" if self.path is None else str(self.path)

    def close(self) -> None:
        """Close all connections that are not in use; those in use close when they come back."""
        self._unusable = self._unusable or partial(
            CoreUnavailable, "this embedded core was closed: make a new SuperTokens instance"
        )
        with self._writing if self.path is None else nullcontext(), turns.taken():
            self._close_idle()

    def explain(self, error: Exception) -> str:
        """Return what went wrong, and what to do about it."""
        return explain(error, self.name)

    def before_fork(self) -> None:
        """Close the connections to a file, which this process and its child open again when they need some."""
        if self.path is not None:
            self._close_idle()

    def after_fork(self) -> None:
        """Take new connections and a new lock in a child process, which shares neither with its parent."""
        _ABANDONED.append(self._idle)
        self._idle = deque()
        self._writing = threading.RLock()
        if self.path is None:
            self._unusable = partial(
                ConfigError,
                "an embedded core in memory cannot be shared by processes: each would have users of its own. "
                'Give it a file, such as core="sqlite:///auth.db", or make it after the fork',
            )

    @contextmanager
    def read(self) -> Iterator[SQLiteDatabase]:
        """Hand out a connection for reading: every statement sees the newest commit."""
        if self.path is not None:
            with self._lent() as db:
                yield db
        else:
            with self._writing, turns.taken():
                self._check_usable()
                yield self._idle[0]

    @contextmanager
    def snapshot(self) -> Iterator[SQLiteDatabase]:
        """Hand out a connection for reading on which all statements see the same state of the database."""
        with self.read() as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("ROLLBACK")

    @contextmanager
    def write(self, *, concurrent: bool = False) -> Iterator[SQLiteDatabase]:
        """Hand out a connection inside a write transaction: committed at the end, rolled back by an exception."""
        # Writers of this process queue here, where waiting is cheap; SQLite's own waiting is for other processes.
        with self._writing, self.read() as db, db.transaction():
            yield db

    @contextmanager
    def _lent(self) -> Iterator[SQLiteDatabase]:
        self._check_usable()
        with turns.taken():
            idle = self._idle
            try:
                db = idle.pop()
            except IndexError:
                assert self.path is not None, "a database in memory has one connection, used under the lock"
                db = self._connect(_uri(self.path, "rw"))
            try:
                yield db
            finally:
                idle.append(db)
                if self._unusable is not None:
                    self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):  # other threads take connections out and put them back meanwhile
            while True:
                self._idle.popleft().close()

    def _check_usable(self) -> None:
        if self._unusable is not None:
            error = self._unusable()
            if not self._reported:
                self._reported = True
                _log.warning("%s: %s", self.name, error)
            raise error

    def _connect(self, uri: str) -> SQLiteDatabase:
        db = sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            factory=SQLiteDatabase,
        )
        memory = f"cache_size=-{CACHE_KIB}", f"mmap_size={MAPPED_BYTES}"
        for pragma in ("synchronous=NORMAL", "temp_store=MEMORY", "foreign_keys=OFF", *memory):
            db.execute(f"PRAGMA {pragma}")
        return db

    def _prepare(self, path: pathlib.Path) -> None:
        """Look before touching: make or migrate the file, or refuse it."""
        try:
            version = inspect(path, newest=len(self._migrations))
            if version is None:
                # Made here, not by SQLite, so that no other account may read the hashes and keys in it.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            _keep_private(path)
            if version == len(self._migrations):
                return
            with closing(self._connect(_uri(path, "rw"))) as db:
                _use_wal(db, path)
                migrate(db, self._migrations, path=path)
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(explain(error, str(path))) from error


def _keep_private(path: pathlib.Path) -> None:
    """
    Take the permissions of others away from a database and from the files that SQLite keeps beside it.

    SQLite gives the files that it makes later the permissions of the database.

    :raises ConfigError: when that cannot be done.
    """
    if os.name != "posix":
        return
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(FileNotFoundError):  # a log disappears when its last user closes it
            mode = stat.S_IMODE(file.stat().st_mode)
            if not mode & _OTHERS:
                continue
            with suppress(PermissionError):
                file.chmod(mode & 0o600)
            if file.stat().st_mode & _OTHERS:
                raise ConfigError(
                    f"{file} holds password hashes and signing keys, and other users of this machine may open it "
                    f"(mode {mode:04o}). Its owner can change that: chmod 600 {file}"
                )
            _log.warning("%s had mode %04o. It is 0600 now: only its owner may open it", file, mode)


def _uri(path: pathlib.Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _use_wal(db: SQLiteDatabase, path: pathlib.Path) -> None:
    """Switch a new file to its write-ahead log; processes that start together wait for each other."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            mode = db.value("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself here, whatever the time-out of the connection.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise ConfigError(
            f"{path}: SQLite cannot use its write-ahead log there (got {mode!r}). "
            "Put the database on a local disk, not on a network share"
        )


def inspect(path: pathlib.Path, *, newest: int = len(MIGRATIONS)) -> int | None:
    """
    Return the schema version of a database without touching it; None when there is no database yet.

    :param newest: the version that this package knows.
    :raises ConfigError: when it is not ours, damaged, not readable, or newer than this version of the package.
    """
    _check_place(path)
    if _size(path) == 0:
        return None
    with path.open("rb") as file:
        header = file.read(16)
    if header != b"SQLite format 3\0":
        raise ConfigError(f"{path} is not a SQLite database. Name another file, or move this one away")
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise ConfigError(
            f"{path} is read-only for this user. Make the file and its folder writable (SQLite keeps its log beside it)"
        )
    try:
        version, owner, tables = _head(path)
    except sqlite3.DatabaseError:
        # The look takes no lock: another connection may have written, and even be done, in the middle of it.
        version, owner, tables = _head(path)
    if version == 0 and tables == 0:
        return None
    if owner != APPLICATION_ID:
        raise ConfigError(f"{path} is the database of another program. Name another file for the core")
    if version > newest:
        raise ConfigError(
            f"{path} was written by a newer version of this package (schema {version}, this one knows up to "
            f"{newest}). Upgrade the package, or restore the backup that the upgrade made"
        )
    return version


def _check_place(path: pathlib.Path) -> None:
    """
    Look at the folder of a database. It is not made: the path may have a typing error, or a volume is not mounted.

    :raises ConfigError: it does not exist, or there is a folder where the file should be.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder. Name a file in it, such as {path / 'auth.db'}")
    for folder in path.parents:
        if folder.is_file():
            raise ConfigError(f"{folder} is a file and not a folder, so {path} cannot be in it. Name another place")
    if path.parts[0] == "~":
        raise ConfigError(f"{path} begins with ~, which is not replaced here. Write {path.expanduser()}")
    if not path.parent.is_dir():
        raise ConfigError(f"the folder {path.parent} does not exist. Correct the path, or run: mkdir -p {path.parent}")


def _size(path: pathlib.Path) -> int:
    """Return the number of bytes in a file, 0 when there is none: a log disappears when its last user closes it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _head(path: pathlib.Path) -> tuple[int, int, int]:
    """Return schema version, owner and number of tables; no file of SQLite's own appears beside it."""
    in_use = _size(path.with_name(f"{path.name}-wal")) > 0
    with closing(read_only(path, "" if in_use else "&immutable=1")) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        return version, owner, db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def read_only(path: pathlib.Path, options: str = "") -> sqlite3.Connection:
    """Open a database for reading only."""
    return sqlite3.connect(_uri(path, "ro") + options, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)


def migrate(db: SQLiteDatabase, migrations: Migrations = MIGRATIONS, *, path: pathlib.Path | None = None) -> None:
    """
    Bring the schema up to date, in one transaction.

    :param path: the file of a database that is not in memory: before anything in it changes, what is there is copied to
        ``<name>.v<version>.bak``.
    """
    # Looked at under the lock: another process may have been quicker.
    with db.transaction():
        version = db.value("PRAGMA user_version")
        if path is not None and 0 < version < len(migrations):
            with closing(read_only(path)) as before:
                backup(before, path.with_name(f"{path.name}.v{version}.bak"))
        for statements in migrations[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version={max(version, len(migrations))}")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")


def backup(db: sqlite3.Connection, target: pathlib.Path) -> None:
    """Copy a database in use to *target*, consistently; a half-made copy never stays under that name."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        db.backup(copy, pages=1000)
    part.replace(target)


def explain(error: Exception, name: str) -> str:
    """Return what went wrong with the database called *name*, and what to do about it."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    lower = text.lower()
    if "locked" in text or "busy" in text:
        return f"{name}: another process kept the database locked for {BUSY_TIMEOUT:.0f} s. Is one stopped or hanging?"
    if "full" in text or "No space" in text:
        return f"{name}: the disk is full. Nothing was changed; free some space and try again"
    if any(word in lower for word in ("readonly", "read-only", "permission", "permitted", "no such", "unable to open")):
        return (
            f"{name} cannot be opened or written ({text}). Make the file and its folder writable for this user, or "
            "name another place (SQLite keeps its log beside the file)"
        )
    if "malformed" in text or "not a database" in text:
        return (
            f"{name} is damaged ({text}). Run `st-wsgi db check` on it, and put a backup in its place; "
            "do not go on writing to it"
        )
    return f"{name}: {text}"
