"""
Password hashes as they are stored: their formats, and which kinds of them an app has.

The prefix of a hash names its format (``emailpassword/PasswordHashingUtils.java`` of the official core). The *kind* of
a hash is its format with the cost parameters, written as a hash without salt and content. Two hashes of one kind take
the same time to check.

Django and Werkzeug write PBKDF2 as ``pbkdf2_sha256$<iterations>$<salt>$<base64>`` (``django/contrib/auth/hashers.py``)
and ``pbkdf2:sha256:<iterations>$<salt>$<hex>``, passlib as ``$pbkdf2-sha512$<iterations>$<base64>$<base64>`` with a dot
for the plus (``passlib/handlers/pbkdf2.py``), and Werkzeug writes scrypt as ``scrypt:<n>:<r>:<p>$<salt>$<hex>``
(``werkzeug/security.py``). Two prefixes say that not the password itself was hashed: ``bcrypt_sha256$`` (Django) its
SHA-256 in hex, ``hmac_sha512$<base64 of the key>$`` its HMAC in base64, as Flask-Security does with its setting
``SECURITY_PASSWORD_SALT`` (``flask_security/utils.py``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

import attrs
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf import argon2

from .storage.database import Database

Algorithm = Literal["ARGON2", "BCRYPT", "FIREBASE_SCRYPT", "PBKDF2", "SCRYPT"]

MOST_MEMORY_KB = 4 * 1024 * 1024
"""KiB that an Argon2 hash may write, in all passes: 4 GiB, many times what is recommended."""

TOO_COSTLY = "Password hash takes too long to check: its cost parameters are far above what any system recommends"

_MOST_ROUNDS, _MOST_BLOCKS = 1 << 16, 1 << 23
"""Of bcrypt, and of scrypt (n times r times p): some seconds, and for scrypt 1 GiB."""

BCRYPT_BYTES = 72
"""The bytes of a password that bcrypt looks at."""

_KIND = "password hash kind "
_COSTS = ("m", "t", "cost", "n", "r", "p")


class HashUnusable(Exception):
    """A hash needs something that is not installed or configured. ``str()`` names the remedy."""


@attrs.frozen
class Format:
    """
    A format of password hashes.

    :param title: its name in messages.
    :param kind: a hash of this format without salt and content; the cost parameters of the pattern fill it in.
    """

    algorithm: Algorithm
    title: str
    pattern: re.Pattern[str]
    kind: str


ARGON2 = Format(
    "ARGON2",
    "Argon2",
    re.compile(
        r"\$argon2(?P<type>id|i|d)(\$v=19)?\$m=(?P<m>\d{1,7}),t=(?P<t>\d{1,3}),p=(?P<p>\d{1,2})"
        r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<hash>[A-Za-z0-9+/]+)"
    ),
    "$argon2{type}$v=19$m={m},t={t},p={p}$" + "A" * 22 + "$" + "A" * 43,
)
BCRYPT = Format(
    "BCRYPT", "BCrypt", re.compile(r"\$2[abxy]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}"), "$2a${cost}$" + "." * 53
)
FIREBASE_SCRYPT = Format(
    "FIREBASE_SCRYPT",
    "Firebase SCrypt",
    re.compile(
        r"\$f_scrypt\$(?P<hash>[A-Za-z0-9+/=_-]+)\$(?P<salt>[A-Za-z0-9+/=_-]+)"
        r"\$m=(?P<m>\d{1,2})\$r=(?P<r>\d{1,3})\$s=(?P<separator>[A-Za-z0-9+/=_-]+)"
    ),
    "$f_scrypt$AAAA$AAAA$m={m}$r={r}$s=AAAA",
)
PBKDF2 = Format(
    "PBKDF2",
    "PBKDF2",
    re.compile(
        r"\$?pbkdf2(?P<style>[_:-])(?P<digest>sha1|sha256|sha512)[$:](?P<rounds>\d{1,7})"
        r"\$(?P<salt>[^$]+)\$(?P<hash>[A-Za-z0-9+/.]+=*)"
    ),
    "pbkdf2_{digest}${rounds}$A$AAAA",
)
SCRYPT = Format(
    "SCRYPT",
    "SCrypt",
    re.compile(r"scrypt:(?P<n>\d{1,8}):(?P<r>\d{1,3}):(?P<p>\d{1,2})\$(?P<salt>[^$]+)\$(?P<hash>[0-9a-f]+)"),
    "scrypt:{n}:{r}:{p}$A$00",
)
FORMATS: Mapping[str, Format] = {
    format_.algorithm: format_ for format_ in (ARGON2, BCRYPT, FIREBASE_SCRYPT, PBKDF2, SCRYPT)
}
"""Every format that can be stored, by algorithm."""


_HASHED_BEFORE = re.compile(r"(?P<digest>bcrypt_sha256|hmac_sha512\$(?P<key>[A-Za-z0-9+/]+=*))\$(?P<inner>.+)")


@attrs.frozen
class StoredHash:
    """
    A well-formed hash, taken apart.

    :param text: without the prefix that says what was hashed instead of the password.
    :param before: that prefix, taken apart; None when the password itself was hashed.
    """

    text: str = attrs.field(repr=False)
    format: Format
    parts: re.Match[str] = attrs.field(eq=False, repr=False)
    before: re.Match[str] | None = attrs.field(default=None, eq=False, repr=False)

    def hashed(self, password: str) -> str:
        """Return what was hashed of *password*. :raises ValueError: for a key that is not base64."""
        if self.before is None:
            return password
        if self.before["key"] is None:
            return hashlib.sha256(password.encode()).hexdigest()
        return base64.b64encode(hmac.digest(_from_base64(self.before["key"]), password.encode(), "sha512")).decode()

    @property
    def kind(self) -> str:
        """The format with the cost parameters, as a hash that belongs to no password."""
        return self.format.kind.format(**self.parts.groupdict())

    @property
    def is_too_costly(self) -> bool:
        """
        Whether checking it takes more than some seconds. It may not be imported.

        Every failed sign-in checks one hash of each kind, so a single one would keep everybody from signing in.
        """
        cost = {name: int(value) for name, value in self.parts.groupdict().items() if name in _COSTS}
        if self.format.algorithm == "ARGON2":
            return cost["m"] * cost["t"] > MOST_MEMORY_KB
        if self.format.algorithm == "BCRYPT":
            return 1 << cost["cost"] > _MOST_ROUNDS
        if self.format.algorithm == "FIREBASE_SCRYPT":
            return (1 << cost["m"]) * cost["r"] > _MOST_BLOCKS
        return self.format.algorithm == "SCRYPT" and cost["n"] * cost["r"] * cost["p"] > _MOST_BLOCKS

    @property
    def rounds(self) -> int:
        """The iterations of PBKDF2, 0 for the others."""
        return int(self.parts["rounds"]) if self.format.algorithm == "PBKDF2" else 0

    @property
    def lanes(self) -> int:
        """How many threads compute it."""
        return int(self.parts["p"]) if self.format.algorithm == "ARGON2" else 1


@lru_cache
def decoys(kinds: frozenset[str]) -> tuple[StoredHash, ...]:
    """
    Return what a failed check computes: a hash of each kind, but of PBKDF2 only the ones with the most rounds.

    Django raises its rounds with every release, so the users of an old site have hashes of twenty kinds.
    """
    found: dict[str, StoredHash] = {}
    for kind in kinds:
        parsed = parse(kind)
        if parsed is not None:
            name = parsed.parts["digest"] if parsed.format is PBKDF2 else kind
            if name not in found or parsed.rounds > found[name].rounds:
                found[name] = parsed
    return tuple(found[name] for name in sorted(found))


def after(decoy: StoredHash, own: StoredHash | None) -> StoredHash | None:
    """Return what is left of a decoy's work when a user's own hash was computed before, None when nothing is."""
    if own is None or own.format is not decoy.format:
        return decoy
    if own.format is PBKDF2 and own.parts["digest"] == decoy.parts["digest"]:
        rounds = decoy.rounds - own.rounds
        return parse(PBKDF2.kind.format(digest=own.parts["digest"], rounds=rounds)) if rounds > 0 else None
    return None if own.kind == decoy.kind else decoy


def parse(stored: str) -> StoredHash | None:
    """Return a hash taken apart, None when it has none of the known formats."""
    before = _HASHED_BEFORE.fullmatch(stored)
    text = stored if before is None else before["inner"]
    for format_ in FORMATS.values():
        parts = format_.pattern.fullmatch(text)
        if parts is not None:
            return StoredHash(text, format_, parts, before)
    return None


def matches(password: str, stored: StoredHash, signer_key: str | None) -> bool:
    """
    Return whether *password* is the one that a hash was made of, of any format but bcrypt.

    :param signer_key: the key in base64 of the Firebase project whose hashes there are.
    :raises ValueError: for parameters that no library takes.
    :raises HashUnusable: when it needs something that is not installed or configured.
    """
    parts, text = stored.parts, password.encode()
    if stored.format is ARGON2:
        return _matches_argon2(text, parts)
    if stored.format is FIREBASE_SCRYPT:
        return hmac.compare_digest(_firebase(text, parts, signer_key), _from_base64(parts["hash"]))
    if stored.format is SCRYPT:
        made = _scrypt(text, parts["salt"].encode(), int(parts["n"]), int(parts["r"]), int(parts["p"]))
        return hmac.compare_digest(made, bytes.fromhex(parts["hash"]))
    salt = _from_base64(parts["salt"]) if parts["style"] == "-" else parts["salt"].encode()
    expected = bytes.fromhex(parts["hash"]) if parts["style"] == ":" else _from_base64(parts["hash"])
    return hmac.compare_digest(hashlib.pbkdf2_hmac(parts["digest"], text, salt, int(parts["rounds"])), expected)


def _matches_argon2(password: bytes, parts: re.Match[str]) -> bool:
    name = {"id": "Argon2id", "i": "Argon2i", "d": "Argon2d"}[parts["type"]]
    derivation = getattr(argon2, name, None)
    if derivation is None:
        raise HashUnusable(f"the password hash is {name}: upgrade cryptography to a release that has it")
    if int(parts["m"]) > MOST_MEMORY_KB:
        raise ValueError("no system makes a hash that needs so much memory")
    expected = _from_base64(parts["hash"])
    cost = {"iterations": int(parts["t"]), "lanes": int(parts["p"]), "memory_cost": int(parts["m"])}
    try:
        derivation(salt=_from_base64(parts["salt"]), length=len(expected), **cost).verify(password, expected)
    except InvalidKey:
        return False
    return True


def _firebase(password: bytes, parts: re.Match[str], signer_key: str | None) -> bytes:
    if signer_key is None:
        raise HashUnusable("'firebase_password_hashing_signer_key' cannot be null: the password hash is Firebase's")
    salt = _from_base64(parts["salt"]) + _from_base64(parts["separator"])
    key = _scrypt(password, salt, 1 << int(parts["m"]), int(parts["r"]), 1)[:32]
    cipher = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    return cipher.update(_from_base64(signer_key)) + cipher.finalize()


def _scrypt(password: bytes, salt: bytes, cost: int, size: int, lanes: int) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=cost, r=size, p=lanes, maxmem=256 * size * (cost + lanes))


def _from_base64(text: str) -> bytes:
    standard = text.replace("-", "+").replace(".", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def remember_kind(db: Database, app: int, stored: str) -> None:
    """Note the kind of a hash that is stored for a user of *app*: every failed sign-in checks one of each kind."""
    parsed = parse(stored)
    if parsed is not None:
        db.insert_new("key_values", app=app, name=_KIND + parsed.kind, value="")


IS_KIND = f"app = ? AND name >= '{_KIND}' AND name < '{_KIND}~'"
"""The condition for rows of ``key_values`` that name the kinds of hashes which were ever stored for users of an app."""


def kinds(names: Iterable[str]) -> list[str]:
    """Return the kinds of hashes from the names of such rows."""
    return [name.removeprefix(_KIND) for name in names]


def kinds_of(db: Database, app: int) -> list[str]:
    """Return the kinds of hashes that were ever stored for users of *app*."""
    return kinds(db.column(f"SELECT name FROM key_values WHERE {IS_KIND}", app))
