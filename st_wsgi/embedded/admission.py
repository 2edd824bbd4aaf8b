"""
Who may call a core: checked with the headers alone, before a body is read.

The order is the official core's (``webserver/WebserverAPI.java``): the client's address, the API key, the CDI version.
A core without an API key trusts every program that reaches it, so it listens on the loopback interface only. A browser
on the same machine reaches it too, on behalf of any page. :func:`refuse_browsers` keeps those pages out: a page cannot
change the headers ``Host``, ``Origin`` and ``Sec-Fetch-Site``, and cannot send JSON to another site unasked.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence

from ..grammar import numbers
from .fields import CallRefused
from .settings import CoreSettings
from .versions import VERSIONS, Version

_CURE = "Set a key (ST_CORE_API_KEY) to lift this"


def check_address(settings: CoreSettings, address: str) -> None:
    """Refuse a client address that the settings do not allow."""
    denied = settings.ip_deny is not None and re.fullmatch(settings.ip_deny, address)
    allowed = settings.ip_allow is None or re.fullmatch(settings.ip_allow, address)
    if denied or not allowed:
        raise CallRefused(403, "")


def check_key(keys: Sequence[bytes], headers: Mapping[str, str]) -> None:
    """Refuse a call without one of *keys* in its header ``api-key`` or ``authorization``."""
    key = headers.get("api-key")
    if key is None:
        key = headers.get("authorization", "")
        if key[:7].lower() == "bearer ":
            key = key[7:]
    sent = key.strip().encode()
    matches = [hmac.compare_digest(known, sent) for known in keys]
    if not any(matches):
        raise CallRefused(401, "Invalid API key")


def refuse_browsers(headers: Mapping[str, str]) -> None:
    """Refuse a call to a core without a key that may come from a page in a browser."""
    # Without the port, and the brackets of an IPv6 address.
    host = re.sub(r":\d*\Z", "", headers.get("host", "")).removeprefix("[").removesuffix("]")
    if not is_loopback(host):
        raise CallRefused(403, f"A core without an API key is only served as localhost. {_CURE}")
    if "origin" in headers or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise CallRefused(403, f"A core without an API key does not serve pages in browsers. {_CURE}")
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if has_body and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise CallRefused(415, f"A core without an API key takes bodies of the type application/json only. {_CURE}")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine, whatever a name server says."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cdi_version(header: str | None, settings: CoreSettings) -> Version:
    """Return the CDI version that a call asks for. :raises CallRefused: when this core does not speak it."""
    highest = numbers(settings.max_cdi_version)
    if header is None:
        return highest
    try:
        asked = numbers(header.strip())
    except ValueError:
        raise CallRefused(400, "cdi-version header is invalid") from None
    if header.strip() not in VERSIONS or asked > highest:
        raise CallRefused(400, f"cdi-version {header.strip()} not supported")
    lowest = settings.min_cdi_version
    if lowest is not None and asked < numbers(lowest):
        raise CallRefused(400, f"cdi-version {header.strip()} is lower than the minimum allowed version {lowest}")
    return asked
