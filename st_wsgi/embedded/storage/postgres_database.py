"""A connection to PostgreSQL as the areas see it: their statements in its SQL, and values that it can store."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

import psycopg
from psycopg import errors
from psycopg.adapt import AdaptersMap
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from ..fields import bad, sound
from .database import Cursor, Database, on_conflict
from .postgres_errors import CommitUncertain, NotAlone, Outdated, Overtaken, is_lost
from .tables import TABLES

T = TypeVar("T")
Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]
Cursors = dict[bytes, psycopg.Cursor[Row]]

_CURSORS, _CURSOR_ROWS = 100, 100
"""How many cursors a connection keeps, and with how many rows at most: a cursor keeps its rows, too."""


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


class State:
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
        self, connection: Connection, cursors: Cursors, schema: str, state: State, *, in_transaction: bool = True
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
            if isinstance(error, psycopg.OperationalError) and is_lost(error):
                raise CommitUncertain("the connection broke in the middle of a commit") from error
            self._state.committed = before
            raise

    def with_stamp(self, query: str, values: Sequence[Any] = ()) -> tuple[int, list[Row]]:
        """Return the stamp of the tenants, and the rows of a query. :raises Outdated: another stamp was assumed."""
        both = (
            # As a scalar subquery: the planner then knows that it is one row, and does not plan for thousands.
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
