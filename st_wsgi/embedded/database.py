"""A connection to the database, with the few ways in which the areas ask it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Database(sqlite3.Connection):
    """A connection. In every text of SQL a ``?`` stands for a value; the values follow the text."""

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return the rows that a query finds."""
        return self.execute(query, values).fetchall()

    def row(self, query: str, *values: object) -> Any:
        """Return the first row, None when there is none."""
        return self.execute(query, values).fetchone()

    def column(self, query: str, *values: object) -> list[Any]:
        """Return the first value of each row."""
        return [row[0] for row in self.rows(query, *values)]

    def value(self, query: str, *values: object) -> Any:
        """Return the first value of the first row, None when there is no row."""
        row = self.row(query, *values)
        return None if row is None else row[0]

    def change(self, statement: str, *values: object) -> int:
        """Insert, update or delete rows; return how many."""
        return self.execute(statement, values).rowcount

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
        except BaseException:  # whatever it was, nothing of the transaction stays, and it goes on its way
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise

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
            f"SELECT {columns} FROM json_each(?) AS wanted CROSS JOIN {table} AS t"
            f" ON t.app = ? AND wanted.value = t.{column}"
            for column in by or ("user_id",)
        )
        return self.rows(query, *[json.dumps(list(ids)), app] * max(len(by), 1))


def _equal(where: Mapping[str, object]) -> str:
    return " AND ".join(f"{name} = ?" for name in where)
