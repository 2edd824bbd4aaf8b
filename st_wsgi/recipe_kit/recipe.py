"""
What every recipe is: a class of functions, a class of APIs, a table of routes, and a class that names them.

Functions and APIs are interface and default implementation in one. Default code never calls its own public methods on
``self`` but goes through ``self.recipe.functions`` and ``self.recipe.apis``, so that everyone sees an override.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar

from werkzeug.wrappers import Response

from ..errors import Answerable, ConfigError
from ..request import current
from ..request.context import RequestContext
from ..request.routing import Route
from ..services import Services
from .override import Override, compose

C = TypeVar("C")
F = TypeVar("F")
A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")


class Recipe(Generic[C, F, A]):
    """
    The base of all recipes.

    :cvar id: SuperTokens' name of the recipe, as in the ``rid`` header.
    :cvar requires: recipe classes that must be there too; they are added with their defaults when missing.
    :cvar routes: the rows of the route table.
    :cvar answers: the errors that this recipe answers.
    """

    id: ClassVar[str]
    requires: ClassVar[tuple[type[Any], ...]] = ()
    routes: ClassVar[tuple[Route, ...]] = ()
    answers: ClassVar[tuple[type[Answerable], ...]] = ()
    functions_class: ClassVar[type[Any]]
    apis_class: ClassVar[type[Any]]

    services: Services
    functions: F
    apis: A

    def __init__(self, config: C, override: Override[F, A] | None = None) -> None:
        self.config = config
        self._override: Override[F, A] = Override() if override is None else override

    @property
    def is_bound(self) -> bool:
        """Whether this recipe has become part of an instance; it cannot become part of another one."""
        return hasattr(self, "services")

    def bind(self, services: Services) -> None:
        """
        Become part of an instance: build functions and APIs with their overrides.

        :raises ConfigError: an override is not usable, or a setting does not fit the app's.
        """
        self.services = services
        self.functions = compose(self.functions_class(self), self._override.functions)  # type: ignore[arg-type]
        for name, value in vars(self.functions).items():
            if value is None and hasattr(self.functions_class, name):
                raise ConfigError(f"the function {name!r} of {self.id} cannot be None: only APIs can be switched off")
        self.apis = compose(self.apis_class(self), self._override.apis)  # type: ignore[arg-type]

    def answer(self, error: Answerable, context: RequestContext) -> Response:
        """Return the response to one of the errors named in ``answers``."""
        return error.plain_response()

    def close(self) -> None:
        """Release what the recipe holds on to."""


def user_facing(kind: type[Recipe[Any, F, Any]], function: Callable[Concatenate[F, P], R]) -> Callable[P, R]:
    """
    Return *function*, a method of a recipe's functions class, as a plain function for users.

    It runs the overridden method of the instance in question: that of the request in flight, else the default one.
    """
    name = function.__name__

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        result: R = getattr(current.services().get(kind).functions, name)(*args, **kwargs)
        return result

    signature = inspect.signature(function)
    parameters = tuple(signature.parameters.values())[1:]
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call
