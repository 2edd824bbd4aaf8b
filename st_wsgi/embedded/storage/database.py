"""What the areas see of a database: a connection, with the few ways in which they ask it, and where it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
    A connection. In every text of SQL a ``?`` stands for a value; the values follow the text.

    :cvar wanted: the table ``wanted (value)`` of the texts in a list, which :meth:`listed` makes a value.
    :cvar not_unique: what the engine raises when a unique index refuses a row.
    :cvar for_change: stands behind a query, so that nobody else changes its rows before this transaction ends.
    """

    wanted: ClassVar[str]
    for_change: ClassVar[str]
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
    def number_on(self) -> None:
        """Number new apps behind those that came with their numbers."""

    @abstractmethod
    def alone(self) -> None:
        """Go on only if no other transaction writes: otherwise the whole work is done again, alone."""

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
        Take back what happens inside when it raises, and go on with the transaction.

        :raises Taken: when a unique index refused a row.
        """
        self.run("SAVEPOINT attempt")
        try:
            yield
        except BaseException as error:  # whatever it was, nothing of the attempt stays, and it goes on its way
            self.run("ROLLBACK TO attempt")
            if isinstance(error, self.not_unique):
                raise Taken from error
            raise
        finally:
            self.run("RELEASE attempt")

    def select(self, table: str, columns: str, **where: object) -> list[Any]:
        """Return columns of the rows that have these values; None is no value that a row could have."""
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
        changes = ", ".join(f"{name} = excluded.{name}" for name in values)
        self._insert(table, {**key, **values}, f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}")

    def update(self, table: str, changes: Mapping[str, object], **where: object) -> int:
        """Change the rows that have these values; return how many there are."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        return self.change(f"UPDATE {table} SET {columns} WHERE {_equal(where)}", *changes.values(), *where.values())

    def delete(self, table: str, **where: object) -> int:
        """Delete the rows that have these values; return how many there were."""
        return self.change(f"DELETE FROM {table} WHERE {_equal(where)}", *where.values())

    def of_many(self, columns: str, table: str, app: int, ids: Collection[str], *by: str) -> list[Any]:
        """
        Return the rows of a table that have one of many ids in a column, with one statement.

        :param by: the column, ``user_id`` if left out. When there are several, the rows of all of them are returned;
            a condition may stand behind each, such as ``user_id AND t.linked = 1``.
        """
        if not ids:
            return []
        # A join in this order, so that the planner looks each id up in the index.
        query = " UNION ALL ".join(
            f"SELECT {columns} FROM {self.wanted} CROSS JOIN {table} AS t WHERE t.app = ? AND wanted.value = t.{column}"
            for column in by or ("user_id",)
        )
        return self.rows(query, *[self.listed(ids), app] * max(len(by), 1))


def _equal(where: Mapping[str, object]) -> str:
    return " AND ".join(f"{name} = ?" for name in where)


class Store(ABC):
    """
    One database, shared by the threads, greenlets and processes of a core.

    Nothing inside :meth:`read` or :meth:`write` waits for anything but the database.

    :cvar errors: what the engine raises when something is wrong with the database.
    """

    errors: ClassVar[tuple[type[Exception], ...]]

    @property
    @abstractmethod
    def name(self) -> str:
        """What to call the database in messages; nothing secret."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Database]:
        """Hand out a connection for reading: every statement sees the newest commit."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Database]:
        """Hand out a connection for reading on which all statements see the same state of the database."""

    @abstractmethod
    def write(self, *, together: bool = False) -> AbstractContextManager[Database]:
        """
        Hand out a connection inside a write transaction: committed at the end, rolled back by an exception.

        :param together: others of this kind may run meanwhile; what two of them do must be right in any order of their
            statements. Otherwise no other one runs meanwhile.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections that are not in use; those in use close when they come back."""

    @abstractmethod
    def explain(self, error: Exception) -> str:
        """Return what went wrong, and what to do about it."""

    def passing(self, error: Exception) -> bool:
        """Return whether an error may be over in some seconds."""
        return False

    def repeated(self, work: Callable[[], T]) -> T:
        """Return what *work* returns. It is done again when its transaction got in the way of another one."""
        return work()

    def written(self, work: Callable[[Database], T], *, together: bool = False) -> T:
        """Return what *work* returns, which is done in a write transaction, and likewise again."""

        def once() -> T:
            with self.write(together=together) as db:
                return work(db)

        return self.repeated(once)
