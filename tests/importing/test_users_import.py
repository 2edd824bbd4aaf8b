"""``users import``: files as Django, Flask-Security, Firebase and Auth0 write them, and CSV."""

from __future__ import annotations

import base64
import csv
import hmac
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import bcrypt
import pytest
from contract.client import Caller, OverHTTP, serving
from contract.logins import user
from contract.test_emailpassword import ARGON2_HASH, BCRYPT_HASH, FIREBASE_HASH, FIREBASE_KEY
from embedded.conftest import QUICK, caller
from werkzeug.security import generate_password_hash

from st_wsgi.cli import main
from st_wsgi.core_client.querier import Querier
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.bulkqueue import BulkQueue
from st_wsgi.importing.sending import CDI_VERSIONS, Report, Sender
from st_wsgi.importing.sources import Entry, Options, milliseconds, read, usable_hash

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PASSWORD = "correct horse 1"
SALT = "146585145368132386173505678016728509634"
NONE = "taken without the password, since there is none: they set one by the mail of a password reset"

Run = Callable[..., Any]


@pytest.fixture
def app(tmp_path: pathlib.Path) -> Iterator[Caller]:
    """The public app of a core on a file, which the command uses at the same time."""
    with EmbeddedCore(tmp_path / "auth.db", settings=QUICK) as core:
        yield caller(core)


@pytest.fixture
def run(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Import a file into the core; return the report, or with a status what went wrong."""
    monkeypatch.delenv("ST_CORE_API_KEY", raising=False)

    def run(source: str, file: object, *more: object, status: int = 0, text: bool = False) -> Any:
        where = [] if "--to" in more else ["--db", tmp_path / "auth.db", "--set", "argon2_memory_kb=64"]
        argv = ["users", "import", "--from", source, file, *more, *where, *([] if text else ["--json"])]
        assert main(list(map(str, argv))) == status
        out, error = capsys.readouterr()
        if not out:
            return error
        return out if text else json.loads(out)

    return run


def write(path: pathlib.Path, content: Any) -> pathlib.Path:
    """Write a file: text as it is, a list of objects as lines of JSON, and other values as JSON."""
    if isinstance(content, list):
        content = "\n".join(map(json.dumps, content))
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def signs_in(app: Caller, address: str, password: str = PASSWORD) -> str:
    """Sign in and return the user's id."""
    app.post("/recipe/signin", email=address, password="wrong").says("WRONG_CREDENTIALS_ERROR")
    user_id: str = app.post("/recipe/signin", email=address, password=password).has()["user"]["id"]
    return user_id


def django(path: pathlib.Path, *models: str) -> pathlib.Path:
    """Return a file that a real Django wrote."""
    made = subprocess.run(
        [sys.executable, "-W", "error", HERE / "django_program.py", path, *models],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return path


def test_django(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """Users of Django sign in with their passwords, under their ids, with groups as roles."""
    file = django(tmp_path / "users.json", "auth.group", "auth.user")
    md5 = NONE.replace("there is none", "the hash (md5) is not supported")
    expected = {
        "read": 7,
        "taken": 5,
        "known": 0,
        "notTaken": 2,
        "reasons": {"nomail": "there is no email", "gone@example.com": "the user is not active"},
        "notes": {md5: 1, NONE: 1},
    }
    assert run("django", file, "--dry-run", status=1) == expected
    app.get("/users/count").has(count=0)
    assert run("django", file, status=1) == expected
    for number, hasher in enumerate(("pbkdf2_sha256", "scrypt", "bcrypt_sha256"), 1):
        assert signs_in(app, f"{hasher}@example.com") == str(number)
        app.get("/recipe/user/roles", userId=str(number)).says("OK", roles=["editors"])
        app.get("/recipe/user/metadata", userId=str(number)).says(
            "OK", metadata={"username": hasher, "first_name": "Ada"}
        )
    app.post("/recipe/signin", email="md5@example.com", password=PASSWORD).says("WRONG_CREDENTIALS_ERROR")
    app.post("/recipe/user/password/reset/token", userId="4", email="md5@example.com").has()
    again = run("django", file, status=1)
    assert (again["taken"], again["known"], again["notTaken"]) == (0, 5, 2)
    app.get("/users/count").has(count=5)
    app.get("/bulk-import/users/count").has(count=0)


def test_django_with_what_is_missing(run: Run, tmp_path: pathlib.Path) -> None:
    """Groups that were not dumped are named, and so is the model of users when it is another one."""
    file = django(tmp_path / "users.json", "auth.user")
    notes = run("django", file, "--dry-run", status=1)["notes"]
    assert notes["taken without a group that is not in the file: run dumpdata with auth.group too"] == 4
    own = write(tmp_path / "own.json", file.read_text().replace("auth.user", "accounts.person"))
    assert "no object of the file is of the model auth.user; there is accounts.person: name it with --model" in run(
        "django", own, "--dry-run", status=1
    )
    assert run("django", own, "--dry-run", "--model", "accounts.Person", status=1)["taken"] == 5


def flask_hash(password: str) -> str:
    """Return a password's hash as Flask-Security makes it: of its HMAC with the salt."""
    inner = base64.b64encode(hmac.digest(SALT.encode(), password.encode(), "sha512"))
    return bcrypt.hashpw(inner[:72], bcrypt.gensalt(4)).decode()


FLASK = [
    {"id": 1, "email": "ann@example.com", "password": flask_hash(PASSWORD), "active": True,
     "confirmed_at": "2024-01-02 03:04:05.678901", "create_datetime": "2024-01-02 03:04:05.678901+00",
     "roles": ["admin", {"name": "editor"}], "fs_uniquifier": "a" * 32},
    {"id": 2, "email": "bob@example.com", "password": generate_password_hash(PASSWORD, "scrypt:1024:8:1"),
     "active": True, "confirmed_at": None, "us_phone_number": "+36701234567", "tf_totp_secret": "{\"enckey\": {}}"},
    {"id": 3, "email": "gone@example.com", "password": "", "active": False},
]  # fmt: skip


def test_flask_security(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """Hashes with and without the salt of the app; a phone number is a second way in; a confirmed email is verified."""
    file = write(tmp_path / "users.json", json.dumps(FLASK))
    assert "SECURITY_PASSWORD_SALT" in run("flask-security", file, status=1)
    salt = write(tmp_path / "salt", f"{SALT}\n")
    report = run("flask-security", file, "--hashes", salt, status=1)
    second = "taken without the second factor, whose secret is encrypted: they set it up again"
    assert (report["taken"], report["reasons"]) == (2, {"gone@example.com": "the user is not active"})
    assert report["notes"] == {second: 1}
    assert signs_in(app, "ann@example.com") == "1"
    assert signs_in(app, "bob@example.com") == "2"
    app.get("/recipe/user/roles", userId="1").has(roles=["admin", "editor"])
    [ann, bob] = [user(app, user_id) for user_id in "12"]
    assert (ann["timeJoined"], ann["loginMethods"][0]["verified"]) == (1704164645678, True)
    assert (bob["isPrimaryUser"], bob["phoneNumbers"]) == (True, ["+36701234567"])
    assert [method["verified"] for method in bob["loginMethods"] if "email" in method] == [False]


def test_flask_security_as_csv(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """The same from a table that a database wrote as CSV; with --single-hash no salt is needed."""
    text = io.StringIO()
    rows = csv.DictWriter(text, ["id", "email", "password", "active", "confirmed_at", "roles"])
    rows.writeheader()
    rows.writerow(
        {"id": 7, "email": "ann@example.com", "password": BCRYPT_HASH, "active": "t", "roles": "admin, editor"}
    )
    rows.writerow({"id": 8, "email": "bob@example.com", "password": BCRYPT_HASH, "active": "f"})
    file = write(tmp_path / "users.csv", text.getvalue())
    assert run("flask-security", file, "--single-hash", "--verified", status=1)["taken"] == 1
    assert signs_in(app, "ann@example.com", "U*U") == "7"
    assert user(app, "7")["loginMethods"][0]["verified"] is True
    app.get("/recipe/user/roles", userId="7").has(roles=["admin", "editor"])


@pytest.mark.parametrize(
    ("source", "rows", "verified"),
    [
        ("flask-security", "email,password,confirmed_at\na@example.com,,2024-01-02 03:04:05", True),
        ("flask-security", "email,password,confirmed_at\na@example.com,,", False),
        ("flask-security", "email,password,confirmed_at\na@example.com,,NULL", False),
        ("flask-security", "email,password,confirmed_at\na@example.com,,0000-00-00 00:00:00", False),
        ("flask-security", "email,password,confirmed_at\na@example.com,,\\N", False),
        ("csv", "email,email_verified\na@example.com,Y", True),
        ("csv", "email,email_verified\na@example.com,N", False),
    ],
)
def test_only_what_says_so_is_a_verified_address(
    tmp_path: pathlib.Path, source: str, rows: str, verified: bool
) -> None:
    """Databases write NULL and \\N where a value is missing."""
    [entry] = read(source, write(tmp_path / "users.csv", rows), Options(single_hash=True))
    assert entry.user is not None
    assert [method["isVerified"] for method in entry.user["loginMethods"]] == [verified]


def test_a_flag_that_says_neither_yes_nor_no_is_refused(run: Run, tmp_path: pathlib.Path) -> None:
    file = write(tmp_path / "users.csv", "email,email_verified\na@example.com,NULL")
    assert "email_verified must be true or false, not 'null'" in run("csv", file, "--dry-run", status=1)


def test_firebase_says_nothing_about_the_addresses_of_providers(tmp_path: pathlib.Path) -> None:
    """Otherwise the address of somebody else would be verified as this user's."""
    accounts = [
        {"providerId": "google.com", "rawId": "g", "email": "ann@example.com"},
        {"providerId": "facebook.com", "rawId": "f", "email": "victim@example.com"},
    ]
    users = [{"localId": "u", "email": "ann@example.com", "emailVerified": True, "providerUserInfo": accounts}]
    [entry] = read("firebase", write(tmp_path / "users.json", {"users": users}), Options())
    assert entry.user is not None
    assert [(one["email"], one["isVerified"]) for one in entry.user["loginMethods"]] == [
        ("ann@example.com", True),
        ("victim@example.com", False),
    ]


PARAMETERS = """hash_config {
  algorithm: SCRYPT,
  base64_signer_key: %s,
  base64_salt_separator: Bw==,
  rounds: 8,
  mem_cost: 14,
}"""


def test_firebase_users_stand_anywhere_at_the_top(tmp_path: pathlib.Path) -> None:
    """What comes before is passed over as a whole, however long it is, and whatever it has inside."""
    inner = {"users": [{"localId": "no", "email": "no@example.com"}], "text": '"users": ['}
    for size in (1, 1 << 17, *range((1 << 16) - 90, (1 << 16) - 20)):  # a part of the file ends anywhere in it
        about = {"long": "x" * size, "inner": inner, "number": -1.25e10, "none": None}
        content = {**about, "users": [{"localId": "1", "email": "a@example.com"}], "after": inner}
        found = list(read("firebase", write(tmp_path / "users.json", content), Options()))
        assert [entry.label for entry in found] == ["a@example.com"]


def test_firebase(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """Passwords, providers, phone numbers and links; a hash needs the project's parameters, and its key in the core."""
    _, _, stored, salt, *_ = FIREBASE_HASH.split("$")
    google = {"providerId": "google.com", "rawId": "g-1", "email": "ann@gmail.com", "displayName": "Ann"}
    users = [
        {"localId": "u1", "email": "ann@example.com", "emailVerified": True, "passwordHash": stored, "salt": salt,
         "displayName": "Ann", "createdAt": "1600000000000", "customAttributes": "{\"admin\":true}",
         "providerUserInfo": [google, {"providerId": "password", "rawId": "ann@example.com"}]},
        {"localId": "u2", "phoneNumber": "+36701234567", "providerUserInfo": [{"providerId": "phone"}]},
        {"localId": "u3", "email": "link@example.com", "emailVerified": True, "providerUserInfo": []},
        {"localId": "u4", "disabled": True, "email": "off@example.com"},
        {"localId": "u5", "providerUserInfo": []},
    ]  # fmt: skip
    file = write(tmp_path / "users.json", json.dumps({"kind": {"a": [1]}, "users": users}, indent=2))
    assert "hash parameters" in run("firebase", file, status=1)
    bad = write(tmp_path / "bad", "rounds: 8")
    assert "should hold base64_salt_separator, rounds and mem_cost" in run("firebase", file, "--hashes", bad, status=1)
    hashes = write(tmp_path / "parameters", PARAMETERS % FIREBASE_KEY)
    without = run("firebase", file, "--hashes", hashes, "--dry-run", status=1)
    assert without["taken"] == 3
    refused = run("firebase", file, "--hashes", hashes, status=1)
    assert refused["reasons"]["ann@example.com"] == "'firebase_password_hashing_signer_key' cannot be null"
    key = f"firebase_password_hashing_signer_key={FIREBASE_KEY}"
    report = run("firebase", file, "--hashes", hashes, "--set", key, status=1)
    nothing = "there is no email, phone number or provider to sign in with"
    assert report["reasons"] == {"off@example.com": "the user is disabled", "u5": nothing}
    assert (report["taken"], report["known"]) == (1, 2)
    ann, phone, link = (user(app, user_id) for user_id in ("u1", "u2", "u3"))
    assert ann["thirdParty"] == [{"id": "google", "userId": "g-1"}]
    assert (ann["timeJoined"], set(ann["emails"])) == (1600000000000, {"ann@example.com", "ann@gmail.com"})
    assert (phone["phoneNumbers"], link["loginMethods"][0]["recipeId"]) == (["+36701234567"], "passwordless")
    app.get("/recipe/user/metadata", userId="u1").says(
        "OK", metadata={"displayName": "Ann", "customClaims": {"admin": True}}
    )
    with EmbeddedCore(tmp_path / "auth.db", settings={**QUICK, **dict([key.split("=", 1)])}) as core:
        assert signs_in(caller(core), "ann@example.com", "user1password") == "u1"


def test_auth0(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """The export of users and the one of hashes are put together by their ids, in whatever order."""
    users = [
        {"user_id": "auth0|aaa", "email": "ann@example.com", "email_verified": True, "name": "Ann",
         "created_at": "2020-09-13T12:26:40.000Z", "user_metadata": {"color": "red"}, "app_metadata": {},
         "identities": [{"provider": "auth0", "user_id": "aaa", "connection": "Username-Password-Authentication"},
                        {"provider": "google-oauth2", "user_id": "g-2", "connection": "google-oauth2"}]},
        {"user_id": "sms|bbb", "phone_number": "+36701234568", "identities": [{"provider": "sms", "user_id": "bbb"}]},
        {"user_id": "email|ccc", "email": "link@example.com", "identities": [{"provider": "email", "user_id": "ccc"}]},
        {"user_id": "auth0|ddd", "email": "off@example.com", "blocked": True,
         "identities": [{"provider": "auth0", "user_id": "ddd"}]},
    ]  # fmt: skip
    stored = {"_id": {"$oid": "aaa"}, "email": "ann@example.com", "passwordHash": BCRYPT_HASH, "tenant": "dev"}
    file = write(tmp_path / "users.ndjson", users)
    assert "an export of their own" in run("auth0", file, status=1)
    report = run("auth0", file, "--hashes", write(tmp_path / "hashes.ndjson", [stored]), status=1)
    assert (report["taken"], report["reasons"]) == (3, {"off@example.com": "the user is blocked"})
    assert signs_in(app, "ann@example.com", "U*U") == "auth0|aaa"
    ann = user(app, "auth0|aaa")
    assert (ann["timeJoined"], ann["thirdParty"]) == (1600000000000, [{"id": "google", "userId": "g-2"}])
    app.get("/recipe/user/metadata", userId="auth0|aaa").says(
        "OK", metadata={"name": "Ann", "user_metadata": {"color": "red"}}
    )
    assert user(app, "sms|bbb")["phoneNumbers"] == ["+36701234568"]
    assert user(app, "email|ccc")["emails"] == ["link@example.com"]


CSV = f"""id,email,email_verified,password_hash,password,third_party_id,third_party_user_id,phone_number,\
roles,metadata,time_joined,totp_secret
1,ann@example.com,true,{BCRYPT_HASH},,,,,admin; editor,"{{""a"": 1}}",2020-09-13 12:26:40+00:00,JBSWY3DPEHPK3PXP
2,bob@example.com,no,,secret 1,,,,,,1600000000000,
3,cat@example.com,1,,,google,g-3,+36701234569,,,,
4,dan@example.com,,"{ARGON2_HASH}",,,,,,,,
5,ann@example.com,,,secret 2,,,,,,,
,,,,,,,,,,,
"""


def test_csv(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """A file of one's own says everything that a user can have."""
    file = write(tmp_path / "users.csv", CSV)
    report = run("csv", file, "--report", tmp_path / "report", status=1)
    assert (report["read"], report["taken"], report["known"], report["notTaken"]) == (6, 4, 1, 1)
    told = [json.loads(line) for line in (tmp_path / "report").read_text().splitlines()]
    assert [one["user"] for one in told] == ["line 7", "ann@example.com"]
    assert "exists already" in run("csv", file, "--report", tmp_path / "report", status=1)
    assert signs_in(app, "ann@example.com", "U*U") == "1" or user(app, "5")
    assert signs_in(app, "bob@example.com", "secret 1") == "2"
    assert signs_in(app, "dan@example.com", "password") == "4"
    cat = user(app, "3")
    assert (cat["thirdParty"], cat["phoneNumbers"]) == ([{"id": "google", "userId": "g-3"}], ["+36701234569"])
    wrong = write(tmp_path / "wrong.csv", "id,e-mail\n1,a@example.com\n")
    assert "no such column: e-mail. There are id, email," in run("csv", wrong, status=1)


@pytest.mark.exhaustive
@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_a_killed_command_is_started_again(run: Run, tmp_path: pathlib.Path) -> None:
    """No user is lost or there twice, and the second command says who was there already."""
    rows = "".join(f"{number},u{number}@example.com,{BCRYPT_HASH}\n" for number in range(1200))
    file = write(tmp_path / "users.csv", f"id,email,password_hash\n{rows}")
    where = ["--db", str(tmp_path / "auth.db")]
    command = [sys.executable, "-m", "st_wsgi", "users", "import", "--from", "csv", str(file), *where]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as killed:
        assert killed.stderr is not None
        progress = killed.stderr.readline()
        killed.kill()
    assert progress.endswith(" of 1200 users\n")
    assert killed.returncode == -signal.SIGKILL
    with EmbeddedCore(tmp_path / "auth.db", settings=QUICK) as core:
        app = caller(core)
        report = run("csv", file)
        assert (report["taken"] + report["known"], report["notTaken"]) == (1200, 0)
        assert report["known"] > 0
        app.get("/users/count").has(count=1200)
        app.get("/bulk-import/users/count").has(count=0)
        assert [user(app, str(number))["emails"] for number in (0, 1199)] == [["u0@example.com"], ["u1199@example.com"]]


def test_copies_that_killed_commands_left_in_the_queue(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """They fail, as the user is there; the command removes them. Those of other users stay for who sent them."""
    file = write(tmp_path / "users.csv", f"id,email,password_hash\n1,u1@example.com,{BCRYPT_HASH}\n,u2@example.com,\n")
    app.post("/recipe/signup", email="u3@example.com", password="correct horse 1").has()
    other = {"recipeId": "emailpassword", "email": "u3@example.com", "plainTextPassword": "correct horse 1"}
    copies = [
        {"externalUserId": "1", "loginMethods": [{"recipeId": "passwordless", "email": "u1@example.com"}]},
        {"loginMethods": [{"recipeId": "passwordless", "email": "U2@example.com"}]},
        {"externalUserId": "other", "loginMethods": [other]},
    ]
    for _ in range(2):
        app.post("/bulk-import/users", users=copies).has()
    report = run("csv", file)
    assert (report["known"] + report["taken"], report["notTaken"]) == (2, 0)
    left = app.get("/bulk-import/users").has()["users"]
    assert [user["externalUserId"] for user in left] == ["other", "other"]


def test_users_with_several_ways_in_are_known_again(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """Who was imported with linked accounts is known to the next command."""
    file = write(
        tmp_path / "users.csv", f"id,email,password_hash,phone_number\n1,u1@example.com,{BCRYPT_HASH},+36701234567\n"
    )
    assert run("csv", file)["taken"] == 1
    report = run("csv", file)
    assert (report["known"], report["notTaken"]) == (1, 0)


def test_for_people(run: Run, app: Caller, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the report is a few lines; the help has an example."""
    file = write(tmp_path / "users.csv", "email,password\n" + "".join(f"u{n}@example.com,secret\n" for n in range(3)))
    assert run("csv", file, text=True).splitlines() == ["3 users read: 3 taken, 0 known already, 0 not taken"]
    again = run("csv", file, "--dry-run", text=True)
    assert again == "3 users read: 3 could be taken (dry run), 0 known already, 0 not taken\n"
    with pytest.raises(SystemExit):
        main(["users", "import", "--help"])
    assert "st-wsgi users import --from django users.json --dry-run" in capsys.readouterr().out


def test_many_are_named_in_the_report_only(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """Of many who cannot be taken the first twenty are shown."""
    file = write(tmp_path / "users.csv", "id,email,metadata\n" + "".join(f"{n},,\n" for n in range(30)))
    text = run("csv", file, "--report", tmp_path / "report", status=1, text=True)
    assert (len(text.splitlines()), text.splitlines()[-1]) == (22, "  ...")
    assert len((tmp_path / "report").read_text().splitlines()) == 30


@pytest.mark.skipif(os.name != "posix", reason="needs permissions of files")
def test_a_report_is_for_its_owner_only(run: Run, app: Caller, tmp_path: pathlib.Path) -> None:
    """It holds addresses. A file that is there is not overwritten."""
    file, report = write(tmp_path / "users.csv", "id,email\n1,\n"), tmp_path / "report"
    before = os.umask(0)
    try:
        run("csv", file, "--report", report, status=1)
    finally:
        os.umask(before)
    assert report.stat().st_mode & 0o777 == 0o600
    assert f"{report} exists already" in run("csv", file, "--report", report, status=1)


def test_a_queue_that_is_stuck_leaves_nobody_who_failed(
    app: Caller, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who failed until then is reported and removed from the queue, with their hashes; the error comes after it."""
    file = write(tmp_path / "users.csv", "id,email\n1,a@example.com\n2,b@example.com\n")

    def fail_one(queue: BulkQueue) -> None:
        with queue._store.write() as db:
            db.run(
                "UPDATE bulk_import_users SET status = 'FAILED', error_message = 'no luck' "
                "WHERE content LIKE '%a@example.com%'"
            )

    monkeypatch.setattr(BulkQueue, "wake", fail_one)
    argv = ["users", "import", "--from", "csv", str(file), "--db", str(tmp_path / "auth.db"), "--patience", "0.1"]
    report = tmp_path / "left"
    assert main([*argv, "--json", "--report", str(report)]) == 1
    out, error = capsys.readouterr()
    shown = json.loads(out)
    assert (shown["read"], shown["taken"], shown["reasons"]) == (2, 0, {"a@example.com": "no luck"})
    assert "does not empty its queue: 1 users wait in it" in error
    assert "name another file in --report" in error
    assert json.loads(report.read_text()) == {"user": "a@example.com", "reason": "no luck"}
    app.get("/bulk-import/users/count", status="FAILED").has(count=0)
    app.get("/bulk-import/users/count").has(count=1)
    assert main(argv) == 1
    assert "--report" not in capsys.readouterr().err


def test_a_queue_that_does_not_move(
    run: Run, app: Caller, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command does not wait for ever; who was sent stays in the queue and is stored when the core works again."""
    file = write(tmp_path / "users.csv", "id,email\n1,a@example.com\n2,b@example.com\n")
    with monkeypatch.context() as patch:
        patch.setattr(BulkQueue, "wake", lambda self: None)
        argv = ["users", "import", "--from", "csv", str(file), "--db", str(tmp_path / "auth.db"), "--patience", "0.1"]
        assert main(argv) == 1
        out, error = capsys.readouterr()
        assert out == "2 users read: 0 taken, 0 known already, 0 not taken\n"
        assert "does not empty its queue: 2 users wait in it, and for 0.1 seconds none was looked at. See" in error
        app.get("/bulk-import/users/count").has(count=2)
    report = run("csv", file)
    assert (report["known"] + report["taken"], report["notTaken"]) == (2, 0)
    app.get("/users/count").has(count=2)


@pytest.mark.parametrize("patience", ["0", "-1", "nan", "inf", "long"])
def test_patience_is_a_number_of_seconds(patience: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With another one the command would end at once, or never."""
    with pytest.raises(SystemExit):
        main(["users", "import", "--from", "csv", "users.csv", f"--patience={patience}"])
    assert f"--patience: must be a number of seconds above 0, not '{patience}'" in capsys.readouterr().err


def test_users_who_fail_are_progress_too(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may put as many users into the queue as leave it: the core is at work nevertheless."""
    monkeypatch.setattr(BulkQueue, "wake", lambda self: None)
    users = [{"loginMethods": [{"recipeId": "passwordless", "phoneNumber": "+36701234569"}]}]
    told: list[int] = []

    def others(done: int) -> None:
        told.append(done)
        with core.services.store.write() as db:
            db.run("UPDATE bulk_import_users SET status = 'FAILED', error_message = 'no luck'")
        if len(told) < 4:
            caller(core).post("/bulk-import/users", users=users).has()

    report = Report()
    entries = [Entry("ann", {"loginMethods": [{"recipeId": "passwordless", "email": "ann@example.com"}]})]
    with EmbeddedCore(tmp_path / "auth.db", settings=QUICK) as core:
        querier = Querier(transport=core, api_key=None, app_id="public", cdi_versions=CDI_VERSIONS)
        Sender(querier, report, pause=0.01, patience=0.001, progress=others).send(entries)
    assert (len(told), report.refused) == (5, {"ann": "no luck"})


@pytest.mark.parametrize(
    ("source", "content", "problem"),
    [
        ("django", "{}", "expected '['"),
        ("django", "[{\"pk\": 1}]", "'fields' is missing"),
        ("django", "[{\"fields\": ", "Expecting value"),
        ("firebase", "{\"kind\": 1}", "expected 'users' with a list"),
        ("firebase", "{\"a\": {\"users\": []}}", "expected 'users' with a list"),
        ("firebase", "{\"users\": {}}", "expected 'users' with a list"),
        ("firebase", "[]", "expected '{'"),
        ("auth0", "not json", "Expecting value"),
        ("csv", "email,metadata\na@example.com,{", "Expecting property name"),
    ],
)  # fmt: skip
def test_another_file(run: Run, tmp_path: pathlib.Path, source: str, content: str, problem: str) -> None:
    """A file that the system does not write is named, with what is wrong."""
    file = write(tmp_path / "file", content)
    error = run(source, file, "--dry-run", status=1)
    assert f"{file} is not what {source} writes: " in error
    assert problem in error
    assert "No such file" in run(source, tmp_path / "none", "--dry-run", status=1)


def test_over_http(run: Run, tmp_path: pathlib.Path) -> None:
    """A core at an address takes them too, into a tenant, and of a list that it refuses only who is wrong is lost."""
    with EmbeddedCore(tmp_path / "other.db", settings=QUICK) as core, serving(core) as server:
        over_http = OverHTTP(server.address)
        app = Caller(over_http, headers={"cdi-version": "5.4"})
        app.put("/recipe/multitenancy/tenant/v2", tenantId="t1").has()
        rows = "".join(f"{n},u{n}@example.com,{BCRYPT_HASH},admin,,\n" for n in range(20))
        header = "id,email,password_hash,roles,third_party_id,third_party_user_id"
        file = write(tmp_path / "users.csv", f"{header}\n{rows}y,long@example.com,,,{'x' * 29},y\n")
        report = run("csv", file, "--to", server.address, "--tenant", "t1", status=1)
        assert (report["taken"], report["notTaken"]) == (20, 1)
        assert report["reasons"] == {"long@example.com": f"thirdPartyId {'x' * 29} is too long. Max length is 28."}
        tenant = app.below("t1")
        tenant.get("/users/count").has(count=20)
        tenant.get("/recipe/user/roles", userId="3").has(roles=["admin"])
        signs_in(tenant, "u3@example.com", "U*U")
        over_http.close()
    assert "could read the key" in run("csv", file, "--to", "http://core.example.com", status=1)


def test_hashes_as_they_are_written() -> None:
    """Django's names in front of a hash go; what no core checks is no hash."""
    assert usable_hash(f"argon2{ARGON2_HASH}") == (ARGON2_HASH, "argon2")
    assert usable_hash(f"bcrypt${BCRYPT_HASH}") == (BCRYPT_HASH, "bcrypt")
    assert usable_hash(f"bcrypt_sha256${BCRYPT_HASH}") == (f"bcrypt_sha256${BCRYPT_HASH}", "bcrypt")
    for text in ("", "!", "md5$salt$0a", "{SSHA}x", "plain"):
        assert usable_hash(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-09-13T12:26:40Z", 1_600_000_000_000),
        ("2020-09-13 14:26:40.123456+02", 1_600_000_000_123),
        ("2020-09-13T07:56:40.5-04:30", 1_600_000_000_500),
        ("1600000000000", 1_600_000_000_000),
        ({"$date": "2020-09-13T12:26:40.000Z"}, 1_600_000_000_000),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times(text: object, expected: int | None) -> None:
    """Times of JSON, of databases and in numbers."""
    assert milliseconds(text) == expected


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name")
def test_a_large_file_is_read_in_pieces(tmp_path: pathlib.Path) -> None:
    """A reader keeps nothing: it yields users while the rest of the file is still to come."""
    path, go_on = tmp_path / "users.fifo", threading.Event()
    os.mkfifo(path)

    def item(number: int) -> str:
        return json.dumps({"model": "auth.user", "pk": number, "fields": {"email": f"u{number}@example.com"}})

    def writing() -> None:
        with path.open("w") as file:
            file.write("[" + ",".join(map(item, range(3000))) + ",")
            file.flush()
            assert go_on.wait(60)
            file.write(item(3000) + "]")

    writer = threading.Thread(target=writing)
    writer.start()
    entries = read("django", path, Options())
    early = [next(entries).label for _ in range(1000)]
    assert not go_on.is_set()
    go_on.set()
    assert [*early, *(entry.label for entry in entries)] == [f"u{number}@example.com" for number in range(3001)]
    writer.join(60)
