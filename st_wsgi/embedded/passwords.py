"""
Password hashes that the official core can read too: Argon2 (made here by default), bcrypt and Firebase scrypt.

Which one verifies a password is chosen by the hash's own prefix (``emailpassword/PasswordHashingUtils.java`` of the
official core). Hashing never runs inside a transaction, and under gevent in the hub's pool of threads.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, ParamSpec, TypeVar

from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf import argon2

from ..errors import ConfigError
from ..forks import turns
from .offload import offloaded
from .settings import CoreSettings

try:
    import bcrypt as _bcrypt
except ImportError:
    _installed_bcrypt: ModuleType | None = None
else:
    _installed_bcrypt = _bcrypt

P = ParamSpec("P")
T = TypeVar("T")

Algorithm = Literal["ARGON2", "BCRYPT", "FIREBASE_SCRYPT"]

#: By process id, made when first needed, so that none is inherited by a fork or older than gevent's patches: OpenSSL
#: computes the lanes of an Argon2 hash on threads whose number is a setting of the whole process. While one hash with
#: several lanes resets it, another one waits for ever or fails for want of memory.
_one_at_a_time: dict[int, threading.Lock] = {}

_ARGON2 = re.compile(
    r"\$argon2(?P<kind>id|i|d)(\$v=19)?\$m=(?P<m>\d{1,7}),t=(?P<t>\d{1,3}),p=(?P<p>\d{1,2})"
    r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<hash>[A-Za-z0-9+/]+)"
)
_BCRYPT = re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}")
_FIREBASE = re.compile(
    r"\$f_scrypt\$(?P<hash>[A-Za-z0-9+/=_-]+)\$(?P<salt>[A-Za-z0-9+/=_-]+)"
    r"\$m=(?P<m>\d{1,2})\$r=(?P<r>\d{1,3})\$s=(?P<s>[A-Za-z0-9+/=_-]+)"
)

_MOST_MEMORY_KB = 4 * 1024 * 1024
"""KiB that an imported hash may ask for: 4 GiB, many times what is recommended."""


class HashUnusable(Exception):
    """A stored hash needs something that is not installed or configured. ``str()`` names the remedy."""


class Passwords:
    """
    Makes and verifies password hashes.

    :param bcrypt: the module of that name, or None when it is not installed.
    :raises ConfigError: when the algorithm for new hashes is not available here.
    """

    def __init__(self, settings: CoreSettings, *, bcrypt: ModuleType | None = _installed_bcrypt) -> None:
        self._iterations = settings.whole("argon2_iterations")
        self._memory_kb = settings.whole("argon2_memory_kb")
        self._lanes = settings.whole("argon2_parallelism")
        self._bcrypt_rounds = settings.whole("bcrypt_log_rounds")
        self._bcrypt = bcrypt
        # A hash takes 88 MB by default: as many at a time as can run anyway, or as many as were asked for.
        given = settings.given.get("argon2_hashing_pool_size")
        self._at_a_time = given if isinstance(given, int) else os.cpu_count() or 1
        self._slots: dict[int, threading.Semaphore] = {}
        if self._memory_kb < 8 * self._lanes:
            raise ConfigError("core setting refused: 'argon2_memory_kb' must be at least 8 times 'argon2_parallelism'")
        problem = self.problem_with(settings.text("password_hashing_alg"))
        if problem is not None:
            raise ConfigError(problem)

    def problem_with(self, algorithm: str | None) -> str | None:
        """Return why new hashes cannot be made by *algorithm* here, and the remedy; None when they can."""
        if algorithm == "BCRYPT":
            if self._bcrypt is not None:
                return None
            return (
                "'password_hashing_alg' is BCRYPT, but bcrypt is not installed. Run `pip install 'st-wsgi[bcrypt]'`, "
                "or leave the default, ARGON2"
            )
        try:
            argon2.Argon2id(salt=bytes(16), length=32, iterations=1, lanes=1, memory_cost=8)
        except UnsupportedAlgorithm:
            return (
                "Argon2 is not available: cryptography 45 or newer, built with OpenSSL 3.2 or newer, brings it. "
                "Upgrade cryptography, or run `pip install 'st-wsgi[bcrypt]'` and set 'password_hashing_alg' to BCRYPT"
            )
        return None

    def hash(self, password: str, algorithm: str | None = None) -> str:
        """Return a new hash of *password*. *algorithm* is ``ARGON2`` (default) or ``BCRYPT``."""
        if algorithm == "BCRYPT":
            return self._run(self._bcrypt_hash, password)
        return self._run_lanes(self._lanes, self._argon2_hash, password)

    def matches(
        self, password: str, stored: str | None, *, algorithm: str | None = None, firebase_key: str | None = None
    ) -> bool:
        """
        Tell whether *password* is the one that *stored* was made of; an odd hash matches nothing.

        With None for *stored* (nobody there) a hash by *algorithm* is made and False returned, so that the time it
        takes does not tell who has an account.

        :raises HashUnusable: when what the hash needs is not installed or configured.
        """
        if stored is None:
            self.hash(password, algorithm)
            return False
        kind = kind_of_hash(stored)
        try:
            if kind == "ARGON2":
                return self._run_lanes(_lanes_of(stored), _matches_argon2, password, stored)
            if kind == "BCRYPT":
                return self._run(self._matches_bcrypt, password, stored)
            if kind == "FIREBASE_SCRYPT":
                return self._run(_matches_firebase, password, stored, firebase_key)
        except (ValueError, OverflowError):
            # Parameters that no library takes: the hash was imported and never right. A lack of memory is no answer.
            return False
        return False

    def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        slots = self._slots.setdefault(os.getpid(), threading.Semaphore(self._at_a_time))
        # No fork meanwhile: OpenSSL counts the threads that help it, and in a child without them never hashes again.
        with slots, turns.taken():
            return offloaded(function, *args, **kwargs)

    def _run_lanes(self, lanes: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if lanes == 1:
            return self._run(function, *args, **kwargs)
        with _one_at_a_time.setdefault(os.getpid(), threading.Lock()):
            return self._run(function, *args, **kwargs)

    def _argon2_hash(self, password: str) -> str:
        derivation = argon2.Argon2id(
            salt=os.urandom(16),
            length=32,
            iterations=self._iterations,
            lanes=self._lanes,
            memory_cost=self._memory_kb,
        )
        return derivation.derive_phc_encoded(password.encode())

    def _bcrypt_hash(self, password: str) -> str:
        bcrypt = self._need_bcrypt()
        made: bytes = bcrypt.hashpw(_bcrypt_input(password), bcrypt.gensalt(self._bcrypt_rounds, prefix=b"2a"))
        return made.decode()

    def _matches_bcrypt(self, password: str, stored: str) -> bool:
        # $2x$ and $2y$ are older names of the same algorithm; the official core equates them too.
        return bool(self._need_bcrypt().checkpw(_bcrypt_input(password), b"$2a" + stored[3:].encode()))

    def _need_bcrypt(self) -> Any:
        if self._bcrypt is None:
            raise HashUnusable("the password hash is bcrypt, which is not installed: pip install 'st-wsgi[bcrypt]'")
        return self._bcrypt


def _bcrypt_input(password: str) -> bytes:
    # bcrypt looks at 72 bytes, and newer versions of the library refuse more instead of cutting.
    return password.encode()[:72]


def _lanes_of(stored: str) -> int:
    parts = _ARGON2.fullmatch(stored)
    assert parts is not None, "chosen by kind_of_hash"
    return int(parts["p"])


def _matches_argon2(password: str, stored: str) -> bool:
    parts = _ARGON2.fullmatch(stored)
    assert parts is not None, "chosen by kind_of_hash"
    name = {"id": "Argon2id", "i": "Argon2i", "d": "Argon2d"}[parts["kind"]]
    derivation = getattr(argon2, name, None)
    if derivation is None:
        raise HashUnusable(f"the password hash is {name}: upgrade cryptography to a release that has it")
    if int(parts["m"]) > _MOST_MEMORY_KB:
        raise ValueError("a hash that nobody can have made")
    expected = _b64(parts["hash"])
    try:
        derivation(
            salt=_b64(parts["salt"]),
            length=len(expected),
            iterations=int(parts["t"]),
            lanes=int(parts["p"]),
            memory_cost=int(parts["m"]),
        ).verify(password.encode(), expected)
    except InvalidKey:
        return False
    return True


def _matches_firebase(password: str, stored: str, signer_key: str | None) -> bool:
    if signer_key is None:
        raise HashUnusable("'firebase_password_hashing_signer_key' cannot be null: the password hash is Firebase's")
    parts = _FIREBASE.fullmatch(stored)
    assert parts is not None, "chosen by kind_of_hash"
    cost, rounds = 1 << int(parts["m"]), int(parts["r"])
    derived = hashlib.scrypt(
        password.encode(),
        salt=_b64(parts["salt"]) + _b64(parts["s"]),
        n=cost,
        r=rounds,
        p=1,
        maxmem=256 * cost * rounds,
        dklen=64,
    )
    cipher = Cipher(algorithms.AES(derived[:32]), modes.CTR(bytes(16))).encryptor()
    made = cipher.update(_b64(signer_key)) + cipher.finalize()
    return hmac.compare_digest(made, _b64(parts["hash"]))


def _b64(text: str) -> bytes:
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def kind_of_hash(stored: str) -> Algorithm | None:
    """Return the algorithm that a well-formed hash belongs to, None for anything else."""
    if _ARGON2.fullmatch(stored):
        return "ARGON2"
    if _BCRYPT.fullmatch(stored):
        return "BCRYPT"
    return "FIREBASE_SCRYPT" if _FIREBASE.fullmatch(stored) else None
