"""
What a recipe is: its settings, a class of functions, a class of APIs, and a table of routes.

Functions and APIs are interface and default implementation in one. Default code never calls its own public methods on
``self`` but on ``self.functions``, the functions with the app's overrides, so that every caller gets an override.

A recipe has two classes. The first one, a subclass of :class:`Settings`, has the settings and all that the functions
and APIs use. The second one inherits from it and from :class:`Recipe`, and adds the classes of functions and APIs and
the routes. One class alone would be a circular import: it needs the functions and APIs, and they need its settings. See
``recipes/emailpassword``.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar

import attrs
from werkzeug.wrappers import Response

from ..arguments import Arguments
from ..core_client.querier import Querier
from ..errors import Answerable, ConfigError
from ..request import current
from ..request.context import RequestContext
from ..request.routing import Route
from ..services import Services
from .override import Override, compose

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
R = TypeVar("R")

Requires: TypeAlias = "tuple[type[Recipe[Any, Any]], ...]"
Answers: TypeAlias = tuple[type[Answerable], ...]


@attrs.define(kw_only=True, eq=False, slots=False)
class Settings:
    """
    The settings of a recipe, and the instance that it is part of.

    Settings are attrs fields. They are written once, with a type, a default and a validator of
    :mod:`~st_wsgi.checks`; they are the constructor's keyword arguments and appear in the repr, unless
    the field says ``repr=False`` because it holds a secret. What is made of them and of the app's settings is a field
    with ``init=False``, which a subclass sets in :meth:`bind`.

    :cvar id: SuperTokens' name of the recipe, as in the ``rid`` header.
    :ivar services: of the instance, once the recipe is part of one.
    :ivar core: the client of the core for the calls of this recipe.
    """

    id: ClassVar[str]

    services: Services = attrs.field(init=False, repr=False)
    core: Querier = attrs.field(init=False, repr=False)
    _functions: Any = attrs.field(init=False, repr=False)
    _apis: Any = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        """
        Become part of an instance. A subclass calls this first.

        :raises ConfigError: a setting does not fit the app's.
        """
        self.services = services
        self.core = services.core.of_recipe(self.id)


S = TypeVar("S", bound=Settings)


class Functions(Generic[S]):
    """
    The functions of a recipe: the interface that overrides replace, and the default implementation.

    :ivar recipe: the recipe's settings and services.
    """

    recipe: S

    def __init__(self, recipe: S) -> None:
        self.recipe = recipe

    @property
    def functions(self) -> Self:
        """The functions of the recipe with the app's overrides, through which they call each other."""
        functions: Self = self.recipe._functions
        return functions

    @property
    def core(self) -> Querier:
        """The client of the core."""
        return self.recipe.core

    @property
    def context(self) -> RequestContext:
        """The request in flight, or a context of no request, to record security events with."""
        return current.context_for(self.recipe.services)


F = TypeVar("F", bound=Functions[Any])


class APIs(Generic[S, F]):
    """
    The APIs behind the routes of a recipe: interface and default implementation.

    An override may be None, which switches the route off.

    :ivar recipe: the recipe's settings and services.
    """

    recipe: S

    def __init__(self, recipe: S) -> None:
        self.recipe = recipe

    @property
    def functions(self) -> F:
        """The functions of the recipe with the app's overrides."""
        functions: F = self.recipe._functions
        return functions


class NoAPIs(APIs[Any, Any]):
    """The APIs of a recipe without routes."""


A = TypeVar("A", bound=APIs[Any, Any])


def _override(_recipe: object, _attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, Override):
        raise ConfigError(f"override must be Override(functions=..., apis=...), not a {type(value).__name__}")


@attrs.define(kw_only=True, eq=False, slots=False)
class Recipe(Settings, Generic[F, A]):
    """
    The base of all recipes.

    ::

        class Notes(Functions[Settings]):
            def first(self, *, user_id: str) -> str:
                return f"a note of {user_id}"

        @attrs.define(kw_only=True, eq=False, slots=False)
        class NotesRecipe(Recipe[Notes, NoAPIs]):
            id = "notes"

        first = user_facing(NotesRecipe, Notes.first)

    :param override: replacements of functions and APIs.
    :cvar requires: recipes that this one needs; they are added with their defaults when the app does not list them.
    :cvar follows: recipes that are bound before this one if the app lists them.
    :cvar routes: the rows of the route table.
    :cvar answers: the errors that this recipe answers.
    :cvar serves_pages: it has methods ``serves`` and ``serve`` for pages that it shows to users.
    """

    requires: ClassVar[Requires] = ()
    follows: ClassVar[Requires] = ()
    routes: ClassVar[tuple[Route, ...]] = ()
    answers: ClassVar[Answers] = ()
    serves_pages: ClassVar[bool] = False
    functions_class: ClassVar[type[Functions[Any]]]
    apis_class: ClassVar[type[APIs[Any, Any]]]

    override: Override[F, A] | None = attrs.field(default=None, validator=_override)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the classes from ``Recipe[Functions, APIs]``, and check that every route has an API."""
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            parameters = typing.get_args(base)
            if typing.get_origin(base) is Recipe and all(isinstance(parameter, type) for parameter in parameters):
                cls.functions_class, cls.apis_class = parameters
        for route in cls.routes:
            if not callable(getattr(cls.apis_class, route.api, None)):
                raise ConfigError(f"{cls.apis_class.__name__} has no API {route.api!r} for {route.method} {route.path}")

    @property
    def functions(self) -> F:
        """The functions, with overrides."""
        functions: F = self._functions
        return functions

    @property
    def apis(self) -> A:
        """The APIs, with overrides."""
        apis: A = self._apis
        return apis

    @property
    def is_bound(self) -> bool:
        """Whether this recipe is part of an instance; it cannot become part of another one."""
        return hasattr(self, "services")

    def bind(self, services: Services) -> None:
        """
        Become part of an instance: build the functions and APIs with their overrides.

        :raises ConfigError: an override is not usable, or a setting does not fit the app's.
        """
        super().bind(services)
        override: Override[Any, Any] = self.override or Override()
        self._functions = compose(self.functions_class(self), override.functions)
        for name, value in vars(self._functions).items():
            if value is None and hasattr(self.functions_class, name):
                raise ConfigError(f"the function {name!r} of {self.id} cannot be None: only APIs can be switched off")
        self._apis = compose(self.apis_class(self), override.apis)
        services.add_functions(self._functions)

    def answer(self, error: Answerable, context: RequestContext) -> Response:
        """Return the response to one of the errors named in ``answers``."""
        return error.plain_response()


def user_facing(kind: type[Recipe[F, Any]], function: Callable[Concatenate[F, P], R]) -> Callable[P, R]:
    """
    Return *function*, a method of a recipe's functions class, as a plain function for users.

    It calls the method with the app's overrides, of the instance that serves the request in flight, else of the default
    instance. Overrides always get ``tenant_id`` and ``session``, so that they need no defaults for them.
    """
    name = function.__name__
    arguments = Arguments(function, is_method=True)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        arguments.check(args, kwargs)
        for argument, default in arguments.always.items():
            kwargs.setdefault(argument, default)
        result: R = getattr(current.services().get(kind).functions, name)(*args, **kwargs)
        return result

    call.__signature__ = arguments.signature  # type: ignore[attr-defined]
    # Its place for help() and tracebacks is the package of the recipe.
    call.__module__, call.__qualname__ = kind.__module__.rpartition(".")[0], name
    return call
