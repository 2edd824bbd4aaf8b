"""
The calling convention of the functions for users, checked where they are called.

Arguments are passed by keyword, under SuperTokens' names; only a request may be passed by position. A function that
needs a tenant takes ``tenant_id``, by default ``public``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from .errors import ArgumentError
from .users import RecipeUserId

P = ParamSpec("P")
R = TypeVar("R")

_KINDS: dict[str, type[Any]] = {
    "None": type(None),
    "bool": bool,
    "int": int,
    "str": str,
    "list": list,
    "Mapping": Mapping,
    "Iterable": Iterable,
    "RecipeUserId": RecipeUserId,
}
"""The annotations that are checked; a parameter that has any other one in it is not."""

_CURES = {RecipeUserId: "pass RecipeUserId(...) or the id of a login method"}


class Arguments:
    """
    The arguments that a function takes.

    :param function: with annotations as texts, which ``from __future__ import annotations`` makes of them.
    :param is_method: leave out its first parameter.
    :ivar signature: without that parameter.
    :ivar always: the defaults of ``tenant_id`` and ``session``, which overrides always get.
    """

    signature: inspect.Signature
    always: Mapping[str, Any]

    def __init__(self, function: Callable[..., Any], *, is_method: bool = False) -> None:
        parameters = list(inspect.signature(function).parameters.values())[is_method:]
        self.signature = inspect.signature(function).replace(parameters=parameters)
        self._name = function.__name__
        self._by_position = sum(parameter.kind is not parameter.KEYWORD_ONLY for parameter in parameters)
        self._names = frozenset(parameter.name for parameter in parameters)
        self._required = {one.name: None for one in parameters if one.default is one.empty}
        self._kinds = {one.name: kinds for one in parameters if (kinds := _kinds_of(one.annotation))}
        self.always = {
            one.name: one.default
            for one in parameters
            if (one.name == "session" and one.default is None)
            or (one.name == "tenant_id" and isinstance(one.default, str))
        }

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """
        Check the arguments of a call.

        :raises ArgumentError: one is missing, unknown, passed by position, or of another type.
        """
        if len(args) > self._by_position:
            raise ArgumentError(f"{self._name} takes keyword arguments: {self._name}{self._usage()}")
        for name, value in kwargs.items():
            if name not in self._names:
                raise ArgumentError(f"{self._name} has no argument {name!r}: {self._name}{self._usage()}")
            kinds = self._kinds.get(name)
            if kinds is not None and (not isinstance(value, kinds) or (isinstance(value, str) and str not in kinds)):
                raise ArgumentError(self._mismatch(name, kinds, value))
        for name in list(self._required)[len(args) :]:
            if name not in kwargs:
                raise ArgumentError(f"{self._name} needs the argument {name!r}: {self._name}{self._usage()}")

    def _usage(self) -> str:
        shown = (
            f"{one.name}=..." if one.default is one.empty else f"{one.name}={one.default!r}"
            for one in self.signature.parameters.values()
        )
        return f"({', '.join(shown)})"

    def _mismatch(self, name: str, kinds: tuple[type[Any], ...], value: object) -> str:
        wanted = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
        cure = next((f": {_CURES[kind]}" for kind in kinds if kind in _CURES), "")
        return f"{self._name}: {name} must be a {wanted}, not a {type(value).__name__}{cure}"


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return *function* with its arguments checked at every call: a decorator for functions for users."""
    arguments = Arguments(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        arguments.check(args, kwargs)
        return function(*args, **kwargs)

    return call


def _kinds_of(annotation: object) -> tuple[type[Any], ...] | None:
    if not isinstance(annotation, str):
        return None
    kinds = [_KINDS.get(part.partition("[")[0]) for part in annotation.split(" | ")]
    return None if None in kinds else tuple(kind for kind in kinds if kind is not None)
