"""Ready pages for signing in and everything that belongs to it, for apps without a frontend SDK."""

from __future__ import annotations

from .html import Content, Html, h
from .recipe import Pages
from .settings import Brand, Field, Frame, PageParts
from .visit import Page, Problem, Reply, View, Visit

__all__ = [
    "Brand",
    "Content",
    "Field",
    "Frame",
    "Html",
    "Page",
    "PageParts",
    "Pages",
    "Problem",
    "Reply",
    "View",
    "Visit",
    "h",
]
