"""Password hashes."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contract.client import Caller, email
from contract.test_emailpassword import ARGON2_HASH, BCRYPT_HASH, FIREBASE_HASH, FIREBASE_KEY
from cryptography.hazmat.primitives.kdf import argon2

from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.passwords import HashUnusable, Passwords, kind_of_hash
from st_wsgi.embedded.settings import CoreSettings
from st_wsgi.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent
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
        assert passwords.matches("secret", stored)
        assert not passwords.matches("secreT", stored)


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
    assert passwords.matches("password", stored)
    assert not passwords.matches("Password", stored)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2x$", "$2y$"])
def test_bcrypt_of_other_systems(prefix: str) -> None:
    """bcrypt verifies under all of its names."""
    assert Passwords(QUICK).matches("U*U", prefix + BCRYPT_HASH[4:])


def test_bcrypt_on_request() -> None:
    """New hashes are bcrypt where it is asked for, and passwords longer than it reads are cut."""
    passwords = Passwords(QUICK)
    made = passwords.hash("p" * 100, "BCRYPT")
    assert made.startswith("$2a$04$")
    assert passwords.matches("p" * 72, made)
    assert not passwords.matches("p" * 71, made)


def test_firebase() -> None:
    """Firebase's scrypt verifies with the project's signer key, and says what is missing without."""
    passwords = Passwords(QUICK)
    assert passwords.matches("user1password", FIREBASE_HASH, firebase_key=FIREBASE_KEY)
    assert not passwords.matches("user2password", FIREBASE_HASH, firebase_key=FIREBASE_KEY)
    with pytest.raises(HashUnusable, match="firebase_password_hashing_signer_key"):
        passwords.matches("user1password", FIREBASE_HASH)


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
    ],
)
def test_odd_hashes_match_nothing(stored: str) -> None:
    """A hash that nothing can make sense of is a wrong password."""
    assert Passwords(QUICK).matches("plain", stored, firebase_key=FIREBASE_KEY) is False


def test_without_bcrypt() -> None:
    """Where bcrypt is not installed, choosing it and meeting it name the remedy."""
    with pytest.raises(ConfigError, match=r"pip install 'st-wsgi\[bcrypt\]'"):
        Passwords(CoreSettings.of({"password_hashing_alg": "BCRYPT"}), bcrypt=None)
    with pytest.raises(HashUnusable, match=r"pip install 'st-wsgi\[bcrypt\]'"):
        Passwords(QUICK, bcrypt=None).matches("U*U", BCRYPT_HASH)


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
        stored = [row[0] for row in db.execute("SELECT password_hash FROM login_methods ORDER BY app")]
    assert [kind_of_hash(found) for found in stored] == ["ARGON2", "BCRYPT"]


def test_an_unknown_email_costs_a_hash(app: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing in to an account that does not exist does the same work as with a wrong password."""
    address = email()
    app.post("/recipe/signup", email=address, password="secret").has()
    real, made = argon2.Argon2id, []

    def counting(**parameters: Any) -> argon2.Argon2id:
        made.append({name: value for name, value in parameters.items() if name != "salt"})
        return real(**parameters)

    monkeypatch.setattr(argon2, "Argon2id", counting)
    app.post("/recipe/signin", email=address, password="wrong").says("WRONG_CREDENTIALS_ERROR")
    app.post("/recipe/signin", email=email(), password="wrong").says("WRONG_CREDENTIALS_ERROR")
    assert len(made) == 2
    assert made[0] == made[1]


def test_a_taken_email_costs_none(app: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing up with an email that is taken is answered before anything is hashed."""
    address = email()
    app.post("/recipe/signup", email=address, password="secret").has()
    monkeypatch.setattr(argon2, "Argon2id", None)
    app.post("/recipe/signup", email=address, password="secret").says("EMAIL_ALREADY_EXISTS_ERROR")


def test_many_threads_hash(app: Caller) -> None:
    """Threads that sign up at the same time all get through, and one email makes one account."""
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
    print("answered", passwords.matches("secret", stored))
except MemoryError:
    print("no answer")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc, to know what the process uses")
def test_a_lack_of_memory_is_not_taken_for_a_wrong_password() -> None:
    """A server that cannot compute a hash does not know whether the password is right."""
    run = subprocess.run([sys.executable, "-c", LITTLE_MEMORY], capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.stdout.strip() == "no answer", run.stderr
