"""What a request adds to its response: recorded while it runs, merged when the response starts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Literal, TypeAlias
from urllib.parse import quote

from ..errors import SuperTokensError
from ..grammar import HEADER_NAME, HEADER_VALUE

HeaderList: TypeAlias = list[tuple[str, str]]
SameSite: TypeAlias = Literal["none", "lax", "strict"]

EXPOSE = "Access-Control-Expose-Headers"

_EPOCH = format_datetime(datetime.fromtimestamp(0, timezone.utc), usegmt=True)


class ResponseStarted(SuperTokensError, RuntimeError):
    """
    A cookie or header was recorded after the response had started, where it would be lost.

    Use the session before the first byte of the response is sent.
    """


class ResponseChanges:
    """
    Cookies and headers to add to one response. The last write to a name wins.

    The app's own headers are replaced by ours of the same name, and its own cookies stay.

    :ivar started: the response has started, and it is too late for more.
    """

    def __init__(self, *, started: bool = False) -> None:
        self.started = started
        self._cookies: dict[tuple[str, str | None, str], str] = {}
        self._headers: dict[str, tuple[str, str]] = {}
        self._exposed: dict[str, str] = {}

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        path: str,
        domain: str | None,
        secure: bool,
        same_site: SameSite,
        expires_ms: int,
    ) -> None:
        """
        Record an HttpOnly cookie; an empty value with *expires_ms* 0 clears it.

        :param value: percent-encoded on the way out.
        :param expires_ms: milliseconds since 1970, written in UTC whatever the locale says.
        :raises ResponseStarted: it is too late.
        """
        expires = _EPOCH if expires_ms == 0 else _http_date(expires_ms)
        parts = [f"{name}={quote(value, safe='/')}", f"Expires={expires}", f"Path={path}"]
        if domain is not None:
            parts.append(f"Domain={domain}")
        parts += ["HttpOnly", f"SameSite={same_site.capitalize()}"]
        if secure:
            parts.append("Secure")
        self.refuse_if_late()
        self._cookies[name, domain, path] = _checked("Set-Cookie", "; ".join(parts))

    def set_header(self, name: str, value: str, *, expose: bool = False) -> None:
        """
        Record a header, and name it in ``Access-Control-Expose-Headers`` if *expose* is set.

        :raises ResponseStarted: it is too late.
        :raises ValueError: CR, LF, NUL or anything else that a header cannot carry.
        """
        self.refuse_if_late()
        self._headers[name.lower()] = (name, _checked(name, value))
        if expose:
            self._exposed[name.lower()] = name

    def drop_header(self, name: str) -> None:
        """Forget a header that was recorded."""
        self.refuse_if_late()
        self._headers.pop(name.lower(), None)
        self._exposed.pop(name.lower(), None)

    def discard(self) -> None:
        """Forget everything that was recorded, since the request failed."""
        self.refuse_if_late()
        self._cookies.clear()
        self._headers.clear()
        self._exposed.clear()

    def merge(self, headers: HeaderList) -> HeaderList:
        """Return *headers* with the recorded changes."""
        if not self._headers and not self._cookies:
            return headers
        merged = [(name, value) for name, value in headers if name.lower() not in self._headers]
        merged += self._headers.values()
        merged += (("Set-Cookie", cookie) for cookie in self._cookies.values())
        return expose_headers(merged, self._exposed.values()) if self._exposed else merged

    def refuse_if_late(self) -> None:
        """
        Raise if the response can no longer be changed. Work that needs a change calls this first.

        :raises ResponseStarted: it is too late.
        """
        if self.started:
            raise ResponseStarted(
                "the response has already started, so a session change would be lost; "
                "use the session before the first byte of the response is sent"
            )


def expose_headers(headers: HeaderList, names: Iterable[str]) -> HeaderList:
    """Return *headers* with one ``Access-Control-Expose-Headers`` that has the old and the new *names*, each once."""
    known: dict[str, str] = {}
    rest: HeaderList = []
    for name, value in headers:
        if name.lower() == EXPOSE.lower():
            known.update((part.strip().lower(), part.strip()) for part in value.split(",") if part.strip())
        else:
            rest.append((name, value))
    for name in names:
        known.setdefault(name.lower(), name)
    return [*rest, (EXPOSE, ", ".join(known.values()))]


def _http_date(milliseconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(milliseconds // 1000, timezone.utc), usegmt=True)


def _checked(name: str, value: str) -> str:
    if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
        raise ValueError(f"the header {name!r} cannot carry this value")
    return value
