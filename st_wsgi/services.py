"""What a recipe may reach: the app's settings, the core and the other recipes of the same instance."""

from __future__ import annotations

from typing import Any, TypeVar

from .config import AppInfo
from .core_client.querier import Querier
from .errors import Answerable, ConfigError
from .limits import RateLimit

R = TypeVar("R")


class Services:
    """
    Lives as long as its :class:`~st_wsgi.app.SuperTokens` instance and is shared by all its requests.

    :param app_info: who the app is.
    :param core: the client of the core.
    :param rate_limit: how often somebody may try; None for as often as they like.
    :param trusted_proxies: how many proxies of ours stand in front of the app.
    :param core_in_process: the core is part of this process, and asking it costs microseconds.
    :param password_byte_limit: how many bytes of a password the core's hash looks at; None for all.
    """

    def __init__(
        self,
        *,
        app_info: AppInfo,
        core: Querier,
        rate_limit: RateLimit | None,
        trusted_proxies: int,
        core_in_process: bool,
        password_byte_limit: int | None,
    ) -> None:
        self.app_info = app_info
        self.core = core
        self.rate_limit = rate_limit
        self.trusted_proxies = trusted_proxies
        self.core_in_process = core_in_process
        self.password_byte_limit = password_byte_limit
        self._recipes: dict[type[Any], Any] = {}
        self._answerers: dict[type[Answerable], Any] = {}

    def add(self, recipe: Any) -> None:
        """Make a recipe known, under its class and the bases of that, and as the one that answers its errors."""
        for kind in type(recipe).__mro__:
            self._recipes.setdefault(kind, recipe)
        for error in recipe.answers:
            self._answerers[error] = recipe

    def get(self, kind: type[R]) -> R:
        """
        Return the recipe of this class.

        :raises ConfigError: it is not in the list of recipes.
        """
        found: R | None = self._recipes.get(kind)
        if found is None:
            name = kind.__name__.removesuffix("Recipe")  # SessionRecipe is what parts of the recipe know of Session
            raise ConfigError(f"the recipe {name} is not initialised; add {name}() to recipes")
        return found

    def has(self, recipe_id: str) -> bool:
        """Return whether there is a recipe of this name."""
        return any(recipe.id == recipe_id for recipe in self._recipes.values())

    def answerer(self, error: Answerable) -> Any:
        """Return the recipe that answers *error*, or None."""
        return next((self._answerers[kind] for kind in type(error).__mro__ if kind in self._answerers), None)
