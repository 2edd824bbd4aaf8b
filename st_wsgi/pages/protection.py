"""
What keeps other sites out of the pages: the check of forms, and the headers of every page.

A form carries a token that only a page of ours can know: the HMAC of a fixed text under the value of a cookie, which
no script and no other site can read. On https the cookie's name begins with ``__Host-``, so that no other host can set
it. A sign-in and a sign-out replace the cookie, so an older value is useless afterwards. If ``Origin`` or
``Sec-Fetch-Site`` names another site, the form is refused even with a good token.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Mapping, Sequence

from werkzeug.wrappers import Response

from ..recipes.session.transfer import TokenTransfer
from ..request.context import RequestContext
from ..urls import scheme_of

FORM_TOKEN = "st-form-token"
"""The name of the form field with the token."""

_COOKIE = "st-form"
_LIFETIME_MS = 30 * 86_400_000


def is_same_origin(context: RequestContext, origin: str) -> bool:
    """Return whether the browser says that a page of *origin* sent the request. Old browsers may not say it."""
    site = context.header("sec-fetch-site")
    return site == "same-origin" if site is not None else context.header("origin") == origin


class FormProtection:
    """
    The check of the forms of one website.

    :param origin: of the website.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._secure = scheme_of(origin) == "https"
        self._cookie = f"__Host-{_COOKIE}" if self._secure else _COOKIE

    def token(self, context: RequestContext) -> str:
        """Return the token for the forms of a page. A browser without the cookie gets it with the response."""
        return _token(self._value(context) or self.renew(context))

    def renew(self, context: RequestContext) -> str:
        """Give the browser a new cookie, and return its value. The forms of pages that it shows now become invalid."""
        value = secrets.token_urlsafe(32)
        expiry = int(time.time() * 1000) + _LIFETIME_MS
        context.changes.set_cookie(
            self._cookie, value, path="/", domain=None, secure=self._secure, same_site="lax", expires_ms=expiry
        )
        return value

    def accepts(self, context: RequestContext, form: Mapping[str, str]) -> bool:
        """Return whether a form was sent by a page of ours to this browser."""
        site, origin = context.header("sec-fetch-site"), context.header("origin")
        # A page with "no-referrer" sends its forms with the origin "null", as does a frame of another site. Browsers of
        # today tell the two apart by Sec-Fetch-Site; the token does for the others.
        if (site is not None and site != "same-origin") or (
            origin is not None and origin not in (self._origin, "null")
        ):
            return False
        value = self._value(context)
        sent = form.get(FORM_TOKEN, "").encode("utf-8", "surrogatepass")
        return value is not None and hmac.compare_digest(sent, _token(value).encode())

    def _value(self, context: RequestContext) -> str | None:
        values = TokenTransfer.cookies(context, self._cookie)
        return values[0] if len(values) == 1 and len(values[0]) >= 43 else None


def _token(cookie: str) -> str:
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"a form of st_wsgi.pages", "sha256").hexdigest()


class PagePolicy:
    """
    The headers of every page.

    :param sources: what pages may load in addition to our own files, by directive of Content-Security-Policy.
    """

    def __init__(self, sources: Mapping[str, Sequence[str]]) -> None:
        self._sources = sources

    def apply(self, response: Response, *, secret: bool, nonce: str | None) -> None:
        """
        Write the headers.

        :param secret: the address of the page has a token: no other page gets the address as its referrer.
        :param nonce: of the page's script; None if it has no script.
        """
        allowed = {
            "default-src": ["'none'"],
            "style-src": ["'self'"],
            "img-src": ["'self'", "data:"],
            "form-action": ["'self'"],
            "frame-ancestors": ["'none'"],
            "base-uri": ["'none'"],
        }
        if nonce is not None:
            allowed |= {"script-src": [f"'nonce-{nonce}'"], "connect-src": ["'self'"]}
        for directive, sources in self._sources.items():
            known = [source for source in allowed.get(directive, ()) if source != "'none'"]
            allowed[directive] = [*known, *sources]
        headers = response.headers
        headers["Content-Security-Policy"] = "; ".join(f"{name} {' '.join(them)}" for name, them in allowed.items())
        headers["Referrer-Policy"] = "no-referrer" if secret else "same-origin"
        headers["Cache-Control"] = "no-store"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"  # for browsers that do not know frame-ancestors
        headers["Vary"] = "Accept-Language, Cookie"
