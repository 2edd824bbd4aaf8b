"""Tokens as a core writes them, and as none should; keys, clocks and verifiers to judge them with."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from st_verify import (
    Clock,
    FetchedKeys,
    Forbidden,
    InvalidClaims,
    NoSession,
    RemoteKeys,
    SessionVerifier,
    TryRefresh,
    Unavailable,
)

#: Wall time of all tests, in seconds.
NOW = 1_800_000_000
DAY = 86_400
ISSUER = "https://api.example.com/auth"
KID = f"d-{(NOW - DAY) * 1000}"
HASH = "a1" * 32

Header = Mapping[str, Any]
Payload = Mapping[str, Any]


class FakeClock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.wall = float(NOW)
        self.monotonic = 1000.0

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    @property
    def clock(self) -> Clock:
        return Clock(wall=lambda: self.wall, monotonic=lambda: self.monotonic)


def private_key(name: str = "genuine", bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key for each name, made once."""
    return _made_key(name, bits)


@functools.cache
def _made_key(name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk(name: str = "genuine", kid: Any = KID, **members: Any) -> dict[str, Any]:
    """A public JWK as a core publishes it; members set to None are left out."""
    numbers = private_key(name).public_key().public_numbers()
    full = {"kty": "RSA", "kid": kid, "n": number(numbers.n), "e": number(numbers.e), "alg": "RS256", "use": "sig"}
    return {name: value for name, value in (full | members).items() if value is not None}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def header(**members: Any) -> dict[str, Any]:
    return {"alg": "RS256", "typ": "JWT", "kid": KID, "version": "5"} | members


def payload(**claims: Any) -> dict[str, Any]:
    """What a core of CDI 5.4 puts in; claims set to ... are left out."""
    full: dict[str, Any] = {
        "iss": ISSUER,
        "sub": "user-1",
        "rsub": "user-1",
        "tId": "public",
        "sessionHandle": "5d0b3b3e-8f43-4d9c-9b5c-3f5a4f2c1e11",
        "refreshTokenHash1": HASH,
        "parentRefreshTokenHash1": None,
        "antiCsrfToken": None,
        "iat": NOW - 10,
        "exp": NOW + 3590,
    }
    return {name: value for name, value in (full | claims).items() if value is not ...}


def sign(signing_input: bytes, name: str = "genuine", algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    return private_key(name).sign(signing_input, padding.PKCS1v15(), algorithm or hashes.SHA256())


def compact(header_json: bytes, payload_json: bytes, name: str = "genuine") -> str:
    """Sign any bytes."""
    signing_input = f"{b64(header_json)}.{b64(payload_json)}"
    return f"{signing_input}.{b64(sign(signing_input.encode(), name))}"


def token(head: Header | None = None, body: Payload | None = None, *, key: str = "genuine") -> str:
    """A token with these header and payload, or the good ones."""
    return compact(_json(header() if head is None else head), _json(payload() if body is None else body), key)


def with_claims(**claims: Any) -> str:
    return token(body=payload(**claims))


def with_header(**members: Any) -> str:
    return token(header(**members))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class KeyServer:
    """A key server without a network: serves a document, counts how often it was asked."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.document = jwks(*(keys or (jwk(),)))
        self.max_age: float | None = None
        self.failure: Exception | None = None
        self.fetches = 0

    def publish(self, *keys: dict[str, Any]) -> None:
        self.document = jwks(*keys)

    def __call__(self) -> FetchedKeys:
        self.fetches += 1
        if self.failure is not None:
            raise self.failure
        return FetchedKeys(self.document, self.max_age)


class Bench:
    """A verifier over a key server that has been asked once, with a clock to move."""

    def __init__(self, *keys: dict[str, Any], remote: Mapping[str, Any] | None = None, **options: Any) -> None:
        self.time = FakeClock()
        self.server = KeyServer(*keys)
        self.events: list[str] = []
        settings: dict[str, Any] = {"background": False, "jitter": lambda: 0.0, **(remote or {})}
        self.keys = RemoteKeys(
            fetch=self.server,
            clock=self.time.clock,
            on_event=lambda event: self.events.append(event.name),
            **settings,
        )
        self.keys.preload()
        full: dict[str, Any] = {"issuer": ISSUER, "tenants": "public", **options}
        self.verifier = SessionVerifier(keys=self.keys, clock=self.time.clock, **full)

    @property
    def extra_fetches(self) -> int:
        """Fetches beside the first one."""
        return self.server.fetches - 1

    def outcome(self, text: Any) -> str:
        return outcome(lambda: self.verifier.verify(text))


def these(*values: Any) -> tuple[Any, ...]:
    """Values of any types, for tables."""
    return values


CODES: dict[type[Exception], str] = {
    NoSession: "401U",
    TryRefresh: "401R",
    InvalidClaims: "403C",
    Forbidden: "403F",
    Unavailable: "503",
}


def outcome(act: Callable[[], object]) -> str:
    """OK, or the outcome code of the refusal. Anything else that is raised is a failed test."""
    try:
        act()
    except tuple(CODES) as refused:
        return next(code for kind, code in CODES.items() if isinstance(refused, kind))
    return "OK"
