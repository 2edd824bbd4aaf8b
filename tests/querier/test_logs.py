"""What a call leaves in logs and traces."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from transport.cores import core, dead

from querier.scripted import KEY, Requests, Scripted, querier
from st_wsgi.core_client.transport import CoreReply, CoreRequest, HTTPTransport
from st_wsgi.errors import CoreUnavailable


def test_each_call_is_logged_with_its_number_host_status_and_time_but_no_contents(
    requests: Requests, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="st_wsgi")
    with core() as host:
        transport = HTTPTransport(host.url)
        client = requests.client(transport, api_key=KEY)
        client.post("/recipe/signin", {"password": "hunter2"}, tenant_id="public")
        for _ in range(2):
            client.get("/recipe/session", {"sessionHandle": "hunter3"})
        transport.close()
    messages = [record.getMessage() for record in caplog.records if record.name == "st_wsgi.core"]
    assert [message.rpartition(",")[0] for message in messages] == [
        f"call 1: GET /apiversion {host.url}: 200",
        f"call 2: POST /public/recipe/signin {host.url}: 200",
        f"call 3: GET /recipe/session {host.url}: 200",
    ]
    assert all(message.endswith(" ms") for message in messages)
    assert client.calls_in_request() == 3
    assert not any(secret in message for message in messages for secret in ("hunter", KEY))


def test_a_call_that_failed_is_logged_with_the_kind_of_failure(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="st_wsgi.core")

    def fail(_: CoreRequest) -> CoreReply:
        raise CoreUnavailable("gone")

    scripted.behave = fail
    with pytest.raises(CoreUnavailable):
        querier(scripted).get("/users")
    assert "call -: GET /users: CoreUnavailable" in caplog.text


def test_each_fail_over_is_a_line_for_debugging_without_contents(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="st_wsgi.core")
    with dead() as nobody, core() as alive:
        transport = HTTPTransport([nobody, alive.url])
        for _ in range(3):
            transport.send(CoreRequest(method="POST", path="/thing", body={"password": "hunter2"}))
        transport.close()
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert lines == [f"POST /thing: no reply from {nobody} (connection refused)"] * 2
    assert "hunter2" not in caplog.text


def test_calls_outside_a_request_are_not_counted(scripted: Scripted) -> None:
    client = querier(scripted)
    client.get("/users")
    assert client.calls_in_request() == 0


@pytest.fixture
def spans() -> Iterator[Any]:
    """The spans that an app with OpenTelemetry would export."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "get_tracer", provider.get_tracer)
        yield exporter
    provider.shutdown()


def test_each_call_is_a_span_of_its_own_without_contents(spans: Any) -> None:
    with core() as host:
        transport = HTTPTransport(host.url)
        querier(transport, api_key=KEY).post("/recipe/signin", {"password": "hunter2"}, tenant_id="public")
        transport.close()
    first, second = spans.get_finished_spans()
    assert (first.name, second.name) == ("GET /apiversion", "POST /public/recipe/signin")
    assert second.kind.name == "CLIENT"
    assert dict(second.attributes) == {
        "http.request.method": "POST",
        "url.path": "/public/recipe/signin",
        "http.response.status_code": 200,
        "server.address": host.url,
    }


def test_a_call_without_an_answer_is_a_failed_span(spans: Any, scripted: Scripted) -> None:
    def fail(_: CoreRequest) -> CoreReply:
        raise CoreUnavailable("gone")

    scripted.behave = fail
    with pytest.raises(CoreUnavailable):
        querier(scripted).get("/users")
    assert [span.status.is_ok for span in spans.get_finished_spans()] == [True, False]


def test_without_open_telemetry_everything_works(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    assert querier(scripted).get("/users").is_ok()
