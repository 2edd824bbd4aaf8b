"""
Expired rows go a few at a time, along with writes that happen anyway: no job, no pause.

Nothing relies on it: an expired row is refused wherever it is read.
"""

from __future__ import annotations

from .storage.database import Database
from .storage.tables import tables_with

EVERY = 32
"""One write in so many cleans up."""

BATCH = 64
"""Rows of each table that one write removes at most."""

_GRACE = 3_600_000


class Cleaner:
    """Counts this process's writes and cleans up along with some."""

    def __init__(self) -> None:
        self._writes = 0

    def a_little(self, db: Database, now: int) -> None:
        """Remove a batch of rows that expired an hour before *now* (milliseconds), if it is this write's turn."""
        self._writes += 1
        if self._writes % EVERY == 0:
            clean(db, now)


def clean(db: Database, now: int, *, batch: int = BATCH) -> int:
    """Remove up to *batch* rows a table that expired an hour before *now*; return how many went."""
    gone = 0
    for table in tables_with("expires_at"):
        query = f"SELECT {', '.join(table.key)} FROM {table.name} WHERE expires_at < ? LIMIT ?"
        for key in db.rows(query, now - _GRACE, batch):
            gone += db.delete(table.name, **dict(zip(table.key, key, strict=True)))
    return gone
