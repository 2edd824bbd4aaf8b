"""Which versions of the core driver interface (CDI) the embedded core speaks."""

from __future__ import annotations

from functools import lru_cache

from ..grammar import CDI_VERSIONS

Version = tuple[int, ...]
"""A CDI version, such as (5, 4)."""

VERSIONS = CDI_VERSIONS
"""
The CDI versions that the embedded core knows.

With 5.5, options to sign in with a passkey are good once. 5.6 has other rules for refreshing and verifying, see
``rotation.py``.
"""

DEFAULT_HIGHEST = "5.4"
"""The highest version that is spoken unless the setting ``supertokens_max_cdi_version`` says otherwise."""


@lru_cache
def numbers(version: str) -> Version:
    """Return a version as numbers to compare: ``5.4.0`` equals ``5.4``. :raises ValueError: when it is not one."""
    parts = [int(part) for part in version.split(".") if part.isascii() and part.isdigit()]
    if len(parts) != version.count(".") + 1:
        raise ValueError(version)
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


KNOWN = frozenset(numbers(version) for version in VERSIONS)
"""The same as numbers."""

NEWEST: Version = max(KNOWN)

ROTATING: Version = (5, 6)
"""From here on a refresh token is replaced by its first use, and verifying an access token changes nothing."""

WEBAUTHN: Version = (5, 3)
"""From here on users are shown with their WebAuthn credentials."""
