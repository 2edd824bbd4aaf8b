"""Servers in a thread of the process of the tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer

#: Seconds until a server looks whether it has to stop.
INTERVAL = 0.02


@contextmanager
def answering(server: BaseServer) -> Iterator[None]:
    """Let a server answer requests until the block ends, and close it."""
    thread = threading.Thread(target=server.serve_forever, args=(INTERVAL,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
