"""
Tokens out of raw request headers, with one reading only.

Standard cookie parsers merge duplicates, decode names and can be made to work quadratically. Here names
are exact and case-sensitive, duplicates stay visible, and the work is linear in a capped header.
"""

from __future__ import annotations

from urllib.parse import unquote

#: Longest Cookie header that is read, in characters.
MAX_COOKIE_HEADER = 16_384
_MAX_AUTHORIZATION = MAX_COOKIE_HEADER + 64


def bearer_token(authorization: str) -> str | None:
    """
    The token of an ``Authorization`` header: scheme Bearer in any case (RFC 9110 11.1), then exactly one word.

    :returns: None for another scheme, several words or several values joined by a comma.
    """
    if len(authorization) > _MAX_AUTHORIZATION:
        return None
    if authorization[:7].lower() not in ("bearer ", "bearer\t"):
        return None
    word = authorization[7:].strip(" \t")
    # No look at each character, which this would be for every request: whoever reads the token does that.
    one_word = word.isascii() and " " not in word and "\t" not in word and "," not in word
    return word if word and one_word else None


def cookie_values(header: str, name: str) -> list[str]:
    """
    All values of the cookie `name` in a raw ``Cookie`` header, in order, as they were set: one pair of double
    quotes is stripped, then percent-encoding is undone once. A header above `MAX_COOKIE_HEADER` has no cookies.
    """
    if len(header) > MAX_COOKIE_HEADER:
        return []
    named = name + "="
    before, found, after = header.partition(named)
    if not found:
        return []
    value, _, rest = after.partition(";")
    if named not in rest and (not before or before.endswith("; ")) and "%" not in value and '"' not in value:
        return [value.strip(" \t")]  # as browsers send it, and at once, since this runs for every request
    pairs = (pair.partition("=") for pair in header.split(";"))
    return [_as_it_was_set(value) for found, separator, value in pairs if separator and found.lstrip(" \t") == name]


def _as_it_was_set(value: str) -> str:
    value = value.strip(" \t")
    if value[:1] == '"' and len(value) >= 2 and value[-1] == '"':
        value = value[1:-1]
    return unquote(value) if "%" in value else value
