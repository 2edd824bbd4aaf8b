"""
The queue of a bulk import, and the thread that works it off.

A user is stored and leaves the queue in one transaction. So a process that is killed loses no user and stores none
twice, and any number of processes may work on one file. Plain passwords are hashed before, outside of a transaction.
Meanwhile the user is marked ``PROCESSING``, and when that lasts longer than :data:`LEASE`, another process takes over.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping

from ..errors import SuperTokensError
from ..forks import renew_after_fork
from .bulkusers import BulkReader, BulkUser, UserRefused
from .fields import CallRefused
from .hashes import HashUnusable
from .offload import HashingBusy
from .passwords import Passwords
from .storage.database import Database, Store, Taken
from .tenancy import Tenancy

LEASE = 60_000
"""Milliseconds after which a user whose process has ended is taken up again."""

_ROUND = 50
_PAUSE = 0.002
"""Seconds at least between two rounds, in which other writers have their turn."""

_PATIENCE = 2.0
"""Seconds until the next look at users that another process has, or the next try to do what could not be done."""

_log = logging.getLogger("st_wsgi.core")


_Row = tuple[int, str, BulkUser]
"""A user in the queue: the number of the app, the id, and what came."""


class BulkQueue:
    """
    Works off the users that wait in a database, of all apps.

    :param clock: returns milliseconds since 1970.
    """

    def __init__(self, store: Store, clock: Callable[[], int], passwords: Passwords, tenancy: Tenancy) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._tenancy = tenancy
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Start again in a child process, where the thread does not exist."""
        self._closed = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ending = False
        self._looked = False
        self._paused: dict[int, float] = {}
        """The apps whose settings do not fit in this process, and until when they are left to other processes."""
        self._told: set[tuple[int, str]] = set()

    def look(self) -> None:
        """At the first call in a process, start the thread if an earlier process has left users waiting."""
        if not self._looked:
            self._looked = True
            self.wake()

    def wake(self) -> None:
        """Start the thread if users are waiting and it is not at work."""
        with self._starting:
            at_work = self._thread is not None and self._thread.is_alive() and not self._ending
            if at_work or self._closed.is_set() or not self._waiting():
                return
            self._ending = False
            self._thread = threading.Thread(target=self._work, name="st_wsgi bulk import", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop the thread after what it is doing; the others in the queue stay there."""
        self._closed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def run(self) -> None:
        """Work the queue off, also what another process is at or has left behind, without apps that are paused."""
        while not self._closed.is_set() and self._waiting(self._left_out()):
            self._closed.wait(self._round() or _PATIENCE)

    def _work(self) -> None:
        try:
            while not self._done():
                self.run()
                if self._left_out():
                    self._closed.wait(_PATIENCE)
        except SuperTokensError as error:
            _log.error("bulk import: %s", error)
        except self._store.errors as error:
            _log.error("bulk import: %s", self._store.explain(error))
        except Exception:
            # The boundary of the thread. The users of the round stay in the queue.
            _log.exception("bulk import failed")

    def _done(self) -> bool:
        """Return whether the thread may end. From then on :meth:`wake` starts another one."""
        with self._starting:
            if not self._closed.is_set() and self._waiting():
                return False
            self._ending = True
            return True

    def _waiting(self, left_out: Collection[int] = ()) -> bool:
        with self._store.read() as db:
            query = f"SELECT 1 FROM bulk_import_users WHERE status = ? AND {_none_of(left_out)} LIMIT 1"
            return any(db.row(query, status, *left_out) for status in ("NEW", "PROCESSING"))

    def _left_out(self) -> list[int]:
        now = time.monotonic()
        return [app for app, until in self._paused.items() if until > now]

    def _round(self) -> float | None:
        """
        Store some users, hash the passwords of some; return None when there were none, else the seconds to pause.

        They are as long as the transaction. Other processes look only now and then whether it is over.
        """
        now = self._clock()
        to_hash, pause = self._store.written(lambda db: self._take(db, now))
        left = [row for row, reader in to_hash if not self._hash_one(row, reader, now + LEASE // 2)]
        if left:
            self._mark_all(left, "NEW")
        return pause

    def _take(self, db: Database, now: int) -> tuple[list[tuple[_Row, BulkReader]], float | None]:
        """Store users who bring no passwords; return those to hash, marked, and how long to pause after them all."""
        started = time.monotonic()
        to_hash: list[tuple[_Row, BulkReader]] = []
        left_out = self._left_out()
        query = f"SELECT app, id, content FROM bulk_import_users WHERE {_none_of(left_out)} AND status ="
        rows = db.rows(f"{query} 'NEW' ORDER BY created_at, id LIMIT ?", *left_out, _ROUND)
        rows += db.rows(f"{query} 'PROCESSING' AND updated_at < ? LIMIT ?", *left_out, now - LEASE, _ROUND)
        readers = {app: self._reader(db, app) for app in {row[0] for row in rows}}
        for app, user_id, text in rows:
            row = app, user_id, json.loads(text)
            if (reader := readers[app]) is None:
                continue  # another process may have the right settings, as in a rolling restart
            if any("plainTextPassword" in method for method in row[2]["loginMethods"]):
                to_hash.append((row, reader))
                self._mark(db, row, "PROCESSING")
            else:
                self._store_one(db, row, reader, {})
        return to_hash, max(_PAUSE, time.monotonic() - started) if rows else None

    def _reader(self, db: Database, app: int) -> BulkReader | None:
        """Return what reads the users of an app; None, and pause the app, when its settings do not fit here."""
        [(app_id,)] = db.select("apps", "app_id", app=app)
        try:
            tenant = self._tenancy.find(app_id, "public")
        except CallRefused as error:
            self._paused[app] = time.monotonic() + _PATIENCE
            if (app, error.text) not in self._told:
                self._told.add((app, error.text))
                _log.error(
                    "bulk import: users of the app %s wait, since its settings do not fit: %s", app_id, error.text
                )
            return None
        assert tenant is not None, "the users of an app go with it"
        return BulkReader(db, tenant, self._passwords, self._clock(), stored=True)

    def _hash_one(self, row: _Row, reader: BulkReader, until: int) -> bool:
        """Store a user whose passwords are hashed first; return False, with nothing done, when there is no time."""
        hashed = None
        while hashed is None:
            if self._closed.is_set() or self._clock() > until:
                return False
            try:
                hashed = reader.hash_passwords(row[2])
            except HashingBusy:
                self._closed.wait(_PATIENCE)
            except HashUnusable as error:
                self._mark_all([row], "FAILED", str(error))
                return True
        new_hashes = hashed
        self._store.written(lambda db: self._store_one(db, row, None, new_hashes))
        return True

    def _store_one(self, db: Database, row: _Row, reader: BulkReader | None, hashed: Mapping[str, str]) -> None:
        """
        Store a user instead of their row in the queue, or note in it why not.

        :param reader: of this transaction, since roles and tenants may have changed; None for a new one.
        """
        reader = reader or self._reader(db, row[0])
        if reader is None:  # the settings have changed while passwords were hashed
            self._mark(db, row, "NEW")
            return
        try:
            with db.attempt():
                query = "DELETE FROM bulk_import_users WHERE app = ? AND id = ? AND status <> 'FAILED'"
                if db.change(query, *row[:2]):  # else a call removed it, or another process was quicker
                    reader.store(db, reader.read(row[2]), hashed)
        except (UserRefused, CallRefused) as error:
            self._mark(db, row, "FAILED", error.text)
        except Taken:
            self._mark(db, row, "FAILED", "an id of the user is in use")
        except SuperTokensError:
            raise  # of the database, and not of this user
        except self._store.errors:
            raise
        except Exception:
            # An error that goes on would end every round at this user, and all users after them would never be stored.
            _log.exception("bulk import: user %s failed", row[1])
            self._mark(db, row, "FAILED", "internal error, see the log of the core")

    def _mark_all(self, rows: Collection[_Row], status: str, problem: str | None = None) -> None:
        def mark(db: Database) -> None:
            for row in rows:
                self._mark(db, row, status, problem)

        self._store.written(mark)

    def _mark(self, db: Database, row: _Row, status: str, problem: str | None = None) -> None:
        changes = {"status": status, "error_message": problem, "updated_at": self._clock()}
        db.update("bulk_import_users", changes, app=row[0], id=row[1])


def _none_of(apps: Collection[int]) -> str:
    return f"app NOT IN ({', '.join('?' * len(apps))})" if apps else "1 = 1"
