"""
The types of settings, and checks of constructor arguments. Most checks return the argument in the form in which it is
stored. All raise `SettingError` with the name of the setting and the cure.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from st_verify.errors import SettingError


class AnyValue(Enum):
    """The type of `ANY`."""

    ANY = "ANY"

    def __repr__(self) -> str:
        return "ANY"


#: Switches a check off. A setting that is left out never does.
ANY: Final = AnyValue.ANY
AnyType = Literal[AnyValue.ANY]


@dataclass(frozen=True, slots=True)
class Clock:
    """
    Two functions that return seconds. Tests replace them to move time without waiting.

    >>> Clock(wall=lambda: 1_800_000_000.0).wall()
    1800000000.0

    :param wall: seconds since the epoch, for the times in tokens; may jump.
    :param monotonic: seconds that never run backwards, from any origin, for caches.
    :raises SettingError: one of them is no function.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        function("wall", self.wall)
        function("monotonic", self.monotonic)


def require(condition: bool, message: str) -> None:
    """Raise an error with this message, unless the condition holds."""
    if not condition:
        raise SettingError(message)


def text_set(name: str, value: str | Collection[str] | AnyType) -> frozenset[str] | None:
    """Return one or several strings as a set; None for `ANY`. No string may be empty or have white space."""
    if value is ANY:
        return None
    cure = "pass a str, a list of str, or ANY to accept every value; no str is empty or has white space"
    words = text_list(name, [value] if isinstance(value, str) else value, r"\S+", cure)
    require(bool(words), f"{name}: {cure}")
    return words


def issuer_set(value: str | Collection[str] | AnyType) -> frozenset[str] | None:
    """Return the issuers as `text_set` does. A string has one URL, without a slash at the end."""
    issuers = text_set("issuer", value)
    for issuer in issuers or ():
        several = "," in issuer or ";" in issuer or issuer.count("://") > 1
        require(not several, f"issuer: {issuer!r} looks like several; pass them as a list")
        require(not issuer.endswith("/"), f"issuer: {issuer!r} ends with a slash, which no iss has; remove it")
    return issuers


def text_list(name: str, values: Collection[str], pattern: str, cure: str) -> frozenset[str]:
    """
    Return a list of strings as a set; it may be empty. A single string is no list.

    :param pattern: a regular expression that each string matches as a whole.
    :param cure: follows the name of the setting in the error, such as ``pass host names``.
    """
    is_list = isinstance(values, (list, tuple, set, frozenset))
    for value in values if is_list else ():
        require(isinstance(value, str) and re.fullmatch(pattern, value) is not None, f"{name}: {cure}, not {value!r}")
    require(is_list, f"{name}: {cure}, in a list")
    return frozenset(values)


def seconds(name: str, value: float, *, low: float, high: float = 1e9) -> float:
    """Return a number of seconds between `low` and `high`, both included; no bool and not NaN."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    require(is_number and low <= value <= high, f"{name}: pass seconds between {low:g} and {high:g}, not {value!r}")
    return float(value)


def count(name: str, value: int, *, low: int, high: float = math.inf) -> int:
    """Return an int between `low` and `high`, both included; no bool."""
    is_int = isinstance(value, int) and not isinstance(value, bool)
    bounds = f"of at least {low}" if high == math.inf else f"between {low} and {high:g}"
    require(is_int and low <= value <= high, f"{name}: pass an int {bounds}, not {value!r}")
    return value


def flag(name: str, value: bool) -> bool:
    """Return True or False; nothing else is one of them, such as the string ``"false"``."""
    require(isinstance(value, bool), f"{name}: pass True or False, not {value!r}")
    return value


def function(name: str, value: object, *, or_none: bool = False) -> None:
    """Check that an argument can be called, or is None if that is allowed."""
    require(callable(value) or (or_none and value is None), f"{name}: pass a function, not {value!r}")
