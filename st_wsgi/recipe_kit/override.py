"""How users replace parts of a recipe: functions from an implementation to a new one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar

import attrs

from ..errors import ConfigError

T = TypeVar("T")
F = TypeVar("F")
A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")


def _several(value: Any) -> tuple[Callable[[Any], Any], ...]:
    several = tuple(value) if isinstance(value, Iterable) else (value,)
    for one in several:
        if not callable(one):
            raise ConfigError(f"an override must be a function from the original to a new one, not {one!r}")
    return several


@attrs.frozen(kw_only=True)
class Override(Generic[F, A]):
    """
    What to change in a recipe.

    :param functions: one function, or several, from the recipe's functions to new ones; applied left to right, so the
        last one is outermost.
    :param apis: the same for the APIs behind the routes.
    """

    functions: Callable[[F], F] | Iterable[Callable[[F], F]] = ()
    apis: Callable[[A], A] | Iterable[Callable[[A], A]] = ()

    def __attrs_post_init__(self) -> None:
        # No converters: with one, a type checker would take anything for these arguments.
        object.__setattr__(self, "functions", _several(self.functions))
        object.__setattr__(self, "apis", _several(self.apis))


def replace(original: T, /, **changes: Callable[..., Any] | None) -> T:
    """
    Return a copy of *original* with some of its methods swapped; None switches an API off.

    :raises ConfigError: a name is not one of the original's methods.
    """
    new = copy.copy(original)
    for name, value in changes.items():
        if name.startswith("_") or not callable(getattr(type(original), name, None)):
            raise ConfigError(f"{type(original).__name__} has no method {name!r} to replace")
        if value is not None and not callable(value):
            raise ConfigError(f"the replacement of {name!r} must be callable or None, not {value!r}")
        object.__setattr__(new, name, value)
    return new


def like(model: Callable[P, R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have the type checker hold the decorated function to the signature of *model*."""
    return lambda function: function


def compose(base: T, overrides: Iterable[Callable[[T], T]]) -> T:
    """
    Apply *overrides* left to right.

    :raises ConfigError: one of them returned something of another type.
    """
    for override in overrides:
        new = override(base)
        if not isinstance(new, type(base)):
            raise ConfigError(
                f"an override of {type(base).__name__} returned {type(new).__name__}; return replace(original, ...)"
            )
        base = new
    return base
