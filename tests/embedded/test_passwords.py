"""Password hashes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import re
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from contract.client import Answer, Caller, email
from contract.test_emailpassword import ARGON2_HASH, BCRYPT_HASH, FIREBASE_HASH, FIREBASE_KEY
from cryptography.hazmat.primitives.kdf import argon2
from django.contrib.auth import hashers  # type: ignore[import-untyped] # Django has no types
from werkzeug.security import generate_password_hash
from werkzeug.test import Client

from embedded.conftest import caller
from st_wsgi import AppInfo, SuperTokens
from st_wsgi.delivery import Console
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.hashes import kinds_of, parse
from st_wsgi.embedded.passwords import Check, Passwords
from st_wsgi.embedded.settings import CoreSettings
from st_wsgi.errors import ConfigError
from st_wsgi.recipes.emailpassword import EmailPassword

ROOT = Path(__file__).parent.parent.parent

LONG = "a passphrase of more than seventy-two bytes, of which bcrypt would look at the first ones only"
FLASK_SALT = b"146585145368132386173505678016728509634"
FLASK_PREFIX = f"hmac_sha512${base64.b64encode(FLASK_SALT).decode()}$"


def flask_security(password: str) -> str:
    """Return a hash as Flask-Security makes it by default: of the password's HMAC; with the key that it takes along."""
    inner = base64.b64encode(hmac.digest(FLASK_SALT, password.encode(), "sha512"))
    stored = bcrypt.hashpw(inner[:72], bcrypt.gensalt(4)).decode()
    return FLASK_PREFIX + stored


OF_FRAMEWORKS = {
    "Django's PBKDF2": hashers.PBKDF2PasswordHasher().encode(LONG, "zalt/ü", iterations=1000),
    "Django's PBKDF2 with SHA-1": hashers.PBKDF2SHA1PasswordHasher().encode(LONG, "salt", iterations=1000),
    "Django's bcrypt of SHA-256": hashers.BCryptSHA256PasswordHasher().encode(LONG, bcrypt.gensalt(4)),
    "Werkzeug's scrypt": generate_password_hash(LONG, "scrypt:1024:8:1"),
    "Werkzeug's default": generate_password_hash(LONG),
    "Werkzeug's PBKDF2": generate_password_hash(LONG, "pbkdf2:sha512:1000"),
    "Flask-Security's bcrypt": flask_security(LONG),
    # Made by Flask-Security 5.9.2.
    "Flask-Security's Argon2": FLASK_PREFIX
    + "$argon2id$v=19$m=65536,t=3,p=4$2ltrjVHqXSvFeM/5/1+rlQ$FfmYb3KW0BgsohdhMW9Qb8o2VGt7tD7O0VoUnoqcBTo",
    "Flask-Security's PBKDF2": FLASK_PREFIX
    + "$pbkdf2-sha512$25000$jdGakzKmdC7FmBNC6N27Vw"
    + "$Pquzaj6TCLI1JHuxj5fitP523ZGa4G78wZMSHeK7/63/bFLXDLq7y0pART0kMNS8dPXrCUEegcqRd6IYXru3yQ",
}
"""Hashes of LONG, by what makes them."""

DEAR = ("Werkzeug's default", "Flask-Security's Argon2")
"""Those with the memory that they have in use. Of their kinds there are cheaper ones too."""

OF_OLDER_DJANGOS = [
    hashers.PBKDF2PasswordHasher().encode(LONG, "salt", iterations=rounds) for rounds in (2000, 3000, 4000)
]

QUICK = CoreSettings.of({"argon2_memory_kb": 64, "bcrypt_log_rounds": 4})


def test_the_default_is_what_the_official_core_makes() -> None:
    """Argon2id, 87795 KiB, one pass, two lanes, a salt of 16 bytes and a hash of 32."""
    made = Passwords(CoreSettings()).hash("secret")
    assert re.fullmatch(r"\$argon2id\$v=19\$m=87795,t=1,p=2\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}", made)


def test_hashes_differ_and_match() -> None:
    """Every hash has a salt of its own."""
    passwords = Passwords(QUICK)
    first, second = passwords.hash("secret"), passwords.hash("secret")
    assert first != second
    for stored in (first, second):
        assert passwords.check("secret", stored).right
        assert not passwords.check("secreT", stored).right


# Vectors of the Argon2 reference implementation: "password" with "somesalt".
@pytest.mark.parametrize(
    "stored",
    [
        ARGON2_HASH,
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
    ],
)
def test_argon2_of_other_systems(stored: str) -> None:
    """Hashes of all kinds of Argon2 and any parameters verify."""
    passwords = Passwords(QUICK)
    assert passwords.check("password", stored).right
    assert not passwords.check("Password", stored).right


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2x$", "$2y$"])
def test_bcrypt_of_other_systems(prefix: str) -> None:
    """bcrypt verifies under all of its names."""
    assert Passwords(QUICK).check("U*U", prefix + BCRYPT_HASH[4:]).right


@pytest.mark.parametrize("stored", OF_FRAMEWORKS.values(), ids=OF_FRAMEWORKS)
def test_hashes_of_frameworks(stored: str) -> None:
    """What Django, Werkzeug and Flask-Security made verifies, looks at the whole password, and is renewed."""
    passwords = Passwords(QUICK)
    check = passwords.check(LONG, stored)
    assert check.right
    assert check.new_hash is not None
    assert passwords.check(LONG, check.new_hash) == Check(right=True)
    for wrong in (LONG[:-1], "", "secret"):
        assert passwords.check(wrong, stored) == Check(right=False)


def test_a_hash_of_something_else_is_renewed() -> None:
    """Even when its kind is today's: only the hash of the password itself says that nothing was put in between."""
    passwords = Passwords(QUICK)
    inner = base64.b64encode(hmac.digest(FLASK_SALT, b"secret", "sha512")).decode()
    stored = FLASK_PREFIX + passwords.hash(inner)
    assert passwords.check("secret", stored).new_hash is not None
    assert FLASK_SALT.decode() not in repr(parse(stored))


def test_bcrypt_on_request() -> None:
    """New hashes are bcrypt where it is asked for, and passwords longer than it reads are cut."""
    passwords = Passwords(QUICK)
    made = passwords.hash("p" * 100, "BCRYPT")
    assert made.startswith("$2a$04$")
    assert passwords.check("p" * 72, made).right
    assert not passwords.check("p" * 71, made).right


def test_firebase(caplog: pytest.LogCaptureFixture) -> None:
    """Firebase's scrypt verifies with the project's signer key, and says what is missing without."""
    passwords = Passwords(QUICK)
    assert passwords.check("user1password", FIREBASE_HASH, firebase_key=FIREBASE_KEY).right
    assert not passwords.check("user2password", FIREBASE_HASH, firebase_key=FIREBASE_KEY).right
    with caplog.at_level("ERROR"):
        assert not passwords.check("user1password", FIREBASE_HASH).right
    assert "firebase_password_hashing_signer_key" in caplog.text


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain",
        "$argon2id$",
        "$argon2id$v=19$m=1,t=1,p=1$c29tZXNhbHQ$FK6NoBr+qHAMI1jc73xTWNkCEoK9iGY6RWL1n7dNIu4",
        "$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$AAAA",
        "$2a$99$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$f_scrypt$x$y$m=0$r=0$s=z",
        "$f_scrypt$AAAA$AAAA$m=99$r=8$s=AAAA",
        "pbkdf2_sha256$0$salt$AAAA",
        "pbkdf2_sha256$1$salt$AAAAA",
        "pbkdf2:sha256:1$salt$xyz",
        "pbkdf2_md5$1$salt$AAAA",
        "scrypt:3:8:1$salt$00",
        "scrypt:99999999:999:99$salt$00",
        "hmac_sha512$A$pbkdf2_sha256$1$salt$AAAA",
        "hmac_sha512$AAAA$plain",
    ],
)
def test_odd_hashes_match_nothing(stored: str) -> None:
    """A hash that nothing can make sense of is a wrong password."""
    assert Passwords(QUICK).check("plain", stored, firebase_key=FIREBASE_KEY).right is False


@pytest.mark.parametrize(
    ("stored", "algorithm"),
    [
        ("$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$AAAA", "ARGON2"),
        ("$argon2id$v=19$m=65536,t=999,p=1$c29tZXNhbHQ$AAAA", "ARGON2"),
        ("$2b$17$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "BCRYPT"),
        ("$f_scrypt$AAAA$AAAA$m=21$r=8$s=AAAA", "FIREBASE_SCRYPT"),
        ("scrypt:32768:8:99$salt$00", "SCRYPT"),
        ("bcrypt_sha256$$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "BCRYPT"),
    ],
)
def test_hashes_that_cost_too_much_are_not_imported(
    make_core: Callable[..., EmbeddedCore], stored: str, algorithm: str
) -> None:
    """Each failed sign-in of anybody would take minutes, since it checks one hash of each kind that the app has."""
    core = make_core(firebase_password_hashing_signer_key=FIREBASE_KEY)
    app, method = caller(core), {"email": email(), "passwordHash": stored, "hashingAlgorithm": algorithm}
    for answer in (
        app.post("/recipe/user/passwordhash/import", **method),
        app.post("/bulk-import/import", loginMethods=[{"recipeId": "emailpassword", **method}]),
    ):
        assert answer.status == 400
        assert "takes too long to check" in str(answer.body)
    with core.services.store.read() as db:
        assert kinds_of(db, 1) == []


def test_without_bcrypt(caplog: pytest.LogCaptureFixture) -> None:
    """Without bcrypt it cannot be chosen, and a user who needs it is refused like a stranger; the log has the cure."""
    cure = r"pip install 'st-wsgi\[bcrypt\]'"
    with pytest.raises(ConfigError, match=cure):
        Passwords(CoreSettings.of({"password_hashing_alg": "BCRYPT"}), bcrypt=None)
    passwords = Passwords(QUICK, bcrypt=None)
    for _ in range(2):
        assert passwords.check("U*U", BCRYPT_HASH) == Check(right=False)
    assert len(re.findall(cure, caplog.text)) == 1


def test_no_import_without_bcrypt(make_core: Callable[..., EmbeddedCore], monkeypatch: pytest.MonkeyPatch) -> None:
    """A bcrypt hash is not imported where it could not be checked."""
    core = make_core()
    monkeypatch.setattr(core.services.passwords, "_bcrypt", None)
    answer = caller(core).post("/recipe/user/passwordhash/import", email=email(), passwordHash=BCRYPT_HASH)
    assert answer.status == 400
    assert "pip install 'st-wsgi[bcrypt]'" in str(answer.body)


def test_an_app_that_chose_bcrypt_elsewhere(
    make_core: Callable[..., EmbeddedCore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where bcrypt is missing, a sign-up in an app that wants it has a reply that says what to do."""
    core = make_core()
    app = caller(core)
    app.put("/recipe/multitenancy/app/v2", appId="b", coreConfig={"password_hashing_alg": "BCRYPT"}).has()
    monkeypatch.setattr(core.services.passwords, "_bcrypt", None)
    answer = app.below("appid-b").post("/recipe/signup", email=email(), password="secret")
    assert answer.status == 500
    assert "pip install 'st-wsgi[bcrypt]'" in str(answer.body)


def test_an_app_chooses_its_algorithm(make_core: Callable[..., EmbeddedCore]) -> None:
    """An app may want bcrypt; its old hashes go on working."""
    core = make_core(bcrypt_log_rounds=4)
    base = caller(core)
    base.put("/recipe/multitenancy/app/v2", appId="b", coreConfig={"password_hashing_alg": "BCRYPT"}).has()
    address = email()
    for app in (base, base.below("appid-b")):
        app.post("/recipe/signup", email=address, password="secret").has()
        app.post("/recipe/signin", email=address, password="secret").has()
    with core.services.store.read() as db:
        stored = db.column("SELECT password_hash FROM login_methods ORDER BY app")
    assert list(map(algorithm_of, stored)) == ["ARGON2", "BCRYPT"]


def algorithm_of(stored: str) -> str:
    """Return the algorithm of a hash."""
    parsed = parse(stored)
    assert parsed is not None
    return parsed.format.algorithm


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the hashes that are computed, by kind, and the rounds of PBKDF2."""
    counted: Counter[str] = Counter()
    real_argon2, real_bcrypt = argon2.Argon2id, bcrypt.checkpw

    def argon2id(**parameters: Any) -> argon2.Argon2id:
        counted[f"argon2 {parameters['memory_cost']} {parameters['iterations']} {parameters['lanes']}"] += 1
        return real_argon2(**parameters)

    def checkpw(password: bytes, stored: bytes) -> bool:
        counted[f"bcrypt {stored[4:6].decode()}"] += 1
        return real_bcrypt(password, stored)

    real_pbkdf2, real_scrypt = hashlib.pbkdf2_hmac, hashlib.scrypt

    def pbkdf2_hmac(digest: str, password: bytes, salt: bytes, rounds: int) -> bytes:
        counted[f"pbkdf2 {digest}"] += rounds
        return real_pbkdf2(digest, password, salt, rounds)

    def scrypt(password: bytes, **parameters: Any) -> bytes:
        counted[f"scrypt {parameters['n']} {parameters['r']} {parameters['p']}"] += 1
        return real_scrypt(password, **parameters)

    monkeypatch.setattr(argon2, "Argon2id", argon2id)
    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", pbkdf2_hmac)
    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    return counted


def test_a_failed_sign_in_always_costs_the_same(app: Caller, work: Counter[str]) -> None:
    """A wrong password of a user, of an imported one, of an unknown one: each computes one hash of each kind."""
    known, imported, older = email(), email(), email()
    app.post("/recipe/signup", email=known, password="secret").has()
    for attempts in ({"argon2 64 1 2": 1}, {"argon2 64 1 2": 1, "bcrypt 05": 1, "argon2 256 2 1": 1}):
        for address in (known, imported, older, email()):
            work.clear()
            app.post("/recipe/signin", email=address, password="wrong").says("WRONG_CREDENTIALS_ERROR")
            assert work == attempts
        app.post("/recipe/user/passwordhash/import", email=imported, passwordHash=BCRYPT_HASH).has()
        app.post("/recipe/user/passwordhash/import", email=older, passwordHash=ARGON2_HASH).has()


def test_a_failed_sign_in_costs_the_same_whatever_was_imported(app: Caller, work: Counter[str]) -> None:
    """One hash of each kind that users came with, for a wrong password of each of them and of an unknown user."""
    kinds = Counter({"argon2 64 1 2": 1, "argon2 256 2 1": 1, "bcrypt 04": 1, "scrypt 1024 8 1": 1})
    # Of PBKDF2 not the sum of all kinds: Django has another number of rounds in every release.
    kinds.update({"pbkdf2 sha256": 4000, "pbkdf2 sha1": 1000, "pbkdf2 sha512": 25_000})
    addresses = []
    imported = [stored for name, stored in OF_FRAMEWORKS.items() if name not in DEAR]
    for stored in (*imported, ARGON2_HASH, *OF_OLDER_DJANGOS):
        addresses.append(email())
        app.post("/recipe/user/passwordhash/import", email=addresses[-1], passwordHash=stored).has()
    for address in (*addresses, email()):
        work.clear()
        app.post("/recipe/signin", email=address, password="wrong").says("WRONG_CREDENTIALS_ERROR")
        assert work == kinds


def test_other_settings_leave_a_kind_behind(tmp_path: Path, make_core: Callable[..., EmbeddedCore], work: Any) -> None:
    """Users who signed up before the settings changed cannot be told from strangers either."""
    known, path = email(), tmp_path / "auth.db"
    caller(make_core(path)).post("/recipe/signup", email=known, password="secret").has()
    app = caller(make_core(path, argon2_memory_kb=128))
    for address in (known, email()):
        work.clear()
        app.post("/recipe/signin", email=address, password="wrong").says("WRONG_CREDENTIALS_ERROR")
        assert work == {"argon2 64 1 2": 1, "argon2 128 1 2": 1}


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        (BCRYPT_HASH, "U*U"),
        (ARGON2_HASH, "password"),
        (FIREBASE_HASH, "user1password"),
        *((stored, LONG) for stored in OF_FRAMEWORKS.values()),
    ],
    ids=["bcrypt", "Argon2", "Firebase's scrypt", *OF_FRAMEWORKS],
)
def test_signing_in_renews_a_hash_of_another_kind(core: EmbeddedCore, work: Any, stored: str, password: str) -> None:
    """The first sign-in of an imported user makes the hash that a new user gets; the next one computes only that."""
    settings = {"firebase_password_hashing_signer_key": FIREBASE_KEY}
    caller(core).put("/recipe/multitenancy/app/v2", appId="a", coreConfig=settings).has()
    app, address = caller(core).below("appid-a"), email()
    app.post("/recipe/user/passwordhash/import", email=address, passwordHash=stored).has()
    app.post("/recipe/signin", email=address, password="wrong").says("WRONG_CREDENTIALS_ERROR")
    assert hash_in(core) == stored
    app.post("/recipe/signin", email=address, password=password).has()
    assert hash_in(core).startswith("$argon2id$v=19$m=64,t=1,p=2$")
    work.clear()
    app.post("/recipe/signin", email=address, password=password).has()
    assert work == {"argon2 64 1 2": 1}


def hash_in(core: EmbeddedCore) -> str:
    """Return the hash of the only user."""
    with core.services.store.read() as db:
        return str(db.run("SELECT password_hash FROM login_methods").fetchone()[0])


def test_a_changed_password_is_not_undone(core: EmbeddedCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that changes while the old one is being checked stays changed."""
    app, address = caller(core), email()
    user = app.post("/recipe/user/passwordhash/import", email=address, passwordHash=BCRYPT_HASH).has()["user"]
    real = Passwords.check

    def changing(self: Passwords, *args: Any, **kwargs: Any) -> Check:
        outcome = real(self, *args, **kwargs)
        monkeypatch.undo()
        app.put("/recipe/user", recipeUserId=user["id"], password="new").has()
        return outcome

    monkeypatch.setattr(Passwords, "check", changing)
    app.post("/recipe/signin", email=address, password="U*U").has()
    app.post("/recipe/signin", email=address, password="new").has()


def test_bcrypt_renews_no_password_that_it_cuts(make_core: Callable[..., EmbeddedCore]) -> None:
    """bcrypt looks at 72 bytes: a longer password that matched may be another one than the user's behind them."""
    passwords = Passwords(QUICK)
    stored = passwords.hash("p" * 80, "BCRYPT")
    assert passwords.check("p" * 80, stored) == Check(right=True)
    assert passwords.check("p" * 72, stored).new_hash is not None
    assert passwords.check("p" * 80, passwords.hash("p" * 80), algorithm="BCRYPT") == Check(right=True)


def test_a_taken_email_costs_none(app: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing up with an email that is taken is answered before anything is hashed."""
    address = email()
    app.post("/recipe/signup", email=address, password="secret").has()
    monkeypatch.setattr(argon2, "Argon2id", None)
    app.post("/recipe/signup", email=address, password="secret").says("EMAIL_ALREADY_EXISTS_ERROR")


def test_many_threads_hash(make_core: Callable[..., EmbeddedCore]) -> None:
    """Threads that sign up at the same time all get through, and one email makes one account."""
    app = caller(make_core(hashing_queue_size=16, hashing_queue_timeout_ms=60_000))
    addresses = [email() for _ in range(4)]
    answers: list[str] = []

    def sign_up(address: str) -> None:
        answers.append(app.post("/recipe/signup", email=address, password="secret").body["status"])

    threads = [threading.Thread(target=sign_up, args=(address,)) for address in addresses * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == ["EMAIL_ALREADY_EXISTS_ERROR"] * 12 + ["OK"] * 4


class SlowHashes:
    """Lets hashes begin and not end, and signs in meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._began, self._go_on = threading.Semaphore(0), threading.Event()
        self._real = argon2.Argon2id
        self.outcomes: list[Future[Answer]] = []
        monkeypatch.setattr(argon2, "Argon2id", self._slow)

    def _slow(self, **parameters: Any) -> argon2.Argon2id:
        if parameters["memory_cost"] == 64:  # not the probe of a core that starts
            self._began.release()
            assert self._go_on.wait(60)
        return self._real(**parameters)

    def sign_in(self, app: Caller) -> Future[Answer]:
        """Sign in, in a thread of its own."""
        outcome: Future[Answer] = Future()
        body = {"email": email(), "password": "x"}
        threading.Thread(target=lambda: outcome.set_result(app.post("/recipe/signin", **body))).start()
        self.outcomes.append(outcome)
        return outcome

    def hold(self) -> None:
        """Let hashes begin and not end again."""
        self._go_on.clear()

    def begin(self) -> None:
        """Wait until the next hash has begun."""
        assert self._began.acquire(timeout=60)

    def end(self) -> list[int]:
        """Let all hashes end; return the statuses of the sign-ins."""
        self._go_on.set()
        return [outcome.result(60).status for outcome in self.outcomes]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowHashes]:
    """Hashes that take as long as the test wants."""
    hashes = SlowHashes(monkeypatch)
    yield hashes
    hashes.end()


class Line(deque[object]):
    """The places of those who wait, and a signal for each that is taken."""

    def __init__(self) -> None:
        self.taken = threading.Semaphore(0)
        super().__init__()

    def append(self, place: object) -> None:
        super().append(place)
        self.taken.release()


def test_a_full_queue_is_answered_at_once(make_core: Callable[..., EmbeddedCore], slow: SlowHashes) -> None:
    """One hash runs and two callers wait; the next caller gets a 503 with Retry-After, and other calls are served."""
    core = make_core(hashing_queue_size=2, hashing_queue_timeout_ms=60_000)
    app, line = caller(core), Line()
    core.services.passwords._queue._waiting = line
    slow.sign_in(app)
    slow.begin()
    for _ in range(2):
        slow.sign_in(app)
        assert line.taken.acquire(timeout=60)
    refused = app.post("/recipe/signin", email=email(), password="x")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert app.get("/recipe/roles").status == 200
    assert app.post("/recipe/signup", email=email(), password="x").status == 503
    assert slow.end() == [200, 200, 200]


@pytest.mark.parametrize(("threads", "served"), [(4, 3), (8, 6), (64, 40)])
def test_a_rush_leaves_a_quarter_of_the_threads_free(
    threads: int, served: int, make_core: Callable[..., EmbeddedCore], slow: SlowHashes
) -> None:
    """Of 40 users who sign in at once, as many are served as there are threads for; the others are refused at once."""
    app = caller(make_core(hashing_queue_timeout_ms=60_000))
    together = threading.Barrier(threads)

    def sign_in() -> int:
        return app.post("/recipe/signin", email=email(), password="x").status

    def known() -> int:
        together.wait(60)
        return sign_in()

    with ThreadPoolExecutor(threads) as server:
        slow.end()
        wait([server.submit(known) for _ in range(threads)], 60)
        slow.hold()
        rush = [server.submit(sign_in) for _ in range(40)]
        refused = list(itertools.islice(as_completed(rush, 60), 40 - served))
        assert app.get("/recipe/roles").status == 200
        slow.end()
        assert [outcome.result(60) for outcome in refused] == [503] * (40 - served)
        assert [outcome.result(60) for outcome in rush].count(200) == served


def test_a_client_gets_the_refusal(make_core: Callable[..., EmbeddedCore], slow: SlowHashes) -> None:
    """Through an app, too, a sign-in beyond the queue is a 503 that says when to try again."""
    core = make_core(hashing_queue_size=0, hashing_queue_timeout_ms=60_000)
    st = SuperTokens(
        app_info=AppInfo(app_name="a", api_domain="https://a.example", website_domain="https://a.example"),
        core=core,
        recipes=[EmailPassword(email_delivery=Console(allow_https=True))],
    )
    slow.sign_in(caller(core))
    slow.begin()
    fields = [{"id": "email", "value": email()}, {"id": "password", "value": "x"}]
    response = Client(st.wrap(lambda environ, start_response: [])).post("/auth/signin", json={"formFields": fields})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.json == {"message": "service unavailable"}
    assert slow.end() == [200]


def test_nobody_waits_in_vain(make_core: Callable[..., EmbeddedCore], slow: SlowHashes) -> None:
    """A caller whose turn does not come in time is refused, and its hash is never computed."""
    app = caller(make_core(hashing_queue_timeout_ms=1))
    slow.sign_in(app)
    slow.begin()
    assert slow.sign_in(app).result(60).status == 503
    assert slow.end() == [200, 503]
    assert not slow._began.acquire(blocking=False)


LITTLE_MEMORY = """
import resource
from st_wsgi.embedded.passwords import Passwords
from st_wsgi.embedded.settings import CoreSettings

passwords = Passwords(CoreSettings.of({"argon2_memory_kb": 262144, "argon2_parallelism": 1}))
stored = passwords.hash("secret")
with open("/proc/self/statm") as sizes:
    used = int(sizes.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 1024 * 1024, resource.RLIM_INFINITY))
try:
    print("answered", passwords.check("secret", stored).right)
except MemoryError:
    print("no answer")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc, to know what the process uses")
def test_a_lack_of_memory_is_not_taken_for_a_wrong_password() -> None:
    """A server that cannot compute a hash does not know whether the password is right."""
    run = subprocess.run([sys.executable, "-c", LITTLE_MEMORY], capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.stdout.strip() == "no answer", run.stderr
