"""All pages. A page is one row of a table and a short function beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import account, codes, factors, passkeys, passwords, providers, signing, verification
from .visit import Page

PAGES: tuple[Page, ...] = (
    *signing.PAGES,
    *passwords.PAGES,
    *verification.PAGES,
    *codes.PAGES,
    *providers.PAGES,
    *account.PAGES,
    *factors.PAGES,
    *passkeys.PAGES,
)

CURES: dict[str, str] = {**verification.CURES, **factors.CURES}
"""From the id of a claim's validator to the page on which users can do what the claim asks for."""

CURE_QUERIES: dict[str, Callable[[Any], dict[str, str]]] = {**factors.CURE_QUERIES}
"""From the id of a claim's validator to a function of its reason: what the address of that page has in addition."""
