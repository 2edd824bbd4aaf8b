"""Cross-origin answers for browsers: exact origins, credentials, and one list of headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config import Cors
from .changes import HeaderList

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_ALLOW_ORIGIN = "Access-Control-Allow-Origin"
_REQUEST_HEADERS = ("anti-csrf", "authorization", "fdi-version", "rid", "st-auth-mode")


def get_all_cors_headers() -> list[str]:
    """
    Return the request headers that a CORS layer has to allow for the official frontends, in lower case.

    A browser app also needs ``content-type``.
    """
    return list(_REQUEST_HEADERS)


def add_headers(cors: Cors, origin: str | None, headers: HeaderList) -> HeaderList:
    """
    Return *headers* with the cross-origin headers for a request from *origin*, which is its ``Origin`` header.

    An app that has answered with its own ``Access-Control-Allow-Origin`` keeps it. ``Vary: Origin`` is always there, so
    that a shared cache does not give one origin's answer to another.
    """
    if any(name.lower() == _ALLOW_ORIGIN.lower() for name, _ in headers):
        return headers
    merged = _vary_by_origin(headers)
    if origin is not None and origin in cors.origins:
        merged += [(_ALLOW_ORIGIN, origin), ("Access-Control-Allow-Credentials", "true")]
    return merged


def preflight_headers(cors: Cors, methods: tuple[str, ...], more_headers: tuple[str, ...] = ()) -> HeaderList:
    """Return what a preflight is told beside :func:`add_headers`; *more_headers* are those of the app's own."""
    allowed = dict.fromkeys(["content-type", *_REQUEST_HEADERS, *more_headers])
    return [
        ("Access-Control-Allow-Methods", ", ".join(methods)),
        ("Access-Control-Allow-Headers", ", ".join(allowed)),
        ("Access-Control-Max-Age", str(cors.max_age)),
        ("Content-Length", "0"),
    ]


def is_preflight(environ: WSGIEnvironment) -> bool:
    """Return whether this is the browser asking for permission, and no request of the app."""
    return (
        environ.get("REQUEST_METHOD") == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def _vary_by_origin(headers: HeaderList) -> HeaderList:
    known = {part.strip().lower() for name, value in headers if name.lower() == "vary" for part in value.split(",")}
    if known & {"origin", "*"}:
        return list(headers)
    for index, (name, value) in enumerate(headers):
        if name.lower() == "vary":
            return [*headers[:index], (name, f"{value}, Origin"), *headers[index + 1 :]]
    return [*headers, ("Vary", "Origin")]
