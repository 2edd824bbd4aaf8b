"""What a recipe may use: the app's settings, the core, and the other recipes of the same instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from .config import AppInfo
from .core_client.querier import Querier
from .core_client.transport import Transport
from .errors import Answerable, ConfigError
from .events import OnSecurityEvent
from .languages import ENGLISH, Language
from .limits import Limiter

R = TypeVar("R")


@attrs.define(kw_only=True, eq=False, repr=False)
class Services:
    """
    Lives as long as its :class:`~st_wsgi.app.SuperTokens` instance and is shared by all its requests.

    :param app_info: the app's name and addresses.
    :param core: the client of the core.
    :param transport: what the client of the core sends its calls with.
    :param limiter: limits attempts, and knows where requests come from.
    :param on_security_event: gets security events.
    :ivar language_of: from the context of a request to the language of the messages that it sends.
    """

    app_info: AppInfo
    core: Querier
    transport: Transport
    limiter: Limiter
    on_security_event: OnSecurityEvent | None
    language_of: Callable[[Any], Language] = attrs.field(init=False, default=lambda _context: ENGLISH)
    _recipes: dict[type[Any], Any] = attrs.field(init=False, factory=dict)
    _functions: dict[type[Any], Any] = attrs.field(init=False, factory=dict)
    _answerers: dict[type[Answerable], Any] = attrs.field(init=False, factory=dict)
    _shared: dict[type[Any], Any] = attrs.field(init=False, factory=dict)

    def add(self, recipe: Any) -> None:
        """Register a recipe under its class and the bases of that, and for the errors that it answers."""
        for kind in type(recipe).__mro__:
            self._recipes.setdefault(kind, recipe)
        for error in recipe.answers:
            self._answerers[error] = recipe

    def add_functions(self, functions: object) -> None:
        """Register the functions of a recipe, with their overrides, under their class and the bases of that."""
        for kind in type(functions).__mro__:
            self._functions.setdefault(kind, functions)

    def get(self, kind: type[R]) -> R:
        """
        Return the recipe of this class.

        :raises ConfigError: the app does not have it.
        """
        recipe = self.find(kind)
        if recipe is None:
            raise ConfigError(f"the recipe {kind.__name__} is not initialised; add {kind.__name__}() to recipes")
        return recipe

    def find(self, kind: type[R]) -> R | None:
        """Return the recipe of this class, or None if the app does not have it."""
        recipe: R | None = self._recipes.get(kind)
        return recipe

    def functions(self, kind: type[R]) -> R:
        """
        Return the functions of this class, with the app's overrides: for modules below the recipe class itself.

        :raises ConfigError: the app does not have the recipe.
        """
        functions: R | None = self._functions.get(kind)
        if functions is None:
            name = kind.__name__.removesuffix("Functions")
            raise ConfigError(f"the recipe {name} is not initialised; add {name}() to recipes")
        return functions

    def shared(self, kind: type[R]) -> R:
        """Return the object of this class that all recipes share. It is closed with the instance."""
        if kind not in self._shared:
            self._shared[kind] = kind()
        shared: R = self._shared[kind]
        return shared

    def close(self) -> None:
        """Close what recipes share, and then the connections to the core."""
        for shared in self._shared.values():
            shared.close()
        self.transport.close()

    def has(self, recipe_id: str) -> bool:
        """Return whether the app has the recipe of this name, such as ``emailpassword``."""
        return self.named(recipe_id) is not None

    def named(self, recipe_id: str) -> Any:
        """Return the recipe of this name, such as ``emailpassword``, or None if the app does not have it."""
        return next((recipe for recipe in self._recipes.values() if recipe.id == recipe_id), None)

    def answerer(self, error: Answerable) -> Any:
        """Return the recipe that answers *error*, or None."""
        return next((self._answerers[kind] for kind in type(error).__mro__ if kind in self._answerers), None)
