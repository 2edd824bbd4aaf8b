"""
What every recipe is: a class of functions, a class of APIs, a table of routes, and a class that names them.

Functions and APIs are interface and default implementation in one. Default code never calls its own public methods on
``self`` but goes through ``self.recipe.functions`` and ``self.recipe.apis``, so that everyone sees an override.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from werkzeug.wrappers import Response

from .context import RequestContext
from .errors import Answerable
from .override import Override, compose
from .routing import Route
from .services import Services

C = TypeVar("C")
F = TypeVar("F")
A = TypeVar("A")


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

    def bind(self, services: Services) -> None:
        """
        Become part of an instance: build functions and APIs with their overrides.

        :raises ConfigError: an override is not usable, or a setting does not fit the app's.
        """
        self.services = services
        self.functions = compose(self.functions_class(self), self._override.functions)  # type: ignore[arg-type]
        self.apis = compose(self.apis_class(self), self._override.apis)  # type: ignore[arg-type]

    def answer(self, error: Answerable, context: RequestContext) -> Response:
        """Return the response to one of the errors named in ``answers``."""
        return error.plain_response()

    def close(self) -> None:
        """Release what the recipe holds on to."""
