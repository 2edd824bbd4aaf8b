"""Twenty greenlets that call at the same time, plain blocking code under gevent; run by test_processes.py."""

from __future__ import annotations

from gevent import monkey  # type: ignore[import-untyped] # it comes without types

monkey.patch_all()

import sys  # noqa: E402 # patching comes first

import gevent  # noqa: E402

from st_wsgi.core_client.querier import Querier  # noqa: E402
from st_wsgi.core_client.transport import HTTPTransport  # noqa: E402

transport = HTTPTransport(sys.argv[1])
querier = Querier(transport=transport, api_domain="http://localhost")


def work(number: int) -> None:
    for attempt in range(3):
        path = f"/{number}/{attempt}"
        answer = querier.get(path).body
        if answer.get("path") != path:
            raise SystemExit(f"asked for {path} and got {answer}")


greenlets = [gevent.spawn(work, number) for number in range(20)]
gevent.joinall(greenlets, raise_error=True)
transport.close()
print("fine")
