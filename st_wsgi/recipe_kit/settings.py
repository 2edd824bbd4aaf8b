"""
Validators for the settings of recipes: each refuses a wrong value with the name of the setting and what it must be.

They are used with attrs fields, ``mode: str = attrs.field(validator=one_of("REQUIRED", "OPTIONAL"))``. The value itself
is shown unless the field says ``repr=False``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from ..errors import ConfigError

Validator: TypeAlias = "Callable[[Any, attrs.Attribute[Any], Any], None]"


def must_be(description: str, accepts: Callable[[Any], bool]) -> Validator:
    """
    Return a validator that refuses what *accepts* does not accept.

    :param description: what the value must be, such as ``a number of seconds``.
    :raises ConfigError: (the validator) ``mode must be REQUIRED or OPTIONAL, not 'maybe'``.
    """

    def validate(_settings: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not accepts(value):
            shown = f", not {value!r}" if attribute.repr else ""
            raise ConfigError(f"{attribute.name} must be {description}{shown}")

    return validate


def one_of(*allowed: object) -> Validator:
    """Accept these values only."""
    return must_be("one of " + ", ".join(str(value) for value in allowed), lambda value: value in allowed)


def a(kind: type[Any], *, or_none: bool = False) -> Validator:
    """Accept instances of a class, such as ``SignUpFeature``, and None if *or_none* is set."""
    description = f"{kind.__name__}(...)" + (" or None" if or_none else "")
    return must_be(description, lambda value: isinstance(value, kind) or (or_none and value is None))


def a_function(of: str, *, or_none: bool = True) -> Validator:
    """Accept functions; *of* says what of, such as ``the request and the user context``."""
    return must_be(f"a function of {of}", lambda value: callable(value) or (or_none and value is None))


def a_number(of: str, *, least: int, most: int) -> Validator:
    """Accept whole numbers from *least* to *most*; *of* is the unit, such as ``seconds``."""
    return must_be(
        f"a number of {of} from {least} to {most}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most,
    )


def a_flag() -> Validator:
    """Accept True and False."""
    return must_be("True or False", lambda value: isinstance(value, bool))
