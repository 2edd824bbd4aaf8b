"""From a file to PostgreSQL and back: everything is there, and users stay signed in."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from cluster import Cluster
from contract.logins import code, linked, social
from contract.test_dashboard import made as dashboard_user, session as dashboard_session
from contract.test_emailpassword import sign_up
from contract.test_sessions import create, refresh, verify
from contract.test_totp import SECRET, bring, code as totp, verify as verify_code
from contract.test_webauthn import sign_in as sign_in_with, sign_up as passkey, to_register

from embedded.conftest import caller
from st_wsgi import cli
from st_wsgi.embedded import EmbeddedCore, copying
from st_wsgi.errors import ConfigError


@pytest.fixture(params=["to a server", "to a file"])
def addresses(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: pathlib.Path) -> tuple[str, str]:
    """A database, and one of the other engine that is empty."""
    both = f"sqlite:///{tmp_path / 'auth.db'}", cluster.address()
    return both if request.param == "to a server" else (both[1], both[0])


def filled(core: EmbeddedCore) -> dict[str, Any]:
    """Leave something in every table; return a user."""
    app = caller(core)
    core.attempts.add("key", 60)
    tenant = {"tenantId": "t1", "firstFactors": ["emailpassword"]}
    app.put("/recipe/multitenancy/tenant/v2", **tenant).has()
    provider = {"thirdPartyId": "google", "clients": [{"clientId": "c"}]}
    app.below("t1").put("/recipe/multitenancy/config/thirdparty", config=provider).has()
    app.put("/recipe/multitenancy/app/v2", appId="shop").has()
    sign_up(app.below("appid-shop"), "ann@example.com")
    user = sign_up(app, "ann@example.com")
    gone = linked(app, sign_up(app)["id"], social(app))
    app.post("/user/remove", userId=gone, removeAllLinkedAccounts=False).says("OK")
    linked(app, user["id"], social(app))
    mapped = sign_up(app)["id"]
    app.post("/recipe/userid/map", superTokensUserId=mapped, externalUserId="ext").says("OK")
    app.put("/recipe/role", role="admin", permissions=["write"]).has()
    app.put("/recipe/user/role", userId=user["id"], role="admin").has()
    app.put("/recipe/user/metadata", userId=user["id"], metadataUpdate={"a": [1, "\u00fc"]}).has()
    for path in ("/recipe/user/email/verify/token", "/recipe/user/password/reset/token"):
        app.post(path, userId=user["id"], email="ann@example.com").has()
    token = app.post("/recipe/user/email/verify/token", userId="u", email="u@example.com").has()["token"]
    app.post("/recipe/user/email/verify", method="token", token=token).has()
    code(app, email="ann@example.com")
    bring(app, user["id"], "phone").has()
    verify_code(app, user["id"], "000000")
    passkey_id, _ = passkey(app)
    app.post("/recipe/webauthn/user/recover/token", userId=passkey_id, email="p@example.com").has()
    to_register(app)
    dashboard_session(app, dashboard_user(app)["email"])
    failed = {"loginMethods": [{"recipeId": "emailpassword", "email": "ann@example.com", "plainTextPassword": "x"}]}
    app.post("/bulk-import/users", users=[failed]).has()
    core.services.imports.run()  # type: ignore[attr-defined]  # it is the queue itself
    create(app, user["id"])
    return user


def test_nobody_is_signed_out(make_core: Callable[..., EmbeddedCore], addresses: tuple[str, str]) -> None:
    """Passwords, sessions, keys, passkeys, one-time codes and linked accounts go on over there."""
    source, target = make_core(addresses[0]), make_core(addresses[1])
    app, user = caller(source), filled(source)
    session = create(app, user["id"])
    _, credential = passkey(app)
    shown = app.get("/user/id", userId=user["id"]).has()
    keys = app.get("/.well-known/jwks.json").body
    counts = copying.copy(source.services.store, target.services.store)
    assert counts["apps"] == 2
    assert {name for name, rows in counts.items() if not rows} == set()
    app = caller(target)
    assert app.get("/user/id", userId=user["id"]).has() == shown
    assert app.get("/.well-known/jwks.json").body == keys
    verify(app, session["accessToken"]["token"]).has()
    refresh(app, session["refreshToken"]["token"]).has()
    verify_code(app, user["id"], totp(SECRET)).says("OK")
    sign_in_with(app, credential).has()
    app.put("/recipe/multitenancy/app/v2", appId="new").has(createdNew=True)
    app.below("appid-new").get("/users/count").says("OK", count=0)


def test_an_interrupted_copy_continues(
    make_core: Callable[..., EmbeddedCore], addresses: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows that were copied stay, and the rest is copied."""
    monkeypatch.setattr(copying, "_BATCH", 2)
    source, target = make_core(addresses[0]), make_core(addresses[1])
    filled(source)

    def cut(table: str, rows: int) -> None:
        if table == "user_roles":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copying.copy(source.services.store, target.services.store, cut)
    rows: list[tuple[str, int]] = []
    counts = copying.copy(source.services.store, target.services.store, lambda *done: rows.append(done))
    assert sum(number for number in counts.values()) > sum(dict(rows).values()) > 0
    with pytest.raises(ConfigError, match="is in use: name an empty database"):
        copying.copy(source.services.store, target.services.store)


def test_a_write_during_the_copy_is_an_error(
    make_core: Callable[..., EmbeddedCore], addresses: tuple[str, str]
) -> None:
    """The copy differs from the source then."""
    source, target = make_core(addresses[0]), make_core(addresses[1])
    app, _ = caller(source), filled(source)

    def write(table: str, rows: int) -> None:
        if table == "user_metadata":
            app.put("/recipe/user/metadata", userId="late", metadataUpdate={"a": 1}).has()

    with pytest.raises(ConfigError, match=r"user_metadata \(\d+ rows, \d+ over there\).*stop all processes"):
        copying.copy(source.services.store, target.services.store, write)


def test_the_command(
    make_core: Callable[..., EmbeddedCore], addresses: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what it did, and refuses a target that is in use."""
    filled(make_core(addresses[0]))
    arguments = ["db", "copy", "--from", addresses[0], "--to", addresses[1]]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr()
    assert "copied to" in shown.out
    assert "login_methods: " in shown.err
    assert cli.main(arguments) == 1
    assert "is in use" in capsys.readouterr().err
