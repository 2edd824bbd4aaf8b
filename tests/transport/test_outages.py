"""A core that is down: one line in the log when it begins, one when it ends, for each host, and no flood."""

from __future__ import annotations

import logging
import re
import threading
from typing import Any

import pytest
from sdks.processes import free_port
from werkzeug.test import Client

from st_wsgi import AppInfo, SuperTokens
from st_wsgi.core_client.outages import QUIET, Outages
from st_wsgi.core_client.transport import CoreRequest, HTTPTransport
from st_wsgi.errors import CoreUnavailable
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session
from transport.cores import PATIENCE, Answer, core, dead

CALL = CoreRequest("GET", "/thing")


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="st_wsgi")
    return caplog


def ask(transport: HTTPTransport) -> bool:
    """Return whether a call gets a reply."""
    try:
        transport.send(CALL)
    except CoreUnavailable:
        return False
    return True


def test_an_app_whose_core_is_down_says_so_once_and_also_when_it_is_back(log: pytest.LogCaptureFixture) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    st = SuperTokens(
        app_info=AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost"),
        core=address,
        recipes=[EmailPassword(), Session()],
    )
    client = Client(st.wrap(lambda environ, start_response: []))
    for path in ("/auth/emailpassword/email/exists?email=a@b.co", "/auth/jwt/jwks.json"):
        for _ in range(5):
            assert client.get(path).status_code == 503
    assert [(record.name, record.levelname) for record in log.records] == [("st_wsgi.core", "WARNING")]
    (line,) = log.messages
    assert f"the core at {address} is not available: connection refused" in line
    assert "st-wsgi core serve" in line

    log.clear()
    with core(lambda _: Answer({"status": "OK", "users": [], "versions": ["5.4"]}), port=port):
        for _ in range(5):
            assert client.get("/auth/emailpassword/email/exists?email=a@b.co").status_code == 200
    st.close()
    assert [(record.name, record.levelname) for record in log.records] == [("st_wsgi.core", "WARNING")]
    (line,) = log.messages
    assert re.fullmatch(rf"the core at {address} is available again after \d+ s; 10 calls got no reply", line)


def test_each_host_has_a_line_of_its_own(log: pytest.LogCaptureFixture) -> None:
    with dead() as one, dead() as two, core() as three:
        transport = HTTPTransport([one, two, three.url])
        for _ in range(6):
            assert ask(transport)
        transport.close()
    assert [line.partition(" is not available")[0] for line in log.messages] == [
        f"the core at {one}",
        f"the core at {two}",
    ]


def test_a_core_that_limits_the_rate_is_one_that_is_not_available(log: pytest.LogCaptureFixture) -> None:
    status = 429
    with core(lambda _: Answer(b"", status)) as host:
        transport = HTTPTransport(host.url, sleep=lambda _: None)
        for _ in range(2):
            assert not ask(transport)
        status = 200
        assert ask(transport)
        transport.close()
    first, last = log.messages
    assert "limits the rate of calls (429). Raise its limit or add cores." in first
    assert "2 calls got no reply" in last


def test_threads_that_fail_together_leave_one_line(log: pytest.LogCaptureFixture) -> None:
    start = threading.Barrier(16, timeout=PATIENCE)
    with dead() as nobody:
        transport = HTTPTransport(nobody)

        def work() -> None:
            start.wait()
            for _ in range(20):
                ask(transport)

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        transport.close()
    assert len(log.messages) == 1


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_host_that_fails_now_and_then_does_not_flood_the_log(log: pytest.LogCaptureFixture) -> None:
    """Every second it fails and answers again, for ten minutes: two lines a minute at most."""
    clock = Clock()
    outages = Outages(clock=clock)
    for _ in range(600):
        outages.failed("http://core", cause="connection refused", cure="Start it.")
        outages.replied("http://core")
        clock.now += 1
    assert len(log.messages) == 2 * 600 / QUIET


def test_an_outage_that_begins_soon_after_another_is_logged_if_it_lasts(log: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    outages = Outages(clock=clock)

    def failed() -> None:
        outages.failed("http://core", cause="connection refused", cure="Start it.")

    failed()
    outages.replied("http://core")
    log.clear()
    clock.now += 1
    failed()
    assert log.messages == []
    clock.now += QUIET
    for _ in range(3):
        failed()
    assert len(log.messages) == 1
    clock.now += 5
    outages.replied("http://core")
    assert log.messages[1] == "the core at http://core is available again after 65 s; 4 calls got no reply"


def test_a_host_that_always_answers_is_never_mentioned(log: pytest.LogCaptureFixture) -> None:
    with core(lambda _: Answer(b"no", 500)) as host:
        transport = HTTPTransport(host.url)
        for _ in range(3):
            assert ask(transport)
        transport.close()
    assert log.messages == []


def test_a_call_to_a_closed_transport_is_logged_once_too(log: pytest.LogCaptureFixture) -> None:
    """It is a 503 for the client, and a server that only answers 503 must say why."""
    transport = HTTPTransport("http://127.0.0.1:1")
    transport.close()
    for _ in range(3):
        assert not ask(transport)
    (line,) = log.messages
    assert "closed" in line


def test_a_handler_of_the_log_may_call_the_core_itself() -> None:
    """It would wait for itself if the line were written under a lock."""
    with dead() as nobody:
        transport = HTTPTransport(nobody)
        calls: list[Any] = []

        class Calling(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                calls.append(ask(transport))

        handler = Calling()
        logging.getLogger("st_wsgi.core").addHandler(handler)
        try:
            assert not ask(transport)
        finally:
            logging.getLogger("st_wsgi.core").removeHandler(handler)
        transport.close()
    assert calls == [False]
