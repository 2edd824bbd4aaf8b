"""What time and settings do to passkeys, and what can be read of an authenticator."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from contract.authenticator import (
    ALGORITHMS,
    EXTENDED,
    NEW,
    PRESENT,
    RP,
    asserted,
    cbor,
    created,
    credential,
    encoded,
)
from contract.client import Caller, email
from contract.test_webauthn import BASE, RECOVER, send, sign_in, sign_up, to_register, to_sign_in
from hypothesis import given, settings, strategies as st

from embedded.conftest import HOUR, Clock, caller
from st_wsgi.embedded import EmbeddedCore, authenticators
from st_wsgi.embedded.authenticators import AuthenticatorData, Options, read_cbor, registered, signed
from st_wsgi.embedded.cleanup import clean
from st_wsgi.embedded.fields import Answered


def test_options_end(core: EmbeddedCore, app: Caller, clock: Clock) -> None:
    """They are good as long as they say, and shown until they are cleaned up."""
    _, own = sign_up(app)
    up, into = to_register(app), to_sign_in(app)
    clock.move(60_000)
    send(app, "signin", into, asserted(into, own)).has()
    clock.move(1)
    expired = {"status": "INVALID_OPTIONS_ERROR", "reason": "Options expired"}
    send(app, "signup", up, created(up, credential())).gives(expired)
    send(app, "signin", into, asserted(into, own)).gives(expired)
    app.get(f"{BASE}/options", webauthnGeneratedOptionsId=up["webauthnGeneratedOptionsId"]).has()
    clock.move(2 * HOUR)
    with core.services.store.write() as db:
        clean(db, clock.now)
    app.get(f"{BASE}/options", webauthnGeneratedOptionsId=up["webauthnGeneratedOptionsId"]).says(
        "OPTIONS_NOT_FOUND_ERROR"
    )


def test_recovery_tokens_end(make_core: Callable[..., EmbeddedCore], clock: Clock) -> None:
    """As the setting says."""
    app = caller(make_core(webauthn_recover_account_token_lifetime=1000))
    user_id, _ = sign_up(app)
    token = app.post(f"{RECOVER}/token", userId=user_id, email="a@example.com").has()["token"]
    clock.move(1000)
    app.get(RECOVER, token=token).has()
    clock.move(1)
    app.get(RECOVER, token=token).says("RECOVER_ACCOUNT_TOKEN_INVALID_ERROR")
    app.post(f"{RECOVER}/token/consume", token=token).says("RECOVER_ACCOUNT_TOKEN_INVALID_ERROR")


@pytest.mark.parametrize("version", ["5.4", "5.5", "5.6"])
def test_options_are_good_once_from_cdi_5_5_on(make_core: Callable[..., EmbeddedCore], version: str) -> None:
    """A sign-in uses its options up, unless the SDK is one that verifies twice; a failed one does not."""
    app = caller(make_core(supertokens_max_cdi_version="5.6"))
    app.headers["cdi-version"] = version
    _, own = sign_up(app)
    options = to_sign_in(app)
    send(app, "signin", options, asserted(options, own, spoilt=True)).says(
        "INVALID_AUTHENTICATOR_ERROR", reason="Assertion signature is not valid."
    )
    send(app, "signin", options, asserted(options, own)).has()
    again = send(app, "signin", options, asserted(options, own)).body["status"]
    assert again == ("OK" if version == "5.4" else "OPTIONS_NOT_FOUND_ERROR")


def test_other_writes_do_not_wait_for_a_check(app: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential is checked before the transaction, since strangers send it."""
    checks: list[tuple[str, bool]] = []

    def writing_meanwhile(name: str) -> Callable[..., Any]:
        real = getattr(authenticators, name)

        def check(*given: Any) -> Any:
            other = threading.Thread(target=lambda: app.put("/recipe/role", role=name).has(), daemon=True)
            other.start()
            other.join(10)
            checks.append((name, other.is_alive()))
            return real(*given)

        return check

    for name in ("registered", "signed"):
        monkeypatch.setattr(authenticators, name, writing_meanwhile(name))
    _, own = sign_up(app)
    sign_in(app, own).has()
    assert checks == [("registered", False), ("signed", False)]


@pytest.mark.parametrize("counts", [True, False])
def test_two_sign_ins_with_the_same_options(
    make_core: Callable[..., EmbeddedCore], monkeypatch: pytest.MonkeyPatch, *, counts: bool
) -> None:
    """Of two at the same time one is refused, whether or not the authenticator counts."""
    app = caller(make_core(supertokens_max_cdi_version="5.6"))
    app.headers["cdi-version"] = "5.6"
    _, own = sign_up(app)
    options = to_sign_in(app)
    first, second = (asserted(options, own, counter=None if counts else 0) for _ in range(2))
    answers: list[str] = []
    real = authenticators.signed

    def signed_meanwhile(*given: Any) -> int:
        monkeypatch.setattr(authenticators, "signed", real)
        answers.append(send(app, "signin", options, first).body["status"])
        return real(*given)

    monkeypatch.setattr(authenticators, "signed", signed_meanwhile)
    answers.append(send(app, "signin", options, second).body["status"])
    refused = "CREDENTIAL_NOT_FOUND_ERROR" if counts else "OPTIONS_NOT_FOUND_ERROR"
    assert answers == ["OK", refused]


def test_options_to_sign_in_register_nothing(app: Caller) -> None:
    """Neither a user nor one more credential of a user."""
    user_id, _ = sign_up(app)
    refused = {"status": "INVALID_OPTIONS_ERROR", "reason": "The options are for signing in"}
    options, new = to_sign_in(app), credential()
    send(app, "signup", options, created(options, new)).gives(refused)
    send(app, "user/credential/register", options, created(options, new), recipeUserId=user_id).gives(refused)
    assert len(app.get(f"{BASE}/user/credential/list", recipeUserId=user_id).has()["credentials"]) == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithms(app: Caller, algorithm: int) -> None:
    """A credential of each known algorithm signs in, and another one's signature does not."""
    _, own = sign_up(app, own=credential(algorithm))
    sign_in(app, own).has()
    own.sign = credential(algorithm).sign
    sign_in(app, own).says("INVALID_AUTHENTICATOR_ERROR", reason="Assertion signature is not valid.")


def test_a_sign_up_that_fails_stores_nobody(core: EmbeddedCore, app: Caller) -> None:
    """A credential that is taken leaves no user behind."""
    _, own = sign_up(app)
    options = to_register(app, email())
    send(app, "signup", options, created(options, own))
    with core.services.store.read() as db:
        assert db.run("SELECT count(*) FROM login_methods").fetchone() == (1,)
        assert db.run("SELECT count(*) FROM last_active").fetchone() == (1,)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("1903e8", 1000),
        ("1b000000e8d4a51000", 1_000_000_000_000),
        ("20", -1),
        ("3903e7", -1000),
        ("f4", False),
        ("f5", True),
        ("f6", None),
        ("4401020304", b"\x01\x02\x03\x04"),
        ("62c3bc", "\u00fc"),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("a201020304", {1: 2, 3: 4}),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ],
)
def test_cbor(data: str, value: object) -> None:
    """Examples of RFC 8949, appendix A; what follows a value is left."""
    assert read_cbor(bytes.fromhex(data) + b"rest") == (value, b"rest")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "18",
        "19ff",
        "1c",
        "1f",
        "41",
        "5f4100ff",
        "62ff",
        "61ff",
        "81",
        "9fff",
        "a1",
        "a101",
        "bf",
        "c001",
        "f93c00",
        "fb3ff199999999999a",
        "f7",
        "e0",
    ],
)
def test_what_is_no_cbor(data: str) -> None:
    """Values that end too early, indefinite lengths, tags, fractions and texts that are not UTF-8."""
    with pytest.raises(Answered):
        read_cbor(bytes.fromhex(data))


def test_cbor_that_asks_for_much() -> None:
    """Deep nesting, long lists that are not there and keys that come twice or are none."""
    for data in (b"\x81" * 100_000, b"\x9b" + b"\xff" * 8, b"\xbb" + b"\xff" * 8, b"\x5b" + b"\xff" * 8):
        with pytest.raises(Answered):
            read_cbor(data)
    for keys in ("0101", "8001", "a001", "f601"):
        with pytest.raises(Answered):
            read_cbor(bytes.fromhex(f"a2{keys}{keys}"))


def test_a_long_list_takes_time_by_its_length() -> None:
    """Sixteen times as many values take some sixteen times as long, and not the square of that."""

    def seconds(length: int) -> float:
        data = b"\x9a" + length.to_bytes(4, "big") + bytes(length)
        times: list[float] = []
        for _ in range(3):
            start = time.process_time()
            assert read_cbor(data) == ([0] * length, b"")
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(320_000) < 40 * seconds(20_000)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Nothing that an authenticator sends fails in another way than by being refused."""
    options = Options("i", encoded(bytes(32)), "https://example.com", RP, "n", None, False, "preferred", 0, 0)
    head = hashlib.sha256(RP.encode()).digest()
    sent = {"response": {"clientDataJSON": encoded(data), "attestationObject": encoded(data)}}
    for read in (
        lambda: read_cbor(data),
        lambda: AuthenticatorData.of(data),
        lambda: AuthenticatorData.of(head + bytes([PRESENT | NEW | EXTENDED]) + bytes(4) + data),
        lambda: AuthenticatorData.of(head + bytes([PRESENT | EXTENDED]) + bytes(4) + data),
        lambda: AuthenticatorData.of(
            head + bytes([PRESENT | NEW]) + bytes(20) + b"\x00\x00" + cbor({1: 2, 3: -7, -1: 1, -2: data, -3: data})
        ),
        lambda: registered(sent, options),
        lambda: signed({"response": {"authenticatorData": encoded(head + data)}}, options, data, 0),
    ):
        try:
            read()
        except Answered as refused:
            assert refused.answer["status"] in ("INVALID_CREDENTIALS_ERROR", "INVALID_AUTHENTICATOR_ERROR")
