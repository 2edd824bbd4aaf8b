"""Signing in with a code or a link."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Answer, Caller, email, fresh
from contract.covered import covers
from contract.expectations import NOW, TEXT, UUID, AnyOrder
from contract.logins import by_code, clicked, code, consume, phone, typed, user

CODE = "/recipe/signinup/code"
CODES = "/recipe/signinup/codes"
RESTART = "RESTART_FLOW_ERROR"


def devices(app: Caller, **by: str) -> list[dict[str, Any]]:
    """Return the devices with their codes."""
    found: list[dict[str, Any]] = app.get(CODES, **by).has()["devices"]
    return found


def put(app: Caller, user_id: str, **changes: str | None) -> Answer:
    """Change the email or phone number of a user of the recipe."""
    return app.call("PUT", "/recipe/user", {"recipeUserId": user_id, **changes}, headers={"rid": "passwordless"})


@covers(f"POST {CODE}", f"POST {CODE}/consume")
@pytest.mark.parametrize("kind", ["email", "phoneNumber"])
def test_sign_up_and_in(app: Caller, kind: str) -> None:
    """A code signs up once and in afterwards, typed in or clicked."""
    contact = {kind: email() if kind == "email" else phone()}
    first = app.post(CODE, **contact).says(
        "OK",
        preAuthSessionId=TEXT,
        codeId=UUID,
        deviceId=TEXT,
        userInputCode=TEXT,
        linkCode=TEXT,
        timeCreated=NOW,
        codeLifetime=900_000,
    )
    method = {
        "tenantIds": ["public"],
        "recipeUserId": UUID,
        "verified": True,
        "timeJoined": NOW,
        "recipeId": "passwordless",
        **contact,
    }
    new = {
        "id": UUID,
        "isPrimaryUser": False,
        "tenantIds": ["public"],
        "timeJoined": NOW,
        "emails": [contact["email"]] if kind == "email" else [],
        "phoneNumbers": [contact["phoneNumber"]] if kind == "phoneNumber" else [],
        "thirdParty": [],
        "webauthn": {"credentialIds": []},
        "loginMethods": [method],
    }
    consumed = {"preAuthSessionId": first["preAuthSessionId"], "failedCodeInputAttemptCount": 0, **contact}
    up = consume(app, typed(first)).says(
        "OK", createdNewUser=True, user=new, recipeUserId=UUID, consumedDevice=consumed
    )
    second = code(app, **contact)
    consume(app, clicked(second)).says(
        "OK",
        createdNewUser=False,
        user=up["user"],
        recipeUserId=up["recipeUserId"],
        consumedDevice={**consumed, "preAuthSessionId": second["preAuthSessionId"]},
    )


def test_a_code_is_used_once(app: Caller) -> None:
    """With it every other attempt for the same contact is over."""
    address = email()
    first, second = code(app, email=address), code(app, email=address)
    consume(app, typed(first)).has()
    for attempt in (typed(first), clicked(first), typed(second), clicked(second)):
        consume(app, attempt).says(RESTART)


def test_more_codes_of_one_device(app: Caller) -> None:
    """A device has as many codes as it asks for, each of them good; a chosen one cannot be asked for again."""
    address = email()
    first = code(app, email=address)
    more = app.post(CODE, deviceId=first["deviceId"], userInputCode="my code").has(
        userInputCode="my code", preAuthSessionId=first["preAuthSessionId"], deviceId=first["deviceId"]
    )
    app.post(CODE, deviceId=first["deviceId"], userInputCode="my code").says("USER_INPUT_CODE_ALREADY_USED_ERROR")
    assert more["linkCode"] != first["linkCode"]
    consume(app, {**typed(first), "userInputCode": "my code"}).has(createdNewUser=True)
    app.post(CODE, deviceId=first["deviceId"]).says(RESTART)


def test_wrong_codes(make_app: Callable[..., Caller]) -> None:
    """Wrong codes are counted; with the last one allowed the device is gone, and so is its right code."""
    app = make_app(passwordless_max_code_input_attempts=3)
    made = code(app, email=email())
    for failed in (1, 2):
        consume(app, typed(made, "wrong")).says(
            "INCORRECT_USER_INPUT_CODE_ERROR", failedCodeInputAttemptCount=failed, maximumCodeInputAttempts=3
        )
    [device] = devices(app, deviceId=made["deviceId"])
    assert device["failedCodeInputAttemptCount"] == 2
    consume(app, typed(made, "wrong")).says(RESTART)
    consume(app, typed(made)).says(RESTART)
    assert devices(app, deviceId=made["deviceId"]) == []


@covers(f"POST {CODE}/check")
def test_check(app: Caller) -> None:
    """A check answers like a sign-in, counts what is wrong, and uses nothing up."""
    address = email()
    made = code(app, email=address)
    check = f"{CODE}/check"
    shown = {"preAuthSessionId": made["preAuthSessionId"], "email": address, "failedCodeInputAttemptCount": 0}
    for attempt in (typed(made), clicked(made)):
        app.post(check, **attempt).says("OK", consumedDevice=shown)
    app.post(check, **typed(made, "wrong")).says(
        "INCORRECT_USER_INPUT_CODE_ERROR", failedCodeInputAttemptCount=1, maximumCodeInputAttempts=5
    )
    app.get("/users/by-accountinfo", email=address, doUnionOfAccountInfo="true").says("OK", users=[])
    consume(app, typed(made)).has(consumedDevice={**shown, "failedCodeInputAttemptCount": 1})


def test_lifetime(make_app: Callable[..., Caller]) -> None:
    """A code that is too old is no code any more, and typing it in counts as a failed attempt."""
    app = make_app(passwordless_code_lifetime=1)
    made = code(app, email=email())
    while devices(app, deviceId=made["deviceId"])[0]["codes"][0]["timeCreated"] + 1 >= now(app):
        pass
    consume(app, clicked(made)).says(RESTART)
    consume(app, typed(made)).says(
        "EXPIRED_USER_INPUT_CODE_ERROR", failedCodeInputAttemptCount=1, maximumCodeInputAttempts=5
    )


def now(app: Caller) -> int:
    """Return the core's time in milliseconds."""
    return int(code(app, email=email())["timeCreated"])


@pytest.mark.parametrize("path", ["consume", "check"])
def test_fields_of_an_attempt(app: Caller, path: str) -> None:
    """A link code, or a device's id with a code, and for both the session that it belongs to."""

    def attempt(**body: str) -> Answer:
        return app.post(f"{CODE}/{path}", **body)

    made, other = code(app, email=email()), code(app, email=email())
    either = "Please provide exactly one of linkCode or deviceId+userInputCode"
    session = made["preAuthSessionId"]
    attempt(preAuthSessionId=session).refused(400, either)
    attempt(preAuthSessionId=session, deviceId="x").refused(400, either)
    attempt(**typed(made), linkCode="x").refused(400, either)
    attempt(linkCode="x").refused(400, "Field name 'preAuthSessionId' is invalid in JSON input")
    for spelled in ("?", "+A", "AB==CD"):
        attempt(preAuthSessionId=session, linkCode=spelled).refused(400, "Input encoding error in linkCode")
    attempt(preAuthSessionId=session, deviceId="?", userInputCode="x").refused(400, "Input encoding error in deviceId")
    attempt(preAuthSessionId=session, linkCode="abcd").says(RESTART)
    unknown = base64.b64encode(b"unknown").decode()
    attempt(preAuthSessionId=session, deviceId=unknown, userInputCode="x").says(RESTART)
    mismatch = "preAuthSessionId and deviceId doesn't match"
    attempt(**{**typed(made), "preAuthSessionId": other["preAuthSessionId"]}).refused(400, mismatch)
    attempt(**{**clicked(made), "preAuthSessionId": other["preAuthSessionId"]}).refused(400, mismatch)
    # Padding is no part of what is encoded.
    attempt(preAuthSessionId=f"{session}=", linkCode=f"{made['linkCode']}=").has()


def test_fields_of_a_code(app: Caller) -> None:
    """One contact or device, and a code of one's own that is not empty."""
    one = "Please provide exactly one of email, phoneNumber or deviceId"
    app.post(CODE).refused(400, one)
    app.post(CODE, email=email(), phoneNumber=phone()).refused(400, one)
    app.post(CODE, email=email(), userInputCode="").refused(400, "userInputCode cannot be an empty string.")
    app.post(CODE, deviceId="?").refused(400, "Input encoding error in deviceId")
    app.post(CODE, deviceId="abcd").says(RESTART)


@covers(f"GET {CODES}")
def test_codes(app: Caller, tenant: Caller) -> None:
    """Devices are found by contact, by their id, and by the session that they belong to, in their tenant."""
    address = email()
    first = code(app, email=address)
    second = code(app, deviceId=first["deviceId"])
    other = code(app, email=f" {address.upper()}")

    def shown(*made: dict[str, Any]) -> dict[str, Any]:
        return {
            "preAuthSessionId": made[0]["preAuthSessionId"],
            "failedCodeInputAttemptCount": 0,
            "email": address,
            "codes": AnyOrder(
                *({name: one[name] for name in ("codeId", "timeCreated", "codeLifetime")} for one in made)
            ),
        }

    app.get(CODES, email=f"{address.upper()} ").says("OK", devices=AnyOrder(shown(first, second), shown(other)))
    app.get(CODES, deviceId=first["deviceId"]).says("OK", devices=[shown(first, second)])
    app.get(CODES, preAuthSessionId=other["preAuthSessionId"]).says("OK", devices=[shown(other)])
    tenant.get(CODES, email=address).says("OK", devices=[])
    one = "Please provide exactly one of email, phoneNumber, deviceId or preAuthSessionId"
    app.get(CODES).refused(400, one)
    app.get(CODES, email=address, deviceId=first["deviceId"]).refused(400, one)
    app.get(CODES, deviceId="?").refused(400, "Input encoding error in deviceId")


@covers(f"POST {CODE}/remove", f"POST {CODES}/remove")
def test_removing_codes(app: Caller) -> None:
    """A code goes alone, or with its device when it was the last one; devices go alone or by contact."""
    address, number = email(), phone()
    first = code(app, email=address)
    second = code(app, deviceId=first["deviceId"])
    app.post(f"{CODE}/remove", codeId=first["codeId"]).says("OK")
    consume(app, clicked(first)).says(RESTART)
    assert [one["codeId"] for one in devices(app, email=address)[0]["codes"]] == [second["codeId"]]
    app.post(f"{CODE}/remove", codeId=second["codeId"]).says("OK")
    assert devices(app, email=address) == []
    third = code(app, phoneNumber=number)
    app.post(f"{CODE}/remove", preAuthSessionId=third["preAuthSessionId"]).says("OK")
    assert devices(app, phoneNumber=number) == []
    for name, value in (("email", address), ("phoneNumber", number)):
        for _ in range(2):
            code(app, **{name: value})
        app.post(f"{CODES}/remove", **{name: value}).says("OK")
        assert devices(app, **{name: value}) == []
    app.post(f"{CODE}/remove", codeId="unknown").says("OK")
    app.post(f"{CODE}/remove").refused(400, "Please provide either 'codeId' or 'preAuthSessionId'")
    app.post(f"{CODE}/remove", codeId="x", preAuthSessionId="x").refused(
        400, "Please provide only one of 'codeId' or 'preAuthSessionId'"
    )
    for body in ({}, {"email": address, "phoneNumber": number}):
        app.post(f"{CODES}/remove", **body).refused(400, "Please provide exactly one of email or phoneNumber")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" +1 (650) 253-0000", "+16502530000"),
        ("tel:+1-650-253-0000;ext=3", "+16502530000"),
        ("+44 020 7946 0958", "+442079460958"),
        ("+1-800-FLOWERS", "+18003569377"),
        ("06701234567", "06701234567"),
        (" not a phone ", "not a phone"),
        ("+12", "+12"),
    ],
)
def test_phone_numbers(make_app: Callable[..., Caller], written: str, kept: str) -> None:
    """However it is written, a number with its country is one number; anything else is itself."""
    app = make_app()
    user_id = by_code(app, phoneNumber=written)
    assert user(app, user_id)["phoneNumbers"] == [kept]
    assert by_code(app, phoneNumber=kept) == user_id
    found = app.get("/users/by-accountinfo", phoneNumber=written, doUnionOfAccountInfo="true").has()["users"]
    assert [one["id"] for one in found] == [user_id]


def test_changing_a_user(app: Caller) -> None:
    """Either contact can be changed or cleared, but one must be left; open attempts for both are over."""
    address, number, changed = email(), phone(), email()
    user_id = by_code(app, email=address)
    put(app, user_id, phoneNumber=number).says("OK")
    assert (user(app, user_id)["emails"], user(app, user_id)["phoneNumbers"]) == ([address], [number])
    open_attempts = [code(app, email=address), code(app, email=changed)]
    put(app, user_id, email=changed).says("OK")
    for made in open_attempts:
        consume(app, clicked(made)).says(RESTART)
    put(app, user_id, email=None).says("OK")
    both = "You cannot clear both email and phone number of a user"
    put(app, user_id, phoneNumber=None).refused(400, both)
    put(app, user_id, email=None, phoneNumber=None).refused(400, both)
    put(app, user_id, email=address, phoneNumber=None).says("OK")
    put(app, user_id).says("OK")
    put(app, "nobody", email=address).says("UNKNOWN_USER_ID_ERROR")


def test_what_another_user_has_is_not_taken(app: Caller) -> None:
    """And then nothing is changed at all."""
    address, number = email(), phone()
    by_code(app, email=address)
    by_code(app, phoneNumber=number)
    user_id = by_code(app, email=email())
    before = user(app, user_id)
    put(app, user_id, email=address).says("EMAIL_ALREADY_EXISTS_ERROR")
    put(app, user_id, email=email(), phoneNumber=number).says("PHONE_NUMBER_ALREADY_EXISTS_ERROR")
    assert user(app, user_id) == before


def test_a_user_with_both_contacts(app: Caller) -> None:
    """They sign in with either, and attempts for the other are over then."""
    address, number = email(), phone()
    user_id = by_code(app, email=address)
    put(app, user_id, phoneNumber=number).says("OK")
    by_email = code(app, email=address)
    consume(app, clicked(code(app, phoneNumber=number))).has(createdNewUser=False, recipeUserId=user_id)
    consume(app, clicked(by_email)).says(RESTART)


def test_get_user(app: Caller, tenant: Caller) -> None:
    """The deprecated look-up by id or, in a tenant, by contact."""

    def get(place: Caller, **params: str) -> Answer:
        return place.call("GET", "/recipe/user", params=params, headers={"rid": "passwordless"})

    address, number = email(), phone()
    by_email, by_phone = by_code(app, email=address), by_code(app, phoneNumber=number)
    get(app, userId=by_email).says("OK", user=user(app, by_email))
    get(app, email=f" {address.upper()}").says("OK", user=user(app, by_email))
    get(app, phoneNumber=number).says("OK", user=user(app, by_phone))
    get(app, userId="nobody").says("UNKNOWN_USER_ID_ERROR")
    get(tenant, email=address).says("UNKNOWN_EMAIL_ERROR")
    get(tenant, phoneNumber=number).says("UNKNOWN_PHONE_NUMBER_ERROR")
    get(app, email=address, phoneNumber=number).refused(
        400, "Please provide exactly one of userId, email or phoneNumber"
    )


def test_switched_off(app: Caller) -> None:
    """Older clients are kept out of a tenant without the recipe."""
    tenant_id = fresh("tenant")
    app.put("/recipe/multitenancy/tenant", tenantId=tenant_id, emailPasswordEnabled=True).has()
    tenant = app.below(tenant_id)
    made = code(tenant, email=email())
    old = Caller(tenant.wire, headers={**tenant.headers, "cdi-version": "5.0"}, prefix=tenant.prefix)
    text = "Passwordless login not enabled for tenant"
    old.post(CODE, email=email()).refused(403, text)
    old.post(f"{CODE}/consume", **clicked(made)).refused(403, text)
    old.post(f"{CODE}/check", **clicked(made)).refused(403, text)
