"""
One-time codes of authenticator apps (CDI 1.6, semantics 3.11; ``totp/Totp.java`` of the official core).

A *device* is a secret that an authenticator app shares with the core. Users have them by name, under the id that apps
use. The codes are those of RFC 6238, with SHA-1 and six digits. In each tenant a code is good once, and too many wrong
codes in a row bring a pause.
"""

from __future__ import annotations

import base64
import hmac
import itertools
import re
import secrets
from collections.abc import Iterable
from functools import partial
from typing import Any

import attrs

from .call import Call, Endpoint
from .fields import Answered, bad
from .storage.database import Database

_LONGEST_CODE = 8
MOST_SKEW = 1000
MOST_PERIOD = 2**31 - 1


@attrs.frozen
class _Device:
    """
    A device as it is stored.

    :param period: seconds for which a code is shown.
    :param skew: how many periods early or late a code may be.
    """

    name: str
    secret: str = attrs.field(repr=False)
    period: int
    skew: int
    verified: bool = attrs.field(converter=bool)

    def json(self) -> dict[str, Any]:
        """Return the device as answers show it."""
        return {"name": self.name, "period": self.period, "skew": self.skew, "verified": self.verified}

    def takes(self, code: str, now: int) -> int | None:
        """Return the newest counter whose code this is, of those that the device takes at a time (milliseconds)."""
        key = _key(self.secret)
        if not key or not re.fullmatch("[0-9]{6}", code):
            return None
        # All of them are looked at, so that the time says nothing about the one that fits.
        fitting = [number for number in self._around(now) if hmac.compare_digest(_code(key, number), code)]
        return fitting[-1] if fitting else None

    def still_takes(self, counter: int, now: int) -> bool:
        """Return whether the code of a counter is good at a time (milliseconds)."""
        return counter in self._around(now)

    def _around(self, now: int) -> range:
        counter = now // (1000 * self.period)
        return range(max(0, counter - self.skew), counter + self.skew + 1)


def _key(secret: str) -> bytes:
    """Return the bytes of a Base32 secret as the official core reads it: what is no letter of Base32 is skipped."""
    letters = re.sub("[^A-Za-z2-7]", "", secret.partition("=")[0]).upper()
    if len(letters) % 8 in (1, 3, 6):
        letters = letters[:-1]  # less than a byte
    return base64.b32decode(letters + "=" * (-len(letters) % 8))


def _code(key: bytes, counter: int) -> str:
    """Return the six digits of a counter (RFC 4226, section 5.3)."""
    digest = hmac.digest(key, counter.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 0xF
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def _devices(db: Database, app: int, user_id: str) -> list[_Device]:
    """Return the devices of a user by name."""
    columns = "device_name, secret, period, skew, verified"
    return [_Device(*row) for row in db.select("totp_devices", columns, app=app, user_id=user_id)]


def _refuse_empty(**texts: str | None) -> None:
    for name, text in texts.items():
        if text == "":
            raise bad(f"{name} cannot be empty")


def create_device(call: Call, *, imported: bool) -> dict[str, Any]:
    """
    ``POST /recipe/totp/device`` and ``/import``: a device to be verified, or one with its secret from elsewhere.

    It replaces one of the same name that was never verified.
    """
    body = call.body
    user_id, name = body.text("userId"), body.text_or_none("deviceName")
    skew, period = body.whole("skew", bits=32), body.whole("period", bits=32)
    secret = body.text("secretKey") if imported else base64.b32encode(secrets.token_bytes(20)).decode()
    _refuse_empty(userId=user_id, deviceName=name, secretKey=secret)
    if not 0 <= skew <= MOST_SKEW:
        raise bad("skew must be >= 0" if skew < 0 else f"skew must be <= {MOST_SKEW}")
    if period <= 0:
        raise bad("period must be > 0")
    device = name, secret, period, skew
    name = store_device(call.db, call.app, user_id, device, verified=imported)
    if name is None:
        return {"status": "DEVICE_ALREADY_EXISTS_ERROR"}
    return {"status": "OK", "deviceName": name, **({} if imported else {"secret": secret})}


def store_device(
    db: Database, app: int, user_id: str, device: tuple[str | None, str, int, int], *, verified: bool
) -> str | None:
    """
    Store a device of a user, by the id that apps use; return its name, or None when a verified one has that name.

    :param device: name (None for one that is free), secret, period and skew.
    """
    name, *others = device
    taken = {device.name for device in _devices(db, app, user_id) if device.verified}
    if name is None:
        names = (f"TOTP Device {number}" for number in itertools.count(len(taken)))
        name = next(name for name in names if name not in taken)
    if name in taken:
        return None
    key = {"app": app, "user_id": user_id, "device_name": name}
    db.delete("totp_devices", **key)
    row = zip(("secret", "period", "skew"), others, strict=True)
    db.insert("totp_devices", **key, **dict(row), verified=int(verified))
    return name


def rename_device(call: Call) -> dict[str, Any]:
    """``PUT /recipe/totp/device``."""
    user_id, old, new = map(call.body.text, ("userId", "existingDeviceName", "newDeviceName"))
    _refuse_empty(userId=user_id, existingDeviceName=old, newDeviceName=new)
    names = [device.name for device in _devices(call.db, call.app, user_id)]
    if old not in names:
        return {"status": "UNKNOWN_DEVICE_ERROR"}
    if new != old and new in names:
        return {"status": "DEVICE_ALREADY_EXISTS_ERROR"}
    call.db.update("totp_devices", {"device_name": new}, app=call.app, user_id=user_id, device_name=old)
    return {"status": "OK"}


def list_devices(call: Call) -> dict[str, Any]:
    """``GET /recipe/totp/device/list``."""
    user_id = call.query.text("userId")
    _refuse_empty(userId=user_id)
    return {"status": "OK", "devices": [device.json() for device in _devices(call.db, call.app, user_id)]}


def remove_device(call: Call) -> dict[str, Any]:
    """``POST /recipe/totp/device/remove``; with the last one the user's codes are forgotten."""
    user_id, name = call.body.text("userId"), call.body.text("deviceName")
    _refuse_empty(userId=user_id, deviceName=name)
    gone = call.db.delete("totp_devices", app=call.app, user_id=user_id, device_name=name)
    if not _devices(call.db, call.app, user_id):
        call.db.delete("totp_codes", app=call.app, user_id=user_id)
    return {"status": "OK", "didDeviceExist": gone > 0}


def bulk_status(call: Call) -> dict[str, Any]:
    """``POST /recipe/totp/device/status/bulk``: has a user verified a device? Null for users without any."""
    user_ids = call.body.user_ids()
    with call.reading() as db:
        rows = db.of_many("t.user_id, t.verified", "totp_devices", call.app, user_ids)
    found = {user_id: (user_id, 1) in rows for user_id, _ in rows}
    users = [{"userId": user_id, "hasVerifiedDevice": found.get(user_id)} for user_id in user_ids]
    return {"status": "OK", "users": users}


def _failed(call: Call, user_id: str) -> tuple[int, int]:
    """
    Return how many wrong codes there were in a row, and the time that the next one may have.

    :raises Answered: when they were too many and the pause is not over.
    """
    here, most, pause = call.here, call.settings.whole("totp_max_attempts"), _pause(call)
    latest = call.db.rows(
        "SELECT created_at, good_until FROM totp_codes WHERE app = ? AND tenant_id = ? AND user_id = ?"
        " ORDER BY created_at DESC LIMIT ?",
        *(here.app, here.tenant_id, user_id, most),
    )
    wrong = itertools.takewhile(lambda row: row[1] is None and row[0] > latest[0][0] - pause, latest)
    failed = sum(1 for _ in wrong)
    if failed == most:
        left = latest[0][0] + pause - call.now
        if left > 0:
            raise _failure(call, "LIMIT_REACHED_ERROR", failed, retryAfterMs=min(left, pause))
        failed = 0
    # Two codes of one millisecond are two codes.
    return failed, max([call.now, *(row[0] + 1 for row in latest[:1])])


def _pause(call: Call) -> int:
    return call.settings.whole("totp_rate_limit_cooldown_sec") * 1000


def _failure(call: Call, status: str, failed: int, **more: int) -> Answered:
    most = call.settings.whole("totp_max_attempts")
    return Answered(status, **more, currentNumberOfFailedAttempts=failed, maxNumberOfFailedAttempts=most)


_Fit = tuple[_Device, int]
"""A device that takes a code, and the counter whose code it is."""


def _fit(call: Call, user_id: str, code: str, devices: Iterable[_Device]) -> _Fit | None:
    """Return the first of some devices that takes a code; outside of a transaction, since 2001 codes are computed."""
    with call.reading():
        failed, _ = _failed(call, user_id)
    if len(code) > _LONGEST_CODE:
        raise _failure(call, "INVALID_TOTP_ERROR", failed + 1)
    found = ((device, device.takes(code, call.now)) for device in devices)
    return next(((device, counter) for device, counter in found if counter is not None), None)


def _remember(call: Call, user_id: str, code: str, fit: _Fit | None) -> dict[str, Any] | None:
    """
    Remember a code; return the refusal of one that no device takes, or that was used.

    Its time may be over: this transaction may have waited for another one, in which the same code was used.
    """
    now, place = call.now, {**call.here.place, "user_id": user_id, "code": code}
    failed, created_at = _failed(call, user_id)
    used = any(good_until > now for (good_until,) in call.db.select("totp_codes", "COALESCE(good_until, 0)", **place))
    good_until = None
    if fit is not None and not used and fit[0].still_takes(fit[1], now):
        good_until = now + 1000 * fit[0].period * (2 * fit[0].skew + 1)
    expires_at = max(good_until or 0, created_at + _pause(call))
    call.db.insert("totp_codes", **place, created_at=created_at, good_until=good_until, expires_at=expires_at)
    call.services.cleaner.a_little(call.db, now)
    return None if good_until is not None else _failure(call, "INVALID_TOTP_ERROR", failed + 1).answer


def verify_code(call: Call) -> dict[str, Any]:
    """``POST /recipe/totp/verify``: a code of any verified device."""
    user_id, code = call.body.text("userId"), call.body.text("totp")
    _refuse_empty(userId=user_id)
    with call.reading() as db:
        devices = _devices(db, call.app, user_id)
    if not devices:
        return {"status": "UNKNOWN_USER_ID_ERROR"}
    fit = _fit(call, user_id, code, (device for device in devices if device.verified))
    with call.writing() as db:
        devices = _devices(db, call.app, user_id)  # they may have been removed meanwhile
        if not devices:
            return {"status": "UNKNOWN_USER_ID_ERROR"}
        refused = _remember(call, user_id, code, fit if fit is not None and fit[0] in devices else None)
    return {"status": "OK"} if refused is None else refused


def _unverified(call: Call, user_id: str, name: str) -> _Device:
    for device in _devices(call.db, call.app, user_id):
        if device.name == name and not device.verified:
            return device
        if device.name == name:
            raise Answered("OK", wasAlreadyVerified=True)
    raise Answered("UNKNOWN_DEVICE_ERROR")


def verify_device(call: Call) -> dict[str, Any]:
    """``POST /recipe/totp/device/verify``: the first code of a device, for which it counts as verified from then on."""
    user_id, name, code = map(call.body.text, ("userId", "deviceName", "totp"))
    _refuse_empty(userId=user_id, deviceName=name)
    with call.reading() as db:
        device = _unverified(call, user_id, name)
    fit = _fit(call, user_id, code, [device])
    with call.writing() as db:
        # Another one may have taken its name meanwhile.
        is_same = _unverified(call, user_id, name) == device
        refused = _remember(call, user_id, code, fit if is_same else None)
        if refused is None:
            db.update("totp_devices", {"verified": 1}, app=call.app, user_id=user_id, device_name=name)
    return {"status": "OK", "wasAlreadyVerified": False} if refused is None else refused


ENDPOINTS = (
    Endpoint("POST", "/recipe/totp/device", "app", partial(create_device, imported=False)),
    Endpoint("PUT", "/recipe/totp/device", "app", rename_device),
    Endpoint("POST", "/recipe/totp/device/import", "app", partial(create_device, imported=True)),
    Endpoint("GET", "/recipe/totp/device/list", "app", list_devices),
    Endpoint("POST", "/recipe/totp/device/remove", "app", remove_device),
    Endpoint("POST", "/recipe/totp/device/verify", "tenant", verify_device),
    Endpoint("POST", "/recipe/totp/device/status/bulk", "app", bulk_status),
    Endpoint("POST", "/recipe/totp/verify", "tenant", verify_code),
)
