"""How an app replaces parts of a recipe: with functions from an implementation to a new one."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar

import attrs

from ..errors import ConfigError

T = TypeVar("T")
F = TypeVar("F")
A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")


def _as_tuple(name: str, value: Any) -> tuple[Callable[[Any], Any], ...]:
    overrides = tuple(value) if isinstance(value, Iterable) else (value,)
    for override in overrides:
        if not callable(override):
            raise ConfigError(
                f"{name} of Override must be a function from the original to a new one, or a list of them, "
                f"not {override!r}"
            )
    return overrides


@attrs.frozen(kw_only=True)
class Override(Generic[F, A]):
    """
    Replacements in a recipe::

        def without_email_exists(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
            return replace(original, email_exists_get=None)

        EmailPassword(override=Override(apis=without_email_exists))

    :param functions: a function from the recipe's functions to new ones, or several; they are applied left to right, so
        that the last one is outermost. See :func:`replace`.
    :param apis: the same for the APIs behind the routes.
    """

    functions: Callable[[F], F] | Iterable[Callable[[F], F]] = ()
    apis: Callable[[A], A] | Iterable[Callable[[A], A]] = ()

    def __attrs_post_init__(self) -> None:
        # No converters: with one, a type checker would take anything for these arguments.
        object.__setattr__(self, "functions", _as_tuple("functions", self.functions))
        object.__setattr__(self, "apis", _as_tuple("apis", self.apis))


def replace(original: T, /, **changes: Callable[..., Any] | None) -> T:
    """
    Return a copy of *original* with some of its methods replaced; None switches an API off.

    ::

        def audited(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
            @like(original.sign_in)
            def sign_in(*, email, password, session, tenant_id):
                result = original.sign_in(email=email, password=password, session=session, tenant_id=tenant_id)
                logging.info("sign-in: %s", result.status)
                return result

            return replace(original, sign_in=sign_in)

    :raises ConfigError: a name is not one of the original's methods, which the message lists; or a function does not
        take the arguments of the method that it replaces.
    """
    names = sorted(
        name for name in dir(type(original)) if not name.startswith("_") and callable(getattr(type(original), name))
    )
    new = copy.copy(original)
    for name, value in changes.items():
        if name not in names:
            raise ConfigError(f"{type(original).__name__} has no method {name!r} to replace; it has {', '.join(names)}")
        if value is not None and not callable(value):
            raise ConfigError(f"the replacement of {name!r} must be callable or None, not {value!r}")
        missing = [] if value is None else _not_taken(value, getattr(type(original), name))
        if missing:
            raise ConfigError(f"the replacement of {name!r} does not take the argument {', '.join(missing)}")
        object.__setattr__(new, name, value)
    return new


def _not_taken(function: Callable[..., Any], method: Callable[..., Any]) -> list[str]:
    """Return the arguments of a method that a function does not take."""
    try:
        taken = inspect.signature(function).parameters.values()
    except ValueError:  # a built-in function
        return []
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken):
        return []
    names = {parameter.name for parameter in taken}
    return [
        name
        for name, parameter in list(inspect.signature(method).parameters.items())[1:]
        if parameter.kind is parameter.KEYWORD_ONLY and name not in names
    ]


def like(model: Callable[P, R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """
    Have the type checker hold the decorated function to the signature of *model*. At run time this does nothing.

    ::

        def marked(original: SessionFunctions) -> SessionFunctions:
            @like(original.revoke_session)
            def revoke_session(*, session_handle):
                return original.revoke_session(session_handle=session_handle)

            return replace(original, revoke_session=revoke_session)
    """
    return lambda function: function


def compose(base: T, overrides: Any) -> T:
    """
    Apply *overrides*, those of an :class:`Override`, from left to right.

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
