"""All pages. A page is one row of a table and a short function beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import (
    account,
    account_keys,
    codes,
    factor_logins,
    factors,
    passkeys,
    passwords,
    providers,
    signing,
    verification,
)
from .visit import Page

PAGES: tuple[Page, ...] = (
    *signing.PAGES,
    *passwords.PAGES,
    *verification.PAGES,
    *codes.PAGES,
    *providers.PAGES,
    *account.PAGES,
    *account_keys.PAGES,
    *factors.PAGES,
    *factor_logins.PAGES,
    *passkeys.PAGES,
)

CLAIM_PAGES: dict[str, str] = {**verification.CLAIM_PAGES, **factors.CLAIM_PAGES}
"""From the id of a claim's validator to the page where users can satisfy the claim."""

CLAIM_QUERIES: dict[str, Callable[[Any], dict[str, str]]] = {**factors.CLAIM_QUERIES}
"""From the id of a claim's validator to a function that makes a query for that page from the reason of the error."""
