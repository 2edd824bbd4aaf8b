"""Unpadded base64url (RFC 7515 2) with one spelling per byte string."""

from __future__ import annotations

import base64
import binascii

#: The 64 characters.
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


#: Allowed last characters of a segment, by its length modulo 4. The last character has 0, 2 or 4 unused bits. They must
#: be zero, or several texts would decode to the same bytes (and fill a cache that is keyed by text).
LAST: tuple[frozenset[int], ...] = tuple(frozenset(last) for last in (ALPHABET, b"", b"AQgw", b"AEIMQUYcgkosw048"))


def is_canonical(segment: bytes) -> bool:
    """Return whether a segment (not empty, of the alphabet) is the only text of its bytes."""
    return segment[-1] in LAST[len(segment) % 4]


def decode(segment: bytes) -> bytes:
    """Decode a segment that has the right alphabet and is canonical."""
    # Both characters are rare in tokens, so `replace` is faster than `translate`.
    return binascii.a2b_base64(segment.replace(b"-", b"+").replace(b"_", b"/") + b"==")


def encode(data: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
