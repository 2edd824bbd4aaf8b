"""
Keys that verify tokens, read from the bytes of a JWK set. The key server is not trusted.

A key is one object that binds key id, algorithm, public key and signature length. A key that breaks the policy is left
out, and its id is in `KeySet.refused`. A document that breaks the policy is refused as a whole.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from st_verify import base64url, strict_json
from st_verify.errors import KeySetRefused, NotStrictJSON

#: Largest JWK set, in bytes.
MAX_DOCUMENT = 512 * 1024
MAX_KEYS = 64
_MAX_KID = 256
# A Fermat test of a 2048 bit modulus takes about 20 ms, and the time grows with the cube of the length. One document
# may cost as much as 64 such keys; keys that were checked before cost nothing.
_MAX_WORK = 64.0

_PKCS1, _SHA256 = PKCS1v15(), SHA256()
_BASE64URL = re.compile(r"([A-Za-z0-9_-]+)={0,2}")
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_DYNAMIC_KID = re.compile(r"d-([0-9]{1,15})")
# How far the clock of the core may be ahead of ours.
_KID_SKEW_MS = 5 * 60 * 1000
_SMALL_PRIMES = tuple(n for n in range(3, 168) if all(n % divisor for divisor in range(2, n)))

#: Called with the name of an event (see `KeyEvent`) and the key id that it is about.
Report = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One RS256 public key and its id. A `KeySource` keeps the object for as long as key and id stay the same."""

    #: The key id.
    kid: str
    #: RFC 7638, in base64url without padding.
    thumbprint: str
    #: In characters of base64url.
    signature_length: int
    #: Modulus and exponent, in canonical base64url.
    n: str = field(repr=False)
    e: str = field(repr=False)
    public_key: RSAPublicKey = field(repr=False, compare=False)

    #: The only algorithm. A token's ``alg`` must equal it.
    alg: ClassVar[str] = "RS256"

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Return whether `signature` is this key's RS256 signature of `signing_input`."""
        # In OpenSSL one function (`ossl_rsa_verify`) does this and a plain verification: it compares the whole padded
        # block (RFC 8017 8.2.2). This is faster, since the standard library hashes a short text in less time.
        try:
            digest = self.public_key.recover_data_from_signature(signature, _PKCS1, _SHA256)
        except InvalidSignature:
            return False
        return digest == sha256(signing_input).digest()

    def to_jwk(self) -> dict[str, str]:
        """Return the public JWK."""
        return {"kty": "RSA", "kid": self.kid, "n": self.n, "e": self.e, "alg": self.alg, "use": "sig"}


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a key server at one moment. Immutable."""

    #: By key id.
    keys: Mapping[str, VerificationKey]
    #: Ids of published keys that are not used.
    refused: frozenset[str] = frozenset()
    #: Lengths that a signature can have, in characters of base64url.
    signature_lengths: frozenset[int] = frozenset()
    #: Creation time of the oldest dynamic key, in milliseconds; None if there is no dynamic key.
    oldest_ms: int | None = None

    @staticmethod
    def of(keys: Collection[VerificationKey], refused: Collection[str] = ()) -> KeySet:
        """Make a set of keys that follow the policy."""
        created = [int(match[1]) for key in keys if (match := _DYNAMIC_KID.fullmatch(key.kid))]
        by_kid = MappingProxyType({key.kid: key for key in keys})
        lengths = frozenset(key.signature_length for key in keys)
        return KeySet(by_kid, frozenset(refused), lengths, oldest_ms=min(created, default=None))

    def get(self, kid: str) -> VerificationKey | None:
        """Return the key of this id, or None."""
        return self.keys.get(kid)

    def may_be_newer(self, kid: str, now: float) -> bool:
        """
        Return whether a fetch could bring a key of this id, which the set does not have.

        The id of a dynamic key contains the time of its creation (``d-<ms>``, supertokens-core `VerificationKeys`).
        Keys that are older than the oldest published one do not come back, and keys of the future do not exist yet:
        `now` is wall time in seconds.
        """
        if kid in self.refused or not kid.startswith("d-"):
            return kid not in self.refused
        match = _DYNAMIC_KID.fullmatch(kid)
        return match is not None and (self.oldest_ms or 0) <= int(match[1]) <= now * 1000 + _KID_SKEW_MS

    def to_json(self) -> bytes:
        """Return the set as a JWK set document."""
        return json.dumps({"keys": [key.to_jwk() for key in self.keys.values()]}).encode("ascii")


def read_key_set(
    document: bytes,
    *,
    previous: KeySet | None = None,
    pins: Collection[str] = (),
    report: Report = lambda event, kid: None,
) -> KeySet:
    """
    Read a JWK set document.

    :param previous: its keys are used again, as the same objects, if they have not changed.
    :param pins: RFC 7638 thumbprints. If there are any, other keys are refused.
    :param report: called for every key that is left out.
    :raises KeySetRefused: the document cannot be used, or no key in it.
    """
    if len(document) > MAX_DOCUMENT:
        raise KeySetRefused("document_too_large")
    try:
        parsed = strict_json.loads(document)
    except NotStrictJSON:
        raise KeySetRefused("not_json") from None
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list) or not entries:
        raise KeySetRefused("no_keys")
    if len(entries) > MAX_KEYS:
        raise KeySetRefused("too_many_keys")
    known = {} if previous is None else previous.keys
    accepted: dict[str, VerificationKey] = {}
    refused: set[str] = set()
    work = 0.0
    for entry in entries:
        kid = _kid(entry)
        if kid is None:
            report("key_without_usable_kid", "")
            continue
        try:
            n, e = _material(entry)
            same = known.get(kid)
            if same is not None and (same.n, same.e) == (n, e):
                key = same
            else:
                work += (len(n) / 342) ** 3
                if work > _MAX_WORK:
                    raise KeySetRefused("too_much_work")
                key = _make_key(kid, n, e)
            if pins and key.thumbprint not in pins:
                raise _KeyRefused("key_not_pinned")
        except _KeyRefused as refusal:
            report(refusal.reason, kid)
            refused.add(kid)
            continue
        twin = accepted.setdefault(kid, key)
        if (twin.n, twin.e) != (key.n, key.e):
            report("kid_with_two_keys", kid)
            refused.add(kid)
    keys = [key for kid, key in accepted.items() if kid not in refused]
    if not keys:
        raise KeySetRefused("no_usable_key")
    return KeySet.of(keys, refused)


def _kid(jwk: object) -> str | None:
    kid = jwk.get("kid") if isinstance(jwk, Mapping) else None
    return kid if isinstance(kid, str) and kid and len(kid) <= _MAX_KID and kid.isascii() else None


class _KeyRefused(KeySetRefused):
    """A key is left out. The reason is the name of an event."""


def _material(jwk: Mapping[str, Any]) -> tuple[str, str]:
    """Return n and e of a JWK whose members follow the policy, in canonical base64url."""
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise _KeyRefused("private_key_published")
    if jwk.get("kty") != "RSA" or jwk.get("alg", "RS256") != "RS256":
        raise _KeyRefused("key_of_other_algorithm")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise _KeyRefused("key_not_for_signatures")
    n, e = _number(jwk.get("n")), _number(jwk.get("e"))
    if not 2048 <= n.bit_length() <= 8192 or n % 2 == 0 or e % 2 == 0 or not 65537 <= e < 2**32:
        raise _KeyRefused("weak_key")
    return _to_base64url(n), _to_base64url(e)


def _number(value: object) -> int:
    match = _BASE64URL.fullmatch(value) if isinstance(value, str) and len(value) <= 2048 else None
    digits = match[1].encode("ascii") if match else b""
    if not digits or not base64url.is_canonical(digits):
        raise _KeyRefused("malformed_key")
    return int.from_bytes(base64url.decode(digits), "big")


def _to_base64url(number: int) -> str:
    return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _make_key(kid: str, n: str, e: str) -> VerificationKey:
    modulus = int.from_bytes(base64url.decode(n.encode("ascii")), "big")
    if _is_weak(modulus):
        raise _KeyRefused("weak_key")
    # Imported here: PyJWT brings http.client, ssl, email and X.509, and would double the time to import the package.
    from jwt.algorithms import RSAAlgorithm
    from jwt.exceptions import InvalidKeyError

    try:
        # Only these members: with "d" PyJWT would make a private key.
        public_key = RSAAlgorithm.from_jwk({"kty": "RSA", "n": n, "e": e})
    except (InvalidKeyError, ValueError, TypeError, binascii.Error):
        raise _KeyRefused("malformed_key") from None
    if not isinstance(public_key, RSAPublicKey):
        raise _KeyRefused("malformed_key")
    canonical = json.dumps({"e": e, "kty": "RSA", "n": n}, separators=(",", ":")).encode("ascii")
    thumbprint = base64url.encode(sha256(canonical).digest())
    signature_length = -(-((modulus.bit_length() + 7) // 8) * 4 // 3)
    return VerificationKey(kid, thumbprint, signature_length, n, e, public_key)


@lru_cache(maxsize=2 * MAX_KEYS)
def _is_weak(modulus: int) -> bool:
    """Return whether the modulus has a small factor, is a prime (Fermat's test), or is of the broken generator."""
    small = any(modulus % prime == 0 for prime in _SMALL_PRIMES)
    return small or _is_roca(modulus) or pow(2, modulus - 1, modulus) == 1


def _is_roca(modulus: int) -> bool:
    """Return whether the modulus is a power of 65537 modulo every small prime (CVE-2017-15361)."""
    return all(modulus % prime in {pow(65537, i, prime) for i in range(prime)} for prime in _SMALL_PRIMES)
