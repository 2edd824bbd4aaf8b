"""
Copies a whole embedded core to another database, of the same engine or the other one.

Every row is copied unchanged, with hashes, keys, sessions and tokens, so users stay signed in. The target has a mark
until the copy is complete, so an interrupted copy can continue.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ..errors import ConfigError
from .storage.database import Database, Store
from .storage.tables import TABLES, Table

_TABLES = (Table("apps", ("app", "app_id", "created_at", "key_version"), ("app",)), *TABLES)
_BATCH = 1000
_MARK = {"app": 0, "name": "unfinished copy"}
"""The key of the mark, in ``key_values``: no app has the number 0."""

Progress = Callable[[str, int], None]
"""Takes the name of a table, and how many of its rows were copied."""


def copy(source: Store, target: Store, progress: Progress = lambda table, rows: None) -> dict[str, int]:
    """
    Copy everything, and return the number of rows of each table.

    :param progress: called after each batch, with the table and the number of its rows that were copied so far.
    :raises ConfigError: the target is in use, or differs from the source in the end.
    """
    with target.read() as new:
        if not new.exists("key_values", **_MARK) and not _is_empty(new):
            raise ConfigError(f"{target.name} is in use: name an empty database, or another schema")
    target.written(_begin)
    for table in _TABLES:
        rows = 0
        while True:
            with target.read() as new, source.read() as old:
                batch = _next(old, table, _last(new, table))
            target.written(partial(Database.insert_many, table=table.name, columns=table.columns, rows=batch))
            rows += len(batch)
            progress(table.name, rows)
            if len(batch) < _BATCH:
                break
    counts, wrong = {}, []
    for table in _TABLES:
        with source.snapshot() as old, target.snapshot() as new:
            before, after = _sum(old, table), _sum(new, table)
        counts[table.name] = before[0]
        if before != after:
            wrong.append(f"{table.name} ({before[0]} rows, {after[0]} over there)")
    if wrong:
        raise ConfigError(
            f"{target.name} differs from {source.name}: {', '.join(wrong)}. A process wrote during the copy: stop all "
            "processes that use one of the two, and copy again into an empty database"
        )
    target.written(_end)
    return counts


def _is_empty(db: Database) -> bool:
    """Return whether a database has only the public app."""
    some = {table.name: len(db.rows(f"SELECT 1 FROM {table.name} LIMIT 2")) for table in _TABLES}
    return {name: rows for name, rows in some.items() if rows} == {"apps": 1, "tenants": 1}


def _begin(db: Database) -> None:
    """Set the mark. The public app of the new database is deleted: that of the source takes its place."""
    if db.insert_new("key_values", **_MARK, value=""):
        for table in ("tenants", "apps"):
            db.change(f"DELETE FROM {table}")


def _end(db: Database) -> None:
    db.delete("key_values", **_MARK)
    db.continue_app_numbers()


def _last(db: Database, table: Table) -> list[Any] | None:
    """Return the key of the last copied row, without the mark. None before the first one."""
    order = ", ".join(f"{column} DESC" for column in table.key)
    row = db.row(f"SELECT {', '.join(table.key)} FROM {table.name} WHERE app > 0 ORDER BY {order} LIMIT 1")
    return None if row is None else list(row)


def _next(db: Database, table: Table, after: list[Any] | None) -> list[Any]:
    """Return the next batch of rows after a key, in the order of the keys."""
    key = ", ".join(table.key)
    behind = "app > 0" if after is None else f"({key}) > ({', '.join('?' * len(table.key))})"
    query = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {behind} ORDER BY {key} LIMIT ?"
    return db.rows(query, *(after or ()), _BATCH)


def _all(db: Database, table: Table) -> Iterator[Any]:
    batch = _next(db, table, None)
    while batch:
        yield from batch
        where = [batch[-1][table.columns.index(column)] for column in table.key]
        batch = _next(db, table, where)


def _sum(db: Database, table: Table) -> tuple[int, str]:
    """Return how many rows a table has, and a checksum of them all."""
    number, digest = 0, hashlib.sha256()
    for row in _all(db, table):
        number += 1
        digest.update(json.dumps(row, default=bytes.hex).encode())
    return number, digest.hexdigest()
