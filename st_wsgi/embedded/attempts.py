"""
Attempts to sign in and the like, counted in the database, so that all workers of an app share them.

They are no part of the core driver interface: the app in this process counts them (``st_wsgi.limits``).
"""

from __future__ import annotations

from .call import CoreServices
from .storage.database import Database

_ADD = """INSERT INTO attempts (app, name, number, expires_at) VALUES (?, ?, 1, ?)
    ON CONFLICT (app, name) DO UPDATE SET
        number = CASE WHEN attempts.expires_at <= ? THEN 1 ELSE attempts.number + 1 END,
        expires_at = CASE WHEN attempts.expires_at <= ? THEN excluded.expires_at ELSE attempts.expires_at END"""
_COUNTED = "SELECT number, expires_at FROM attempts WHERE app = ? AND name = ?"


class Attempts:
    """Counts attempts in the database of a core, for its public app."""

    def __init__(self, services: CoreServices) -> None:
        self._services = services

    def add(self, key: str, seconds: int, /) -> tuple[int, float]:
        """Count one attempt; return how many there were in the period, and the seconds until that ends."""
        app, now = self._app, self._services.clock()

        def count(db: Database) -> tuple[int, int]:
            # In two steps: RETURNING came with SQLite 3.35, which is newer than that of some systems.
            db.change(_ADD, app, key, now + seconds * 1000, now, now)
            self._services.cleaner.a_little(db, now)
            counted: tuple[int, int] = db.row(_COUNTED, app, key)
            return counted

        number, end = self._services.store.written(count, concurrent=True)
        return number, (end - now) / 1000

    def clear(self, key: str, /) -> None:
        """Forget the attempts of a key."""
        app = self._app
        self._services.store.written(lambda db: db.delete("attempts", app=app, name=key))

    @property
    def _app(self) -> int:
        public = self._services.tenancy.find("public", "public")
        assert public is not None, "the public app cannot be removed"
        return public.app
