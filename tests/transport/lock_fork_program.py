"""
Forks while another thread holds the lock of an object, and then uses that object in the child.

Run by test_processes.py and tests/test_limits.py with the name of the object. A child that waits for the lock of a
thread that it does not have is ended by an alarm.
"""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from st_wsgi import MemoryAttempts
from st_wsgi.core_client.outages import Outages
from st_wsgi.core_client.transport import CoreRequest, HTTPTransport
from st_wsgi.errors import CoreUnavailable
from transport.cores import dead

PATIENCE = 30

Hold = Callable[[], float]
"""Called under the lock: stays there in the thread of the parent, and returns the time."""


def transport(hold: Hold) -> Callable[[], object]:
    """The lock is held while the TLS context is made."""

    def slow_context(**settings: Any) -> ssl.SSLContext:
        hold()
        return ssl.create_default_context()

    pytest.MonkeyPatch().setattr("st_wsgi.core_client.transport.tls_context", slow_context)
    with dead() as one, dead() as two:
        hosts = HTTPTransport([one.replace("http:", "https:"), two.replace("http:", "https:")])

    def use() -> None:
        with contextlib.suppress(CoreUnavailable):
            hosts.send(CoreRequest("GET", "/thing"))

    return use


def outages(hold: Hold) -> Callable[[], object]:
    hosts = Outages(clock=hold)
    return lambda: hosts.failed("http://core", cause="connection refused", cure="Start it.")


def limits(hold: Hold) -> Callable[[], object]:
    attempts = MemoryAttempts(clock=hold)
    return lambda: attempts.add("a", 60)


def main(name: str) -> None:
    held, over = threading.Event(), threading.Event()
    parent = os.getpid()

    def hold() -> float:
        if os.getpid() == parent:
            held.set()
            over.wait(PATIENCE)
        return time.monotonic()

    use = {"transport": transport, "outages": outages, "limits": limits}[name](hold)
    thread = threading.Thread(target=use)
    thread.start()
    if not held.wait(PATIENCE):
        raise SystemExit("the lock was never held")
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        use()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    over.set()
    thread.join()
    print("fine" if status == 0 else f"the child ended with {status}")


if __name__ == "__main__":
    main(sys.argv[1])
