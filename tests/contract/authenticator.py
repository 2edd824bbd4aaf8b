"""An authenticator and the browser in front of it, in software: honest by default, and whatever else is asked for."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN, RP = "https://www.example.com", "example.com"

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, NEW, EXTENDED = 1, 4, 8, 16, 64, 128
"""Flags of authenticator data."""

_CURVES: Mapping[int, tuple[int, ec.EllipticCurve, hashes.HashAlgorithm]] = {
    -7: (1, ec.SECP256R1(), hashes.SHA256()),
    -35: (2, ec.SECP384R1(), hashes.SHA384()),
    -36: (3, ec.SECP521R1(), hashes.SHA512()),
}
_RSA: Mapping[int, hashes.HashAlgorithm] = {-257: hashes.SHA256(), -258: hashes.SHA384(), -259: hashes.SHA512()}

ALGORITHMS = (*_CURVES, -8, *_RSA)
"""COSE algorithms that credentials can be of."""


def encoded(data: bytes) -> str:
    """Return Base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def cbor(value: Any) -> bytes:
    """Return CBOR of whole numbers, bytes, texts, lists and maps."""
    if isinstance(value, int):
        return _head(1, -1 - value) if value < 0 else _head(0, value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    return _head(5, len(value)) + b"".join(cbor(part) for pair in value.items() for part in pair)


def _head(major: int, number: int) -> bytes:
    for short, size in ((23, 0), (24, 1), (25, 2), (26, 4)):
        if number < (24 if size == 0 else 256**size):
            return bytes([major << 5 | (short if size else number)]) + (number.to_bytes(size, "big") if size else b"")
    raise ValueError(number)


@attrs.define
class Credential:
    """
    A key that an authenticator holds.

    :param cose: its public half.
    """

    id: bytes
    cose: dict[int, Any]
    sign: Callable[[bytes], bytes]
    counter: int = 0

    @property
    def name(self) -> str:
        """The id as JSON has it."""
        return encoded(self.id)


def credential(algorithm: int = -7) -> Credential:
    """Make a key."""
    name = secrets.token_bytes(16)
    if algorithm in _CURVES:
        number, curve, digest = _CURVES[algorithm]
        key, size = ec.generate_private_key(curve), (curve.key_size + 7) // 8
        point = key.public_key().public_numbers()
        cose = {1: 2, 3: algorithm, -1: number, -2: point.x.to_bytes(size, "big"), -3: point.y.to_bytes(size, "big")}
        return Credential(name, cose, lambda message: key.sign(message, ec.ECDSA(digest)))
    if algorithm == -8:
        edwards = Ed25519PrivateKey.generate()
        return Credential(name, {1: 1, 3: -8, -1: 6, -2: edwards.public_key().public_bytes_raw()}, edwards.sign)
    modulus = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = modulus.public_key().public_numbers()
    cose = {1: 3, 3: algorithm, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}
    return Credential(name, cose, lambda message: modulus.sign(message, padding.PKCS1v15(), _RSA[algorithm]))


def created(
    options: Mapping[str, Any],
    own: Credential,
    *,
    flags: int = PRESENT | VERIFIED | NEW,
    rp_id: str = RP,
    attested: bytes | None = None,
    after: bytes = b"",
    statement: Mapping[str, Any] | None = None,
    **client: Any,
) -> dict[str, Any]:
    """
    Return what a browser sends for a new credential.

    :param attested: what stands in the place of the credential.
    :param after: what follows it.
    :param statement: format and statement of the attestation.
    :param client: what stands in the client data instead of the truth.
    """
    if attested is None:
        attested = bytes(16) + len(own.id).to_bytes(2, "big") + own.id + cbor(own.cose)
    data = _data(rp_id, flags, own.counter) + attested + after
    attestation = cbor({**(statement or {"fmt": "none", "attStmt": {}}), "authData": data})
    told = _client_data("webauthn.create", options, client)
    return _sent(own, {"clientDataJSON": encoded(told), "attestationObject": encoded(attestation)})


def asserted(
    options: Mapping[str, Any],
    own: Credential,
    *,
    flags: int = PRESENT | VERIFIED,
    rp_id: str = RP,
    counter: int | None = None,
    after: bytes = b"",
    spoilt: bool = False,
    **client: Any,
) -> dict[str, Any]:
    """
    Return what a browser sends to sign in.

    :param counter: the counter, by default one more than before.
    :param spoilt: whether to sign something else.
    """
    own.counter = own.counter + 1 if counter is None else counter
    data = _data(rp_id, flags, own.counter) + after
    told = _client_data("webauthn.get", options, client)
    signature = own.sign(data + hashlib.sha256(told + b"!" * spoilt).digest())
    parts = {"clientDataJSON": told, "authenticatorData": data, "signature": signature, "userHandle": b"user"}
    return _sent(own, {name: encoded(part) for name, part in parts.items()})


def _data(rp_id: str, flags: int, counter: int) -> bytes:
    return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + counter.to_bytes(4, "big")


def _client_data(kind: str, options: Mapping[str, Any], client: Mapping[str, Any]) -> bytes:
    told = {"type": kind, "challenge": options["challenge"], "origin": ORIGIN, "crossOrigin": False, **client}
    return json.dumps({name: value for name, value in told.items() if value is not ...}).encode()


def _sent(own: Credential, response: dict[str, str]) -> dict[str, Any]:
    return {"id": own.name, "rawId": own.name, "type": "public-key", "clientExtensionResults": {}, "response": response}
