"""Addresses that a browser is sent to, or says that it comes from: which of them are the app's."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from st_verify import NotStrictJSON, strict_json

from ...errors import BadInput

_LONGEST = 8192
_FORBIDDEN = re.compile(r"[\\\s\x00-\x20\x7f-\x9f\ud800-\udfff]")
_DANGEROUS = frozenset({"javascript", "data", "vbscript", "file", "blob", "about", "filesystem"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_KEPT = "/%:@!$&'()*+,;=~-._?"


def parts_of(url: str) -> SplitResult | None:
    """
    Return the parts of an address that browsers read in one way only, else None.

    There is no user name, no white space, no backslash, no control character, and nothing in the host that stands for
    another host (FDI, rule F-20).
    """
    if len(url) > _LONGEST or _FORBIDDEN.search(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    place, is_web = parts.netloc, parts.scheme in _DEFAULT_PORTS
    if not parts.scheme or parts.scheme in _DANGEROUS or (is_web and not parts.hostname):
        return None
    if (
        "@" in place
        or "%" in place
        or not place.isascii()
        or (is_web and not url[len(parts.scheme) :].startswith("://"))
    ):
        return None
    if is_web and (port == _DEFAULT_PORTS[parts.scheme] or place.endswith(":")):
        place = place.rpartition(":")[0]
    return parts._replace(netloc=place.lower() if is_web else place)


def origin_of(url: str) -> str | None:
    """Return the origin of an http or https address, in the form of ``AppInfo``; None for all other texts."""
    parts = parts_of(url)
    return f"{parts.scheme}://{parts.netloc}" if parts is not None and parts.scheme in _DEFAULT_PORTS else None


def frontend_of_state(state: str) -> SplitResult:
    """
    Return the address that a frontend put into the ``state`` that Apple sends back.

    :raises BadInput: there is none, or it is no plain address.
    """
    try:
        text = state.replace("-", "+").replace("_", "/").encode("ascii")
        members = strict_json.loads(b64decode(text + b"=" * (-len(text) % 4), validate=True))
    except (UnicodeEncodeError, binascii.Error, NotStrictJSON):
        members = None
    url = members.get("frontendRedirectURI") if isinstance(members, dict) else None
    parts = parts_of(url) if isinstance(url, str) else None
    if parts is None:
        raise BadInput("the state has no frontendRedirectURI that can be used")
    return parts


def with_form(parts: SplitResult, form: dict[str, str]) -> str:
    """Return an address with the fields of a form in its query."""
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in form]
    quoted = parts._replace(
        path=quote(parts.path, safe=_KEPT),
        query=urlencode([*kept, *form.items()]),
        fragment=quote(parts.fragment, safe=_KEPT),
    )
    return quoted.geturl()
