"""All pages. A page is one row of a table and a short function beside it."""

from __future__ import annotations

from . import account, codes, passwords, providers, signing, verification
from .visit import Page

PAGES: tuple[Page, ...] = (
    *signing.PAGES,
    *passwords.PAGES,
    *verification.PAGES,
    *codes.PAGES,
    *providers.PAGES,
    *account.PAGES,
)

CURES: dict[str, str] = {**verification.CURES}
"""From the id of a claim's validator to the page on which users can do what the claim asks for."""
