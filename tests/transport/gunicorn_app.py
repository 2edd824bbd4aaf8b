"""A WSGI app that makes one core call for each request; run by test_processes.py under gunicorn."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from st_wsgi.core_client.querier import Querier
from st_wsgi.core_client.transport import HTTPTransport

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

querier = Querier(transport=HTTPTransport(os.environ["CORE_URL"]), api_domain="http://localhost")


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    answer = querier.get(environ["PATH_INFO"]).body
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(answer["path"]).encode()]
