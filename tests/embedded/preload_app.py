"""
A WSGI app with a core that is used before gunicorn forks: run by test_preload.py with ``--preload``.

``/roles`` tells which process of the server answered. ``/role`` writes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from contract.client import fresh

from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

core = EmbeddedCore.open(os.environ["CORE"])


def backend() -> int:
    """Return the number of the process of the server that serves the connection which is used next."""
    with core.services.store.read() as db:
        number: int = db.value("SELECT pg_backend_pid()")
        return number


of_parent = backend()


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/role":
        caller(core).put("/recipe/role", role=fresh("role")).has()
    found = {"process": os.getpid(), "backend": backend(), "of_parent": of_parent}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(found).encode()]
