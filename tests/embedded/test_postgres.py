"""The server: its address, its schema, and what happens when it is not there, full of connections or read-only."""

from __future__ import annotations

import logging
import random
import string
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from cluster import Cluster, running, small_disk, standby
from contract import commits
from contract.client import Caller, email
from contract.test_emailpassword import SECRET, sign_up
from contract.test_sessions import create, refresh, verify

from embedded.conftest import QUICK, caller
from st_wsgi.cli import main
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.core import backup_command, locate
from st_wsgi.embedded.storage import postgres
from st_wsgi.embedded.storage.database import Database
from st_wsgi.embedded.storage.postgres import PostgresStore, split
from st_wsgi.embedded.storage.postgres_database import translated
from st_wsgi.embedded.storage.postgres_errors import CommitUncertain
from st_wsgi.embedded.storage.postgres_schema import Versions, migrate
from st_wsgi.embedded.storage.tables import VERSIONS
from st_wsgi.errors import ConfigError, CoreUnavailable

NEXT = (*VERSIONS, (("CREATE TABLE extra (x INTEGER)", ""), ("INSERT INTO extra VALUES (1)", "")))


def test_settings_in_an_address() -> None:
    """Settings of the core, the pool and libpq are told apart by their names, in any order."""
    address = (
        "postgresql://ann@db:5433/auth?access_token_validity=2&sslmode=require&schema=shop"
        "&application_name=a%20b&api_keys=a,b&pool_size=3"
    )
    assert split(address) == (
        "postgresql://ann@db:5433/auth?sslmode=require&application_name=a%20b",
        {"schema": "shop", "pool_size": "3"},
        {"access_token_validity": "2", "api_keys": "a,b"},
    )


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("postgresql://ann@db/auth?schema=a&schema=b", "'schema' is in the address twice"),
        ("postgresql://ann@db/auth?acces_token_validity=2", "Did you mean access_token_validity"),
        ("postgresql://ann@db/auth?schema=a-b", "take a name of small letters"),
        ("postgresql://ann@db/auth?pool_size=many", "pool_size='many': write a whole number"),
        ("postgresql://ann:hunter2%zz@db/auth", "with special characters of user and password as %XX"),
    ],
)
def test_addresses_that_are_refused(address: str, problem: str) -> None:
    """The text says what a right address is, and has no password."""
    with pytest.raises(ConfigError) as caught:
        EmbeddedCore.open(address)
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


UNREADABLE = [
    "postgresql://ann:99999/S3CRETcd@127.0.0.1:1/auth",
    "postgresql://ann:S3CRET/x@127.0.0.1:1/auth",
    "postgresql://ann:99999?S3CRET@127.0.0.1:1/auth",
    "postgresql://ann:99999?S3CRET=x@127.0.0.1:1/auth",
    "postgresql://ann:99999?S3CRET&x@127.0.0.1:1/auth",
    "postgresql://ann:99999?schema=S3CRET@127.0.0.1:1/auth",
    "postgresql://ann:99999?pool_size=S3CRET@127.0.0.1:1/auth",
    "postgresql://ann:99999?S3CRET=x&S3CRET=x@127.0.0.1:1/auth",
    "postgresql://ann:99999?dbname=S3CRET@127.0.0.1:1/auth",
    "postgresql://ann:99999?password=x&S3CRET:y@127.0.0.1:1/auth",
    "postgresql://ann:x@S3CRET@127.0.0.1:1/auth",
    "postgresql://ann:S3CRET",
    "postgresql://127.0.0.1/auth?user=ann&password=x&S3CRET/y",
    "postgresql://ann:S3CRET%zz@127.0.0.1:1/auth",
    "postgresql://ann:S3CRET\udcff@127.0.0.1:1/auth",
    "postgresql:ann:S3CRET@127.0.0.1:1/auth",
    "postgres:host=127.0.0.1 port=S3CRET",
]
"""Addresses whose password is not written as %XX, or that are cut off after it."""


def _said(error: BaseException | None) -> str:
    """Return all that an error and the errors behind it say."""
    return "" if error is None else f"{error} {error!r} {_said(error.__cause__)} {_said(error.__context__)}"


@pytest.mark.parametrize("address", UNREADABLE[:-6])
def test_an_address_that_hides_its_password_badly_is_written_anew(address: str) -> None:
    """The same with the password as %XX is right."""
    password = address.removeprefix("postgresql://ann:").removesuffix("@127.0.0.1:1/auth")
    with pytest.raises(ConfigError) as caught:
        EmbeddedCore.open(f"postgresql://ann:{quote(password, safe='')}@127.0.0.1:1/auth")
    assert "postgresql://ann@127.0.0.1:1/auth (st_wsgi)" in str(caught.value)


@pytest.mark.parametrize("address", UNREADABLE)
@pytest.mark.parametrize("door", [EmbeddedCore.open, locate, lambda address: backup_command(address, "file")])
def test_no_part_of_a_password_is_in_an_error(door: Callable[[str], object], address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        opened = door(address)
        if isinstance(opened, tuple):  # a store that is not opened yet
            opened[0]()
    assert str(caught.value) == (
        "the address of PostgreSQL cannot be read. Write postgresql://user:password@host:5432/database, with special "
        "characters of user and password as %XX"
    )
    assert "S3CRET" not in _said(caught.value)


@pytest.mark.parametrize("address", [address for address in UNREADABLE if "://" in address])
def test_no_part_of_a_password_is_printed(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither by a core that is to be served, nor by the doctor of an app that does not start."""
    app = f"""
from st_wsgi import AppInfo, SuperTokens
from st_wsgi.recipes.session import Session

info = AppInfo(app_name="Shop", api_domain="http://localhost:8000", website_domain="http://localhost:8000")
st = SuperTokens(core={address!r}, app_info=info, recipes=[Session()])
"""
    name = f"app_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(app)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    printed = ""
    for words in (["doctor", "--app", f"{name}:st"], ["core", "serve", "--port", "0", "--db", address]):
        assert main(words) == 1
        said = "".join(capfd.readouterr())
        assert "cannot be read" in said
        printed += said
    assert "S3CRET" not in printed


def test_without_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "st_wsgi.embedded.storage.postgres")
    monkeypatch.delattr("st_wsgi.embedded.storage.postgres")
    with pytest.raises(ConfigError, match=r"pip install 'st-wsgi\[postgres\]'"):
        locate("postgresql://db/auth")


def test_statements() -> None:
    """Statements of SQLite are translated to those of PostgreSQL."""
    query = "SELECT 1 FROM roles AS r JOIN user_roles u USING (app) WHERE r.app = ? AND role LIKE ?"
    expected = (
        "SELECT 1 FROM shop.roles AS r JOIN shop.user_roles u USING (app) WHERE r.app = $1 AND role ILIKE $2 ESCAPE ''"
    )
    assert translated(query, "shop").decode() == expected


def test_a_server_that_cannot_be_reached(caplog: pytest.LogCaptureFixture) -> None:
    """The error names the server and what to check, without the password."""
    with pytest.raises(ConfigError) as caught:
        EmbeddedCore.open("postgresql://ann:hunter2@127.0.0.1:1/auth")
    assert "postgresql://ann@127.0.0.1:1/auth" in str(caught.value)
    assert "Is the server up" in str(caught.value)
    assert "hunter2" not in str(caught.value) + caplog.text


def test_a_password_is_never_shown(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the core nor its store, nor anything they log, has it."""
    caplog.set_level(logging.DEBUG)
    address = cluster.address().replace("tests@", "tests:hunter2@")
    with EmbeddedCore.open(address, settings=QUICK) as core:
        sign_up(caller(core))
        assert f"postgresql://tests@127.0.0.1:{cluster.port}/postgres" in repr(core)
        assert "hunter2" not in repr(core) + repr(core.services) + core.services.store.name + caplog.text


def test_the_tables_are_in_a_schema_of_their_own(cluster: Cluster) -> None:
    """Two schemas are two cores, and neither sees tables of the app."""
    addresses = [cluster.address("one"), cluster.address("two")]
    with psycopg.connect(addresses[0].partition("?")[0], autocommit=True) as db:
        db.execute("CREATE TABLE public.sessions (theirs TEXT)")
    ids = []
    for address in addresses:
        with EmbeddedCore.open(address, settings=QUICK) as core:
            ids.append(sign_up(caller(core), "ann@example.com")["id"])
    for address, own, other in ((addresses[0], *ids), (addresses[1], *reversed(ids))):
        with EmbeddedCore.open(address, settings=QUICK) as core:
            assert caller(core).get("/user/id", userId=own).body["status"] == "OK"
            assert caller(core).get("/user/id", userId=other).body["status"] == "UNKNOWN_USER_ID_ERROR"


def test_processes_that_start_together_make_the_schema_once(cluster: Cluster) -> None:
    """The first makes it, the others wait for that; a later version brings it up to date, likewise."""
    address = cluster.address("together")
    for versions in (VERSIONS, NEXT):
        together, problems = threading.Barrier(6), []

        def start(versions: Versions = versions, together: threading.Barrier = together) -> None:
            together.wait(10)
            try:
                with psycopg.connect(split(address)[0], autocommit=True, cursor_factory=psycopg.RawCursor) as db:
                    migrate(db, "together", versions)
            except BaseException as error:
                problems.append(error)  # noqa: B023 # read before the next round
                raise

        threads = [threading.Thread(target=start) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert problems == []
    with psycopg.connect(split(address)[0]) as db:
        assert db.execute("SELECT x FROM together.extra").fetchall() == [(1,)]
        assert db.execute("SELECT version FROM together.schema_version").fetchall() == [(len(NEXT),)]


def test_a_newer_schema_is_refused(cluster: Cluster) -> None:
    """A process of the package before an upgrade does not touch what the upgrade made."""
    address = cluster.address("newer")
    with psycopg.connect(split(address)[0], autocommit=True, cursor_factory=psycopg.RawCursor) as db:
        migrate(db, "newer", NEXT)
    with pytest.raises(ConfigError, match=r"newer version.*Upgrade the package"):
        EmbeddedCore.open(address)


def test_tables_of_another_program_are_not_touched(cluster: Cluster) -> None:
    """A schema with other tables is refused."""
    address = cluster.address("theirs")
    with psycopg.connect(split(address)[0], autocommit=True) as db:
        db.execute("CREATE SCHEMA theirs")
        db.execute("CREATE TABLE theirs.apps (x INTEGER)")
    with pytest.raises(ConfigError, match="the schema theirs has tables of another program"):
        EmbeddedCore.open(address)


def test_a_migration_that_fails_changes_nothing(cluster: Cluster) -> None:
    """All of a migration happens, or nothing."""
    address = cluster.address("broken")
    EmbeddedCore.open(address).close()
    broken = (*VERSIONS, (("CREATE TABLE extra (x INTEGER)", ""), ("NONSENSE", "")))
    with psycopg.connect(split(address)[0], autocommit=True, cursor_factory=psycopg.RawCursor) as db:
        with pytest.raises(psycopg.errors.SyntaxError):
            migrate(db, "broken", broken)
        assert db.execute("SELECT to_regclass('broken.extra')").fetchone() == (None,)
    EmbeddedCore.open(address).close()


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A server that a test may stop."""
    with running() as cluster:
        yield cluster


def test_a_server_that_restarts(own_cluster: Cluster, make_core: Callable[..., EmbeddedCore]) -> None:
    """Calls in between fail with an error that says so. The next ones work, on new connections, and nothing is lost."""
    address = own_cluster.address(hashing_queue_size=100)
    app, hasty = caller(make_core(address)), caller(make_core(f"{address}&pool_timeout_ms=100"))
    before = sign_up(app)["id"]
    hasty.get("/user/id", userId=before).has()
    own_cluster.stop()
    for _ in range(2):
        answer = hasty.get("/user/id", userId=before)
        assert answer.status == 503
        assert "Is the server up" in answer.body
        assert int(answer.headers["retry-after"]) > 0
    own_cluster.start()
    app.get("/user/id", userId=before).has()
    # Dead connections of the pool are not met one by one.
    together(app, 4, lambda number: sign_up(app))
    own_cluster.stop()
    own_cluster.start()
    for _ in range(6):
        sign_up(app)


def together(app: Caller, number: int, work: Callable[[int], object]) -> None:
    """Do something in several threads at once; all of it must work."""
    problems: list[BaseException] = []

    def run(place: int) -> None:
        try:
            work(place)
        except BaseException as error:
            problems.append(error)
            raise

    threads = [threading.Thread(target=run, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []


def test_more_threads_than_connections(cluster: Cluster, make_core: Callable[..., EmbeddedCore]) -> None:
    """They wait for each other, and the server never sees more than the setting says."""
    core = make_core(cluster.address(pool_size=2, application_name="bounded"))
    app = caller(core)
    create(app, "first")
    seen: list[int] = []

    def work(number: int) -> None:
        with psycopg.connect(split(cluster.address())[0]) as db:
            for _ in range(10):
                create(app, f"user-{number}")
                query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bounded'"
                seen.extend(count for (count,) in db.execute(query).fetchall())

    together(app, 8, work)
    assert 1 <= max(seen) <= 2


def test_a_server_that_takes_no_writes(own_cluster: Cluster, make_core: Callable[..., EmbeddedCore]) -> None:
    """Reads go on. Writes fail with an error that names the remedy. Both work again afterwards."""
    app = caller(make_core(own_cluster.address(application_name="standby")))
    user = sign_up(app)["id"]
    with connected(own_cluster) as db:
        for value in ("on", "off"):
            db.execute(f"ALTER ROLE tests SET default_transaction_read_only = {value}".encode())
            query = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'standby'"
            db.execute(query)
            if value == "on":
                app.get("/user/id", userId=user).has()
                answer = app.post("/recipe/signup", email=email(), password="correct horse 1")
                assert (answer.status, "target_session_attrs=read-write" in answer.body) == (503, True)
    sign_up(app)


def connected(server: Cluster) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection of the test's own, which ends with its block."""
    return psycopg.connect(split(server.address())[0], autocommit=True)


@pytest.mark.exhaustive
def test_a_standby_takes_over(own_cluster: Cluster, make_core: Callable[..., EmbeddedCore]) -> None:
    """With both servers in the address, calls fail until the standby is promoted. Nothing is lost."""
    with standby(own_cluster) as other:
        address = own_cluster.address(target_session_attrs="read-write", pool_timeout_ms=2_000)
        hosts = f":{own_cluster.port},127.0.0.1:{other.port}/"
        app = caller(make_core(address.replace(f":{own_cluster.port}/", hosts)))
        user = sign_up(app)["loginMethods"][0]["email"]
        token = create(app, "user")["refreshToken"]["token"]
        with connected(own_cluster) as db:
            ((end,),) = db.execute("SELECT pg_current_wal_lsn()").fetchall()
        with connected(other) as db:
            deadline = time.monotonic() + 30
            while db.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (end,)).fetchall() != [(True,)]:
                assert time.monotonic() < deadline, "the standby does not follow"
        own_cluster.stop()
        for answer in (app.get("/recipe/roles"), app.post("/recipe/signup", email=email(), password=SECRET)):
            assert (answer.status, "Is the server up" in answer.body) == (503, True)
        with connected(other) as db:
            assert db.execute("SELECT pg_promote()").fetchall() == [(True,)]
        app.post("/recipe/signin", email=user, password=SECRET).has()
        refresh(app, token).has()
        sign_up(app)
        # The fixture stops it in the end.
        own_cluster.start()


@pytest.mark.exhaustive
def test_a_full_disk_of_the_server(make_core: Callable[..., EmbeddedCore]) -> None:
    """What needs more space fails with an error that says so. The rest works, and all of it when there is space."""
    with small_disk(8) as folder, running() as server, connected(server) as db:
        db.execute(f"CREATE TABLESPACE small LOCATION '{folder}'".encode())
        app = caller(make_core(server.address(options="-c%20default_tablespace%3Dsmall")))
        user = sign_up(app)["id"]
        db.execute("CREATE TABLE filling (text TEXT) TABLESPACE small")
        db.execute("ALTER TABLE filling ALTER text SET STORAGE EXTERNAL")
        with pytest.raises(psycopg.errors.DiskFull):
            while True:
                db.execute("INSERT INTO filling SELECT repeat('x', 100000)")
        large = {"text": "".join(random.choices(string.ascii_letters, k=500_000))}
        for _ in range(2):
            answer = app.put("/recipe/user/metadata", userId=user, metadataUpdate=large)
            answer.refused(503, answer.body)
            assert "The disk of the server is full. Nothing was changed; free some space" in answer.body
            app.get("/recipe/user/metadata", userId=user).says("OK", metadata={})
        db.execute("DROP TABLE filling")
        app.put("/recipe/user/metadata", userId=user, metadataUpdate=large).says("OK", metadata=large)


@pytest.mark.parametrize("value", ["a\0b", "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))])
def test_values_that_postgresql_cannot_keep(
    cluster: Cluster, make_core: Callable[..., EmbeddedCore], value: str
) -> None:
    """A null character, or a key that is too long for an index, is the caller's mistake."""
    app = caller(make_core(cluster.address()))
    answer = app.put("/recipe/role", role=value)
    assert answer.status == 400
    assert "cannot be stored" in answer.body
    app.post("/recipe/user/metadata/bulk", userIds=["a\0b"]).says("OK", users=[{"userId": "a\0b", "metadata": None}])
    app.get("/recipe/roles").says("OK", roles=[])


def test_transactions_that_always_conflict(cluster: Cluster) -> None:
    """Work is repeated a limited number of times. Then it fails, and the text names the conflict."""
    store = PostgresStore(*split(cluster.address())[:2])
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise psycopg.errors.SerializationFailure("could not serialize access")

    with pytest.raises(psycopg.errors.SerializationFailure) as caught:
        store.repeated(work)
    assert len(tries) == postgres.REPEATS
    assert store.is_transient(caught.value)
    assert "Too many calls change the same thing at once" in store.explain(caught.value)
    store.close()


def test_calls_that_commit_twice_are_noticed(cluster: Cluster) -> None:
    """All contract tests are watched for calls that would do something twice when they are repeated."""
    store = PostgresStore(*split(cluster.address())[:2])

    def work(first: str) -> None:
        row = {"name": "key", "value": "v"} if first == "key_values" else {"role": first}
        store.written(lambda db: db.insert_new("key_values" if "value" in row else "roles", app=1, **row))
        store.written(lambda db: db.insert_new("roles", app=1, role="admin"))

    with commits.watched():
        store.repeated(lambda: work("key_values"))
        with pytest.raises(AssertionError, match=r"committed before.*roles.*roles"):
            store.repeated(lambda: work("editor"))
    store.close()


def test_lists_of_texts(cluster: Cluster) -> None:
    """All texts that PostgreSQL can store are found. The others are in no row, and are left out."""
    store = PostgresStore(*split(cluster.address())[:2])
    lists = [[], [""], ["", ""], ['"', "\\", '\\"', "NULL", "null", "{x}", "a,b", " a ", "\n", "'", "\U0001f600"]]
    with store.read() as db:
        for texts in lists:
            for others in ([], ["a\0b"], ["\0"], ["\ud800"]):
                assert db.column(f"SELECT value FROM {db.wanted}", db.listed([*others, *texts])) == texts
    store.close()


def test_frequent_statements_are_planned_a_few_times(cluster: Cluster, make_core: Callable[..., EmbeddedCore]) -> None:
    """PostgreSQL keeps the plan of a statement, unless the values decide which plan is best."""
    core = make_core(cluster.address(pool_size=1))
    app = caller(core)
    address = sign_up(app)["loginMethods"][0]["email"]
    for _ in range(12):
        app.get("/users", limit="100", timeJoinedOrder="DESC").has()
        app.post("/recipe/signin", email=address, password=SECRET).has()
        session = refresh(app, create(app, "user")["refreshToken"]["token"]).has()
        verify(app, session["accessToken"]["token"]).has()
    with core.services.store.read() as db:
        assert db.column("SELECT statement FROM pg_prepared_statements WHERE custom_plans > 5") == []
        prepared = db.value("SELECT count(*) FROM pg_prepared_statements WHERE generic_plans > 0")
    assert prepared >= 8


def test_how_much_a_connection_keeps(cluster: Cluster) -> None:
    """It keeps cursors of the latest statements, but none with many rows."""
    store = PostgresStore(*split(cluster.address())[:2])
    with store.read() as db:
        for number in range(150):
            db.value(f"SELECT {number}")
            assert len(db.column("SELECT generate_series(1, ?)", 1000 if number % 2 else 10)) in (10, 1000)
        assert len(db._cursors) <= 101
        assert max(cursor.rowcount for cursor in db._cursors.values()) <= 100
    store.close()


def test_a_closed_core(cluster: Cluster) -> None:
    """Later calls fail with that reason."""
    with EmbeddedCore.open(cluster.address(), settings=QUICK) as core:
        app = caller(core)
        sign_up(app)
    with pytest.raises(CoreUnavailable, match="was closed"):
        app.get("/recipe/roles")


def test_an_idle_transaction_is_ended(cluster: Cluster, make_core: Callable[..., EmbeddedCore]) -> None:
    """A transaction that is idle for too long is ended, so that others can continue."""
    address = cluster.address("stopped")
    store = PostgresStore(split(address)[0], {"schema": "stopped", "statement_timeout_ms": "300"})
    app = caller(make_core(address))
    # Older versions of psycopg lose the kind of the error.
    ended = (psycopg.errors.IdleInTransactionSessionTimeout, psycopg.OperationalError)
    with pytest.raises(ended, match="idle-in-transaction"), store.write() as db:
        app.put("/recipe/role", role="admin").has(createdNewRole=True)
        db.rows("SELECT 1")
    with store.read() as db:
        assert db.column("SELECT role FROM roles") == ["admin"]
    store.close()


def test_a_call_that_writes_alone_excludes_other_writers(
    cluster: Cluster, make_core: Callable[..., EmbeddedCore]
) -> None:
    """While a call writes alone, other writers wait, and readers do not."""
    address = cluster.address("alone")
    store = PostgresStore(split(address)[0], {"schema": "alone"})
    app = caller(make_core(f"{address}&lock_timeout_ms=50"))
    create(app, "user")
    for concurrent in (True, False):
        with store.write(concurrent=concurrent):
            app.get("/recipe/roles").has()
            answers = [app.put("/recipe/role", role="admin"), app.post("/user/remove", userId="u")]
            assert [answer.status for answer in answers] == [503, 503]
            if concurrent:
                create(app, "user")
    app.put("/recipe/role", role="admin").has(createdNewRole=True)
    store.close()


def test_what_another_process_changes_counts_at_once(cluster: Cluster, make_core: Callable[..., EmbeddedCore]) -> None:
    """A core remembers tenants and their settings. The statement of a call says whether they are still the same."""
    address = cluster.address()
    app, other = (caller(make_core(address)) for _ in range(2))
    tenant = app.below("t1")
    unknown = "AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId "
    unknown += "combination not found: (, public, t1)"
    for _ in range(2):
        for method, path, body in (("GET", "/users", None), ("POST", "/recipe/signinup/code", {"email": "a@b.c"})):
            tenant.call(method, path, body).refused(400, unknown)
            other.put("/recipe/multitenancy/tenant/v2", tenantId="t1").has()
            tenant.call(method, path, body).has()
            other.post("/recipe/multitenancy/tenant/remove", tenantId="t1").says("OK", didExist=True)
            tenant.call(method, path, body).refused(400, unknown)


def test_a_connection_that_breaks_in_a_commit(cluster: Cluster) -> None:
    """The commit may have happened or not: the error says so, and the work is not repeated."""
    store = PostgresStore(*split(cluster.address())[:2])
    tries: list[int] = []

    def work(db: Database) -> None:
        tries.append(1)
        db.insert("roles", app=1, role="admin")
        backend = db.value("SELECT pg_backend_pid()")
        with psycopg.connect(split(cluster.address())[0], autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", (backend,))

    with pytest.raises(CommitUncertain) as caught:
        store.written(work)
    assert len(tries) == 1
    assert store.is_transient(caught.value)
    assert "The change may have been stored" in store.explain(caught.value)
    with store.read() as db:
        assert db.column("SELECT role FROM roles") == []
    store.close()
