"""A passkey as the first factor, as the second one, and its management while a factor is missing (FDI, rule F-09)."""

from __future__ import annotations

from typing import Any

import pytest
from contract.authenticator import credential

from recipes.accountlinking.parts import LINK, Site
from recipes.multifactorauth.parts import requirements
from recipes.shop import Borrowed, payload_of
from recipes.webauthn.parts import RP, Holder, made
from st_wsgi.recipes.multifactorauth import MultiFactorAuth, add_to_required_secondary_factors_for_user
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import Webauthn


def site_with(core: Borrowed, **settings: Any) -> Site:
    def more(send: Any) -> list[Any]:
        return [Webauthn(get_relying_party_id=RP, email_delivery=send), MultiFactorAuth(**settings), Totp()]

    return Site(core, answer=LINK, more=more)


def done(holder: Holder) -> set[str]:
    """Return the factors that the session has."""
    return set(payload_of(str(holder.person.visitor.access_token))["st-mfa"]["c"])


def test_a_password_and_then_a_passkey(core: Borrowed) -> None:
    ann = Holder(site_with(core, override=requirements("webauthn")).person())
    user_id = ann.person.sign_up()["user"]["id"]
    assert ann.person.who() is None
    info = ann.person.visitor.call("PUT", "/auth/mfa/info").get_json()
    assert info["factors"]["next"] == ["webauthn"]
    assert info["emails"]["webauthn"] == [ann.person.email]
    assert ann.sign_up(link=True)["user"]["id"] == user_id
    assert (ann.person.who(), done(ann)) == (user_id, {"emailpassword", "webauthn"})

    ann.person.visitor.sign_out()
    ann.person.sign_in()
    assert ann.person.who() is None
    assert ann.sign_in(spoilt=True, link=True) == {"status": "INVALID_CREDENTIALS_ERROR"}
    assert ann.person.who() is None
    assert ann.sign_in(link=True)["status"] == "OK"
    assert (ann.person.who(), done(ann)) == (user_id, {"emailpassword", "webauthn"})


def test_a_passkey_as_the_first_factor(core: Borrowed) -> None:
    ann = Holder(site_with(core, first_factors=["webauthn"]).person())
    assert ann.sign_up()["status"] == "OK"
    assert done(ann) == {"webauthn"}
    assert ann.person.visitor.call("GET", "/auth/loginmethods").get_json()["firstFactors"] == ["webauthn"]


@pytest.mark.parametrize("path", ["credential", "credential/remove"])
def test_f_09_passkeys_are_not_changed_while_a_factor_is_missing(core: Borrowed, path: str) -> None:
    ann = Holder(site_with(core).person())
    user_id = ann.sign_up()["user"]["id"]
    body = {"webauthnCredentialId": ann.key.name, **made(ann.register_options(), credential())}
    add_to_required_secondary_factors_for_user(user_id=user_id, factor_id="otp-email")
    ann.person.visitor.sign_out()
    assert ann.sign_in()["status"] == "OK"
    refused = ann.person.visitor.call("POST", f"/auth/webauthn/{path}", body)
    assert (refused.status_code, [one["id"] for one in refused.get_json()["claimValidationErrors"]]) == (
        403,
        ["st-mfa"],
    )
    assert ann.keys() == [ann.key.name]
