"""From a request line to a row of a recipe's table: one dictionary look-up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import attrs

from ..errors import ConfigError
from ..grammar import TENANT_ID
from ..users import PUBLIC_TENANT

Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]

_METHODS = ("GET", "POST", "PUT", "DELETE")
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
_RID_ALIASES = {
    "thirdpartyemailpassword": ("thirdparty", "emailpassword"),
    "thirdpartypasswordless": ("thirdparty", "passwordless"),
}


@attrs.frozen
class Route:
    """
    One row of a recipe's table.

    :param path: below the base path, starting with a slash, in its only spelling.
    :param api: the name of the API method behind it; a row whose API is None is not served.
    :param handler: from the recipe's APIs and the request's context to a result, which becomes JSON, or to a response.
    :param shared: other recipes may have the same row; the ``rid`` header chooses.
    :param alias_of: the path that this one is an older name of; attempts on both are counted together.
    :raises ConfigError: the method or the path is not usable.
    """

    method: Method
    path: str
    api: str
    handler: Callable[[Any, Any], Any]
    shared: bool = False
    alias_of: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.method not in _METHODS or not _PATH.fullmatch(self.path):
            raise ConfigError(f"not a route: {self.method} {self.path}")


def spellings(base_path: str, path: str) -> re.Pattern[str]:
    """Return a pattern of the spellings of a row's path: with and without a tenant and one trailing slash."""
    return re.compile(rf"{re.escape(base_path)}(?:/{TENANT_ID.pattern})?{re.escape(path)}/?\Z")


@attrs.frozen
class Match:
    """The row that a request is for: the recipe (with an ``id`` and ``apis``), the row, and the tenant of the path."""

    recipe: Any
    route: Route
    tenant_id: str = PUBLIC_TENANT


class Router:
    """
    The rows of all recipes.

    A path is ours in exactly one spelling, plus one optional trailing slash, so that firewalls and rate limits that
    look at paths cannot be bypassed by another spelling.

    :param base_path: the API's base path.
    :param recipes: with ``id``, ``routes`` and ``apis``.
    :param pages: the base path of the pages, if the app has ours.
    :ivar prefix: of all paths that can be ours.
    :raises ConfigError: two recipes have the same row.
    """

    prefix: str

    def __init__(self, *, base_path: str, recipes: Iterable[Any], pages: str | None = None) -> None:
        self._base = base_path + "/"
        self.prefix = self._base
        if pages is not None:
            self.prefix = pages if self._base.startswith(f"{pages}/") else ""
        self._table: dict[str, dict[str, tuple[Match, ...]]] = {}
        for recipe in recipes:
            for route in recipe.routes:
                if getattr(recipe.apis, route.api) is not None:
                    self._add(Match(recipe, route))

    def _add(self, match: Match) -> None:
        rows = self._table.setdefault(match.route.method, {})
        others = rows.get(match.route.path, ())
        if others and not all(other.route.shared for other in (*others, match)):
            raise ConfigError(
                f"the recipes {others[0].recipe.id} and {match.recipe.id} both claim "
                f"{match.route.method} {match.route.path}"
            )
        rows[match.route.path] = (*others, match)

    def match(self, *, method: str, path: str, rid: str | None) -> Match | None:
        """
        Return the row that a request is for, or None if the request is the app's.

        :param path: PATH_INFO as the server decoded it. The spelling without a tenant wins.
        :param rid: the recipe id header, which decides between recipes that share a row.
        """
        if not path.startswith(self._base):
            return None
        rows = self._table.get("GET" if method == "HEAD" else method)
        if rows is None:
            return None
        below = path[len(self._base) - 1 :]
        if below.endswith("/"):
            below = below[:-1]
        matches = rows.get(below)
        if matches is not None:
            return _choose(matches, rid)
        tenant_id, slash, rest = below[1:].partition("/")
        matches = rows.get("/" + rest) if slash else None
        if matches is None or not TENANT_ID.fullmatch(tenant_id):
            return None
        return attrs.evolve(_choose(matches, rid), tenant_id=tenant_id)

    def methods(self, path: str) -> tuple[str, ...]:
        """Return the methods with which *path* is ours."""
        return tuple(method for method in self._table if self.match(method=method, path=path, rid=None) is not None)


def _choose(matches: tuple[Match, ...], rid: str | None) -> Match:
    if rid is not None and len(matches) > 1:
        wanted = _RID_ALIASES.get(rid, (rid,))
        for match in matches:
            if match.recipe.id in wanted:
                return match
    return matches[0]
