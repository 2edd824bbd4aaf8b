"""Unpadded base64url (RFC 7515 2) with one spelling per byte string."""

from __future__ import annotations

import binascii

#: The 64 characters.
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")

# The last character of a segment carries 0, 2 or 4 unused bits. They must be zero, or several texts
# would decode to the same bytes (and fill a cache that is keyed by text). No length is 1 mod 4.
_LAST = (frozenset(ALPHABET), frozenset(b""), frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))


def is_canonical(last: int, length: int) -> bool:
    """Whether a segment of this length may end with this character (a byte of the alphabet)."""
    return last in _LAST[length % 4]


def decode(segment: bytes) -> bytes:
    """Decode a segment that has the right alphabet and is canonical."""
    return binascii.a2b_base64(segment.translate(_TO_STANDARD) + b"==")


def encode(data: bytes) -> str:
    """Encode without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")
