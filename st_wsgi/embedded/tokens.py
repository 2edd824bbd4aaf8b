"""
What access and refresh tokens are made of (CDI 3.2 and 3.4).

A refresh token is opaque to everyone but this core: an AES-GCM box with the session's handle and lineage, and after it,
as in the official core, a nonce and a version. The box must be sealed: the hash of a parent token, which decides about
theft, is readable in access tokens, and a client must not be able to put it into a refresh token that it made.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from typing import Any

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .keys import KeyPair

_CLAIMS: Mapping[str, tuple[str, Any]] = {
    "user_id": ("sub", str),
    "recipe_user_id": ("rsub", str),
    "tenant_id": ("tId", str),
    "handle": ("sessionHandle", str),
    "refresh_hash1": ("refreshTokenHash1", str),
    "parent_hash1": ("parentRefreshTokenHash1", (str, type(None))),
    "anti_csrf": ("antiCsrfToken", (str, type(None))),
}
"""Attributes of :class:`AccessTokenContent`, the claims that they are, and the types of these."""

PROTECTED = ("exp", "iat", *(claim for claim, _ in _CLAIMS.values()))
"""The claims that belong to the core; a user's payload may not have them."""

_VERSION = "5"
_REFRESH_VERSION = "V2"


class RefreshTokenInvalid(Exception):
    """A refresh token that this core did not make."""


def hash1(token: str) -> str:
    """Return the hash of a token that its children carry: hex SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash2(token: str) -> str:
    """Return the hash of a token that the store keeps."""
    return hash1(hash1(token))


@attrs.frozen
class RefreshTokenContent:
    """
    What is inside a refresh token.

    :param user_id: the recipe user id, external if mapped.
    :param parent_hash1: of the token that it came from in a refresh.
    """

    handle: str
    user_id: str
    parent_hash1: str | None
    anti_csrf: str | None

    def sealed(self, seal: AESGCM) -> str:
        """Return the token's text, different each time."""
        nonce = hash1(str(uuid.uuid4()))
        parts = [self.handle, self.user_id, self.parent_hash1, self.anti_csrf]
        iv = os.urandom(12)
        box = iv + seal.encrypt(iv, json.dumps(parts, separators=(",", ":")).encode(), nonce.encode())
        return f"{base64.b64encode(box).decode()}.{nonce}.{_REFRESH_VERSION}"

    @classmethod
    def opened(cls, token: str, seal: AESGCM) -> RefreshTokenContent:
        """Return what is inside *token*. :raises RefreshTokenInvalid: when this core did not make it."""
        try:
            box, nonce, version = token.split(".")
            sealed = base64.b64decode(box, validate=True)
            plain = seal.decrypt(sealed[:12], sealed[12:], nonce.encode("ascii"))
        except (InvalidTag, ValueError):
            raise RefreshTokenInvalid("Invalid refresh token") from None
        if version != _REFRESH_VERSION:
            raise RefreshTokenInvalid("Invalid refresh token")
        return cls(*json.loads(plain))


@attrs.frozen
class AccessTokenContent:
    """
    What is inside an access token of version 5.

    :param expires_at: milliseconds, a whole second.
    :param payload: the user's part.
    """

    handle: str
    user_id: str
    recipe_user_id: str
    tenant_id: str
    refresh_hash1: str
    parent_hash1: str | None
    anti_csrf: str | None
    expires_at: int
    payload: Mapping[str, Any]

    def signed(self, key: KeyPair, now: int) -> str:
        """Return the token's text."""
        own = {claim: getattr(self, name) for name, (claim, _) in _CLAIMS.items()}
        times = {"exp": self.expires_at // 1000, "iat": now // 1000}
        return key.sign({"version": _VERSION}, {**self.payload, **own, **times})

    @classmethod
    def of(cls, header: Mapping[str, Any], claims: Mapping[str, Any]) -> AccessTokenContent | None:
        """Return what the parts of a JWT say; None when it is not an access token of this core."""
        expiry = claims.get("exp")
        if header.get("version", _VERSION) != _VERSION or not isinstance(expiry, int):
            return None
        own: dict[str, Any] = {}
        for name, (claim, kind) in _CLAIMS.items():
            own[name] = value = claims.get(claim)
            if not isinstance(value, kind):
                return None
        return cls(
            **own,
            expires_at=expiry * 1000,
            payload={name: value for name, value in claims.items() if name not in PROTECTED},
        )


def tenant_of_handle(handle: str) -> str:
    """Return the tenant that a session handle names."""
    return handle.split("_")[1] if "_" in handle else "public"
