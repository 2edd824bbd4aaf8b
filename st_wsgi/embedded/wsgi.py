"""
The embedded core over HTTP: what :class:`~st_wsgi.embedded.core.EmbeddedCore` answers, in the official core's clothes.

JSON and texts both end with a newline (CDI 2). The body is parsed leniently as to its content type, as there.
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
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes. More than any call needs, a batch of 10 000 imported users included."""

_HEADERS = {
    "cdi-version": "HTTP_CDI_VERSION",
    "api-key": "HTTP_API_KEY",
    "authorization": "HTTP_AUTHORIZATION",
    "rid": "HTTP_RID",
}
_log = logging.getLogger("st_wsgi.core")


class BodyRefused(Exception):
    """The body cannot be read: too large, or shorter than announced."""


def core_app(core: EmbeddedCore, *, base_path: str = "") -> WSGIApplication:
    """
    Return a WSGI application that serves *core*.

    :param base_path: a prefix that every path has (the core setting ``base_path``).
    """
    prefix = "/" + base_path.strip("/") if base_path.strip("/") else ""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            answer = _answer(core, environ, prefix)
        except BodyRefused as error:
            answer = CoreReply(413, str(error), {**TEXT, "connection": "close"})
        except Exception:
            # The boundary of the server: the caller gets the status that the protocol has for it, we get the traceback.
            _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ.get("PATH_INFO"))
            answer = CoreReply(500, "internal error, see the log of the core", TEXT)
        if isinstance(answer.body, str):
            text, kind = answer.body, TEXT["content-type"]
        else:
            text, kind = json.dumps(answer.body, separators=(",", ":")), "application/json; charset=UTF-8"
        data = f"{text}\n".encode("utf-8", "replace") if text else b""
        headers = [("Content-Type", kind), ("Content-Length", str(len(data)))]
        headers += [(name.title(), value) for name, value in answer.headers.items() if name != "content-type"]
        start_response(f"{answer.status} {HTTP_STATUS_CODES.get(answer.status, 'Unknown')}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [data]

    return app


def _answer(core: EmbeddedCore, environ: WSGIEnvironment, prefix: str) -> CoreReply:
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    if prefix:
        if path != prefix and not path.startswith(f"{prefix}/"):
            return CoreReply(404, "Not found", TEXT)
        path = path[len(prefix) :]
    method = environ["REQUEST_METHOD"]
    request = CoreRequest(
        method=cast(Method, method),
        path=quote(path),
        params=_params(environ.get("QUERY_STRING", "")),
        body=_json_object(_read(environ)) if method in ("POST", "PUT") else None,
        headers={name: environ[key] for name, key in _HEADERS.items() if key in environ},
    )
    return core.send(request, client_address=environ.get("REMOTE_ADDR"))


def _params(query: str) -> dict[str, str]:
    params: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        params.setdefault(name, value)
    return params


def _read(environ: WSGIEnvironment) -> bytes:
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit():
        if int(length) > BODY_LIMIT:
            raise BodyRefused("the body is too large")
        data: bytes = stream.read(int(length))
        if len(data) < int(length):
            raise BodyRefused("the body is shorter than its Content-Length")
        return data
    if not environ.get("wsgi.input_terminated"):
        return b""
    data = stream.read(BODY_LIMIT + 1)
    if len(data) > BODY_LIMIT:
        raise BodyRefused("the body is too large")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _json_object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object in *data*; None when it is something else, for the core to refuse in its turn."""
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
