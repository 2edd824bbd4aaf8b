"""What a constructor accepts: widened input made one narrow shape, or refused with the remedy."""

from __future__ import annotations

import math
from collections.abc import Collection
from enum import Enum
from typing import Final, Literal

from st_verify.errors import ConfigError


class AnyValue(Enum):
    """The type of `ANY`."""

    ANY = "ANY"

    def __repr__(self) -> str:
        return "ANY"


#: Says that a check is left open on purpose. Nothing is left open by forgetting it.
ANY: Final = AnyValue.ANY
AnyType = Literal[AnyValue.ANY]


def text_set(name: str, value: str | Collection[str] | AnyType) -> frozenset[str] | None:
    """
    One string or several, as a frozen set; `ANY` becomes None.

    :raises ConfigError: for None, an empty collection, an empty or padded string, anything that is no str.
    """
    if value is ANY:
        return None
    strings = [value] if isinstance(value, str) else value
    if not isinstance(strings, (list, tuple, set, frozenset)) or not strings:
        raise ConfigError(f"{name}: give a str, a non-empty list of str, or ANY")
    for string in strings:
        if not isinstance(string, str) or not string or any(c.isspace() for c in string):
            raise ConfigError(f"{name}: every value must be a non-empty str without white space")
    return frozenset(strings)


def issuer_set(value: str | Collection[str] | AnyType) -> frozenset[str] | None:
    """
    Like `text_set`; also refuses what looks like two URLs in one string.

    :raises ConfigError: see above.
    """
    issuers = text_set("issuer", value)
    for issuer in issuers or ():
        if "," in issuer or ";" in issuer or issuer.count("://") > 1:
            raise ConfigError("issuer: several issuers are given as a list, not in one str")
    return issuers


def seconds(name: str, value: float, *, low: float, high: float) -> float:
    """
    A finite number of seconds between `low` and `high`, both included.

    :raises ConfigError: otherwise, also for bool and NaN.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(f"{name}: must be a finite number of seconds")
    if not low <= value <= high:
        raise ConfigError(f"{name}: must lie between {low:g} and {high:g} seconds")
    return float(value)


def count(name: str, value: int, *, low: int) -> int:
    """
    An int of at least `low`.

    :raises ConfigError: otherwise, also for bool.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ConfigError(f"{name}: must be an int of at least {low}")
    return value
