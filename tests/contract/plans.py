"""What SQLite's planner says of the statements of a core: none reads a growing table as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.storage.database import Database
from st_wsgi.embedded.storage.sqlite import SQLiteDatabase

_FEW = re.compile(
    r"SCAN (wanted|names|one|json_each|CONSTANT|apps)\b"  # what the call names itself; apps are few in a core
    r"|SEARCH (tenants|tenant_providers|signing_keys|roles|role_permissions|dashboard_users|key_values)\b"  # in an app
    r"|SCAN (tenants|tenant_providers)$"  # GET /recipe/multitenancy/app/list names them all
    r"|SEARCH method_tenants USING INDEX method_by_odd_email\b"  # has the addresses with two @ only
)
"""Steps over what does not grow with users, sessions or tokens."""

ALLOWED = {
    r"DELETE FROM \w+ WHERE app = \?( AND tenant_id = \?)?$": "an app or tenant is removed with everything in it",
    r"SELECT DISTINCT group_time_joined, primary_user_id .* ORDER BY .* LIMIT": "a page, read in the order of an index",
    r"SELECT id, content, .* FROM bulk_import_users .* ORDER BY .* LIMIT": "the same of the queue",
    r"SELECT \(?(SELECT )?count\(": "a number of users is exact, so each is counted; the rows themselves are not read",
}
"""Statements that may read all of an app or tenant, and why."""


def trace(core: EmbeddedCore, callback: Callable[[str], object] | None) -> None:
    """Call *callback* from now on with every statement of a core in memory, which has one connection."""
    with core.services.store.read() as db:
        assert isinstance(db, SQLiteDatabase)
        db.set_trace_callback(callback)


@contextmanager
def watched(core: EmbeddedCore) -> Iterator[None]:
    """Fail at the end when a statement that a core in memory issued meanwhile reads a growing table as a whole."""
    issued: set[str] = set()
    trace(core, issued.add)
    try:
        yield
    finally:
        trace(core, None)
        with core.services.store.read() as db:
            slow = [found for statement in issued for found in _slow(db, statement)]
    assert not slow, "\n".join(f"{step}: {statement}" for step, statement in slow)


_SEEN: set[str] = set()


def _slow(db: Database, statement: str) -> Iterator[tuple[str, str]]:
    shape = re.sub(r"\b\d+\b", "?", re.sub(r"'(?:[^']|'')*'", "?", statement))
    if shape in _SEEN or not re.match("SELECT|UPDATE|DELETE|INSERT|WITH", shape):
        return
    _SEEN.add(shape)
    if any(re.match(pattern, shape) for pattern in ALLOWED):
        return
    for *_, step in db.rows(f"EXPLAIN QUERY PLAN {statement}"):
        whole = step.startswith("SCAN") or re.search(r"\((app=\?( AND (tenant_id|recipe_id)=\?)*)?\)$", step)
        if "FOR ORDER BY" in step or (whole and not _FEW.match(step)):
            yield step, statement
