"""A proxy in front of a PostgreSQL server that counts what a core really sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import attrs

#: Messages after which the server replies and the core waits: a simple query, and the end of a prepared statement.
_WAITS = (b"Q", b"S")


@attrs.define
class Wire:
    """
    What went through so far.

    :param port: of the proxy.
    :param waits: how often the core had to wait for the server.
    """

    port: int
    waits: int = 0


@contextmanager
def counted(port: int) -> Iterator[Wire]:
    """Run a proxy in front of the server at a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = Wire(listener.getsockname()[1])
        ends: list[socket.socket] = []
        threads = [threading.Thread(target=_accept, args=(listener, port, wire, ends))]
        threads[0].start()
        try:
            yield wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            threads[0].join(30)
            for end in ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


def _accept(listener: socket.socket, port: int, wire: Wire, ends: list[socket.socket]) -> None:
    with suppress(OSError):  # the listener was closed
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            ends += [client, server]
            threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()
            threading.Thread(target=_count, args=(client, server, wire), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)


def _count(client: socket.socket, server: socket.socket, wire: Wire) -> None:
    """Pass messages on, each of which has its kind and its length; the first one, of a new connection, has no kind."""
    with suppress(OSError), client.makefile("rb") as stream:
        kind = b""
        while len(head := stream.read(4)) == 4:
            wire.waits += kind in _WAITS
            server.sendall(kind + head + stream.read(int.from_bytes(head, "big") - 4))
            kind = stream.read(1)
