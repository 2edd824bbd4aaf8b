"""A key server on loopback that answers with the very bytes it is told to, as slowly as it is told to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

#: Part of a reply: wait this long before going on.
Pause = float


def reply(
    body: bytes, *, status: str = "200 OK", length: int | None = None, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes | Pause]:
    """An HTTP response; `length` is what it claims to have."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ["\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body]


class HostileServer:
    """Sends `replies` to every request; `requests` are the heads that came in."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.replies: Iterable[bytes | Pause] = []
        self.requests: list[str] = []
        self.stopping = threading.Event()
        self._arrived = threading.Condition()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}/jwks.json"

    def wait_for_requests(self, count: int) -> bool:
        """Whether that many requests came within a generous time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.requests) >= count, 10)

    def stop(self) -> None:
        self.stopping.set()
        for thread in list(self._threads):
            thread.join(10)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                connection.settimeout(5)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        # A client that has heard enough closes the connection: nothing to complain about.
        with contextlib.suppress(OSError), connection:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    chunk = connection.recv(4096)
                    if not chunk:
                        return
                    head += chunk
                with self._arrived:
                    self.requests.append(head.decode("latin-1"))
                    self._arrived.notify_all()
                for part in self.replies:
                    if isinstance(part, bytes):
                        connection.sendall(part)
                    elif self.stopping.wait(part):
                        return


@contextmanager
def hostile_server(
    replies: Iterable[bytes | Pause] = (), *, context: ssl.SSLContext | None = None
) -> Iterator[HostileServer]:
    """A server for one test."""
    server = HostileServer(context)
    server.replies = replies
    try:
        yield server
    finally:
        server.stop()
