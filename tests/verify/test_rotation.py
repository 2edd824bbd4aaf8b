"""Rules R4 and R5: keys that rotate, and key servers that go away. Time is moved by hand."""

from __future__ import annotations

import logging
import threading
from itertools import pairwise
from typing import Any

import pytest

from st_verify import FetchFailed, KeysUnavailable, RemoteKeys, SessionVerifier, SettingError
from verify.minting import (
    DAY,
    ISSUER,
    KID,
    NOW,
    Bench,
    FakeClock,
    KeyServer,
    header,
    jwk,
    jwks,
    outcome,
    payload,
    token,
)

HOUR = 3600
GOOD = token()


class RotatingCore:
    """Signs with a key that it published a minute before, as the core does, and mints one every interval."""

    def __init__(self, bench: Bench, interval: int) -> None:
        self.bench = bench
        self.interval = interval
        self.minted = [int(bench.time.wall)]
        self.publish()

    def name(self, minted: int) -> str:
        return f"rotating {self.minted.index(minted) % 4}"

    def publish(self) -> None:
        keep = [at for at in self.minted if at > self.bench.time.wall - 3 * self.interval]
        self.bench.server.publish(*[jwk(self.name(at), kid=f"d-{at * 1000}") for at in keep])
        self.bench.server.max_age = max(1.0, self.minted[-1] + self.interval - self.bench.time.wall)

    def tick(self) -> str:
        """A token that the core signs now."""
        now = self.bench.time.wall
        if now >= self.minted[-1] + self.interval:
            self.minted.append(int(now))
        self.publish()
        signer = max((at for at in self.minted if at <= now - 60), default=self.minted[0])
        body = payload(iat=int(now), exp=int(now) + HOUR)
        return token(header(kid=f"d-{signer * 1000}"), body, key=self.name(signer))


def test_no_request_fails_over_ten_rotations_not_even_with_an_attacker_at_the_budget() -> None:
    """V-213: every new key was learnt before its first use; unknown kids of an attacker had the budget all the time."""
    bench = Bench()
    core = RotatingCore(bench, 6 * HOUR)
    bench.time.advance(4 * HOUR)
    bench.verifier.verify(core.tick())
    forged = 0
    for step in range(10 * 6 * 6):
        bench.time.advance(HOUR / 6 - 5)
        while bench.outcome(token(header(kid=f"d-{int(bench.time.wall) * 1000 - forged}"), key="attacker")) == "401R":
            forged += 1
            if forged % 3 == 0:
                break
        bench.time.advance(5)
        for _ in range(2):
            assert bench.outcome(core.tick()) == "OK", step
    assert len(core.minted) >= 10


def test_without_an_attacker_hardly_anything_is_fetched() -> None:
    """R4: one refresh at max-age, clamped to four hours, and a second look 30 s later."""
    bench = Bench()
    core = RotatingCore(bench, 168 * HOUR)
    for _ in range(7 * 24 * 6):
        bench.time.advance(HOUR / 6)
        assert bench.outcome(core.tick()) == "OK"
    assert bench.extra_fetches <= 7 * 24 / 4 * 2 + 2


def test_the_second_look_comes_half_a_minute_after_a_refresh() -> None:
    """R4"""
    bench = Bench()
    fetches = []
    for seconds in (899, 1, 29, 1, 899, 1, 30):
        bench.time.advance(seconds)
        bench.keys.snapshot()
        fetches.append(bench.extra_fetches)
    assert fetches == [0, 1, 1, 2, 2, 3, 4]


@pytest.mark.parametrize(
    ("max_age", "due"),
    [
        (None, 900),
        (0, 60),
        (1, 60),
        (60, 60),
        (600, 600),
        (10.0**18, 14_400),
        (float("inf"), 14_400),
        (float("nan"), 900),
    ],
)
def test_refresh_times_are_clamped(max_age: float | None, due: float) -> None:
    """V-202, V-203: counted on the monotonic clock, whatever dates the server sends."""
    bench = Bench()
    bench.server.max_age = max_age
    bench.keys.preload()
    bench.time.wall += 10 * DAY
    bench.time.monotonic += due - 1
    bench.keys.snapshot()
    assert bench.extra_fetches == 1
    bench.time.monotonic += 1
    bench.keys.snapshot()
    assert bench.extra_fetches == 2


def test_a_set_without_the_current_key_revokes_it_until_it_comes_back() -> None:
    """V-198"""
    bench = Bench()
    assert bench.outcome(token()) == "OK"
    answers = []
    for document in (jwks(jwk("other", kid="d-1799999999000")), jwks(jwk())):
        bench.server.document = document
        bench.time.advance(901)
        answers.append(bench.outcome(token()))
    assert answers == ["401R", "OK"]
    assert "all_keys_replaced" in bench.events


def test_a_set_that_is_another_one_at_every_fetch_costs_no_memory_and_is_reported() -> None:
    """V-199"""
    bench = Bench()
    for i in range(50):
        bench.server.publish(jwk(kid=f"d-{(NOW - i) * 1000}"))
        bench.time.advance(1000)
        bench.keys.snapshot()
    assert len(bench.keys.snapshot().keys) == 1
    assert bench.events.count("all_keys_replaced") >= 49


def test_an_outage_of_a_day_changes_nothing_for_known_keys_then_503(caplog: pytest.LogCaptureFixture) -> None:
    """V-215: and the first failure is an event already."""
    bench = Bench(remote={"max_stale": DAY})
    bench.server.failure = FetchFailed("connection")
    bench.time.advance(901)
    assert bench.outcome(token()) == "OK"
    assert bench.events == ["fetch_failed"]
    assert caplog.records[0].levelno == logging.WARNING
    long_lived = token(body=payload(exp=NOW + 10 * DAY))
    for _ in range(23):
        bench.time.advance(HOUR)
        assert bench.outcome(long_lived) == "OK"
    bench.time.advance(HOUR)
    assert bench.outcome(long_lived) == "503"
    bench.server.failure = None
    bench.time.advance(31)
    assert bench.outcome(long_lived) == "OK"


def cold(server: KeyServer, time: FakeClock, **options: Any) -> SessionVerifier:
    keys = RemoteKeys(fetch=server, clock=time.clock, jitter=lambda: 0.0, **options)
    return SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", clock=time.clock)


def test_with_a_cold_cache_and_no_endpoint_each_back_off_step_makes_one_fetch() -> None:
    """V-211: 0.5, 1, 2 … 30 s; everybody else is answered 503 at once, and told when to come back."""
    time = FakeClock()
    fetched_at: list[float] = []

    def down() -> bytes:
        fetched_at.append(time.monotonic)
        raise OSError("down")

    keys = RemoteKeys(fetch=down, clock=time.clock)
    verifier = SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", clock=time.clock)
    for _ in range(100 * 4):
        for _ in range(5):
            assert outcome(lambda: verifier.verify(GOOD)) == "503"
        time.advance(0.25)
    assert [later - earlier for earlier, later in pairwise(fetched_at)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    with pytest.raises(KeysUnavailable) as caught:
        verifier.verify(GOOD)
    assert caught.value.retry_after == fetched_at[-1] + 30 - time.monotonic


def test_retry_after_of_the_key_server_raises_the_back_off() -> None:
    """V-185"""
    server, time = KeyServer(), FakeClock()
    server.failure = FetchFailed("status_429", retry_after=120)
    verifier = cold(server, time)
    for _ in range(2):
        with pytest.raises(KeysUnavailable) as caught:
            verifier.verify(token())
    assert (server.fetches, caught.value.retry_after) == (1, 120)
    time.advance(119)
    outcome(lambda: verifier.verify(token()))
    assert server.fetches == 1
    time.advance(1)
    server.failure = None
    assert outcome(lambda: verifier.verify(token())) == "OK"


def test_a_new_kid_while_the_key_server_is_down_is_503_and_not_401() -> None:
    """Outcome 503: the verifier cannot decide, and a refresh would only add load."""
    bench = Bench()
    bench.server.failure = OSError("down")
    new = token(header(kid=f"d-{NOW * 1000}"), key="next")
    assert [bench.outcome(new), bench.outcome(new)] == ["503", "503"]
    assert bench.extra_fetches == 1
    assert bench.outcome(token()) == "OK"
    bench.server.failure = None
    bench.server.publish(jwk(), jwk("next", kid=f"d-{NOW * 1000}"))
    bench.time.advance(1)
    assert bench.outcome(new) == "OK"


@pytest.mark.parametrize(
    "wrong",
    [None, "text", 5, [b"x"], pytest.param(RuntimeError("x"), id="raises"), pytest.param(SystemError(), id="odd")],
)
def test_a_fetcher_that_breaks_its_contract_is_a_failed_fetch(wrong: Any) -> None:
    def fetch() -> Any:
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    keys = RemoteKeys(fetch=fetch, background=False)
    with pytest.raises(KeysUnavailable):
        keys.snapshot()


def test_a_fetcher_may_return_bytes_alone() -> None:
    keys = RemoteKeys(fetch=lambda: jwks(jwk()), background=False)
    assert set(keys.snapshot().keys) == {KID}


def test_keys_travel_by_export_and_load() -> None:
    """R6: for offline and forked workers; loaded keys are used at once and refreshed at the first occasion."""
    exported = Bench().keys.export()
    server, time = KeyServer(), FakeClock()
    server.failure = OSError("down")
    keys = RemoteKeys(fetch=server, clock=time.clock, background=False)
    with pytest.raises(KeysUnavailable):
        keys.export()
    keys.load(exported)
    assert set(keys.snapshot().keys) == {KID}
    assert server.fetches == 1
    with pytest.raises(KeysUnavailable):
        keys.preload()
    for wrong in (b"", jwks(jwk(use="enc"))):
        with pytest.raises(SettingError):
            keys.load(wrong)


def test_events_reach_the_operator_whose_errors_cost_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def careless(event: object) -> None:
        raise RuntimeError("in the callback")

    keys = RemoteKeys(fetch=lambda: jwks(jwk(), jwk("x", kid="d-1\r\n\u00fc")), background=False, on_event=careless)
    assert set(keys.snapshot().keys) == {KID}
    assert "on_event raised" in caplog.text


def test_a_kid_in_the_log_is_escaped_and_cut() -> None:
    """V-226: a server cannot write lines into our log."""
    bench = Bench(jwk(), jwk("other", kid="d-1\r\nERROR " + "x" * 200, use="enc"))
    names: list[str] = []
    keys = RemoteKeys(fetch=bench.server, background=False, on_event=lambda event: names.append(event.kid))
    keys.snapshot()
    assert names == ["d-1\\r\\nERROR " + "x" * 53]


def test_a_fetch_that_was_given_up_does_not_overwrite_what_a_later_one_brought() -> None:
    """A fetcher that hangs is replaced after ten deadlines; when it wakes up at last, its document is old."""
    time = FakeClock()
    release, entered = threading.Event(), threading.Event()
    old, new = jwks(jwk()), jwks(jwk("next", kid=f"d-{NOW * 1000}"))
    calls: list[threading.Thread] = []

    def fetch() -> bytes:
        calls.append(threading.current_thread())
        if len(calls) == 1:
            entered.set()
            release.wait(30)
            return old
        return new

    keys = RemoteKeys(fetch=fetch, clock=time.clock, timeout=0.05)
    with pytest.raises(KeysUnavailable):
        keys.snapshot()
    assert entered.wait(10)
    keys.timeout = 20  # the second fetch may be slow
    time.advance(1)
    assert set(keys.snapshot().keys) == {f"d-{NOW * 1000}"}
    release.set()
    calls[0].join(10)
    assert not calls[0].is_alive()
    assert set(keys.snapshot().keys) == {f"d-{NOW * 1000}"}
    assert len(calls) == 2
