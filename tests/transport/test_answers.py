"""What comes back, and how little is taken on trust; what goes out, and that nothing of the environment does."""

from __future__ import annotations

import base64
import gzip
import json
import math
import socket
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest

from st_wsgi.core_client.transport import CoreRequest, HTTPTransport, copy_json
from st_wsgi.errors import ConfigError, CoreReplyInvalid, CoreUnavailable
from transport.conftest import Certificate
from transport.cores import Answer, Core, core, dead, tunnel

JSON = (("Content-Type", "application/json"),)


def ask(host: Core, **settings: Any) -> Any:
    transport = HTTPTransport(host.url, **settings)
    try:
        return transport.send(CoreRequest(method="GET", path="/thing"))
    finally:
        transport.close()


def test_a_json_object_comes_back_as_a_mapping_with_status_and_headers() -> None:
    headers = (*JSON, ("Cache-Control", "max-age=60, must-revalidate"))
    with core(lambda _: Answer({"keys": [1, {"a": None}]}, headers=headers)) as host:
        answer = ask(host)
    assert answer.status == 200
    assert answer.body == {"keys": [1, {"a": None}]}
    assert answer.headers["cache-control"] == "max-age=60, must-revalidate"


@pytest.mark.parametrize(
    "body",
    [
        b"Hello\n",
        b"",
        b"[]",
        b'"text"',
        b"12",
        b"null",
        b"<html>{}</html>",
        b'{"a": 1',
        b'{"a": 1} and more',
        b'{"a": "\xff"}',
        b'{"a":' * 100_000,
    ],
    ids=["text", "empty", "list", "string", "number", "null", "html", "cut", "more", "not utf-8", "deep"],
)
def test_anything_else_comes_back_as_text(body: bytes) -> None:
    """QT-9: what is no JSON object stays the text that it was, for the querier to refuse."""
    with core(lambda _: Answer(body, headers=JSON)) as host:
        answer = ask(host)
    assert answer.body == body.decode("utf-8", "replace")


def test_white_space_around_the_object_is_fine() -> None:
    with core(lambda _: Answer(b'\r\n {"a": 1}\n')) as host:
        assert ask(host).body == {"a": 1}


def test_a_chunked_answer_is_read_whole() -> None:
    raw = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n'
    with core(lambda _: Answer(raw=raw)) as host:
        assert ask(host).body == {"a": 1}


def test_an_answer_that_ends_with_the_connection_is_read_whole() -> None:
    with core(lambda _: Answer(raw=b'HTTP/1.0 503 No\r\n\r\n{"a":1}', close=True)) as host:
        answer = ask(host)
    assert (answer.status, answer.body) == (503, {"a": 1})


def test_a_huge_answer_is_cut_off_long_before_its_end() -> None:
    """QT-9: 64 MB offered, a few taken."""
    with core(lambda _: Answer(b"x" * (64 * 1024 * 1024))) as host:
        with pytest.raises(CoreReplyInvalid, match="larger than 1000000 bytes"):
            ask(host, max_reply_bytes=1_000_000)
        host.stop()
        assert host.sent_bytes < 32 * 1024 * 1024


def test_an_endless_chunked_answer_is_cut_off() -> None:
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 2
    with core(lambda _: Answer(raw=endless)) as host, pytest.raises(CoreReplyInvalid, match="larger than 1500 bytes"):
        ask(host, max_reply_bytes=1500)


def test_a_request_can_set_a_lower_limit_but_not_a_higher_one() -> None:
    with core(lambda _: Answer(b"x" * 500)) as host:
        transport = HTTPTransport(host.url, max_reply_bytes=400)
        for limit in (300, 1000):
            with pytest.raises(CoreReplyInvalid, match=f"larger than {min(limit, 400)} bytes"):
                transport.send(CoreRequest(method="GET", path="/thing", max_reply_bytes=limit))
        transport.close()


def test_an_answer_of_exactly_the_limit_is_taken() -> None:
    with core(lambda _: Answer(b"x" * 500)) as host:
        assert ask(host, max_reply_bytes=500).body == "x" * 500


def test_a_reply_that_comes_before_the_whole_body_was_read_is_a_reply() -> None:
    """A core that refuses a body by its length or key hangs up in the middle of it."""

    def refuse(listener: socket.socket) -> None:
        end, _ = listener.accept()
        with end:
            end.recv(1000)
            end.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
            end.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener,))
        thread.start()
        transport = HTTPTransport(f"http://127.0.0.1:{listener.getsockname()[1]}")
        answer = transport.send(CoreRequest("POST", "/thing", body={"long": "x" * 50_000_000}))
        transport.close()
        thread.join()
    assert (answer.status, answer.body) == (413, "no")


def test_compression_is_declined_and_refused_when_it_comes_anyway() -> None:
    squeezed = Answer(gzip.compress(b"{}"), headers=(*JSON, ("Content-Encoding", "gzip")))
    with core(lambda _: squeezed) as host:
        with pytest.raises(CoreReplyInvalid, match="compressed"):
            ask(host)
        assert host.seen[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """QT-9: the API key goes to no other host."""
    with core() as elsewhere:
        away = Answer(b"", status, (("Location", f"{elsewhere.url}/thing"),))
        with core(lambda _: away) as host:
            assert ask(host).status == status
            assert len(host.seen) == 1
        assert elsewhere.seen == []


def test_cookies_are_neither_kept_nor_sent() -> None:
    with core(lambda _: Answer(headers=(("Set-Cookie", "a=b; Path=/"),))) as host:
        transport = HTTPTransport(host.url)
        for _ in range(2):
            transport.send(CoreRequest(method="GET", path="/thing"))
        transport.close()
        assert all("cookie" not in seen.headers for seen in host.seen)


# What goes out


def test_a_request_carries_its_body_parameters_and_headers_and_little_else() -> None:
    with core() as host:
        transport = HTTPTransport(host.url)
        body = {"email": "ü@example.com", "nested": {"a": [1, True, None]}}
        transport.send(
            CoreRequest(
                method="PUT",
                path="/public/recipe/user",
                params={"a": "b c&d", "e": ""},
                body=body,
                headers={"cdi-version": "5.4", "api-key": "key", "rid": "emailpassword"},
            )
        )
        transport.close()
        (seen,) = host.seen
    assert (seen.method, seen.path, seen.params) == ("PUT", "/public/recipe/user", {"a": "b c&d", "e": ""})
    assert seen.json == body
    assert dict(seen.headers) == {
        "host": f"127.0.0.1:{host.port}",
        "accept-encoding": "identity",
        "user-agent": "st-wsgi",
        "content-type": "application/json; charset=utf-8",
        "content-length": str(len(seen.body)),
        "cdi-version": "5.4",
        "api-key": "key",
        "rid": "emailpassword",
    }


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_without_a_body_has_none(method: Any) -> None:
    with core() as host:
        transport = HTTPTransport(host.url)
        transport.send(CoreRequest(method=method, path="/thing", params={"a": "b"}))
        transport.close()
        (seen,) = host.seen
    assert seen.body == b""
    assert "content-type" not in seen.headers


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_does_not_know_is_not_sent(value: float) -> None:
    with core() as host:
        transport = HTTPTransport(host.url)
        with pytest.raises(ValueError, match="not JSON compliant"):
            transport.send(CoreRequest(method="POST", path="/thing", body={"a": value}))
        transport.close()
        assert host.seen == []


# The environment


@pytest.fixture
def tempting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("tempting")
def test_proxies_and_netrc_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with core() as proxy, core() as host:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        ask(host)
        assert proxy.seen == []
        assert "authorization" not in host.seen[0].headers


@pytest.mark.usefixtures("tempting")
def test_proxies_and_netrc_of_the_environment_are_followed_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with core() as proxy, core() as host:
        monkeypatch.setenv("http_proxy", proxy.url)
        answer = ask(host, trust_environment=True)
        assert answer.body == {"status": "OK", "path": "/thing"}
        assert host.seen == []
        assert proxy.seen[0].headers["host"] == f"127.0.0.1:{host.port}"
        assert proxy.seen[0].headers["authorization"].startswith("Basic ")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        ask(host, trust_environment=True)
        assert len(host.seen) == 1


@pytest.mark.usefixtures("tempting")
@pytest.mark.parametrize("secure_proxy", [False, True])
def test_an_https_core_is_reached_through_a_tunnel_that_sees_nothing_of_the_call(
    monkeypatch: pytest.MonkeyPatch, certificate: Certificate, secure_proxy: bool
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))
    tls = certificate.server if secure_proxy else None
    with core(tls=certificate.server) as host, tunnel(tls=tls) as proxy:
        scheme, _, address = proxy.url.partition("://")
        monkeypatch.setenv("https_proxy", f"{scheme}://someone:p%40ss@{address}")
        transport = HTTPTransport(host.url, trust_environment=True)
        for _ in range(2):
            request = CoreRequest(method="GET", path="/thing", headers={"api-key": "secret"})
            assert transport.send(request).body == {"status": "OK", "path": "/thing"}
        transport.close()
        assert host.accepted == 1
        (head,) = proxy.heads
        assert head.startswith(f"CONNECT 127.0.0.1:{host.port} HTTP/1.".encode())
        assert b"proxy-authorization: Basic " + base64.b64encode(b"someone:p@ss") in head
        assert b"secret" not in head
        assert "proxy-authorization" not in host.seen[0].headers


@pytest.mark.usefixtures("tempting")
def test_a_tunnel_that_is_refused_goes_on_to_the_next_host(
    monkeypatch: pytest.MonkeyPatch, certificate: Certificate
) -> None:
    with core(tls=certificate.server) as far, core() as near, tunnel(refuse=True) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        transport = HTTPTransport([far.url, near.url], trust_environment=True)
        answer = transport.send(CoreRequest(method="POST", path="/thing", body={}))
        transport.close()
        assert answer.host == near.url
        assert far.seen == []
        assert len(proxy.heads) == 1


@pytest.mark.usefixtures("tempting")
def test_a_proxy_of_a_kind_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
    with core() as host, pytest.raises(ConfigError, match="put the core into NO_PROXY"):
        ask(host, trust_environment=True)


# The interceptor's side of it


def test_what_the_interceptor_returns_is_what_is_sent() -> None:

    with core() as host, core() as other:

        def intercept(attempt: Any) -> Any:
            return attrs.evolve(
                attempt,
                url=f"{other.url}/else where?q=1",
                method="PUT",
                headers={**attempt.headers, "x-trace": "7"},
                params={"p": "2"},
                body={"b": 3},
            )

        transport = HTTPTransport(host.url)
        transport.send(CoreRequest(method="POST", path="/thing", body={"a": 1}, intercept=intercept))
        transport.close()
        assert host.seen == []
        (seen,) = other.seen
    assert (seen.method, seen.path, seen.params, seen.json) == ("PUT", "/else%20where", {"q": "1", "p": "2"}, {"b": 3})
    assert seen.headers["x-trace"] == "7"


def test_calls_that_the_interceptor_sends_elsewhere_use_one_connection_too() -> None:
    with core() as host, core() as other:
        transport = HTTPTransport(host.url)

        def intercept(attempt: Any) -> Any:
            return attrs.evolve(attempt, url=other.url)

        for _ in range(3):
            transport.send(CoreRequest(method="GET", path="/thing", intercept=intercept))
        transport.send(CoreRequest(method="GET", path="/thing"))
        transport.close()
        assert [other.accepted, host.accepted] == [1, 1]
        assert [seen.path for seen in other.seen] == ["/"] * 3


def test_a_failure_where_the_interceptor_sent_the_call_names_that_address() -> None:
    with core() as host, dead() as nobody:
        transport = HTTPTransport(host.url)
        request = CoreRequest("GET", "/thing", intercept=lambda attempt: attrs.evolve(attempt, url=f"{nobody}/x"))
        with pytest.raises(CoreUnavailable, match=f"network_interceptor sent the call to {nobody}"):
            transport.send(request)
        transport.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/relative",
        "ftp://core/x",
        "http://",
        "http://[::1",
        "http://core:0/x",
        "core:1",
        "http://user:hunter2@core/x",
        "http://core/x#here",
    ],
)
def test_an_address_from_the_interceptor_that_cannot_be_called_is_refused(url: str) -> None:

    with core() as host:
        transport = HTTPTransport(host.url)
        request = CoreRequest(method="GET", path="/thing", intercept=lambda attempt: attrs.evolve(attempt, url=url))
        with pytest.raises(ConfigError, match="network_interceptor must return a full"):
            transport.send(request)
        transport.close()
        assert host.seen == []


def test_the_interceptor_gets_copies_that_it_may_change() -> None:
    body, headers, params = {"list": [1], "object": {"a": 1}}, {"api-key": "key"}, {"p": "1"}

    def intercept(attempt: Any) -> Any:
        attempt.body["list"].append(2)
        attempt.body["object"].clear()
        attempt.headers["api-key"] = "other"
        attempt.params.clear()
        return attempt

    with core() as host:
        transport = HTTPTransport(host.url)
        request = CoreRequest(
            method="POST", path="/thing", body=body, headers=headers, params=params, intercept=intercept
        )
        transport.send(request)
        transport.close()
        assert host.seen[0].json == {"list": [1, 2], "object": {}}
        assert host.seen[0].headers["api-key"] == "other"
    assert (body, headers, params) == ({"list": [1], "object": {"a": 1}}, {"api-key": "key"}, {"p": "1"})


# Settings


@pytest.mark.parametrize(
    "name", ["connect_timeout", "read_timeout", "idle_timeout", "max_reply_bytes", "max_idle_connections"]
)
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_a_number_that_cannot_work_is_refused_at_construction(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be a number above zero"):
        HTTPTransport("http://core", **{name: value})  # type: ignore[arg-type] # that is the point


def test_a_copy_of_json_shares_nothing_with_the_original() -> None:
    original: dict[str, Any] = {"a": [1, {"b": [None, True]}], "c": "d"}
    copied = copy_json(original)
    assert copied == json.loads(json.dumps(original))
    copied["a"][1]["b"].append(2)
    copied["a"].append(3)
    assert original == {"a": [1, {"b": [None, True]}], "c": "d"}
