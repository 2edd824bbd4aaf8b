"""Several hosts: whose turn it is, and when a call goes on to the next one."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from st_wsgi.core_client.transport import CoreRequest, HTTPTransport, Method
from st_wsgi.errors import CoreUnavailable
from transport.conftest import Certificate
from transport.cores import HANG, PATIENCE, RESET, SHORT, Answer, Core, Reply, Seen, core, dead, deaf, proxy

VERBS: tuple[Method, ...] = ("GET", "POST", "PUT", "DELETE")
WRITES: tuple[Method, ...] = ("POST", "PUT", "DELETE")


def a_call(method: Method = "GET", path: str = "/recipe/thing", **more: Any) -> CoreRequest:
    body = {"password": "hunter2"} if method in ("POST", "PUT") else None
    return CoreRequest(method=method, path=path, body=body, **more)


@contextlib.contextmanager
def transport(*hosts: str, **settings: Any) -> Iterator[HTTPTransport]:
    made = HTTPTransport(hosts, **settings)
    try:
        yield made
    finally:
        made.close()


def failing(reply: Reply) -> Core:
    return Core(lambda _: reply)


# Turns


def test_consecutive_calls_begin_at_consecutive_hosts() -> None:
    with core() as one, core() as two, core() as three, transport(one.url, two.url, three.url) as cores:
        for number in range(7):
            cores.send(a_call(path=f"/{number}"))
        assert one.paths == ["GET /0", "GET /3", "GET /6"]
        assert two.paths == ["GET /1", "GET /4"]
        assert three.paths == ["GET /2", "GET /5"]


def test_a_call_that_only_peeks_begins_where_the_next_one_will_and_takes_no_turn() -> None:
    with core() as one, core() as two, transport(one.url, two.url) as cores:
        for path, start in (("/a", "turn"), ("/b", "peek"), ("/c", "turn"), ("/d", "peek"), ("/e", "turn")):
            cores.send(CoreRequest(method="GET", path=path, start="peek" if start == "peek" else "turn"))
        assert one.paths == ["GET /a", "GET /d", "GET /e"]
        assert two.paths == ["GET /b", "GET /c"]


def test_a_call_that_starts_first_always_begins_at_the_first_host() -> None:
    with core() as one, core() as two, transport(one.url, two.url) as cores:
        cores.send(a_call(path="/turn"))
        for _ in range(3):
            cores.send(a_call(path="/keys", start="first"))
        assert one.paths == ["GET /turn", "GET /keys", "GET /keys", "GET /keys"]
        assert two.paths == []


def test_sixteen_threads_spread_their_calls_evenly_over_three_hosts() -> None:
    """QT-2: 2 400 calls, 800 for each host, and no thread sees an error."""
    errors: list[BaseException] = []
    with core() as one, core() as two, core() as three, transport(one.url, two.url, three.url) as cores:

        def work() -> None:
            try:
                for _ in range(150):
                    assert cores.send(a_call()).status == 200
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert [len(host.seen) for host in (one, two, three)] == [800, 800, 800]
        assert all(host.accepted <= 16 for host in (one, two, three))


# Certainly not sent: on to the next host, whatever the verb


@pytest.mark.parametrize("method", VERBS)
def test_a_refused_connection_goes_on_to_the_next_host(method: Method) -> None:
    with dead() as nobody, core() as alive, transport(nobody, alive.url) as cores:
        assert cores.send(a_call(method)).body == {"status": "OK", "path": "/recipe/thing"}
        assert alive.paths == [f"{method} /recipe/thing"]


@pytest.mark.parametrize("method", VERBS)
def test_a_connection_that_takes_too_long_goes_on_to_the_next_host(method: Method) -> None:
    with deaf() as nobody, core() as alive, transport(nobody, alive.url, connect_timeout=0.05) as cores:
        assert cores.send(a_call(method)).status == 200
        assert len(alive.seen) == 1


@pytest.mark.parametrize("method", VERBS)
def test_an_unknown_name_goes_on_to_the_next_host(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host == "no-such-core.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with core() as alive, transport("http://no-such-core.invalid", alive.url) as cores:
        assert cores.send(a_call(method)).status == 200
        assert len(alive.seen) == 1


@pytest.mark.parametrize("method", VERBS)
def test_a_certificate_that_is_not_trusted_goes_on_to_the_next_host(method: Method, certificate: Certificate) -> None:
    with core(tls=certificate.server) as stranger, core() as alive, transport(stranger.url, alive.url) as cores:
        assert cores.send(a_call(method)).status == 200
        assert stranger.seen == []
        assert len(alive.seen) == 1


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", None], ids=["http", "end", "silence"])
@pytest.mark.parametrize("method", VERBS)
def test_a_tls_handshake_that_fails_goes_on_to_the_next_host(method: Method, greeting: bytes | None) -> None:
    """Something on the port, but not TLS: it talks otherwise, hangs up, or says nothing at all."""
    with core() as alive, socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def greet() -> None:
            end, _ = listener.accept()
            with end:
                if greeting is None:
                    over.wait(10)
                elif greeting:
                    end.sendall(greeting)
                    over.wait(10)

        thread = threading.Thread(target=greet)
        thread.start()
        host = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with transport(host, alive.url, connect_timeout=0.1) as cores:
            assert cores.send(a_call(method)).status == 200
        over.set()
        thread.join()
        assert len(alive.seen) == 1


# Perhaps sent: only GET goes on


def long_enough(fault: object) -> float:
    """The read_timeout for a fault: only a host that never answers is given up for the time it takes."""
    return SHORT if fault in (HANG, "never") else PATIENCE


def broken(reply: Reply | bytes) -> Any:
    return lambda _: Answer(raw=reply, close=True) if isinstance(reply, bytes) else reply


FAULTS = {
    "never answers": HANG,
    "resets": RESET,
    "hangs up": b"",
    "stops in the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "stops after a header": b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n",
    "stops in the body": b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"status"',
    "stops in a chunk": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"status"',
    "speaks something else": b"220 mail.example.com ESMTP\r\n",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_get_goes_on_when_the_answer_breaks(fault: Reply | bytes) -> None:
    """QT-3, the reading half."""
    limit = long_enough(fault)
    with core(broken(fault)) as bad, core() as good, transport(bad.url, good.url, read_timeout=limit) as cores:
        assert cores.send(a_call()).body == {"status": "OK", "path": "/recipe/thing"}
        assert [len(bad.seen), len(good.seen)] == [1, 1]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("method", WRITES)
def test_a_write_is_not_repeated_when_the_answer_breaks(method: Method, fault: Reply | bytes) -> None:
    """QT-3, the writing half: one request arrived, the error comes at once and says that the work may be done."""
    limit = long_enough(fault)
    with core(broken(fault)) as bad, core() as good, transport(bad.url, good.url, read_timeout=limit) as cores:
        with pytest.raises(CoreUnavailable, match="may have done the work") as raised:
            cores.send(a_call(method))
        assert [len(bad.seen), len(good.seen)] == [1, 0]
        assert bad.url in str(raised.value)
        assert good.url not in str(raised.value)
        assert cores.send(a_call(method, "/next")).status == 200


@pytest.mark.parametrize("fault", ["reset", "close", "half", "never"])
def test_no_write_is_lost_or_doubled_by_what_stands_between(fault: str) -> None:
    """The core behind a broken proxy did the work: neither host gets the write a second time."""
    with (
        core() as behind,
        proxy(behind, fault) as between,
        core() as other,
        transport(between.url, other.url, read_timeout=long_enough(fault)) as cores,
    ):
        with pytest.raises(CoreUnavailable):
            cores.send(a_call("POST", "/recipe/signup"))
        behind.wait_for_requests(1)
        assert behind.paths + other.paths == ["POST /recipe/signup"]


def test_a_flapping_proxy_neither_loses_nor_doubles_acknowledged_writes() -> None:
    """Every acknowledged write arrived exactly once, every other at most once."""
    with (
        core() as behind,
        proxy(behind) as between,
        core() as other,
        dead() as nobody,
        transport(between.url, nobody, other.url, read_timeout=PATIENCE) as cores,
    ):
        acknowledged = []
        for number, fault in enumerate(["pass", "reset", "pass", "close", "refuse", "half"] * 3):
            between.fault = fault
            with contextlib.suppress(CoreUnavailable):
                cores.send(a_call("POST", f"/write/{number}"))
                acknowledged.append(f"POST /write/{number}")
        arrived = Counter(behind.paths + other.paths)
        assert set(arrived.values()) == {1}
        assert set(acknowledged) <= set(arrived)
        assert len(acknowledged) == 15


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 500, 502, 503])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_with_a_status_is_an_answer_and_is_not_tried_elsewhere(method: Method, status: int) -> None:
    with core(lambda _: Answer(b"no\n", status)) as first, core() as second, transport(first.url, second.url) as cores:
        answer = cores.send(a_call(method))
        assert (answer.status, answer.body) == (status, "no\n")
        assert [len(first.seen), len(second.seen)] == [1, 0]


# All failed


def test_when_all_hosts_fail_the_error_names_each_its_failure_and_what_to_try() -> None:
    with dead() as one, core(lambda _: HANG) as two, transport(one, two.url, read_timeout=0.05) as cores:
        with pytest.raises(CoreUnavailable) as raised:
            cores.send(a_call(params={"token": "hunter2"}))
        text = str(raised.value)
        assert f"{one} (connection refused)" in text
        assert f"{two.url} (no reply within 0.05 s)" in text
        assert "read_timeout" in text
        assert "hunter2" not in text
        two.wait_for_requests(1)
        assert len(two.seen) == 1


def test_a_refused_write_says_how_to_start_a_core_and_nothing_of_its_body() -> None:
    with dead() as nobody, transport(nobody) as cores:
        with pytest.raises(CoreUnavailable, match="st-wsgi core serve") as raised:
            cores.send(a_call("POST"))
        assert "hunter2" not in str(raised.value)
        assert "may have done" not in str(raised.value)
        assert raised.value.__cause__ is None


def test_an_untrusted_certificate_says_how_to_trust_it(certificate: Certificate) -> None:
    why = r"certificate is not trusted: self.signed certificate.*as tls"
    with (
        core(tls=certificate.server) as stranger,
        transport(stranger.url) as cores,
        pytest.raises(CoreUnavailable, match=why),
    ):
        cores.send(a_call())


def test_a_certificate_for_another_name_is_refused(certificate: Certificate) -> None:
    trusting = ssl.create_default_context(cafile=certificate.file)
    with core(tls=certificate.server) as other, transport(f"https://localhost:{other.port}", tls=trusting) as cores:
        with pytest.raises(CoreUnavailable, match="Hostname mismatch"):
            cores.send(a_call())
        assert other.seen == []


def test_each_host_is_tried_once_and_the_time_is_bounded() -> None:
    began = time.monotonic()
    with (
        core(lambda _: HANG) as one,
        core(lambda _: HANG) as two,
        transport(one.url, two.url, read_timeout=0.1) as cores,
    ):
        with pytest.raises(CoreUnavailable):
            cores.send(a_call())
        assert time.monotonic() - began < PATIENCE
        one.wait_for_requests(1)
        two.wait_for_requests(1)
        assert [len(one.seen), len(two.seen)] == [1, 1]


def test_a_calls_own_time_holds_for_all_hosts_together() -> None:
    """Three seconds for a key set are not three for each host: what is left after the first goes to the second."""
    with (
        core(lambda _: HANG) as one,
        core(lambda _: HANG) as two,
        transport(one.url, two.url, read_timeout=2 * PATIENCE) as cores,
    ):
        began = time.monotonic()
        with pytest.raises(CoreUnavailable):
            cores.send(a_call(timeout=SHORT))
        assert time.monotonic() - began < PATIENCE
        one.wait_for_requests(1)
        assert [len(one.seen), len(two.seen)] == [1, 0]


def test_a_host_that_failed_is_tried_again_at_its_next_turn() -> None:
    replies: list[Reply] = [RESET, Answer()]
    with core(lambda _: replies.pop(0)) as flapping, core() as steady, transport(flapping.url, steady.url) as cores:
        hosts = [cores.send(a_call()).host for _ in range(3)]
        assert hosts == [steady.url, steady.url, flapping.url]


def test_a_trickling_answer_is_given_up() -> None:
    """Each piece comes in time, the whole does not: bounded by both timeouts together."""
    over = threading.Event()

    def trickle(listener: socket.socket) -> None:
        end, _ = listener.accept()
        with end, contextlib.suppress(OSError):
            end.recv(65_536)
            end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not over.wait(0.01):
                end.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,))
        thread.start()
        host = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            transport(host, connect_timeout=0.1, read_timeout=0.1) as cores,
            pytest.raises(CoreUnavailable, match="no reply within"),
        ):
            cores.send(a_call())
        over.set()
        thread.join()


@pytest.mark.parametrize("seen_by", ["first", "second"])
def test_the_answer_says_which_host_gave_it(seen_by: str) -> None:
    with core() as one, core() as two, transport(one.url, two.url) as cores:
        if seen_by == "second":
            cores.send(a_call())
        assert cores.send(a_call()).host == {"first": one, "second": two}[seen_by].url


def test_the_base_path_of_a_host_stands_in_front_of_the_path() -> None:
    def behave(seen: Seen) -> Reply:
        return Answer({"status": "OK", "path": seen.path})

    with core(behave) as one, transport(f"{one.url}/base/") as cores:
        assert cores.send(a_call(path="/public/users")).body == {"status": "OK", "path": "/base/public/users"}
