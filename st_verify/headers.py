"""
What the headers of a request say: its tokens, and whether another site may have sent it.

Each header has exactly one meaning. Standard cookie parsers merge duplicates, decode names, and can be made to take
quadratic time. Here names are exact and case-sensitive, duplicates stay visible, and the time is linear in a header of
limited length.

A browser sends cookies by itself, so a request with a token in a cookie that changes something must also have a header
that only a script of the app can add (anti-CSRF).
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any
from urllib.parse import unquote

from st_verify.errors import TryRefresh
from st_verify.settings import require, text_list
from st_verify.token import AccessToken

#: Methods that change nothing.
SAFE_METHODS = ("GET", "HEAD")
#: Longest Cookie header that is read, in characters.
MAX_COOKIE_HEADER = 16_384
_MAX_AUTHORIZATION = MAX_COOKIE_HEADER + 64


def bearer_token(authorization: str) -> str | None:
    """
    Return the token of an ``Authorization`` header: scheme Bearer in any case (RFC 9110 11.1), then exactly one word.

    >>> bearer_token("Bearer abc")
    'abc'

    :returns: None for another scheme, for several words, and for several values joined by a comma.
    """
    if len(authorization) > _MAX_AUTHORIZATION or authorization[:7].lower() not in ("bearer ", "bearer\t"):
        return None
    word = authorization[7:].strip(" \t")
    # This runs for every request, so it does not look at each character: the parser of the token does.
    one_word = word.isascii() and " " not in word and "\t" not in word and "," not in word
    return word if word and one_word else None


def cookie_values(header: str, name: str) -> list[str]:
    """
    Return all values of the cookie `name` in a raw ``Cookie`` header, in order.

    One pair of double quotes is stripped, then percent-encoding is undone once. A header that is longer than
    `MAX_COOKIE_HEADER` counts as empty.

    >>> cookie_values("a=1; b=2; a=3", "a")
    ['1', '3']
    """
    if len(header) > MAX_COOKIE_HEADER:
        return []
    start = name + "="
    before, separator, after = header.partition(start)
    if not separator:
        return []
    value, _, rest = after.partition(";")
    if start not in rest and (not before or before.endswith("; ")) and "%" not in value and '"' not in value:
        return [value.strip(" \t")]  # the form that browsers send, handled fast since this runs for every request
    pairs = (pair.partition("=") for pair in header.split(";"))
    return [_decoded(value) for key, separator, value in pairs if separator and key.lstrip(" \t") == name]


def _decoded(value: str) -> str:
    value = value.strip(" \t")
    if value[:1] == '"' and len(value) >= 2 and value[-1] == '"':
        value = value[1:-1]
    return unquote(value) if "%" in value else value


class CsrfMode(Enum):
    """How the auth server protects its sessions. Use the same mode here; there is no default."""

    #: No check. The SameSite attribute of the cookies keeps other sites out.
    NONE = "NONE"
    #: The request must have a header ``rid`` that is not empty.
    VIA_CUSTOM_HEADER = "VIA_CUSTOM_HEADER"
    #: The header ``anti-csrf`` must equal the claim ``antiCsrfToken``.
    VIA_TOKEN = "VIA_TOKEN"


class CsrfRules:
    """
    The anti-CSRF rules of one app.

    :param mode: see `CsrfMode`.
    :param safe_methods: methods without a check, of GET and HEAD.
    :param allowed_origins: None for any. Otherwise a cross-site request must come from one of these origins, such as
        ``https://app.example.com``, in every mode. Cross-site is what ``Sec-Fetch-Site`` says, or, if the browser does
        not send that, any request with an ``Origin``.
    :raises SettingError: one of them is malformed.
    """

    def __init__(
        self, mode: CsrfMode, *, safe_methods: Collection[str], allowed_origins: Collection[str] | None
    ) -> None:
        modes = "CsrfMode.NONE, CsrfMode.VIA_CUSTOM_HEADER or CsrfMode.VIA_TOKEN"
        require(isinstance(mode, CsrfMode), f"csrf: pass {modes}, the mode of your auth server")
        self._mode = mode
        self._safe_methods = text_list("csrf_safe_methods", safe_methods, "GET|HEAD", "pass GET and HEAD, one or none")
        self._allowed_origins: frozenset[str] | None = None
        if allowed_origins is not None:
            form, cure = r"[a-z][a-z0-9+.-]*://[^/?#\s]+", "pass origins such as 'https://app.example.com'"
            self._allowed_origins = text_list("allowed_origins", allowed_origins, form, cure)

    def check_headers(self, environ: Mapping[str, Any]) -> None:
        """Check the headers, before the token is verified. Raises `TryRefresh` if another site may have sent them."""
        if environ["REQUEST_METHOD"] in self._safe_methods:
            return
        if self._allowed_origins is not None:
            origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE")
            is_foreign = site == "cross-site" or (site is None and origin is not None)
            if is_foreign and origin not in self._allowed_origins:
                raise TryRefresh("csrf_origin")
        if self._mode is CsrfMode.VIA_CUSTOM_HEADER and not environ.get("HTTP_RID"):
            raise TryRefresh("csrf_header")

    def check_token(self, environ: Mapping[str, Any], token: AccessToken) -> None:
        """Check the anti-CSRF token, after the access token is verified. Raises as `check_anti_csrf_token`."""
        if self._mode is CsrfMode.VIA_TOKEN and environ["REQUEST_METHOD"] not in self._safe_methods:
            check_anti_csrf_token(token, environ.get("HTTP_ANTI_CSRF"))


def check_anti_csrf_token(token: AccessToken, header: str | None) -> None:
    """
    Compare the header ``anti-csrf`` with the access token.

    :raises TryRefresh: the header is missing or another one, or the access token has no anti-CSRF token.
    """
    actual = (header or "").encode("utf-8", "surrogatepass")
    expected = (token.anti_csrf_token or "").encode("utf-8")
    if not expected or not hmac.compare_digest(actual, expected):
        raise TryRefresh("csrf_token")
