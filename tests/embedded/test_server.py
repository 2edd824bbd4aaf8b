"""The embedded core over HTTP: connections, bodies, addresses, and stopping."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client, create_environ, run_wsgi_app

from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.server import CoreServer
from st_wsgi.embedded.wsgi import BODY_LIMIT, core_app


@pytest.fixture
def server(core: EmbeddedCore) -> Iterator[CoreServer]:
    """A server of a core in memory."""
    yield from running(CoreServer(core_app(core), host="127.0.0.1", port=0))


def running(server: CoreServer) -> Iterator[CoreServer]:
    """Serve until the test is over."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    if not server.stopping:
        server.stop()
    thread.join()


def connect(server: CoreServer) -> http.client.HTTPConnection:
    """Open a connection."""
    host, port = server.server_address[:2]
    return http.client.HTTPConnection(str(host), int(port), timeout=10)


def raw(server: CoreServer, data: bytes) -> bytes:
    """Send bytes and return everything that comes until the server closes."""
    host, port = server.server_address[:2]
    with socket.create_connection((str(host), int(port)), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def test_one_connection_for_many_calls(server: CoreServer) -> None:
    """Connections stay open, also after bodies that the core had no use for."""
    connection = connect(server)
    connection.connect()
    own = connection.sock.getsockname()
    for method, path, body in (
        ("POST", "/recipe/signup", b'{"email":"a@example.com","password":"x"}'),
        ("GET", "/hello", b"a body that nobody asked for"),
        ("POST", "/no/such/path", b"x" * 100_000),
        ("DELETE", "/recipe/session", b"{}"),
        ("GET", "/apiversion", None),
    ):
        connection.request(method, path, body)
        response = connection.getresponse()
        response.read()
        assert response.status in (200, 404, 405)
        assert connection.sock.getsockname() == own
    connection.close()


def test_bodies_in_chunks(server: CoreServer) -> None:
    """A body may come in chunks, without a length."""
    connection = connect(server)
    for _ in range(2):
        parts = [b'{"role":', b'"chunked"}']
        connection.request("PUT", "/recipe/role", iter(parts), encode_chunked=True)
        response = connection.getresponse()
        assert json.loads(response.read())["status"] == "OK"
    connection.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /recipe/role HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 12 + b"\r\n\r\n", 413),
        (b"POST /recipe/role HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /recipe/role HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 413),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_requests_that_are_none(server: CoreServer, request_: bytes, status: int) -> None:
    """What is too large or malformed is refused and the connection closed; the server goes on."""
    assert re.match(rb"HTTP/1\.1 %d " % status, raw(server, request_)) or b"Error code: %d" % status in raw(
        server, request_
    )
    connection = connect(server)
    connection.request("GET", "/hello")
    assert connection.getresponse().read() == b"Hello\n"
    connection.close()


def test_clients_that_go_away(server: CoreServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A client that hangs up in the middle is no news."""
    raw(server, b"POST /recipe/role HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf")
    raw(server, b"GET /hel")
    connection = connect(server)
    connection.request("GET", "/hello")
    assert connection.getresponse().status == 200
    connection.close()
    assert capsys.readouterr().err == ""


def test_stopping_lets_a_request_finish(core: EmbeddedCore) -> None:
    """A stop waits for what runs, closes idle connections, and accepts no more."""
    entered, leave = threading.Event(), threading.Event()
    inner = core_app(core)

    class Stopping(CoreServer):
        def shutdown(self) -> None:
            leave.set()  # not before the stop has begun
            super().shutdown()

    def slow(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/hello":
            entered.set()
            assert leave.wait(30)
        return inner(environ, start_response)

    serving = running(Stopping(slow, host="127.0.0.1", port=0))
    server = next(serving)
    idle = connect(server)
    idle.request("GET", "/apiversion")
    idle.getresponse().read()
    busy = connect(server)
    busy.request("GET", "/hello")
    assert entered.wait(30)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    response = busy.getresponse()
    assert (response.status, response.read()) == (200, b"Hello\n")
    assert response.getheader("connection") == "close"
    stopping.join(30)
    assert not stopping.is_alive()
    assert idle.sock.recv(1) == b""
    with pytest.raises(ConnectionError):
        connect(server).request("GET", "/hello")
    idle.close()
    busy.close()
    assert next(serving, None) is None


def test_ipv6(core: EmbeddedCore) -> None:
    """An IPv6 address is written in brackets."""
    try:
        server = CoreServer(core_app(core), host="::1", port=0)
    except OSError:
        # A machine without IPv6 says so when asked for it; nothing else is refused here.
        assert not socket.has_ipv6 or _no_ipv6_loopback()
        return
    for served in running(server):
        assert re.fullmatch(r"http://\[::1\]:\d+", served.address)
        connection = http.client.HTTPConnection("::1", int(served.server_address[1]), timeout=10)
        connection.request("GET", "/hello")
        assert connection.getresponse().read() == b"Hello\n"
        connection.close()


def _no_ipv6_loopback() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return True
    return False


def test_the_application_is_wsgi(core: EmbeddedCore) -> None:
    """The application keeps to the rules of WSGI in every branch."""
    client = Client(validator(core_app(core)))
    # Read at once and closed, as the validator wants it.
    assert client.get("/hello", buffered=True).text == "Hello\n"
    assert client.post("/recipe/signup", data=b"nonsense", buffered=True).status_code == 400
    made = client.put("/recipe/role", json={"role": "r"}, buffered=True)
    assert made.json == {"status": "OK", "createdNewRole": True}
    assert client.get("/no/such/path", buffered=True).status_code == 404
    head = client.head("/hello", buffered=True)
    assert (head.status_code, head.data) == (405, b"")


def test_base_path(core: EmbeddedCore) -> None:
    """With a base path everything is below it."""
    client = Client(core_app(core, base_path="/auth/core/"))
    assert client.get("/auth/core/hello").text == "Hello\n"
    assert client.get("/auth/core").text == "Hello\n"
    for path in ("/hello", "/auth/corehello", "/"):
        assert client.get(path).status_code == 404


def test_bodies_that_lie(core: EmbeddedCore) -> None:
    """A body larger than the limit, or shorter than it says, is refused before it is parsed."""
    for length in (BODY_LIMIT + 1, 50):
        environ = create_environ("/recipe/signup", method="POST", data=b"{}")
        environ["CONTENT_LENGTH"] = str(length)
        _, status, headers = run_wsgi_app(core_app(core), environ)
        assert status == "413 Request Entity Too Large"
        assert headers["connection"] == "close"


@pytest.mark.parametrize("body", [b'{"role": NaN}', b'{"role": "\xff"}', b"[" * 100_000, b"1" * 10_000])
def test_json_that_is_none(core: EmbeddedCore, body: bytes) -> None:
    """What only Python would take for JSON, and what nests without end, is refused."""
    response = Client(core_app(core)).put("/recipe/role", data=body)
    assert (response.status_code, response.text) == (400, "Invalid Json Input\n")


def test_the_first_of_equal_parameters_counts(core: EmbeddedCore) -> None:
    """A parameter that comes twice has its first value, and bytes that are no UTF-8 do no harm."""
    client = Client(core_app(core))
    assert client.get("/recipe/userid/map?userId=a&userId=").json == {"status": "UNKNOWN_MAPPING_ERROR"}
    assert client.get("/user/id?userId=%ff%fe").json == {"status": "UNKNOWN_USER_ID_ERROR"}


def test_addresses_of_clients(make_core: Callable[..., EmbeddedCore]) -> None:
    """Only the client addresses that are allowed are served, before anything else is looked at."""
    core = make_core(ip_deny_regex=r"10\.0\..*", api_keys="k" * 20)
    client = Client(core_app(core))
    refused = client.get("/recipe/roles", environ_base={"REMOTE_ADDR": "10.0.0.1"})
    assert (refused.status_code, refused.data) == (403, b"")
    assert client.get("/hello", environ_base={"REMOTE_ADDR": "10.0.0.1"}).status_code == 403
    assert client.get("/recipe/roles", environ_base={"REMOTE_ADDR": "10.1.0.1"}).status_code == 401
    base = caller(make_core())
    base.put("/recipe/multitenancy/app/v2", appId="a", coreConfig={"ip_allow_regex": "127.*"}).has()
    assert base.below("appid-a").get("/recipe/roles").status == 200


def test_errors_are_not_told(core: EmbeddedCore, caplog: pytest.LogCaptureFixture) -> None:
    """An error of the core's own is a 500 without details; the log has them."""

    class Broken:
        def send(self, *_: Any, **__: Any) -> Any:
            raise KeyError("a detail")

    app = core_app(Broken())  # type: ignore[arg-type]  # a core that has a bug
    response = Client(app).get("/hello")
    assert (response.status_code, response.text) == (500, "internal error, see the log of the core\n")
    assert "a detail" in caplog.text
