"""The commands that look after an embedded core."""

from __future__ import annotations

import io
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import pytest
import requests
from cluster import Cluster
from contract.client import Caller, OverHTTP, email, serving
from contract.expectations import AnyOrder, Some
from contract.logins import by_code, linked, method_ids, sign_in_up, social, user
from contract.test_emailpassword import BCRYPT_HASH, SECRET, sign_up
from contract.test_sessions import create, header, refresh, verify
from contract.test_totp import SECRET as TOTP_SECRET, code as totp, verify as verify_code

from embedded.conftest import QUICK, caller
from st_wsgi.cli import main
from st_wsgi.embedded import EmbeddedCore

ROOT = pathlib.Path(__file__).parents[2]

KEY = "k" * 20

Run = Callable[..., Any]


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """A file for a core."""
    return tmp_path / "auth.db"


@pytest.fixture
def app(path: pathlib.Path) -> Iterator[Caller]:
    """The public app of a core on that file, which commands use at the same time."""
    with EmbeddedCore(path, settings=QUICK) as core:
        yield caller(core)


@pytest.fixture
def run(path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on that file with --json and return what it printed; a failure returns its error text."""

    def run(*words: object, stdin: str = "", status: int = 0, json_: bool = True) -> Any:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        argv = [*map(str, words), "--db", str(path), "--set", "argon2_memory_kb=64", *(["--json"] if json_ else [])]
        assert main(argv) == status
        out, error = capsys.readouterr()
        if status and not out:
            return error
        return json.loads(out) if json_ else out

    return run


def test_users(run: Run, path: pathlib.Path) -> None:
    """A user is created, listed, found by email or id, changed and deleted."""
    address = email()
    user = run("user", "create", address, "--password-stdin", stdin="first\n")
    assert user["emails"] == [address]
    assert [found["id"] for found in run("user", "list")] == [user["id"]]
    assert run("user", "list", "--email", "nobody") == []
    with EmbeddedCore(path, settings=QUICK) as core:
        session = create(caller(core), user["id"])["session"]["handle"]
        assert run("user", "sessions", address) == [session]
        assert run("user", "password", address, "--password-stdin", stdin="second\n") == {
            "changed": user["id"],
            "revokedSessions": 1,
        }
        caller(core).post("/recipe/signin", email=address, password="second").has()
        create(caller(core), user["id"])
        assert len(run("user", "sessions", user["id"], "--revoke")["revoked"]) == 1
    assert run("user", "roles", address, "--add", "admin", "--add", "editor") == ["admin", "editor"]
    assert run("user", "roles", user["id"], "--remove", "admin") == ["editor"]
    assert run("user", "delete", address) == {"deleted": user["id"]}
    assert run("user", "list") == []
    assert "there is no user" in run("user", "delete", address, status=1)


def test_user_commands_for_people(run: Run) -> None:
    """Without --json the answers are plain text."""
    address = email()
    run("user", "create", address, "--password-stdin", stdin="x\n")
    assert address in run("user", "list", json_=False)
    assert run("user", "roles", address, json_=False) == "no roles\n"
    assert run("user", "sessions", address, json_=False) == "no sessions\n"
    assert run("user", "sessions", address, "--revoke", json_=False) == "0 sessions ended\n"


def test_mistakes(run: Run, path: pathlib.Path) -> None:
    """What cannot be done is said in a sentence on standard error, without a traceback."""
    assert "there is no database" in run("user", "list", status=1)
    assert not path.exists()
    assert "is not an email" in run("user", "create", "nobody", "--password-stdin", stdin="x\n", status=1)
    assert "password is empty" in run("user", "create", email(), "--password-stdin", stdin="\n", status=1)
    address = email()
    run("user", "create", address, "--password-stdin", stdin="x\n")
    assert "has an account already" in run("user", "create", address, "--password-stdin", stdin="x\n", status=1)
    assert "there is no tenant 'ghost'" in run("user", "list", "--tenant", "ghost", status=1)
    assert "there is no app 'ghost'" in run("export", "--app", "ghost", status=1)
    assert "write NAME=VALUE" in run("user", "list", "--set", "x", status=1)
    assert "Invalid config key" in run("user", "list", "--set", "xyzzy=1", status=1)
    with pytest.raises(SystemExit) as caught:
        main(["user"])
    assert caught.value.code == 2


def test_many_users(run: Run, app: Caller) -> None:
    """A listing follows the pages up to its limit, the newest first."""
    users = [sign_up(app)["id"] for _ in range(5)]
    assert {user["id"] for user in run("user", "list")} == set(users)
    assert len(run("user", "list", "--limit", "3")) == 3


def test_keys_do_not_lock_the_owner_out(run: Run, app: Caller) -> None:
    """Commands that open the file need no API key."""
    app.put("/recipe/multitenancy/app/v2", appId="a", coreConfig={"api_keys": KEY}).has()
    user = run("user", "create", email(), "--password-stdin", "--app", "a", stdin="x\n")
    assert [found["id"] for found in run("user", "list", "--app", "a")] == [user["id"]]


def test_check(run: Run, app: Caller, path: pathlib.Path) -> None:
    """A sound file is reported with its rows."""
    sign_up(app)
    report = run("db", "check")
    assert report["ok"] is True
    assert report["rows"]["login_methods"] == 1
    assert "sound" in run("db", "check", json_=False)


def test_check_finds_damage(run: Run, app: Caller, path: pathlib.Path) -> None:
    """Rows that contradict each other are found, and damaged pages are."""
    sign_up(app)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM login_methods")
        db.commit()
    report = run("db", "check", status=1)
    assert report["problems"] == ["1 login methods of tenants without their user"]
    for _ in range(60):
        sign_up(app)
    app.wire.core.close()  # type: ignore[attr-defined]  # closing writes the log back into the file
    data = bytearray(path.read_bytes())
    data[-4096 * 12 :] = b"\xff" * 4096 * 12
    path.write_bytes(data)
    report = run("db", "check", status=1)
    assert report["ok"] is False
    assert "NOT sound" in run("db", "check", status=1, json_=False)


def test_backup(run: Run, app: Caller, path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A copy of a database in use is complete, and never written over another file."""
    user = sign_up(app)
    target = tmp_path / "copy.db"
    assert run("db", "backup", target) == {"backup": str(target)}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with EmbeddedCore(target, settings=QUICK) as core:
        caller(core).get("/user/id", userId=user["id"]).has()
    assert "is there already" in run("db", "backup", target, status=1)
    assert "folder" in run("db", "backup", tmp_path / "none" / "x.db", status=1)


def test_check_and_backup_on_a_server(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """The rows are checked as those of a file. The command for a backup has all of the address but the password."""
    address = cluster.address("looked_after")
    with EmbeddedCore.open(address, settings=QUICK) as core:
        sign_up(caller(core))
        assert main(["db", "check", "--db", address]) == 0
        assert "sound; schema 1; 1 apps, 1 tenants" in capsys.readouterr().out
        with core.services.store.write() as db:
            db.change("DELETE FROM login_methods")
        assert main(["db", "check", "--db", address]) == 1
        assert "1 login methods of tenants without their user" in capsys.readouterr().out
    assert main(["db", "backup", "a b", "--db", "postgresql://ann:hunter2@db/shop?schema=s&sslmode=require"]) == 1
    shown = capsys.readouterr().err
    expected = "pg_dump --format=custom --schema=s '--file=a b' '--dbname=user=ann dbname=shop host=db sslmode=require'"
    assert expected in shown
    assert "hunter2" not in shown


def test_migrate(run: Run, path: pathlib.Path) -> None:
    """Migrating makes the file, and does nothing when it is up to date."""
    assert run("db", "migrate")["before"] is None
    assert path.exists()
    again = run("db", "migrate")
    assert again["before"] == again["after"]
    assert "schema" in run("db", "migrate", json_=False)


def test_export(
    run: Run, app: Caller, path: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everybody is exported with all that is kept; secrets only on request, and to a file of one's own."""
    population(app)
    argv = ["export", "--db", str(path), "--set", "argon2_memory_kb=64"]
    assert main(argv) == 0
    text = capsys.readouterr().out
    assert "$argon2" not in text
    assert "$2a$" not in text
    assert "client-secret" not in text
    assert TOTP_SECRET not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["type"] for line in lines} == {"tenant", "role", "user"}
    target = tmp_path / "all.jsonl"
    assert run("export", "--secrets", "--out", target)["lines"] == len(lines)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    everything = target.read_text()
    assert "$argon2" in everything
    assert BCRYPT_HASH in everything
    assert "client-secret" in everything
    assert TOTP_SECRET in everything
    assert "exists" in run("export", "--out", target, status=1)


def population(app: Caller) -> dict[str, dict[str, Any]]:
    """Make people of all kinds and return them by name."""
    app.put("/recipe/multitenancy/tenant/v2", tenantId="t1", firstFactors=["emailpassword"]).has()
    app.below("t1").put(
        "/recipe/multitenancy/config/thirdparty",
        config={"thirdPartyId": "google", "clients": [{"clientId": "i", "clientSecret": "client-secret"}]},
    ).has()
    app.put("/recipe/role", role="admin", permissions=["read", "write"]).has()
    people = {name: sign_up(app, f"{name}@example.com") for name in ("plain", "mapped", "both", "nowhere")}
    people["imported"] = app.post(
        "/recipe/user/passwordhash/import", email="imported@example.com", passwordHash=BCRYPT_HASH
    ).body["user"]
    people["elsewhere"] = sign_up(app.below("t1"), "elsewhere@example.com")
    mapping = {"externalUserId": "ext-1", "externalUserIdInfo": "old system"}
    app.post("/recipe/userid/map", superTokensUserId=people["mapped"]["id"], **mapping).says("OK")
    app.below("t1").post("/recipe/multitenancy/tenant/user", recipeUserId=people["both"]["id"]).has()
    app.post("/recipe/multitenancy/tenant/user/remove", recipeUserId=people["nowhere"]["id"]).has()
    token = app.post("/recipe/user/email/verify/token", userId="ext-1", email="mapped@example.com").body["token"]
    app.post("/recipe/user/email/verify", method="token", token=token).has()
    app.put("/recipe/user/role", userId="ext-1", role="admin").has()
    app.below("t1").put("/recipe/user/role", userId=people["both"]["id"], role="admin").has()
    app.put("/recipe/user/metadata", userId="ext-1", metadataUpdate={"a": {"b": None}}).has()
    device = {"userId": "ext-1", "skew": 1, "period": 500_000_000}
    app.post("/recipe/totp/device/import", deviceName="phone", secretKey=TOTP_SECRET, **device).has()
    app.post("/recipe/totp/device", deviceName="not verified", **device).has()
    people["linked"] = linked_person(app)
    return people


def linked_person(app: Caller) -> dict[str, Any]:
    """Make a user with four login methods, of which the one that gave the user its id is gone."""
    address = "linked@example.com"
    first, second = sign_up(app, address)["id"], social(app.below("t1"), address, account="account", verified=True)
    third, fourth = by_code(app, email=address), by_code(app, phoneNumber="+36701234567")
    app.post("/recipe/userid/map", superTokensUserId=third, externalUserId="ext-2", force=True).says("OK")
    owner = linked(app, social(app), first, second, third, fourth)
    app.post("/user/remove", userId=owner, removeAllLinkedAccounts=False).says("OK")
    app.put("/recipe/user/role", userId=owner, role="admin").has()
    return user(app, owner)


@pytest.fixture
def other() -> Iterator[Caller]:
    """Another core, over HTTP and with a key, to push to."""
    with EmbeddedCore(settings={**QUICK, "api_keys": KEY}) as core, serving(core) as server:
        wire = OverHTTP(server.address)
        yield Caller(wire, headers={"cdi-version": "5.4", "api-key": KEY})
        wire.close()


def pushing(other: Caller, *more: str) -> tuple[str, ...]:
    """Return the words of a push to a core."""
    assert isinstance(other.wire, OverHTTP)
    return ("push", "--to", other.wire.url, "--api-key", KEY, *more)


def test_push(run: Run, app: Caller, other: Caller) -> None:
    """Everybody arrives with password, id, tenants, verification, roles, metadata and TOTP; again, nothing happens."""
    people = population(app)
    assert run(*pushing(other)) == {"pushed": 7, "created": 7, "total": 7, "missing": []}
    for again in range(2):
        for name in ("plain", "both"):
            found = other.post("/recipe/signin", email=f"{name}@example.com", password=SECRET).has()["user"]
            assert found["id"] == people[name]["id"]
        other.post("/recipe/signin", email="imported@example.com", password="U*U").has()
        other.below("t1").post("/recipe/signin", email="elsewhere@example.com", password=SECRET).has()
        mapped = other.post("/recipe/signin", email="mapped@example.com", password=SECRET).has()["user"]
        assert (mapped["id"], mapped["loginMethods"][0]["verified"]) == ("ext-1", True)
        other.get("/recipe/userid/map", userId="ext-1").has(externalUserIdInfo="old system")
        other.get("/recipe/user/roles", userId="ext-1").says("OK", roles=["admin"])
        other.below("t1").get("/recipe/user/roles", userId=people["both"]["id"]).says("OK", roles=["admin"])
        other.get("/recipe/role/permissions", role="admin").says("OK", permissions=AnyOrder("read", "write"))
        other.get("/recipe/user/metadata", userId="ext-1").says("OK", metadata={"a": {"b": None}})
        verify_code(other, "ext-1", totp(TOTP_SECRET, again)).says("OK")
        device = {"name": "phone", "period": 500_000_000, "skew": 1, "verified": True}
        other.get("/recipe/totp/device/list", userId="ext-1").says("OK", devices=[device])
        nobody_there = Some("user of no tenant", lambda user: user["tenantIds"] == [])
        other.get("/user/id", userId=people["nowhere"]["id"]).has(user=nobody_there)
        other.below("t1").get("/recipe/multitenancy/tenant/v2").has(firstFactors=["emailpassword"])
        arrived(people["linked"], other)
        if not again:
            assert run(*pushing(other))["created"] == 0


def test_push_keeps_the_email_verified_of_a_method_that_takes_the_id_of_one_that_is_gone(
    run: Run, app: Caller, other: Caller
) -> None:
    account = social(app, "linked@example.com", account="account", verified=True)
    owner = linked(app, social(app), account)
    app.post("/user/remove", userId=owner, removeAllLinkedAccounts=False).says("OK")
    assert run(*pushing(other)) == {"pushed": 1, "created": 1, "total": 1, "missing": []}
    assert [method["verified"] for method in user(other, owner)["loginMethods"]] == [True]


def arrived(person: dict[str, Any], other: Caller) -> None:
    """Check that a user with linked accounts is the same at the other core."""

    def shown(user: dict[str, Any]) -> list[dict[str, Any]]:
        left_out = ("timeJoined", "recipeUserId")
        own = [{name: value for name, value in one.items() if name not in left_out} for one in user["loginMethods"]]
        return sorted(own, key=lambda one: (one["recipeId"], one.get("phoneNumber", "")))

    there = user(other, person["id"])
    assert (there["id"], there["isPrimaryUser"]) == (person["id"], True)
    assert shown(there) == shown(person)
    assert method_ids(there) == {person["id"], *(method_ids(person) - {min_by_time(person)})}
    other.post("/recipe/signin", email="linked@example.com", password=SECRET).has(user=there)
    sign_in_up(other.below("t1"), "linked@example.com", account="account").has(user=there, createdNewUser=False)
    other.get("/recipe/user/roles", userId=person["id"]).says("OK", roles=["admin"])


def min_by_time(person: dict[str, Any]) -> str:
    """Return the id of the oldest login method."""
    return str(person["loginMethods"][0]["recipeUserId"])


def test_push_sends_no_password_hashes_that_others_on_the_network_can_read(run: Run, app: Caller) -> None:
    command = ("push", "--to", "http://core.invalid:3567", "--api-key", KEY)
    assert "--allow-insecure-core" in run(*command, status=1)
    assert "no reply to GET /apiversion: http://core.invalid:3567" in run(*command, "--allow-insecure-core", status=1)


def test_push_goes_on_where_it_broke_off(run: Run, app: Caller, other: Caller) -> None:
    """A user who cannot be pushed stops it with his id; what is behind can be pushed after him."""
    people = sorted(sign_up(app)["id"] for _ in range(4))
    stranger = app.get("/user/id", userId=people[1]).body["user"]["emails"][0]
    other.post("/recipe/signup", email=stranger, password="another").has()
    error = run(*pushing(other), status=1)
    assert f"user {people[1]}: the email has an account over there already" in error
    other.post("/recipe/signin", email=stranger, password="another").has()
    rest = run(*pushing(other, "--after", people[1]), status=1)
    assert rest == {"pushed": 2, "created": 2, "total": 4, "missing": [people[1]]}
    assert run(*pushing(other, "--adopt")) == {"pushed": 4, "created": 0, "total": 4, "missing": []}
    other.post("/recipe/signin", email=stranger, password=SECRET).has()


def test_push_to_what_is_no_core(run: Run, app: Caller, other: Caller) -> None:
    """A wrong key and an address where no server listens are said in a sentence."""
    assert isinstance(other.wire, OverHTTP)
    refused = run("push", "--to", other.wire.url, "--api-key", "wrong", status=1)
    assert "401" in refused
    assert KEY not in refused
    assert "127.0.0.1:9" in run("push", "--to", "http://127.0.0.1:9", status=1)


@contextmanager
def served(path: pathlib.Path, *words: str, **environment: str) -> Iterator[str]:
    """Run ``core serve`` until the block ends; the block gets its address."""
    command = [sys.executable, "-W", "error", "-m", "st_wsgi", "core", "serve", "--db", str(path), "--port", "0"]
    env = {**os.environ, **environment}
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            announced = re.fullmatch(r"core of (.*) on (http://127\.0\.0\.1:\d+)\n", line)
            assert announced is not None, line
            assert announced[1] == str(path)
            yield announced[2]
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.stdout.readline() == "core stopped\n"
        assert server.wait(20) == 0


def test_serving(path: pathlib.Path) -> None:
    """core serve says where it listens, replies with its settings in force, and stops on SIGTERM."""
    with served(path, "--set", "access_token_validity=9") as url, requests.Session() as session:
        assert session.get(f"{url}/hello", timeout=10).text == "Hello\n"
        body = {"userId": "u", "enableAntiCsrf": False, "userDataInJWT": {}, "userDataInDatabase": {}}
        token = session.post(f"{url}/recipe/session", json=body, timeout=10).json()["accessToken"]
        assert token["expiry"] - token["createdTime"] == 9000
    assert path.exists()


@pytest.fixture
def live(path: pathlib.Path) -> Iterator[Caller]:
    """The public app of a core on that file, which another process serves."""
    with served(path) as url, closing(OverHTTP(url)) as wire:
        yield Caller(wire, headers={"cdi-version": "5.4"})


def key_set(app: Caller) -> tuple[list[str], int]:
    """Return the ids of the published keys, and the seconds for which caches may keep them."""
    answer = app.get("/.well-known/jwks.json")
    seconds = int(re.findall(r"max-age=(\d+)", answer.headers["cache-control"])[0])
    return sorted(key["kid"] for key in answer.body["keys"]), seconds


def test_keys_that_leaked_are_replaced(run: Run, live: Caller) -> None:
    """The served core signs with a new key at once and accepts no token of the old ones; sessions go on."""
    session = create(live, "user")
    stolen, static = session["accessToken"]["token"], create(live, "user", useDynamicSigningKey=False)
    old, seconds = key_set(live)
    report = run("core", "keys", "rotate")
    assert report["oldKeys"] == old
    assert key_set(live)[0] == sorted(report["newKeys"])
    assert set(report["newKeys"]).isdisjoint(old)
    until = datetime.fromisoformat(report["cachedUntil"]).timestamp()
    assert abs(until - time.time() - seconds) < 60
    for token in (stolen, static["accessToken"]["token"]):
        verify(live, token).says("TRY_REFRESH_TOKEN", message="Key not found")
        live.post("/recipe/session/regenerate", accessToken=token).has(status="UNAUTHORISED")
    new = refresh(live, session["refreshToken"]["token"]).has()["accessToken"]["token"]
    assert header(new)["kid"] in report["newKeys"]
    verify(live, new).has()


def test_a_database_that_leaked_ends_all_sessions(run: Run, live: Caller) -> None:
    """With --end-sessions no old refresh token is accepted either."""
    session = create(live, "user")
    assert run("core", "keys", "rotate", "--end-sessions")["sessionsEnded"] is True
    refresh(live, session["refreshToken"]["token"]).says("UNAUTHORISED", message="Invalid refresh token")
    verify(live, session["accessToken"]["token"]).says("TRY_REFRESH_TOKEN", message="Key not found")
    again = create(live, "user")
    refresh(live, again["refreshToken"]["token"]).has()


def test_replaced_keys_of_one_app(run: Run, app: Caller) -> None:
    """The keys of other apps stay. The text for people names the keys and who may still accept the old ones."""
    app.put("/recipe/multitenancy/app/v2", appId="a").has()
    token, kept = (create(one, "user")["accessToken"]["token"] for one in (app.below("appid-a"), app))
    text = run("core", "keys", "rotate", "--app", "a", json_=False)
    assert header(token)["kid"] in text
    assert "st_verify" in text
    assert "4 hours" in text
    assert "cachedUntil" not in text
    verify(app.below("appid-a"), token).has(status="TRY_REFRESH_TOKEN")
    verify(app, kept).has()
    assert "there is no app 'b'" in run("core", "keys", "rotate", "--app", "b", status=1)


def test_keys_for_serving(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The keys come from the command line, a file, or the environment, which counts when nothing else names one."""
    file, other = tmp_path / "keys", "o" * 20
    file.write_text(f"{KEY}\n{other}\n")
    for words, environment, keys, wrong in (
        (("--api-key", KEY), {}, [KEY], other),
        (("--api-key-file", str(file)), {"ST_CORE_API_KEY": "e" * 20}, [KEY, other], "e" * 20),
        ((), {"ST_CORE_API_KEY": KEY}, [KEY], other),
    ):
        with served(path, *words, **environment) as url, requests.Session() as session:
            for key in keys:
                assert session.get(f"{url}/apiversion", headers={"api-key": key}, timeout=10).status_code == 200
            for headers in ({}, {"api-key": ""}, {"api-key": wrong}):
                assert session.get(f"{url}/apiversion", headers=headers, timeout=10).status_code == 401


@pytest.mark.parametrize("key", ["", "  ", "\t"])
def test_a_key_that_is_named_but_empty(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """A variable that is not set must not open the core to everybody."""
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\n{key}\n")
    assert "--api-key has an empty key" in run("core", "serve", "--api-key", key, status=1)
    assert f"--api-key-file {file} has an empty key" in run("core", "serve", "--api-key-file", file, status=1)
    file.write_text("")
    assert f"--api-key-file {file} has an empty key" in run("core", "serve", "--api-key-file", file, status=1)
    assert "'api_keys' is empty" in run("core", "serve", "--set", f"api_keys={key}", status=1)
    monkeypatch.setenv("ST_CORE_API_KEY", key)
    assert "ST_CORE_API_KEY has an empty key" in run("core", "serve", status=1)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.com"])
def test_no_key_for_others(run: Run, host: str) -> None:
    """A core that listens beyond this machine needs a key."""
    assert "without an API key everybody" in run("core", "serve", "--host", host, status=1)


def test_serving_where_it_cannot(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is taken, a key that is too short, and a missing package are said in a sentence."""
    assert "too short" in run("core", "serve", "--api-key", "short", status=1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = run("core", "serve", "--port", port, status=1)
    assert f"port {port} is in use" in error
    assert "--port" in error
    assert "no port 65536" in run("core", "serve", "--port", 65536, status=1)
    monkeypatch.setattr("st_wsgi.cli.serving.CoreServer", None)
    assert "pip install 'st-wsgi[serve]'" in run("core", "serve", status=1)
