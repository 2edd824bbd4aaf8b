"""Filling the file of an embedded core with users and sessions, without asking the core: a million take a minute."""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs

from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.fields import page_token

BLOCK = 200
"""Users who joined one after the other and have as many login methods."""

METHODS = 10
"""Login methods of each user of the newest block, and of one block in fifty."""

_SAMPLE = 2_000
TABLES = ("login_methods", "method_tenants", "verified_emails", "user_id_mappings", "last_active", "sessions")

# A user each: number, id, number of login methods. The lower the number, the later they joined.
_USERS = f"""
CREATE TEMP TABLE people AS WITH RECURSIVE numbers (n) AS (
    SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :count)
SELECT n, new_id() AS id, CASE WHEN n / {BLOCK} % 50 = 0 THEN {METHODS} ELSE 1 END AS methods FROM numbers"""

# A login method each. Those of one user are by password, by code and with eight providers.
_METHODS = f"""
CREATE TEMP TABLE methods AS WITH RECURSIVE numbers (k) AS (
    SELECT 0 UNION ALL SELECT k + 1 FROM numbers WHERE k + 1 < {METHODS}),
own AS (
    SELECT n, id AS group_id, CASE WHEN k = 0 THEN id ELSE new_id() END AS id, k, methods > 1 AS linked,
        CASE methods WHEN 1 THEN n % 3 WHEN {METHODS} THEN min(k, 3) END AS kind
    FROM people JOIN numbers ON k < methods)
SELECT own.*, :newest - n + k AS joined,
    CASE kind WHEN 0 THEN 'emailpassword' WHEN 1 THEN 'passwordless' ELSE 'thirdparty' END
        AS recipe,
    group_id || '@example.com' AS email,
    CASE WHEN kind >= 2 THEN 'provider-' || k END AS party, CASE WHEN kind >= 2 THEN id END AS party_user
FROM own ORDER BY id"""

_FILL = (
    "INSERT INTO login_methods SELECT 1, id, recipe, group_id, linked, joined, email, NULL, party, party_user, NULL,"
    " CASE WHEN n % 10 = 1 THEN 'app-' || id END, 1 FROM methods",
    "INSERT INTO method_tenants SELECT 1, 'public', id, recipe, group_id, :newest - n, email, NULL, party, party_user"
    " FROM methods",
    "INSERT INTO verified_emails SELECT 1, CASE WHEN n % 10 = 1 THEN 'app-' || id ELSE id END, email FROM methods"
    " ORDER BY 2",
    "INSERT INTO user_id_mappings SELECT 1, id, 'app-' || id, NULL FROM methods WHERE n % 10 = 1",
    "INSERT INTO last_active SELECT 1, group_id, joined FROM methods WHERE k = 0 ORDER BY 2",
    "INSERT INTO sessions SELECT 1, id, 'public', id, hex(randomblob(32)), NULL, NULL, '{}', '{}', 0, joined,"
    " 2 * joined FROM methods WHERE k = 0 ORDER BY 2",
)


@attrs.frozen
class Filled:
    """
    Users who were stored, some of all.

    :param emails: of users with one login method, spread among all.
    :param accounts: provider and id there, likewise.
    :param tokens: each asks for a page of users with ten login methods, at any place of the list.
    """

    emails: list[str]
    accounts: list[tuple[str, str]]
    tokens: list[str]


def fill(path: Path, count: int, *, seed: int = 0) -> Filled:
    """
    Make the file of a core with *count* users in its public tenant.

    Indexes are made when the rows are there, which is many times faster. What the schema says to the planner is kept.
    """
    EmbeddedCore(path).close()
    numbers = random.Random(seed)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.create_function("new_id", 0, lambda: str(uuid.UUID(int=numbers.getrandbits(128))))
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-200000", "temp_store=MEMORY"):
            db.execute(f"PRAGMA {pragma}")
        values = {"count": count, "newest": 1_700_000_000_000}
        with _without_indexes(db):
            for statement in (_USERS, _METHODS, *_FILL):
                db.execute(statement, values)
        alone = "FROM methods WHERE NOT linked AND n % 10 <> 1"
        some = f"ORDER BY random() LIMIT {_SAMPLE}"
        emails = [email for (email,) in db.execute(f"SELECT email {alone} AND kind = 1 {some}")]
        accounts = db.execute(f"SELECT party, party_user {alone} AND kind = 2 {some}").fetchall()
        starts = db.execute(f"SELECT id, :newest - n FROM people WHERE n % {BLOCK} = 0 AND methods > 1", values)
        tokens = [page_token(user_id, joined) for user_id, joined in starts]
        db.execute("PRAGMA journal_mode=WAL")
    return Filled(emails, accounts, tokens)


@contextmanager
def _without_indexes(db: sqlite3.Connection) -> Iterator[None]:
    marks = ", ".join("?" * len(TABLES))
    query = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})"
    indexes = db.execute(query, TABLES).fetchall()
    statistics = db.execute("SELECT * FROM sqlite_stat1").fetchall()
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    yield
    for _, statement in indexes:
        db.execute(statement)
    db.execute("DELETE FROM sqlite_stat1")
    db.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", statistics)
