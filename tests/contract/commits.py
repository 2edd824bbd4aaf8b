"""Calls that commit more than once: repeating one after its first commit must not do anything twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock
from weakref import WeakKeyDictionary

from st_wsgi.embedded.storage.postgres_database import PostgresDatabase

_CHANGE = re.compile(rb"\b(INSERT INTO|UPDATE|DELETE FROM) \w+\.(\w+)( SET password_hash = \$1 )?")

_MAY_COME_FIRST = {b"signing_keys", b"key_values"}
"""Keys that are made when they are first needed, and kinds of hashes. A repeated call finds them there."""


def _counts(statement: bytes) -> bool:
    """Return whether a repeated call may have another outcome after this statement."""
    found = _CHANGE.search(statement)
    # A password is hashed anew before the sign-in. The old hash and the new one belong to the same password.
    return found is not None and found[2] not in _MAY_COME_FIRST and found[3] is None


@contextmanager
def watched() -> Iterator[None]:
    """Fail in a call that commits something after it has committed something else."""
    changes: WeakKeyDictionary[Any, list[bytes]] = WeakKeyDictionary()
    committed: WeakKeyDictionary[Any, list[bytes]] = WeakKeyDictionary()
    execute, commit = PostgresDatabase.execute, PostgresDatabase.commit

    def watched_execute(self: PostgresDatabase, statement: bytes, values: Sequence[Any] = ()) -> Any:
        if statement == b"ROLLBACK":
            changes.pop(self._state, None)
        elif _counts(statement):
            changes.setdefault(self._state, []).append(statement)
        return execute(self, statement, values)

    def watched_commit(self: PostgresDatabase, statement: bytes = b"COMMIT", values: Sequence[Any] = ()) -> Any:
        cursor = commit(self, statement, values)
        new = changes.pop(self._state, [])
        if new and cursor.rowcount != 0:  # -1 for COMMIT
            assert self._state not in committed, f"committed before {new}: {committed[self._state]}"
            committed[self._state] = new
        return cursor

    with (
        mock.patch.object(PostgresDatabase, "execute", watched_execute),
        mock.patch.object(PostgresDatabase, "commit", watched_commit),
    ):
        yield
