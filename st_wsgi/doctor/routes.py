"""The command ``routes``: what is mounted, and what answers it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import attrs

from ..app import SuperTokens
from ..pages import Pages
from ..pages.table import PAGES
from ..request.routing import Route

State = Literal["", "overridden", "disabled"]


@attrs.frozen(kw_only=True)
class Mounted:
    """
    One route.

    :param path: as browsers see it.
    :param answers: the function that answers; empty if the route is disabled.
    :param state: whether the app has replaced the function, or switched the route off.
    :param route: the row of the recipe's table; None for a page.
    :param default: the function that answers unless the app replaces it.
    """

    method: str
    path: str
    recipe: str
    answers: str
    state: State
    route: Route | None = None
    default: Any = None

    def json(self) -> dict[str, str]:
        """Return this route as a JSON object."""
        return {name: getattr(self, name) for name in ("method", "path", "recipe", "answers", "state")}


def mounted(st: SuperTokens) -> list[Mounted]:
    """Return all routes of an instance, by path."""
    return sorted([*_routes(st), *_pages(st)], key=lambda row: (row.path, row.method))


def table(rows: list[Mounted]) -> str:
    """Return the routes as lines for people."""
    cells = [(row.method, row.path, row.recipe, row.answers, row.state) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _routes(st: SuperTokens) -> Iterator[Mounted]:
    for recipe in st.recipes:
        for route in recipe.routes:
            api = getattr(recipe.apis, route.api)
            default = getattr(recipe.apis_class, route.api)
            state: State = "" if getattr(api, "__func__", None) is default else "overridden"
            yield Mounted(
                method=route.method,
                path=st.app_info.public_base_path + route.path,
                recipe=recipe.id,
                answers="" if api is None else _name(api),
                state="disabled" if api is None else state,
                route=route,
                default=default,
            )


def _pages(st: SuperTokens) -> Iterator[Mounted]:
    pages = st.services.find(Pages)
    for page in PAGES if pages is not None else ():
        if pages is None or not pages.has(page.path):
            continue
        for method, show in (("GET", pages.replaced.get(page.path, page.show)), ("POST", page.send)):
            if show is not None:
                yield Mounted(
                    method=method,
                    path=(pages.base_path + page.path) or "/",
                    recipe=pages.id,
                    answers=_name(show),
                    state="overridden" if show not in (page.show, page.send) else "",
                )


def _name(function: Any) -> str:
    """Return the module and the name of a function or another callable."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"
