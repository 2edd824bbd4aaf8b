"""From a request line to a row of a recipe's table: one dictionary look-up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

import attrs

from ..errors import ConfigError

PUBLIC_TENANT = "public"

_TENANT_SEGMENT = "(?!appid-)[a-z0-9-]{1,64}"
_TENANT = re.compile(rf"{_TENANT_SEGMENT}\Z")
_RID_ALIASES = {
    "thirdpartyemailpassword": ("thirdparty", "emailpassword"),
    "thirdpartypasswordless": ("thirdparty", "passwordless"),
}


@attrs.frozen
class Route:
    """
    One row of a recipe's table.

    :param path: below the base path, starting with a slash, in the one spelling that is ours.
    :param api: the name of the API method behind it; a row whose API is None is not served.
    :param handler: from the recipe and the request's context to a response.
    :param shared: other recipes may claim the same row; the ``rid`` header chooses.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    api: str
    handler: Callable[[Any, Any], Any]
    shared: bool = False


def spellings(base_path: str, path: str) -> re.Pattern[str]:
    """Return what matches the spellings of a row's path: with and without a tenant and one trailing slash."""
    return re.compile(rf"{re.escape(base_path)}(?:/{_TENANT_SEGMENT})?{re.escape(path)}/?\Z")


@attrs.frozen
class Match:
    """What a request was for: the recipe (an object of ours with an ``id``), the row and the tenant of the path."""

    recipe: Any
    route: Route
    tenant_id: str = PUBLIC_TENANT


class Router:
    """
    The rows of all recipes.

    A path is ours in exactly one spelling, plus one optional trailing slash, so that firewalls and rate limits that
    look at paths cannot be passed by another spelling of the same thing.
    """

    def __init__(self, *, base_path: str, recipes: Iterable[Any]) -> None:
        self.prefix = base_path + "/"
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
        Return what a request is for, or None if it is not ours.

        :param path: PATH_INFO as the server decoded it. The spelling without a tenant wins.
        :param rid: the recipe id header, which decides between recipes that share a row.
        """
        if not path.startswith(self.prefix):
            return None
        rows = self._table.get("GET" if method == "HEAD" else method)
        if rows is None:
            return None
        below = path[len(self.prefix) - 1 :]
        if below.endswith("/"):
            below = below[:-1]
        found = rows.get(below)
        if found is not None:
            return _choose(found, rid)
        tenant_id, slash, rest = below[1:].partition("/")
        found = rows.get("/" + rest) if slash else None
        if found is None or not _TENANT.match(tenant_id):
            return None
        return attrs.evolve(_choose(found, rid), tenant_id=tenant_id)

    def methods(self, path: str) -> tuple[str, ...]:
        """Return the methods for which *path* is ours."""
        return tuple(method for method in self._table if self.match(method=method, path=path, rid=None) is not None)


def _choose(found: tuple[Match, ...], rid: str | None) -> Match:
    if rid is not None and len(found) > 1:
        wanted = _RID_ALIASES.get(rid, (rid,))
        for match in found:
            if match.recipe.id in wanted:
                return match
    return found[0]
