"""Which versions of the core driver interface (CDI) the embedded core speaks."""

from __future__ import annotations

from ..grammar import CDI_VERSIONS, numbers

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


NEWEST: Version = max(map(numbers, VERSIONS))

ROTATING: Version = (5, 6)
"""From here on a refresh token is replaced by its first use, and verifying an access token changes nothing."""

WEBAUTHN: Version = (5, 3)
"""From here on users are shown with their WebAuthn credentials."""
