"""Signing keys: when a new one is made, when it signs, how long it verifies."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from contract.client import Caller
from contract.test_sessions import claims, create, header, verify
from cryptography.hazmat.primitives import serialization

from embedded.conftest import HOUR, MINUTE, SECOND, Clock, caller
from st_wsgi.embedded import EmbeddedCore

WEEK = 168 * HOUR


def signing_key(app: Caller) -> str:
    """Return the id of the key that signs sessions now."""
    found: str = header(create(app, "user")["accessToken"]["token"])["kid"]
    return found


def published(app: Caller) -> tuple[list[str], int]:
    """Return the ids of the published keys, and the seconds to keep them."""
    answer = app.get("/.well-known/jwks.json")
    seconds = int(answer.headers["cache-control"].removeprefix("max-age=").removesuffix(", must-revalidate"))
    return [key["kid"] for key in answer.body["keys"]], seconds


def test_a_new_key_is_seen_before_it_signs(app: Caller, clock: Clock) -> None:
    """A minute before the end of the interval a new key appears; it signs when it is a minute old."""
    first = signing_key(app)
    assert first == f"d-{clock.now}"
    keys, seconds = published(app)
    assert seconds == (WEEK - MINUTE) // SECOND
    static = keys[-1]
    clock.move(WEEK - MINUTE)
    assert published(app) == ([first, static], 1)
    clock.move(1)
    second = f"d-{clock.now}"
    assert published(app)[0] == [second, first, static]
    clock.move(MINUTE - 2)
    assert signing_key(app) == first
    clock.move(2)
    assert signing_key(app) == second


def test_a_late_key_signs_at_once(app: Caller, clock: Clock) -> None:
    """After a long silence there is no older key inside its interval, so that the new one signs right away."""
    signing_key(app)
    clock.move(2 * WEEK)
    assert signing_key(app) == f"d-{clock.now}"


def test_how_long_a_key_verifies(app: Caller, clock: Clock) -> None:
    """A key verifies for its interval and two lifetimes of an access token, and is gone from the key set then."""
    first = signing_key(app)
    clock.move(WEEK + 2 * HOUR)
    assert first in published(app)[0]
    clock.move(1)
    keys = published(app)[0]
    assert first not in keys
    assert len(keys) == 2


def test_short_intervals(make_core: Callable[..., EmbeddedCore], clock: Clock) -> None:
    """Below a minute, a fifth of the interval is the time that a new key is seen before it signs."""
    app = caller(make_core(access_token_dynamic_signing_key_update_interval=10 / 3600))
    first = signing_key(app)
    clock.move(8 * SECOND)
    assert published(app)[0][0] == first
    clock.move(1)
    assert published(app)[0][0] == f"d-{clock.now}"
    assert signing_key(app) == first


def test_processes_agree(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path, clock: Clock) -> None:
    """Two cores on one file use the same keys, and each accepts at once what the other signs with a new one."""
    here, there = caller(make_core(tmp_path / "a.db")), caller(make_core(tmp_path / "a.db"))
    assert signing_key(here) == signing_key(there)
    assert published(here) == published(there)
    clock.move(2 * WEEK)
    token = create(here, "user")["accessToken"]["token"]
    verify(there, token).has()
    assert signing_key(there) == header(token)["kid"]


def test_the_static_key_stays(make_core: Callable[..., EmbeddedCore], tmp_path: pathlib.Path, clock: Clock) -> None:
    """The static key outlives restarts and rotations."""
    path = tmp_path / "a.db"
    before = published(caller(make_core(path)))[0][-1]
    clock.move(50 * WEEK)
    assert published(caller(make_core(path)))[0][-1] == before


def test_apps_have_keys_of_their_own(app: Caller) -> None:
    """No key is shared by apps, and an app of the same name does not inherit any."""
    app.put("/recipe/multitenancy/app/v2", appId="a").has()
    own = app.below("appid-a")
    keys = published(own)[0]
    assert set(keys).isdisjoint(key for key in published(app)[0] if key.startswith("s-"))
    token = create(own, "user")["accessToken"]["token"]
    app.post("/recipe/multitenancy/app/remove", appId="a").has()
    app.put("/recipe/multitenancy/app/v2", appId="a").has()
    assert published(own)[0][-1] != keys[-1]
    assert verify(own, token).body["status"] == "TRY_REFRESH_TOKEN"


@pytest.mark.parametrize("key_id", ["d-1", "s-x", 5, None])
def test_keys_that_are_none(core: EmbeddedCore, app: Caller, clock: Clock, key_id: object) -> None:
    """A token that names an unknown key is not accepted, even if one of the core's own keys signed it."""
    token = create(app, "user")["accessToken"]["token"]
    services = core.services
    public = services.tenancy.find("public", "public")
    assert public is not None
    signer = services.keys.for_signing(public, clock.now, static=False)
    forged = signer.sign({"kid": key_id, "version": "5"}, claims(token))
    assert verify(app, forged).body["status"] == "TRY_REFRESH_TOKEN"
    verify(app, signer.sign({"version": "5"}, claims(token))).has()


def test_what_was_used_last_stays_in_memory(
    make_core: Callable[..., EmbeddedCore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that are in use stay loaded, however many other apps come and go; those of the others are read again."""
    monkeypatch.setattr("st_wsgi.embedded.keys._APPS_CACHED", 2)
    loaded: list[bytes] = []
    load = serialization.load_pem_private_key

    def counted(pem: bytes, *arguments: Any, **more: Any) -> Any:
        loaded.append(pem)
        return load(pem, *arguments, **more)

    monkeypatch.setattr(serialization, "load_pem_private_key", counted)
    app = caller(make_core())
    used, other = app.below("appid-used"), app.below("appid-a")
    for name in ("used", "a", "b", "c"):
        app.put("/recipe/multitenancy/app/v2", appId=name).has()
        create(app.below(f"appid-{name}"), "user")
        create(used, "user")
    assert len(set(loaded)) == len(loaded) == 4
    token = create(other, "user")["accessToken"]["token"]
    assert len(loaded) == 5
    verify(other, token).has()
    assert header(token)["kid"] in published(other)[0]


def test_settings_that_are_in_use_stay_parsed(
    make_core: Callable[..., EmbeddedCore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings of an app that is in use are read once, however many other apps there are."""
    monkeypatch.setattr("st_wsgi.embedded.tenancy._CACHED", 2)
    core = make_core()
    app = caller(core)
    for number in range(4):
        config = {"access_token_validity": 1000 + number}
        app.put("/recipe/multitenancy/app/v2", appId=f"a{number}", coreConfig=config).has()
    find = core.services.tenancy.find
    used = find("a0", "public")
    for number in range(1, 4):
        find(f"a{number}", "public")
        again = find("a0", "public")
        assert used is not None and again is not None
        assert again.settings is used.settings
