"""The file: made once, migrated forward, refused untouched when it cannot be used."""

from __future__ import annotations

import base64
import errno
import itertools
import os
import pathlib
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from types import FrameType
from typing import Any

import pytest
from contract.client import Caller, email, fresh
from contract.logins import by_code, code, consume, linked, phone, sign_in_up, social, typed, user
from contract.plans import trace
from contract.test_bulkimport import account, failed, plain
from contract.test_dashboard import made as dashboard_user, session as dashboard_session
from contract.test_emailpassword import sign_up
from contract.test_sessions import create, refresh, verify
from contract.test_webauthn import add as add_passkey, sign_in as sign_in_with, sign_up as passkey, to_register

from embedded.conftest import QUICK, Clock, caller
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.cleanup import clean
from st_wsgi.embedded.storage.sqlite import MIGRATIONS, Migrations, SQLiteStore, inspect
from st_wsgi.embedded.storage.tables import TABLES
from st_wsgi.errors import ConfigError, CoreUnavailable


def contents(path: pathlib.Path) -> dict[str, bytes]:
    """Return every file beside *path*, to see that nothing was touched."""
    return {found.name: found.read_bytes() for found in path.parent.iterdir() if found.is_file()}


def test_users_outlive_the_process(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path) -> None:
    """What was answered is in the file, for the next core that opens it."""
    path = tmp_path / "auth.db"
    address = email()
    user = sign_up(caller(make_core(path)), address)
    again = caller(make_core(path))
    again.get("/user/id", userId=user["id"]).says("OK", user=user)


def test_a_new_file_is_its_owners(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path) -> None:
    """No other account may read the hashes and keys; the log of the writes has the same mode."""
    path = tmp_path / "auth.db"
    core = make_core(path)
    sign_up(caller(core))
    for found in tmp_path.iterdir():
        assert stat.S_IMODE(found.stat().st_mode) == 0o600
    with core.services.store.read() as db:
        assert db.run("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.run("PRAGMA synchronous").fetchone() == (1,)
        assert db.run("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_opening_twice_changes_nothing(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path) -> None:
    """A file that is up to date is not written to by being opened, and no backup is made."""
    path = tmp_path / "auth.db"
    make_core(path).close()
    before = contents(path)
    make_core(path).close()
    assert contents(path) == before
    assert list(before) == ["auth.db"]


NEXT = (*MIGRATIONS, ("CREATE TABLE extra (x INTEGER)", "INSERT INTO extra VALUES (1)"))


def test_migrating_makes_a_backup_first(tmp_path: pathlib.Path) -> None:
    """An older file is copied, then brought forward in one step; the next opening does nothing more."""
    path = tmp_path / "auth.db"
    with EmbeddedCore(path, settings=QUICK) as core:
        user = sign_up(caller(core))
    for _ in range(2):
        with closing(SQLiteStore(path, migrations=NEXT)) as store, store.read() as db:
            assert db.execute("SELECT x FROM extra").fetchall() == [(1,)]
            assert db.execute("PRAGMA user_version").fetchone() == (len(NEXT),)
    saved = tmp_path / f"auth.db.v{len(MIGRATIONS)}.bak"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["auth.db", saved.name]
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    with EmbeddedCore(saved, settings=QUICK) as core:
        caller(core).get("/user/id", userId=user["id"]).says("OK", user=user)


def test_processes_that_start_together_migrate_once(tmp_path: pathlib.Path) -> None:
    """The first process makes or migrates the file, the others wait for that and find it done."""
    path = tmp_path / "auth.db"
    for migrations, saved in ((MIGRATIONS, 0), (NEXT, 1)):
        together, errors = threading.Barrier(6), []

        def start(migrations: Migrations = migrations, together: threading.Barrier = together) -> None:
            together.wait(10)
            try:
                SQLiteStore(path, migrations=migrations).close()
            except BaseException as error:
                errors.append(error)  # noqa: B023 # read before the next round
                raise

        threads = [threading.Thread(target=start) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert errors == []
        assert len(list(tmp_path.glob("*.bak*"))) == saved
    with closing(SQLiteStore(path, migrations=NEXT)) as store, store.read() as db:
        assert db.execute("SELECT x FROM extra").fetchall() == [(1,)]


@pytest.mark.parametrize("after", range(5))
def test_a_log_that_goes_while_the_file_is_looked_at(after: int, tmp_path: pathlib.Path) -> None:
    """The last process on a file takes its log away when it closes; one that opens it just then is not disturbed."""
    path, log = tmp_path / "auth.db", tmp_path / "auth.db-wal"
    SQLiteStore(path).close()
    log.write_bytes(b"a log that another process is writing to")
    looks = itertools.count()

    def other_process(frame: FrameType, event: str, function: Any) -> None:
        """Close the database after one of the looks at the file and its log."""
        if event == "c_return" and function is os.stat and next(looks) == after:
            log.unlink()

    sys.setprofile(other_process)
    try:
        version = inspect(path)
    finally:
        sys.setprofile(None)
    assert next(looks) > 0
    assert version == len(MIGRATIONS)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: pathlib.Path) -> None:
    """All of a migration happens, or nothing."""
    path = tmp_path / "auth.db"
    SQLiteStore(path).close()
    broken = (*MIGRATIONS, ("CREATE TABLE extra (x INTEGER)", "NONSENSE"))
    with pytest.raises(ConfigError, match="syntax error"):
        SQLiteStore(path, migrations=broken)
    with closing(SQLiteStore(path)) as store, store.read() as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)


def test_a_newer_file_is_not_touched(tmp_path: pathlib.Path) -> None:
    """A file of a later version is refused with the remedy, its unfinished log included."""
    path = tmp_path / "auth.db"
    with closing(SQLiteStore(path, migrations=NEXT)) as store:
        with store.write() as db:
            db.execute("INSERT INTO extra VALUES (2)")
        before = contents(path)
        assert before["auth.db-wal"]
        with pytest.raises(ConfigError, match=r"newer version.*Upgrade the package"):
            SQLiteStore(path)
        after = contents(path)
        assert {name: after[name] for name in ("auth.db", "auth.db-wal")} == {
            name: before[name] for name in ("auth.db", "auth.db-wal")
        }


def test_what_is_no_database_is_not_touched(tmp_path: pathlib.Path) -> None:
    """A file of another kind is refused."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes, long enough to be mistaken for something")
    before = contents(path)
    with pytest.raises(ConfigError, match=r"notes\.txt is not a SQLite database"):
        SQLiteStore(path)
    assert contents(path) == before


def test_another_programs_database_is_not_touched(tmp_path: pathlib.Path) -> None:
    """A database with other tables is refused."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
        db.commit()
    before = contents(path)
    with pytest.raises(ConfigError, match="database of another program"):
        SQLiteStore(path)
    assert contents(path) == before


def test_a_damaged_file_is_not_touched(tmp_path: pathlib.Path) -> None:
    """A file whose first page is gone is refused, with what to do."""
    path = tmp_path / "auth.db"
    SQLiteStore(path).close()
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)
    before = contents(path)
    with pytest.raises(ConfigError, match=r"db check.*backup"):
        SQLiteStore(path)
    assert contents(path) == before


def test_damage_found_later(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path) -> None:
    """Damage that only a call meets is a 500 that names the file and the remedy."""
    path = tmp_path / "auth.db"
    with EmbeddedCore(path, settings=QUICK) as core:
        sign_up(caller(core))
        with core.services.store.read() as db:
            query = "SELECT rootpage FROM sqlite_master WHERE name = 'page_oldest_first'"
            page = db.run(query).fetchone()[0]
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(data)
    answer = caller(make_core(path)).get("/users", limit="100")
    assert answer.status == 500
    assert "is damaged" in answer.body
    assert "db check" in answer.body


def test_a_file_that_went_away(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path) -> None:
    """When the file is gone before the first call, calls are answered with what is wrong."""
    path = tmp_path / "auth.db"
    core = make_core(path)
    path.unlink()
    answer = caller(core).get("/recipe/roles")
    assert answer.status == 500
    assert "cannot be opened" in answer.body


def test_settings_of_an_app_that_stopped_to_fit(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path) -> None:
    """An app whose settings contradict the core's new ones says so; the others work."""
    path = tmp_path / "auth.db"
    app = caller(make_core(path))
    app.put("/recipe/multitenancy/app/v2", appId="a", coreConfig={"access_token_validity": 7200}).has()
    later = caller(make_core(path, refresh_token_validity=100, access_token_validity=60))
    later.get("/recipe/roles").has()
    answer = later.below("appid-a").get("/recipe/roles")
    assert (answer.status, "'refresh_token_validity' must be strictly greater" in answer.body) == (500, True)


def test_a_full_disk(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path) -> None:
    """When there is no room, a write is refused as a whole, reads go on, and writes too once there is room."""
    path = tmp_path / "auth.db"
    core = make_core(path)
    app = caller(core)
    create(app, "user")
    with core.services.store.read() as db:
        pages = db.run("PRAGMA page_count").fetchone()[0]
        db.run(f"PRAGMA max_page_count={pages}")
    body = {
        "userId": "user",
        "enableAntiCsrf": False,
        "userDataInJWT": {},
        "userDataInDatabase": {"x": "y" * 100_000},
    }
    answer = app.post("/recipe/session", **body)
    assert answer.status == 500
    assert "the disk is full" in answer.body
    assert len(app.get("/recipe/session/user", userId="user").body["sessionHandles"]) == 1
    with core.services.store.read() as db:
        db.run("PRAGMA max_page_count=1000000")
        assert db.run("PRAGMA integrity_check").fetchall() == [("ok",)]
    app.post("/recipe/session", **body).has()


READ_ONLY = """
import os, sys
from st_wsgi.embedded.storage.sqlite import Migrations, SQLiteStore, inspect
from st_wsgi.errors import ConfigError
if os.geteuid() == 0:
    os.setuid(65534)
try:
    SQLiteStore(sys.argv[1])
except ConfigError as error:
    print(error)
"""


def test_a_read_only_file(tmp_path: pathlib.Path) -> None:
    """A file or folder that may not be written is refused with the remedy."""
    path = tmp_path / "auth.db"
    SQLiteStore(path).close()
    for found in (path, tmp_path):
        found.chmod(0o444 if found is path else 0o555)
    # For root nothing is read-only: the program then becomes the account `nobody`, which must reach the file.
    for folder in [*tmp_path.parents][:3] if os.geteuid() == 0 else []:
        folder.chmod(folder.stat().st_mode | 0o055)
    program = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=pathlib.Path(__file__).parents[2],
    )
    tmp_path.chmod(0o755)
    assert "auth.db" in program.stdout
    assert "writable" in program.stdout


def test_a_folder_is_no_file(tmp_path: pathlib.Path) -> None:
    """A path that is a folder is refused, not a traceback."""
    with pytest.raises(ConfigError, match=str(tmp_path)):
        SQLiteStore(tmp_path)


def test_a_closed_core_says_so(
    make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After closing, calls are refused, which the log says once, and closing again is fine."""
    for core in (make_core(), make_core(tmp_path / "auth.db")):
        caplog.clear()
        app = caller(core)
        app.get("/recipe/roles").has()
        core.close()
        core.close()
        for _ in range(2):
            with pytest.raises(CoreUnavailable, match="was closed"):
                app.get("/recipe/roles")
        [line] = caplog.messages
        assert "was closed: make a new" in line


def test_connections_are_reused(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path) -> None:
    """One call after the other uses one connection, none before the first."""
    core = make_core(tmp_path / "auth.db")
    store = core.services.store
    assert isinstance(store, SQLiteStore)
    assert len(store._idle) == 0
    app = caller(core)
    for _ in range(3):
        sign_up(app)
    assert len(store._idle) == 1


def test_a_call_that_fails_gives_its_connection_back(make_core: Callable[..., EmbeddedCore]) -> None:
    """An exception inside a transaction rolls it back and leaves the store usable."""
    core = make_core()
    with pytest.raises(ZeroDivisionError), core.services.store.write() as db:
        db.run("INSERT INTO roles VALUES (1, 'role')")
        raise ZeroDivisionError
    caller(core).get("/recipe/roles").says("OK", roles=[])


def test_every_table_of_an_app_goes_with_it(core: EmbeddedCore) -> None:
    """No table with rows of apps is forgotten when an app is removed."""
    with core.services.store.read() as db:
        tables = {
            name
            for (name,) in db.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            if any(column[1] == "app" for column in db.rows(f"PRAGMA table_info({name})"))
        }
    assert tables == {"apps", *(table.name for table in TABLES)}


def everyday_calls(app: Caller) -> None:
    """Make the calls that a core answers all day, each of them at least once."""
    address = email()
    user_id = sign_up(app, address)["id"]
    app.post("/recipe/signup", email=address, password="x").says("EMAIL_ALREADY_EXISTS_ERROR")
    app.post("/recipe/signin", email=address, password="correct horse").has()
    app.put("/recipe/user", recipeUserId=user_id, email=email(), password="new").says("OK")
    reset = "/recipe/user/password/reset/token"
    app.post(f"{reset}/consume", token=app.post(reset, userId=user_id, email=address).body["token"]).has()
    verification = "/recipe/user/email/verify"
    token = app.post(f"{verification}/token", userId=user_id, email=address).body["token"]
    app.post(verification, method="token", token=token).has()
    app.get(verification, userId=user_id, email=address).has()
    session = create(app, user_id)
    child = refresh(app, session["refreshToken"]["token"]).body
    verify(app, child["accessToken"]["token"]).has()
    refresh(app, child["refreshToken"]["token"]).has()
    handle = session["session"]["handle"]
    app.get("/recipe/session", sessionHandle=handle).has()
    app.put("/recipe/session/data", sessionHandle=handle, userDataInDatabase={}).has()
    app.get("/recipe/session/user", userId=user_id).has()
    app.post("/recipe/session/remove", userId=user_id).has()
    app.put("/recipe/role", role="role", permissions=["p"]).has()
    app.put("/recipe/user/role", userId=user_id, role="role").has()
    app.get("/recipe/user/roles", userId=user_id).has()
    app.put("/recipe/user/metadata", userId=user_id, metadataUpdate={"a": 1}).has()
    app.get("/recipe/user/metadata", userId=user_id).has()
    app.post("/recipe/user/metadata/bulk", userIds=[user_id]).has()
    app.post("/recipe/userid/map", superTokensUserId=user_id, externalUserId="ext", force=True).says("OK")
    app.get("/recipe/userid/map", userId="ext").has()
    app.get("/user/id", userId="ext").has()
    app.get("/users/by-accountinfo", email=address, phoneNumber="1", doUnionOfAccountInfo="true").has()
    app.get("/users/count/active", since="5").has()
    for order in ("ASC", "DESC"):
        app.get("/users", limit="1", timeJoinedOrder=order).has()
        start = base64.b64encode(f"{user_id};5".encode()).decode()
        app.get("/users", limit="1", timeJoinedOrder=order, paginationToken=start).has()
    device = "/recipe/totp/device"
    app.post(device, userId="ext", deviceName="phone", skew=1, period=30).has()
    app.post(f"{device}/verify", userId="ext", deviceName="phone", totp="1")
    app.put(device, userId="ext", existingDeviceName="phone", newDeviceName="x").has()
    app.post("/recipe/totp/verify", userId="ext", totp="1")
    app.post(f"{device}/status/bulk", userIds=["ext"]).has()
    app.post(f"{device}/remove", userId="ext", deviceName="x").has()
    app.post("/user/remove", userId="ext").says("OK")
    linked_accounts(app)
    passkeys(app)
    dashboard(app)
    bulk_import(app)


def bulk_import(app: Caller) -> None:
    """Make the calls of a bulk import, and let it come to its end."""
    methods = [account(), plain()]
    app.post("/bulk-import/import", loginMethods=methods).has()
    known = {"externalUserId": fresh("ext"), "loginMethods": methods}
    added = app.post("/bulk-import/users", users=[known, {"loginMethods": [account()]}]).has()["users"]
    ids = [method["userId"] for method in added[0]["loginMethods"][:1]]
    assert [one["errorMessage"][:4] for one in failed(app)] == ["E003"]
    app.get("/bulk-import/users", limit="1").has()
    start = base64.b64encode(f"{ids[0]};5".encode()).decode()
    app.get("/bulk-import/users", limit="1", paginationToken=start, status="FAILED").has()
    app.post("/bulk-import/users/remove", ids=ids).gives({"deletedIds": ids, "invalidIds": []})


def dashboard(app: Caller) -> None:
    """Make the calls about who may use the dashboard."""
    made = dashboard_user(app)
    own = dashboard_session(app, made["email"])
    app.post("/recipe/dashboard/session/verify", sessionId=own).has()
    app.get("/recipe/dashboard/user/sessions", userId=made["userId"]).has()
    app.put("/recipe/dashboard/user", userId=made["userId"], newEmail=email()).has()
    app.delete("/recipe/dashboard/session", sessionId=own).has()
    app.delete("/recipe/dashboard/user", userId=made["userId"]).has()


def passkeys(app: Caller) -> None:
    """Make the calls about users with passkeys."""
    user_id, own = passkey(app)
    options = to_register(app, user(app, user_id)["emails"][0])
    app.get("/recipe/webauthn/options", webauthnGeneratedOptionsId=options["webauthnGeneratedOptionsId"]).has()
    app.delete(
        "/recipe/webauthn/options/remove", webauthnGeneratedOptionsId=options["webauthnGeneratedOptionsId"]
    ).has()
    add_passkey(app, user_id).has()
    sign_in_with(app, own).has()
    app.get("/users/by-accountinfo", webauthnCredentialId=own.name, doUnionOfAccountInfo="true").has()
    app.get("/recipe/webauthn/user/credential/list", recipeUserId=user_id).has()
    one = {"recipeUserId": user_id, "webauthnCredentialId": own.name}
    app.delete("/recipe/webauthn/user/credential/remove", **one).has()
    recover = "/recipe/webauthn/user/recover/token"
    token = app.post(recover, userId=user_id, email="a@example.com").has()["token"]
    app.post(f"{recover}/consume", token=token).has()
    app.put("/recipe/webauthn/user/email", recipeUserId=user_id, email=email()).has()
    app.post("/user/remove", userId=user_id).says("OK")


def linked_accounts(app: Caller) -> None:
    """Make the calls about users with several login methods."""
    address, number = email(), phone()
    first, second = social(app, address), by_code(app, email=address)
    for check in ("primary", "link"):
        path = f"/recipe/accountlinking/user/{check}/check"
        app.get(path, recipeUserId=second, primaryUserId=first)
    linked(app, first, second, by_code(app, phoneNumber=number))
    sign_in_up(app, email(), account=user(app, first)["thirdParty"][0]["userId"]).has()
    for contact in ({"email": address}, {"phoneNumber": number}):
        made = code(app, **contact)
        code(app, deviceId=made["deviceId"])
        app.get("/recipe/signinup/codes", **contact).has()
        consume(app, typed(made, "wrong"))
        consume(app, typed(made)).has()
        app.post("/recipe/signinup/codes/remove", **contact).has()
    app.post("/recipe/signinup/code/remove", codeId=code(app, email=address)["codeId"]).has()
    body = {"recipeUserId": second, "email": email(), "phoneNumber": phone()}
    app.call("PUT", "/recipe/user", body, headers={"rid": "passwordless"}).has()
    app.get("/recipe/users/by-email", email=address).has()
    app.get("/users/by-accountinfo", phoneNumber=number, doUnionOfAccountInfo="false").has()
    create(app, second)
    app.post("/recipe/session/remove", userId=first).has()
    app.post("/recipe/multitenancy/tenant/user", recipeUserId=first).has()
    app.post("/recipe/accountlinking/user/unlink", recipeUserId=second).has()
    app.post("/recipe/accountlinking/user/unlink", recipeUserId=first).has()
    app.post("/user/remove", userId=first).has()


def test_everyday_calls_stay_flat(core: EmbeddedCore, clock: Clock) -> None:
    """What a core does all day it finds by indexes that lead to the rows, and sorts nothing, however many rows."""
    app = caller(core)
    everyday_calls(app)
    statements: set[str] = set()
    trace(core, statements.add)
    everyday_calls(app)
    with core.services.store.write() as db:
        clean(db, clock.now)
    slow = []
    trace(core, None)
    with core.services.store.read() as db:
        for statement in statements:
            if not re.match("SELECT|UPDATE|DELETE|INSERT", statement):
                continue
            for *_, step in db.rows(f"EXPLAIN QUERY PLAN {statement}"):
                # A page of users is read from the start of an index that is in its order.
                page = re.search(r"INDEX page_(newest|oldest)_first", step)
                few = re.search(
                    r"\b(roles?|tenants|role_permissions|tenant_providers|signing_keys|apps|wanted|CONSTANT|one)\b",
                    step,
                )
                whole = step.startswith("SCAN") or re.search(r"\((app=\?( AND tenant_id=\?)?)?\)$", step)
                if "FOR ORDER BY" in step or (whole and not page and not few):
                    slow.append((step, statement))
    assert len(statements) > 100
    assert slow == []


def test_many_users_take_as_many_statements_as_few(core: EmbeddedCore) -> None:
    """Users with all their login methods are read together, however many they are."""
    app = caller(core)
    statements: list[str] = []
    counts: dict[str, list[int]] = {}
    for many in (1, 4):
        address = email()
        for place in range(many):
            linked(app, sign_up(app)["id"], *(social(app) for _ in range(many)))
            social(app, address, provider=f"provider-{place}")
        by_email = {"email": address, "doUnionOfAccountInfo": "true"}
        for path, params in (("/users", {}), ("/users", {"provider": "go"}), ("/users/by-accountinfo", by_email)):
            trace(core, statements.append)
            users = app.get(path, **params).has()["users"]
            trace(core, None)
            assert len(users) >= many
            counts.setdefault(f"{path} {sorted(params)}", []).append(len(statements))
            statements.clear()
    assert counts == {call: [few, few] for call, (few, _) in counts.items()}


def test_many_apps_take_as_many_statements_as_few(core: EmbeddedCore) -> None:
    """The list of apps, with their tenants and providers, is read at once, however many they are."""
    app = caller(core)
    statements: list[str] = []
    counts = []
    for many in (1, 5):
        for number in range(many):
            app.put("/recipe/multitenancy/app/v2", appId=f"a{number}").has()
            app.below(f"appid-a{number}").put("/recipe/multitenancy/tenant/v2", tenantId="t").has()
        trace(core, statements.append)
        apps = app.get("/recipe/multitenancy/app/list/v2").has()["apps"]
        trace(core, None)
        assert [one["appId"] for one in apps] == ["public", *(f"a{number}" for number in range(many))]
        assert all(len(one["tenants"]) == 2 for one in apps[1:])
        counts.append(len(statements))
        statements.clear()
    assert counts[0] == counts[1]


@pytest.fixture
def umask() -> Iterator[None]:
    """A process that lets everybody read and write the files that it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(path: pathlib.Path) -> dict[str, int]:
    """Return the permissions of a database and of the files beside it."""
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}


PRIVATE = {"auth.db": 0o600, "auth.db-wal": 0o600, "auth.db-shm": 0o600}


@pytest.mark.usefixtures("umask")
def test_only_the_owner_may_open_a_new_file(tmp_path: pathlib.Path) -> None:
    """Whatever the process allows for other files, also when the file was there, empty."""
    path = tmp_path / "auth.db"
    for touched in (False, True):
        if touched:
            path.touch(0o666)
        with EmbeddedCore(path) as core:
            caller(core).put("/recipe/role", role="r").has()
            assert modes(path) == PRIVATE
        path.unlink()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o606, 0o666, 0o755])
def test_permissions_of_others_are_taken_away(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    """At the next start, from the files beside it too, while another process uses it. The log names each."""
    path = tmp_path / "auth.db"
    with EmbeddedCore(path) as core:
        caller(core).put("/recipe/role", role="r").has()
        for name in PRIVATE:
            path.with_name(name).chmod(mode)
        with EmbeddedCore(path) as other:
            assert modes(path) == PRIVATE
            assert caller(other).get("/recipe/roles").body["roles"] == ["r"]
    assert [record.args for record in caplog.records] == [(path.with_name(name), mode) for name in PRIVATE]


def test_a_file_that_others_may_open_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the permissions cannot be changed, because the file is another user's, the owner is told how to."""
    path = tmp_path / "auth.db"
    EmbeddedCore(path).close()
    path.chmod(0o644)

    def refused(self: pathlib.Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(self))

    monkeypatch.setattr(pathlib.Path, "chmod", refused)
    with pytest.raises(ConfigError, match=rf"other users .* \(mode 0644\)\. .* chmod 600 {path}"):
        EmbeddedCore(path)


def test_the_file_of_another_program_keeps_its_permissions(tmp_path: pathlib.Path) -> None:
    """A path that was mistyped changes nothing."""
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="is not a SQLite database"):
        EmbeddedCore(path)
    assert modes(path) == {"notes.txt": 0o644}
