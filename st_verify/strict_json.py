"""
JSON with exactly one meaning.

A forged claim gets through where two parsers read the same bytes differently. So everything on which parsers differ is
refused: duplicate members (compared after unescaping, at any depth), NaN and Infinity, numbers that overflow, lone
surrogates, text that is not UTF-8, deep nesting.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from st_verify.errors import NotStrictJSON

#: Levels of containers; access tokens need three.
MAX_DEPTH = 32
# Far below the interpreter's own limit (4300 digits), whose exception differs between versions.
_MAX_DIGITS = 1000

# A string (closed or not, so that no match is retried) or a bracket outside of strings.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{\]}]', re.DOTALL)


def loads(data: bytes) -> Any:
    """
    Parse UTF-8 bytes.

    :raises NotStrictJSON: for anything but one RFC 8259 text with exactly one meaning.
    """
    try:
        text = data.decode("utf-8").strip(" \t\n\r")
        # Removing them and looking how much is left takes half as long as counting them.
        if len(data) - len(data.replace(b"{", b"").replace(b"[", b"")) > MAX_DEPTH:
            _check_depth(text)
        # A short text has no room for a number that is too long, so it needs no Python call for every integer.
        scan = _scan_long if len(text) > _MAX_DIGITS else _scan_short
        value, end = scan(text, 0)
        if end != len(text):
            raise NotStrictJSON("text after the value")
        # Two conditions, since one letter is found much faster than two, and is nearly always missing.
        if "\\" in text and "\\u" in text:
            # An escaped lone surrogate parses, but any later attempt to encode the string would fail.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except NotStrictJSON:
        raise
    except (ValueError, RecursionError, StopIteration):
        raise NotStrictJSON("not strict JSON") from None
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if text[match.start()] == '"':
            continue
        depth += 1 if match.group() in "[{" else -1
        if depth > MAX_DEPTH:
            raise NotStrictJSON("nested too deeply")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrictJSON("duplicate member")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise NotStrictJSON("number too long")
    return int(digits)


def _finite(digits: str) -> float:
    if len(digits) > _MAX_DIGITS or not math.isfinite(number := float(digits)):
        raise NotStrictJSON("number too long or too large")
    return number


def _no_constants(name: str) -> Any:
    raise NotStrictJSON("NaN or Infinity")


_hooks: dict[str, Any] = {"object_pairs_hook": _unique, "parse_float": _finite, "parse_constant": _no_constants}
_short, _long = json.JSONDecoder(**_hooks), json.JSONDecoder(**_hooks, parse_int=_integer)
# What their `raw_decode` calls. It raises StopIteration where no value starts.
_scan_short, _scan_long = _short.scan_once, _long.scan_once  # type: ignore[attr-defined]  # typeshed does not have it
