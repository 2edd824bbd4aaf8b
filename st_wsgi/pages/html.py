"""HTML that is escaped by default: a text becomes HTML only through :func:`h`, which escapes it."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias, Union

_WITHOUT_END = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Html(str):
    """
    A text that is HTML already. Jinja2, Mako and Django take it as it is, through ``__html__``.

    Everything in it that came from outside went through :func:`h`. Code of your own that makes one has to see to that.
    """

    __slots__ = ()

    def __html__(self) -> Html:
        return self


Content: TypeAlias = Union["Html", str, Iterable["Content"], None]
"""What an element may contain: HTML, texts (which are escaped), nothing, or several of these."""


def h(element: str, *content: Content, **attributes: str | bool | None) -> Html:
    """
    Return an element.

    >>> h("p", "1 < 2", class_="sum", aria_live="polite")
    '<p class="sum" aria-live="polite">1 &lt; 2</p>'
    >>> h("input", name="q", required=True, value=None)
    '<input name="q" required>'

    :param element: its name.
    :param attributes: a trailing underscore is dropped, other underscores become hyphens. True writes the name alone;
        False and None leave the attribute out.
    """
    start = f"<{element}"
    for key, value in attributes.items():
        if value is not None and value is not False:
            start += " " + key.rstrip("_").replace("_", "-")
            start += "" if value is True else f'="{html.escape(value)}"'
    if element in _WITHOUT_END:
        return Html(start + ">")
    return Html(f"{start}>{joined(*content)}</{element}>")


def joined(*content: Content) -> Html:
    """Return contents one after the other, without an element around them."""
    parts: list[str] = []
    for part in content:
        if isinstance(part, Html):
            parts.append(str(part))
        elif isinstance(part, str):
            parts.append(html.escape(part, quote=False))
        elif part is not None:
            parts.append(joined(*part))
    return Html("".join(parts))
