"""Sessions: creating, refreshing, verifying, changing, removing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Caller, fresh
from contract.covered import covers
from contract.expectations import JWT, LATER, NOW, REFRESH_TOKEN, UUID, AnyOrder, Some

CREATED = {"token": JWT, "expiry": LATER, "createdTime": NOW}
REFRESH = {"token": REFRESH_TOKEN, "expiry": LATER, "createdTime": NOW}
GONE = "Session does not exist."


def create(app: Caller, user_id: str, **more: Any) -> dict[str, Any]:
    """Create a session and return the answer."""
    body = {"userId": user_id, "enableAntiCsrf": False, "userDataInJWT": {}, "userDataInDatabase": {}, **more}
    answer = app.post("/recipe/session", **body)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.body
    return found


def refresh(app: Caller, token: str, **more: Any) -> Any:
    """Refresh and return the answer."""
    body = {"refreshToken": token, "enableAntiCsrf": False, "useDynamicSigningKey": True, **more}
    return app.post("/recipe/session/refresh", **body)


def verify(app: Caller, token: str, **more: Any) -> Any:
    """Verify and return the answer."""
    body = {"accessToken": token, "enableAntiCsrf": False, "doAntiCsrfCheck": False, "checkDatabase": True, **more}
    return app.post("/recipe/session/verify", **body)


def claims(token: str) -> dict[str, Any]:
    """Return the payload of a JWT."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def header(token: str) -> dict[str, Any]:
    """Return the header of a JWT."""
    part = token.split(".", maxsplit=1)[0]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@covers("POST /recipe/session")
def test_create(app: Caller) -> None:
    """A new session has a handle, both tokens, and the payload as it was given."""
    user_id = fresh("user")
    app.post(
        "/recipe/session",
        userId=user_id,
        enableAntiCsrf=False,
        userDataInJWT={"name": "Zoë", "nested": {"a": [1, None]}},
        userDataInDatabase={"b": 1},
    ).says(
        "OK",
        session={
            "handle": UUID,
            "userId": user_id,
            "recipeUserId": user_id,
            "userDataInJWT": {"name": "Zoë", "nested": {"a": [1, None]}},
            "tenantId": "public",
        },
        accessToken=CREATED,
        refreshToken=REFRESH,
    )


def test_access_token(app: Caller) -> None:
    """The access token is a JWT of version 5 with the core's claims and the user's at the root."""
    user_id = fresh("user")
    answer = create(app, user_id, userDataInJWT={"a": 1}, enableAntiCsrf=True)
    token = answer["accessToken"]["token"]
    assert header(token)["version"] == "5"
    assert header(token)["alg"] == "RS256"
    assert header(token)["typ"] == "JWT"
    assert header(token)["kid"].startswith("d-")
    found = claims(token)
    assert {name for name in found if name != "a"} == {
        "sub",
        "rsub",
        "tId",
        "iat",
        "exp",
        "sessionHandle",
        "refreshTokenHash1",
        "parentRefreshTokenHash1",
        "antiCsrfToken",
    }
    assert (found["sub"], found["rsub"], found["tId"], found["a"]) == (user_id, user_id, "public", 1)
    assert found["parentRefreshTokenHash1"] is None
    assert found["antiCsrfToken"] == answer["antiCsrfToken"]
    assert answer["accessToken"]["expiry"] == found["exp"] * 1000
    assert answer["accessToken"]["createdTime"] == found["iat"] * 1000


def test_static_key(app: Caller) -> None:
    """A session may use the key that never changes, and keeps to it."""
    answer = create(app, fresh("user"), useDynamicSigningKey=False)
    assert header(answer["accessToken"]["token"])["kid"].startswith("s-")
    again = refresh(app, answer["refreshToken"]["token"], useDynamicSigningKey=False).body
    assert header(again["accessToken"]["token"])["kid"].startswith("s-")
    verified = verify(app, again["accessToken"]["token"]).body
    assert header(verified["accessToken"]["token"])["kid"].startswith("s-")


def test_lifetimes(make_app: Callable[..., Caller]) -> None:
    """The app's settings decide how long tokens live (seconds, and minutes); a jitter of 5 % is allowed for."""
    app = make_app(access_token_validity=100, refresh_token_validity=7)
    answer = create(app, fresh("user"))
    access, refreshing = answer["accessToken"], answer["refreshToken"]
    assert 94_000 <= access["expiry"] - access["createdTime"] <= 101_000
    assert refreshing["expiry"] - refreshing["createdTime"] == 7 * 60_000


@pytest.mark.parametrize("claim", ["sub", "iat", "exp", "sessionHandle", "rsub", "tId", "antiCsrfToken"])
def test_protected_claims(app: Caller, claim: str) -> None:
    """What the core says in a token, the user's payload may not say."""
    body: dict[str, Any] = {"userId": "u", "enableAntiCsrf": False, "userDataInDatabase": {}}
    text = "The user payload contains protected field"
    app.post("/recipe/session", **body, userDataInJWT={claim: "x"}).refused(400, text)
    handle = create(app, fresh("user"))["session"]["handle"]
    app.put("/recipe/jwt/data", sessionHandle=handle, userDataInJWT={claim: "x"}).refused(400, text)


def test_session_of_a_tenant(tenant: Caller, app: Caller) -> None:
    """A session of another tenant says so in its handle, and is found without naming the tenant."""
    tenant_id = tenant.prefix.rpartition("/")[2]
    answer = create(tenant, fresh("user"))
    handle = answer["session"]["handle"]
    assert handle.endswith(f"_{tenant_id}")
    assert answer["session"]["tenantId"] == claims(answer["accessToken"]["token"])["tId"] == tenant_id
    app.get("/recipe/session", sessionHandle=handle).has(tenantId=tenant_id)
    again = refresh(app, answer["refreshToken"]["token"]).has(session=Some("session", bool))
    assert again["session"]["tenantId"] == tenant_id
    verify(app, again["accessToken"]["token"]).has(accessToken=CREATED)


@covers("GET /recipe/session")
def test_get(app: Caller) -> None:
    """A session can be read by its handle."""
    user_id = fresh("user")
    handle = create(app, user_id, userDataInJWT={"a": None}, userDataInDatabase={"b": {"c": None}})["session"]["handle"]
    app.get("/recipe/session", sessionHandle=handle).says(
        "OK",
        sessionHandle=handle,
        userId=user_id,
        recipeUserId=user_id,
        userDataInJWT={"a": None},
        userDataInDatabase={"b": {"c": None}},
        expiry=LATER,
        timeCreated=NOW,
        tenantId="public",
    )
    app.get("/recipe/session", sessionHandle="ghost").says("UNAUTHORISED", message=GONE)
    app.get("/recipe/session").refused(400, "Field name 'sessionHandle' is missing in GET request")


@covers("POST /recipe/session/refresh")
def test_refresh(app: Caller) -> None:
    """A refresh gives new tokens for the same session."""
    user_id = fresh("user")
    first = create(app, user_id, userDataInJWT={"a": 1})
    second = refresh(app, first["refreshToken"]["token"]).says(
        "OK", session=first["session"], accessToken=CREATED, refreshToken=REFRESH
    )
    assert second["refreshToken"]["token"] != first["refreshToken"]["token"]


def test_a_lost_answer_signs_nobody_out(app: Caller) -> None:
    """The parent may be used again and again until one of its children was."""
    parent = create(app, fresh("user"))["refreshToken"]["token"]
    children = [refresh(app, parent).has(refreshToken=REFRESH)["refreshToken"]["token"] for _ in range(3)]
    assert len(set(children)) == 3
    grandchild = refresh(app, children[1]).has(refreshToken=REFRESH)["refreshToken"]["token"]
    refresh(app, grandchild).has(refreshToken=REFRESH)


def test_theft_by_refresh(app: Caller) -> None:
    """Once a child was used, its parent and its siblings are stolen; the core says so and revokes nothing."""
    user_id = fresh("user")
    session = create(app, user_id)
    parent = session["refreshToken"]["token"]
    sibling = refresh(app, parent).body["refreshToken"]["token"]
    child = refresh(app, parent).body["refreshToken"]["token"]
    refresh(app, child).has(refreshToken=REFRESH)
    theft = {
        "session": {"handle": session["session"]["handle"], "userId": user_id, "recipeUserId": user_id},
    }
    refresh(app, parent).says("TOKEN_THEFT_DETECTED", **theft)
    refresh(app, sibling).says("TOKEN_THEFT_DETECTED", **theft)
    refresh(app, child).has(refreshToken=REFRESH)


def test_theft_by_verification(app: Caller) -> None:
    """The first use of the new access token settles a refresh as well."""
    session = create(app, fresh("user"))
    parent = session["refreshToken"]["token"]
    child = refresh(app, parent).body
    verify(app, child["accessToken"]["token"], checkDatabase=False).has(accessToken=CREATED)
    assert refresh(app, parent).body["status"] == "TOKEN_THEFT_DETECTED"
    refresh(app, child["refreshToken"]["token"]).has(refreshToken=REFRESH)


@pytest.mark.parametrize("token", ["", "x", "a.b.V2", "a.b.c", "..", "é.b.V2", "YWJj.YWJj.V2", "a" * 5000])
def test_tokens_that_are_none(app: Caller, token: str) -> None:
    """A malformed refresh token is unauthorised, never an error."""
    body = refresh(app, token).body
    assert body["status"] == "UNAUTHORISED"
    assert body["message"]


def test_a_changed_refresh_token(app: Caller) -> None:
    """Changing any part of a refresh token makes it worthless."""
    token = create(app, fresh("user"))["refreshToken"]["token"]
    box, nonce, version = token.split(".")
    other = "A" if box[20] != "A" else "B"
    for changed in (f"{box[:20]}{other}{box[21:]}.{nonce}.{version}", f"{box}.{nonce}.V9"):
        assert refresh(app, changed).body["status"] == "UNAUTHORISED"


def test_refresh_of_a_removed_session(app: Caller) -> None:
    """A removed session cannot be refreshed."""
    session = create(app, fresh("user"))
    app.post("/recipe/session/remove", sessionHandles=[session["session"]["handle"]]).has()
    refresh(app, session["refreshToken"]["token"]).says("UNAUTHORISED", message="Session missing in db or has expired")


def test_refresh_fields(app: Caller) -> None:
    """useDynamicSigningKey must be said."""
    app.post("/recipe/session/refresh", refreshToken="x", enableAntiCsrf=False).refused(
        400, "Field name 'useDynamicSigningKey' is invalid in JSON input"
    )


def test_anti_csrf(app: Caller) -> None:
    """With anti-CSRF on, refresh and verification ask for the value of the token at hand."""
    session = create(app, fresh("user"), enableAntiCsrf=True)
    csrf, token = session["antiCsrfToken"], session["refreshToken"]["token"]
    refused = "Anti CSRF token missing, or not matching"
    refresh(app, token, enableAntiCsrf=True).says("UNAUTHORISED", message=refused)
    refresh(app, token, enableAntiCsrf=True, antiCsrfToken="x").says("UNAUTHORISED", message=refused)
    after = refresh(app, token, enableAntiCsrf=True, antiCsrfToken=csrf).has(antiCsrfToken=UUID)
    assert after["antiCsrfToken"] != csrf
    asked = {"enableAntiCsrf": True, "doAntiCsrfCheck": True, "checkDatabase": False}
    access = session["accessToken"]["token"]
    verify(app, access, **asked, antiCsrfToken=csrf).has()
    verify(app, access, **asked).says("TRY_REFRESH_TOKEN", message="anti-csrf check failed")
    verify(app, access, **asked, antiCsrfToken="x").says("TRY_REFRESH_TOKEN", message="anti-csrf check failed")
    verify(app, access, **{**asked, "doAntiCsrfCheck": False}).has()
    without = create(app, fresh("user"))["accessToken"]["token"]
    assert verify(app, without, **asked, antiCsrfToken="x").body["status"] == "TRY_REFRESH_TOKEN"


@covers("POST /recipe/session/verify")
def test_verify(app: Caller) -> None:
    """A fresh token verifies without a new one."""
    session = create(app, fresh("user"), userDataInJWT={"a": 1})
    for check_database in (True, False):
        verify(app, session["accessToken"]["token"], checkDatabase=check_database).says(
            "OK", session=session["session"]
        )
    app.post("/recipe/session/verify", accessToken="x", enableAntiCsrf=False, doAntiCsrfCheck=False).refused(
        400, "Field name 'checkDatabase' is invalid in JSON input"
    )


def test_verify_after_a_refresh(app: Caller) -> None:
    """A token from a refresh is replaced at its first use, by one that needs no replacing."""
    session = create(app, fresh("user"))
    child = refresh(app, session["refreshToken"]["token"]).body["accessToken"]["token"]
    assert claims(child)["parentRefreshTokenHash1"] is not None
    settled = verify(app, child).has(accessToken=CREATED)["accessToken"]["token"]
    assert claims(settled)["parentRefreshTokenHash1"] is None
    verify(app, settled).says("OK", session=session["session"])
    verify(app, child).has(accessToken=CREATED)


def test_an_old_sibling_still_verifies(app: Caller) -> None:
    """Verification is lenient with a token whose refresh lost the race."""
    session = create(app, fresh("user"))
    first = refresh(app, session["refreshToken"]["token"]).body["accessToken"]["token"]
    second = refresh(app, session["refreshToken"]["token"]).body["accessToken"]["token"]
    verify(app, second).has(accessToken=CREATED)
    verify(app, first).says("OK", session=session["session"])


def test_verify_tells_of_a_new_payload(app: Caller) -> None:
    """With the database asked, a changed payload comes as a new token; without, the token stands for itself."""
    session = create(app, fresh("user"), userDataInJWT={"a": 1})
    token = session["accessToken"]["token"]
    app.put("/recipe/jwt/data", sessionHandle=session["session"]["handle"], userDataInJWT={"a": 2}).says("OK")
    verify(app, token, checkDatabase=False).says("OK", session=session["session"])
    answer = verify(app, token).says(
        "OK", session={**session["session"], "userDataInJWT": {"a": 2}}, accessToken=CREATED
    )
    assert claims(answer["accessToken"]["token"])["a"] == 2


def test_verify_a_removed_session(app: Caller) -> None:
    """A removed session fails where the database is asked, and only there."""
    session = create(app, fresh("user"))
    app.post("/recipe/session/remove", sessionHandles=[session["session"]["handle"]]).has()
    token = session["accessToken"]["token"]
    verify(app, token, checkDatabase=False).has()
    verify(app, token).says("UNAUTHORISED", message="Either the session has ended or has been blacklisted")
    other = create(app, fresh("user"))
    child = refresh(app, other["refreshToken"]["token"]).body["accessToken"]["token"]
    app.post("/recipe/session/remove", sessionHandles=[other["session"]["handle"]]).has()
    verify(app, child, checkDatabase=False).says("UNAUTHORISED", message="Session missing in db")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "é.é.é"])
def test_verify_what_is_no_token(app: Caller, token: str) -> None:
    """A malformed access token asks for a refresh, never an error."""
    assert verify(app, token).body["status"] == "TRY_REFRESH_TOKEN"


def test_verify_a_forged_token(app: Caller, make_app: Callable[..., Caller]) -> None:
    """A changed payload, and a token of another app, are not accepted."""
    token = create(app, fresh("user"))["accessToken"]["token"]
    head, _, signature = token.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({**claims(token), "sub": "root"}).encode()).decode().rstrip("=")
    assert verify(app, f"{head}.{forged}.{signature}").body["status"] == "TRY_REFRESH_TOKEN"
    assert verify(make_app(), token).body["status"] == "TRY_REFRESH_TOKEN"


@covers("POST /recipe/session/regenerate")
def test_regenerate(app: Caller) -> None:
    """Another payload, everything else kept."""
    session = create(app, fresh("user"), userDataInJWT={"a": 1})
    token = session["accessToken"]["token"]
    answer = app.post("/recipe/session/regenerate", accessToken=token, userDataInJWT={"b": 2}).says(
        "OK", session={**session["session"], "userDataInJWT": {"b": 2}}, accessToken=CREATED
    )
    before, after = claims(token), claims(answer["accessToken"]["token"])
    kept = set(before) - {"a", "iat"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (after["b"], "a" in after) == (2, False)
    app.get("/recipe/session", sessionHandle=session["session"]["handle"]).has(userDataInJWT={"b": 2})
    app.post("/recipe/session/regenerate", accessToken=token).has(
        session={**session["session"], "userDataInJWT": {"b": 2}}
    )


def test_regenerate_needs_a_session(app: Caller) -> None:
    """Neither a removed session nor a text that is no token can be regenerated."""
    session = create(app, fresh("user"))
    app.post("/recipe/session/remove", sessionHandles=[session["session"]["handle"]]).has()
    app.post("/recipe/session/regenerate", accessToken=session["accessToken"]["token"]).says(
        "UNAUTHORISED", message=GONE
    )


@covers("PUT /recipe/session/data", "GET /recipe/session/data")
def test_session_data(app: Caller) -> None:
    """The data in the database are replaced as a whole."""
    handle = create(app, fresh("user"), userDataInDatabase={"a": 1})["session"]["handle"]
    app.get("/recipe/session/data", sessionHandle=handle).says("OK", userDataInDatabase={"a": 1})
    app.put("/recipe/session/data", sessionHandle=handle, userDataInDatabase={"b": None}).says("OK")
    app.get("/recipe/session", sessionHandle=handle).has(userDataInDatabase={"b": None})
    for answer in (
        app.put("/recipe/session/data", sessionHandle="ghost", userDataInDatabase={}),
        app.get("/recipe/session/data", sessionHandle="ghost"),
    ):
        answer.says("UNAUTHORISED", message=GONE)


@covers("PUT /recipe/jwt/data", "GET /recipe/jwt/data")
def test_payload(app: Caller) -> None:
    """The payload of later tokens is replaced as a whole."""
    session = create(app, fresh("user"), userDataInJWT={"a": 1})
    handle = session["session"]["handle"]
    app.put("/recipe/jwt/data", sessionHandle=handle, userDataInJWT={"b": 2}).says("OK")
    app.get("/recipe/jwt/data", sessionHandle=handle).says("OK", userDataInJWT={"b": 2})
    after = refresh(app, session["refreshToken"]["token"]).body["accessToken"]["token"]
    assert (claims(after)["b"], "a" in claims(after)) == (2, False)
    app.put("/recipe/jwt/data", sessionHandle="ghost", userDataInJWT={}).says("UNAUTHORISED", message=GONE)
    app.get("/recipe/jwt/data", sessionHandle="ghost").says("UNAUTHORISED", message=GONE)


@covers("GET /recipe/session/user", "POST /recipe/session/remove")
def test_sessions_of_a_user(app: Caller, tenant: Caller) -> None:
    """A user's sessions are listed and removed, in one tenant or in all."""
    user_id = fresh("user")
    here = [create(app, user_id)["session"]["handle"] for _ in range(2)]
    there = create(tenant, user_id)["session"]["handle"]
    app.get("/recipe/session/user", userId=user_id).says("OK", sessionHandles=AnyOrder(*here, there))
    tenant.get("/recipe/session/user", userId=user_id, fetchAcrossAllTenants="false").says("OK", sessionHandles=[there])
    tenant.get("/recipe/session/user", userId=user_id).refused(
        403, "Only public tenantId can call this app specific API"
    )
    tenant.post("/recipe/session/remove", userId=user_id, revokeAcrossAllTenants=False).says(
        "OK", sessionHandlesRevoked=[there]
    )
    app.post("/recipe/session/remove", userId=user_id).says("OK", sessionHandlesRevoked=AnyOrder(*here))
    app.get("/recipe/session/user", userId=user_id).says("OK", sessionHandles=[])
    app.post("/recipe/session/remove", userId=user_id).says("OK", sessionHandlesRevoked=[])


def test_remove_by_handle(app: Caller, tenant: Caller) -> None:
    """Only what was there is reported, whatever tenant it was in."""
    first, second = create(app, fresh("user"))["session"]["handle"], create(tenant, fresh("user"))["session"]["handle"]
    app.post("/recipe/session/remove", sessionHandles=[first, "ghost", second, first]).says(
        "OK", sessionHandlesRevoked=AnyOrder(first, second, first)
    )
    app.post("/recipe/session/remove", sessionHandles=[first]).says("OK", sessionHandlesRevoked=[])
    app.post("/recipe/session/remove", sessionHandles=[]).says("OK", sessionHandlesRevoked=[])


def test_remove_fields(app: Caller) -> None:
    """Exactly one of user and handles; what is about users only goes with a user."""
    one_of = "Invalid JSON input - use one of userId or sessionHandles array"
    app.post("/recipe/session/remove").refused(400, one_of)
    app.post("/recipe/session/remove", userId="u", sessionHandles=[]).refused(400, one_of)
    for name in ("revokeAcrossAllTenants", "revokeSessionsForLinkedAccounts"):
        app.post("/recipe/session/remove", sessionHandles=[], **{name: True}).refused(
            400, f"Invalid JSON input - {name} can only be set if userId is set"
        )
    app.post("/recipe/session/remove", sessionHandles=[5]).refused(
        400, "Field name 'sessionHandles' is invalid in JSON input"
    )


def test_sessions_of_a_tenant_that_is_gone(app: Caller) -> None:
    """What names a tenant that does not exist is refused as such; handles that name others are revoked before that."""
    tenant_id = fresh("tenant")
    app.put("/recipe/multitenancy/tenant/v2", tenantId=tenant_id).has()
    session, other = create(app.below(tenant_id), "user"), create(app, "user")
    app.post("/recipe/multitenancy/tenant/remove", tenantId=tenant_id).has()
    where = f"{app.prefix.removeprefix('/appid-')}, {tenant_id}"
    text = (
        "AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId combination "
        f"not found: (, {where})"
    )
    verify(app, session["accessToken"]["token"]).refused(400, text)
    refresh(app, session["refreshToken"]["token"]).refused(400, text)
    app.post("/recipe/session/regenerate", accessToken=session["accessToken"]["token"]).refused(400, text)
    refresh(app.below(tenant_id), other["refreshToken"]["token"]).refused(400, text)
    verify(app.below(tenant_id), other["accessToken"]["token"]).has()
    handles = [other["session"]["handle"], session["session"]["handle"]]
    app.post("/recipe/session/remove", sessionHandles=handles).refused(400, text)
    app.get("/recipe/session", sessionHandle=handles[0]).says("UNAUTHORISED", message=GONE)
