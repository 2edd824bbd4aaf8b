"""What time does to one-time codes."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from contract.client import Caller
from contract.test_bulkimport import plain
from contract.test_totp import SECRET, bring, code, invalid, verify, wrong

from embedded.conftest import HOUR, MINUTE, SECOND, START, Clock, caller
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.cleanup import clean

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("second", "digits"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_the_examples_of_the_rfc(app: Caller, clock: Clock, second: int, digits: str) -> None:
    """RFC 6238, appendix B, without its first two digits."""
    bring(app, "user", "phone", RFC_SECRET, skew=0, period=30).has()
    clock.now = second * SECOND
    verify(app, "user", digits).says("OK")


def test_a_code_lasts_as_long_as_its_skew(app: Caller, clock: Clock) -> None:
    """A code that was not used is good a period early and a period late."""
    bring(app, "user", "phone", period=30).has()
    clock.now = START - START % (30 * SECOND)
    digits = code(SECRET, period=30, now=clock.now / 1000)
    clock.move(60 * SECOND)
    verify(app, "user", digits).gives(invalid(1))
    clock.move(-1)
    verify(app, "user", digits).says("OK")
    verify(app, "user", digits).gives(invalid(1))


def test_a_pause_ends(make_core: Callable[..., EmbeddedCore], clock: Clock) -> None:
    """After it all attempts are there again; failures with more than a pause between them do not add up."""
    app = caller(make_core(totp_max_attempts=2, totp_rate_limit_cooldown_sec=60))
    bring(app, "user", "phone", period=30).has()
    no = "000000" if wrong() == code(SECRET, period=30, now=clock.now / 1000) else wrong()
    verify(app, "user", no).gives(invalid(1, 2))
    verify(app, "user", no).gives(invalid(2, 2))
    clock.move(MINUTE)
    limit = {"currentNumberOfFailedAttempts": 2, "maxNumberOfFailedAttempts": 2}
    verify(app, "user", no).says("LIMIT_REACHED_ERROR", retryAfterMs=1, **limit)
    clock.move(1)
    verify(app, "user", no).gives(invalid(1, 2))
    clock.move(MINUTE)
    verify(app, "user", no).gives(invalid(2, 2))
    clock.move(MINUTE)
    verify(app, "user", no).gives(invalid(2, 2))


def test_attempts_of_one_millisecond_all_count(make_core: Callable[..., EmbeddedCore]) -> None:
    """Who is quick gets no more attempts."""
    app = caller(make_core(totp_max_attempts=3))
    bring(app, "user", "phone").has()
    statuses = [verify(app, "user", wrong()).body["status"] for _ in range(5)]
    assert statuses == ["INVALID_TOTP_ERROR"] * 3 + ["LIMIT_REACHED_ERROR"] * 2


def test_codes_stay_as_long_as_they_count(make_core: Callable[..., EmbeddedCore], clock: Clock) -> None:
    """Cleaning up ends no pause and lets no code be used twice."""
    core = make_core(totp_max_attempts=1, totp_rate_limit_cooldown_sec=10 * 3600)
    app = caller(core)
    bring(app, "user", "phone", period=86_400).has()
    digits = code(SECRET, period=86_400, now=clock.now / 1000)
    bring(app, "other", "phone", period=86_400).has()
    verify(app, "user", digits).says("OK")
    verify(app, "other", "000000" if digits != "000000" else "111111").gives(invalid(1, 1))
    clock.move(9 * HOUR)
    with core.services.store.write() as db:
        assert clean(db, clock.now) == 0
    assert verify(app, "other", digits).body["status"] == "LIMIT_REACHED_ERROR"
    verify(app, "user", digits).gives(invalid(1, 1))
    clock.move(100 * HOUR)
    with core.services.store.write() as db:
        assert clean(db, clock.now) == 3


def test_a_period_that_no_time_has(app: Caller) -> None:
    """The queue takes no device whose codes would last beyond what can be stored."""
    device = {"secretKey": SECRET, "period": 2**31}
    answer = app.post("/bulk-import/import", loginMethods=[plain()], totpDevices=[device])
    assert (answer.status, "period should be <= 2147483647" in str(answer.body)) == (400, True)
