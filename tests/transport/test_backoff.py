"""A core that says 429: waited for, five times, for every verb."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from st_wsgi.core_client.transport import Attempt, CoreRequest, HTTPTransport, Method
from st_wsgi.errors import CoreUnavailable
from transport.cores import PATIENCE, RESET, Answer, Core, Reply, core

DELAYS = [0.010, 0.260, 0.510, 0.760, 1.010]


def replying(*replies: Reply) -> Any:
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def transports(slept: list[float]) -> Iterator[Any]:
    made: list[HTTPTransport] = []

    def make(*hosts: Core) -> HTTPTransport:
        made.append(HTTPTransport([host.url for host in hosts], sleep=slept.append))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_six_times_429_is_an_error_after_five_repeats(method: Method, transports: Any, slept: list[float]) -> None:
    """QT-4: and no other host is asked, since this one did answer."""
    with core(replying(Answer(b"slow down", 429))) as busy, core() as other:
        with pytest.raises(CoreUnavailable, match="rate limited by the core"):
            transports(busy, other).send(CoreRequest(method=method, path="/thing"))
        assert slept == DELAYS
        assert [len(busy.seen), len(other.seen)] == [6, 0]


def test_twice_429_and_then_an_answer_is_an_answer(transports: Any, slept: list[float]) -> None:
    """QT-4."""
    busy_twice = replying(Answer(b"", 429), Answer(b"", 429), Answer({"status": "OK"}))
    with core(busy_twice) as host:
        answer = transports(host).send(CoreRequest(method="POST", path="/thing", body={"a": 1}))
        assert (answer.status, answer.body) == (200, {"status": "OK"})
        assert slept == DELAYS[:2]
        assert [seen.json for seen in host.seen] == [{"a": 1}] * 3


def test_each_attempt_passes_the_interceptor_with_a_fresh_copy(transports: Any) -> None:
    """QT-5: what an interceptor adds is there exactly once, after repeats and after a fail-over."""

    def intercept(attempt: Attempt) -> Attempt:
        attempt.params["tries"] = attempt.params.get("tries", "") + "+"
        return attrs.evolve(attempt, headers={**attempt.headers, "x-added": attempt.headers.get("x-added", "") + "1"})

    busy = replying(Answer(b"", 429), Answer(b"", 429), RESET)
    with core(busy) as first, core() as second:
        transports(first, second).send(CoreRequest(method="GET", path="/thing", intercept=intercept))
        assert [len(first.seen), len(second.seen)] == [3, 1]
        for seen in first.seen + second.seen:
            assert seen.headers["x-added"] == "1"
            assert seen.params == {"tries": "+"}


def test_a_host_that_breaks_between_repeats_is_left_for_the_next_which_has_repeats_of_its_own(
    transports: Any, slept: list[float]
) -> None:
    with core(replying(Answer(b"", 429), RESET)) as first, core(replying(Answer(b"", 429), Answer())) as second:
        assert transports(first, second).send(CoreRequest(method="GET", path="/thing")).host == second.url
        assert slept == [DELAYS[0], DELAYS[0]]


def test_no_connection_is_held_while_waiting(slept: list[float]) -> None:
    """Another call may use the line in the meantime: all of them go over the same connection."""
    with core(replying(Answer(b"", 429), Answer())) as host:

        def meanwhile(seconds: float) -> None:
            slept.append(seconds)
            transport.send(CoreRequest(method="GET", path="/meanwhile"))

        transport = HTTPTransport(host.url, sleep=meanwhile)
        transport.send(CoreRequest(method="GET", path="/thing"))
        transport.close()
        assert host.paths == ["GET /thing", "GET /meanwhile", "GET /thing"]
        assert host.accepted == 1


def test_a_call_with_little_time_does_not_wait_beyond_it(
    transports: Any, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second delay is longer than the call may take, and the first is not, however slow this machine is."""
    monkeypatch.setattr("st_wsgi.core_client.transport._BACK_OFF", (0.01, 1000.0))
    with core(replying(Answer(b"", 429))) as busy:
        with pytest.raises(CoreUnavailable, match="rate limited"):
            transports(busy).send(CoreRequest(method="GET", path="/thing", timeout=PATIENCE))
        assert slept == [0.01]
        assert len(busy.seen) == 2
