"""The state of a sign-in between two pages: texts in a cookie for this host that scripts cannot read."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ..recipes.session.transfer import TokenTransfer
from ..request.context import RequestContext

_LIFETIME = 3600  # seconds


class StateCookie:
    """
    One cookie with texts by name. The texts come back from the browser, so they must be checked like any input.

    :param name: of the cookie, without the prefix that it has on https.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, context: RequestContext, texts: Mapping[str, str]) -> None:
        """Have the browser keep texts for an hour."""
        self._set(context, json.dumps(texts, separators=(",", ":")), int(time.time() + _LIFETIME) * 1000)

    def read(self, context: RequestContext) -> dict[str, str]:
        """Return the texts; an empty dictionary if there are none."""
        values = TokenTransfer.cookies(context, self._full_name(context))
        try:
            texts: Any = json.loads(values[0]) if len(values) == 1 else None
        except (ValueError, RecursionError):
            texts = None
        given = texts if isinstance(texts, dict) else {}
        # No control characters and no lone surrogates: no response could carry them.
        return given if all(isinstance(text, str) and text.isprintable() for text in given.values()) else {}

    def drop(self, context: RequestContext) -> None:
        """Have the browser forget the texts."""
        self._set(context, "", 0)

    def _full_name(self, context: RequestContext) -> str:
        return f"__Host-{self._name}" if self._is_secure(context) else self._name

    @staticmethod
    def _is_secure(context: RequestContext) -> bool:
        return context.services.app_info.api_domain.startswith("https:")

    def _set(self, context: RequestContext, value: str, expires_ms: int) -> None:
        context.changes.set_cookie(
            self._full_name(context),
            value,
            path="/",
            domain=None,
            secure=self._is_secure(context),
            same_site="lax",
            expires_ms=expires_ms,
        )
