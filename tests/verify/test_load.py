"""Catalogue 3.10 inside one process: threads, floods, the cache of verified tokens, logs."""

from __future__ import annotations

import functools
import gc
import json
import logging
import threading
import time
import tracemalloc
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import pytest

from st_verify import FetchedKeys, KeysUnavailable, RemoteKeys, SessionVerifier
from st_verify.jwk import VerificationKey
from st_verify.keys import KeySource, StaticKeys
from st_verify.verification import TokenCache
from st_verify.wsgi import CsrfMode, Protect, SessionGuard
from verify.minting import (
    HASH,
    ISSUER,
    NOW,
    Bench,
    FakeClock,
    b64,
    header,
    jwk,
    jwks,
    outcome,
    payload,
    token,
    with_claims,
)

GOOD = token()


class Gate:
    """A fetcher that waits to be let through."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.fetches = 0

    def __call__(self) -> bytes:
        self.fetches += 1
        self.entered.set()
        assert self.open.wait(20)
        return jwks(jwk())


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("threads", [20, 50])
def test_a_cold_start_of_many_threads_makes_one_fetch(threads: int, background: bool) -> None:
    """V-210"""
    gate, time_now = Gate(), FakeClock()
    keys = RemoteKeys(fetch=gate, background=background, timeout=10)
    verifier = SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", clock=time_now.clock)
    ready = threading.Barrier(threads + 1)

    def request() -> str:
        ready.wait(20)
        return outcome(lambda: verifier.verify(GOOD))

    with ThreadPoolExecutor(threads) as pool:
        answers = [pool.submit(request) for _ in range(threads)]
        ready.wait(20)
        assert gate.entered.wait(20)
        gate.open.set()
        assert [answer.result(20) for answer in answers] == ["OK"] * threads
    assert gate.fetches == 1


def test_whoever_waits_for_a_cold_start_waits_no_longer_than_the_deadline() -> None:
    """V-210"""
    gate = Gate()
    # By a clock that stands still, the fetch is never given up: no second one takes its place.
    keys = RemoteKeys(fetch=gate, timeout=0.1, clock=FakeClock().clock)
    start = time.monotonic()
    try:
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(outcome, keys.snapshot) for _ in range(4)]
            assert [answer.result(20) for answer in answers] == ["503"] * 4
        assert time.monotonic() - start < 5
        assert gate.fetches == 1
    finally:
        gate.open.set()


def test_a_flood_of_unknown_kids_gets_the_budget_and_no_more() -> None:
    """V-212: burst of two, then one for every ten seconds; good tokens are served all the while."""
    bench = Bench(cache_size=0)
    now_ms = NOW * 1000
    head = [token(header(kid=f"d-{now_ms + i}"), key="attacker") for i in range(4)]
    forged = head[0].split(".")

    def flood(start: int, count: int) -> None:
        for i in range(start, start + count):
            kid_header = token(header(kid=f"s-{i}"), key="attacker").split(".")[0] if i % 500 == 0 else forged[0]
            assert bench.outcome(f"{kid_header}.{forged[1]}.{forged[2]}") == "401R"

    for text in head:
        assert bench.outcome(text) == "401R"
    assert bench.extra_fetches == 2
    flood(0, 2000)
    assert bench.extra_fetches == 2
    assert bench.outcome(GOOD) == "OK"
    bench.time.advance(9.9)
    flood(2000, 501)
    assert bench.extra_fetches == 2
    bench.time.advance(0.2)
    flood(3000, 1001)
    assert bench.extra_fetches == 3


def test_ten_thousand_random_kids() -> None:
    """
    V-212: all different, all plausible. Each is looked at as closely as the rule on foreign issuers asks (header and
    payload are parsed), which costs about what one signature check does, and not the ten microseconds of the rule.
    """
    bench = Bench()
    _, body, signature = GOOD.split(".")
    for i in range(10_000):
        head = b64(json.dumps(header(kid=f"s-{i}")).encode())
        assert bench.outcome(f"{head}.{body}.{signature}") == "401R"
    assert bench.extra_fetches == 2
    assert bench.outcome(GOOD) == "OK"


def test_a_kid_that_was_looked_for_is_not_looked_for_again_for_five_minutes() -> None:
    """R4"""
    bench = Bench()
    unknown = token(header(kid="s-1"), payload(exp=NOW + 86_400), key="attacker")
    for seconds in (0, 100, 100, 99):
        bench.time.advance(seconds)
        assert bench.outcome(unknown) == "401R"
    assert bench.extra_fetches == 1
    bench.time.advance(2)
    assert bench.outcome(unknown) == "401R"
    assert bench.extra_fetches == 2


def test_the_memory_of_unknown_kids_is_bounded() -> None:
    """R4: 256 of them, even where fetches cost nothing and have no budget."""
    bench = Bench(remote={"lookup_interval": 0})
    for i in range(400):
        bench.keys.search(f"s-{i}")
    assert bench.extra_fetches == 400
    for i in range(400 - 256, 400):
        bench.keys.search(f"s-{i}")
    assert bench.extra_fetches == 400
    bench.keys.search("s-0")
    assert bench.extra_fetches == 401


def test_a_new_kid_waits_for_the_fetch_that_is_under_way_instead_of_spending_budget() -> None:
    """R4: and looks into what it brought."""
    time_now, new_kid = FakeClock(), f"d-{NOW * 1000}"
    gate = Gate()
    answers = iter([jwks(jwk()), jwks(jwk(), jwk("next", kid=new_kid))])
    fetches: list[int] = []

    def fetch() -> FetchedKeys:
        fetches.append(1)
        if len(fetches) == 2:
            gate()
        return FetchedKeys(next(answers))

    keys = RemoteKeys(fetch=fetch, clock=time_now.clock, timeout=10, lookup_burst=0, lookup_interval=1000)
    verifier = SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", clock=time_now.clock)
    keys.preload()
    time_now.advance(1000)
    with ThreadPoolExecutor(1) as pool:
        assert outcome(lambda: verifier.verify(GOOD)) == "OK"
        assert gate.entered.wait(20)
        waiting = pool.submit(outcome, lambda: verifier.verify(token(header(kid=new_kid), key="next")))
        gate.open.set()
        assert waiting.result(20) == "OK"
    assert len(fetches) == 2


@pytest.mark.parametrize("background", [True, False])
def test_a_slow_key_server_lets_forged_key_ids_hold_four_threads_and_no_more(background: bool) -> None:
    """V-212: twenty requests with unknown key ids during one fetch. All but four are answered before it ends."""
    time_now, gate = FakeClock(), Gate()
    gate.open.set()
    keys = RemoteKeys(fetch=gate, background=background, clock=time_now.clock, timeout=15)
    verifier = SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", clock=time_now.clock)
    keys.preload()
    gate.open.clear()
    gate.entered.clear()
    forged = [token(header(kid=f"d-{NOW * 1000 + i}"), key="attacker") for i in range(20)]
    with ThreadPoolExecutor(20) as pool:
        waiting = {pool.submit(outcome, functools.partial(verifier.verify, text)) for text in forged}
        try:
            assert gate.entered.wait(20)
            while len(waiting) > 4:
                done, waiting = wait(waiting, timeout=10, return_when=FIRST_COMPLETED)
                assert done, f"{len(waiting)} requests wait for the key server"
                assert {answer.result() for answer in done} == {"401R"}
            assert outcome(lambda: verifier.verify(GOOD)) == "OK"
        finally:
            gate.open.set()
        assert {answer.result(20) for answer in waiting} == {"401R"}
    assert gate.fetches <= 3


def test_nobody_waits_for_a_slow_refresh() -> None:
    """V-214: eight threads verify while the endpoint takes its time."""
    time_now, gate = FakeClock(), Gate()
    gate.open.set()
    keys = RemoteKeys(fetch=gate, clock=time_now.clock, timeout=20)
    verifier = SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", clock=time_now.clock, cache_size=0)
    assert outcome(lambda: verifier.verify(GOOD)) == "OK"
    gate.open.clear()
    gate.entered.clear()
    time_now.advance(1000)
    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(outcome, lambda: verifier.verify(GOOD)) for _ in range(400)]
        assert {answer.result(20) for answer in answers} == {"OK"}
    assert time.monotonic() - start < 10
    assert gate.entered.wait(20)
    assert gate.fetches == 2
    gate.open.set()


def test_no_thread_to_be_had_is_a_failed_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    keys = RemoteKeys(fetch=lambda: jwks(jwk()))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(KeysUnavailable):
            keys.snapshot()


# The cache of verified tokens


def entries(verifier: SessionVerifier) -> int:
    return len(verifier._cache or ())


def test_the_same_token_from_many_threads_is_one_entry_and_equal_sessions() -> None:
    """V-219"""
    bench = Bench()
    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(lambda _: bench.verifier.verify(GOOD), range(200)))
    assert len(set(sessions)) == 1
    assert entries(bench.verifier) == 1


def test_the_cache_is_bounded_and_forgets_the_least_recently_used() -> None:
    """V-220"""
    (key,) = StaticKeys.from_jwks(jwks(jwk())).snapshot().keys.values()
    keys: KeySource = StaticKeys([key])
    session = Bench().verifier.verify(GOOD)
    cache: TokenCache[Any] = TokenCache(100, leeway=0.0, clock=FakeClock().clock)

    def put(i: int) -> None:
        cache.put(i.to_bytes(32, "big"), session, key, keys)

    def hit(i: int) -> bool:
        return cache.get(i.to_bytes(32, "big")) is not None

    for i in range(100):
        put(i)
    assert hit(0)
    put(100)
    assert (hit(0), hit(1), hit(100), len(cache)) == (True, False, True, 100)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for i in range(1000, 50_000):
            put(i)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(cache) == 100
    assert grown < 100_000


def test_a_flood_of_distinct_good_tokens_keeps_to_the_size() -> None:
    """V-220"""
    bench = Bench(cache_size=10)
    for i in range(50):
        assert bench.outcome(with_claims(n=i)) == "OK"
    assert entries(bench.verifier) == 10


class Counted(VerificationKey):
    """A key that counts its work."""

    checks = 0

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        type(self).checks += 1
        return VerificationKey.verifies(self, signing_input, signature)


def counted(**options: Any) -> tuple[SessionVerifier, FakeClock]:
    (key,) = StaticKeys.from_jwks(jwks(jwk())).snapshot().keys.values()
    Counted.checks = 0
    own = Counted(key.kid, key.thumbprint, key.signature_length, key.members, key.public_key)
    time_now = FakeClock()
    keys = StaticKeys([own])
    return SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", clock=time_now.clock, **options), time_now


def test_a_repeated_token_costs_no_second_signature_check_for_a_minute() -> None:
    """R7"""
    verifier, time_now = counted()
    for seconds, checks in ((0, 1), (30, 1), (29.9, 1), (0.2, 2), (59, 2)):
        time_now.advance(seconds)
        verifier.verify(GOOD)
        gated = verifier.parse(GOOD)
        assert gated is not None
        verifier.verify(gated)
        assert Counted.checks == checks


def test_bad_tokens_are_not_cached_as_anything() -> None:
    """V-223"""
    verifier, _ = counted()
    head, body, signature = GOOD.split(".")
    bad = f"{head}.{body}.{signature[:100]}{'A' if signature[100] != 'A' else 'B'}{signature[101:]}"
    for i in range(3):
        assert outcome(lambda: verifier.verify(bad)) == "401R"
        assert Counted.checks == i + 1
    for refused in (with_claims(exp=NOW - 1), with_claims(sub=5), with_claims(iss="https://x.example")):
        outcome(lambda refused=refused: verifier.verify(refused))  # type: ignore[misc]  # bound in the loop
    assert entries(verifier) == 0


def test_a_hit_needs_the_key_the_time_and_the_verifier() -> None:
    """V-221: the same key object in the set, before expiry, in this very verifier."""
    bench = Bench()
    assert bench.outcome(GOOD) == "OK"
    elsewhere = SessionVerifier(
        keys=bench.keys, issuer="https://other.example", tenants="public", clock=bench.time.clock
    )
    assert outcome(lambda: elsewhere.verify(GOOD)) == "401U"
    stricter = SessionVerifier(keys=bench.keys, issuer=ISSUER, tenants="t1", clock=bench.time.clock)
    assert outcome(lambda: stricter.verify(GOOD)) == "403F"
    bench.server.publish(jwk("next"))
    bench.keys.preload()
    assert bench.outcome(GOOD) == "401R"
    short = Bench()
    text = with_claims(exp=NOW + 5)
    assert short.outcome(text) == "OK"
    short.time.advance(5)
    assert short.outcome(text) == "401R"
    assert entries(short.verifier) == 0


def test_the_text_of_a_token_is_not_kept() -> None:
    """V-224: neither the key of the cache nor anything else holds it."""
    bench = Bench()
    text = with_claims(unique="kept-nowhere")
    bench.verifier.verify(text)
    (digest,) = bench.verifier._cache._entries  # type: ignore[union-attr]  # the cache is on
    assert len(digest) == 32
    session = bench.verifier.verify(text)
    held = gc.get_referents(vars(session))
    assert session.payload_json in held
    assert text not in held and text.encode() not in held
    assert text.split(".")[2].encode() not in session.payload_json


def test_without_cache_every_token_is_checked() -> None:
    """R7"""
    verifier, _ = counted(cache_size=0)
    for checks in (1, 2):
        verifier.verify(GOOD)
        assert Counted.checks == checks
    assert entries(verifier) == 0


def test_nothing_secret_is_logged_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    """V-226: planted secrets, every kind of refusal, level DEBUG."""
    caplog.set_level(logging.DEBUG)
    bench = Bench()
    guard = SessionGuard(
        bench.verifier, csrf=CsrfMode.VIA_TOKEN, transport="any", is_revoked=lambda session: 1 // 0 == 1
    )
    app = Protect(lambda environ, start_response: [b""], guard)
    texts = [
        with_claims(antiCsrfToken="anti-secret"),
        with_claims(exp=NOW - 1),
        with_claims(iss="https://evil.example"),
        token(key="attacker"),
        token(header(kid=f"d-{NOW * 1000}"), key="attacker"),
        "x" * 500,
    ]
    for text in texts:
        for environ in (
            {"HTTP_AUTHORIZATION": f"Bearer {text}"},
            {"HTTP_COOKIE": f"sAccessToken={text}; other=cookie-secret"},
        ):
            app({"REQUEST_METHOD": "GET", **environ}, lambda status, headers, exc_info=None: lambda data: None)
    bench.server.failure = RuntimeError("nothing")
    bench.time.advance(100_000)
    outcome(lambda: bench.verifier.verify(GOOD))
    assert len(caplog.records) >= 3
    for secret in (HASH, "anti-secret", "cookie-secret", *[text.split(".")[-1] for text in texts], GOOD.split(".")[1]):
        assert secret not in caplog.text


def test_answers_to_refusals_are_equal_whatever_the_reason() -> None:
    """V-228: keys and their ids are public, so times may differ; what is said may not."""
    bench = Bench()
    bodies = []
    for text in (with_claims(exp=NOW - 1), token(key="attacker"), token(header(kid="s-9"), key="attacker")):
        try:
            bench.verifier.verify(text)
        except Exception as refused:
            bodies.append((refused.status, refused.body()))  # type: ignore[attr-defined]  # a refusal
    assert bodies == [(401, {"message": "try refresh token"})] * 3
