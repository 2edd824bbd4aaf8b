"""The interface of a database: ``Database`` is a connection, ``Store`` hands connections out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Protocol, TypeVar

T = TypeVar("T")


class Taken(Exception):
    """A unique index refused a row: another one has its values."""


class Cursor(Protocol):
    """The outcome of a statement."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Database(ABC):
    """
    A connection. In a statement, ``?`` is the placeholder of a value.

    :cvar wanted: SQL for a table ``wanted (value)`` with the texts of a list. Its placeholder takes what :meth:`listed`
        returns.
    :cvar clustered: whether a table lies in the order of its key, so that looking a row up by another index takes two
        searches.
    :cvar not_unique: the exception of the engine when a unique index refuses a row.
    :cvar for_change: SQL at the end of a query that locks the rows it finds until this transaction ends.
    :cvar to_stay: SQL at the end of a query. It keeps other transactions from deleting the rows found until this one
        ends.
    """

    wanted: ClassVar[str]
    clustered: ClassVar[bool]
    for_change: str
    to_stay: ClassVar[str]
    not_unique: ClassVar[type[Exception]]

    @abstractmethod
    def run(self, query: str, values: Sequence[Any] = (), /) -> Cursor:
        """Run a statement."""

    @abstractmethod
    def listed(self, texts: Collection[str]) -> object:
        """Return a list of texts as one value."""

    @abstractmethod
    def run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement with the values of each row."""

    @abstractmethod
    def continue_app_numbers(self) -> None:
        """Give new apps higher numbers than the apps that were copied with their numbers."""

    @abstractmethod
    def alone(self) -> None:
        """Continue only if this transaction writes alone. Otherwise the whole call is repeated, alone."""

    def change_then_put(
        self, statement: str, values: Sequence[Any], table: str, key: Mapping[str, object], **more: object
    ) -> None:
        """
        Change a row, and put another one as :meth:`put` does.

        The change has its condition in the statement. Nothing happens if another call was quicker, so that the
        condition does not hold any more. Then the whole call is repeated.
        """
        if self.change(statement, *values):
            self.put(table, key, **more)

    def change_and_rows(self, statement: str, values: Sequence[Any], query: str, *others: object) -> list[Any]:
        """Run a change, and return the rows of a query that does not depend on it."""
        self.run(statement, values)
        return self.rows(query, *others)

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return the rows that a query finds."""
        return self.run(query, values).fetchall()

    def row(self, query: str, *values: object) -> Any:
        """Return the first row, None when there is none."""
        return self.run(query, values).fetchone()

    def column(self, query: str, *values: object) -> list[Any]:
        """Return the first value of each row."""
        return [row[0] for row in self.rows(query, *values)]

    def value(self, query: str, *values: object) -> Any:
        """Return the first value of the first row, None when there is no row."""
        row = self.row(query, *values)
        return None if row is None else row[0]

    def change(self, statement: str, *values: object) -> int:
        """Insert, update or delete rows; return how many."""
        return self.run(statement, values).rowcount

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """
        Roll back to the beginning of the block when it raises. The transaction can continue.

        :raises Taken: a unique index refused a row.
        """
        self.run("SAVEPOINT attempt")
        try:
            yield
        except BaseException as error:  # roll back for every exception, and pass it on
            self.run("ROLLBACK TO attempt")
            if isinstance(error, self.not_unique):
                raise Taken from error
            raise
        finally:
            self.run("RELEASE attempt")

    def select(self, table: str, columns: str, **where: object) -> list[Any]:
        """Return columns of the rows that have these values. None matches no row."""
        return self.rows(f"SELECT {columns} FROM {table} WHERE {_equal(where)}", *where.values())

    def first(self, table: str, columns: str, **where: object) -> Any:
        """Return columns of a row that has these values, None when there is none."""
        return self.row(f"SELECT {columns} FROM {table} WHERE {_equal(where)} LIMIT 1", *where.values())

    def exists(self, table: str, **where: object) -> bool:
        """Return whether a row has these values."""
        return self.first(table, "1", **where) is not None

    def insert(self, table: str, **values: object) -> None:
        """Store a row."""
        self._insert(table, values, "")

    def insert_new(self, table: str, **values: object) -> bool:
        """Store a row, unless a unique index refuses it; return whether it was stored."""
        return self._insert(table, values, " ON CONFLICT DO NOTHING") > 0

    def _insert(self, table: str, values: Mapping[str, object], conflict: str) -> int:
        marks = ", ".join("?" * len(values))
        return self.change(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks}){conflict}", *values.values())

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Store rows."""
        marks = ", ".join("?" * len(columns))
        self.run_many(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def put(self, table: str, key: Mapping[str, object], **values: object) -> None:
        """Store a row, in place of the one with this key if there is one."""
        self._insert(table, {**key, **values}, on_conflict(key, values))

    def update(self, table: str, changes: Mapping[str, object], **where: object) -> int:
        """Change the rows that have these values; return how many there are."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        return self.change(f"UPDATE {table} SET {columns} WHERE {_equal(where)}", *changes.values(), *where.values())

    def delete(self, table: str, **where: object) -> int:
        """Delete the rows that have these values; return how many there were."""
        return self.change(f"DELETE FROM {table} WHERE {_equal(where)}", *where.values())

    def delete_some(self, table: str, key: Sequence[str], where: str, value: object, limit: int) -> int:
        """
        Delete rows of a table; return how many. Rows that another transaction has locked may stay.

        :param where: the condition, with one placeholder for *value*. The table is called ``o`` in it.
        :param limit: how many rows at most.
        """
        rows = self.rows(f"SELECT {', '.join(key)} FROM {table} AS o WHERE {where} LIMIT ?", value, limit)
        return sum(self.delete(table, **dict(zip(key, row, strict=True))) for row in rows)

    def of_many(self, columns: str, table: str, app: int, ids: Collection[str], *by: str) -> list[Any]:
        """
        Return the rows of a table that have one of many ids in a column, with one statement.

        :param by: the column, ``user_id`` by default. With several, the rows for each of them are returned. A condition
            may follow each, such as ``user_id AND t.linked = 1``.
        """
        if not ids:
            return []
        # A join in this order, so that the planner looks each id up in the index.
        query = " UNION ALL ".join(
            f"SELECT {columns} FROM {self.wanted} CROSS JOIN {table} AS t WHERE t.app = ? AND wanted.value = t.{column}"
            for column in by or ("user_id",)
        )
        return self.rows(query, *[self.listed(ids), app] * max(len(by), 1))


def on_conflict(key: Iterable[str], values: Iterable[str]) -> str:
    """Return the end of an insert that takes the place of a row with the same key."""
    return f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in values)}"


def _equal(where: Mapping[str, object]) -> str:
    return " AND ".join(f"{name} = ?" for name in where)


class Store(ABC):
    """
    One database, shared by the threads, greenlets and processes of a core.

    Nothing inside :meth:`read` or :meth:`write` waits for anything but the database.

    :cvar errors: the exceptions of the engine when a statement or the database fails.
    """

    errors: ClassVar[tuple[type[Exception], ...]]

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the database in messages, without secrets."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Database]:
        """Hand out a connection for reading: every statement sees the newest commit."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Database]:
        """Hand out a connection for reading on which all statements see the same state of the database."""

    @abstractmethod
    def write(self, *, concurrent: bool = False) -> AbstractContextManager[Database]:
        """
        Hand out a connection inside a write transaction: committed at the end, rolled back by an exception.

        :param concurrent: transactions of this kind may run at the same time. They must be correct in any order of
            their statements. Without it, no other transaction writes at the same time.
        """

    def write_row(self) -> AbstractContextManager[Database]:
        """
        Hand out a connection for a call that reads and then changes one row.

        Each statement may be a transaction of its own. :meth:`Database.change_then_put` makes sure that no change of
        another call is lost.
        """
        return self.write(concurrent=True)

    def cached_rows(self, query: str, *values: object) -> list[Any]:
        """
        Return the rows of a query about apps and tenants, which rarely change.

        Inside :meth:`repeated` they may be remembered ones. In that case, a later statement of the work checks that no
        app or tenant has changed. If one has, the work is repeated.
        """
        with self.read() as db:
            return db.rows(query, *values)

    @abstractmethod
    def close(self) -> None:
        """Close all connections that are not in use; those in use close when they come back."""

    @abstractmethod
    def explain(self, error: Exception) -> str:
        """Return what went wrong, and what to do about it."""

    def is_transient(self, error: Exception) -> bool:
        """Return whether a call that failed with this error may succeed some seconds later."""
        return False

    def repeated(self, work: Callable[[], T]) -> T:
        """Return what *work* returns. It is repeated if its transaction and another one were in conflict."""
        return work()

    def written(self, work: Callable[[Database], T], *, concurrent: bool = False) -> T:
        """Return what *work* returns. It runs in a write transaction, and is repeated as by :meth:`repeated`."""

        def once() -> T:
            with self.write(concurrent=concurrent) as db:
                return work(db)

        return self.repeated(once)
