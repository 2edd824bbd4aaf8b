"""
Anti-CSRF for tokens that came in a cookie: the browser sends cookies by itself, so a request that changes
something must also show what only a script of the app could have added.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from enum import Enum
from typing import Any

from st_verify.errors import ConfigError, TryRefresh
from st_verify.token import AccessToken

#: Methods that change nothing.
SAFE_METHODS = ("GET", "HEAD")


class CsrfMode(Enum):
    """How the auth server protects its sessions; this must be its mode too. There is no default."""

    #: No check: the cookies' SameSite attribute keeps foreign sites out.
    NONE = "NONE"
    #: A ``rid`` header must be there and not empty.
    VIA_CUSTOM_HEADER = "VIA_CUSTOM_HEADER"
    #: The ``anti-csrf`` header must equal the claim ``antiCsrfToken``.
    VIA_TOKEN = "VIA_TOKEN"


class CsrfRules:
    """
    :param mode: see `CsrfMode`.
    :param safe_methods: exempt methods, exact and upper-case; empty checks every method.
    :param allowed_origins: None: not asked. Otherwise a cross-site request (``Sec-Fetch-Site``, or, where the browser
        sends none, ``Origin``) must come from one of these, ``https://app.example.com``, in any mode.
    :raises ConfigError: otherwise.
    """

    def __init__(
        self, mode: CsrfMode, *, safe_methods: Collection[str], allowed_origins: Collection[str] | None
    ) -> None:
        if not isinstance(mode, CsrfMode):
            raise ConfigError("csrf: say CsrfMode.NONE, VIA_CUSTOM_HEADER or VIA_TOKEN, as your auth server is set")
        if isinstance(safe_methods, str) or not set(safe_methods) <= {"GET", "HEAD"}:
            raise ConfigError("csrf_safe_methods: a subset of GET and HEAD")
        if allowed_origins is not None and (
            isinstance(allowed_origins, str) or not all("://" in origin for origin in allowed_origins)
        ):
            raise ConfigError("allowed_origins: a list such as ['https://app.example.com']")
        self._mode = mode
        self._safe_methods = frozenset(safe_methods)
        self._allowed_origins = None if allowed_origins is None else frozenset(allowed_origins)

    def check_headers(self, environ: dict[str, Any]) -> None:
        """
        What can be judged before the token is verified.

        :raises TryRefresh: refused.
        """
        if environ["REQUEST_METHOD"] in self._safe_methods:
            return
        if self._allowed_origins is not None:
            origin = environ.get("HTTP_ORIGIN")
            site = environ.get("HTTP_SEC_FETCH_SITE")
            foreign = site == "cross-site" or (site is None and origin is not None)
            if foreign and origin not in self._allowed_origins:
                raise TryRefresh("csrf_origin")
        if self._mode is CsrfMode.VIA_CUSTOM_HEADER and not environ.get("HTTP_RID"):
            raise TryRefresh("csrf_header")

    def check_token(self, environ: dict[str, Any], token: AccessToken) -> None:
        """
        What needs the verified token.

        :raises TryRefresh: refused.
        """
        if self._mode is not CsrfMode.VIA_TOKEN or environ["REQUEST_METHOD"] in self._safe_methods:
            return
        given = environ.get("HTTP_ANTI_CSRF", "").encode("utf-8", "surrogateescape")
        expected = (token.anti_csrf_token or "").encode("utf-8")
        if not expected or not hmac.compare_digest(given, expected):
            raise TryRefresh("csrf_token")
