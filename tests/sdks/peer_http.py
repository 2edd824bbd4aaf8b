"""
One context for TLS for all calls of the official Python SDK to the core, which is without TLS in the tests.

The SDK makes an HTTP client for every call, and each makes a context of its own: a quarter of all its work.
"""
# mypy: disable-error-code="import-not-found, import-untyped, no-any-unimported"
# (httpx is installed in an environment of its own, where mypy does not look)

from __future__ import annotations

import ssl
from typing import Any

import httpx._transports.default as transports

_context = ssl.create_default_context()


def the_context(**_settings: Any) -> ssl.SSLContext:
    """Stand in for the function of httpx that makes a context."""
    return _context


transports.create_ssl_context = the_context
