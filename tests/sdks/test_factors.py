"""The official Node SDK's functions for TOTP and passkeys, in a process of its own, on the embedded core."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.authenticator import ORIGIN, RP, asserted, created, credential
from contract.test_totp import LONG, code, wrong

from sdks.conftest import API_KEY, HERE
from sdks.installs import node, node_packages
from sdks.peers import Peer, running


@pytest.fixture(scope="module")
def factors(core_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """The SDK with its recipes for TOTP and WebAuthn."""
    node_packages(HERE)
    log: Path = tmp_path_factory.mktemp("factors") / "errors.log"
    with running([node(), str(HERE / "factors_app.mjs"), core_url], log, api_key=API_KEY) as peer:
        yield peer


def call(peer: Peer, name: str, *arguments: object) -> Any:
    """Call a function of a recipe; return what it returned."""
    return peer.call(name, arguments=list(arguments))


def asked(peer: Peer, name: str, **more: object) -> dict[str, Any]:
    """Return options for a browser."""
    body = {"relyingPartyId": RP, "relyingPartyName": "Example", "origin": ORIGIN, "timeout": 60_000}
    options: dict[str, Any] = call(peer, name, {**body, "tenantId": "public", "userPresence": True, **more})
    assert options.pop("status") == "OK"
    return options


def answered(options: dict[str, Any], sent: dict[str, Any], **more: object) -> dict[str, Any]:
    """Return what a function takes with a credential."""
    name = "webauthnGeneratedOptionsId"
    return {name: options[name], "credential": sent, "tenantId": "public", **more}


def test_totp(factors: Peer) -> None:
    """A device is made, verified, listed, renamed, used and removed."""
    user_id = str(uuid.uuid4())
    made = call(factors, "totp.createDevice", user_id, "ann", "phone", 1, LONG)
    assert made["status"] == "OK"
    assert made["secret"] in made["qrCodeString"]
    failed = {"status": "INVALID_TOTP_ERROR", "currentNumberOfFailedAttempts": 1, "maxNumberOfFailedAttempts": 5}
    assert call(factors, "totp.verifyDevice", "public", user_id, "phone", wrong(made["secret"])) == failed
    verified = call(factors, "totp.verifyDevice", "public", user_id, "phone", code(made["secret"]))
    assert verified == {"status": "OK", "wasAlreadyVerified": False}
    assert call(factors, "totp.updateDevice", user_id, "phone", "watch") == {"status": "OK"}
    devices = [{"name": "watch", "period": LONG, "skew": 1, "verified": True}]
    assert call(factors, "totp.listDevices", user_id) == {"status": "OK", "devices": devices}
    assert call(factors, "totp.verifyTOTP", "public", user_id, code(made["secret"], 1)) == {"status": "OK"}
    gone = {"status": "OK", "didDeviceExist": True}
    assert call(factors, "totp.removeDevice", user_id, "watch") == gone
    assert call(factors, "totp.verifyTOTP", "public", user_id, "123456") == {"status": "UNKNOWN_USER_ID_ERROR"}


def test_passkeys(factors: Peer) -> None:
    """A user signs up and in, adds a passkey, recovers the account, changes the address and loses a passkey."""
    address, own, second = f"{uuid.uuid4()}@example.com", credential(), credential()
    options = asked(factors, "webauthn.registerOptions", email=address)
    up = call(factors, "webauthn.signUp", answered(options, created(options, own)))
    assert up["status"] == "OK"
    assert up["user"]["webauthn"] == {"credentialIds": [own.name]}
    user_id = up["user"]["id"]
    options = asked(factors, "webauthn.signInOptions")
    shown = call(
        factors,
        "webauthn.getGeneratedOptions",
        {"tenantId": "public", "webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"]},
    )
    assert (shown["status"], shown["origin"], shown["challenge"]) == ("OK", ORIGIN, options["challenge"])
    into = call(factors, "webauthn.signIn", answered(options, asserted(options, own, counter=0)))
    assert (into["status"], into["user"]) == ("OK", up["user"])
    options = asked(factors, "webauthn.registerOptions", email=address)
    more = answered(options, created(options, second), recipeUserId=user_id)
    assert call(factors, "webauthn.registerCredential", more)["status"] == "OK"
    listed = call(factors, "webauthn.listCredentials", {"recipeUserId": user_id})
    assert [row["webauthnCredentialId"] for row in listed["credentials"]] == [own.name, second.name]
    one = {"recipeUserId": user_id, "webauthnCredentialId": own.name}
    assert call(factors, "webauthn.getCredential", one)["relyingPartyId"] == RP
    assert call(factors, "webauthn.removeCredential", one)["status"] == "OK"
    who = {"tenantId": "public", "userId": user_id, "email": address}
    token = {"tenantId": "public", "token": call(factors, "webauthn.generateRecoverAccountToken", who)["token"]}
    assert call(factors, "webauthn.getUserFromRecoverAccountToken", token)["user"]["id"] == user_id
    used = call(factors, "webauthn.consumeRecoverAccountToken", token)
    assert (used["status"], used["userId"], used["email"]) == ("OK", user_id, address)
    again = call(factors, "webauthn.consumeRecoverAccountToken", token)
    assert again["status"] == "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR"
    change = {"tenantId": "public", "recipeUserId": user_id, "email": f"new-{address}"}
    assert call(factors, "webauthn.updateUserEmail", change) == {"status": "OK"}
