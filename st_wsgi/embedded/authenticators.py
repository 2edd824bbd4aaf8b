"""
What an authenticator sends: CBOR, COSE keys, authenticator data and client data, read and checked.

CBOR (RFC 8949) is read in the form that authenticators must write (CTAP 2.1, section 8): definite lengths, no tags,
and no fractions, which nothing here has. So it needs no library. Attestation statements are not looked at, as in the
official core, which asks for no attestation (``webauthn/WebAuthN.java``); its texts are kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from .fields import Answered

_PRESENT, _VERIFIED, _BACKUP_ELIGIBLE, _BACKED_UP, _HAS_CREDENTIAL, _HAS_EXTENSIONS = 1, 4, 8, 16, 64, 128
"""Flags of authenticator data (WebAuthn Level 3, section 6.1)."""

_DEEPEST = 8
_BASE64_URL = re.compile(r"[A-Za-z0-9_-]*={0,2}")


def unreadable(reason: str = "Input data does not match expected form") -> Answered:
    """Return the refusal of what is not the JSON, CBOR or key that it should be."""
    return Answered("INVALID_CREDENTIALS_ERROR", reason=reason)


def unverified(reason: str) -> Answered:
    """Return the refusal of what can be read, but is not what was asked for, or not signed by the credential."""
    return Answered("INVALID_AUTHENTICATOR_ERROR", reason=reason)


def url_text(value: bytes) -> str:
    """Return Base64url without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def base64_url(value: object) -> bytes:
    """Return the bytes of Base64url, padded or not. :raises Answered: when it is none."""
    if not isinstance(value, str) or not _BASE64_URL.fullmatch(value) or len(value.rstrip("=")) % 4 == 1:
        raise unreadable()
    text = value.rstrip("=")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read_cbor(data: bytes) -> tuple[Any, bytes]:
    """Return the first value of CBOR and what follows it. :raises Answered: when there is none."""
    value, rest = _read_cbor(memoryview(data), 0)
    return value, bytes(rest)


def _read_cbor(data: memoryview, depth: int) -> tuple[Any, memoryview]:
    # Of a memoryview a slice is no copy, so that the time of a long list grows with its length and not its square.
    if not data or depth > _DEEPEST:
        raise unreadable()
    major, short, data = data[0] >> 5, data[0] & 31, data[1:]
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(short, 0)
    if short > 27 or len(data) < size:
        raise unreadable()
    number, data = int.from_bytes(data[:size], "big") if size else short, data[size:]
    if major in (0, 1):
        return (number if major == 0 else -1 - number), data
    if major in (2, 3):
        if number > len(data):
            raise unreadable()
        content = bytes(data[:number])
        try:
            return (content if major == 2 else content.decode()), data[number:]
        except UnicodeDecodeError:
            raise unreadable() from None
    if major in (4, 5):
        items = []
        for _ in range(number * (major - 3)):
            item, data = _read_cbor(data, depth + 1)
            items.append(item)
        return (items if major == 4 else _map(items)), data
    if major == 7 and short in (20, 21, 22):
        return {20: False, 21: True, 22: None}[short], data
    raise unreadable()


def _map(items: list[Any]) -> dict[Any, Any]:
    keys = items[::2]
    if not all(isinstance(key, (int, str)) for key in keys) or len(set(keys)) < len(keys):
        raise unreadable()
    return dict(zip(keys, items[1::2], strict=True))


Verify = Callable[[bytes, bytes], None]
"""Takes a signature and the message; raises ``InvalidSignature``."""

_CURVES: Mapping[int, tuple[int, ec.EllipticCurve, HashAlgorithm]] = {
    -7: (1, ec.SECP256R1(), SHA256()),
    -35: (2, ec.SECP384R1(), SHA384()),
    -36: (3, ec.SECP521R1(), SHA512()),
}
_RSA: Mapping[int, HashAlgorithm] = {-257: SHA256(), -258: SHA384(), -259: SHA512()}


def verifier(cose: bytes) -> Verify:
    """
    Return how to verify with a COSE key: ES256, ES384, ES512, EdDSA with Ed25519, RS256, RS384 or RS512.

    :raises Answered: when it is none of those.
    """
    key, rest = read_cbor(cose)
    if rest or not isinstance(key, dict):
        raise unreadable()
    try:
        kind, algorithm = key[1], key[3]
        if kind == 2 and algorithm in _CURVES:
            number, curve, digest = _CURVES[algorithm]
            x, y = int.from_bytes(key[-2], "big"), int.from_bytes(key[-3], "big")
            if key[-1] == number:
                point = ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
                return lambda signature, message: point.verify(signature, message, ec.ECDSA(digest))
        elif kind == 1 and algorithm == -8 and key[-1] == 6:
            return Ed25519PublicKey.from_public_bytes(key[-2]).verify
        elif kind == 3 and algorithm in _RSA:
            n, e = int.from_bytes(key[-1], "big"), int.from_bytes(key[-2], "big")
            modulus = rsa.RSAPublicNumbers(e, n).public_key()
            return lambda signature, message: modulus.verify(signature, message, padding.PKCS1v15(), _RSA[algorithm])
    except (KeyError, TypeError, ValueError, UnsupportedAlgorithm):
        pass
    raise unreadable()


@attrs.frozen
class AuthenticatorData:
    """
    What an authenticator says (WebAuthn Level 3, section 6.1).

    :param counter: how often it signed, 0 when it does not count.
    :param key: the COSE key of a new credential, None when it does not send one.
    """

    raw: bytes
    rp_id_hash: bytes
    flags: int
    counter: int
    key: bytes | None

    @classmethod
    def of(cls, raw: object) -> AuthenticatorData:
        """Return what bytes say. :raises Answered: when they are not authenticator data."""
        if not isinstance(raw, bytes) or len(raw) < 37:
            raise unreadable()
        flags, rest, key = raw[32], raw[37:], None
        if flags & _HAS_CREDENTIAL:
            # Model (16 bytes), length of the id (2), id, key.
            start = 18 + int.from_bytes(rest[16:18], "big")
            _, after = read_cbor(rest[start:])
            key, rest = rest[start : len(rest) - len(after)], after
            verifier(key)
        if flags & _HAS_EXTENSIONS:
            _, rest = read_cbor(rest)
        if rest:
            raise unreadable()
        return cls(raw, raw[:32], flags, int.from_bytes(raw[33:37], "big"), key)


@attrs.frozen
class Options:
    """
    What a browser was asked for.

    :param email: of the user to be, None for signing in.
    :param created_at: milliseconds since 1970; so is *expires_at*.
    """

    options_id: str
    challenge: str
    origin: str
    rp_id: str
    rp_name: str
    email: str | None
    user_presence: bool
    user_verification: str
    created_at: int
    expires_at: int


def registered(credential: Mapping[str, Any], options: Options) -> tuple[bytes, int]:
    """
    Check a new credential (WebAuthn Level 3, section 7.1); return its COSE key and its counter.

    :param credential: the JSON that a browser sends.
    :raises Answered: when it is no credential, or not the one that was asked for.
    """
    response, client, _ = _read(credential)
    attestation, rest = read_cbor(base64_url(response.get("attestationObject")))
    if rest or not isinstance(attestation, dict):
        raise unreadable()
    data = AuthenticatorData.of(attestation.get("authData"))
    if data.key is None:
        raise unverified("attestedCredentialData must not be null on registration")
    _check(client, "create", data, options)
    return data.key, data.counter


def signed(credential: Mapping[str, Any], options: Options, key: bytes, counter: int) -> int:
    """
    Check a signature of a credential (WebAuthn Level 3, section 7.2); return the new counter.

    :param credential: the JSON that a browser sends.
    :param key: the COSE key of the credential.
    :param counter: the last counter that was seen.
    :raises Answered: when it is no signature, not what was asked for, or by a copy of the authenticator.
    """
    response, client, raw = _read(credential)
    data = AuthenticatorData.of(base64_url(response.get("authenticatorData")))
    signature = base64_url(response.get("signature"))
    if data.key is not None:
        raise unverified("attestedCredentialData must be null on authentication")
    _check(client, "get", data, options)
    try:
        verifier(key)(signature, data.raw + hashlib.sha256(raw).digest())
    except InvalidSignature:
        raise unverified("Assertion signature is not valid.") from None
    if data.counter <= counter and (data.counter or counter):
        raise unverified("Malicious counter value is detected. Cloned authenticators exist in parallel.")
    return data.counter


def _read(credential: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return a credential's response, what the browser says about the ceremony in it, and the bytes of that."""
    response = credential.get("response")
    if not isinstance(response, dict):
        raise unreadable()
    raw = base64_url(response.get("clientDataJSON"))
    try:
        client = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise unreadable() from None
    if not isinstance(client, dict) or not all(isinstance(client.get(name), str) for name in ("type", "origin")):
        raise unreadable()
    return response, client, raw


def _check(client: Mapping[str, Any], kind: str, data: AuthenticatorData, options: Options) -> None:
    """Check what registration and signing have in common, in the official core's order."""
    challenge, origin, top = base64_url(client.get("challenge")), client["origin"], client.get("topOrigin")
    if client["type"] != f"webauthn.{kind}":
        ceremony = {"create": "registration", "get": "authentication"}[kind]
        raise unverified(f"ClientData.type must be '{kind}' on {ceremony}, but it isn't.")
    if not hmac.compare_digest(challenge, base64_url(options.challenge)):
        raise unverified("The actual challenge does not match the expected challenge")
    unknown = "doesn't match any of the preconfigured server"
    if _origin(origin) != _origin(options.origin):
        raise unverified(f"The collectedClientData '{origin}' origin {unknown} origin.")
    if client.get("crossOrigin") not in (None, False) or top is not None:
        raise unverified(f"The collectedClientData topOrigin '{top}' {unknown} topOrigin.")
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(options.rp_id.encode()).digest()):
        raise unverified("rpIdHash doesn't match the hash of preconfigured rpId.")
    missing = "Verifier is configured to check user {}, but {} flag in authenticatorData is not set."
    if options.user_presence and not data.flags & _PRESENT:
        raise unverified(missing.format("present", "UP"))
    if options.user_verification == "required" and not data.flags & _VERIFIED:
        raise unverified(missing.format("verified", "UV"))
    if data.flags & _BACKED_UP and not data.flags & _BACKUP_ELIGIBLE:
        raise unverified("Backup state bit must not be set if backup eligibility bit is not set")


def _origin(text: str) -> tuple[str, ...]:
    """Return the parts of an origin to compare: of a page scheme, host and port, of an Android app all of it."""
    try:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https"):
            return (text,)
        return parts.scheme, parts.hostname or "", str(parts.port or {"http": 80, "https": 443}[parts.scheme])
    except ValueError:
        raise unreadable() from None
