"""Shops with pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from recipes.conftest import clock, core, shared_core, timed_core, timed_shared_core
from recipes.shop import API, Borrowed, Shop, no_mail

from st_wsgi.pages import Pages
from st_wsgi.recipes.emailpassword import EmailPassword
from website.person import Person

__all__ = ["clock", "core", "shared_core", "timed_core", "timed_shared_core"]

Open = Callable[..., Shop]


def with_pages(core: Borrowed, *more: Any, pages: Pages | None = None, **settings: Any) -> Shop:
    """Return a shop whose website is the app itself, with e-mail and password, and more recipes."""
    listed = more or (EmailPassword(email_delivery=no_mail),)
    settings["app_info"] = {"website_domain": API, **settings.get("app_info", {})}
    return Shop(core, recipes=[*listed, pages or Pages()], **settings)


@pytest.fixture
def shop(core: Borrowed) -> Shop:
    return with_pages(core)


@pytest.fixture
def person(shop: Shop) -> Person:
    return Person(shop)
