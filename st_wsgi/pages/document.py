"""The HTML document around a page."""

from __future__ import annotations

from .html import Html, h, joined
from .settings import PageParts
from .visit import View, Visit


def document(visit: Visit, view: View, *, nonce: str | None) -> str:
    """
    Return the HTML document of a page, made by the app's frame if it has one.

    :param nonce: for the page's script.
    """
    pages = visit.pages
    title = view.title if view.status < 400 else visit.text("Error: {title}", title=view.title)
    script = None if view.script is None else h("script", src=view.script, defer=True, nonce=nonce)
    parts = PageParts(
        title=f"{title} · {pages.name}",
        head=joined(h("link", rel="stylesheet", href=pages.base_path + pages.style.path), script),
        body=h("main", h("h1", view.title), view.content, class_="st-page"),
        language=visit.language.code,
        direction=visit.language.direction,
    )
    return _own_frame(visit, parts) if pages.frame is None else pages.frame(parts)


def _own_frame(visit: Visit, parts: PageParts) -> str:
    brand = visit.pages.brand
    logo = None if brand.logo is None else h("img", src=brand.logo, alt="", height="40")
    links = [
        h("a", visit.text(text), href=address)
        for text, address in (("Terms of use", brand.terms), ("Privacy policy", brand.privacy))
        if address is not None
    ]
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("title", parts.title),
        parts.head,
    )
    body = h(
        "body",
        h("header", h("a", logo, h("span", visit.pages.name), href="/"), class_="st-brand"),
        parts.body,
        h("footer", links, class_="st-foot") if links else None,
        class_="st-body",
    )
    return Html("<!doctype html>\n") + h("html", head, body, lang=parts.language, dir=parts.direction)
