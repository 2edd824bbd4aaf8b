"""
A small threaded HTTP/1.1 server for the embedded core: a thread a connection, keep-alive, a graceful stop.

It serves one WSGI application that answers at once with a length, which is all that the core needs.
"""

from __future__ import annotations

import contextlib
import io
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from .wsgi import BODY_LIMIT

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

IDLE_TIMEOUT = 75.0
"""Seconds after which a connection without a request is closed; above the 60 s of usual client pools."""


class CoreServer(ThreadingHTTPServer):
    """
    Listens from construction on; :meth:`serve_forever` answers.

    :param port: 0 takes a free one; see :attr:`address`.
    :raises OSError: when the address cannot be listened on.
    """

    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, app: WSGIApplication, *, host: str, port: int) -> None:
        self.app = app
        self.stopping: bool = False
        self._running = 0
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self.address_family: int = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    @property
    def address(self) -> str:
        """The address to call, such as ``http://127.0.0.1:3567``."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, (bytes, bytearray)) else str(host)
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    def stop(self, *, grace: float = 10.0) -> None:
        """Accept nothing more, let running requests finish for *grace* seconds, then close every connection."""
        self.stopping = True
        self.shutdown()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0, grace)
            for connection in self._open:
                # The thread that reads from it wakes up and ends.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, 1.0)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    @contextlib.contextmanager
    def busy(self) -> Any:
        """Count a request that runs."""
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away; show the rest."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "st-wsgi-core"
    sys_version = ""
    timeout = IDLE_TIMEOUT
    # One packet an answer: headers and body in two would wait for a delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: CoreServer

    def _serve(self) -> None:
        with self.server.busy():
            body = self._read_body()
            if body is None:
                self.close_connection = True
                self.send_error(413 if self.headers.get("Content-Length", "0").isdigit() else 400)
                return
            environ = self._environ(body)
            answered: list[tuple[str, list[tuple[str, str]]]] = []

            def start_response(
                status: str, headers: list[tuple[str, str]], exc_info: Any = None
            ) -> Callable[[bytes], object]:
                answered[:] = [(status, headers)]
                return lambda data: None

            data = b"".join(self.server.app(environ, start_response))
            status, headers = answered[0]
            self.send_response(int(status[:3]), status[4:])
            for name, value in headers:
                self.send_header(name, value)
            if self.server.stopping:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_TRACE = _serve

    def _read_body(self) -> bytes | None:
        """Return the whole body, so that nothing of it is taken for the next request; None when it cannot be had."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > BODY_LIMIT:
            return None
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _read_chunks(self) -> bytes | None:
        body = bytearray()
        while True:
            try:
                size = int(self.rfile.readline(100).partition(b";")[0], 16)
            except ValueError:
                return None
            if size < 0 or len(body) + size > BODY_LIMIT:
                return None
            if size == 0:
                break
            body += self.rfile.read(size)
            self.rfile.readline(100)
        while self.rfile.readline(8192).strip():
            pass
        return bytes(body)

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_PROTOCOL": self.request_version,
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "http",
        }
        for name, value in self.headers.items():
            environ.setdefault("HTTP_" + name.upper().replace("-", "_"), value.strip())
        return environ

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: paths hold emails and tokens."""
