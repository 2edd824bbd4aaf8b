"""
Tokens read from raw request headers. Each header has exactly one meaning.

Standard cookie parsers merge duplicates, decode names, and can be made to take quadratic time. Here names are exact and
case-sensitive, duplicates stay visible, and the time is linear in a header of limited length.
"""

from __future__ import annotations

from urllib.parse import unquote

#: Longest Cookie header that is read, in characters.
MAX_COOKIE_HEADER = 16_384
_MAX_AUTHORIZATION = MAX_COOKIE_HEADER + 64


def bearer_token(authorization: str) -> str | None:
    """
    Return the token of an ``Authorization`` header: scheme Bearer in any case (RFC 9110 11.1), then exactly one word.

    >>> bearer_token("Bearer abc")
    'abc'

    :returns: None for another scheme, for several words, and for several values joined by a comma.
    """
    if len(authorization) > _MAX_AUTHORIZATION or authorization[:7].lower() not in ("bearer ", "bearer\t"):
        return None
    word = authorization[7:].strip(" \t")
    # This runs for every request, so it does not look at each character: the parser of the token does.
    one_word = word.isascii() and " " not in word and "\t" not in word and "," not in word
    return word if word and one_word else None


def cookie_values(header: str, name: str) -> list[str]:
    """
    Return all values of the cookie `name` in a raw ``Cookie`` header, in order.

    One pair of double quotes is stripped, then percent-encoding is undone once. A header that is longer than
    `MAX_COOKIE_HEADER` counts as empty.

    >>> cookie_values("a=1; b=2; a=3", "a")
    ['1', '3']
    """
    if len(header) > MAX_COOKIE_HEADER:
        return []
    start = name + "="
    before, separator, after = header.partition(start)
    if not separator:
        return []
    value, _, rest = after.partition(";")
    if start not in rest and (not before or before.endswith("; ")) and "%" not in value and '"' not in value:
        return [value.strip(" \t")]  # the form that browsers send, handled fast since this runs for every request
    pairs = (pair.partition("=") for pair in header.split(";"))
    return [_decoded(value) for key, separator, value in pairs if separator and key.lstrip(" \t") == name]


def _decoded(value: str) -> str:
    value = value.strip(" \t")
    if value[:1] == '"' and len(value) >= 2 and value[-1] == '"':
        value = value[1:-1]
    return unquote(value) if "%" in value else value
