"""
The embedded core over HTTP, served by waitress.

waitress receives a whole request before the application sees it, and takes some requests that two servers in a row may
read in two ways. So :class:`_Parser` looks at the headers first. It refuses ambiguous ones (RFC 9112, sections 5.2 and
6), and a large body of a caller that the core refuses anyway.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
import time
from typing import Any

from waitress import wasyncore  # type: ignore[import-untyped] # it comes without types
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]

from ..core_client.transport import CoreReply
from ..errors import ConfigError
from .wsgi import BODY_LIMIT, CoreApp, encoded

IDLE_TIMEOUT = 75
"""Seconds after which a connection without a request is closed; above the 60 s of usual client pools."""

CONNECTIONS = 1000
"""How many connections are open at a time; further ones wait."""

_HEAD_LIMIT = _SMALL_BODY = 65_536
_LENGTH = re.compile(rb"[0-9]{1,12}")
_NEVER_TWICE = (b"content-length", b"transfer-encoding", b"host")


class CoreServer:
    """
    Listens from construction on; :meth:`serve_forever` replies.

    :param port: 0 takes a free one; see :attr:`address`.
    :param threads: how many calls are served at a time.
    :raises ConfigError: for a port that does not exist.
    :raises OSError: when the address cannot be listened on.
    """

    def __init__(self, app: CoreApp, *, host: str, port: int, threads: int = 10) -> None:
        if not 0 <= port <= 65535:
            raise ConfigError(f"there is no port {port}: name one from 1 to 65535, or 0 for a free one")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
        # Calls that wait for a thread are no reason for a warning each.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        settings = Adjustments(
            threads=threads,
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE_TIMEOUT,
            max_request_body_size=BODY_LIMIT + 1,
            max_request_header_size=_HEAD_LIMIT,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,  # none of them is read
            ident="st-wsgi core",
        )
        where = (listener.family, listener.type, listener.proto, listener.getsockname())
        self._server = _Server(app, {}, _sock=listener, adj=settings, sockinfo=where, bind_socket=False)
        self._grace: float | None = None
        self._ended = threading.Event()

    def __repr__(self) -> str:
        return f"<CoreServer on {self.address}>"

    @property
    def address(self) -> str:
        """The address to call, such as ``http://127.0.0.1:3567``."""
        host, port = self._server.effective_host, self._server.effective_port
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def serve_forever(self) -> None:
        """Reply to calls until :meth:`stop` is called, by a signal's handler or another thread."""
        server = self._server
        try:
            while self._grace is None:
                server.wait(30.0)
            wasyncore.dispatcher.close(server)  # the system refuses connections from here on
            end = time.monotonic() + self._grace
            while server.close_idle() and time.monotonic() < end:
                server.wait(0.05)
        finally:
            server.task_dispatcher.shutdown(timeout=1)
            self._ended.set()
            wasyncore.close_all(server.connections)

    def stop(self, *, grace: float = 10.0) -> None:
        """Make :meth:`serve_forever` end: accept nothing more, and let requests that run finish for *grace* seconds."""
        self._grace = grace
        if not self._ended.is_set():
            with contextlib.suppress(OSError):  # it has ended just now
                self._server.pull_trigger()


class _Refusal:
    """A reply of the core in place of waitress' own error page."""

    def __init__(self, reply: CoreReply) -> None:
        self._reply = reply

    def to_response(self, _ident: str | None) -> tuple[str, list[tuple[str, str]], bytes]:
        status, headers, data = encoded(self._reply)
        return status, [header for header in headers if header[0] != "Content-Length"], data


class _Parser(HTTPRequestParser):  # type: ignore[misc] # it comes without types
    """Reads a request, and refuses it as soon as its headers show that it must be."""

    def __init__(self, app: CoreApp, client: str, settings: Adjustments) -> None:
        self._app = app
        self._client = client
        super().__init__(settings)
        self.content_length: int

    def parse_header(self, head: bytes) -> None:
        """Read the first line and the headers. :raises ParsingError: when they are malformed or ambiguous."""
        _refuse_ambiguous(head)
        try:
            super().parse_header(head)
        except ValueError as error:  # of the standard library, for an odd address
            raise ParsingError("Bad URI") from error
        if self.chunked or self.content_length > _SMALL_BODY:
            refusal = self._app.refusal(self._environ())
            if refusal is not None:
                self.error = _Refusal(refusal)
                self.body_rcv = None
                self.content_length = 0
                self.expect_continue = False

    def _environ(self) -> dict[str, Any]:
        environ = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": self.path,
            "QUERY_STRING": self.query,
            "REMOTE_ADDR": self._client,
        }
        for name, value in self.headers.items():
            environ[name if name.startswith("CONTENT_") else f"HTTP_{name}"] = value
        if self.chunked:
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        return environ


def _refuse_ambiguous(head: bytes) -> None:
    first, *lines = head.split(b"\r\n")
    if any(line[:1] in (b" ", b"\t") for line in lines):
        raise ParsingError("A header is folded")
    values: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.strip().lower().replace(b"_", b"-")
        if name in values and name in _NEVER_TWICE:
            raise ParsingError(f"{name.decode()} comes twice")
        values[name] = value.strip()
    if b"transfer-encoding" in values:
        if b"content-length" in values:
            raise ParsingError("content-length and transfer-encoding")
        if values[b"transfer-encoding"].lower() != b"chunked" or not first.endswith(b" HTTP/1.1"):
            raise ParsingError("transfer-encoding is not supported")
    elif not _LENGTH.fullmatch(values.get(b"content-length", b"0")):
        raise ParsingError("content-length is invalid")


class _Channel(HTTPChannel):  # type: ignore[misc] # it comes without types
    """A connection."""

    def parser_class(self, settings: Adjustments) -> _Parser:
        """Return the reader of the next request."""
        return _Parser(self.server.application, self.addr[0], settings)


class _Server(TcpWSGIServer):  # type: ignore[misc] # it comes without types
    """The connections, and the loop that waits for them."""

    channel_class = _Channel

    @property
    def connections(self) -> dict[int, Any]:
        """Everything that is waited for, by file descriptor."""
        found: dict[int, Any] = self._map
        return found

    def wait(self, seconds: float) -> None:
        """Wait until something can be read or written, and do it."""
        wasyncore.loop(timeout=seconds, use_poll=True, map=self.connections, count=1)

    def close_idle(self) -> bool:
        """Close the connections on which nothing runs and nothing is left to send; return whether others are left."""
        channels = list(self.active_channels.values())
        idle = [channel for channel in channels if not channel.requests and not channel.total_outbufs_len]
        for channel in idle:
            channel.handle_close()
        return len(idle) < len(channels)
