"""Sessions under CDI 5.6: a refresh token is replaced by its first use, and verifying changes nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Answer, Caller, OverHTTP, Wire, fresh
from contract.expectations import NOW, UUID
from contract.test_sessions import CREATED, GONE, REFRESH, claims, create, header, refresh, verify

ENDED = "Session missing in db or has expired"
ROTATED_OUT = "rotated-out token branch; refresh required"


def speaking(app: Caller, version: str | None) -> Caller:
    """Return a caller for the same app that asks for another CDI version, or for none."""
    headers = {name: value for name, value in app.headers.items() if name != "cdi-version"}
    return Caller(
        app.wire, headers=headers if version is None else {**headers, "cdi-version": version}, prefix=app.prefix
    )


@pytest.fixture(scope="module")
def make_rotating(wire: Wire, base: Caller, make_app: Callable[..., Caller]) -> Callable[..., Caller]:
    """Make apps that speak CDI 5.6, with exact lifetimes; their callers ask for that version."""
    switched_on = {"supertokens_max_cdi_version": "5.6", "access_token_validity_jitter": 0}
    if isinstance(wire, OverHTTP) and wire.url == os.environ.get("ST_CORE_URL", "").rstrip("/"):
        app_id = fresh("contract")
        answer = base.put("/recipe/multitenancy/app/v2", appId=app_id, coreConfig=switched_on)
        if answer.status == 400:
            pytest.skip(f"the core at ST_CORE_URL does not speak CDI 5.6: {answer.body}")
        base.post("/recipe/multitenancy/app/remove", appId=app_id)

    def make(**core_config: object) -> Caller:
        return speaking(make_app(**switched_on, **core_config), "5.6")

    return make


@pytest.fixture(scope="module")
def rotating(make_rotating: Callable[..., Caller]) -> Caller:
    """An app that speaks CDI 5.6."""
    return make_rotating()


def token_of(answer: Answer) -> str:
    """Return the refresh token of a refresh that succeeded."""
    token: str = answer.has(refreshToken=REFRESH)["refreshToken"]["token"]
    return token


def theft(session: dict[str, Any], subtype: str) -> dict[str, Any]:
    """Return what a refresh with a stolen token of a session answers."""
    named = {name: session["session"][name] for name in ("handle", "userId", "recipeUserId")}
    return {"session": named, "recentTokenReuseSubtype": subtype}


def assert_ended(app: Caller, session: dict[str, Any], newest: str) -> None:
    """Check that the core itself has ended a session, so that not even its newest refresh token is of use."""
    app.get("/recipe/session", sessionHandle=session["session"]["handle"]).says("UNAUTHORISED", message=GONE)
    refresh(app, newest).says("UNAUTHORISED", message=ENDED)


def test_the_versions_that_are_spoken(rotating: Caller) -> None:
    """The app says so, up to the version that it was raised to, which is also the one of a call without a version."""
    assert rotating.get("/apiversion").body["versions"][-3:] == ["5.4", "5.5", "5.6"]
    unversioned = speaking(rotating, None)
    session = create(unversioned, fresh("user"))
    assert (
        claims(refresh(unversioned, session["refreshToken"]["token"]).body["accessToken"]["token"])[
            "parentRefreshTokenHash1"
        ]
        is None
    )
    rotating.call("GET", "/recipe/roles", headers={"cdi-version": "5.7"}).refused(400, "cdi-version 5.7 not supported")


def test_an_app_may_stop_before_it(make_rotating: Callable[..., Caller]) -> None:
    """5.5 keeps the older rule."""
    app = make_rotating()
    parent = create(speaking(app, "5.5"), fresh("user"))["refreshToken"]["token"]
    child = refresh(speaking(app, "5.5"), parent).body
    assert claims(child["accessToken"]["token"])["parentRefreshTokenHash1"] is not None
    verify(speaking(app, "5.5"), child["accessToken"]["token"]).has(accessToken=CREATED)


def test_refresh(rotating: Caller) -> None:
    """A refresh answers as ever, and its access token needs no settling."""
    session = create(rotating, fresh("user"), userDataInJWT={"a": 1})
    answer = refresh(rotating, session["refreshToken"]["token"]).says(
        "OK", session=session["session"], accessToken=CREATED, refreshToken=REFRESH
    )
    assert claims(answer["accessToken"]["token"])["parentRefreshTokenHash1"] is None
    assert answer["accessToken"]["expiry"] - answer["accessToken"]["createdTime"] == 3_600_000
    token_of(refresh(rotating, answer["refreshToken"]["token"]))


def test_a_lost_answer_signs_nobody_out(rotating: Caller) -> None:
    """In its grace period the parent may be used again and again; the last child is the one that counts."""
    parent = create(rotating, fresh("user"))["refreshToken"]["token"]
    children = [token_of(refresh(rotating, parent)) for _ in range(3)]
    assert len({parent, *children}) == 4
    grandchild = token_of(refresh(rotating, children[-1]))
    token_of(refresh(rotating, children[-1]))
    assert grandchild not in children


def test_a_displaced_child(rotating: Caller) -> None:
    """A child whose parent was refreshed once more is reuse, and the core ends the session."""
    session = create(rotating, fresh("user"))
    parent = session["refreshToken"]["token"]
    displaced, newest = token_of(refresh(rotating, parent)), token_of(refresh(rotating, parent))
    refresh(rotating, displaced).says("TOKEN_THEFT_DETECTED", **theft(session, "ORPHANED_BRANCH"))
    assert_ended(rotating, session, newest)


def test_an_older_token(rotating: Caller) -> None:
    """A token from before the previous one is reuse however early it comes."""
    session = create(rotating, fresh("user"))
    first = session["refreshToken"]["token"]
    newest = token_of(refresh(rotating, token_of(refresh(rotating, first))))
    refresh(rotating, first).says("TOKEN_THEFT_DETECTED", **theft(session, "STALE_LINEAGE"))
    assert_ended(rotating, session, newest)


def test_the_previous_token_after_its_grace_period(make_rotating: Callable[..., Caller]) -> None:
    """Without a grace period the previous token is reuse as soon as the clock has moved on."""
    app = make_rotating(refresh_token_rotation_grace_period=0)
    session = create(app, fresh("user"))
    parent = session["refreshToken"]["token"]
    newest = token_of(refresh(app, parent))
    give_up = time.monotonic() + 10
    answer = refresh(app, parent)
    while answer.body["status"] == "OK" and time.monotonic() < give_up:  # in the same millisecond
        newest = token_of(answer)
        answer = refresh(app, parent)
    answer.says("TOKEN_THEFT_DETECTED", **theft(session, "RECENT_PREV"))
    assert_ended(app, session, newest)


def test_verify(rotating: Caller) -> None:
    """No answer has a token in it; where the database is asked, it says whether the payload is still the stored one."""
    session = create(rotating, fresh("user"), userDataInJWT={"a": 1})
    token = refresh(rotating, session["refreshToken"]["token"]).body["accessToken"]["token"]
    verify(rotating, token, checkDatabase=False).says("OK", session=session["session"])
    verify(rotating, token).says("OK", session=session["session"], payloadUpdateAvailable=False)
    handle = session["session"]["handle"]
    rotating.put("/recipe/jwt/data", sessionHandle=handle, userDataInJWT={"a": 2}).says("OK")
    verify(rotating, token).says("OK", session=session["session"], payloadUpdateAvailable=True)
    verify(rotating, token, checkDatabase=False).says("OK", session=session["session"])
    again = rotating.post("/recipe/session/regenerate", accessToken=token).has(accessToken=CREATED)
    assert claims(again["accessToken"]["token"])["a"] == 2
    assert verify(rotating, again["accessToken"]["token"]).body["payloadUpdateAvailable"] is False


def test_verify_a_token_that_was_rotated_out(rotating: Caller) -> None:
    """Where the database is asked, the access tokens of the current and the previous refresh token are good."""
    session = create(rotating, fresh("user"))
    newest, accesses = session["refreshToken"]["token"], [session["accessToken"]["token"]]
    for _ in range(2):
        answer = refresh(rotating, newest).body
        newest = answer["refreshToken"]["token"]
        accesses.append(answer["accessToken"]["token"])
        verify(rotating, accesses[-2]).says("OK", session=session["session"], payloadUpdateAvailable=False)
    verify(rotating, accesses[-1]).says("OK", session=session["session"], payloadUpdateAvailable=False)
    verify(rotating, accesses[0]).says("UNAUTHORISED", message=ROTATED_OUT)
    verify(rotating, accesses[0], checkDatabase=False).says("OK", session=session["session"])
    token_of(refresh(rotating, newest))


def test_verify_a_removed_session(rotating: Caller) -> None:
    """A removed session fails where the database is asked, and only there."""
    session = create(rotating, fresh("user"))
    rotating.post("/recipe/session/remove", sessionHandles=[session["session"]["handle"]]).has()
    token = session["accessToken"]["token"]
    verify(rotating, token, checkDatabase=False).has()
    verify(rotating, token).says("UNAUTHORISED", message="Either the session has ended or has been blacklisted")


def test_verify_is_for_the_whole_app(rotating: Caller) -> None:
    """A tenant in the path is refused, also for a session of that tenant; an older version still takes it."""
    tenant_id = fresh("tenant")
    rotating.put("/recipe/multitenancy/tenant/v2", tenantId=tenant_id, firstFactors=None).has()
    tenant = rotating.below(tenant_id)
    session = create(tenant, fresh("user"))
    token = session["accessToken"]["token"]
    verify(tenant, token).refused(403, "Only public tenantId can call this app specific API")
    verify(speaking(tenant, "5.4"), token).says("OK", session=session["session"])
    verify(rotating, token).says("OK", session=session["session"], payloadUpdateAvailable=False)
    again = refresh(rotating, session["refreshToken"]["token"]).has(session=session["session"])
    assert claims(again["accessToken"]["token"])["tId"] == tenant_id


def test_anti_csrf(rotating: Caller) -> None:
    """A refresh without the anti-CSRF value of its token is refused and changes nothing."""
    session = create(rotating, fresh("user"), enableAntiCsrf=True)
    token = session["refreshToken"]["token"]
    wrongs: list[dict[str, str]] = [{}, {"antiCsrfToken": "x"}]
    for wrong in wrongs:
        refresh(rotating, token, enableAntiCsrf=True, **wrong).says(
            "UNAUTHORISED", message="Anti CSRF token missing, or not matching"
        )
    asked = {"enableAntiCsrf": True, "antiCsrfToken": session["antiCsrfToken"]}
    refresh(rotating, token, **asked).has(antiCsrfToken=UUID)
    refresh(rotating, token, **asked).has(antiCsrfToken=UUID)


def test_the_kind_of_key(rotating: Caller) -> None:
    """Each refresh says with which kind of key to sign, those in the grace period too."""
    token = create(rotating, fresh("user"), useDynamicSigningKey=False)["refreshToken"]["token"]
    for dynamic, kind in ((False, "s-"), (True, "d-")):
        again = refresh(rotating, token, useDynamicSigningKey=dynamic).body
        assert header(again["accessToken"]["token"])["kid"].startswith(kind)


def test_a_shorter_access_token(rotating: Caller) -> None:
    """A call may ask for an access token that lives shorter (milliseconds), for this one token."""
    session = create(rotating, fresh("user"), accessTokenValidity=60_000)
    child = refresh(rotating, session["refreshToken"]["token"], accessTokenValidity="120000").body
    grandchild = refresh(rotating, child["refreshToken"]["token"]).body
    for answer, lifetime in ((session, 60_000), (child, 120_000), (grandchild, 3_600_000)):
        assert answer["accessToken"]["expiry"] - answer["accessToken"]["createdTime"] == lifetime


@pytest.mark.parametrize("validity", [0, -1, 3_600_001])
def test_lifetimes_that_may_not_be_asked_for(rotating: Caller, validity: int) -> None:
    """Neither none at all nor more than the setting; a refused refresh changes nothing, and 5.4 knows no such field."""
    text = "accessTokenValidity must be greater than 0 and at most the configured access_token_validity (3600000 ms)"
    body: dict[str, Any] = {"userId": "u", "enableAntiCsrf": False, "userDataInDatabase": {}, "userDataInJWT": {}}
    rotating.post("/recipe/session", **body, accessTokenValidity=validity).refused(400, text)
    token = create(rotating, fresh("user"))["refreshToken"]["token"]
    refresh(rotating, token, accessTokenValidity=validity).refused(400, text)
    refresh(speaking(rotating, "5.4"), token, accessTokenValidity=validity).has(refreshToken=REFRESH)


def test_a_lifetime_that_is_no_number(rotating: Caller) -> None:
    """Anything else than a whole number is a 400."""
    text = "Field name 'accessTokenValidity' is invalid in JSON input"
    token = create(rotating, fresh("user"))["refreshToken"]["token"]
    for wrong in (True, "x", ""):
        refresh(rotating, token, accessTokenValidity=wrong).refused(400, text)


def test_from_the_older_rule_to_this_one(rotating: Caller) -> None:
    """A child that was handed out under CDI 5.4 and not used yet verifies and refreshes under 5.6."""
    older = speaking(rotating, "5.4")
    session = create(older, fresh("user"))
    parent = session["refreshToken"]["token"]
    child = refresh(older, parent).body
    for access in (session["accessToken"]["token"], child["accessToken"]["token"]):
        verify(rotating, access).says("OK", session=session["session"], payloadUpdateAvailable=False)
        verify(rotating, access, checkDatabase=False).says("OK", session=session["session"])
    newest = token_of(refresh(rotating, child["refreshToken"]["token"]))
    token_of(refresh(rotating, child["refreshToken"]["token"]))
    refresh(rotating, parent).says("TOKEN_THEFT_DETECTED", **theft(session, "STALE_LINEAGE"))
    assert_ended(rotating, session, newest)


def test_a_change_under_the_older_rule_has_a_grace_period_here(rotating: Caller) -> None:
    """Whatever version settled a child, its parent is the previous token from then on."""
    older = speaking(rotating, "5.4")
    parent = create(older, fresh("user"))["refreshToken"]["token"]
    child = refresh(older, parent).body
    verify(older, child["accessToken"]["token"]).has(accessToken=CREATED)
    newest = token_of(refresh(rotating, parent))
    token_of(refresh(rotating, newest))


def test_from_this_rule_to_the_older_one(rotating: Caller) -> None:
    """Under CDI 5.4 there is no grace period: the previous token is theft, without a subtype, and nothing is ended."""
    older = speaking(rotating, "5.4")
    session = create(rotating, fresh("user"))
    parent = session["refreshToken"]["token"]
    child = token_of(refresh(rotating, parent))
    refresh(older, parent).says("TOKEN_THEFT_DETECTED", session=theft(session, "")["session"])
    token_of(refresh(older, token_of(refresh(older, child))))


def test_counting_users(rotating: Caller) -> None:
    """A caller that allows an approximate count is told what it got, and of when; before 5.6 none is."""
    answer = rotating.get("/users/count", allowApproximate="true").body
    assert isinstance(answer.pop("approximate"), bool)
    assert isinstance(answer.pop("asOf"), int)
    assert answer == {"status": "OK", "count": 0}
    rotating.get("/users/count", allowApproximate="true", includeAllTenants="true").says(
        "OK", count=0, approximate=False, asOf=NOW
    )
    for app, params in ((rotating, {}), (speaking(rotating, "5.4"), {"allowApproximate": "true"})):
        app.get("/users/count", **params).says("OK", count=0)
