"""
The embedded core in process: refreshing, verifying, signing in and listing, with few and with many rows in the file.

A refresh is told beside what it cannot do without: an RSA-2048 signature and its statements on the same file. Sign-in
is split into the hash and the rest. Times are those of the processor. The figures at a thousand users and sessions, and
at a million (fifty thousand with ``--quick``), are taken in turns from two files; the ratio is the cost with many to
that with few.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from benchmarks.filling import fill
from benchmarks.measuring import megabytes, microseconds
from benchmarks.report import Goal, Row, main, quotients, row
from st_wsgi.core_client.transport import CoreRequest, Method
from st_wsgi.embedded import EmbeddedCore

FEW, MANY, QUICK_MANY = 1_000, 1_000_000, 50_000
#: Users and sessions that are really used.
USED = 200
#: Calls of one kind in a row.
TURN = 50
CHEAP = {"argon2_memory_kb": 64, "argon2_iterations": 1}
PASSWORD = "correct horse 1"
HEADERS = {"cdi-version": "5.4"}
#: Megabytes that the process may grow by.
MEMORY = 32


class Subject:
    """A core, with :data:`USED` more users and sessions than it had."""

    def __init__(self, core: EmbeddedCore) -> None:
        self.core = core
        self.emails = [f"{uuid.uuid4().hex}@example.com" for _ in range(USED)]
        users = [self._post("/recipe/signup", email=email, password=PASSWORD)["recipeUserId"] for email in self.emails]
        made = [
            self._post(
                "/recipe/session",
                userId=user,
                userDataInJWT={},
                userDataInDatabase={},
                enableAntiCsrf=False,
                useDynamicSigningKey=True,
            )
            for user in users
        ]
        self.refresh_tokens = [one["refreshToken"]["token"] for one in made]
        self.access_tokens = [one["accessToken"]["token"] for one in made]

    def refresh(self) -> None:
        which = random.randrange(USED)
        answer = self._post(
            "/recipe/session/refresh",
            refreshToken=self.refresh_tokens[which],
            enableAntiCsrf=False,
            useDynamicSigningKey=True,
        )
        self.refresh_tokens[which] = answer["refreshToken"]["token"]

    def verify(self) -> None:
        """With check_database, as an app does that wants revoked sessions refused at once."""
        self._post(
            "/recipe/session/verify",
            accessToken=random.choice(self.access_tokens),
            doAntiCsrfCheck=False,
            enableAntiCsrf=False,
            checkDatabase=True,
        )

    def sign_in(self) -> None:
        self._post("/recipe/signin", email=random.choice(self.emails), password=PASSWORD)

    def list_users(self) -> None:
        self._send("GET", "/users", {"limit": "100", "timeJoinedOrder": random.choice(("ASC", "DESC"))}, None)

    def _post(self, path: str, **body: object) -> dict[str, Any]:
        return self._send("POST", path, {}, body)

    def _send(self, method: Method, path: str, params: dict[str, str], body: Any) -> dict[str, Any]:
        rid = {"rid": "emailpassword"}
        request = CoreRequest(method=method, path=path, params=params, body=body, headers={**HEADERS, **rid})
        answer = self.core.send(request).body
        assert isinstance(answer, dict) and answer["status"] == "OK", (path, answer)
        return answer


def filled(path: Path, size: int) -> Subject:
    """Return a core on a file with *size* users and as many sessions, and some more."""
    fill(path, size)
    return Subject(EmbeddedCore(path, settings=CHEAP))


class Floor:
    """What a refresh cannot do without: its statements on the same file, and a signature."""

    def __init__(self, path: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA synchronous=NORMAL")  # as the core does
        # Those that were filled in, not those that are really used.
        self._handles = [handle for (handle,) in self._db.execute("SELECT handle FROM sessions WHERE handle = user_id")]

    def sign_and_commit(self) -> None:
        self._key.sign(b"x" * 600, padding.PKCS1v15(), hashes.SHA256())
        key = (1, random.choice(self._handles))
        self._db.execute("BEGIN IMMEDIATE")
        query = "SELECT * FROM sessions WHERE app = ? AND handle = ?"
        user_id = self._db.execute(query, key).fetchone()[3]
        query = "SELECT primary_user_id FROM login_methods WHERE app = ? AND user_id = ?"
        self._db.execute(query, (1, user_id)).fetchone()
        change = "UPDATE sessions SET refresh_token_hash_2 = ?, expires_at = ? WHERE app = ? AND handle = ?"
        self._db.execute(change, (f"{random.getrandbits(256):064x}", 2_000_000_000_000, *key))
        change = "INSERT INTO last_active VALUES (?, ?, ?) ON CONFLICT (app, user_id) DO UPDATE SET last_active = ?"
        self._db.execute(change, (1, user_id, *[random.getrandbits(40)] * 2))
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def measure(quick: bool) -> list[Row]:
    many = QUICK_MANY if quick else MANY
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few_rows, many_rows = filled(folder / "few.db", FEW), filled(folder / "many.db", many)
        floor = Floor(folder / "few.db")
        passwords = few_rows.core.services.passwords
        stored = passwords.hash(PASSWORD)
        acts: dict[str, Callable[[], object]] = {
            "floor": floor.sign_and_commit,
        }
        for kind in ("refresh", "verify", "sign_in", "list_users"):
            acts[f"{kind} few"] = getattr(few_rows, kind)
            acts[f"{kind} many"] = getattr(many_rows, kind)
        taken: dict[str, list[float]] = {act: [] for act in (*acts, "rest")}
        memory = 0.0
        for number in range(-1, 7 if quick else 31):
            for act, do in acts.items():
                cost = microseconds(do, TURN)
                if number >= 0:  # the round before the first one warms up
                    taken[act].append(cost)
            if number >= 0:
                taken["rest"].append(_beyond(few_rows.sign_in, lambda: passwords.check(PASSWORD, stored)))
            if number <= 0:
                memory = megabytes()
        growth = megabytes() - memory
        floor.close()
        few_rows.core.close()
        many_rows.core.close()
    return [
        *_rows(taken, many),
        Row("embedded core, memory", "grown while it ran", growth, "MB", goal=_at_most(MEMORY)),
    ]


def _rows(taken: dict[str, list[float]], many: int) -> Iterator[Row]:
    title = "embedded core, refresh"
    yield row(title, "its statements and a signature", taken["floor"], "us")
    yield row(
        title,
        f"{FEW:,} sessions",
        taken["refresh few"],
        "us",
        ratios=quotients(taken["refresh few"], taken["floor"]),
        goal=Goal(of="ratio", at_most=2),
    )
    flat = Goal(of="ratio", at_most=1.25)
    names = {
        "refresh": "embedded core, refresh, flat",
        "verify": "embedded core, verify in database",
        "sign_in": "embedded core, sign-in, cheap hash",
        "list_users": "embedded core, page of 100 users",
    }
    for kind, name in names.items():
        few, more = taken[f"{kind} few"], taken[f"{kind} many"]
        yield row(name, f"with {FEW:,}", few, "us")
        yield row(name, f"with {many:,}", more, "us", ratios=quotients(more, few), goal=flat)
    yield row("embedded core, sign-in, but the hash", f"with {FEW:,}", taken["rest"], "us", goal=_at_most(1000))


def _at_most(figure: float) -> Goal:
    return Goal(of="value", at_most=round(figure))


def _beyond(whole: Callable[[], object], part: Callable[[], object]) -> float:
    """Return what *whole* takes longer than *part*, in microseconds; the two take turns call by call."""
    spent = 0.0
    for _ in range(TURN):
        began = time.process_time()
        whole()
        middle = time.process_time()
        part()
        spent += 2 * middle - began - time.process_time()
    return spent / TURN * 1e6


if __name__ == "__main__":
    main(__doc__ or "", measure)
