"""What time does to one-time codes."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

import pytest
from contract.client import Caller
from contract.test_bulkimport import plain
from contract.test_totp import SECRET, bring, code, invalid, verify, wrong

from embedded.conftest import HOUR, MINUTE, SECOND, START, Clock, caller
from st_wsgi.embedded import EmbeddedCore, totp
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


def test_other_writes_do_not_wait_for_codes(
    core: EmbeddedCore, app: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code is compared before the transaction: a skew of 1000 means two thousand codes for each device."""
    real, waited = totp._Device.takes, []

    def writing_meanwhile(device: Any, *given: Any) -> Any:
        other = threading.Thread(target=lambda: app.put("/recipe/role", role="any").has(), daemon=True)
        other.start()
        other.join(10)
        waited.append(other.is_alive())
        return real(device, *given)

    monkeypatch.setattr(totp._Device, "takes", writing_meanwhile)
    bring(app, "user", "phone", period=30).has()
    made = app.post("/recipe/totp/device", userId="user", deviceName="tablet", skew=0, period=30).has()
    verify(app, "user", code(SECRET, period=30, now=clock.now / 1000)).says("OK")
    digits = code(made["secret"], period=30, now=clock.now / 1000)
    answer = app.post("/recipe/totp/device/verify", userId="user", deviceName="tablet", totp=digits)
    answer.says("OK", wasAlreadyVerified=False)
    assert waited == [False, False]


def test_a_code_whose_time_is_over_when_it_is_its_turn(
    app: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call may wait for another one, in which the code was used: it is not good a second time."""
    bring(app, "user", "phone", period=30).has()
    digits = code(SECRET, period=30, now=clock.now / 1000)
    real = totp._Device.takes

    def used_meanwhile(device: Any, *given: Any) -> Any:
        monkeypatch.setattr(totp._Device, "takes", real)
        found = real(device, *given)
        verify(app, "user", digits).says("OK")
        clock.now += 31_000
        return found

    monkeypatch.setattr(totp._Device, "takes", used_meanwhile)
    assert verify(app, "user", digits).body["status"] == "INVALID_TOTP_ERROR"


def test_the_last_device_goes_while_a_code_is_compared(
    app: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(app, "user", "phone", period=30).has()
    real = totp._Device.takes

    def removed_meanwhile(device: Any, *given: Any) -> Any:
        app.post("/recipe/totp/device/remove", userId="user", deviceName="phone").has()
        return real(device, *given)

    monkeypatch.setattr(totp._Device, "takes", removed_meanwhile)
    verify(app, "user", code(SECRET, period=30, now=clock.now / 1000)).says("UNKNOWN_USER_ID_ERROR")


@pytest.mark.parametrize("path", ["/recipe/totp/verify", "/recipe/totp/device/verify"])
def test_a_device_that_goes_while_its_code_is_compared(
    app: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Its code is not good any more, and stands in for no other device of the name."""
    made = app.post("/recipe/totp/device", userId="user", deviceName="phone", skew=0, period=30).has()
    digits = code(made["secret"], period=30, now=clock.now / 1000)
    bring(app, "user", "tablet", "GEZDGNBVGY3TQOJQ", period=30).has()
    if path == "/recipe/totp/verify":
        digits = code("GEZDGNBVGY3TQOJQ", period=30, now=clock.now / 1000)
    real = totp._Device.takes

    def replaced_meanwhile(device: Any, *given: Any) -> Any:
        monkeypatch.setattr(totp._Device, "takes", real)
        for name in ("phone", "tablet"):
            app.post("/recipe/totp/device/remove", userId="user", deviceName=name).has()
            app.post("/recipe/totp/device", userId="user", deviceName=name, skew=0, period=30).has()
        return real(device, *given)

    monkeypatch.setattr(totp._Device, "takes", replaced_meanwhile)
    assert app.post(path, userId="user", deviceName="phone", totp=digits).body["status"] == "INVALID_TOTP_ERROR"
