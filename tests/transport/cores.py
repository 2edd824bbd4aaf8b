"""Cores that do what a test tells them, on real sockets: answer, hang, break off, lie. And a proxy that breaks."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

import attrs

PATIENCE = 30.0
"""Seconds after which a test that waits for something to happen gives up."""

SHORT = 1.0
"""
Seconds that a test waits for what never comes, where a core has to answer within the same limit: long enough for one on
a machine that has much else to do.
"""


@attrs.frozen
class Seen:
    """A request as it arrived. *connection* counts from 0 in the order in which connections were accepted."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.frozen
class Answer:
    """What a core sends back. *raw* goes out as it is instead of everything else; *close* ends the connection then."""

    body: Any = attrs.field(factory=lambda: {"status": "OK"})
    status: int = 200
    headers: Sequence[tuple[str, str]] = (("Content-Type", "application/json;charset=UTF-8"),)
    raw: bytes | None = None
    close: bool = False

    def encoded(self) -> bytes:
        if self.raw is not None:
            return self.raw
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        lines = [f"HTTP/1.1 {self.status} Whatever", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


HANG: Final = "hang"
RESET: Final = "reset"
Reply = Answer | Literal["hang", "reset"]


class Core:
    """
    Answers each request with what *behave* returns for it, a thread for each connection.

    :ivar seen: every request, in the order of arrival.
    :ivar ended: counts the connections that have ended, from whichever side.
    """

    def __init__(self, behave: Callable[[Seen], Reply], tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.behave = behave
        self.tls = tls
        self.seen: list[Seen] = []
        self.accepted = 0
        self.sent_bytes = 0
        self.stopping = threading.Event()
        self.ended = threading.Semaphore(0)
        self._came = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [f"{seen.method} {seen.path}" for seen in self.seen]

    def wait_for_requests(self, count: int) -> None:
        """Wait until so many have come: a client that gave up knows of no answer, but the request is on its way."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.seen) >= count, PATIENCE)

    def stop(self) -> None:
        """Stop answering and free the port."""
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(PATIENCE)  # from here on there are no new ones
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        self.listener.close()

    def hang_up(self) -> None:
        """Close every connection that is open, as a core does with idle ones, and wait until that is done."""
        ends, self._open = self._open, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for _ in ends:
            assert self.ended.acquire(timeout=PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                end, _ = self.listener.accept()
            except OSError:
                return
            number, self.accepted = self.accepted, self.accepted + 1
            self._open.append(end)
            thread = threading.Thread(target=self._serve, args=(end, number))
            self._threads.append(thread)
            thread.start()

    def _serve(self, end: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), end:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.tls.wrap_socket(end, server_side=True) if self.tls else contextlib.nullcontext(end) as stream:
                reader = stream.makefile("rb")
                with reader:
                    while (seen := _read_request(reader, number)) is not None:
                        with self._came:
                            self.seen.append(seen)
                            self._came.notify_all()
                        reply = self.behave(seen)
                        if not self._answer(stream, reply):
                            break
        self.ended.release()

    def _answer(self, stream: socket.socket, reply: Reply) -> bool:
        if reply == HANG:
            self.stopping.wait(PATIENCE)
            return False
        if reply == RESET:
            reset(stream)
            return False
        assert isinstance(reply, Answer)
        data = memoryview(reply.encoded())
        while data:
            sent = stream.send(data[:65_536])
            self.sent_bytes += sent
            data = data[sent:]
        return not reply.close


def _read_request(reader: Any, number: int) -> Seen | None:
    line = reader.readline().decode("latin-1").split()
    if not line:
        return None
    headers: dict[str, str] = {}
    while (header := reader.readline().decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        assert name.lower() not in headers, f"{name} was sent twice"
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0)))
    target = urlsplit(line[1])
    params = dict(parse_qsl(target.query, keep_blank_values=True, strict_parsing=bool(target.query)))
    return Seen(line[0], target.path, params, headers, body, number)


def reset(end: socket.socket) -> None:
    """Make closing *end* send a reset instead of a proper end."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def core(
    behave: Callable[[Seen], Reply] | None = None, tls: ssl.SSLContext | None = None, port: int = 0
) -> Iterator[Core]:
    """A core that behaves as told; without being told it answers OK, and version 5.4 when asked for versions."""
    running = Core(behave or friendly, tls, port)
    try:
        yield running
    finally:
        running.stop()


def friendly(seen: Seen) -> Answer:
    if seen.path.endswith("/apiversion"):
        return Answer({"versions": ["5.0", "5.1", "5.2", "5.3", "5.4"]})
    return Answer({"status": "OK", "path": seen.path})


@contextlib.contextmanager
def dead() -> Iterator[str]:
    """The address of a core that refuses every connection: the port is taken, but no program listens."""
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{placeholder.getsockname()[1]}"


@contextlib.contextmanager
def deaf() -> Iterator[str]:
    """The address of a machine that drops packets: its queue of connections is full and is not emptied."""
    with contextlib.ExitStack() as ends:
        listener = ends.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = ends.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class Proxy:
    """
    Stands in front of a core, passes requests on whole, and then does to the answer what *fault* says.

    :param fault: ``pass``; ``reset`` or ``close`` instead of the answer, after the core has done its work; ``half`` of
        the answer and then the end; ``never`` an answer; ``refuse`` to pass anything on.
    """

    def __init__(self, target: Core, fault: str = "pass") -> None:
        self.fault = fault
        self._target = target
        self._core = Core(self._relay)
        self.url = self._core.url

    def _relay(self, seen: Seen) -> Reply:
        if self.fault == "refuse":
            return RESET
        lines = [f"{seen.method} {seen.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in seen.headers.items()]
        request = "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1") + seen.body
        with socket.create_connection(("127.0.0.1", self._target.port), timeout=PATIENCE) as upstream:
            upstream.sendall(request)
            with upstream.makefile("rb") as reader:
                head = b"".join(iter(reader.readline, b"\r\n")) + b"\r\n"
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                answer = head + reader.read(int(length.split(b":")[1]))
        if self.fault == "reset":
            return RESET
        if self.fault == "never":
            return HANG
        if self.fault == "close":
            return Answer(raw=b"", close=True)
        if self.fault == "half":
            return Answer(raw=answer[: len(head) + 3], close=True)
        return Answer(raw=answer)

    def stop(self) -> None:
        self._core.stop()


@contextlib.contextmanager
def proxy(target: Core, fault: str = "pass") -> Iterator[Proxy]:
    running = Proxy(target, fault)
    try:
        yield running
    finally:
        running.stop()


class Tunnel:
    """
    A proxy that connects its clients to other machines (CONNECT), or refuses to.

    :param tls: the proxy itself speaks TLS.
    :ivar heads: what came before each connection was made.
    """

    def __init__(self, *, refuse: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[bytes] = []
        self._refuse = refuse
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()

    def _serve(self) -> None:
        """Serve one client after the other."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), client:
                client.settimeout(PATIENCE)
                with self._tls.wrap_socket(client, server_side=True) if self._tls else client as end:
                    self._tunnel(end)

    def _tunnel(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.heads.append(head)
        if self._refuse:
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as upstream:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _relay(client, upstream)


def _relay(client: socket.socket, upstream: socket.socket) -> None:
    """Copy both ways until one end closes; in one thread, since two must not use a TLS connection at once."""
    while True:
        is_buffered = isinstance(client, ssl.SSLSocket) and client.pending() > 0
        ready = [client] if is_buffered else select.select([client, upstream], [], [], PATIENCE)[0]
        for source in ready:
            data = source.recv(65_536)
            if not data:
                return
            (upstream if source is client else client).sendall(data)
        if not ready:
            return


@contextlib.contextmanager
def tunnel(*, refuse: bool = False, tls: ssl.SSLContext | None = None) -> Iterator[Tunnel]:
    running = Tunnel(refuse=refuse, tls=tls)
    try:
        yield running
    finally:
        running.stop()
