"""Ready pages for signing in and everything that belongs to it, for apps without a frontend SDK."""

from __future__ import annotations

from .forms import ACTION as ACTION, Entry as Entry, alert as alert, form as form, note as note
from .html import Content as Content, Html as Html, h as h
from .protection import FORM_TOKEN as FORM_TOKEN
from .recipe import Pages as Pages
from .settings import Brand as Brand, Field as Field, Frame as Frame, PageParts as PageParts
from .signing import button as button
from .visit import Page as Page, Problem as Problem, Reply as Reply, View as View, Visit as Visit
