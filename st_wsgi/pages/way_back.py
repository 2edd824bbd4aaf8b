"""The way back to the page that a user came from: a path of the own website, never another site."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

WAY_BACK = "redirectToPath"
"""The query parameter that has it; the official frontend SDKs use the same name."""

_LIMIT = 2000  # characters: some proxies take no longer addresses
_MOST_DECODINGS = 5  # servers and proxies decode once or twice; each decoding of a long path takes time
_KEPT = "/!$&'()*+,;=:@~%-._"
_LOCATION = re.compile(r"(/[^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)


def safe_path(text: str) -> str | None:
    """
    Return *text* as a path of the own website, with query and fragment, or None if it could lead anywhere else.

    Browsers drop tabs and line ends, take ``\\`` for ``/``, and take what follows ``//`` for a host (URL standard). A
    server may decode or shorten the path once more, so the same is refused in encoded form.
    """
    match = _LOCATION.fullmatch(text)
    if match is None or len(text) > _LIMIT or not text.isprintable():
        return None
    path, encoded = match[1], ""
    for _ in range(_MOST_DECODINGS + 1):
        if "//" in path or "\\" in path or not path.isprintable() or {".", ".."} & set(path.split("/")):
            return None
        encoded, path = path, unquote(path)
    if path != encoded:
        return None
    location = quote(match[1], safe=_KEPT)
    for part in (match[2], match[3]):
        location += "" if part is None else part[0] + quote(part[1:], safe=_KEPT + "?")
    return location


def path_of_request(environ: WSGIEnvironment) -> str | None:
    """Return the path and query that the browser asked for, or None if they cannot be a way back."""
    raw = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
    path = quote(raw.encode("latin-1", "replace"), safe=_KEPT.replace("%", ""))
    query = environ.get("QUERY_STRING", "")
    return safe_path(f"{path}?{quote(query, safe=_KEPT + '?')}" if query else path)
