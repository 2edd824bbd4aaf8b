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
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from st_verify import base64url, strict_json
from st_verify.errors import KeySetRefused, NotStrictJSON

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from jwt.algorithms import Algorithm

#: Largest JWK set, in bytes.
MAX_DOCUMENT = 512 * 1024
MAX_KEYS = 64
_MAX_KID = 256
# A Fermat test of a 2048 bit modulus takes about 20 ms, and the time grows with the cube of the length. One document
# may cost as much as 64 such keys; keys that were checked before cost nothing.
_MAX_WORK = 64.0

#: The only algorithm of access tokens. Id tokens of providers may have any of `ALGORITHMS`.
RS256 = "RS256"
# By kty and crv: the only algorithm of such a key, the members that are its numbers, and their length in bytes. The
# signature of a key on a curve has twice that length.
_KINDS: Mapping[tuple[str, str], tuple[str, tuple[str, ...], int]] = {
    ("RSA", ""): (RS256, ("n", "e"), 0),
    ("EC", "P-256"): ("ES256", ("x", "y"), 32),
    ("EC", "P-384"): ("ES384", ("x", "y"), 48),
    ("EC", "P-521"): ("ES512", ("x", "y"), 66),
    ("OKP", "Ed25519"): ("EdDSA", ("x",), 32),
}
ALGORITHMS: frozenset[str] = frozenset(alg for alg, _, _ in _KINDS.values())

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
    """One public key, its id and its algorithm. A `KeySource` keeps the object for as long as they stay the same."""

    #: The key id.
    kid: str
    #: RFC 7638, in base64url without padding. Keys of one thumbprint are one key.
    thumbprint: str
    #: In characters of base64url.
    signature_length: int
    #: The members of the JWK that the thumbprint is made of, with numbers in canonical base64url.
    members: Mapping[str, str] = field(repr=False, compare=False)
    public_key: RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey = field(repr=False, compare=False)
    #: The only algorithm. A token's ``alg`` must equal it.
    alg: str = RS256

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Return whether `signature` is this key's signature of `signing_input`."""
        if not isinstance(self.public_key, RSAPublicKey):
            return _algorithm(self.alg).verify(signing_input, self.public_key, signature)
        # In OpenSSL one function (`ossl_rsa_verify`) does this and a plain verification: it compares the whole padded
        # block (RFC 8017 8.2.2). This is faster, since the standard library hashes a short text in less time.
        try:
            digest = self.public_key.recover_data_from_signature(signature, _PKCS1, _SHA256)
        except InvalidSignature:
            return False
        return digest == sha256(signing_input).digest()

    def to_jwk(self) -> dict[str, str]:
        """Return the public JWK."""
        return {**self.members, "kid": self.kid, "alg": self.alg, "use": "sig"}


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a key server at one moment. Immutable."""

    #: By key id.
    keys: Mapping[str, VerificationKey]
    #: Ids of published keys that are not used.
    refused: frozenset[str] = frozenset()
    #: Creation time of the oldest dynamic key, in milliseconds; None if there is no dynamic key.
    oldest_ms: int | None = None

    @staticmethod
    def of(keys: Collection[VerificationKey], refused: Collection[str] = ()) -> KeySet:
        """Make a set of keys that follow the policy."""
        created = [int(match[1]) for key in keys if (match := _DYNAMIC_KID.fullmatch(key.kid))]
        by_kid = MappingProxyType({key.kid: key for key in keys})
        return KeySet(by_kid, frozenset(refused), oldest_ms=min(created, default=None))

    def get(self, kid: str) -> VerificationKey | None:
        """Return the key of this id, or None."""
        return self.keys.get(kid)

    def may_be_newer(self, kid: str, now: float) -> bool:
        """
        Return whether a fetch could bring a key of this id, which the set does not have.

        The id of a dynamic key contains the time of its creation (``d-<ms>``, supertokens-core ``VerificationKeys``).
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
    algorithms: Collection[str] = (RS256,),
    report: Report = lambda event, kid: None,
) -> KeySet:
    """
    Read a JWK set document.

    :param previous: its keys are used again, as the same objects, if they have not changed.
    :param pins: RFC 7638 thumbprints. If there are any, other keys are refused.
    :param algorithms: of `ALGORITHMS`. Keys for others are left out.
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
            alg, members = _material(entry, algorithms)
            canonical = json.dumps(members, separators=(",", ":"), sort_keys=True).encode("ascii")
            thumbprint = base64url.encode(sha256(canonical).digest())
            if pins and thumbprint not in pins:
                raise _KeyRefused("key_not_pinned")
            key = known.get(kid)
            if key is None or key.thumbprint != thumbprint:
                work += (len(members.get("n", "")) / 342) ** 3
                if work > _MAX_WORK:
                    raise KeySetRefused("too_much_work")
                key = _make_key(kid, thumbprint, alg, members)
        except _KeyRefused as refusal:
            report(refusal.reason, kid)
            refused.add(kid)
            continue
        twin = accepted.setdefault(kid, key)
        if twin.thumbprint != thumbprint:
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


def _material(jwk: Mapping[str, Any], algorithms: Collection[str]) -> tuple[str, dict[str, str]]:
    """Return the algorithm of a JWK whose members follow the policy, and those that the thumbprint is made of."""
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise _KeyRefused("private_key_published")
    kind = kty, crv = str(jwk.get("kty")), str(jwk.get("crv", ""))
    alg, names, length = _KINDS.get(kind, ("", (), 0))
    if alg not in algorithms or jwk.get("alg", alg) != alg:
        raise _KeyRefused("key_of_other_algorithm")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise _KeyRefused("key_not_for_signatures")
    numbers = [_octets(jwk.get(name)) for name in names]
    if alg == RS256:
        numbers = [number.lstrip(b"\0") for number in numbers]
        n, e = (int.from_bytes(number, "big") for number in numbers)
        if not 2048 <= n.bit_length() <= 8192 or n % 2 == 0 or e % 2 == 0 or not 65537 <= e < 2**32:
            raise _KeyRefused("weak_key")
    elif {len(number) for number in numbers} != {length}:
        raise _KeyRefused("malformed_key")
    curve = {"crv": crv} if crv else {}
    return alg, {"kty": kty, **curve, **dict(zip(names, map(base64url.encode, numbers), strict=True))}


def _octets(value: object) -> bytes:
    match = _BASE64URL.fullmatch(value) if isinstance(value, str) and len(value) <= 2048 else None
    digits = match[1].encode("ascii") if match else b""
    if not digits or not base64url.is_canonical(digits):
        raise _KeyRefused("malformed_key")
    return base64url.decode(digits)


def _make_key(kid: str, thumbprint: str, alg: str, members: dict[str, str]) -> VerificationKey:
    from jwt.exceptions import InvalidKeyError  # here for the reason in `_algorithm`

    number = base64url.decode(members["n" if alg == RS256 else "x"].encode("ascii"))
    length = len(number) if alg == RS256 else 2 * len(number)
    if alg == RS256 and _is_weak(int.from_bytes(number, "big")):
        raise _KeyRefused("weak_key")
    try:
        # Only these members: with "d" PyJWT would make a private key.
        public_key = _algorithm(alg).from_jwk(members)
    except (InvalidKeyError, UnsupportedAlgorithm, ValueError, TypeError, binascii.Error):
        raise _KeyRefused("malformed_key") from None
    return VerificationKey(kid, thumbprint, -(-length * 4 // 3), MappingProxyType(members), public_key, alg)


def _algorithm(name: str) -> Algorithm:
    # Imported here: PyJWT brings http.client, ssl, email and X.509, and would double the time to import the package.
    from jwt.algorithms import get_default_algorithms

    return get_default_algorithms()[name]


@lru_cache(maxsize=2 * MAX_KEYS)
def _is_weak(modulus: int) -> bool:
    """Return whether the modulus has a small factor, is a prime (Fermat's test), or is of the broken generator."""
    small = any(modulus % prime == 0 for prime in _SMALL_PRIMES)
    return small or _is_roca(modulus) or pow(2, modulus - 1, modulus) == 1


def _is_roca(modulus: int) -> bool:
    """Return whether the modulus is a power of 65537 modulo every small prime (CVE-2017-15361)."""
    return all(modulus % prime in {pow(65537, i, prime) for i in range(prime)} for prime in _SMALL_PRIMES)
