"""The small languages of the protocols, each written once: names of hosts, headers and tenants, and versions."""

from __future__ import annotations

import re
from functools import lru_cache

CDI_VERSIONS = ("5.0", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6")
"""The versions of the core driver interface that the client and the embedded core know."""


@lru_cache
def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers to compare: ``5.4.0`` equals ``5.4``. :raises ValueError: when it is not one."""
    parts = [int(part) for part in version.split(".") if part.isascii() and part.isdigit()]
    if len(parts) != version.count(".") + 1:
        raise ValueError(version)
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110, section 5.6.2."""

HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""Latin-1 without control characters: what WSGI servers and ``http.client`` can send (RFC 9110, section 5.5)."""

HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
"""Lower case, in its ASCII form."""

TENANT_ID = re.compile(r"(?!appid-)[a-z0-9-]{1,64}")
"""One spelling per tenant; a segment of a path that starts with ``appid-`` names an app of the core."""

FAKE_EMAIL_DOMAINS = ("@stfakeemail.supertokens.com", ".fakeemail.com")
"""How addresses end that stand for an account without one. The core takes them for verified."""

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
"""A phone number with its country, such as ``+4930123456`` (ITU-T E.164: at most 15 digits)."""
