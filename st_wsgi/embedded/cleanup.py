"""
Expired rows go a few at a time, along with calls that store such rows: no job, no pause, no lock that others wait for.

Nothing relies on it: an expired row is refused wherever it is read.
"""

from __future__ import annotations

from .storage.database import Database
from .storage.tables import Table, tables_with

EVERY = 3
"""One write in so many removes expired rows of one table. The tables take turns."""

BATCH = 64
"""Rows that one write removes at most."""

_GRACE = 3_600_000

#: Codes stand before their devices here: a device goes when it has no codes.
EXPIRING = tuple(reversed(tables_with("expires_at")))
_UNUSED = {
    "passwordless_devices": " AND NOT EXISTS (SELECT 1 FROM passwordless_codes AS c WHERE c.app = o.app"
    " AND c.tenant_id = o.tenant_id AND c.device_id_hash = o.device_id_hash)"
}


class Cleaner:
    """Counts this process's writes and cleans up along with some."""

    def __init__(self) -> None:
        self._writes = 0

    def a_little(self, db: Database, now: int) -> None:
        """Remove some rows that expired an hour before *now* (milliseconds), if it is this write's turn."""
        self._writes += 1
        turn, others = divmod(self._writes, EVERY)
        if others == 0:
            _clean(db, EXPIRING[turn % len(EXPIRING)], now, BATCH)


def clean(db: Database, now: int, *, batch: int = BATCH) -> int:
    """Remove up to *batch* rows a table that expired an hour before *now*; return how many went."""
    return sum(_clean(db, table, now, batch) for table in EXPIRING)


def _clean(db: Database, table: Table, now: int, batch: int) -> int:
    expired = f"expires_at < ?{_UNUSED.get(table.name, '')}"
    return db.delete_some(table.name, table.key, expired, now - _GRACE, batch)
