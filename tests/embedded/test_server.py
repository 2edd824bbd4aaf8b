"""The embedded core over HTTP: connections, requests that are refused, addresses, and stopping."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
from contract.client import serving
from werkzeug.test import Client, create_environ, run_wsgi_app

from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.server import CoreServer
from st_wsgi.embedded.wsgi import BODY_LIMIT, CoreApp

KEY = "k" * 20
SIGN_UP = b'{"email":"a@example.com","password":"x"}'


@pytest.fixture
def server(core: EmbeddedCore) -> Iterator[CoreServer]:
    """A server of a core in memory."""
    with serving(core) as server:
        yield server


@pytest.fixture
def locked(make_core: Callable[..., EmbeddedCore]) -> Iterator[CoreServer]:
    """A server of a core in memory that has a key."""
    with serving(make_core(api_keys=KEY)) as server:
        yield server


def place(server: CoreServer) -> tuple[str, int]:
    """Return host and port."""
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    return host.strip("[]"), int(port)


def connect(server: CoreServer) -> http.client.HTTPConnection:
    """Open a connection."""
    return http.client.HTTPConnection(*place(server), timeout=30)


def exchange(server: CoreServer, data: bytes) -> bytes:
    """Send bytes, and return everything that comes until the server closes."""
    with socket.create_connection(place(server), timeout=30) as connection:
        received = b""
        # A server that closes before it has read everything resets the connection, after its reply.
        with contextlib.suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
    return received


def test_one_connection_for_many_calls(server: CoreServer) -> None:
    """Connections stay open, also after bodies that the core had no use for."""
    connection = connect(server)
    connection.connect()
    own = connection.sock.getsockname()
    for method, path, body in (
        ("POST", "/recipe/signup", SIGN_UP),
        ("GET", "/hello", b"{}"),
        ("POST", "/no/such/path", b"x" * 10_000),
        ("DELETE", "/recipe/session", b"{}"),
        ("GET", "/apiversion", None),
    ):
        connection.request(method, path, body, {} if body is None else {"content-type": "application/json"})
        response = connection.getresponse()
        response.read()
        assert response.status in (200, 404, 405)
        assert connection.sock.getsockname() == own
    connection.close()


def test_bodies_in_chunks(server: CoreServer) -> None:
    """A body may come in chunks, without a length."""
    connection = connect(server)
    for _ in range(2):
        parts, headers = [b'{"role":', b'"chunked"}'], {"content-type": "application/json"}
        connection.request("PUT", "/recipe/role", iter(parts), headers, encode_chunked=True)
        response = connection.getresponse()
        assert json.loads(response.read())["status"] == "OK"
    connection.close()


BODY = b'{"role":"r"}'
CHUNKS = b"c\r\n" + BODY + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        pytest.param([b"Content-Length: 12", b"Transfer-Encoding: chunked"], CHUNKS, 400, id="two framings"),
        pytest.param([b"Transfer-Encoding: chunked", b"Content-Length: 12"], CHUNKS, 400, id="two framings, swapped"),
        pytest.param([b"Content-Length: 12", b"Content-Length: 12"], BODY, 400, id="two lengths, equal"),
        pytest.param([b"Content-Length: 12", b"Content-Length: 5"], BODY, 400, id="two lengths"),
        pytest.param([b"Content-Length: 12", b"Content_Length: 5"], BODY, 400, id="two lengths, one with underscore"),
        pytest.param([b"Content-Length: 12, 12"], BODY, 400, id="two lengths in a line"),
        pytest.param([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], CHUNKS, 400, id="chunked twice"),
        pytest.param([b"Transfer-Encoding: chunked, chunked"], CHUNKS, 400, id="chunked twice in a line"),
        pytest.param([b"Transfer-Encoding: gzip, chunked"], CHUNKS, 400, id="another encoding"),
        pytest.param([b"Transfer-Encoding: xchunked"], CHUNKS, 400, id="an unknown encoding"),
        pytest.param([b"Transfer-Encoding : chunked"], CHUNKS, 400, id="space before the colon"),
        pytest.param([b"Transfer-Encoding:", b" chunked"], CHUNKS, 400, id="folded"),
        pytest.param([b"X: a", b"\tb", b"Content-Length: 12"], BODY, 400, id="another header folded"),
        pytest.param([b"Content-Length: -5"], BODY, 400, id="negative"),
        pytest.param([b"Content-Length: +12"], BODY, 400, id="with a sign"),
        pytest.param([b"Content-Length: 1_2"], BODY, 400, id="with an underscore"),
        pytest.param([b"Content-Length: 0x0c"], BODY, 400, id="hexadecimal"),
        pytest.param([b"Content-Length: \xb2"], BODY, 400, id="another digit"),
        pytest.param([b"Content-Length: " + b"9" * 5000], BODY, 400, id="5,000 digits"),
        pytest.param([b"Content-Length: 999999999999"], BODY, 413, id="a terabyte"),
        pytest.param([b"Transfer-Encoding: chunked"], b"zz\r\n" + BODY, 400, id="a size that is none"),
        pytest.param([b"Transfer-Encoding: chunked"], b"0xc\r\n" + BODY, 400, id="a size with 0x"),
        pytest.param([b"Transfer-Encoding: chunked"], b"+c\r\n" + BODY, 400, id="a size with a sign"),
        pytest.param([b"Transfer-Encoding: chunked"], b"-c\r\n" + BODY, 400, id="a negative size"),
        pytest.param([b"Transfer-Encoding: chunked"], b" c\r\n" + BODY, 400, id="a size after a space"),
        pytest.param([b"Transfer-Encoding: chunked"], b"c\n" + BODY + b"\r\n0\r\n\r\n", 400, id="a size with LF alone"),
        pytest.param([b"Transfer-Encoding: chunked"], b"c\r\n" + BODY + b"xx0\r\n\r\n", 400, id="a chunk too long"),
        pytest.param([b"Host: localhost"], b"", 400, id="two hosts"),
        pytest.param([b"no header"], b"", 400, id="a line that is none"),
        pytest.param([b"X: a\rb"], b"", 400, id="CR alone"),
        pytest.param([b"X: " + b"a" * 70_000], b"", 431, id="too much"),
    ],
)
def test_ambiguous_requests(
    server: CoreServer, headers: list[bytes], body: bytes, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """What two servers in a row may read in two ways is refused, once, and the connection closed (W-120)."""
    head = [b"PUT /recipe/role HTTP/1.1", b"Host: localhost", b"Content-Type: application/json", *headers]
    reply = exchange(server, b"\r\n".join([*head, b"", b""]) + body)
    assert reply.count(b"HTTP/1.") == 1
    assert int(reply.split(b" ", 2)[1]) == status
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PUT /recipe/role HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
        + CHUNKS,
    ],
    ids=["no request", "an address that is none", "chunks in HTTP/1.0"],
)
def test_requests_that_are_none(server: CoreServer, data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """What is malformed is refused without a traceback, and the server goes on."""
    reply = exchange(server, data)
    assert reply.count(b"HTTP/1.") == 1
    assert b" 400 " in reply.splitlines()[0]
    assert b"Hello" in exchange(server, b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("framing", [b"Content-Length: 24000000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/recipe/signup", None, 401),
        ("/recipe/signup", "x" * 20, 401),
        ("/no/such/path", KEY, 404),
        ("/appid-unknown/recipe/signup", None, 413),
        ("/hello", None, 413),
    ],
)
def test_the_headers_come_first(locked: CoreServer, framing: bytes, path: str, key: str | None, status: int) -> None:
    """A large body of a caller without the key is refused by its headers: not a byte of it is waited for."""
    lines = [b"POST " + path.encode() + b" HTTP/1.1", b"Host: core.internal", b"Expect: 100-continue", framing]
    if key is not None:
        lines.append(b"api-key: " + key.encode())
    with socket.create_connection(place(locked), timeout=30) as connection:
        connection.sendall(b"\r\n".join([*lines, b"", b""]))
        received = connection.recv(65536)
        assert int(received.split(b" ", 2)[1]) == status
        while part := connection.recv(65536):
            received += part
    assert received.count(b"HTTP/1.") == 1


def test_the_key_opens_it_for_large_bodies(locked: CoreServer) -> None:
    """With the key a large body is received."""
    connection = connect(locked)
    body = json.dumps({"role": "r", "permissions": ["p" * 100_000]})
    connection.request("PUT", "/recipe/role", body, {"api-key": KEY})
    assert json.loads(connection.getresponse().read())["status"] == "OK"
    connection.request("PUT", "/recipe/role", body, {"api-key": "x"})
    assert connection.getresponse().status == 401
    connection.close()


def test_clients_that_go_away(server: CoreServer, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that hangs up in the middle is no news."""
    exchange(server, b"POST /recipe/role HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nhalf")
    exchange(server, b"GET /hel")
    connection = connect(server)
    connection.request("GET", "/hello")
    assert connection.getresponse().status == 200
    connection.close()
    assert capfd.readouterr().err == ""


class SlowApp(CoreApp):
    """An application that enters a call and leaves it when the test says so."""

    def __init__(self, core: EmbeddedCore) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()
        super().__init__(core)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/hello":
            self.entered.set()
            assert self.leave.wait(30)
        return super().__call__(environ, start_response)


def test_stopping_lets_a_request_finish(core: EmbeddedCore) -> None:
    """A stop waits for what runs, closes idle connections, and accepts no more."""
    app = SlowApp(core)
    server = CoreServer(app, host="127.0.0.1", port=0)
    serving_thread = threading.Thread(target=server.serve_forever)
    serving_thread.start()
    idle = connect(server)
    idle.request("GET", "/apiversion")
    idle.getresponse().read()
    busy = connect(server)
    busy.request("GET", "/hello")
    assert app.entered.wait(30)
    server.stop(grace=30)
    assert idle.sock.recv(1) == b""
    app.leave.set()
    response = busy.getresponse()
    assert (response.status, response.read()) == (200, b"Hello\n")
    serving_thread.join(30)
    assert not serving_thread.is_alive()
    with pytest.raises(ConnectionError):
        connect(server).request("GET", "/hello")
    idle.close()
    busy.close()
    server.stop()


def test_ipv6(core: EmbeddedCore) -> None:
    """An IPv6 address is written in brackets."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("needs IPv6, which this machine does not have")
    with serving(core, host="::1") as server:
        assert server.address.startswith("http://[::1]:")
        connection = http.client.HTTPConnection("::1", place(server)[1], timeout=10)
        connection.request("GET", "/hello")
        assert connection.getresponse().read() == b"Hello\n"
        connection.close()


def local(app: CoreApp) -> Client:
    """Return a client on this machine."""
    return Client(validator(app))


def test_the_application_is_wsgi(core: EmbeddedCore) -> None:
    """The application keeps to the rules of WSGI in every branch."""
    client = local(CoreApp(core))
    # Read at once and closed, as the validator wants it.
    assert client.get("/hello", buffered=True).text == "Hello\n"
    refused = client.post("/recipe/signup", data=b"nonsense", content_type="application/json", buffered=True)
    assert refused.status_code == 400
    made = client.put("/recipe/role", json={"role": "r"}, buffered=True)
    assert made.json == {"status": "OK", "createdNewRole": True}
    assert client.get("/no/such/path", buffered=True).status_code == 404
    head = client.head("/hello", buffered=True)
    assert (head.status_code, head.data) == (405, b"")


def test_base_path(core: EmbeddedCore) -> None:
    """With a base path everything is below it."""
    app = CoreApp(core, base_path="/auth/core/")
    assert repr(app) == f"<CoreApp of {core!r} at /auth/core>"
    client = Client(app)
    assert client.get("/auth/core/hello").text == "Hello\n"
    assert client.get("/auth/core").text == "Hello\n"
    for path in ("/hello", "/auth/corehello", "/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("length", [str(BODY_LIMIT + 1), "50", "9" * 5000])
def test_bodies_that_lie(core: EmbeddedCore, length: str) -> None:
    """On any server, a body larger than the limit, or shorter than it says, is refused before it is parsed."""
    environ = create_environ("/recipe/signup", method="POST", data=b"{}", content_type="application/json")
    environ["CONTENT_LENGTH"] = length
    _, status, _ = run_wsgi_app(CoreApp(core), environ)
    assert status == "413 Request Entity Too Large"


@pytest.mark.parametrize("body", [b'{"role": NaN}', b'{"role": "\xff"}', b"[" * 100_000, b"1" * 10_000])
def test_json_that_is_none(core: EmbeddedCore, body: bytes) -> None:
    """What only Python would take for JSON, and what nests without end, is refused."""
    response = Client(CoreApp(core)).put("/recipe/role", data=body, content_type="application/json")
    assert (response.status_code, response.text) == (400, "Invalid Json Input\n")


def test_the_first_of_equal_parameters_counts(core: EmbeddedCore) -> None:
    """A parameter that comes twice has its first value, and bytes that are no UTF-8 do no harm."""
    client = Client(CoreApp(core))
    assert client.get("/recipe/userid/map?userId=a&userId=").json == {"status": "UNKNOWN_MAPPING_ERROR"}
    assert client.get("/user/id?userId=%ff%fe").json == {"status": "UNKNOWN_USER_ID_ERROR"}


def test_addresses_of_clients(make_core: Callable[..., EmbeddedCore]) -> None:
    """Only the client addresses that are allowed are served, before anything else is looked at."""
    core = make_core(ip_deny_regex=r"10\.0\..*", api_keys=KEY)
    client = Client(CoreApp(core))
    refused = client.get("/recipe/roles", environ_base={"REMOTE_ADDR": "10.0.0.1"})
    assert (refused.status_code, refused.data) == (403, b"")
    assert client.get("/hello", environ_base={"REMOTE_ADDR": "10.0.0.1"}).status_code == 403
    assert client.get("/recipe/roles", environ_base={"REMOTE_ADDR": "10.1.0.1"}).status_code == 401
    base = caller(make_core())
    base.put("/recipe/multitenancy/app/v2", appId="a", coreConfig={"ip_allow_regex": "127.*"}).has()
    assert base.below("appid-a").get("/recipe/roles").status == 200


def test_errors_are_not_shown(core: EmbeddedCore, caplog: pytest.LogCaptureFixture) -> None:
    """An error of the core's own is a 500 without details; the log has them."""

    class Broken:
        def serve(self, *_: Any, **__: Any) -> Any:
            raise KeyError("a detail")

    app = CoreApp(Broken())  # type: ignore[arg-type]  # a core that has a bug
    response = Client(app).get("/hello")
    assert (response.status_code, response.text) == (500, "internal error, see the log of the core\n")
    assert "a detail" in caplog.text
