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
#: Visible ASCII without the comma, which joins the values of a header that was sent twice.
_OF_A_WORD = bytes(range(0x21, 0x7F)).replace(b",", b"")


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
    # Looked at once, since this runs for every request: an expression, or isprintable, takes four times as long.
    one_word = word.isascii() and not word.encode("ascii").translate(None, _OF_A_WORD)
    return word if word and one_word else None


def cookie_values(header: str, name: str) -> list[str]:
    """
    All values of the cookie `name` in a raw ``Cookie`` header, in order, as they were set: one pair of double
    quotes is stripped, then percent-encoding is undone once. A header above `MAX_COOKIE_HEADER` has no cookies.
    """
    named = f"{name}="
    values: list[str] = []
    at = header.find(named) if len(header) <= MAX_COOKIE_HEADER else -1
    # From one find to the next, since this runs for every request, and most cookies are somebody else's.
    while at >= 0:
        end = header.find(";", at)
        if end < 0:
            end = len(header)
        if not header[header.rfind(";", 0, at) + 1 : at].strip(" \t"):
            value = header[at + len(named) : end].strip(" \t")
            if len(value) >= 2 and value[0] == value[-1] == '"':
                value = value[1:-1]
            values.append(unquote(value) if "%" in value else value)
        at = header.find(named, end)
    return values
