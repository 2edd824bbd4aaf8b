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
from .authenticators import url_text
from .call import Call, Endpoint
from .fields import Answered, Body, bad
from .methods import Contact, Identity
from .phones import normal_phone_or_none
from .storage.database import Database
from .users import normal_email, set_verified

RECIPE = "passwordless"

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
        contact = {"email": self.email} if self.email is not None else {"phoneNumber": self.phone_number}
        return {"preAuthSessionId": self.hash, "failedCodeInputAttemptCount": self.failed_attempts, **contact}


_DEVICE = "device_id_hash, email, phone_number, link_code_salt, failed_attempts"


# From base64url to base64. The two signs that only base64 has become invalid.
_FROM_URL = str.maketrans("-_+/", "+/!!")


def _decoded(text: str, name: str) -> bytes:
    """Return the bytes of base64, whose padding may be missing. :raises CallRefused: when it is none."""
    if not _BASE64.fullmatch(text):
        raise bad(f"Input encoding error in {name}")
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _digest(value: bytes) -> str:
    return url_text(hashlib.sha256(value).digest())


def _link_code(device_id: bytes, salt: str, user_input_code: str) -> bytes:
    return hmac.digest(device_id + base64.b64decode(salt), user_input_code.encode(), "sha256")


def _find(call: Call, device_hash: str) -> _Device:
    """Return a device. :raises Answered: when there is none: start again."""
    row = call.db.first("passwordless_devices", _DEVICE, **call.here.place, device_id_hash=device_hash)
    if row is None:
        raise Answered("RESTART_FLOW_ERROR")
    return _Device(*row)


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
    if given_id is None:
        salt = base64.b64encode(secrets.token_bytes(32)).decode()
        device = _Device(_digest(device_id), email, phone_number, salt, 0)
        columns = dict(zip(_DEVICE.split(", "), attrs.astuple(device), strict=True))
        call.db.insert("passwordless_devices", **here.place, **columns, expires_at=now + lifetime)
    else:
        device = _find(call, _digest(device_id))
        _change_device(call, device, expires_at=now + lifetime)
    stored = False
    while not stored:
        # A code that exists already is no accident when the caller chose it.
        code = given_code or f"{secrets.randbelow(1_000_000):06}"
        link_code, code_id = _link_code(device_id, device.salt, code), str(uuid.uuid4())
        row = {"code_id": code_id, "device_id_hash": device.hash, "link_code_hash": _digest(link_code)}
        times = {"created_at": now, "expires_at": now + lifetime}
        stored = call.db.insert_new("passwordless_codes", **here.place, **row, **times)
        if not stored and given_code is not None:
            return {"status": "USER_INPUT_CODE_ALREADY_USED_ERROR"}
    call.services.cleaner.a_little(call.db, now)
    return {
        "status": "OK",
        "preAuthSessionId": device.hash,
        "deviceId": base64.b64encode(device_id).decode(),
        "codeId": code_id,
        "userInputCode": code,
        "linkCode": url_text(link_code),
        "timeCreated": now,
        "codeLifetime": lifetime,
    }


def _change_device(call: Call, device: _Device, **changes: int) -> None:
    call.db.update("passwordless_devices", dict(changes), **call.here.place, device_id_hash=device.hash)


def _delete_device(call: Call, device_hash: str) -> None:
    for table in ("passwordless_codes", "passwordless_devices"):
        call.db.delete(table, **call.here.place, device_id_hash=device_hash)


def _delete_devices(
    db: Database, app: int, tenant_id: str, *, email: str | None = None, phone_number: str | None = None
) -> None:
    """Delete the devices of a tenant that are for an email or a phone number, with their codes."""
    place = {"app": app, "tenant_id": tenant_id}
    for column, value in (("email", email), ("phone_number", phone_number)):
        if value is not None:
            for (device_hash,) in db.select("passwordless_devices", "device_id_hash", **place, **{column: value}):
                db.delete("passwordless_codes", **place, device_id_hash=device_hash)
            db.delete("passwordless_devices", **place, **{column: value})


_Attempt = dict[str, str]
"""What a client signs in with: the id of a device's session, and a link code or a device id with a typed code."""


def _attempt_of(body: Body) -> _Attempt:
    attempt = {"preAuthSessionId": body.text("preAuthSessionId")}
    names = [name for name in ("linkCode", "deviceId", "userInputCode") if name in body]
    if names not in (["linkCode"], ["deviceId", "userInputCode"]):
        raise bad("Please provide exactly one of linkCode or deviceId+userInputCode")
    return {**attempt, **{name: body.text(name) for name in names}}


def _try(call: Call, attempt: _Attempt) -> _Device | dict[str, Any]:
    """Return the device that an attempt is right for; for a wrong one the answer, after it was counted."""
    oldest = call.now - call.settings.whole("passwordless_code_lifetime")
    most = call.settings.whole("passwordless_max_code_input_attempts")
    device = None
    if "linkCode" in attempt:
        link_code = _decoded(attempt["linkCode"].translate(_FROM_URL), "linkCode")
    else:
        device_id = _decoded(attempt["deviceId"], "deviceId")
        device = _find(call, _digest(device_id))
        link_code = _link_code(device_id, device.salt, attempt["userInputCode"])
    columns, place = "created_at, device_id_hash", {**call.here.place, "link_code_hash": _digest(link_code)}
    code = call.db.first("passwordless_codes", columns, **place)
    if device is None:
        if code is None or code[0] < oldest:
            raise Answered("RESTART_FLOW_ERROR")
        device = _find(call, code[1])
    if device.hash != attempt["preAuthSessionId"].replace("=", ""):
        raise bad("preAuthSessionId and deviceId doesn't match")
    expired = code is not None and code[0] < oldest
    failed = device.failed_attempts + (code is None or expired)
    if failed >= most:
        # Also a right code: the setting may have been lowered meanwhile.
        _delete_device(call, device.hash)
        return {"status": "RESTART_FLOW_ERROR"}
    if failed == device.failed_attempts:
        return device
    _change_device(call, device, failed_attempts=failed)
    status = "EXPIRED_USER_INPUT_CODE_ERROR" if expired else "INCORRECT_USER_INPUT_CODE_ERROR"
    return {"status": status, "failedCodeInputAttemptCount": failed, "maximumCodeInputAttempts": most}


def check_code(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup/code/check``: like consuming a code, but it stays and does not sign in."""
    attempt = _attempt_of(call.body)
    call.admit()
    tenants_v1.refuse_if_disabled(call, "passwordless")
    device = _try(call, attempt)
    return {"status": "OK", "consumedDevice": device.json()} if isinstance(device, _Device) else device


def consume_code(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup/code/consume``: sign in or up, and remove every device of that email or phone number."""
    attempt = _attempt_of(call.body)
    here = call.here
    tenants_v1.refuse_if_disabled(call, "passwordless")
    device = _try(call, attempt)
    if not isinstance(device, _Device):
        return device
    _delete_devices(call.db, here.app, here.tenant_id, email=device.email, phone_number=device.phone_number)
    identity = Identity(device.email, device.phone_number)
    method = methods.find_in_tenant(call.db, here, RECIPE, identity)
    if method is None:
        user_id = methods.insert(call.db, here, RECIPE, call.now, identity)
        assert user_id is not None, "it was looked up in this transaction"
    else:
        user_id = method.user_id
        # The other contact of the login method needs no open attempts either.
        _delete_devices(call.db, here.app, here.tenant_id, email=method.email, phone_number=method.phone_number)
    if device.email is not None:
        set_verified(call.db, here.app, user_id, device.email)
    answer = signin.signed_in(call, RECIPE, user_id, identity, verified=device.email is not None)
    return {**answer, "createdNewUser": method is None, "consumedDevice": device.json()}


def remove_code(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup/code/remove``: a code, with its device if it was the last, or a device."""
    code_id = call.body.text_or_none("codeId")
    device_hash = call.body.text_or_none("preAuthSessionId")
    if code_id is None and device_hash is None:
        raise bad("Please provide either 'codeId' or 'preAuthSessionId'")
    if code_id is not None and device_hash is not None:
        raise bad("Please provide only one of 'codeId' or 'preAuthSessionId'")
    if code_id is not None:
        place = {**call.here.place, "code_id": code_id}
        row = call.db.first("passwordless_codes", "device_id_hash", **place)
        call.db.delete("passwordless_codes", **place)
        device_hash = None if row is None or _codes(call, row[0]) else row[0]
    if device_hash is not None:
        _delete_device(call, device_hash)
    return {"status": "OK"}


def _codes(call: Call, device_hash: str) -> list[dict[str, Any]]:
    """Return the codes of a device as answers show them."""
    lifetime = call.settings.whole("passwordless_code_lifetime")
    place = {**call.here.place, "device_id_hash": device_hash}
    return [
        {"codeId": code_id, "timeCreated": created_at, "codeLifetime": lifetime}
        for code_id, created_at in call.db.select("passwordless_codes", "code_id, created_at", **place)
    ]


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
    email = None if email is None else normal_email(email)
    known_by = {"device_id_hash": device_hash, "email": email, "phone_number": phone_number}
    place = {**call.here.place, **{column: value for column, value in known_by.items() if value is not None}}
    found = [_Device(*row) for row in call.db.select("passwordless_devices", _DEVICE, **place)]
    devices = [{**device.json(), "codes": _codes(call, device.hash)} for device in found]
    return {"status": "OK", "devices": devices}


def remove_codes(call: Call) -> dict[str, Any]:
    """``POST /recipe/signinup/codes/remove``: all devices of an email or a phone number."""
    email = call.body.text_or_none("email")
    phone_number = normal_phone_or_none(call.body.text_or_none("phoneNumber"))
    if (email is None) == (phone_number is None):
        raise bad("Please provide exactly one of email or phoneNumber")
    email = None if email is None else normal_email(email)
    _delete_devices(call.db, call.app, call.here.tenant_id, email=email, phone_number=phone_number)
    return {"status": "OK"}


def get_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/user`` (deprecated): by ``userId`` or, in one tenant, by email or phone number."""
    user_id, email = call.query.text_or_none("userId"), call.query.text_or_none("email")
    phone_number = normal_phone_or_none(call.query.text_or_none("phoneNumber"))
    if [user_id, email, phone_number].count(None) != 2:
        raise bad("Please provide exactly one of userId, email or phoneNumber")
    identity = Identity(None if email is None else normal_email(email), phone_number)
    return signin.one_user(call, RECIPE, user_id, identity, "PHONE_NUMBER" if email is None else "EMAIL")


def put_user(call: Call) -> dict[str, Any]:
    """``PUT /recipe/user``: another email or phone number of a login method; null clears one of them."""
    user_id = call.body.text("recipeUserId")
    changes: dict[Contact, str | None] = {}
    if "email" in call.body:
        email = call.body.text_or_null("email")
        changes["email"] = None if email is None else normal_email(email)
    if "phoneNumber" in call.body:
        changes["phone_number"] = normal_phone_or_none(call.body.text_or_null("phoneNumber"))
    method = signin.method_of(call, RECIPE, user_id)
    before: dict[Contact, str | None] = {"email": method.email, "phone_number": method.phone_number}
    if not any(value is not None for value in {**before, **changes}.values()):
        raise bad("You cannot clear both email and phone number of a user")
    for column, value in changes.items():
        if value != before[column]:
            signin.change(call.db, call.app, method, column, value)
            for tenant_id in methods.tenants_of(call.db, call.app, method.user_id):
                for contact in (before[column], value):
                    _delete_devices(call.db, call.app, tenant_id, **{column: contact})
    return {"status": "OK"}


ENDPOINTS = (
    Endpoint("POST", "/recipe/signinup/code", "tenant", create_code, concurrent=True),
    Endpoint("POST", "/recipe/signinup/code/consume", "tenant", consume_code),
    Endpoint("POST", "/recipe/signinup/code/check", "tenant", check_code),
    Endpoint("POST", "/recipe/signinup/code/remove", "tenant", remove_code),
    Endpoint("GET", "/recipe/signinup/codes", "tenant", codes),
    Endpoint("POST", "/recipe/signinup/codes/remove", "tenant", remove_codes),
    Endpoint("GET", "/recipe/user", "tenant", get_user, rid=RECIPE),
    Endpoint("PUT", "/recipe/user", "app", put_user, rid=RECIPE),
)
