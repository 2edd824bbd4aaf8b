"""Connections: kept, lent to one call at a time, dropped when they went stale, and closed."""

from __future__ import annotations

import gc
import ssl
import threading
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

import st_wsgi.core_client.transport
from st_wsgi.core_client.connections import tls_context
from st_wsgi.core_client.transport import CoreRequest, HTTPTransport, Method
from st_wsgi.errors import CoreUnavailable
from transport.conftest import Certificate
from transport.cores import PATIENCE, SHORT, Answer, Seen, core


def call(transport: HTTPTransport, method: Method = "GET", path: str = "/thing") -> Any:
    return transport.send(CoreRequest(method=method, path=path, body={} if method in ("POST", "PUT") else None)).body


def together(transport: HTTPTransport, paths: list[str]) -> list[Any]:
    bodies: list[Any] = [None] * len(paths)

    def work(number: int) -> None:
        bodies[number] = call(transport, "POST", paths[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(paths))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return bodies


def all_at_once(count: int) -> Any:
    """Answer only when *count* requests are there, which tells that they really are under way together."""
    barrier = threading.Barrier(count, timeout=PATIENCE)

    def behave(seen: Seen) -> Answer:
        barrier.wait()
        return Answer({"path": seen.path})

    return behave


def test_construction_opens_nothing_and_starts_nothing() -> None:
    with core() as host:
        before = threading.active_count()
        transport = HTTPTransport(host.url)
        assert threading.active_count() == before
        assert host.accepted == 0
        transport.close()


def test_a_connection_is_used_again_for_every_verb() -> None:
    with core() as host:
        transport = HTTPTransport(host.url)
        for method in ("GET", "POST", "PUT", "DELETE", "GET"):
            call(transport, method)
        transport.close()
        assert host.accepted == 1
        assert [seen.connection for seen in host.seen] == [0] * 5


def test_calls_of_a_thread_that_is_gone_leave_their_connection_to_the_next() -> None:
    """A server with a thread for each request does not need a connection for each request."""
    with core() as host:
        transport = HTTPTransport(host.url)
        for number in range(5):
            together(transport, [f"/{number}"])
        transport.close()
        assert host.accepted == 1


def test_concurrent_calls_have_a_connection_each_and_their_own_answers() -> None:
    with core(all_at_once(12)) as host:
        transport = HTTPTransport(host.url)
        paths = [f"/{number}" for number in range(12)]
        for _ in range(2):
            assert together(transport, paths) == [{"path": path} for path in paths]
        transport.close()
        assert host.accepted == 12


def test_no_more_unused_connections_are_kept_than_allowed() -> None:
    with core(all_at_once(4)) as host:
        transport = HTTPTransport(host.url, max_idle_connections=1)
        together(transport, ["/"] * 4)
        for _ in range(3):
            assert host.ended.acquire(timeout=PATIENCE)
        together(transport, ["/"] * 4)
        transport.close()
        assert host.accepted == 7


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_connection_that_the_core_closed_in_the_meantime_is_noticed_before_it_is_used(method: Method) -> None:
    """Otherwise a write on it would fail although nothing is wrong: it must not be repeated once it has been sent."""
    with core() as host:
        transport = HTTPTransport(host.url)
        for _ in range(3):
            call(transport, method)
            host.hang_up()
        call(transport, method)
        transport.close()
        assert host.accepted == 4
        assert len(host.seen) == 4


def test_a_connection_idle_for_long_is_closed_instead_of_used() -> None:
    with core() as host:
        transport = HTTPTransport(host.url, idle_timeout=1e-9)
        for number in range(3):
            call(transport)
            assert host.accepted == number + 1
        for _ in range(2):
            assert host.ended.acquire(timeout=PATIENCE)
        transport.close()


def test_idle_connections_at_the_bottom_of_the_pile_are_closed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy moment opens many; when one is enough again, the others do not stay for ever."""
    clock = [1000.0]
    monkeypatch.setattr("st_wsgi.core_client.connections.time", SimpleNamespace(monotonic=lambda: clock[0]))
    with core(all_at_once(3)) as host:
        transport = HTTPTransport(host.url, idle_timeout=10)
        together(transport, ["/"] * 3)
        host.behave = lambda _: Answer()
        for clock[0] in (1008.0, 1016.0):
            call(transport)
        for _ in range(2):
            assert host.ended.acquire(timeout=PATIENCE)
        call(transport)
        transport.close()
        assert host.accepted == 3


def test_an_answer_that_asks_for_it_ends_the_connection() -> None:
    with core(lambda _: Answer(headers=(("Connection", "close"),), close=True)) as host:
        transport = HTTPTransport(host.url)
        for _ in range(3):
            call(transport)
        transport.close()
        assert host.accepted == 3


def test_after_a_broken_answer_the_rest_of_it_is_not_taken_for_the_next() -> None:
    replies = [Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"), Answer({"a": 1})]
    with core(lambda _: replies.pop(0)) as host:
        transport = HTTPTransport(host.url, read_timeout=SHORT)
        with pytest.raises(CoreUnavailable):
            call(transport)
        assert call(transport) == {"a": 1}
        transport.close()
        assert host.accepted == 2


def test_an_interrupted_call_gives_its_connection_up() -> None:
    """Whatever breaks into a call, as a worker's time-out does, the next one starts on a clean connection."""

    class Interrupted(BaseException):
        pass

    with core() as host:
        transport = HTTPTransport(host.url)
        call(transport)

        def interrupt(*_: Any) -> Any:
            raise Interrupted

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(st_wsgi.core_client.transport, "_read", interrupt)
            with pytest.raises(Interrupted):
                call(transport)
        assert host.ended.acquire(timeout=PATIENCE)
        call(transport)
        transport.close()
        assert [seen.connection for seen in host.seen] == [0, 0, 1]


# The end


def test_close_ends_the_connections_and_later_calls_are_refused() -> None:
    with core() as host:
        transport = HTTPTransport(host.url)
        call(transport)
        transport.close()
        assert host.ended.acquire(timeout=PATIENCE)
        with pytest.raises(CoreUnavailable, match="is closed"):
            call(transport)
        transport.close()
        assert len(host.seen) == 1


def test_a_call_under_way_outlives_the_close_and_leaves_no_connection_behind() -> None:
    arrived, answer = threading.Event(), threading.Event()

    def behave(_: Seen) -> Answer:
        arrived.set()
        answer.wait(PATIENCE)
        return Answer({"a": 1})

    with core(behave) as host:
        transport = HTTPTransport(host.url)
        bodies: list[Any] = []
        thread = threading.Thread(target=lambda: bodies.append(call(transport)))
        thread.start()
        assert arrived.wait(PATIENCE)
        transport.close()
        answer.set()
        thread.join()
        assert bodies == [{"a": 1}]
        assert host.ended.acquire(timeout=PATIENCE)


def test_a_transport_that_is_not_used_any_more_is_not_kept_alive_for_forks() -> None:
    transport = HTTPTransport("http://core:3567")
    gone = weakref.ref(transport)
    del transport
    gc.collect()
    assert gone() is None


# TLS


def test_a_trusted_https_core_is_called_over_one_connection(certificate: Certificate) -> None:
    trusting = ssl.create_default_context(cafile=certificate.file)
    with core(tls=certificate.server) as host:
        transport = HTTPTransport(host.url, tls=trusting)
        for method in ("GET", "POST", "GET"):
            call(transport, method)
        transport.close()
        assert host.accepted == 1


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[ssl.SSLContext]:
    """Every TLS context that is made from here on."""
    made: list[ssl.SSLContext] = []

    def recorded(**settings: Any) -> ssl.SSLContext:
        made.append(tls_context(**settings))
        return made[-1]

    monkeypatch.setattr(st_wsgi.core_client.transport, "tls_context", recorded)
    return made


def test_the_tls_context_is_made_once_for_all_hosts_and_connections(
    certificate: Certificate, contexts: list[ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))
    with core(all_at_once(4), tls=certificate.server) as one, core(tls=certificate.server) as two:
        transport = HTTPTransport([one.url, two.url], trust_environment=True)
        assert contexts == []
        for host in (one, two):
            host.behave = lambda seen: Answer({"path": seen.path})
        paths = [f"/{number}" for number in range(8)]
        assert together(transport, paths) == [{"path": path} for path in paths]
        transport.close()
        assert len(contexts) == 1
        assert len(one.seen) == len(two.seen) == 4


def test_authorities_of_the_environment_are_not_trusted_unless_asked_for(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate.file))
    with core(tls=certificate.server) as host:
        transport = HTTPTransport(host.url)
        with pytest.raises(CoreUnavailable, match="certificate is not trusted"):
            call(transport)
        transport.close()


def test_no_tls_context_is_made_for_plain_http(contexts: list[ssl.SSLContext]) -> None:
    with core() as host:
        transport = HTTPTransport(host.url)
        call(transport)
        transport.close()
    assert contexts == []
