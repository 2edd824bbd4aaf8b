"""The official Python SDK's functions for codes, providers, links, factors, passkeys and tenants on our core."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from contract.authenticator import ORIGIN, RP, asserted, created, credential
from contract.logins import phone
from contract.test_totp import LONG, code, wrong

from sdks.conftest import API_KEY, HERE
from sdks.installs import python_environment
from sdks.peers import Peer, PeerError, running

pytestmark = pytest.mark.exhaustive  # like all tests of the SDK for Python: see conftest.py

TENANT: dict[str, str] = {"tenant_id": "public"}
NOT_THE_CODE = "never"
NO_DEVICE = base64.b64encode(bytes(32)).decode()


@pytest.fixture(scope="module")
def peer(core_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """The SDK with its recipes beside e-mail and password."""
    command = [str(python_environment(HERE)), str(HERE / "python_factors.py"), core_url]
    with running(command, tmp_path_factory.mktemp("factors") / "errors.log", api_key=API_KEY) as peer:
        yield peer


def address(word: str = "user") -> str:
    """Return an address that no user has."""
    return f"{word}-{uuid.uuid4().hex}@example.com"


def social(peer: Peer, email: str, account: str | None = None, *, verified: bool = False, **more: Any) -> Any:
    """Sign a provider's account in or up."""
    return peer.call(
        "thirdparty.manually_create_or_update_user",
        **{**TENANT, **more},
        third_party_id="google",
        third_party_user_id=account or uuid.uuid4().hex,
        email=email,
        is_verified=verified,
    )


def typed(made: dict[str, Any], user_input_code: str | None = None) -> dict[str, str]:
    """Return what a client sends when the code was typed in."""
    names = {**TENANT, **{name: made[name] for name in ("pre_auth_session_id", "device_id", "user_input_code")}}
    return names if user_input_code is None else {**names, "user_input_code": user_input_code}


def test_codes(peer: Peer) -> None:
    """A code is made, made again for its device, listed, guessed, looked at and used once."""
    email = address()
    first = peer.call("passwordless.create_code", **TENANT, email=email)
    again = peer.call("passwordless.create_new_code_for_device", **TENANT, device_id=first["device_id"])
    assert again["status"] == "CreateNewCodeForDeviceOkResult"
    assert again["pre_auth_session_id"] == first["pre_auth_session_id"]
    doubled = peer.call(
        "passwordless.create_new_code_for_device",
        **TENANT,
        device_id=first["device_id"],
        user_input_code=first["user_input_code"],
    )
    assert doubled["status"] == "CreateNewCodeForDeviceUserInputCodeAlreadyUsedError"
    unknown = peer.call("passwordless.create_new_code_for_device", **TENANT, device_id=NO_DEVICE)
    assert unknown["status"] == "CreateNewCodeForDeviceRestartFlowError"

    (listed,) = peer.call("passwordless.list_codes_by_email", **TENANT, email=email)
    # This version of the SDK reads no codes out of the core's answer.
    shown = {"pre_auth_session_id": first["pre_auth_session_id"], "failed_code_input_attempt_count": 0, "codes": []}
    assert listed == {"status": "DeviceType", **shown, "email": email, "phone_number": None}
    device, name = first["device_id"], first["pre_auth_session_id"]
    assert peer.call("passwordless.list_codes_by_device_id", **TENANT, device_id=device) == listed
    assert peer.call("passwordless.list_codes_by_pre_auth_session_id", **TENANT, pre_auth_session_id=name) == listed
    assert peer.call("passwordless.list_codes_by_pre_auth_session_id", **TENANT, pre_auth_session_id="none") is None

    attempts = {"failed_code_input_attempt_count": 1, "maximum_code_input_attempts": 5}
    checked = peer.call("passwordless.check_code", **typed(first, NOT_THE_CODE))
    assert checked == {"status": "CheckCodeIncorrectUserInputCodeError", **attempts}
    guessed = peer.call("passwordless.consume_code", **typed(first, NOT_THE_CODE))
    assert guessed == {
        "status": "ConsumeCodeIncorrectUserInputCodeError",
        **attempts,
        "failed_code_input_attempt_count": 2,
    }
    checked = peer.call("passwordless.check_code", **typed(first))
    assert (checked["status"], checked["consumed_device"]["email"]) == ("OK", email)
    into = peer.call("passwordless.consume_code", **typed(first))
    assert (into["status"], into["created_new_recipe_user"]) == ("ConsumeCodeOkResult", True)
    assert into["user"]["emails"] == [email]
    assert into["user"]["loginMethods"][0]["verified"] is True
    assert into["consumed_device"]["failed_code_input_attempt_count"] == 2
    assert peer.call("passwordless.consume_code", **typed(first))["status"] == "ConsumeCodeRestartFlowError"
    assert peer.call("passwordless.check_code", **typed(first))["status"] == "CheckCodeRestartFlowError"


def test_codes_are_revoked(peer: Peer) -> None:
    """One code is revoked, or all of an address or a number."""
    email, number = address(), phone()
    first, second = (peer.call("passwordless.create_code", **TENANT, email=email) for _ in range(2))
    assert peer.call("passwordless.revoke_code", **TENANT, code_id=first["code_id"])["status"] == "RevokeCodeOkResult"
    (left,) = peer.call("passwordless.list_codes_by_email", **TENANT, email=email)
    assert left["pre_auth_session_id"] == second["pre_auth_session_id"]
    assert peer.call("passwordless.check_code", **typed(first))["status"] == "CheckCodeRestartFlowError"
    assert peer.call("passwordless.check_code", **typed(second))["status"] == "OK"
    gone = peer.call("passwordless.revoke_all_codes", **TENANT, email=email)
    assert gone["status"] == "RevokeAllCodesOkResult"
    assert peer.call("passwordless.list_codes_by_email", **TENANT, email=email) == []
    own = peer.call("passwordless.create_code", **TENANT, phone_number=number, user_input_code="2468")
    assert own["user_input_code"] == "2468"
    (listed,) = peer.call("passwordless.list_codes_by_phone_number", **TENANT, phone_number=number)
    assert listed["phone_number"] == number
    peer.call("passwordless.revoke_all_codes", **TENANT, phone_number=number)
    assert peer.call("passwordless.list_codes_by_phone_number", **TENANT, phone_number=number) == []


def test_links_and_contacts(peer: Peer) -> None:
    """A link signs in; a user gains and loses an address and a number, but keeps one of them."""
    email, number = address(), phone()
    link = urlsplit(peer.call("passwordless.create_magic_link", **TENANT, email=email, phone_number=None))
    (name,) = parse_qs(link.query)["preAuthSessionId"]
    clicked = {**TENANT, "pre_auth_session_id": name, "link_code": link.fragment}
    assert peer.call("passwordless.check_code", **clicked)["consumed_device"]["email"] == email
    user = peer.call("passwordless.consume_code", **clicked)["user"]
    again = peer.call("passwordless.signinup", **TENANT, email=email, phone_number=None)
    assert (again["created_new_recipe_user"], again["user"]) == (False, user)
    other = peer.call("passwordless.signinup", **TENANT, email=None, phone_number=number)
    assert (other["created_new_recipe_user"], other["user"]["phoneNumbers"]) == (True, [number])

    def update(**change: str) -> Any:
        return peer.call("passwordless.update_user", **{"recipe_user_id": user["id"], **change})["status"]

    assert update(phone_number=number) == "UpdateUserPhoneNumberAlreadyExistsError"
    assert update(phone_number=phone()) == "UpdateUserOkResult"
    taken = address()
    peer.call("passwordless.signinup", **TENANT, email=taken, phone_number=None)
    assert update(email=taken) == "UpdateUserEmailAlreadyExistsError"
    assert update(email=address()) == "UpdateUserOkResult"
    assert update(recipe_user_id=str(uuid.uuid4()), email=address()) == "UpdateUserUnknownUserIdError"
    removed = peer.call("passwordless.delete_email_for_user", recipe_user_id=user["id"])
    assert removed["status"] == "UpdateUserOkResult"
    with pytest.raises(PeerError, match="cannot clear both email and phone number"):
        peer.call("passwordless.delete_phone_number_for_user", recipe_user_id=user["id"])
    assert update(email=email) == "UpdateUserOkResult"
    removed = peer.call("passwordless.delete_phone_number_for_user", recipe_user_id=user["id"])
    assert removed["status"] == "UpdateUserOkResult"
    back = peer.call("passwordless.signinup", **TENANT, email=email, phone_number=None)["user"]
    assert (back["id"], back["phoneNumbers"]) == (user["id"], [])


def test_accounts_of_providers(peer: Peer) -> None:
    """A provider's account signs up, and in again with another address."""
    account, first, second = uuid.uuid4().hex, address(), address()
    made = social(peer, first, account)
    assert (made["status"], made["created_new_recipe_user"]) == ("ManuallyCreateOrUpdateUserOkResult", True)
    assert made["user"]["thirdParty"] == [{"id": "google", "userId": account}]
    assert made["user"]["loginMethods"][0]["verified"] is False
    again = social(peer, second, account, verified=True)
    assert (again["created_new_recipe_user"], again["user"]["id"]) == (False, made["user"]["id"])
    assert again["user"]["emails"] == [second]
    assert again["user"]["loginMethods"][0]["verified"] is True
    peer.call("accountlinking.create_primary_user", recipe_user_id=made["user"]["id"])
    taken = social(peer, first)
    peer.call("accountlinking.create_primary_user", recipe_user_id=taken["recipe_user_id"])
    assert social(peer, first, account)["status"] == "EmailChangeNotAllowedError"


def test_linked_accounts(peer: Peer) -> None:
    """A user becomes primary, another is linked and unlinked, and every clash has its status."""
    email = address()
    one, same, other = (social(peer, where)["recipe_user_id"] for where in (email, email, address()))

    def primary(name: str, user_id: str) -> Any:
        return peer.call(f"accountlinking.{name}", recipe_user_id=user_id)

    def link(name: str, user_id: str, primary_user_id: str) -> Any:
        return peer.call(f"accountlinking.{name}", recipe_user_id=user_id, primary_user_id=primary_user_id)

    can = {"status": "OK", "was_already_a_primary_user": False}
    assert primary("can_create_primary_user", one) == can
    assert link("link_accounts", other, one)["status"] == "INPUT_USER_IS_NOT_A_PRIMARY_USER"
    made = primary("create_primary_user", one)
    assert (made["status"], made["user"]["isPrimaryUser"]) == ("OK", True)
    assert primary("create_primary_user", one)["was_already_a_primary_user"] is True
    clash = "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
    for name in ("can_create_primary_user", "create_primary_user"):
        answer = primary(name, same)
        assert (answer["status"], answer["primary_user_id"]) == (clash, one)

    assert link("can_link_accounts", other, one) == {"status": "OK", "accounts_already_linked": False}
    linked = link("link_accounts", other, one)
    assert (linked["status"], linked["accounts_already_linked"]) == ("OK", False)
    assert {method["recipeUserId"] for method in linked["user"]["loginMethods"]} == {one, other}
    assert link("link_accounts", other, one)["accounts_already_linked"] is True
    already = primary("create_primary_user", other)
    assert already["status"] == "RECIPE_USER_ID_ALREADY_LINKED_WITH_PRIMARY_USER_ID_ERROR"
    assert already["primary_user_id"] == one
    third = social(peer, address())["recipe_user_id"]
    primary("create_primary_user", third)
    # This version of the SDK raises for the same status of can_link_accounts.
    answer = link("link_accounts", other, third)
    assert answer["status"] == "RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
    for name in ("can_link_accounts", "link_accounts"):
        answer = link(name, same, third)
        assert (answer["status"], answer["primary_user_id"]) == (clash, one)

    gone = {"status": "OK", "was_recipe_user_deleted": False, "was_linked": True}
    assert primary("unlink_account", other) == gone
    assert primary("unlink_account", other)["was_linked"] is False


def test_accounts_link_themselves(peer: Peer) -> None:
    """Accounts with the same verified address become one user, and nobody else gets in with it."""
    email = address("auto")
    first = social(peer, email, verified=True)
    assert first["user"]["isPrimaryUser"] is True
    second = peer.call("passwordless.signinup", **TENANT, email=email, phone_number=None)
    assert (second["created_new_recipe_user"], second["user"]["id"]) == (True, first["user"]["id"])
    assert len(second["user"]["loginMethods"]) == 2

    def allowed(name: str, **more: Any) -> Any:
        return peer.call(f"accountlinking.{name}", **more)

    stranger = {"recipe_id": "emailpassword", "email": email}
    assert allowed("is_sign_up_allowed", **TENANT, new_user=stranger, is_verified=False) is False
    assert allowed("is_sign_up_allowed", **TENANT, new_user=stranger, is_verified=True) is True
    assert allowed("is_sign_in_allowed", **TENANT, recipe_user_id=second["recipe_user_id"]) is True
    other = social(peer, address("auto"), verified=True)["recipe_user_id"]
    change = {"recipe_user_id": other, "new_email": email}
    assert allowed("is_email_change_allowed", **change, is_verified=True) is False
    change["new_email"] = address("auto")
    assert allowed("is_email_change_allowed", **change, is_verified=True) is True

    by_code = {**TENANT, "recipe_user_id": second["recipe_user_id"]}
    assert allowed("unlink_account", recipe_user_id=by_code["recipe_user_id"])["was_linked"] is True
    found = allowed("get_primary_user_that_can_be_linked_to_recipe_user_id", **by_code)
    assert found["id"] == first["user"]["id"]
    joined = allowed("create_primary_user_id_or_link_accounts", **by_code)
    assert (joined["id"], len(joined["loginMethods"])) == (first["user"]["id"], 2)


def test_totp(peer: Peer) -> None:
    """A device is made, verified, listed, renamed, used and removed; guessing ends after a few attempts."""
    email = address()
    user_id = peer.call("passwordless.signinup", **TENANT, email=email, phone_number=None)["user"]["id"]
    own = {"user_id": user_id}
    made = peer.call("totp.create_device", **own, device_name="phone", skew=1, period=LONG)
    assert made["status"] == "OK"
    assert made["secret"] in made["qr_code_string"]
    failed = {
        "status": "INVALID_TOTP_ERROR",
        "current_number_of_failed_attempts": 1,
        "max_number_of_failed_attempts": 5,
    }
    phone_of_user = {**TENANT, **own, "device_name": "phone"}
    assert peer.call("totp.verify_device", **phone_of_user, totp=wrong(made["secret"])) == failed
    verified = peer.call("totp.verify_device", **phone_of_user, totp=code(made["secret"]))
    assert verified == {"status": "OK", "was_already_verified": False}
    more = peer.call("totp.create_device", **own)
    assert (more["status"], more["device_name"]) == ("OK", "TOTP Device 1")
    renamed = {**own, "existing_device_name": more["device_name"], "new_device_name": "phone"}
    assert peer.call("totp.update_device", **renamed)["status"] == "DEVICE_ALREADY_EXISTS_ERROR"
    assert peer.call("totp.remove_device", **own, device_name=more["device_name"])["did_device_exist"] is True
    unknown = peer.call("totp.verify_device", **{**phone_of_user, "device_name": "none"}, totp="123456")
    assert unknown["status"] == "UNKNOWN_DEVICE_ERROR"
    renamed = {**own, "existing_device_name": "phone", "new_device_name": "watch"}
    assert peer.call("totp.update_device", **renamed)["status"] == "OK"
    assert peer.call("totp.update_device", **renamed)["status"] == "UNKNOWN_DEVICE_ERROR"
    (device,) = peer.call("totp.list_devices", **own)["devices"]
    assert (device["name"], device["period"], device["skew"], device["verified"]) == ("watch", LONG, 1, True)
    ready = peer.call("multifactorauth.get_factors_setup_for_user", **own)
    assert sorted(ready) == ["link-email", "otp-email", "totp"]

    used = {**TENANT, **own, "totp": code(made["secret"], 1)}
    assert peer.call("totp.verify_totp", **used)["status"] == "OK"
    guesses = [peer.call("totp.verify_totp", **{**used, "totp": wrong(made["secret"])}) for _ in range(6)]
    assert [guess["status"] for guess in guesses[:5]] == ["INVALID_TOTP_ERROR"] * 5
    assert guesses[5]["status"] == "LIMIT_REACHED_ERROR"
    assert guesses[5]["retry_after_ms"] > 0
    gone = {"status": "OK", "did_device_exist": True}
    assert peer.call("totp.remove_device", **own, device_name="watch") == gone
    assert peer.call("totp.remove_device", **own, device_name="watch")["did_device_exist"] is False
    assert peer.call("totp.verify_totp", **used)["status"] == "UNKNOWN_USER_ID_ERROR"


def test_factors_that_a_user_needs(peer: Peer) -> None:
    """Factors are required of one user, and then are not."""
    own = {"user_id": social(peer, address())["user"]["id"]}
    needed = "multifactorauth.get_required_secondary_factors_for_user"
    assert peer.call(needed, **own) == []
    peer.call("multifactorauth.add_to_required_secondary_factors_for_user", **own, factor_id="totp")
    assert peer.call(needed, **own) == ["totp"]
    peer.call("multifactorauth.remove_from_required_secondary_factors_for_user", **own, factor_id="totp")
    assert peer.call(needed, **own) == []


def asked(peer: Peer, name: str, **more: object) -> dict[str, Any]:
    """Return options for a browser."""
    place = {"relying_party_id": RP, "relying_party_name": "Example", "origin": ORIGIN, "timeout": 60_000}
    options: dict[str, Any] = peer.call(f"webauthn.{name}", **place, user_presence=True, **more)
    assert options["status"] == "OK"
    return options


def answered(options: dict[str, Any], sent: dict[str, Any], **more: object) -> dict[str, Any]:
    """Return what a function takes with a credential."""
    return {"webauthn_generated_options_id": options["webauthn_generated_options_id"], "credential": sent, **more}


def test_passkeys(peer: Peer) -> None:
    """A user signs up and in, adds a passkey, changes the address and loses a passkey."""
    email, own, second = address(), credential(), credential()
    options = asked(peer, "register_options", email=email)
    assert (options["rp"]["id"], options["user"]["name"]) == (RP, email)
    up = peer.call("webauthn.sign_up", **answered(options, created(options, own)))
    assert (up["status"], up["user"]["webauthn"]) == ("OK", {"credentialIds": [own.name]})
    user_id = up["recipe_user_id"]
    options = asked(peer, "sign_in_options")
    named = {"webauthn_generated_options_id": options["webauthn_generated_options_id"]}
    shown = peer.call("webauthn.get_generated_options", **named)
    assert (shown["status"], shown["origin"], shown["challenge"]) == ("OK", ORIGIN, options["challenge"])
    into = peer.call("webauthn.sign_in", **answered(options, asserted(options, own)))
    assert (into["status"], into["user"]) == ("OK", up["user"])
    options = asked(peer, "sign_in_options")
    shaken = peer.call("webauthn.verify_credentials", **answered(options, asserted(options, own)))
    assert shaken["status"] == "OK"
    options = asked(peer, "sign_in_options")
    spoilt = peer.call("webauthn.verify_credentials", **answered(options, asserted(options, own, spoilt=True)))
    assert spoilt["status"] == "INVALID_AUTHENTICATOR_ERROR"
    options = asked(peer, "sign_in_options")
    named = {"webauthn_generated_options_id": options["webauthn_generated_options_id"]}
    assert peer.call("webauthn.remove_generated_options", **named)["status"] == "OK"
    assert peer.call("webauthn.get_generated_options", **named)["status"] == "OPTIONS_NOT_FOUND_ERROR"

    options = asked(peer, "register_options", email=email)
    more = answered(options, created(options, second), recipe_user_id=user_id)
    assert peer.call("webauthn.register_credential", **more)["status"] == "OK"
    listed = peer.call("webauthn.list_credentials", recipe_user_id=user_id)
    assert [row["webauthn_credential_id"] for row in listed["credentials"]] == [own.name, second.name]
    one = {"recipe_user_id": user_id, "webauthn_credential_id": own.name}
    assert peer.call("webauthn.get_credential", **one)["relying_party_id"] == RP
    assert peer.call("webauthn.remove_credential", **one)["status"] == "OK"
    assert peer.call("webauthn.get_credential", **one)["status"] == "CREDENTIAL_NOT_FOUND_ERROR"
    changed = peer.call("webauthn.update_user_email", email=f"new-{email}", recipe_user_id=user_id)
    assert changed["status"] == "OK"

    options = asked(peer, "register_options", email=email)
    made = peer.call("webauthn.create_new_recipe_user", **answered(options, created(options, credential())))
    assert made["status"] == "OK"
    assert made["recipe_user_id"] != user_id


def test_lost_passkeys(peer: Peer) -> None:
    """An account is recovered with a token, which names its user and works once."""
    email, own = address(), credential()
    options = asked(peer, "register_options", email=email)
    user_id = peer.call("webauthn.sign_up", **answered(options, created(options, own)))["recipe_user_id"]
    who = {"user_id": user_id, "email": email}
    token = peer.call("webauthn.generate_recover_account_token", **who)["token"]
    assert peer.call("webauthn.get_user_from_recover_account_token", token=token)["user"]["id"] == user_id
    used = peer.call("webauthn.consume_recover_account_token", token=token)
    assert (used["status"], used["user_id"], used["email"]) == ("OK", user_id, email)
    again = peer.call("webauthn.consume_recover_account_token", token=token)
    assert again["status"] == "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR"

    assert peer.call("webauthn.create_recover_account_link", **who)["status"] == "OK"
    assert peer.call("webauthn.send_recover_account_email", **who)["status"] == "OK"
    (token,) = parse_qs(urlsplit(peer.call("links")[-1]).query)["token"]
    options = asked(peer, "register_options", recover_account_token=token)
    assert options["user"]["name"] == email
    new = credential()
    back = peer.call("webauthn.recover_account", **answered(options, created(options, new), token=token))
    assert back["status"] == "OK"
    listed = peer.call("webauthn.list_credentials", recipe_user_id=user_id)
    assert [row["webauthn_credential_id"] for row in listed["credentials"]] == [own.name, new.name]


def test_tenants(peer: Peer) -> None:
    """A tenant is made, changed, read, listed and removed."""
    tenant = {"tenant_id": f"t-{uuid.uuid4().hex[:12]}"}
    config = {"first_factors": ["otp-email", "thirdparty"], "core_config": {"email_verification_token_lifetime": 5000}}
    made = peer.call("multitenancy.create_or_update_tenant", **tenant, config=config)
    assert made == {"status": "OK", "created_new": True}
    config = {"required_secondary_factors": ["totp"]}
    again = peer.call("multitenancy.create_or_update_tenant", **tenant, config=config)
    assert again == {"status": "OK", "created_new": False}
    found = peer.call("multitenancy.get_tenant", **tenant)
    assert found["first_factors"] == ["otp-email", "thirdparty"]
    assert found["required_secondary_factors"] == ["totp"]
    assert found["core_config"]["email_verification_token_lifetime"] == 5000
    assert found in peer.call("multitenancy.list_all_tenants")["tenants"]
    assert peer.call("multitenancy.delete_tenant", **tenant) == {"status": "OK", "did_exist": True}
    assert peer.call("multitenancy.delete_tenant", **tenant) == {"status": "OK", "did_exist": False}
    assert peer.call("multitenancy.get_tenant", **tenant) is None


def test_providers_of_a_tenant(peer: Peer) -> None:
    """A tenant has providers of its own."""
    tenant = {"tenant_id": f"t-{uuid.uuid4().hex[:12]}"}
    peer.call("multitenancy.create_or_update_tenant", **tenant, config={"first_factors": ["thirdparty"]})
    assert peer.call("thirdparty.get_provider", **tenant, third_party_id="github") is None
    client = {"client_id": "some-client", "client_secret": "a-secret", "scope": ["email"]}
    config = {"third_party_id": "github", "name": "GitHub", "clients": [client]}
    for new in (True, False):
        saved = peer.call("multitenancy.create_or_update_third_party_config", **tenant, config=config)
        assert saved == {"status": "OK", "created_new": new}
    (shown,) = peer.call("multitenancy.get_tenant", **tenant)["third_party_providers"]
    assert (shown["third_party_id"], shown["clients"][0]["client_id"]) == ("github", "some-client")
    provider = peer.call("thirdparty.get_provider", **tenant, third_party_id="github")
    assert provider == {"id": "github", "client_id": "some-client"}
    for existed in (True, False):
        gone = peer.call("multitenancy.delete_third_party_config", **tenant, third_party_id="github")
        assert gone == {"status": "OK", "did_config_exist": existed}


def test_users_of_tenants(peer: Peer) -> None:
    """Users join a tenant and leave it, unless somebody there is in the way."""
    tenant: dict[str, Any] = {"tenant_id": f"t-{uuid.uuid4().hex[:12]}"}
    peer.call("multitenancy.create_or_update_tenant", **tenant, config={"first_factors": None})

    def join(user_id: str) -> Any:
        return peer.call("multitenancy.associate_user_to_tenant", **tenant, recipe_user_id=user_id)

    account, email, number = uuid.uuid4().hex, address(), phone()
    user_id = social(peer, email, account)["recipe_user_id"]
    assert join(user_id) == {"status": "OK", "was_already_associated": False}
    assert join(user_id) == {"status": "OK", "was_already_associated": True}
    assert join(str(uuid.uuid4()))["status"] == "UNKNOWN_USER_ID_ERROR"
    assert set(social(peer, email, account)["user"]["tenantIds"]) == {"public", tenant["tenant_id"]}
    peer.call("accountlinking.create_primary_user", recipe_user_id=user_id)
    here = {"email": email, "phone_number": None}
    for contact, status in (
        ({"email": address(), "phone_number": None}, "EMAIL_ALREADY_EXISTS_ERROR"),
        ({"email": None, "phone_number": number}, "PHONE_NUMBER_ALREADY_EXISTS_ERROR"),
    ):
        peer.call("passwordless.signinup", **tenant, **contact)
        there = peer.call("passwordless.signinup", **TENANT, **contact)["recipe_user_id"]
        assert join(there)["status"] == status
    double = uuid.uuid4().hex
    social(peer, address(), double, **tenant)
    assert join(social(peer, address(), double)["recipe_user_id"])["status"] == "THIRD_PARTY_USER_ALREADY_EXISTS_ERROR"
    left = peer.call("multitenancy.disassociate_user_from_tenant", **TENANT, recipe_user_id=user_id)
    assert left == {"status": "OK", "was_associated": True}
    stranger = peer.call("passwordless.signinup", **TENANT, **here)["recipe_user_id"]
    peer.call("accountlinking.create_primary_user", recipe_user_id=stranger)
    assert join(stranger)["status"] == "ASSOCIATION_NOT_ALLOWED_ERROR"
    left = peer.call("multitenancy.disassociate_user_from_tenant", **tenant, recipe_user_id=stranger)
    assert left == {"status": "OK", "was_associated": False}
