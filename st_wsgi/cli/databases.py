"""The commands ``db``: they look after the database of an embedded core."""

from __future__ import annotations

import argparse
import pathlib
import sys

from ..embedded import EmbeddedCore, copying, maintenance
from ..embedded.core import backup_command
from .command import CommandFailed, Commands, command, group, show
from .cores import address_of, file_of, open_core


def add(commands: Commands) -> None:
    """Add the commands."""
    db = group(commands, "db", "look after the database of an embedded core")
    command(db, "migrate", _db_migrate, "bring the schema up to date, after a backup")
    backing_up = command(db, "backup", _db_backup, "copy the database while it is in use")
    backing_up.add_argument("target", type=pathlib.Path, help="a new file")
    copying_all = db.add_parser("copy", help="copy everything to another database, SQLite or PostgreSQL")
    copying_all.add_argument("--from", dest="db", required=True, metavar="ADDRESS", help="the database to copy")
    copying_all.add_argument("--to", required=True, metavar="ADDRESS", help="an empty one, or one that was cut short")
    copying_all.add_argument("--json", action="store_true", help="print JSON")
    copying_all.set_defaults(run=_db_copy, set=[])
    command(db, "check", _db_check, "read everything and report damage")


def _db_migrate(arguments: argparse.Namespace) -> int:
    path = file_of(arguments)
    before, after = maintenance.update(path)
    text = f"{path}: schema {after}" + ("" if before == after else f", before {before or 'there was none'}")
    show(arguments, {"before": before, "after": after}, text)
    return 0


def _db_backup(arguments: argparse.Namespace) -> int:
    address = address_of(arguments.db)
    if address.startswith("postgres"):
        own = backup_command(address, str(arguments.target))
        raise CommandFailed(f"PostgreSQL makes its own backups, while it is in use. Run: {own}")
    path = file_of(arguments)
    maintenance.copy(path, arguments.target)
    show(arguments, {"backup": str(arguments.target)}, f"{path} copied to {arguments.target}")
    return 0


def _db_copy(arguments: argparse.Namespace) -> int:
    with open_core(arguments) as core, EmbeddedCore.open(address_of(arguments.to)) as other:
        source, target = core.services.store, other.services.store

        def progress(table: str, rows: int) -> None:
            if rows:
                print(f"{table}: {rows} rows", file=sys.stderr)

        counts = copying.copy(source, target, progress)
    show(arguments, counts, f"{source.name} copied to {target.name}: {sum(counts.values())} rows")
    return 0


def _db_check(arguments: argparse.Namespace) -> int:
    if address_of(arguments.db).startswith("postgres"):
        with open_core(arguments) as core:
            name, report = core.services.store.name, maintenance.check_store(core.services.store)
        backups = ". Let pg_amcheck look at the files of the server"
    else:
        path = file_of(arguments)
        name, report = str(path), maintenance.check(path)
        backups = "; the backups of migrations are beside it, named *.bak"
    rows = ", ".join(f"{number} {table}" for table, number in report.rows.items() if number)
    text = f"{name}: sound; schema {report.schema}; {rows}"
    if report.problems:
        text = "\n".join([f"{name} is NOT sound:", *(f"  {problem}" for problem in report.problems)])
        text += f"\nPut a backup in its place{backups}"
    show(arguments, report.json(), text)
    return 1 if report.problems else 0
