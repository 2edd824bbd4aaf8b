"""The browser of ``tests/browser``, for the deployments that people sign in to."""

from __future__ import annotations

from browser.conftest import (  # noqa: F401  # fixtures
    chromium,
    executable,
    page_folder,
    playwright,
    private_profile,
    visitor,
)
