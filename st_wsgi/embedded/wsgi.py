"""
The embedded core as a WSGI application, which replies as the official core does over HTTP.

JSON and texts both end with a newline (CDI 2). With an API key, the content type of a body does not matter, as there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import parse_qsl, quote

from werkzeug.http import HTTP_STATUS_CODES

from ..core_client.transport import CoreReply, CoreRequest, Method
from .core import EmbeddedCore
from .general import TEXT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes. More than any call needs, a batch of 10 000 imported users included."""

_HEADERS = {
    "api-key": "HTTP_API_KEY",
    "authorization": "HTTP_AUTHORIZATION",
    "cdi-version": "HTTP_CDI_VERSION",
    "content-length": "CONTENT_LENGTH",
    "content-type": "CONTENT_TYPE",
    "host": "HTTP_HOST",
    "origin": "HTTP_ORIGIN",
    "rid": "HTTP_RID",
    "sec-fetch-site": "HTTP_SEC_FETCH_SITE",
    "transfer-encoding": "HTTP_TRANSFER_ENCODING",
}
_log = logging.getLogger("st_wsgi.core")


class _BodyRefused(Exception):
    """The body cannot be read: too large, or shorter than announced."""


class CoreApp:
    """
    A WSGI application that serves a core::

        from st_wsgi.embedded import EmbeddedCore
        from st_wsgi.embedded.wsgi import CoreApp

        application = CoreApp(EmbeddedCore.open("sqlite:///auth.db?api_keys=a-key-that-every-call-needs"))

    :param base_path: a prefix that every path has (the core setting ``base_path``).
    """

    def __init__(self, core: EmbeddedCore, *, base_path: str = "") -> None:
        self.core = core
        self._prefix = "/" + base_path.strip("/") if base_path.strip("/") else ""

    def __repr__(self) -> str:
        return f"<CoreApp of {self.core!r} at {self._prefix or '/'}>"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            reply = self._reply(environ)
        except _BodyRefused as error:
            reply = CoreReply(413, str(error), TEXT)
        except Exception:
            # The boundary of the server: the caller gets the protocol's status for it, the log the traceback.
            _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ.get("PATH_INFO"))
            reply = CoreReply(500, "internal error, see the log of the core", TEXT)
        status, headers, data = encoded(reply)
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [data]

    def refusal(self, environ: WSGIEnvironment) -> CoreReply | None:
        """Return the reply to a request whose large body need not be received, None when it must be."""
        request = self._request(environ)
        if request is None:
            return _NOT_FOUND
        return self.core.refusal(request, client=environ["REMOTE_ADDR"])

    def _reply(self, environ: WSGIEnvironment) -> CoreReply:
        request = self._request(environ)
        if request is None:
            return _NOT_FOUND
        return self.core.serve(request, lambda: _json_object(_read(environ)), client=environ.get("REMOTE_ADDR", ""))

    def _request(self, environ: WSGIEnvironment) -> CoreRequest | None:
        """Return the call without its body, None for a path outside the prefix."""
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        if self._prefix:
            if path != self._prefix and not path.startswith(f"{self._prefix}/"):
                return None
            path = path[len(self._prefix) :]
        return CoreRequest(
            method=cast(Method, environ["REQUEST_METHOD"]),
            path=quote(path),
            params=_params(environ.get("QUERY_STRING", "")),
            headers={name: environ[key] for name, key in _HEADERS.items() if environ.get(key)},
        )


_NOT_FOUND = CoreReply(404, "Not found", TEXT)


def encoded(reply: CoreReply) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return the status line, headers and body of a reply over HTTP."""
    if isinstance(reply.body, str):
        text, kind = reply.body, TEXT["content-type"]
    else:
        text, kind = json.dumps(reply.body, separators=(",", ":")), "application/json; charset=UTF-8"
    data = f"{text}\n".encode("utf-8", "replace") if text else b""
    headers = [("Content-Type", kind), ("Content-Length", str(len(data)))]
    headers += [(name.title(), value) for name, value in reply.headers.items() if name != "content-type"]
    return f"{reply.status} {HTTP_STATUS_CODES.get(reply.status, 'Unknown')}", headers, data


def _params(query: str) -> dict[str, str]:
    params: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        params.setdefault(name, value)
    return params


def _read(environ: WSGIEnvironment) -> bytes:
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit():
        if len(length) > 12 or int(length) > BODY_LIMIT:
            raise _BodyRefused("the body is too large")
        data: bytes = stream.read(int(length))
        if len(data) < int(length):
            raise _BodyRefused("the body is shorter than its Content-Length")
        return data
    if not environ.get("wsgi.input_terminated"):
        return b""
    data = stream.read(BODY_LIMIT + 1)
    if len(data) > BODY_LIMIT:
        raise _BodyRefused("the body is too large")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _json_object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object in *data*, None when it is something else."""
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
