"""
Checks of settings and arguments: each refuses a wrong value with the name of the setting and what it must be.

They are validators of attrs fields, ``mode: str = attrs.field(validator=one_of("REQUIRED", "OPTIONAL"))``, and check
other arguments by :meth:`Check.argument`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs

from .errors import ConfigError


@attrs.frozen
class Check:
    """
    A check of one value.

    ::

        a_number("seconds", least=1, most=86_400).argument("max_age", 600)

    :param description: what the value must be, such as ``a number of seconds``.
    :param accepts: return whether a value is good.
    """

    description: str
    accepts: Callable[[Any], bool]

    def __call__(self, _owner: object, attribute: attrs.Attribute[Any], value: object) -> None:
        """Check an attrs field. The message shows the value, unless the field says ``repr=False``."""
        self.argument(attribute.name, value, shown=bool(attribute.repr))

    def argument(self, name: str, value: object, *, shown: bool = True) -> None:
        """
        Check an argument.

        :param shown: show the value in the message; False for secrets.
        :raises ConfigError: ``mode must be REQUIRED or OPTIONAL, not 'maybe'``.
        """
        if not self.accepts(value):
            raise ConfigError(f"{name} must be {self.description}" + (f", not {value!r}" if shown else ""))


def one_of(*allowed: object) -> Check:
    """Accept these values only."""
    return Check("one of " + ", ".join(str(value) for value in allowed), lambda value: value in allowed)


def a(kind: type[Any], *, or_none: bool = False) -> Check:
    """Accept instances of a class, such as ``SignUpFeature``, and None if *or_none* is set."""
    description = f"{kind.__name__}(...)" + (" or None" if or_none else "")
    return Check(description, lambda value: isinstance(value, kind) or (or_none and value is None))


def a_function(of: str, *, or_none: bool = True) -> Check:
    """Accept functions, also objects that can be called, but no classes; *of* says what of, such as ``the request``."""
    return Check(
        f"a function of {of}",
        lambda value: (callable(value) and not isinstance(value, type)) or (or_none and value is None),
    )


def a_number(of: str, *, least: int, most: int) -> Check:
    """Accept whole numbers from *least* to *most*; *of* is the unit, such as ``seconds``."""
    return Check(
        f"a number of {of} from {least} to {most}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most,
    )


def above_zero() -> Check:
    """Accept finite numbers above zero, such as timeouts."""
    return Check(
        "a number above zero",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf,
    )


def a_flag() -> Check:
    """Accept True and False."""
    return Check("True or False", lambda value: isinstance(value, bool))


def a_list(of: str, *, kind: type[Any] = object, least: int = 0) -> Check:
    """Accept lists, tuples and sets of a *kind*, but no single text; *of* says of what, such as ``recipes``."""
    return Check(
        f"a list of {of}",
        lambda value: (
            isinstance(value, list | tuple | set | frozenset)
            and len(value) >= least
            and all(isinstance(item, kind) for item in value)
        ),
    )
