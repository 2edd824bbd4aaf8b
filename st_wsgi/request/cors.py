"""Cross-origin headers for browsers: exact origins, credentials, and one list of headers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..config import Cors
from .changes import HeaderList

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_ALLOW_ORIGIN = "Access-Control-Allow-Origin"
_REQUEST_HEADERS = ("anti-csrf", "authorization", "fdi-version", "rid", "st-auth-mode")
_RESPONSE_HEADERS = ("anti-csrf", "front-token", "st-access-token", "st-refresh-token")
_APP_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ALWAYS_ALLOWED = ("GET", "HEAD", "POST")  # Fetch standard, "CORS-safelisted method"

_log = logging.getLogger("st_wsgi.cors")


def get_all_cors_headers() -> list[str]:
    """
    Return the request headers that a CORS layer must allow for the official frontends, in lower case.

    Add ``content-type`` for web apps::

        flask_cors.CORS(
            app,
            origins=["https://shop.example"],
            supports_credentials=True,
            allow_headers=["content-type", *get_all_cors_headers()],
        )
    """
    return list(_REQUEST_HEADERS)


def get_all_cors_expose_headers() -> list[str]:
    """
    Return the response headers that a CORS layer must expose to the official frontends, in lower case.

    Only a CORS layer with a list of its own needs them. Otherwise each response exposes those that it has::

        flask_cors.CORS(
            app,
            origins=["https://shop.example"],
            supports_credentials=True,
            allow_headers=["content-type", *get_all_cors_headers()],
            expose_headers=["x-request-id", *get_all_cors_expose_headers()],
        )
    """
    return list(_RESPONSE_HEADERS)


def add_headers(cors: Cors, origin: str | None, headers: HeaderList) -> HeaderList:
    """
    Return *headers* with the cross-origin headers for a request from *origin*, which is its ``Origin`` header.

    An ``Access-Control-Allow-Origin`` of the app stays as it is. ``Vary: Origin`` is always added, so that a shared
    cache does not give one origin's response to another.
    """
    if any(name.lower() == _ALLOW_ORIGIN.lower() for name, _ in headers):
        return headers
    merged = _vary_by_origin(headers)
    if origin is not None and origin in cors.origins:
        merged += [(_ALLOW_ORIGIN, origin), ("Access-Control-Allow-Credentials", "true")]
    return merged


def preflight_headers(cors: Cors, environ: WSGIEnvironment, methods: tuple[str, ...]) -> HeaderList:
    """
    Return the headers of the response to a preflight, beside those of :func:`add_headers`.

    If the browser will not send the request that it asks for, one DEBUG line says why.

    :param methods: those that our routes have at this path; none if it is a path of the app.
    """
    headers = ["content-type", *_REQUEST_HEADERS]
    if not methods:
        methods = _APP_METHODS
        headers += [name for name in cors.allow_headers if name not in headers]
    if _log.isEnabledFor(logging.DEBUG):
        reason = next(_refusals(cors, environ, methods, headers), None)
        if reason is not None:
            _log.debug("a browser will not send its request to %.200r: %s", environ.get("PATH_INFO", ""), reason)
    return [
        ("Access-Control-Allow-Methods", ", ".join(methods)),
        ("Access-Control-Allow-Headers", ", ".join(headers)),
        ("Access-Control-Max-Age", str(cors.max_age)),
        ("Content-Length", "0"),
    ]


def _refusals(cors: Cors, environ: WSGIEnvironment, methods: tuple[str, ...], headers: list[str]) -> Iterator[str]:
    origin, method = environ["HTTP_ORIGIN"], environ["HTTP_ACCESS_CONTROL_REQUEST_METHOD"]
    if origin not in cors.origins:
        yield f"the origin {origin[:200]!r} is not one of {', '.join(cors.origins)}, as Cors(origins=...) has them"
    if method not in methods and method not in _ALWAYS_ALLOWED:
        yield f"the method {method[:200]!r} is not one of {', '.join(methods)}"
    for name in environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").split(","):
        if name.strip().lower() not in ("", *headers):
            known = f"the header {name.strip()[:200]!r} is not one of {', '.join(headers)}"
            yield f"{known}; Cors(allow_headers=...) adds to them" if methods is _APP_METHODS else known


def is_preflight(environ: WSGIEnvironment) -> bool:
    """Return whether a browser asks here for the permission to send a request."""
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
