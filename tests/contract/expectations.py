"""What an answer should be: literal JSON, with matchers where a value differs from run to run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CLOCKS_APART = 120_000


class Some:
    """A value that is only known by its kind."""

    def __init__(self, kind: str, accepts: Callable[[Any], bool]) -> None:
        self.kind = kind
        self.accepts = accepts

    def __repr__(self) -> str:
        return f"<{self.kind}>"


class AnyOrder:
    """A list whose order the protocol leaves open."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)

    def __repr__(self) -> str:
        return f"AnyOrder{tuple(self.items)}"


UUID = Some("uuid", lambda value: isinstance(value, str) and _UUID.fullmatch(value) is not None)
TEXT = Some("text", lambda value: isinstance(value, str) and value != "")
NUMBER = Some("number", lambda value: isinstance(value, (int, float)) and not isinstance(value, bool))
FLAG = Some("true or false", lambda value: isinstance(value, bool))
NOW = Some("milliseconds, now", lambda value: isinstance(value, int) and abs(value - _now()) < _CLOCKS_APART)
LATER = Some("milliseconds, in the future", lambda value: isinstance(value, int) and value > _now())
JWT = Some("JWT", lambda value: isinstance(value, str) and value.count(".") == 2 and value.startswith("ey"))
REFRESH_TOKEN = Some("refresh token", lambda value: isinstance(value, str) and value.count(".") == 2)
LINK_TOKEN = Some("token of 100 characters and more", lambda value: isinstance(value, str) and len(value) >= 100)


def _now() -> int:
    return int(time.time() * 1000)


def differences(actual: Any, expected: Any, at: str = "answer") -> list[str]:
    """Return one line for each place where *actual* is not what was expected."""
    if isinstance(expected, Some):
        return [] if expected.accepts(actual) else [f"{at}: expected {expected!r}, got {actual!r}"]
    if isinstance(expected, AnyOrder):
        return _any_order(actual, expected.items, at)
    if isinstance(expected, dict) and isinstance(actual, dict):
        lines = [f"{at}.{key}: missing" for key in expected if key not in actual]
        lines += [f"{at}.{key}: not expected, is {actual[key]!r}" for key in actual if key not in expected]
        for key in expected.keys() & actual.keys():
            lines += differences(actual[key], expected[key], f"{at}.{key}")
        return lines
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [
            line
            for i, pair in enumerate(zip(actual, expected, strict=True))
            for line in differences(*pair, f"{at}[{i}]")
        ]
    # bool is an int to Python, not to JSON.
    if actual == expected and isinstance(actual, bool) == isinstance(expected, bool):
        return []
    return [f"{at}: expected {expected!r}, got {actual!r}"]


def _any_order(actual: Any, expected: list[Any], at: str) -> list[str]:
    if not isinstance(actual, list):
        return [f"{at}: expected a list, got {actual!r}"]
    left = list(actual)
    lines = []
    for item in expected:
        found = next((other for other in left if not differences(other, item)), None)
        if found is None:
            lines.append(f"{at}: no item is {item!r}")
        else:
            left.remove(found)
    return lines + [f"{at}: not expected, is {item!r}" for item in left]
