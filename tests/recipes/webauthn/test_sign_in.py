"""Passkeys over the routes: sign-up, sign-in, the list of passkeys, and every answer that is no success."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from contract.authenticator import NEW, PRESENT, VERIFIED, credential, encoded

import st_wsgi
from recipes.accountlinking.parts import NO_LINK, Site
from recipes.shop import WEBSITE, Borrowed, Shop, no_mail
from recipes.webauthn.parts import RP, Holder, made, passkey_site, proved
from st_wsgi import AppInfo, SuperTokens
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import multitenancy, webauthn
from st_wsgi.recipes.multitenancy import TenantConfigCreateOrUpdate
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.webauthn import Webauthn

INVALID = {"status": "INVALID_CREDENTIALS_ERROR"}
OTHER_SITE = "https://www.shop.example"
ANDROID = f"android:apk-key-hash:{encoded(bytes(32))}"


@pytest.fixture
def site(core: Borrowed) -> Site:
    return passkey_site(core, answer=NO_LINK)


@pytest.fixture
def ann(site: Site) -> Holder:
    return Holder(site.person())


def test_the_options_are_what_browsers_are_asked_for(ann: Holder) -> None:
    options = ann.register_options()
    assert {name: options[name] for name in ("status", "rp", "timeout", "attestation", "excludeCredentials")} == {
        "status": "OK",
        "rp": {"id": RP, "name": "Shop"},
        "timeout": 60_000,
        "attestation": "none",
        "excludeCredentials": [],
    }
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-8, -7, -257]
    assert options["authenticatorSelection"] == {
        "requireResidentKey": True,
        "residentKey": "required",
        "userVerification": "preferred",
    }
    assert options["user"]["name"] == options["user"]["displayName"] == ann.person.email
    assert options["expiresAt"] - options["createdAt"] == 60_000
    named = ann.register_options(email=ann.person.email, displayName="Ann")
    assert (named["user"]["name"], named["user"]["displayName"]) == (ann.person.email, "Ann")
    to_sign_in = ann.sign_in_options()
    assert sorted(to_sign_in) == [
        *("challenge", "createdAt", "expiresAt", "rpId", "status", "timeout", "userVerification"),
        "webauthnGeneratedOptionsId",
    ]
    assert (to_sign_in["rpId"], to_sign_in["userVerification"]) == (RP, "preferred")


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_sign_up_and_in_with_each_algorithm(site: Site, algorithm: int) -> None:
    ann = Holder(site.person(), credential(algorithm))
    answer = ann.sign_up()
    assert answer["status"] == "OK"
    [method] = answer["user"]["loginMethods"]
    assert (method["recipeId"], method["email"]) == ("webauthn", ann.person.email)
    assert method["webauthn"] == {"credentialIds": [ann.key.name]}
    assert ann.person.who() == answer["user"]["id"]
    ann.person.visitor = site.shop.visitor()
    again = ann.sign_in()
    assert (again["status"], again["user"]["id"]) == ("OK", answer["user"]["id"])
    assert "createdNewRecipeUser" not in again
    assert ann.person.who() == answer["user"]["id"]
    assert [event.name for event in site.events if event.recipe_id == "webauthn"] == ["signed_up", "signed_in"]


def test_an_address_that_is_taken(site: Site, ann: Holder) -> None:
    ann.sign_up()
    assert Holder(site.person(ann.person.email)).sign_up() == {"status": "EMAIL_ALREADY_EXISTS_ERROR"}
    path = "/auth/webauthn/email/exists"
    for email, exists in ((f"%20{ann.person.email.upper()}", True), (f"x{ann.person.email}", False)):
        answer = ann.person.visitor.call("GET", f"{path}?email={email}")
        assert answer.get_json() == {"status": "OK", "exists": exists}


@pytest.mark.parametrize("email", ["ann", "ann@", "", "x" * 300 + "@example.com"])
def test_an_invalid_address(ann: Holder, email: str) -> None:
    assert ann.register_options(email=email)["status"] == "INVALID_EMAIL_ERROR"


def test_a_made_up_address_is_no_first_factor(site: Site) -> None:
    fake = Holder(site.person(f"{uuid.uuid4().hex}@stfakeemail.supertokens.com"))
    assert fake.sign_up() == {"status": "EMAIL_ALREADY_EXISTS_ERROR"}
    options = fake.register_options()
    made_by_app = made(options, fake.key)
    user = webauthn.sign_up(
        webauthn_generated_options_id=made_by_app["webauthnGeneratedOptionsId"], credential=made_by_app["credential"]
    )
    assert user.status == "OK"
    assert fake.sign_in() == INVALID


#: What an authenticator or a browser may get wrong, and what sign-up answers.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "origin": ({"origin": "https://evil.example"}, "INVALID_AUTHENTICATOR_ERROR"),
    "origin on another port": ({"origin": f"{WEBSITE}:8443"}, "INVALID_AUTHENTICATOR_ERROR"),
    "relying party": ({"rp_id": "evil.example"}, "INVALID_AUTHENTICATOR_ERROR"),
    "challenge": ({"challenge": encoded(bytes(32))}, "INVALID_AUTHENTICATOR_ERROR"),
    "user not there": ({"flags": VERIFIED | NEW}, "INVALID_AUTHENTICATOR_ERROR"),
    "no challenge": ({"challenge": ...}, "INVALID_CREDENTIALS_ERROR"),
    "no origin": ({"origin": ...}, "INVALID_CREDENTIALS_ERROR"),
}


@pytest.mark.parametrize("wrong", [*WRONG, "type", "key of another algorithm"])
def test_a_sign_up_that_does_not_match_the_options(site: Site, ann: Holder, wrong: str) -> None:
    told, status = WRONG.get(wrong, ({"type": "webauthn.get"}, "INVALID_AUTHENTICATOR_ERROR"))
    if wrong == "key of another algorithm":
        told, status = {"attested": bytes(18)}, "INVALID_CREDENTIALS_ERROR"
    answer = ann.sign_up(**told)
    assert answer["status"] == status
    assert set(answer) <= {"status", "reason"}
    assert ann.person.who() is None
    assert ann.sign_in() == INVALID


@pytest.mark.parametrize("wrong", [*WRONG, "type", "signature", "another key"])
def test_a_sign_in_that_does_not_match_the_options(site: Site, ann: Holder, wrong: str) -> None:
    """The browser learns nothing but that; the reason is in the security event."""
    ann.sign_up()
    ann.person.visitor = site.shop.visitor()
    more: dict[str, dict[str, Any]] = {"type": {"type": "webauthn.create"}, "signature": {"spoilt": True}}
    told = dict(WRONG[wrong][0] if wrong in WRONG else more.get(wrong, {}))
    if "flags" in told:
        told["flags"] = VERIFIED
    key = ann.key
    if wrong == "another key":
        ann.key = credential()
        ann.key.id = key.id
    assert ann.sign_in(**told) == INVALID
    assert ann.person.who() is None
    failed = [event for event in site.events if event.name == "sign_in_failed"]
    assert [event.recipe_id for event in failed] == ["webauthn"]
    ann.key = key
    assert ann.sign_in()["status"] == "OK"


def test_a_counter_that_does_not_go_up_is_that_of_a_copy(ann: Holder) -> None:
    ann.sign_up()
    assert ann.sign_in(counter=7)["status"] == "OK"
    assert ann.sign_in(counter=7) == INVALID
    assert ann.sign_in(counter=6) == INVALID
    assert ann.sign_in(counter=8)["status"] == "OK"


def test_a_proof_is_good_once(ann: Holder) -> None:
    ann.sign_up()
    options = ann.sign_in_options()
    body = proved(options, ann.key)
    assert ann.send("/auth/webauthn/signin", body)["status"] == "OK"
    assert ann.send("/auth/webauthn/signin", body) == INVALID
    again = made(ann.register_options(email="other@example.com"), ann.key)
    assert ann.send("/auth/webauthn/signup", again) == INVALID  # a passkey that is registered already


def test_f_14_a_proof_is_sent_to_the_core_once_in_a_request(site: Site, ann: Holder) -> None:
    ann.sign_up()
    site.core.calls.clear()
    assert ann.sign_in()["status"] == "OK"
    assert site.core.calls.count("POST /public/recipe/webauthn/signin") == 1


def test_options_that_are_not_there_or_of_another_kind(ann: Holder) -> None:
    ann.sign_up()
    unknown = {"webauthnGeneratedOptionsId": str(uuid.uuid4())}
    to_register, to_sign_in = ann.register_options(), ann.sign_in_options()
    assert ann.sign_up({**to_register, **unknown}) == {"status": "OPTIONS_NOT_FOUND_ERROR"}
    assert ann.sign_in({**to_sign_in, **unknown}) == INVALID
    assert ann.sign_up(to_sign_in) == {"status": "INVALID_OPTIONS_ERROR"}
    assert ann.add(credential(), {**to_register, **unknown}) == {"status": "OPTIONS_NOT_FOUND_ERROR"}
    assert ann.add(credential(), to_sign_in) == {"status": "INVALID_OPTIONS_ERROR"}


def test_options_that_expired(timed_core: Borrowed, clock: Any) -> None:
    site = passkey_site(timed_core, answer=NO_LINK)
    ann = Holder(site.person())
    first = ann.register_options()
    clock.wait(61)
    assert ann.sign_up(first) == {"status": "INVALID_OPTIONS_ERROR"}
    assert ann.sign_up()["status"] == "OK"
    to_sign_in = ann.sign_in_options()
    clock.wait(61)
    assert ann.sign_in(to_sign_in) == INVALID
    assert [event.reason for event in site.events if event.name == "sign_in_failed"] == ["INVALID_OPTIONS_ERROR"]


def test_options_of_another_tenant(core: Borrowed, site: Site, ann: Holder) -> None:
    tenant = f"t{uuid.uuid4().hex}"
    multitenancy.create_or_update_tenant(
        tenant_id=tenant, config=TenantConfigCreateOrUpdate(first_factors=["webauthn"])
    )
    there = ann.send(f"/auth/{tenant}/webauthn/options/register", {"email": ann.person.email})
    assert ann.sign_up(there) == {"status": "OPTIONS_NOT_FOUND_ERROR"}
    assert ann.send(f"/auth/{tenant}/webauthn/signup", made(there, ann.key))["status"] == "OK"
    assert ann.keys() == [ann.key.name]
    spare = credential()
    more = ann.send(f"/auth/{tenant}/webauthn/options/register", {"email": ann.person.email})
    assert ann.add(spare, more) == {"status": "OK"}
    # The core finds passkeys in all tenants: their users are none of this one.
    ann.person.visitor = site.shop.visitor()
    assert ann.sign_in() == INVALID
    to_sign_in = ann.send(f"/auth/{tenant}/webauthn/options/signin", {})
    assert ann.send(f"/auth/{tenant}/webauthn/signin", proved(to_sign_in, ann.key))["status"] == "OK"


def test_a_tenant_without_passkeys(site: Site, ann: Holder) -> None:
    tenant = f"t{uuid.uuid4().hex}"
    config = TenantConfigCreateOrUpdate(first_factors=["emailpassword"])
    multitenancy.create_or_update_tenant(tenant_id=tenant, config=config)
    options = ann.send(f"/auth/{tenant}/webauthn/options/register", {"email": ann.person.email})
    answer = ann.person.visitor.call("POST", f"/auth/{tenant}/webauthn/signup", made(options, ann.key))
    assert answer.status_code == 401
    listed = ann.person.visitor.call("GET", f"/auth/{tenant}/loginmethods").get_json()
    assert listed["webauthn"] == {"enabled": False}
    assert ann.person.visitor.call("GET", "/auth/loginmethods").get_json()["webauthn"] == {"enabled": True}


class TestPasskeys:
    """The passkeys of a user."""

    def test_more_are_added_listed_and_removed(self, site: Site, ann: Holder) -> None:
        ann.sign_up()
        spare = credential(-8)
        assert ann.add(spare) == {"status": "OK"}
        assert ann.keys() == [ann.key.name, spare.name]
        listed = ann.person.visitor.call("GET", "/auth/webauthn/credential/list").get_json()["credentials"]
        assert all(
            set(one) == {"webauthnCredentialId", "relyingPartyId", "recipeUserId", "createdAt"} for one in listed
        )
        assert Holder(ann.person, spare).sign_in()["status"] == "OK"
        assert ann.remove(ann.key) == {"status": "OK"}
        assert ann.keys() == [spare.name]
        assert ann.sign_in() == INVALID
        names = [event.name for event in site.events if event.name.startswith("passkey")]
        assert names == ["passkey_added", "passkey_removed"]

    def test_the_last_one_is_removed_and_another_one_added(self, site: Site, ann: Holder) -> None:
        """The core then shows one passkey that is null."""
        user_id = ann.sign_up()["user"]["id"]
        assert ann.remove(ann.key) == {"status": "OK"}
        assert ann.keys() == []
        user = st_wsgi.get_user(user_id=user_id)
        assert user is not None
        assert (user.webauthn.credential_ids, user.emails) == ((), (ann.person.email,))
        spare = credential()
        assert ann.add(spare) == {"status": "OK"}
        assert Holder(ann.person, spare).sign_in()["status"] == "OK"

    def test_those_of_others_are_neither_seen_nor_touched(self, site: Site, ann: Holder) -> None:
        eve = Holder(site.person())
        ann.sign_up()
        eve_id = eve.sign_up()["user"]["id"]
        assert eve.keys() == [eve.key.name]
        assert eve.remove(ann.key) == {"status": "CREDENTIAL_NOT_FOUND_ERROR"}
        assert ann.add(credential(), recipeUserId=eve_id)["status"] == "REGISTER_CREDENTIAL_NOT_ALLOWED"
        assert ann.add(eve.key)["reason"].endswith("(ERR_CODE_025)")
        assert ann.sign_in()["status"] == eve.sign_in()["status"] == "OK"

    def test_options_for_another_users_address(self, site: Site, ann: Holder) -> None:
        eve = Holder(site.person())
        ann.sign_up()
        eve.sign_up()
        assert ann.add(credential(), eve.register_options()) == {"status": "INVALID_OPTIONS_ERROR"}

    def test_what_cannot_be_added(self, ann: Holder) -> None:
        ann.sign_up()
        options = ann.register_options()
        body = made(options, credential(), origin="https://evil.example")
        answer = ann.send("/auth/webauthn/credential", body)
        assert (answer["status"], answer["reason"][-14:]) == ("REGISTER_CREDENTIAL_NOT_ALLOWED", "(ERR_CODE_026)")

    def test_a_user_with_a_password_alone_cannot_register_a_passkey(self, site: Site) -> None:
        ann = Holder(site.person())
        ann.person.sign_up()
        answer = ann.add(ann.key)
        assert (answer["status"], answer["reason"][-14:]) == ("REGISTER_CREDENTIAL_NOT_ALLOWED", "(ERR_CODE_007)")
        assert ann.keys() == []

    @pytest.mark.parametrize("path", ["credential/list", "credential", "credential/remove"])
    def test_f_05_a_revoked_session_gets_401(self, site: Site, ann: Holder, path: str) -> None:
        method = "GET" if path.endswith("list") else "POST"
        assert ann.person.visitor.call(method, f"/auth/webauthn/{path}", {}).status_code == 401
        ann.sign_up()
        thief = ann.person.visitor.snapshot()
        ann.person.visitor.sign_out()
        spare = made(ann.register_options(), credential())
        body = None if method == "GET" else {"webauthnCredentialId": ann.key.name, **spare}
        assert thief.visit().status_code == 200  # the access token alone would still do
        assert thief.call(method, f"/auth/webauthn/{path}", body).status_code == 401


class TestOrigins:
    """Several websites share the passkeys of one domain."""

    @pytest.mark.parametrize("origin", [WEBSITE, OTHER_SITE, ANDROID])
    def test_each_configured_origin(self, core: Borrowed, origin: str) -> None:
        site = passkey_site(core, get_origin=[WEBSITE, OTHER_SITE, ANDROID])
        site.shop.origin = origin
        ann = Holder(site.person())
        assert ann.sign_up(origin=origin)["status"] == "OK"
        assert ann.sign_in(origin=origin)["status"] == "OK"
        other = next(one for one in (WEBSITE, OTHER_SITE) if one != origin)
        assert ann.sign_in(origin=other) == INVALID

    @pytest.mark.parametrize("told", [None, "https://evil.example", "null"])
    def test_a_page_of_another_origin_gets_the_first_origin(self, core: Borrowed, told: str | None) -> None:
        site = passkey_site(core, get_origin=[OTHER_SITE, WEBSITE])
        site.shop.origin = told
        ann = Holder(site.person())
        assert ann.sign_up(origin="https://evil.example")["status"] == "INVALID_AUTHENTICATOR_ERROR"
        assert ann.sign_up(origin=OTHER_SITE)["status"] == "OK"

    def test_functions_of_tenant_and_request(self, core: Borrowed) -> None:
        asked: list[tuple[str, str | None]] = []

        def origin(tenant_id: str, context: Any) -> str:
            asked.append((tenant_id, context.header("x-site")))
            return OTHER_SITE

        site = passkey_site(
            core,
            get_origin=origin,
            get_relying_party_id=lambda tenant_id, context: "www.shop.example",
            get_relying_party_name=lambda tenant_id, context: f"Shop of {tenant_id}",
        )
        ann = Holder(site.person())
        answer = ann.person.visitor.call(
            "POST", "/auth/webauthn/options/register", {"email": ann.person.email}, headers={"x-site": "www"}
        )
        options = answer.get_json()
        assert options["rp"] == {"id": "www.shop.example", "name": "Shop of public"}
        assert asked == [("public", "www")]
        assert ann.sign_up(options, origin=OTHER_SITE, rp_id="www.shop.example")["status"] == "OK"

    def test_a_function_that_returns_an_unusable_origin(self, core: Borrowed) -> None:
        site = passkey_site(core, get_origin=lambda tenant_id, context: "https://shop.elsewhere.example")
        assert Holder(site.person()).register_options() == {"status": "INVALID_OPTIONS_ERROR"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"get_relying_party_id": "api.shop.example"}, "browsers make no passkeys for api.shop.example"),
        ({}, "browsers make no passkeys for api.shop.example on https://shop.example"),
        ({"get_relying_party_id": "op.example"}, "browsers make no passkeys for op.example"),
        ({"get_relying_party_id": RP, "get_origin": "https://evilshop.example"}, "browsers make no passkeys"),
        ({"get_relying_party_id": RP, "get_origin": []}, "get_origin must be a list of origins"),
        ({"get_relying_party_id": RP, "get_origin": 7}, "get_origin must be"),
        ({"get_relying_party_id": RP, "get_origin": [7]}, "get_origin must be"),
        ({"get_relying_party_id": ""}, "get_relying_party_id must be a text, or a function"),
        ({"get_relying_party_id": 7}, "get_relying_party_id must be a text, or a function"),
        ({"get_relying_party_id": RP, "get_relying_party_name": 7}, "get_relying_party_name must be a text"),
        ({"get_relying_party_id": RP, "validate_email_address": "x"}, "validate_email_address must be a function"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SuperTokens(
            app_info=AppInfo(app_name="Shop", api_domain="https://api.shop.example", website_domain=WEBSITE),
            core="sqlite://",
            recipes=[Webauthn(email_delivery=no_mail, **settings), Session()],
            allow_in_memory_core=True,
        ).close()


def test_a_setting_that_returns_no_text_is_a_500(core: Borrowed) -> None:
    recipe = Webauthn(email_delivery=no_mail, get_relying_party_id=lambda _tenant, _context: "")
    shop = Shop(core, recipes=[recipe])
    with pytest.raises(ConfigError, match="get_relying_party_id must return a text"):
        webauthn.sign_in_options()
    assert shop.visitor().call("POST", "/auth/webauthn/options/signin").status_code == 500


@pytest.mark.parametrize("path", ["signup", "signin", "credential", "reset"])
@pytest.mark.parametrize(
    "change",
    [
        {"webauthnGeneratedOptionsId": None},
        {"webauthnGeneratedOptionsId": 7},
        {"credential": None},
        {"credential": "x"},
        {"credential": []},
        {"credential": {}},
        {"credential": {"id": "x", "type": "public-key"}},
        {"credential": {"id": 7, "type": "public-key", "response": {}}},
        {"credential": {"id": "x", "type": None, "response": {}}},
    ],
)
def test_malformed_bodies_get_400(ann: Holder, path: str, change: dict[str, Any]) -> None:
    ann.sign_up()
    body = {"token": "x", **made(ann.register_options(), credential()), **change}
    where = "/auth/user/webauthn/reset" if path == "reset" else f"/auth/webauthn/{path}"
    answer = ann.person.visitor.call("POST", where, body)
    assert (answer.status_code, list(answer.get_json())) == (400, ["message"])


@pytest.mark.parametrize("path", ["signup", "signin"])
@pytest.mark.parametrize(
    "response",
    [{}, {"clientDataJSON": 7}, {"clientDataJSON": "!"}, {"clientDataJSON": "e30", "attestationObject": None}],
)
def test_an_answer_that_cannot_be_read(ann: Holder, path: str, response: dict[str, Any]) -> None:
    ann.sign_up()
    options = ann.register_options(email=f"x{ann.person.email}") if path == "signup" else ann.sign_in_options()
    sent = made(options, credential() if path == "signup" else ann.key)
    sent["credential"]["response"] = response
    assert ann.send(f"/auth/webauthn/{path}", sent)["status"] == "INVALID_CREDENTIALS_ERROR"


def test_user_verification_is_preferred_and_not_required(site: Site, ann: Holder) -> None:
    assert ann.sign_up(flags=PRESENT | NEW)["status"] == "OK"
    assert ann.sign_in(flags=PRESENT)["status"] == "OK"
