"""
Signing in with a code or a link (CDI 1.4, semantics 3.10; ``passwordless/Passwordless.java`` of the official core).

A *device* is one attempt to sign in, with one email or phone number and any number of codes. A code is stored as a
hash, made with the device's id, which only the client has, and with the device's salt, which only the core has.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import uuid
from typing import Any

import attrs

from . import methods, signin, tenants_v1
from .call import Call, Endpoint
from .database import Database
from .fields import Body, bad
from .methods import Contact, Identity, Method
from .phones import normal_phone_or_none
from .users import internal_id, normal_email, set_verified

RECIPE = "passwordless"

_RESTART = {"status": "RESTART_FLOW_ERROR"}
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")


@attrs.frozen
class _Device:
    """An attempt to sign in, as it is stored; *hash* is what the protocol calls ``preAuthSessionId``."""

    hash: str
    email: str | None
    phone_number: str | None
    salt: str
    failed_attempts: int

    def json(self) -> dict[str, Any]:
        """Return the device as answers show it."""
        shown: dict[str, Any] = {
            "preAuthSessionId": self.hash,
            "failedCodeInputAttemptCount": self.failed_attempts,
        }
        if self.email is not None:
            shown["email"] = self.email
        if self.phone_number is not None:
            shown["phoneNumber"] = self.phone_number
        return shown


_DEVICE = "SELECT device_id_hash, email, phone_number, link_code_salt, failed_attempts FROM passwordless_devices"


def _decoded(text: str, name: str) -> bytes:
    """Return the bytes of base64, whose padding may be missing. :raises CallRefused: when it is none."""
    if not _BASE64.fullmatch(text):
        raise bad(f"Input encoding error in {name}")
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _url_text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _digest(value: bytes) -> str:
    return _url_text(hashlib.sha256(value).digest())


def _link_code(device_id: bytes, salt: str, user_input_code: str) -> bytes:
    return hmac.digest(device_id + base64.b64decode(salt), user_input_code.encode(), "sha256")


def _find(db: Database, call: Call, device_hash: str) -> _Device | None:
    row = db.execute(
        f"{_DEVICE} WHERE app = ? AND tenant_id = ? AND device_id_hash = ?",
        (call.app, call.here.tenant_id, device_hash),
    ).fetchone()
    return None if row is None else _Device(*row)


def _contact(body: Body) -> tuple[str | None, str | None]:
    """Return the email and the phone number that a body names."""
    email = normal_email(body.text("email")) if "email" in body else None
    return email, normal_phone_or_none(body.text_or_none("phoneNumber"))


def create_code(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup/code``: a code of a new device, or one more of a device that is there."""
    email, phone_number = _contact(call.body)
    given_id = call.body.text_or_none("deviceId")
    if [email, phone_number, given_id].count(None) != 2:
        raise bad("Please provide exactly one of email, phoneNumber or deviceId")
    given_code = call.body.text_or_none("userInputCode")
    if given_code == "":
        raise bad("userInputCode cannot be an empty string.")
    here, now = call.here, call.now
    tenants_v1.refuse_if_disabled(call, "passwordless")
    lifetime = call.settings.whole("passwordless_code_lifetime")
    device_id = secrets.token_bytes(32) if given_id is None else _decoded(given_id, "deviceId")
    with call.write() as db:
        if given_id is None:
            salt = base64.b64encode(secrets.token_bytes(32)).decode()
            device = _Device(_digest(device_id), email, phone_number, salt, 0)
            db.execute(
                "INSERT INTO passwordless_devices (app, tenant_id, device_id_hash, email, phone_number,"
                " link_code_salt, failed_attempts, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (here.app, here.tenant_id, *attrs.astuple(device), now + lifetime),
            )
        else:
            known = _find(db, call, _digest(device_id))
            if known is None:
                return dict(_RESTART)
            device = known
            _for_device(db, call, "UPDATE passwordless_devices SET expires_at = ?", device.hash, now + lifetime)
        made = None
        while made is None:
            # A code that exists already is no accident when the caller chose it.
            code = given_code or f"{secrets.randbelow(1_000_000):06}"
            made = _add_code(db, call, device, code, _link_code(device_id, device.salt, code))
            if made is None and given_code is not None:
                return {"status": "USER_INPUT_CODE_ALREADY_USED_ERROR"}
        call.services.cleaner.a_little(db, now)
    return {
        "status": "OK",
        "preAuthSessionId": device.hash,
        "deviceId": base64.b64encode(device_id).decode(),
        **made,
    }


def _add_code(
    db: Database, call: Call, device: _Device, user_input_code: str, link_code: bytes
) -> dict[str, Any] | None:
    """Store a code and return it as answers show it, None when the device has it already."""
    code_id, now = str(uuid.uuid4()), call.now
    lifetime = call.settings.whole("passwordless_code_lifetime")
    added = db.execute(
        "INSERT INTO passwordless_codes (app, tenant_id, code_id, device_id_hash, link_code_hash, created_at,"
        " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (call.app, call.here.tenant_id, code_id, device.hash, _digest(link_code), now, now + lifetime),
    ).rowcount
    if not added:
        return None
    return {
        "codeId": code_id,
        "userInputCode": user_input_code,
        "linkCode": _url_text(link_code),
        "timeCreated": now,
        "codeLifetime": lifetime,
    }


def _for_device(db: Database, call: Call, statement: str, device_hash: str, *values: object) -> None:
    db.execute(
        f"{statement} WHERE app = ? AND tenant_id = ? AND device_id_hash = ?",
        (*values, call.app, call.here.tenant_id, device_hash),
    )


def _delete_device(db: Database, call: Call, device_hash: str) -> None:
    for table in ("passwordless_codes", "passwordless_devices"):
        _for_device(db, call, f"DELETE FROM {table}", device_hash)


def _delete_devices(
    db: Database, app: int, tenant_id: str, *, email: str | None = None, phone_number: str | None = None
) -> None:
    """Delete the devices of a tenant that are for an email or a phone number, with their codes."""
    for column, value in (("email", email), ("phone_number", phone_number)):
        if value is not None:
            place = (app, tenant_id, value)
            db.execute(
                "DELETE FROM passwordless_codes WHERE app = ? AND tenant_id = ? AND device_id_hash IN (SELECT"
                f" device_id_hash FROM passwordless_devices WHERE app = ? AND tenant_id = ? AND {column} = ?)",
                (app, tenant_id, *place),
            )
            db.execute(f"DELETE FROM passwordless_devices WHERE app = ? AND tenant_id = ? AND {column} = ?", place)


@attrs.frozen
class _Attempt:
    """What a client signs in with: a link code, or the id of a device and a code that was typed in."""

    device_hash: str
    link_code: str | None
    device_id: str | None
    user_input_code: str | None

    @classmethod
    def of(cls, body: Body) -> _Attempt:
        """Return what a body says."""
        device_hash = body.text("preAuthSessionId")
        if "linkCode" in body:
            if "userInputCode" not in body and "deviceId" not in body:
                return cls(device_hash, body.text("linkCode"), None, None)
        elif "userInputCode" in body and "deviceId" in body:
            return cls(device_hash, None, body.text("deviceId"), body.text("userInputCode"))
        raise bad("Please provide exactly one of linkCode or deviceId+userInputCode")


def _created_at(db: Database, call: Call, link_code_hash: str) -> tuple[int, str] | None:
    """Return when a code was made and the hash of its device, None when there is no such code."""
    row: tuple[int, str] | None = db.execute(
        "SELECT created_at, device_id_hash FROM passwordless_codes"
        " WHERE app = ? AND tenant_id = ? AND link_code_hash = ?",
        (call.app, call.here.tenant_id, link_code_hash),
    ).fetchone()
    return row


def _attempt(call: Call, db: Database, attempt: _Attempt) -> _Device | dict[str, Any]:
    """Return the device that an attempt is right for; for a wrong one the answer, after it was counted."""
    oldest = call.now - call.settings.whole("passwordless_code_lifetime")
    most = call.settings.whole("passwordless_max_code_input_attempts")
    if attempt.link_code is not None:
        link_code = _decoded(attempt.link_code.replace("-", "+").replace("_", "/"), "linkCode")
        code = _created_at(db, call, _digest(link_code))
        if code is None or code[0] < oldest:
            return dict(_RESTART)
        device = _find(db, call, code[1])
    else:
        device_id = _decoded(attempt.device_id or "", "deviceId")
        device = _find(db, call, _digest(device_id))
        if device is None:
            return dict(_RESTART)
        code = _created_at(db, call, _digest(_link_code(device_id, device.salt, attempt.user_input_code or "")))
    assert device is not None, "a code goes with its device"
    if device.hash != attempt.device_hash.replace("=", ""):
        raise bad("preAuthSessionId and deviceId doesn't match")
    expired = code is not None and code[0] < oldest
    failed = device.failed_attempts + (code is None or expired)
    if failed >= most:
        # Also a right code: the setting may have been lowered meanwhile.
        _delete_device(db, call, device.hash)
        return dict(_RESTART)
    if failed == device.failed_attempts:
        return device
    _for_device(db, call, "UPDATE passwordless_devices SET failed_attempts = ?", device.hash, failed)
    return {
        "status": "EXPIRED_USER_INPUT_CODE_ERROR" if expired else "INCORRECT_USER_INPUT_CODE_ERROR",
        "failedCodeInputAttemptCount": failed,
        "maximumCodeInputAttempts": most,
    }


def check_code(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup/code/check``: like consuming a code, but it stays and does not sign in."""
    attempt = _Attempt.of(call.body)
    call.admit()
    tenants_v1.refuse_if_disabled(call, "passwordless")
    with call.write() as db:
        device = _attempt(call, db, attempt)
    return {"status": "OK", "consumedDevice": device.json()} if isinstance(device, _Device) else device


def consume_code(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup/code/consume``: sign in or up, and remove every device of that email or phone number."""
    attempt = _Attempt.of(call.body)
    here = call.here
    tenants_v1.refuse_if_disabled(call, "passwordless")
    with call.write() as db:
        device = _attempt(call, db, attempt)
        if not isinstance(device, _Device):
            return device
        _delete_devices(db, here.app, here.tenant_id, email=device.email, phone_number=device.phone_number)
        identity = Identity(device.email, device.phone_number)
        method = methods.find_in_tenant(db, here, RECIPE, identity)
        if method is None:
            user_id = methods.insert(db, here, RECIPE, call.now, identity)
            assert user_id is not None, "it was looked up in this transaction"
        else:
            user_id = method.user_id
            # The other contact of the login method needs no open attempts either.
            _delete_devices(db, here.app, here.tenant_id, email=method.email, phone_number=method.phone_number)
        if device.email is not None:
            set_verified(db, here.app, user_id, device.email)
        answer = signin.signed_in(db, call, RECIPE, user_id, identity, verified=device.email is not None)
    return {**answer, "createdNewUser": method is None, "consumedDevice": device.json()}


def remove_code(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup/code/remove``: a code, with its device if it was the last, or a device."""
    code_id = call.body.text_or_none("codeId")
    device_hash = call.body.text_or_none("preAuthSessionId")
    if code_id is None and device_hash is None:
        raise bad("Please provide either 'codeId' or 'preAuthSessionId'")
    if code_id is not None and device_hash is not None:
        raise bad("Please provide only one of 'codeId' or 'preAuthSessionId'")
    with call.write() as db:
        if code_id is not None:
            place = "FROM passwordless_codes WHERE app = ? AND tenant_id = ? AND code_id = ?"
            values = call.app, call.here.tenant_id, code_id
            row = db.execute(f"SELECT device_id_hash {place}", values).fetchone()
            db.execute(f"DELETE {place}", values)
            device_hash = None if row is None or _codes(db, call, row[0]) else row[0]
        if device_hash is not None:
            _delete_device(db, call, device_hash)
    return {"status": "OK"}


def _codes(db: Database, call: Call, device_hash: str) -> list[tuple[str, int]]:
    return db.execute(
        "SELECT code_id, created_at FROM passwordless_codes WHERE app = ? AND tenant_id = ? AND device_id_hash = ?",
        (call.app, call.here.tenant_id, device_hash),
    ).fetchall()


def codes(call: Call) -> dict[str, Any]:
    """``GET /recipe/signinup/codes``: devices with their codes, by one of four things that are known of them."""
    email = call.query.text_or_none("email")
    phone_number = normal_phone_or_none(call.query.text_or_none("phoneNumber"))
    device_id, device_hash = call.query.text_or_none("deviceId"), call.query.text_or_none("preAuthSessionId")
    if [email, phone_number, device_id, device_hash].count(None) != 3:
        raise bad("Please provide exactly one of email, phoneNumber, deviceId or preAuthSessionId")
    call.admit()
    if device_id is not None:
        device_hash = _digest(_decoded(device_id, "deviceId"))
    column, value = "device_id_hash", device_hash
    if email is not None:
        column, value = "email", normal_email(email)
    elif phone_number is not None:
        column, value = "phone_number", phone_number
    lifetime = call.settings.whole("passwordless_code_lifetime")
    with call.read() as db:
        rows = db.execute(
            f"{_DEVICE} WHERE app = ? AND tenant_id = ? AND {column} = ?", (call.app, call.here.tenant_id, value)
        ).fetchall()
        devices = [
            {
                **device.json(),
                "codes": [
                    {"codeId": code_id, "timeCreated": created_at, "codeLifetime": lifetime}
                    for code_id, created_at in _codes(db, call, device.hash)
                ],
            }
            for device in (_Device(*row) for row in rows)
        ]
    return {"status": "OK", "devices": devices}


def remove_codes(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup/codes/remove``: all devices of an email or a phone number."""
    email = call.body.text_or_none("email")
    phone_number = normal_phone_or_none(call.body.text_or_none("phoneNumber"))
    if (email is None) == (phone_number is None):
        raise bad("Please provide exactly one of email or phoneNumber")
    with call.write() as db:
        email = None if email is None else normal_email(email)
        _delete_devices(db, call.app, call.here.tenant_id, email=email, phone_number=phone_number)
    return {"status": "OK"}


def get_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/user`` (deprecated): by ``userId`` or, in one tenant, by email or phone number."""
    user_id, email = call.query.text_or_none("userId"), call.query.text_or_none("email")
    phone_number = normal_phone_or_none(call.query.text_or_none("phoneNumber"))
    if [user_id, email, phone_number].count(None) != 2:
        raise bad("Please provide exactly one of userId, email or phoneNumber")
    if user_id is not None:
        call.public_only()
    with call.read() as db:
        if user_id is not None:
            user = signin.by_id(db, call, RECIPE, user_id)
        else:
            identity = Identity(None if email is None else normal_email(email), phone_number)
            user = next(iter(signin.by_identity(db, call, RECIPE, identity)), None)
    if user is not None:
        return {"status": "OK", "user": user}
    what = "USER_ID" if user_id is not None else "EMAIL" if email is not None else "PHONE_NUMBER"
    return {"status": f"UNKNOWN_{what}_ERROR"}


class _Clash(Exception):
    """Another user has the new email or phone number: nothing is changed, and this is the answer."""

    def __init__(self, status: str, reason: str | None = None) -> None:
        self.answer = {"status": status, **({} if reason is None else {"reason": reason})}
        super().__init__(status)


def put_user(call: Call) -> dict[str, Any]:
    """``PUT /recipe/user``: another email or phone number of a login method; null clears one of them."""
    user_id = call.body.text("recipeUserId")
    changes: dict[Contact, str | None] = {}
    if "email" in call.body:
        email = call.body.text_or_null("email")
        changes["email"] = None if email is None else normal_email(email)
    if "phoneNumber" in call.body:
        changes["phone_number"] = normal_phone_or_none(call.body.text_or_null("phoneNumber"))
    try:
        with call.write() as db:
            method = methods.find(db, call.app, internal_id(db, call.app, user_id), RECIPE)
            if method is None:
                return {"status": "UNKNOWN_USER_ID_ERROR"}
            if not any(value is not None for value in {**_contacts(method), **changes}.values()):
                raise bad("You cannot clear both email and phone number of a user")
            for column, value in changes.items():
                if value != _contacts(method)[column]:
                    _change(db, call.app, method, column, value)
    except _Clash as clash:
        return clash.answer
    return {"status": "OK"}


def _contacts(method: Method) -> dict[Contact, str | None]:
    return {"email": method.email, "phone_number": method.phone_number}


def _change(db: Database, app: int, method: Method, column: Contact, value: str | None) -> None:
    """Change the email or phone number of a login method. :raises _Clash: when another user has it."""
    name = column.upper()
    if methods.is_taken(db, app, method, Identity(**{column: value})):
        words = column.replace("_", " ")
        raise _Clash(f"{name}_CHANGE_NOT_ALLOWED_ERROR", f"New {words} is associated with another primary user ID")
    if not methods.change(db, app, method.user_id, column, value):
        raise _Clash(f"{name}_ALREADY_EXISTS_ERROR")
    for tenant_id in methods.tenants_of(db, app, method.user_id):
        for contact in (_contacts(method)[column], value):
            _delete_devices(db, app, tenant_id, **{column: contact})


ENDPOINTS = (
    Endpoint("POST", "/recipe/signinup/code", "tenant", create_code),
    Endpoint("POST", "/recipe/signinup/code/consume", "tenant", consume_code),
    Endpoint("POST", "/recipe/signinup/code/check", "tenant", check_code),
    Endpoint("POST", "/recipe/signinup/code/remove", "tenant", remove_code),
    Endpoint("GET", "/recipe/signinup/codes", "tenant", codes),
    Endpoint("POST", "/recipe/signinup/codes/remove", "tenant", remove_codes),
    Endpoint("GET", "/recipe/user", "tenant", get_user, rid=RECIPE),
    Endpoint("PUT", "/recipe/user", "app", put_user, rid=RECIPE),
)
