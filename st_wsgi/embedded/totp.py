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
from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs

from .call import Call, Endpoint
from .database import Database
from .fields import bad, dump

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
    verified: bool

    def json(self) -> dict[str, Any]:
        """Return the device as answers show it."""
        return {"name": self.name, "period": self.period, "skew": self.skew, "verified": self.verified}

    def takes(self, code: str, now: int) -> bool:
        """Return whether *code* is one of the device's at a time (milliseconds)."""
        key = _key(self.secret)
        if not key or not re.fullmatch("[0-9]{6}", code):
            return False
        counter = now // (1000 * self.period)
        # All of them are looked at, so that the time says nothing about the one that fits.
        around = range(max(0, counter - self.skew), counter + self.skew + 1)
        return sum(hmac.compare_digest(_code(key, number), code) for number in around) > 0


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
    rows = db.execute(
        "SELECT device_name, secret, period, skew, verified FROM totp_devices WHERE app = ? AND user_id = ?",
        (app, user_id),
    ).fetchall()
    return [_Device(name, secret, period, skew, bool(done)) for name, secret, period, skew, done in rows]


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
    skew, period = body.whole("skew"), body.whole("period")
    secret = body.text("secretKey") if imported else base64.b32encode(secrets.token_bytes(20)).decode()
    _refuse_empty(userId=user_id, deviceName=name, secretKey=secret)
    if not 0 <= skew <= MOST_SKEW:
        raise bad("skew must be >= 0" if skew < 0 else f"skew must be <= {MOST_SKEW}")
    if not 0 < period <= MOST_PERIOD:
        raise bad("period must be > 0" if period <= 0 else f"period must be <= {MOST_PERIOD}")
    device = name, secret, period, skew
    with call.write() as db:
        name = store_device(db, call.app, user_id, device, verified=imported)
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
    db.execute(
        "INSERT OR REPLACE INTO totp_devices (app, user_id, device_name, secret, period, skew, verified)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (app, user_id, name, *others, int(verified)),
    )
    return name


def rename_device(call: Call) -> dict[str, Any]:
    """``PUT /recipe/totp/device``."""
    user_id, old, new = map(call.body.text, ("userId", "existingDeviceName", "newDeviceName"))
    _refuse_empty(userId=user_id, existingDeviceName=old, newDeviceName=new)
    with call.write() as db:
        names = [device.name for device in _devices(db, call.app, user_id)]
        if old not in names:
            return {"status": "UNKNOWN_DEVICE_ERROR"}
        if new != old and new in names:
            return {"status": "DEVICE_ALREADY_EXISTS_ERROR"}
        db.execute(
            "UPDATE totp_devices SET device_name = ? WHERE app = ? AND user_id = ? AND device_name = ?",
            (new, call.app, user_id, old),
        )
    return {"status": "OK"}


def list_devices(call: Call) -> dict[str, Any]:
    """``GET /recipe/totp/device/list``."""
    user_id = call.query.text("userId")
    _refuse_empty(userId=user_id)
    with call.read() as db:
        return {"status": "OK", "devices": [device.json() for device in _devices(db, call.app, user_id)]}


def remove_device(call: Call) -> dict[str, Any]:
    """``POST /recipe/totp/device/remove``; with the last one the user's codes are forgotten."""
    user_id, name = call.body.text("userId"), call.body.text("deviceName")
    _refuse_empty(userId=user_id, deviceName=name)
    with call.write() as db:
        gone = db.execute(
            "DELETE FROM totp_devices WHERE app = ? AND user_id = ? AND device_name = ?", (call.app, user_id, name)
        ).rowcount
        if not _devices(db, call.app, user_id):
            db.execute("DELETE FROM totp_codes WHERE app = ? AND user_id = ?", (call.app, user_id))
    return {"status": "OK", "didDeviceExist": gone > 0}


def bulk_status(call: Call) -> dict[str, Any]:
    """``POST /recipe/totp/device/status/bulk``: has a user verified a device? Null for users without any."""
    user_ids = call.body.user_ids()
    with call.read() as db:
        rows = db.execute(
            "SELECT user_id, verified FROM json_each(?) AS wanted"
            " CROSS JOIN totp_devices ON app = ? AND user_id = wanted.value",
            (dump(user_ids), call.app),
        ).fetchall()
    found = {user_id: (user_id, 1) in rows for user_id, _ in rows}
    users = [{"userId": user_id, "hasVerifiedDevice": found.get(user_id)} for user_id in user_ids]
    return {"status": "OK", "users": users}


def _try(db: Database, call: Call, user_id: str, devices: Sequence[_Device], code: str) -> dict[str, Any]:
    """Check a code with some devices, and remember it; return the answer."""
    here, now = call.here, call.now
    most = call.settings.whole("totp_max_attempts")
    pause = call.settings.whole("totp_rate_limit_cooldown_sec") * 1000
    latest = db.execute(
        "SELECT created_at, good_until FROM totp_codes WHERE app = ? AND tenant_id = ? AND user_id = ?"
        " ORDER BY created_at DESC LIMIT ?",
        (here.app, here.tenant_id, user_id, most),
    ).fetchall()
    failed = 0
    for created_at, good_until in latest:
        if good_until is not None or created_at <= latest[0][0] - pause:
            break
        failed += 1
    if failed == most:
        left = latest[0][0] + pause - now
        if left > 0:
            return _failure("LIMIT_REACHED_ERROR", failed, most, retryAfterMs=min(left, pause))
        failed = 0
    if len(code) > _LONGEST_CODE:
        return _failure("INVALID_TOTP_ERROR", failed + 1, most)
    device = next((device for device in devices if device.takes(code, now)), None)
    used = db.execute(
        "SELECT 1 FROM totp_codes WHERE app = ? AND tenant_id = ? AND user_id = ? AND code = ? AND good_until > ?",
        (here.app, here.tenant_id, user_id, code, now),
    ).fetchone()
    good_until = None if device is None or used is not None else now + 1000 * device.period * (2 * device.skew + 1)
    # Two codes of one millisecond are two codes.
    created_at = max([now, *(row[0] + 1 for row in latest[:1])])
    db.execute(
        "INSERT INTO totp_codes (app, tenant_id, user_id, created_at, code, good_until, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (here.app, here.tenant_id, user_id, created_at, code, good_until, max(good_until or 0, created_at + pause)),
    )
    call.services.cleaner.a_little(db, now)
    return {"status": "OK"} if good_until is not None else _failure("INVALID_TOTP_ERROR", failed + 1, most)


def _failure(status: str, failed: int, most: int, **more: int) -> dict[str, Any]:
    return {"status": status, **more, "currentNumberOfFailedAttempts": failed, "maxNumberOfFailedAttempts": most}


def verify_code(call: Call) -> dict[str, Any]:
    """``POST /recipe/totp/verify``: a code of any verified device."""
    user_id, code = call.body.text("userId"), call.body.text("totp")
    _refuse_empty(userId=user_id)
    with call.write() as db:
        devices = _devices(db, call.app, user_id)
        if not devices:
            return {"status": "UNKNOWN_USER_ID_ERROR"}
        return _try(db, call, user_id, [device for device in devices if device.verified], code)


def verify_device(call: Call) -> dict[str, Any]:
    """``POST /recipe/totp/device/verify``: the first code of a device, for which it counts as verified from then on."""
    user_id, name, code = map(call.body.text, ("userId", "deviceName", "totp"))
    _refuse_empty(userId=user_id, deviceName=name)
    with call.write() as db:
        device = next((device for device in _devices(db, call.app, user_id) if device.name == name), None)
        if device is None:
            return {"status": "UNKNOWN_DEVICE_ERROR"}
        if device.verified:
            return {"status": "OK", "wasAlreadyVerified": True}
        answer = _try(db, call, user_id, [device], code)
        if answer["status"] != "OK":
            return answer
        db.execute(
            "UPDATE totp_devices SET verified = 1 WHERE app = ? AND user_id = ? AND device_name = ?",
            (call.app, user_id, name),
        )
    return {"status": "OK", "wasAlreadyVerified": False}


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
