"""Signs up under gevent while another greenlet counts; prints how far it counted during one hash."""

from __future__ import annotations

from gevent import monkey  # type: ignore[import-untyped] # it comes without types

monkey.patch_all()

import sys  # noqa: E402 - gevent patches first

import gevent  # noqa: E402

from st_wsgi.core_client.transport import CoreRequest  # noqa: E402
from st_wsgi.embedded import EmbeddedCore  # noqa: E402
from st_wsgi.embedded.storage.sqlite import SQLiteStore  # noqa: E402

core = EmbeddedCore.open(sys.argv[1], settings={"hashing_queue_timeout_ms": 60_000})
counted = 0
signing_up = True


def count() -> None:
    """Count as long as a sign-up runs."""
    global counted
    while signing_up:
        counted += 1
        gevent.sleep(0.001)


def sign_up(number: int) -> object:
    """Sign up once."""
    body = {"email": f"{number}@example.com", "password": "secret"}
    answer = core.send(CoreRequest("POST", "/recipe/signup", body=body)).body
    assert isinstance(answer, dict)
    return answer["status"]


counter = gevent.spawn(count)
greenlets = [gevent.spawn(sign_up, number) for number in range(4)]
print([greenlet.get() for greenlet in greenlets])
signing_up = False
counter.join()
store = core.services.store
print(counted, len(store._idle) if isinstance(store, SQLiteStore) else 1)
core.close()
