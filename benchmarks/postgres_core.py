"""
The embedded core on PostgreSQL, beside the same statements sent bare, and beside the core on a file.

A server is started in a temporary folder, as the tests do. Times are those of the processor, of this process and of the
server together. Users and sessions are the same in the file and on the server: a thousand, and a million (fifty
thousand with ``--quick``). A refresh sent bare also has its RSA-2048 signature. A verification sent bare also reads a
token and checks its signature: without the token it would not know the session. The bare statements write new times in
each call, as the core does: PostgreSQL does less work if a row gets the values that it has already. No side checks a
password, nor waits for its turn to do so: that costs a hundred times the rest of a sign-in.
"""

from __future__ import annotations

import base64
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.embedded_core import CHEAP, FEW, MANY, QUICK_MANY, TURN, Subject
from benchmarks.filling import TABLES, fill
from benchmarks.programs import ROOT
from benchmarks.report import Goal, Row, main, quotients, row
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.passwords import Check, Passwords
from st_wsgi.embedded.storage.postgres_database import PostgresDatabase, adapters

sys.path.append(str(ROOT / "tests"))
from cluster import Cluster, running

#: Calls whose statements the bare connection sends.
RECORDED = 50
ACTS = {
    "verify": "verification with the database",
    "refresh": "refresh",
    "sign_in": "sign-in without the hash",
    "list_users": "page of 100 users",
}
Statement = tuple[bytes, list[Any]]


class Processor:
    """The time that processors spent on this process and on all processes of a server."""

    def __init__(self, server: Cluster) -> None:
        self._first = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])

    def seconds(self) -> float:
        """Return the time until now."""
        children = Path(f"/proc/{self._first}/task/{self._first}/children").read_text().split()
        spent = (int(Path(f"/proc/{one}/schedstat").read_text().split()[0]) for one in (self._first, *children))
        return time.process_time() + sum(spent) / 1e9

    def microseconds(self, act: Callable[[], object], calls: int = TURN) -> float:
        """Return how long processors are busy with one of some calls."""
        began = self.seconds()
        for _ in range(calls):
            act()
        return (self.seconds() - began) / calls * 1e6


def copy(path: Path, address: str) -> None:
    """Copy the users and sessions of a file into an empty schema, whose indexes are made afterwards."""
    schema = address.rpartition("schema=")[2]
    EmbeddedCore.open(address).close()
    with closing(sqlite3.connect(path)) as old, psycopg.connect(address.partition("?")[0]) as new:
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s AND tablename = ANY(%s)"
        query += " AND indexname NOT LIKE '%%_pkey'"
        indexes = new.execute(query, (schema, list(TABLES))).fetchall()
        for name, _ in indexes:
            new.execute(f"DROP INDEX {schema}.{name}".encode())
        for table in TABLES:
            with new.cursor().copy(f"COPY {schema}.{table} FROM STDIN".encode()) as target:
                for found in old.execute(f"SELECT * FROM {table}"):
                    target.write_row(found)
        for _, definition in indexes:
            new.execute(definition.encode())
    with psycopg.connect(address.partition("?")[0], autocommit=True) as new:
        for table in TABLES:
            new.execute(f"VACUUM ANALYZE {schema}.{table}".encode())
        new.execute("CHECKPOINT")


class Bare:
    """The statements of a core's calls on a connection of its own, with values that were recorded."""

    def __init__(self, address: str, subject: Subject) -> None:
        settings: dict[str, Any] = {"context": adapters, "cursor_factory": psycopg.RawCursor}
        self._db = psycopg.connect(address.partition("?")[0], autocommit=True, **settings)
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public_key = self._key.public_key()
        signed = subject.access_tokens[0].rpartition(".")[0].encode()
        self._token = f"{signed.decode()}.{base64.urlsafe_b64encode(self._sign(signed)).decode()}"
        self._recorded_at = _now()
        self._calls = {name: [_recorded(getattr(subject, name)) for _ in range(RECORDED)] for name in ACTS}
        # The last one of each session: its first value is the hash that the session has now.
        self._calls["refresh"] = list({call[1][1][6]: call for call in self._calls["refresh"]}.values())

    def verify(self) -> None:
        self._run(random.choice(self._calls["verify"]))
        signed, _, signature = self._token.rpartition(".")
        for part in signed.split("."):
            json.loads(base64.urlsafe_b64decode(f"{part}=="))
        self._public_key.verify(base64.urlsafe_b64decode(signature), signed.encode(), padding.PKCS1v15(), SHA256())

    def refresh(self) -> None:
        read, (change, values) = random.choice(self._calls["refresh"])
        values[7], values[0] = values[0], f"{random.getrandbits(256):064x}"
        self._sign(b"x" * 600)
        assert self._run([read, (change, self._later(values))]) == 1

    def sign_in(self) -> None:
        read, (change, values) = random.choice(self._calls["sign_in"])
        self._run([read, (change, self._later(values))])

    def list_users(self) -> None:
        self._run(random.choice(self._calls["list_users"]))

    def close(self) -> None:
        self._db.close()

    def _run(self, statements: Sequence[Statement]) -> int:
        changed = 0
        for statement, values in statements:
            cursor = self._db.execute(statement, values)
            if cursor.description is not None:
                cursor.fetchall()
            changed = cursor.rowcount
        return changed

    def _later(self, values: list[Any]) -> list[Any]:
        """Return values of a statement with the times that they would have now."""
        passed = _now() - self._recorded_at
        return [value + passed if isinstance(value, int) and value > 10**12 else value for value in values]

    def _sign(self, text: bytes) -> bytes:
        return self._key.sign(text, padding.PKCS1v15(), SHA256())


def _now() -> int:
    return time.time_ns() // 1_000_000


def _recorded(act: Callable[[], object]) -> list[Statement]:
    """Return the statements of a call."""
    seen: list[Statement] = []
    execute = PostgresDatabase.execute

    def record(self: PostgresDatabase, statement: bytes, values: Sequence[Any] = ()) -> Any:
        seen.append((statement, list(values)))
        return execute(self, statement, values)

    PostgresDatabase.execute = record  # type: ignore[method-assign]
    try:
        act()
    finally:
        PostgresDatabase.execute = execute  # type: ignore[method-assign]
    return [one for one in seen if b"expires_at <" not in one[0]]  # but the cleaning of one refresh in many


def subjects(server: Cluster, folder: Path, many: int) -> Iterator[tuple[str, Subject]]:
    """Yield the cores that are compared, by name."""
    for name, size in (("few", FEW), ("many", many)):
        path, address = folder / f"{name}.db", server.address(name)
        fill(path, size)
        copy(path, address)
        yield f"file {name}", Subject(EmbeddedCore(path, settings=CHEAP))
        yield f"server {name}", Subject(EmbeddedCore.open(address, settings=CHEAP))


def measure(quick: bool) -> list[Row]:
    many = QUICK_MANY if quick else MANY
    # A function: calling a Mock takes as long as a statement.
    no_hash = mock.patch.object(Passwords, "check", lambda *_, **__: Check(right=True))
    with tempfile.TemporaryDirectory() as name, running() as server, no_hash:
        processor = Processor(server)
        cores = dict(subjects(server, Path(name), many))
        bare = Bare(server.address("many"), Subject(cores["server many"].core))
        acts = {f"{act} bare": getattr(bare, act) for act in ACTS}
        acts |= {f"{act} {who}": getattr(subject, act) for act in ACTS for who, subject in cores.items()}
        taken: dict[str, list[float]] = {act: [] for act in acts}
        for number in range(-1, 7 if quick else 15):
            for act, do in acts.items():
                cost = processor.microseconds(do)
                if number >= 0:  # the round before the first one warms up
                    taken[act].append(cost)
        bare.close()
        for subject in cores.values():
            subject.core.close()
    return list(_rows(taken, many))


def _rows(taken: dict[str, list[float]], many: int) -> Iterator[Row]:
    for act, title in ACTS.items():
        measured = f"PostgreSQL, {title}"
        bare, on_file, few, more = (taken[f"{act} {who}"] for who in ("bare", "file many", "server few", "server many"))
        yield row(measured, "its statements, bare", bare, "us")
        yield row(
            measured, "the core, to bare", more, "us", ratios=quotients(more, bare), goal=Goal(of="ratio", at_most=1.5)
        )
        yield row(measured, "the core on a file", on_file, "us")
        yield row(
            measured,
            "the core, to a file",
            more,
            "us",
            ratios=quotients(more, on_file),
            goal=Goal("ratio", at_most=1.6),
        )
        yield row(
            measured,
            f"with {many:,}, to {FEW:,}",
            more,
            "us",
            ratios=quotients(more, few),
            goal=Goal(of="ratio", at_most=1.25),
        )


if __name__ == "__main__":
    main(__doc__ or "", measure)
