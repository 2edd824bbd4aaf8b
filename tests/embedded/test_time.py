"""What time does to sessions and tokens."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

from contract.client import Caller, email
from contract.expectations import Some
from contract.logins import clicked, code, consume, typed
from contract.test_emailpassword import sign_up
from contract.test_sessions import claims, create, header, refresh, verify

from embedded.conftest import HOUR, MINUTE, SECOND, START, Clock, caller
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.cleanup import EVERY, EXPIRING, clean
from st_wsgi.embedded.stats import RequestStats

GONE = "Session does not exist."


def test_an_access_token_expires(app: Caller, clock: Clock) -> None:
    """At its expiry, to the second, an access token asks for a refresh."""
    clock.move(999)
    session = create(app, "user")
    token = session["accessToken"]["token"]
    assert session["accessToken"] == {"token": token, "createdTime": START, "expiry": START + HOUR}
    assert claims(token)["exp"] == START // 1000 + 3600
    clock.now = START + HOUR
    verify(app, token, checkDatabase=False).has()
    clock.move(1)
    verify(app, token, checkDatabase=False).says("TRY_REFRESH_TOKEN", message="Access token expired")


def test_a_session_expires(make_core: Callable[..., EmbeddedCore], clock: Clock) -> None:
    """A session that was not refreshed in time is gone, whether its row is still there or not."""
    app = caller(make_core(access_token_validity=1, refresh_token_validity=1))
    session = create(app, "user")
    handle = session["session"]["handle"]
    clock.now = START + MINUTE
    refresh(app, session["refreshToken"]["token"]).has()
    app.get("/recipe/session", sessionHandle=handle).has(expiry=START + MINUTE, timeCreated=START)
    clock.move(1)
    refresh(app, session["refreshToken"]["token"]).says("UNAUTHORISED", message="Session missing in db or has expired")
    app.get("/recipe/session", sessionHandle=handle).says("UNAUTHORISED", message=GONE)
    app.get("/recipe/session/user", userId="user").says("OK", sessionHandles=[])
    app.post("/recipe/session/remove", userId="user").says("OK", sessionHandlesRevoked=[])
    app.put("/recipe/session/data", sessionHandle=handle, userDataInDatabase={}).says("UNAUTHORISED", message=GONE)
    app.post("/recipe/session/regenerate", accessToken=session["accessToken"]["token"]).says(
        "UNAUTHORISED", message=GONE
    )


def test_only_a_used_child_prolongs_a_session(app: Caller, clock: Clock) -> None:
    """A refresh alone changes nothing in the store; the first use of its child moves the expiry."""
    validity = 100 * 24 * HOUR
    session = create(app, "user")
    handle = session["session"]["handle"]

    def expiry() -> int:
        found: int = app.get("/recipe/session", sessionHandle=handle).body["expiry"]
        return found

    clock.move(HOUR)
    child = refresh(app, session["refreshToken"]["token"]).body
    assert child["refreshToken"]["expiry"] == clock.now + validity
    assert expiry() == START + validity
    clock.move(MINUTE)
    verify(app, child["accessToken"]["token"]).has()
    assert expiry() == START + HOUR + MINUTE + validity
    clock.move(MINUTE)
    grandchild = refresh(app, child["refreshToken"]["token"]).body
    clock.move(MINUTE)
    refresh(app, grandchild["refreshToken"]["token"]).has()
    assert expiry() == clock.now + validity


def test_regenerating_keeps_the_expiry(app: Caller, clock: Clock) -> None:
    """A regenerated token expires when the old one would have; of an expired one only the session changes."""
    session = create(app, "user", userDataInJWT={"a": 1})
    token = session["accessToken"]["token"]
    clock.move(10 * MINUTE)
    again = app.post("/recipe/session/regenerate", accessToken=token, userDataInJWT={"a": 2}).body["accessToken"]
    assert (again["createdTime"], again["expiry"]) == (clock.now, START + HOUR)
    clock.move(HOUR)
    answer = app.post("/recipe/session/regenerate", accessToken=token, userDataInJWT={"a": 3})
    answer.says("OK", session={**session["session"], "userDataInJWT": {"a": 3}})
    handle = session["session"]["handle"]
    app.get("/recipe/session", sessionHandle=handle).has(userDataInJWT={"a": 3})


def test_regenerating_a_forged_token(app: Caller) -> None:
    """A live token must be genuine to be regenerated."""
    token = create(app, "user")["accessToken"]["token"]
    head, payload, signature = token.split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    answer = app.post("/recipe/session/regenerate", accessToken=f"{head}.{payload}.{flipped}")
    assert answer.body["status"] == "UNAUTHORISED"


def test_the_key_of_a_session_is_remembered(app: Caller) -> None:
    """A refresh that changes the kind of key changes it for good."""
    session = create(app, "user")
    token = refresh(app, session["refreshToken"]["token"], useDynamicSigningKey=False).body["accessToken"]["token"]
    assert header(token)["kid"].startswith("s-")
    settled = verify(app, token).body["accessToken"]["token"]
    assert header(settled)["kid"].startswith("s-")


def test_reset_tokens_expire(app: Caller, clock: Clock) -> None:
    """An expired reset token is refused and takes the user's other tokens along."""
    address = email()
    user_id = sign_up(app, address)["id"]
    path = "/recipe/user/password/reset/token"
    old = app.post(path, userId=user_id, email=address).body["token"]
    clock.move(30 * MINUTE)
    young = app.post(path, userId=user_id, email=address).body["token"]
    clock.move(30 * MINUTE + 1)
    for token in (old, young):
        app.post(f"{path}/consume", token=token).says("RESET_PASSWORD_INVALID_TOKEN_ERROR")


def test_verification_tokens_expire(app: Caller, clock: Clock) -> None:
    """An expired verification token is refused and takes the others for the same email along."""
    path = "/recipe/user/email/verify"
    old = app.post(f"{path}/token", userId="u", email="a@example.com").body["token"]
    clock.move(24 * HOUR)
    young = app.post(f"{path}/token", userId="u", email="a@example.com").body["token"]
    clock.move(1)
    for token in (old, young):
        app.post(path, method="token", token=token).says("EMAIL_VERIFICATION_INVALID_TOKEN_ERROR")


def test_lifetimes_of_a_tenant(app: Caller, clock: Clock) -> None:
    """A tenant may have a lifetime of its own for the tokens of its mails."""
    app.put(
        "/recipe/multitenancy/tenant/v2", tenantId="t1", coreConfig={"email_verification_token_lifetime": 1000}
    ).has()
    path = "/recipe/user/email/verify"
    tenant = app.below("t1")
    token = tenant.post(f"{path}/token", userId="u", email="a@example.com").body["token"]
    clock.move(1001)
    tenant.post(path, method="token", token=token).says("EMAIL_VERIFICATION_INVALID_TOKEN_ERROR")


def test_last_activity(app: Caller, clock: Clock) -> None:
    """Refreshing is activity too, of the user's one entry."""
    user = sign_up(app)
    session = create(app, user["id"])
    clock.move(HOUR)
    app.get("/users/count/active", since=str(clock.now)).says("OK", count=0)
    refresh(app, session["refreshToken"]["token"]).has()
    app.get("/users/count/active", since=str(clock.now)).says("OK", count=1)
    app.get("/users/count/active", since=str(clock.now + 1)).says("OK", count=0)


def test_expired_rows_go_along_with_writes(core: EmbeddedCore, app: Caller, clock: Clock) -> None:
    """Rows that are long expired are removed in small batches by later writes, and nothing else is."""

    def rows() -> int:
        with core.services.store.read() as db:
            found: int = db.run("SELECT count(*) FROM sessions").fetchone()[0]
        return found

    for _ in range(5):
        create(app, "old")
    clock.move(100 * 24 * HOUR + SECOND)
    young = create(app, "young")["session"]["handle"]
    assert rows() == 6
    clock.move(HOUR)
    writes = EVERY * len(EXPIRING)
    for _ in range(writes):
        create(app, "young")
    assert rows() == 1 + writes
    app.get("/recipe/session", sessionHandle=young).has(expiry=Some("time", lambda value: value > clock.now))
    with core.services.store.write() as db:
        clock.move(500 * 24 * HOUR)
        assert clean(db, clock.now, batch=10) == 10


def test_codes_expire(app: Caller, core: EmbeddedCore, clock: Clock) -> None:
    """A code is good for 15 minutes, is refused after them, and an hour later it is removed with its device."""
    address = email()
    made = code(app, email=address)
    clock.move(15 * MINUTE)
    app.post("/recipe/signinup/code/check", **typed(made)).has()
    clock.move(1)
    consume(app, clicked(made)).says("RESTART_FLOW_ERROR")
    consume(app, typed(made)).says(
        "EXPIRED_USER_INPUT_CODE_ERROR", failedCodeInputAttemptCount=1, maximumCodeInputAttempts=5
    )
    # One more code keeps the device.
    more = code(app, deviceId=made["deviceId"])
    clock.move(HOUR)
    with core.services.store.write() as db:
        assert clean(db, clock.now) == 1
    [device] = app.get("/recipe/signinup/codes", email=address).body["devices"]
    assert [one["codeId"] for one in device["codes"]] == [more["codeId"]]
    clock.move(15 * MINUTE + 1)
    with core.services.store.write() as db:
        assert clean(db, clock.now) == 2
    app.get("/recipe/signinup/codes", email=address).says("OK", devices=[])


def test_statistics_of_minutes(app: Caller, clock: Clock) -> None:
    """Requests are counted by seconds; a minute without any is zero, one before the core was there is unknown."""
    clock.now = START // MINUTE * MINUTE
    for _ in range(3):
        app.get("/telemetry")
    clock.move(10 * SECOND)
    app.get("/telemetry")
    clock.move(2 * MINUTE)
    stats = app.get("/requests/stats").body
    assert stats["atMinute"] == clock.now // MINUTE
    assert stats["peakRequestsPerSecond"][-3:] == [-1, 3, 0]
    assert stats["averageRequestsPerSecond"][-3:] == [-1, 4 / 60, 0]


def test_statistics_of_many_apps_are_small(clock: Clock) -> None:
    """An app costs what its busy minutes cost, and nothing after a day without requests. A clock may go back."""
    clock.now = START // MINUTE * MINUTE
    stats = RequestStats()
    tracemalloc.start()
    for number in range(1000):
        stats.count(f"app-{number}", clock.now)
    size, _ = tracemalloc.get_traced_memory()
    assert size < 1_000_000
    clock.move(25 * HOUR)
    stats.count("busy", clock.now)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < size / 5
    assert set(stats.report("app-1", clock.now)["peakRequestsPerSecond"]) == {0}
    clock.move(-5 * MINUTE)
    stats.count("busy", clock.now)
    clock.move(6 * MINUTE)
    report = stats.report("busy", clock.now)
    assert report["averageRequestsPerSecond"][-2:] == [0, 2 / 60]
    assert report["peakRequestsPerSecond"][-2:] == [0, 1]


def test_statistics_of_a_busy_app_stay_small(clock: Clock) -> None:
    """An app that has requests in every minute, for days, costs some kilobytes, and its last day is known."""
    clock.now = START // MINUTE * MINUTE
    stats = RequestStats()
    stats.count("busy", clock.now)
    tracemalloc.start()
    for _ in range(3 * 24 * 60):
        clock.move(MINUTE)
        stats.count("busy", clock.now)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 40_000
    report = stats.report("busy", clock.now)
    assert report["averageRequestsPerSecond"] == [1 / 60] * 1440
    assert report["peakRequestsPerSecond"] == [1] * 1440
