"""Ready pages for signing in and everything that belongs to it, for apps without a frontend SDK."""

from __future__ import annotations

from .forms import ACTION, Entry, alert, form, note
from .html import Content, Html, h
from .protection import FORM_TOKEN
from .recipe import Pages
from .settings import Brand, Field, Frame, PageParts
from .signing import button
from .visit import Page, Problem, Reply, View, Visit

__all__ = [
    "ACTION",
    "FORM_TOKEN",
    "Brand",
    "Content",
    "Entry",
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
    "alert",
    "button",
    "form",
    "h",
    "note",
]
