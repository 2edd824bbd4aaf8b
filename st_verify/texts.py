"""Claims that are texts: user ids, tenants, handles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from st_verify.errors import NoSession

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_TEXT = 1024
_PLAIN = bytes(range(0x20, 0x7F))


def are_plain_texts(*values: object) -> bool:
    """
    Return whether all are non-empty strings of visible ASCII, together no longer than one `text` may be.

    This is one fast check for every token instead of a call of `text` for each claim. If it says no, `text` decides.
    """
    try:
        together = "".join(values)  # type: ignore[arg-type]  # raises TypeError for anything but strings
    except TypeError:
        return False
    if "" in values or len(together) > _MAX_TEXT or not together.isascii():
        return False
    return not together.encode().translate(None, _PLAIN)


def text(payload: Mapping[str, Any], name: str) -> str:
    """Return a claim that is a non-empty string without control characters. Raises `NoSession` for anything else."""
    value = payload.get(name)
    if not isinstance(value, str) or not value or len(value) > _MAX_TEXT:
        raise NoSession(f"{name}_form")
    if not (value.isascii() and value.isprintable()) and _CONTROL.search(value):
        raise NoSession(f"{name}_form")
    return value


def text_or_null(payload: Mapping[str, Any], name: str) -> str | None:
    """Return such a claim; None if it is null or absent."""
    return None if payload.get(name) is None else text(payload, name)
