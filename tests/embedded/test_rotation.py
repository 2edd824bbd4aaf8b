"""What time and settings do to refresh tokens under CDI 5.6, and where that version is switched on."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest
from contract.client import Caller, InProcess
from contract.test_sessions import create, refresh, verify

from embedded.conftest import HOUR, MINUTE, SECOND, START, Clock, caller
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.settings import CoreSettings
from st_wsgi.errors import ConfigError

GRACE = 30 * SECOND
VALIDITY = 100 * 24 * HOUR
GONE = "Session does not exist."


@pytest.fixture
def make(make_core: Callable[..., EmbeddedCore]) -> Callable[..., Caller]:
    """Make callers of cores that speak CDI 5.6."""

    def make(path: pathlib.Path | None = None, **settings: object) -> Caller:
        core = make_core(path, supertokens_max_cdi_version="5.6", **settings)
        return Caller(InProcess(core), headers={"cdi-version": "5.6"})

    return make


def test_older_versions_are_the_default(app: Caller) -> None:
    """A core that was told nothing neither offers nor speaks 5.5 and 5.6."""
    assert app.get("/apiversion").body == {"versions": ["5.0", "5.1", "5.2", "5.3", "5.4"]}
    for version in ("5.5", "5.6"):
        app.call("GET", "/recipe/roles", headers={"cdi-version": version}).refused(
            400, f"cdi-version {version} not supported"
        )


@pytest.mark.parametrize(("highest", "last"), [("5.5", "5.5"), ("5.6", "5.6"), ("5.6.0", "5.6"), ("5.3", "5.3")])
def test_the_switch(make_core: Callable[..., EmbeddedCore], highest: str, last: str) -> None:
    """supertokens_max_cdi_version raises the versions as well as it caps them."""
    app = caller(make_core(supertokens_max_cdi_version=highest))
    headers = {"cdi-version": None}
    assert app.call("GET", "/apiversion", headers=headers).body["versions"][-1] == last
    app.call("GET", "/recipe/roles", headers={"cdi-version": last}).has()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("supertokens_max_cdi_version", "5.7", "is not a supported version"),
        ("supertokens_min_cdi_version", "6.0", "is not a supported version"),
        ("supertokens_max_cdi_version", "5.", "is not a supported version"),
        ("refresh_token_rotation_grace_period", 301, "must be between 0 and 300"),
        ("access_token_validity_jitter", 0.3, r"must be between 0 and 0\.25"),
        ("recent_token_reuse_behaviour", "IGNORE", "must be one of"),
    ],
)
def test_values_that_are_refused(name: str, value: object, problem: str) -> None:
    """What this core does not know is refused, not capped."""
    with pytest.raises(ConfigError, match=problem):
        CoreSettings.of({name: value})


@pytest.mark.parametrize("settings", [{}, {"refresh_token_rotation_grace_period": 5}])
def test_the_grace_period_does_not_slide(make: Callable[..., Caller], clock: Clock, settings: dict[str, int]) -> None:
    """It begins with the rotation, to the millisecond, however often the previous token is used meanwhile."""
    grace = settings.get("refresh_token_rotation_grace_period", 30) * SECOND
    app = make(**settings)
    session = create(app, "user")
    parent = session["refreshToken"]["token"]
    clock.move(HOUR)
    rotated = clock.now
    for moment in (0, 1, grace // 2, grace):
        clock.now = rotated + moment
        refresh(app, parent).has(session=session["session"])
    clock.move(1)
    answer = refresh(app, parent).body
    assert (answer["status"], answer["recentTokenReuseSubtype"]) == ("TOKEN_THEFT_DETECTED", "RECENT_PREV")
    app.get("/recipe/session", sessionHandle=session["session"]["handle"]).says("UNAUTHORISED", message=GONE)


def test_each_rotation_has_a_grace_period_of_its_own(make: Callable[..., Caller], clock: Clock) -> None:
    """The use of the current token starts another one, for the token that was just used."""
    app = make()
    current = create(app, "user")["refreshToken"]["token"]
    for _ in range(3):
        clock.move(GRACE - 1)
        previous, current = current, refresh(app, current).has()["refreshToken"]["token"]
        clock.move(GRACE)
        current = refresh(app, previous).has()["refreshToken"]["token"]


def test_what_prolongs_a_session(make: Callable[..., Caller], clock: Clock) -> None:
    """A rotation does, at once; another use of the previous token and a verification do not."""
    app = make()
    session = create(app, "user")

    def expiry() -> int:
        found: int = app.get("/recipe/session", sessionHandle=session["session"]["handle"]).body["expiry"]
        return found

    assert expiry() == START + VALIDITY
    clock.move(HOUR)
    child = refresh(app, session["refreshToken"]["token"]).body
    assert child["refreshToken"]["expiry"] == expiry() == START + HOUR + VALIDITY
    clock.move(GRACE)
    again = refresh(app, session["refreshToken"]["token"]).body
    verify(app, again["accessToken"]["token"]).has()
    assert again["refreshToken"]["expiry"] == clock.now + VALIDITY
    assert expiry() == START + HOUR + VALIDITY


@pytest.mark.parametrize("subtype", ["RECENT_PREV", "ORPHANED_BRANCH", "STALE_LINEAGE"])
@pytest.mark.parametrize("behaviour", ["TOKEN_THEFT", "UNAUTHORISED"])
def test_how_reuse_is_reported(make: Callable[..., Caller], clock: Clock, subtype: str, behaviour: str) -> None:
    """A recent token may be reported as unauthorised, an older one is always theft; the session ends in any case."""
    app = make(recent_token_reuse_behaviour=behaviour)
    session = create(app, "user")
    first = session["refreshToken"]["token"]
    second = refresh(app, first).body["refreshToken"]["token"]
    reused = first
    if subtype == "RECENT_PREV":
        clock.move(MINUTE)
    elif subtype == "ORPHANED_BRANCH":
        refresh(app, first).has()
        reused = second
    else:
        refresh(app, second).has()
    answer = refresh(app, reused)
    if behaviour == "UNAUTHORISED" and subtype != "STALE_LINEAGE":
        answer.says("UNAUTHORISED", message="refresh token reuse detected", recentTokenReuseSubtype=subtype)
    else:
        named = {name: session["session"][name] for name in ("handle", "userId", "recipeUserId")}
        answer.says("TOKEN_THEFT_DETECTED", session=named, recentTokenReuseSubtype=subtype)
    app.get("/recipe/session/user", userId="user").says("OK", sessionHandles=[])
    refresh(app, reused).says("UNAUTHORISED", message="Session missing in db or has expired")


def test_the_previous_token_survives_a_restart(
    make: Callable[..., Caller], clock: Clock, tmp_path: pathlib.Path
) -> None:
    """The grace period is in the file, so that a restart between two uses signs no user out and hides no theft."""
    before = make(tmp_path / "auth.db")
    parent = create(before, "user")["refreshToken"]["token"]
    refresh(before, parent).has()
    after = make(tmp_path / "auth.db")
    clock.move(GRACE)
    refresh(after, parent).has()
    clock.move(1)
    assert refresh(make(tmp_path / "auth.db"), parent).body["recentTokenReuseSubtype"] == "RECENT_PREV"


def test_jitter(make: Callable[..., Caller]) -> None:
    """Asked for, it makes new access tokens shorter by up to that part, never longer, and not all alike."""
    app = make(access_token_validity_jitter="0.25")
    session = create(app, "user")
    lifetimes = []
    for _ in range(20):
        session = refresh(app, session["refreshToken"]["token"]).body
        lifetimes.append(session["accessToken"]["expiry"] - START)
    lifetimes.append(create(app, "user")["accessToken"]["expiry"] - START)
    assert 0.75 * HOUR - SECOND <= min(lifetimes) < max(lifetimes) <= HOUR
    asked = create(app, "user", accessTokenValidity=HOUR)
    assert asked["accessToken"]["expiry"] == START + HOUR


def test_without_being_asked_lifetimes_are_exact(make: Callable[..., Caller]) -> None:
    """They are those of the settings."""
    app = make()
    session = create(app, "user")
    for _ in range(20):
        assert session["accessToken"]["expiry"] == START + HOUR
        session = refresh(app, session["refreshToken"]["token"]).body
