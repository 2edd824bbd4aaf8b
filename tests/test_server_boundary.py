"""Requests as bytes, under servers of several makes: what they leave to us, and that our answers suit them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import waitress.server  # type: ignore[import-untyped]  # it has no types
import werkzeug.serving
from toy import supertokens
from werkzeug.wrappers import Request, Response

LIMIT = 10  # seconds after which a server that says nothing has failed

JSON = "Content-Type: application/json\r\n"


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None: ...


class QuietWerkzeug(werkzeug.serving.WSGIRequestHandler):
    def log(self, type: str, message: str, *arguments: object) -> None: ...


@Request.application
def plain_app(_request: Request) -> Response:
    return Response("from the app")


def by_wsgiref() -> tuple[int, Callable[[], None], Callable[[], None]]:
    server = make_server("127.0.0.1", 0, supertokens().wrap(plain_app), handler_class=Quiet)

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return server.server_port, server.serve_forever, stop


def by_werkzeug() -> tuple[int, Callable[[], None], Callable[[], None]]:
    server = werkzeug.serving.make_server(
        "127.0.0.1", 0, supertokens().wrap(plain_app), threaded=True, request_handler=QuietWerkzeug
    )
    return server.server_port, server.serve_forever, server.shutdown


def by_waitress() -> tuple[int, Callable[[], None], Callable[[], None]]:
    server = waitress.server.create_server(
        supertokens().wrap(plain_app), host="127.0.0.1", port=0, clear_untrusted_proxy_headers=True
    )
    return server.effective_port, server.run, server.close


@pytest.fixture(scope="module", params=[by_wsgiref, by_werkzeug, by_waitress], ids=lambda make: make.__name__[3:])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    number, serve, stop = request.param()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield number
    stop()
    thread.join(LIMIT)


def say(port: int, data: bytes) -> bytes:
    """Send bytes on one connection and return what comes back until the server closes it."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server has answered and closed before it had everything, which is its right
        parts = []
        try:
            while part := connection.recv(65_536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)


def statuses(answer: bytes) -> list[int]:
    return [int(part.split(b" ", 2)[1]) for part in answer.split(b"HTTP/1.")[1:]]


def post(path: str, headers: str, body: bytes, version: str = "1.1") -> bytes:
    return f"POST {path} HTTP/{version}\r\nHost: localhost\r\n{headers}\r\n".encode() + body


def test_a_body_that_is_too_large_is_a_413_and_never_the_next_request(port: int) -> None:
    """W-127: no header of ours that a server refuses, and what we leave unread is not taken for a request."""
    smuggled = b"GET /auth/greet HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = smuggled * (150_000 // len(smuggled))
    answer = say(port, post("/auth/echo", f"{JSON}Content-Length: {len(body)}\r\nConnection: close\r\n", body))
    assert statuses(answer) == [413]  # also where the server resets the connection after it
    for version, keep in (("1.1", ""), ("1.0", "Connection: keep-alive\r\n")):
        kept = say(port, post("/auth/echo", f"{JSON}Content-Length: {len(body)}\r\n{keep}", body, version))
        assert b"hello public" not in kept
        assert statuses(kept) == [413]


@pytest.mark.parametrize(
    "hosts", [("localhost", "evil.example/auth/echo?"), ("evil.example/auth/echo?", "localhost"), ("a@b#", "a@b#")]
)
def test_two_host_headers_are_refused_by_the_server_or_have_no_part_in_routing(
    port: int, hosts: tuple[str, str]
) -> None:
    """W-027: a proxy in front may have looked at the other one."""
    for path, ours in (("/auth/greet", b"hello public"), ("/page", b"from the app")):
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        answer = say(port, f"GET {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
        assert statuses(answer) in ([400], [200])
        assert statuses(answer) == [400] or ours in answer


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_our_answers_suit_old_and_new_clients(port: int, version: str) -> None:
    answer = say(port, post("/auth/echo", f"{JSON}Content-Length: 8\r\nConnection: close\r\n", b'{"a": 1}', version))
    assert statuses(answer) == [200]
    assert answer.endswith(b'{"a":1}')


@pytest.mark.parametrize(
    ("headers", "body", "allowed"),
    [
        ("Content-Length: -1\r\n", b"{}", {400, 500}),
        ("Content-Length: +2\r\n", b"{}", {400}),
        ("Content-Length: 2, 2\r\n", b"{}", {400}),
        ("Content-Length: 0x2\r\n", b"{}", {400}),
        ("Content-Length: 10000000000\r\n", b"{}", {400, 413}),
        ("", b"{}", {400}),
        ("Content-Length: 100\r\n", b"{}", {400}),
    ],
)
def test_a_length_that_makes_no_sense_never_gets_a_body_to_a_route(
    port: int, headers: str, body: bytes, allowed: set[int]
) -> None:
    """W-040: the server or we refuse; no thread waits for what does not come."""
    answer = say(port, post("/auth/echo", f"{JSON}{headers}Connection: close\r\n", body))
    assert set(statuses(answer)) <= allowed
    assert b'{"a"' not in answer


def test_a_chunked_body_is_read_where_the_server_decodes_it(port: int) -> None:
    """W-120: we read wsgi.input and look at no transfer coding ourselves."""
    body = b'8\r\n{"a": 1}\r\n0\r\n\r\n'
    answer = say(port, post("/auth/echo", f"{JSON}Transfer-Encoding: chunked\r\nConnection: close\r\n", body))
    assert statuses(answer) in ([200], [400], [411], [501])
    both = say(
        port,
        post("/auth/echo", f"{JSON}Transfer-Encoding: chunked\r\nContent-Length: 3\r\nConnection: close\r\n", body),
    )
    assert statuses(both) in ([200], [400], [411], [501])


def test_head_has_no_body_and_a_kept_connection_goes_on(port: int) -> None:
    """W-126."""
    head = b"HEAD /auth/greet HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = say(port, head)
    assert statuses(answer) == [200]
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "path",
    [
        "//auth/greet",
        "/auth/./greet",
        "/auth//greet",
        "/auth/greet%2f",
        "/auth/greet%00",
        "/AUTH/greet",
        "/auth/gree%2574",
    ],
)
def test_another_spelling_of_a_route_is_not_ours_whatever_the_server_makes_of_it(port: int, path: str) -> None:
    """W-028: at most the one spelling is reached, after the server's own decoding."""
    answer = say(port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert b"hello public" not in answer or path in ("//auth/greet", "/auth/greet%2f")
