"""Who may use the dashboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Answer, Caller, email, fresh, next_millisecond
from contract.covered import covers
from contract.expectations import LATER, NOW, UUID

BASE = "/recipe/dashboard"
USER = f"{BASE}/user"
PASSWORD = "secret 123"


def made(app: Caller, address: str | None = None) -> dict[str, Any]:
    """Make a user of the dashboard."""
    user: dict[str, Any] = app.post(USER, email=address or email(), password=PASSWORD).has()["user"]
    return user


def sign_in(app: Caller, address: str, password: str = PASSWORD) -> Answer:
    """Sign in."""
    return app.post(f"{BASE}/signin", email=address, password=password)


def session(app: Caller, address: str) -> str:
    """Sign in and return the session's id."""
    return str(sign_in(app, address).has()["sessionId"])


def verify(app: Caller, session_id: str) -> Answer:
    """Ask whose session it is."""
    return app.post(f"{BASE}/session/verify", sessionId=session_id)


@covers(f"GET {BASE}/users", f"POST {USER}")
def test_users(make_app: Callable[..., Caller]) -> None:
    """They are listed in the order in which they joined, and are no users of the app."""
    app = make_app()
    app.get(f"{BASE}/users").says("OK", users=[])
    addresses = ["b@example.com", "a@example.com"]
    shown = [{"userId": UUID, "email": address, "timeJoined": NOW} for address in addresses]
    for address, user in zip(addresses, shown, strict=True):
        app.post(USER, email=f" {address.upper()} ", password=f" {PASSWORD} ").says("OK", user=user)
        app.post(USER, email=address, password=PASSWORD).says("EMAIL_ALREADY_EXISTS_ERROR")
        next_millisecond()
    app.get(f"{BASE}/users").says("OK", users=shown)
    app.get("/users").says("OK", users=[])
    sign_in(app, "a@example.com").has()
    sign_in(make_app(), "a@example.com").says("INVALID_CREDENTIALS_ERROR")


@covers(f"POST {BASE}/signin", f"POST {BASE}/session/verify", f"GET {USER}/sessions", f"DELETE {BASE}/session")
def test_sessions(app: Caller) -> None:
    """A session says whose it is until it is removed."""
    address = email()
    user = made(app, address)
    sign_in(app, f" {address.upper()}", f"{PASSWORD} ").says("OK", sessionId=UUID)
    second = session(app, address)
    for wrong in (sign_in(app, address, "wrong 123"), sign_in(app, email())):
        wrong.says("INVALID_CREDENTIALS_ERROR")
    verify(app, second).says("OK", email=address)
    verify(app, "x").says("INVALID_SESSION_ERROR")
    row = {"sessionId": UUID, "userId": user["userId"], "timeCreated": NOW, "expiry": LATER}
    both = app.get(f"{USER}/sessions", userId=user["userId"]).says("OK", sessions=[row, row])["sessions"]
    assert second in [one["sessionId"] for one in both]
    assert all(one["expiry"] == one["timeCreated"] + 30 * 24 * 3_600_000 for one in both)
    app.get(f"{USER}/sessions", userId="nobody").says("OK", sessions=[])
    for _ in range(2):
        app.delete(f"{BASE}/session", sessionId=second).says("OK")
    verify(app, second).says("INVALID_SESSION_ERROR")
    app.get(f"{USER}/sessions", userId=user["userId"]).says("OK", sessions=[row])


@covers(f"PUT {USER}")
def test_change(app: Caller) -> None:
    """Any change, even of nothing, ends the user's sessions."""
    address, other = email(), email()
    user, stranger = made(app, address), made(app)
    changes = (
        ({"userId": user["userId"], "newEmail": f" {other.upper()}"}, PASSWORD),
        ({"email": other, "newPassword": " other 1234 "}, "other 1234"),
        ({"userId": user["userId"]}, "other 1234"),
        ({"userId": user["userId"], "email": "ignored@example.com", "newPassword": PASSWORD}, PASSWORD),
    )
    own = session(app, address)
    for body, password in changes:
        app.put(USER, **body).says("OK", user={**user, "email": other})
        verify(app, own).says("INVALID_SESSION_ERROR")
        own = str(sign_in(app, other, password).has()["sessionId"])
    sign_in(app, address).says("INVALID_CREDENTIALS_ERROR")
    app.put(USER, userId=user["userId"], newEmail=stranger["email"]).says("EMAIL_ALREADY_EXISTS_ERROR")
    verify(app, own).has()
    app.put(USER, userId=user["userId"], newEmail=other).has()
    app.put(USER, userId="nobody", newEmail=email()).says("UNKNOWN_USER_ERROR")
    app.put(USER, userId="nobody").says("UNKNOWN_USER_ERROR")
    app.put(USER, email=email(), newPassword=PASSWORD).says("UNKNOWN_USER_ERROR")
    app.put(USER, newEmail=email()).refused(400, "Either field 'email' or 'userId' must be present")


@covers(f"DELETE {USER}")
def test_remove(app: Caller) -> None:
    """With a user go the sessions."""
    first, second = made(app), made(app)
    own = session(app, first["email"])
    for existed in (True, False):
        app.delete(USER, userId=first["userId"]).says("OK", didUserExist=existed)
        app.delete(USER, email=f" {second['email'].upper()}").says("OK", didUserExist=existed)
    verify(app, own).says("INVALID_SESSION_ERROR")
    sign_in(app, first["email"]).says("INVALID_CREDENTIALS_ERROR")
    app.delete(USER).refused(400, "Either field 'email' or 'userId' must be present")


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("nonsense", False),
        ("a@b", False),
        ("a@b.c", False),
        ("@example.com", False),
        ("a@-", False),
        ("a@" + "a" * 400 + ".com", False),
        ("{}@b.co", True),
        ("a b{}@example.com", True),
        ("a{}@@example.com", True),
        ("ä{}@example.com", True),
        ("{}@sub.example.museum", True),
    ],
)
def test_addresses(app: Caller, address: str, good: bool) -> None:
    """What counts as an address, for a new user and for one who is there."""
    address = address.format(fresh("x"))
    answer = app.post(USER, email=address, password=PASSWORD)
    if good:
        answer.says("OK", user={"userId": UUID, "email": address, "timeJoined": NOW})
    else:
        answer.says("INVALID_EMAIL_ERROR")
        app.put(USER, userId=made(app)["userId"], newEmail=address).says("INVALID_EMAIL_ERROR")


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("a1", "Password must contain at least 8 characters, including a number"),
        ("   a1   ", "Password must contain at least 8 characters, including a number"),
        ("a1" * 50, "Password's length must be lesser than 100 characters"),
        ("1234567890", "Password must contain at least one alphabet"),
        ("éééééééé1", "Password must contain at least one alphabet"),
        ("abcdefghij", "Password must contain at least one number"),
        ("abcdefg1", None),
        ("a1" * 49 + "b", None),
    ],
)
def test_passwords(app: Caller, password: str, message: str | None) -> None:
    """What counts as a password, for a new user and for one who is there."""
    user = made(app)
    answers = (
        app.post(USER, email=email(), password=password),
        app.put(USER, userId=user["userId"], newPassword=password),
    )
    for answer in answers:
        if message is None:
            answer.has()
        else:
            answer.says("PASSWORD_WEAK_ERROR", message=message)


def test_fields(app: Caller, tenant: Caller) -> None:
    """Fields that are missing or blank are named, and all of this belongs to the app."""
    blank = "Field name '{}' cannot be an empty String"
    body = {"email": email(), "password": PASSWORD}
    for path in (USER, f"{BASE}/signin"):
        for name in body:
            app.post(path, **{**body, name: None}).refused(400, f"Field name '{name}' is invalid in JSON input")
            app.post(path, **{**body, name: " "}).refused(400, blank.format(name))
        tenant.post(path, **body).refused(403, "Only public tenantId can call this app specific API")
    for name in ("userId", "newEmail", "newPassword"):
        given = {"userId": "nobody", name: ""}
        app.put(USER, **given).refused(400, blank.format(name))
    app.post(f"{BASE}/session/verify", sessionId="").refused(400, blank.format("sessionId"))
    app.delete(f"{BASE}/session", sessionId="").refused(400, blank.format("sessionId"))
    app.delete(USER, userId=" ").refused(400, blank.format("userId"))
    app.get(f"{USER}/sessions", userId=" ").refused(400, blank.format("userId"))
    app.get(f"{USER}/sessions").refused(400, "Field name 'userId' is missing in GET request")
    tenant.get(f"{BASE}/users").refused(403, "Only public tenantId can call this app specific API")
