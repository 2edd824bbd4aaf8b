"""Request bodies: read only for routes of ours, bounded, and with one reading only."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from st_verify import NotStrictJSON, strict_json

from ..errors import BadInput, BodyTooLarge

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BODY = 100_000
"""Bytes of a body that a route reads."""

MAX_FORM = 64 * 1024
"""Bytes of a form that a route reads."""

_MOST_FIELDS = 20
_MOST_DISCARDED = 10_000_000  # bytes
_CHUNK = 65_536  # bytes


def read_json(environ: WSGIEnvironment) -> dict[str, Any]:
    """
    Read the body as a JSON object. Only ``application/json`` in UTF-8 is taken: a cross-site form cannot send it.

    :raises BadInput: another content type, no JSON, JSON that parsers read differently, or no object.
    :raises BodyTooLarge: more than ``MAX_BODY`` bytes.
    """
    _check_content_type(environ.get("CONTENT_TYPE", ""), "application/json")
    try:
        value = strict_json.loads(_read(environ, MAX_BODY))
    except NotStrictJSON:
        raise BadInput("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise BadInput("the body must be a JSON object")
    return value


def read_form(environ: WSGIEnvironment) -> dict[str, str]:
    """
    Read the body as a form, for the few routes to which a browser sends one.

    :raises BadInput: another content type, text that is not UTF-8, too many fields, or a field twice.
    :raises BodyTooLarge: more than ``MAX_FORM`` bytes.
    """
    _check_content_type(environ.get("CONTENT_TYPE", ""), "application/x-www-form-urlencoded")
    try:
        text = _read(environ, MAX_FORM).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise BadInput("the body is not a valid form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise BadInput("the form has a field twice")
    return form


def discard(environ: WSGIEnvironment) -> None:
    """
    Read what is left of a body, up to 10 MB.

    Some servers, such as gunicorn, close the connection after the response. If the browser is still sending then, it
    shows an error of the connection in place of the response.
    """
    if not environ.get("wsgi.input_terminated"):
        return  # it is not known where the body ends: the app may have read some of it
    with contextlib.suppress(BadInput):
        for _ in range(0, _MOST_DISCARDED, _CHUNK):
            if len(_read_exactly(environ["wsgi.input"], _CHUNK)) < _CHUNK:
                return


def _check_content_type(header: str, wanted: str) -> None:
    kind, *parameters = (part.strip().lower() for part in header.split(";"))
    if kind != wanted:
        raise BadInput(f"the content type must be {wanted}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise BadInput("the charset must be utf-8")


def _read(environ: WSGIEnvironment, limit: int) -> bytes:
    """Read at most *limit* bytes and leave a copy for the next reader."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH") or ""
    if length:
        if not (length.isascii() and length.isdigit()):
            raise BadInput("the content length is not a number")
        # Judged by its digits first: a number of a million digits is not converted.
        if len(length.lstrip("0")) > len(str(limit)) or int(length) > limit:
            raise BodyTooLarge
        data = _read_exactly(stream, int(length))
        if len(data) < int(length):
            raise BadInput("the body ended early")  # the client went away; RFC 9112, section 8
    elif environ.get("wsgi.input_terminated"):
        data = _read_exactly(stream, limit + 1)
        if len(data) > limit:
            raise BodyTooLarge
    else:
        data = b""
    environ["wsgi.input"] = io.BytesIO(data)
    environ["CONTENT_LENGTH"] = str(len(data))
    return data


def _read_exactly(stream: Any, length: int) -> bytes:
    chunks = []
    while length > 0:
        try:
            chunk = stream.read(length)
        except Exception as error:  # each server has its own for a client that has gone or that sends bad chunks
            raise BadInput("the body could not be read") from error
        if not chunk:
            break
        chunks.append(chunk)
        length -= len(chunk)
    return b"".join(chunks)
