"""Maintenance: check a database; copy a file, and bring its schema up to date."""

from __future__ import annotations

import pathlib
import sqlite3
from contextlib import closing
from typing import Any

import attrs

from ..errors import ConfigError
from . import population
from .storage.database import Store
from .storage.sqlite import MIGRATIONS, SQLiteStore, backup, explain, inspect, read_only
from .storage.tables import TABLES, VERSIONS


@attrs.frozen
class Report:
    """
    What a check found.

    :param problems: texts, none when all is well.
    :param rows: how many there are, by table.
    """

    schema: int
    problems: tuple[str, ...]
    rows: dict[str, int]

    def json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {"ok": not self.problems, "schema": self.schema, "problems": list(self.problems), "rows": self.rows}


def check(path: pathlib.Path) -> Report:
    """
    Read the whole file and tell whether it is sound, without changing it.

    :raises ConfigError: when there is no such file, or it is not a database of this package.
    """
    version = _existing(path)
    try:
        with closing(read_only(path)) as db:
            found = [row[0] for row in db.execute("PRAGMA integrity_check(20)")]
        if found == ["ok"]:
            with closing(SQLiteStore(path)) as store:
                return check_store(store)
    except sqlite3.DatabaseError as error:
        found = [explain(error, str(path))]
    return Report(version, tuple(found), {})


def check_store(store: Store) -> Report:
    """Tell whether the rows of a database go with each other, without changing it."""
    problems = [f"{number} {what}" for what, number in population.orphans(store).items()]
    with store.snapshot() as db:
        rows = {table: db.value(f"SELECT count(*) FROM {table}") for table in ("apps", *(one.name for one in TABLES))}
    return Report(len(VERSIONS), tuple(problems), rows)


def copy(path: pathlib.Path, target: pathlib.Path) -> None:
    """
    Copy a database, in use or not, to *target*.

    :raises ConfigError: when either is not usable, or *target* is there already.
    """
    _existing(path)
    if target.exists():
        raise ConfigError(f"{target} is there already: name another file, or move it away")
    if not target.parent.is_dir():
        raise ConfigError(f"{target}: there is no such folder")
    try:
        with closing(read_only(path)) as db:
            backup(db, target)
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(explain(error, f"{path} to {target}")) from error


def update(path: pathlib.Path) -> tuple[int | None, int]:
    """
    Bring the schema up to date, after a backup; return the version before (None: new file) and after.

    :raises ConfigError: when the file is not usable.
    """
    before = _version(path)
    SQLiteStore(path).close()
    return before, len(MIGRATIONS)


def _version(path: pathlib.Path) -> int | None:
    try:
        return inspect(path)
    except sqlite3.Error as error:
        raise ConfigError(explain(error, str(path))) from error


def _existing(path: pathlib.Path) -> int:
    version = _version(path)
    if version is None:
        raise ConfigError(f"{path}: there is no database. Name one with --db")
    return version
