"""Unpadded base64url (RFC 7515 2) with one spelling per byte string."""

from __future__ import annotations

import binascii

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")

# The last character of a segment carries 0, 2 or 4 unused bits. They must be zero, or several texts
# would decode to the same bytes (and fill a cache that is keyed by text). No length is 1 mod 4.
_ALL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_LAST: tuple[frozenset[str], ...] = (_ALL, frozenset(), frozenset("AQgw"), frozenset("AEIMQUYcgkosw048"))


def is_canonical(segment: str) -> bool:
    """Whether a non-empty segment of the right alphabet has a possible length and no stray bits at its end."""
    return segment[-1] in _LAST[len(segment) % 4]


def decode(segment: str) -> bytes:
    """Decode a segment that is ASCII, of the right alphabet and canonical."""
    return binascii.a2b_base64(segment.encode("ascii").translate(_TO_STANDARD) + b"==")


def encode(data: bytes) -> str:
    """Encode without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")
