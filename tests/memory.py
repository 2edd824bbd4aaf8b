"""Whether what came with a request is freed with its answer."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


class Upload:
    """Something large that comes with a request."""


def serve(app: WSGIApplication, requests: list[WSGIEnvironment]) -> str:
    """Take a request out of the list and answer it, as a server that forgets it afterwards; return the status."""
    statuses: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _data: None

    body = app(requests.pop(), start)
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()
    return statuses[-1]


def outlives_its_answer(app: WSGIApplication, environ: WSGIEnvironment) -> bool:
    """Return whether a request leaves a cycle of objects behind, which only a garbage collector would free."""
    serve(app, [dict(environ)])  # whatever is made only once
    upload = Upload()
    left = weakref.ref(upload)
    requests = [environ | {"upload": upload}]
    del upload
    gc.disable()
    try:
        serve(app, requests)
        return left() is not None
    finally:
        gc.enable()
