"""A second factor after the password in Chromium: with the official web SDK, and on the page of the example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from recipes.totp.parts import totp, wrong
from sdks.processes import free_port

import st_wsgi
from browser.sites import CHEAP_HASHES, Place, with_page, with_second_factors
from browser.visitor import PASSWORD, Tab, Visitor
from st_wsgi import AppInfo
from st_wsgi.recipes import session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import require_factors
from st_wsgi.recipes.session import Session, verify_session

ROOT = Path(__file__).parent.parent.parent
LINK = {"shouldTryLinkingWithSessionUser": True}
MFA = "st-mfa"


@pytest.fixture(scope="module")
def place(page_folder: Path) -> Iterator[Place]:
    port = free_port()
    place = Place(f"http://127.0.0.1:{port}")
    keep = place.messages.append
    st = st_wsgi.init(
        app_info=AppInfo(app_name="Factors", api_domain=place.origin, website_domain=place.origin),
        core=f"sqlite://?{CHEAP_HASHES}",
        recipes=[
            *with_second_factors(keep),
            AccountLinking(should_do_automatic_account_linking=lambda *_: ShouldAutomaticallyLink()),
            EmailVerification(mode="OPTIONAL", email_delivery=keep),
            Session(),
        ],
    )
    app = Flask("place")

    @app.get("/account")
    def account() -> dict[str, Any]:
        return {"userId": session.get_session(request).get_user_id()}

    @app.get("/transfer")
    @verify_session(override_global_claim_validators=require_factors(requirement_list=["totp"]))
    def transfer() -> dict[str, Any]:
        return {"userId": session.get_session(request).get_user_id()}

    with with_page(st, app, port=port, folder=page_folder):
        yield place


def signed_up(visitor: Visitor, place: Place, mode: str = "cookie") -> Tab:
    """Open the page, and sign its visitor up with a password."""
    tab = place.open(visitor, mode, factors="second")
    assert tab.run("signUp", {"email": visitor.email, "password": PASSWORD})["status"] == "OK"
    return tab


def add_app(tab: Tab) -> str:
    """Set up an authenticator app, and return its secret."""
    device = tab.run("addApp")
    assert device["status"] == "OK"
    assert device["qrCodeString"].startswith("otpauth://totp/Factors:")
    refused = tab.run("verifyApp", device["deviceName"], wrong(device["secret"]))
    assert (refused["status"], refused["currentNumberOfFailedAttempts"]) == ("INVALID_TOTP_ERROR", 1)
    assert tab.run("verifyApp", device["deviceName"], totp(device["secret"]))["status"] == "OK"
    return str(device["secret"])


@pytest.mark.parametrize("mode", ["cookie", pytest.param("header", marks=pytest.mark.exhaustive)])
def test_a_password_and_then_an_authenticator_app(visitor: Visitor, place: Place, mode: str) -> None:
    tab = signed_up(visitor, place, mode)
    assert tab.run("openView", "/account") == {"status": 403, "claims": [MFA], "mail": None}
    assert MFA in tab.run("invalidClaims")
    asked = tab.run("factors")["factors"]
    assert (asked["next"], asked["alreadySetup"]) == (["totp", "otp-email"], ["emailpassword"])
    secret = add_app(tab)
    user = tab.run("openView", "/account")
    assert user["status"] == 200
    assert MFA not in tab.run("invalidClaims")

    tab.run("signOut")
    assert tab.run("signIn", {"email": visitor.email, "password": PASSWORD})["status"] == "OK"
    assert tab.run("openView", "/account") == {"status": 403, "claims": [MFA], "mail": None}
    assert tab.run("factors")["factors"]["next"] == ["totp"]  # what is set up comes first
    assert tab.run("enterTotp", wrong(secret))["status"] == "INVALID_TOTP_ERROR"
    assert tab.run("enterTotp", totp(secret, steps=1))["status"] == "OK"
    assert tab.run("openView", "/account") == user
    assert visitor.holds() == mode


@pytest.mark.exhaustive
def test_a_password_and_then_a_code_by_mail_is_not_enough_for_a_view_that_needs_the_app(
    visitor: Visitor, place: Place
) -> None:
    tab = signed_up(visitor, place)
    [email] = tab.run("factors")["emails"]["otp-email"]
    assert email == visitor.email
    assert tab.run("askForCode", {"email": email, **LINK})["status"] == "OK"
    signed_in = tab.run("enterCode", place.code(email), LINK)
    assert signed_in["status"] == "OK"
    assert len(signed_in["user"]["loginMethods"]) == 2
    assert tab.run("openView", "/account") == {"status": 200, "body": {"userId": signed_in["user"]["id"]}}
    assert tab.run("openView", "/transfer") == {"status": 403, "claims": [MFA], "mail": None}
    add_app(tab)
    assert tab.run("openView", "/transfer")["status"] == 200
