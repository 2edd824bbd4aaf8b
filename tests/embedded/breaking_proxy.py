"""A proxy in front of PostgreSQL that breaks connections where a test says so, between two messages of the protocol."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import attrs

PATIENCE = 30.0
"""Seconds after which a test that waits for something to happen gives up."""

How = Literal["reset", "stall"]
_TLS_OR_GSS = (80877103, 80877104)


@attrs.frozen
class Break:
    """
    Where a connection breaks.

    :param at: the number of round trips that still work.
    :param arrives: whether the request of the next one reaches the server. The reply never reaches the client.
    :param how: ``stall``: nothing comes any more, and the connection stays open.
    """

    at: int
    arrives: bool
    how: How = "reset"


class Proxy:
    """
    Passes connections on to a server at a port of this machine.

    :ivar refusing: whether new connections are refused.
    :ivar trips: how many round trips were begun.
    :ivar broken: whether the break of :meth:`break_once` has happened.
    :ivar accepted: how many connections were accepted.
    """

    def __init__(self, target: int) -> None:
        self.refusing = self.broken = False
        self.trips = self.accepted = 0
        self._target = target
        self._break: Break | None = None
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def break_once(self, at: int, *, arrives: bool, how: How = "reset") -> None:
        """Break one connection, counting the round trips of all connections from now on."""
        with self._lock:
            self.trips, self.broken, self._break = 0, False, Break(at, arrives, how)

    def count(self) -> None:
        """Break nothing, and count round trips from now on."""
        with self._lock:
            self.trips, self._break = 0, None

    def break_all(self) -> None:
        """Reset every connection."""
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            _reset(end)

    def stop(self) -> None:
        """End everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(PATIENCE)
        self.break_all()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                _reset(client)
                client.close()
                continue
            self.accepted += 1
            server = socket.create_connection(("127.0.0.1", self._target), timeout=PATIENCE)
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._ends += [client, server]
            thread = threading.Thread(target=_Pair(self, client, server).serve)
            self._threads.append(thread)
            thread.start()

    def next_break(self) -> Break | None:
        """Count a round trip; return what is to happen to it."""
        with self._lock:
            here, self.trips = self._break, self.trips + 1
            if here is None or self.trips <= here.at:
                return None
            self.broken, self._break = True, None
            return here


class _Pair:
    """One connection of a client, and the one to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._break: Break | None = None

    def serve(self) -> None:
        """Pass on all messages until one side ends."""
        replies = threading.Thread(target=self._replies)
        replies.start()
        self._requests()
        replies.join(PATIENCE)
        for end in (self._client, self._server):
            end.close()

    def _requests(self) -> None:
        with suppress(OSError, EOFError), self._client.makefile("rb") as reader:
            self._start(reader)
            waiting = b""
            while True:
                kind, rest = _read(reader, 1), _message(reader)
                waiting += kind + rest
                if kind not in b"QSX":  # more of this round trip follows
                    continue
                self._break = None if kind == b"X" else self._proxy.next_break()
                if self._break is None or self._break.arrives:
                    self._server.sendall(waiting)
                waiting = b""
                if self._break is not None and not self._break.arrives:
                    self._happen(self._break)
        self._end(self._server)

    def _replies(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(65536):
                here = self._break
                if here is None:
                    self._client.sendall(data)
                elif here.arrives and data[-6:-1] == b"Z\0\0\0\5":  # the server is done
                    self._happen(here)
        if self._break is None or self._break.how != "stall":
            self._end(self._client)

    def _start(self, reader: object) -> None:
        while True:
            first = _message(reader)
            self._server.sendall(first)
            if struct.unpack("!I", first[4:8])[0] not in _TLS_OR_GSS:
                return

    def _happen(self, here: Break) -> None:
        if here.how == "reset":
            _reset(self._client)
            self._end(self._server)

    @staticmethod
    def _end(end: socket.socket) -> None:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _read(reader: object, size: int) -> bytes:
    data: bytes = reader.read(size)  # type: ignore[attr-defined]
    if len(data) < size:
        raise EOFError
    return data


def _message(reader: object) -> bytes:
    length = _read(reader, 4)
    return length + _read(reader, struct.unpack("!I", length)[0] - 4)


def _reset(end: socket.socket) -> None:
    """End a connection with a reset: what was under way is lost."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """Run a proxy until the block ends."""
    running = Proxy(target)
    try:
        yield running
    finally:
        running.stop()
