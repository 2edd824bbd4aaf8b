"""One-time codes of authenticator apps."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Answer, Caller, fresh
from contract.covered import covers
from contract.expectations import NUMBER, TEXT
from contract.logins import linked, social

DEVICE = "/recipe/totp/device"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
OTHER_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
LONG = 500_000_000
"""A period, in seconds, that does not end while the tests run."""


def code(secret: str, steps: int = 0, *, period: int = LONG, now: float | None = None) -> str:
    """Return the code that an authenticator app shows, or showed some periods ago (RFC 6238)."""
    counter = int((time.time() if now is None else now) // period) + steps
    digest = hmac.new(base64.b32decode(secret), counter.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 15
    return str(int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF)[-6:].zfill(6)


def wrong(secret: str = SECRET) -> str:
    """Return a code that is none of an app with *secret*."""
    right = {code(secret, steps) for steps in (-1, 0, 1)}
    return next(digits for digits in ("000000", "111111", "222222", "333333") if digits not in right)


def add(app: Caller, user_id: str, name: str | None = None, *, skew: int = 1, period: int = LONG) -> Answer:
    """Make a device."""
    named = {} if name is None else {"deviceName": name}
    return app.post(DEVICE, userId=user_id, skew=skew, period=period, **named)


def bring(
    app: Caller, user_id: str, name: str | None = None, secret: str = SECRET, *, skew: int = 1, period: int = LONG
) -> Answer:
    """Import a device."""
    named = {} if name is None else {"deviceName": name}
    return app.post(f"{DEVICE}/import", userId=user_id, skew=skew, period=period, secretKey=secret, **named)


def verify(app: Caller, user_id: str, digits: str) -> Answer:
    """Check a code of any device."""
    return app.post("/recipe/totp/verify", userId=user_id, totp=digits)


def verify_device(app: Caller, user_id: str, name: str, digits: str) -> Answer:
    """Check the code of a device."""
    return app.post(f"{DEVICE}/verify", userId=user_id, deviceName=name, totp=digits)


def devices(app: Caller, user_id: str) -> dict[str, bool]:
    """Return which devices a user has, and whether they are verified."""
    found = app.get(f"{DEVICE}/list", userId=user_id).has()["devices"]
    return {device["name"]: device["verified"] for device in found}


def invalid(failed: int, most: int = 5) -> dict[str, Any]:
    """Return the answer to a wrong code."""
    return {
        "status": "INVALID_TOTP_ERROR",
        "currentNumberOfFailedAttempts": failed,
        "maxNumberOfFailedAttempts": most,
    }


@covers(f"POST {DEVICE}", f"GET {DEVICE}/list", f"POST {DEVICE}/verify", "POST /recipe/totp/verify")
def test_a_device(app: Caller) -> None:
    """A device counts once a code of it was right, and its codes are good for signing in then."""
    user_id = fresh("user")
    app.get(f"{DEVICE}/list", userId=user_id).says("OK", devices=[])
    verify(app, user_id, "123456").says("UNKNOWN_USER_ID_ERROR")
    secret = add(app, user_id, "phone").says("OK", deviceName="phone", secret=TEXT)["secret"]
    assert len(base64.b32decode(secret)) == 20
    verify(app, user_id, code(secret)).gives(invalid(1))
    verify_device(app, user_id, "phone", wrong(secret)).gives(invalid(2))
    shown = {"name": "phone", "period": LONG, "skew": 1, "verified": False}
    app.get(f"{DEVICE}/list", userId=user_id).says("OK", devices=[shown])
    verify_device(app, user_id, "phone", code(secret)).says("OK", wasAlreadyVerified=False)
    app.get(f"{DEVICE}/list", userId=user_id).says("OK", devices=[{**shown, "verified": True}])
    verify_device(app, user_id, "phone", "any").says("OK", wasAlreadyVerified=True)
    verify_device(app, user_id, "tablet", code(secret)).says("UNKNOWN_DEVICE_ERROR")
    verify_device(app, fresh("user"), "phone", code(secret)).says("UNKNOWN_DEVICE_ERROR")
    verify(app, user_id, code(secret, 1)).says("OK")
    add(app, user_id, "phone").says("DEVICE_ALREADY_EXISTS_ERROR")


def test_a_device_that_was_never_verified_is_replaced(app: Caller) -> None:
    """Its old secret is worth nothing."""
    user_id = fresh("user")
    old, new = (add(app, user_id, "phone").has()["secret"] for _ in range(2))
    assert old != new
    verify_device(app, user_id, "phone", code(old)).gives(invalid(1))
    verify_device(app, user_id, "phone", code(new)).says("OK", wasAlreadyVerified=False)


def test_devices_without_a_name(app: Caller) -> None:
    """They are numbered by how many verified ones there are."""
    user_id = fresh("user")
    for _ in range(2):
        add(app, user_id).has(deviceName="TOTP Device 0")
    bring(app, user_id).has(deviceName="TOTP Device 0")
    bring(app, user_id, "TOTP Device 2").has()
    add(app, user_id).has(deviceName="TOTP Device 3")
    bring(app, user_id).has(deviceName="TOTP Device 3")
    assert devices(app, user_id) == dict.fromkeys(("TOTP Device 0", "TOTP Device 2", "TOTP Device 3"), True)


@covers(f"POST {DEVICE}/import")
def test_import(app: Caller) -> None:
    """A device from elsewhere is verified from the start."""
    user_id = fresh("user")
    add(app, user_id, "phone").has()
    bring(app, user_id, "phone").says("OK", deviceName="phone")
    bring(app, user_id, "phone").says("DEVICE_ALREADY_EXISTS_ERROR")
    bring(app, user_id, "other", OTHER_SECRET).has()
    assert devices(app, user_id) == {"other": True, "phone": True}
    verify(app, user_id, code(SECRET)).says("OK")
    verify(app, user_id, code(OTHER_SECRET)).says("OK")


@pytest.mark.parametrize("secret", [SECRET.lower(), f"{SECRET[:16]} {SECRET[16:]}", f"{SECRET}======", f"{SECRET}B"])
def test_secrets_are_read_tolerantly(app: Caller, secret: str) -> None:
    """Small letters, blanks, padding and a rest of less than a byte do no harm."""
    user_id = fresh("user")
    bring(app, user_id, "phone", secret).has()
    verify(app, user_id, code(SECRET)).says("OK")


@pytest.mark.parametrize("secret", ["!", "1", "A", "==="])
def test_a_secret_of_nothing_opens_nothing(app: Caller, secret: str) -> None:
    """Everybody could compute the codes of an empty secret."""
    user_id = fresh("user")
    bring(app, user_id, "phone", secret).has()
    verify(app, user_id, code("")).gives(invalid(1))


@pytest.mark.parametrize("skew", [0, 1])
def test_skew(app: Caller, skew: int) -> None:
    """Codes of that many periods around the present one are good."""
    user_id = fresh("user")
    bring(app, user_id, "phone", skew=skew).has()
    near = {steps: verify(app, user_id, code(SECRET, steps)).body["status"] for steps in (-2, -1, 0, 1, 2)}
    assert near == {steps: "OK" if abs(steps) <= skew else "INVALID_TOTP_ERROR" for steps in near}


def test_a_code_is_good_once_in_each_tenant(app: Caller, tenant: Caller) -> None:
    """A code that was used counts as a wrong one; another tenant has not seen it."""
    user_id = fresh("user")
    bring(app, user_id, "phone").has()
    verify(app, user_id, code(SECRET)).says("OK")
    verify(app, user_id, code(SECRET)).gives(invalid(1))
    verify(tenant, user_id, code(SECRET)).says("OK")
    verify(app, user_id, code(SECRET, 1)).says("OK")
    # A device that is verified already uses no code up.
    verify_device(app, user_id, "phone", code(SECRET, -1)).says("OK", wasAlreadyVerified=True)
    verify(app, user_id, code(SECRET, -1)).says("OK")


def test_odd_codes(app: Caller) -> None:
    """What is no code is a wrong code; one that is too long is not even counted."""
    user_id = fresh("user")
    bring(app, user_id, "phone").has()
    verify(app, user_id, "123456789").gives(invalid(1))
    for failed, odd in enumerate(("12345678", "letter", "", f" {code(SECRET)}", "\u0661" * 6), 1):
        answer = verify(app, user_id, odd)
        answer.gives(invalid(failed))


def test_too_many_wrong_codes(make_app: Callable[..., Caller]) -> None:
    """After as many as the settings allow there is a pause, in that tenant, for right codes too."""
    app = make_app(totp_max_attempts=2, totp_rate_limit_cooldown_sec=3600)
    app.put("/recipe/multitenancy/tenant/v2", tenantId="t1").has()
    user_id = fresh("user")
    bring(app, user_id, "phone").has()
    add(app, user_id, "tablet").has()
    limit = {"retryAfterMs": NUMBER, "currentNumberOfFailedAttempts": 2, "maxNumberOfFailedAttempts": 2}
    verify(app, user_id, wrong()).gives(invalid(1, 2))
    verify(app, user_id, code(SECRET, -1)).says("OK")
    verify(app, user_id, wrong()).gives(invalid(1, 2))
    verify(app, user_id, wrong()).gives(invalid(2, 2))
    waiting = verify(app, user_id, code(SECRET)).says("LIMIT_REACHED_ERROR", **limit)["retryAfterMs"]
    assert 0 < waiting <= 3_600_000
    verify_device(app, user_id, "tablet", wrong()).says("LIMIT_REACHED_ERROR", **limit)
    verify_device(app, user_id, "phone", wrong()).says("OK", wasAlreadyVerified=True)
    verify(app.below("t1"), user_id, code(SECRET)).says("OK")


@pytest.mark.parametrize("version", ["5.0", "5.1", "5.2", "5.3", "5.4"])
def test_versions(app: Caller, version: str) -> None:
    """All that are spoken say how many attempts there were."""
    user_id = fresh("user")
    bring(app, user_id, "phone").has()
    headers = {"cdi-version": version}
    body = {"userId": user_id, "totp": wrong()}
    app.call("POST", "/recipe/totp/verify", body, headers=headers).gives(invalid(1))


@covers(f"PUT {DEVICE}", f"POST {DEVICE}/remove")
def test_rename_and_remove(app: Caller) -> None:
    """Names are unique for a user; with the last device the codes that were used are forgotten."""
    user_id = fresh("user")
    bring(app, user_id, "phone").has()
    add(app, user_id, "tablet").has()

    def rename(old: str, new: str) -> Answer:
        return app.put(DEVICE, userId=user_id, existingDeviceName=old, newDeviceName=new)

    rename("phone", "watch").says("OK")
    rename("phone", "watch").says("UNKNOWN_DEVICE_ERROR")
    rename("watch", "watch").says("OK")
    rename("watch", "tablet").says("DEVICE_ALREADY_EXISTS_ERROR")
    assert devices(app, user_id) == {"tablet": False, "watch": True}
    verify(app, user_id, code(SECRET)).says("OK")
    for name in ("tablet", "watch"):
        app.post(f"{DEVICE}/remove", userId=user_id, deviceName=name).says("OK", didDeviceExist=True)
        app.post(f"{DEVICE}/remove", userId=user_id, deviceName=name).says("OK", didDeviceExist=False)
    verify(app, user_id, code(SECRET)).says("UNKNOWN_USER_ID_ERROR")
    bring(app, user_id, "phone").has()
    verify(app, user_id, code(SECRET)).says("OK")


@covers(f"POST {DEVICE}/status/bulk")
def test_bulk(app: Caller) -> None:
    """Whether users have a verified device, in the order asked for; null for who has none."""
    one, two, three = fresh("user"), fresh("user"), fresh("user")
    bring(app, one, "a").has()
    add(app, one, "b").has()
    add(app, two, "phone").has()
    path = f"{DEVICE}/status/bulk"
    shown = [{"userId": one, "hasVerifiedDevice": True}, {"userId": three, "hasVerifiedDevice": None}]
    users = [*shown, {"userId": two, "hasVerifiedDevice": False}, shown[0]]
    app.post(path, userIds=[one, three, two, one]).says("OK", users=users)
    app.post(path, userIds=[]).says("OK", users=[])
    app.post(path, userIds=["u"] * 501).refused(400, "You can only query up to 500 users at a time.")
    app.post(path, userIds=[5]).refused(400, "userIds array must contain only strings")


def test_fields(app: Caller, tenant: Caller) -> None:
    """Fields that are missing, empty or out of range are named; devices belong to the app, codes to a tenant."""
    good: dict[str, Any] = {"userId": "u", "deviceName": "d", "skew": 1, "period": 30, "secretKey": SECRET}
    for name in ("userId", "skew", "period", "secretKey"):
        rest = {key: value for key, value in good.items() if key != name}
        app.post(f"{DEVICE}/import", **rest).refused(400, f"Field name '{name}' is invalid in JSON input")
    for name in ("userId", "deviceName", "secretKey"):
        app.post(f"{DEVICE}/import", **{**good, name: ""}).refused(400, f"{name} cannot be empty")
    app.post(DEVICE, **{**good, "skew": -1}).refused(400, "skew must be >= 0")
    app.post(DEVICE, **{**good, "period": 0}).refused(400, "period must be > 0")
    app.get(f"{DEVICE}/list", userId="").refused(400, "userId cannot be empty")
    app.get(f"{DEVICE}/list").refused(400, "Field name 'userId' is missing in GET request")
    app.put(DEVICE, userId="u", existingDeviceName="a", newDeviceName="").refused(400, "newDeviceName cannot be empty")
    app.post(f"{DEVICE}/verify", userId="u", deviceName="", totp="1").refused(400, "deviceName cannot be empty")
    app.post("/recipe/totp/verify", userId="").refused(400, "Field name 'totp' is invalid in JSON input")
    text = "Only public tenantId can call this app specific API"
    tenant.post(DEVICE, **good).refused(403, text)
    tenant.get(f"{DEVICE}/list", userId="u").refused(403, text)
    tenant.post(f"{DEVICE}/remove", userId="u", deviceName="d").refused(403, text)


def test_with_the_user(app: Caller, tenant: Caller) -> None:
    """Devices and codes go with the user, and the codes of a tenant with the user's place there."""
    user_id = social(app)
    bring(app, user_id, "phone").has()
    verify(tenant, user_id, code(SECRET)).says("OK")
    leave = "/recipe/multitenancy/tenant/user/remove"
    tenant.post(leave, recipeUserId=user_id).says("OK", wasAssociated=True)
    verify(tenant, user_id, code(SECRET)).says("OK")
    verify(app, user_id, code(SECRET)).says("OK")
    other = social(app)
    bring(app, other, "phone").has()
    linked(app, user_id, other)
    app.post("/user/remove", userId=user_id).says("OK")
    assert devices(app, user_id) == devices(app, other) == {}
    bring(app, user_id, "phone").has()
    verify(app, user_id, code(SECRET)).says("OK")
