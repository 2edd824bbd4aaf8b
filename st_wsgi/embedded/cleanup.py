"""
Expired rows go a few at a time, along with writes that happen anyway: no job, no pause.

Nothing relies on it: an expired row is refused wherever it is read.
"""

from __future__ import annotations

import sqlite3

EVERY = 32
"""One write in so many cleans up."""

BATCH = 64
"""Rows of each table that one write removes at most."""

_GRACE = 3_600_000

_EXPIRING = (
    ("sessions", ("app", "handle")),
    ("password_reset_tokens", ("app", "token_hash")),
    ("email_verification_tokens", ("app", "tenant_id", "token_hash")),
    ("passwordless_codes", ("app", "tenant_id", "code_id")),
    ("passwordless_devices", ("app", "tenant_id", "device_id_hash")),
    ("totp_codes", ("app", "user_id", "tenant_id", "created_at")),
    ("attempts", ("app", "name")),
    ("webauthn_options", ("app", "options_id")),
    ("dashboard_sessions", ("app", "session_id")),
    ("webauthn_recovery_tokens", ("app", "tenant_id", "token_hash")),
)


class Cleaner:
    """Counts this process's writes and cleans up along with some."""

    def __init__(self) -> None:
        self._writes = 0

    def a_little(self, db: sqlite3.Connection, now: int) -> None:
        """Remove a batch of rows that expired an hour before *now* (milliseconds), if it is this write's turn."""
        self._writes += 1
        if self._writes % EVERY == 0:
            clean(db, now)


def clean(db: sqlite3.Connection, now: int, *, batch: int = BATCH) -> int:
    """Remove up to *batch* rows a table that expired an hour before *now*; return how many went."""
    gone = 0
    for table, key in _EXPIRING:
        rows = db.execute(f"SELECT {', '.join(key)} FROM {table} WHERE expires_at < ? LIMIT ?", (now - _GRACE, batch))
        keys = rows.fetchall()
        gone += len(keys)
        if keys:
            db.executemany(f"DELETE FROM {table} WHERE {' AND '.join(f'{column} = ?' for column in key)}", keys)
    return gone
