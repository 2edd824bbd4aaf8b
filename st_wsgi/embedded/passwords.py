"""
Making and checking password hashes: Argon2 by default or bcrypt, and those of other systems for imported users.

Three rules hold. Hashing never runs inside a transaction, and under gevent it runs in the hub's pool of threads. It
waits in a short queue (:class:`~st_wsgi.embedded.offload.HashQueue`). And the time of a failed check shows neither
whether there is such a user nor what kind of hash the user has: one hash of each kind that the app has is computed, of
PBKDF2 as many rounds as the longest takes.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TypeVar

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf import argon2

from ..errors import ConfigError
from ..forks import turns
from . import hashes
from .hashes import BCRYPT_BYTES, HashUnusable, StoredHash
from .offload import HashingBusy, HashQueue, offloaded
from .settings import CoreSettings

try:
    import bcrypt as _bcrypt
except ImportError:
    _installed_bcrypt: ModuleType | None = None
else:
    _installed_bcrypt = _bcrypt

T = TypeVar("T")

_log = logging.getLogger("st_wsgi.core")

#: By process id, made when first needed, so that none is inherited by a fork or older than gevent's patches: OpenSSL
#: computes the lanes of an Argon2 hash on threads whose number is a setting of the whole process. While one hash with
#: several lanes resets it, another one never ends or fails for want of memory.
_one_at_a_time: dict[int, threading.Lock] = {}


@attrs.frozen
class Check:
    """
    The outcome of checking a password.

    :param new_hash: the password's hash by today's settings, when it was right and the stored one is of another kind.
    """

    right: bool
    new_hash: str | None = None


class Passwords:
    """
    Makes and checks password hashes.

    :param bcrypt: the module of that name, or None when it is not installed.
    :raises ConfigError: when the algorithm for new hashes is not available here.
    """

    def __init__(self, settings: CoreSettings, *, bcrypt: ModuleType | None = _installed_bcrypt) -> None:
        self._iterations = settings.whole("argon2_iterations")
        self._memory_kb = settings.whole("argon2_memory_kb")
        self._lanes = settings.whole("argon2_parallelism")
        self._bcrypt_rounds = settings.whole("bcrypt_log_rounds")
        self._bcrypt = bcrypt
        self._reported: set[str] = set()
        if self._memory_kb < 8 * self._lanes:
            raise ConfigError("core setting refused: 'argon2_memory_kb' must be at least 8 times 'argon2_parallelism'")
        algorithm = settings.text("password_hashing_alg")
        problem = self.problem_with(algorithm)
        if problem is not None:
            raise ConfigError(f"core setting refused: 'password_hashing_alg' is {algorithm}, but {problem}")
        # A hash takes 88 MB by default: as many at a time as can run anyway, or as many as the setting says.
        pool = settings.given.get("argon2_hashing_pool_size")
        at_a_time = pool if isinstance(pool, int) else os.cpu_count() or 1
        length = settings.value("hashing_queue_size")
        self._queue = HashQueue(
            at_a_time=1 if algorithm == "ARGON2" and self._lanes > 1 else at_a_time,
            length=length if isinstance(length, int) else None,
            patience=settings.whole("hashing_queue_timeout_ms") / 1000,
        )

    def problem_with(self, algorithm: str | None) -> str | None:
        """Return why hashes of an algorithm cannot be computed here, and the remedy; None when they can."""
        if algorithm == "BCRYPT":
            return None if self._bcrypt else "bcrypt is not installed. Run `pip install 'st-wsgi[bcrypt]'`"
        if algorithm in ("PBKDF2", "SCRYPT"):
            return None
        try:
            argon2.Argon2id(salt=bytes(16), length=32, iterations=1, lanes=1, memory_cost=8)
        except UnsupportedAlgorithm:
            return (
                "Argon2 is not available: cryptography 45 or newer, built with OpenSSL 3.2 or newer, brings it. "
                "Upgrade cryptography, or run `pip install 'st-wsgi[bcrypt]'` and set 'password_hashing_alg' to BCRYPT"
            )
        return None

    def problem_with_hash(self, stored: StoredHash) -> str | None:
        """Return why a hash of another system may not be imported here; None when it may."""
        if stored.is_too_costly:
            return hashes.TOO_COSTLY
        problem = self.problem_with(stored.format.algorithm)
        return problem and f"Password hash is in {stored.format.title} format, but {problem}"

    def hash(self, password: str, algorithm: str | None = None) -> str:
        """
        Return a new hash of *password*.

        :param algorithm: ``ARGON2`` (default) or ``BCRYPT``.
        :raises HashingBusy: when too many others are being computed.
        """
        lanes = 1 if algorithm == "BCRYPT" else self._lanes
        return self._run(lambda: self._new_hash(password, algorithm), lanes=lanes)

    def check(
        self,
        password: str,
        stored: str | None,
        *,
        algorithm: str | None = None,
        kinds: Iterable[str] = (),
        firebase_key: str | None = None,
    ) -> Check:
        """
        Check whether *password* is the one that *stored* was made of; an odd hash matches nothing.

        :param stored: None when there is no such user. The work is the same.
        :param algorithm: for new hashes, ``ARGON2`` (default) or ``BCRYPT``.
        :param kinds: the kinds of hashes that the app has.
        :raises HashingBusy: when too many others are being computed.
        """
        current = self._current_kind(algorithm)
        own = None if stored is None else hashes.parse(stored)
        decoys = hashes.decoys(frozenset((current, *kinds)))

        def work() -> Check:
            if own is not None and self._matches(password, own, firebase_key):
                shown = current if own.before is not None else own.kind
                renew = (own.kind != current or own.before is not None) and not _bcrypt_would_cut(
                    password, shown, current
                )
                return Check(True, self._new_hash(password, algorithm) if renew else None)
            for decoy in decoys:
                rest = hashes.after(decoy, own)
                if rest is not None:
                    self._matches(password, rest, firebase_key)
            return Check(False)

        return self._run(work, lanes=max(decoy.lanes for decoy in (*decoys, own) if decoy is not None))

    def _matches(self, password: str, stored: StoredHash, firebase_key: str | None) -> bool:
        try:
            password = stored.hashed(password)
            if stored.format is hashes.BCRYPT:
                return self._matches_bcrypt(password, stored)
            return hashes.matches(password, stored, firebase_key)
        except (ValueError, OverflowError):
            # Parameters that no library takes: the hash was imported and never right. A lack of memory is no answer.
            return False
        except HashUnusable as error:
            # An error would tell strangers that there is such a user. The log tells the owner, once.
            if str(error) not in self._reported:
                self._reported.add(str(error))
                _log.error("a user's password cannot be checked: %s", error)
            return False

    def _run(self, work: Callable[[], T], *, lanes: int) -> T:
        # No fork meanwhile: OpenSSL counts the threads that help it, and in a child without them never hashes again.
        with self._queue.turn(), self._alone(lanes), turns.taken():
            return offloaded(work)

    @contextmanager
    def _alone(self, lanes: int) -> Iterator[None]:
        """Keep the hashes with several lanes of all cores in this process apart."""
        lock = _one_at_a_time.setdefault(os.getpid(), threading.Lock())
        if lanes == 1:
            yield
            return
        if not lock.acquire(timeout=self._queue.patience):
            raise HashingBusy
        try:
            yield
        finally:
            lock.release()

    def _current_kind(self, algorithm: str | None) -> str:
        if algorithm == "BCRYPT":
            return hashes.BCRYPT.kind.format(cost=f"{self._bcrypt_rounds:02}")
        return hashes.ARGON2.kind.format(type="id", m=self._memory_kb, t=self._iterations, p=self._lanes)

    def _new_hash(self, password: str, algorithm: str | None) -> str:
        if algorithm == "BCRYPT":
            bcrypt = self._need_bcrypt()
            made: bytes = bcrypt.hashpw(_bcrypt_input(password), bcrypt.gensalt(self._bcrypt_rounds, prefix=b"2a"))
            return made.decode()
        derivation = argon2.Argon2id(
            salt=os.urandom(16), length=32, iterations=self._iterations, lanes=self._lanes, memory_cost=self._memory_kb
        )
        return derivation.derive_phc_encoded(password.encode())

    def _matches_bcrypt(self, password: str, stored: StoredHash) -> bool:
        # $2x$ and $2y$ are older names of the same algorithm; the official core equates them too.
        return bool(self._need_bcrypt().checkpw(_bcrypt_input(password), b"$2a" + stored.text[3:].encode()))

    def _need_bcrypt(self) -> Any:
        if self._bcrypt is None:
            raise HashUnusable("its hash is bcrypt, which is not installed. Run `pip install 'st-wsgi[bcrypt]'`")
        return self._bcrypt


def _bcrypt_input(password: str) -> bytes:
    # Newer versions of the library refuse what bcrypt does not look at.
    return password.encode()[:BCRYPT_BYTES]


def _bcrypt_would_cut(password: str, *kinds: str) -> bool:
    """Return whether one of two kinds of hash does not look at the whole password, so that the other means more."""
    return len(password.encode()) > BCRYPT_BYTES and any(kind.startswith("$2") for kind in kinds)
