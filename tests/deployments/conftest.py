"""
The visitors of ``tests/browser``, for the deployments that people sign in to, and its reports: with a test that failed,
they show what the programs that run have printed last.
"""

from __future__ import annotations

from browser.conftest import (  # noqa: F401  # fixtures and a hook
    page_folder,
    private_profile,
    pytest_runtest_makereport,
    visitor,
)
