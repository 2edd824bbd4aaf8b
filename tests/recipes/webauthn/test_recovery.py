"""Users who lost their passkeys: the mail, its token, the new passkey, and what must not work (FDI, F-10 to F-13)."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from contract.authenticator import credential

import st_wsgi
from recipes.accountlinking.parts import LINK, LINK_VERIFIED, NO_LINK, Person, Site, support_code
from recipes.shop import PASSWORD, WEBSITE, Borrowed, Shop
from recipes.webauthn.parts import INVALID_TOKEN, RP, Holder, made, passkey_site
from st_wsgi import Override, RecipeUserId, replace
from st_wsgi.delivery import Message
from st_wsgi.recipes import accountlinking, emailpassword, emailverification as ev, multitenancy, webauthn
from st_wsgi.recipes.accountlinking import AccountsLinked
from st_wsgi.recipes.emailpassword import SignUpOk
from st_wsgi.recipes.webauthn import (
    InvalidRecoverAccountToken,
    Ok,
    RecoverAccountLink,
    RecoverAccountToken,
    UnknownUserId,
    Webauthn,
    WebauthnFunctions,
)

OK = {"status": "OK"}
INVALID_OPTIONS = {"status": "INVALID_OPTIONS_ERROR"}


@pytest.fixture
def site(core: Borrowed) -> Site:
    return passkey_site(core, answer=NO_LINK)


@pytest.fixture
def ann(site: Site) -> Holder:
    return Holder(site.person())


def anew(holder: Holder) -> Holder:
    """Return the same person at another browser, with another authenticator."""
    return Holder(holder.person.site.person(holder.person.email))


def verify(user_id: str, email: str) -> None:
    """Verify an address as its owner would by a mail."""
    token = ev.create_email_verification_token(recipe_user_id=RecipeUserId(user_id), email=email)
    assert isinstance(token, ev.VerificationToken)
    ev.verify_email_using_token(token=token.token, attempt_account_linking=False)


def test_a_new_passkey_by_mail(site: Site, ann: Holder) -> None:
    user_id = ann.sign_up()["user"]["id"]
    later = anew(ann)
    assert later.ask_for_mail(f" {ann.person.email.upper()} ") == OK
    mail = site.messages.get(timeout=20)
    assert (mail.kind, mail.to, mail.user_id) == ("RECOVER_ACCOUNT", ann.person.email, user_id)
    assert urlsplit(str(mail.link)).path == "/auth/webauthn/recover"
    site.messages.put(mail)
    token = later.token()
    options = later.register_options(recoverAccountToken=token)
    assert options["user"]["name"] == ann.person.email
    assert later.recover(token, options) == OK
    assert later.person.who() is None  # they sign in with the passkey now
    assert later.sign_in()["user"]["id"] == user_id
    user = st_wsgi.get_user(user_id=user_id)
    assert user is not None
    assert [method.verified for method in user.login_methods] == [True]
    assert later.recover(token, options) == {"status": "OPTIONS_NOT_FOUND_ERROR"}
    assert later.recover(token, later.register_options()) == INVALID_TOKEN
    assert later.register_options(recoverAccountToken=token) == INVALID_TOKEN
    names = [event.name for event in site.events if event.name in ("account_recovery_requested", "passkey_added")]
    assert names == ["account_recovery_requested", "passkey_added"]


def test_no_mail_goes_to_an_address_without_an_account(site: Site, ann: Holder) -> None:
    assert ann.ask_for_mail() == OK
    ann.person.sign_up()  # with a password, and accounts are not linked
    assert ann.ask_for_mail() == OK
    assert ann.ask_for_mail("x@stfakeemail.supertokens.com") == OK
    assert site.messages.empty()


def test_a_token_of_another_tenant(site: Site, ann: Holder) -> None:
    tenant = f"t{uuid.uuid4().hex}"
    multitenancy.create_or_update_tenant(
        tenant_id=tenant, config=multitenancy.TenantConfigCreateOrUpdate(first_factors=["webauthn"])
    )
    user_id = ann.sign_up()["user"]["id"]
    there = webauthn.generate_recover_account_token(user_id=user_id, email=ann.person.email, tenant_id=tenant)
    assert isinstance(there, RecoverAccountToken)
    assert anew(ann).recover(there.token, ann.register_options()) == INVALID_TOKEN
    multitenancy.associate_user_to_tenant(tenant_id=tenant, recipe_user_id=RecipeUserId(user_id))
    later = anew(ann)
    options = later.send(f"/auth/{tenant}/webauthn/options/register", {"recoverAccountToken": there.token})
    body = {"token": there.token, **made(options, later.key)}
    assert later.send(f"/auth/{tenant}/user/webauthn/reset", body) == OK
    assert later.sign_in()["user"]["id"] == user_id


def test_the_app_sends_the_mail_or_the_link_itself(site: Site, ann: Holder) -> None:
    user_id, email = ann.sign_up()["user"]["id"], ann.person.email
    assert webauthn.send_recover_account_email(user_id=user_id, email=email) is True
    assert site.messages.get(timeout=20).to == email
    link = webauthn.create_recover_account_link(user_id=user_id, email=email)
    assert isinstance(link, RecoverAccountLink)
    assert link.link.startswith(f"{WEBSITE}/auth/webauthn/recover?token=")
    assert webauthn.create_recover_account_link(user_id="nobody", email=email) == UnknownUserId()
    assert webauthn.send_recover_account_email(user_id="nobody", email=email) == UnknownUserId()
    token = webauthn.generate_recover_account_token(user_id=user_id, email=email)
    assert isinstance(token, RecoverAccountToken)
    later = anew(ann)
    body = made(later.register_options(), later.key)
    proof: Any = {
        "webauthn_generated_options_id": body["webauthnGeneratedOptionsId"],
        "credential": body["credential"],
    }
    assert webauthn.recover_account(token=token.token, **proof) == Ok()
    assert webauthn.recover_account(token=token.token, **proof) == InvalidRecoverAccountToken()
    assert later.sign_in()["user"]["id"] == user_id


class TestOptions:
    """F-10: the options are loaded before the token is used, and their address must be that of the token."""

    def test_unknown_ones_leave_the_token_good(self, ann: Holder) -> None:
        ann.sign_up()
        ann.ask_for_mail()
        later, token = anew(ann), ann.token()
        options = later.register_options(recoverAccountToken=token)
        unknown = {**options, "webauthnGeneratedOptionsId": str(uuid.uuid4())}
        assert later.recover(token, unknown) == {"status": "OPTIONS_NOT_FOUND_ERROR"}
        assert later.recover(token, later.sign_in_options()) == INVALID_OPTIONS
        assert later.recover(token, options) == OK

    @pytest.mark.parametrize(("spelling", "answer"), [(" {} ", OK), ("{}", OK), ("x{}", INVALID_OPTIONS)])
    def test_the_address(self, ann: Holder, spelling: str, answer: dict[str, str]) -> None:
        ann.sign_up()
        ann.ask_for_mail()
        later, email = anew(ann), spelling.format(ann.person.email.upper())
        assert later.recover(ann.token(), later.register_options(email=email)) == answer
        assert (later.sign_in()["status"] == "OK") is (answer == OK)

    @pytest.mark.parametrize(
        ("told", "status"),
        [
            ({"origin": "https://evil.example"}, "INVALID_AUTHENTICATOR_ERROR"),
            ({"challenge": ...}, "INVALID_CREDENTIALS_ERROR"),
        ],
    )
    def test_a_passkey_that_is_not_what_was_asked_for(self, ann: Holder, told: dict[str, Any], status: str) -> None:
        ann.sign_up()
        ann.ask_for_mail()
        assert anew(ann).recover(ann.token(), **told)["status"] == status
        # The session is that of a stranger who may have signed up. It has ended all the same.
        assert ann.person.visitor.call("GET", "/auth/webauthn/credential/list").status_code == 401

    def test_a_passkey_that_somebody_else_has(self, site: Site, ann: Holder) -> None:
        eve = Holder(site.person())
        eve.sign_up()
        ann.sign_up()
        ann.ask_for_mail()
        assert Holder(ann.person, eve.key).recover(ann.token()) == {"status": "INVALID_CREDENTIALS_ERROR"}


class TestSignUpIsAskedAgain:
    """F-11: a user who has no passkey yet gets one by mail only while they may sign up with it."""

    @pytest.fixture
    def linking(self, core: Borrowed) -> Site:
        return passkey_site(core, answer=LINK_VERIFIED)

    def with_password(self, site: Site) -> Holder:
        """Return somebody who has signed up with a password, and whose address is verified."""
        ann = Holder(site.person())
        ann.person.sign_up()
        ann.person.verify()
        ann.person.sign_in()
        return ann

    @pytest.mark.parametrize(("answer_then", "answer"), [(LINK_VERIFIED, OK), (LINK, OK)])
    def test_they_may(self, linking: Site, answer_then: Any, answer: dict[str, str]) -> None:
        ann = self.with_password(linking)
        user_id = ann.person.who()
        assert ann.ask_for_mail() == OK
        linking.answer = answer_then
        later, token = anew(ann), ann.token()
        assert later.recover(token) == answer
        assert later.sign_in()["user"]["id"] == user_id
        assert later.recover(token, later.register_options()) == INVALID_TOKEN

    def test_they_may_not_any_more(self, core: Borrowed, linking: Site) -> None:
        """Their address is not verified any more, so that a passkey would not be linked to their account."""
        ann = self.with_password(linking)
        user_id = ann.person.who()
        assert user_id is not None
        ann.ask_for_mail()
        token = ann.token()
        ev.unverify_email(recipe_user_id=RecipeUserId(user_id), email=ann.person.email)
        later = anew(ann)
        assert later.recover(token) == INVALID_TOKEN
        assert later.sign_in()["status"] == "INVALID_CREDENTIALS_ERROR"
        user = st_wsgi.get_user(user_id=user_id)
        assert user is not None
        assert [method.recipe_id for method in user.login_methods] == ["emailpassword"]

    def test_somebody_has_signed_up_with_a_passkey_meanwhile(self, linking: Site) -> None:
        ann = self.with_password(linking)
        ann.ask_for_mail()
        token = ann.token()
        linking.answer = NO_LINK
        assert Holder(linking.person(ann.person.email)).sign_up()["status"] == "OK"
        later = anew(ann)
        assert later.recover(token, later.register_options()) == INVALID_TOKEN

    def test_without_linking_no_mail_is_sent(self, linking: Site) -> None:
        ann = self.with_password(linking)
        linking.answer = NO_LINK
        assert ann.ask_for_mail() == OK
        assert linking.messages.empty()


class TestUnverified:
    """F-12: a stranger may have signed up with an address that was never verified. Their ways in end."""

    def test_their_sessions_and_passkeys_end_in_this_order(self, core: Borrowed) -> None:
        did: list[str] = []

        def noted(original: WebauthnFunctions) -> WebauthnFunctions:
            def register_credential(**given: Any) -> Any:
                did.append("register")
                return original.register_credential(**given)

            def remove_credential(**given: Any) -> Any:
                did.append("remove")
                return original.remove_credential(**given)

            return replace(original, register_credential=register_credential, remove_credential=remove_credential)

        site = passkey_site(core, answer=NO_LINK, override=Override(functions=noted))
        eve = Holder(site.person())
        eve.sign_up()
        spare = credential()
        eve.add(spare)
        did.clear()
        core.calls.clear()
        eve.ask_for_mail()
        owner, token = anew(eve), eve.token()
        assert owner.recover(token) == OK
        assert did == ["register", "remove", "remove"]
        order = [call.removeprefix("POST /recipe").removeprefix("POST /public/recipe") for call in core.calls]
        steps = ["/session/remove", "/webauthn/user/credential/register", "/user/email/verify"]
        places = [next(place for place, call in enumerate(order) if call.endswith(step)) for step in steps]
        assert places == sorted(places)
        assert eve.person.visitor.call("GET", "/auth/webauthn/credential/list").status_code == 401
        assert eve.sign_in()["status"] == Holder(eve.person, spare).sign_in()["status"] == "INVALID_CREDENTIALS_ERROR"
        assert owner.sign_in()["status"] == "OK"
        assert owner.keys() == [owner.key.name]

    def test_sessions_of_other_tenants_end_too(self, site: Site, ann: Holder) -> None:
        tenant = f"t{uuid.uuid4().hex}"
        config = multitenancy.TenantConfigCreateOrUpdate(first_factors=["webauthn"])
        multitenancy.create_or_update_tenant(tenant_id=tenant, config=config)
        user_id = ann.sign_up()["user"]["id"]
        multitenancy.associate_user_to_tenant(tenant_id=tenant, recipe_user_id=RecipeUserId(user_id))
        there = site.shop.signed_in(recipe_user_id=RecipeUserId(user_id), tenant_id=tenant)
        ann.ask_for_mail()
        anew(ann).recover(ann.token())
        assert there.call("GET", "/auth/webauthn/credential/list").status_code == 401

    def test_a_verified_owner_keeps_theirs(self, site: Site, ann: Holder) -> None:
        user_id = ann.sign_up()["user"]["id"]
        verify(user_id, ann.person.email)
        ann.ask_for_mail()
        later = anew(ann)
        assert later.recover(ann.token()) == OK
        assert ann.keys() == [ann.key.name, later.key.name]
        assert ann.sign_in()["status"] == "OK"

    def test_an_address_that_was_changed_after_the_mail(self, site: Site, ann: Holder) -> None:
        user_id = ann.sign_up()["user"]["id"]
        verify(user_id, ann.person.email)
        ann.ask_for_mail()
        token, options = ann.token(), ann.register_options()
        changed = webauthn.update_user_email(recipe_user_id=RecipeUserId(user_id), email=f"x{ann.person.email}")
        assert changed == Ok()
        assert anew(ann).recover(token, options) == INVALID_TOKEN

    def test_a_user_who_was_deleted_after_the_mail(self, ann: Holder) -> None:
        user_id = ann.sign_up()["user"]["id"]
        ann.ask_for_mail()
        token, options = ann.token(), ann.register_options()
        st_wsgi.delete_user(user_id=user_id)
        assert anew(ann).recover(token, options) == INVALID_TOKEN


#: whether the second login method has a passkey, whether its address is verified, whether the mail is
#: asked for by it, the answer, and whether a mail goes out
ROWS: list[tuple[bool, bool, bool, str, bool]] = [
    (True, True, False, "OK", True),
    (True, True, True, "OK", False),
    (False, True, False, "OK", True),
    (False, True, True, "OK", False),
    (True, False, False, "OK", True),
    (True, False, True, "RECOVER_ACCOUNT_NOT_ALLOWED", False),
    (False, False, True, "RECOVER_ACCOUNT_NOT_ALLOWED", False),
]


class TestWhomTheMailIsFor:
    """F-13, and who could be taken over."""

    @pytest.fixture
    def linking(self, core: Borrowed) -> Site:
        return passkey_site(core, answer=LINK_VERIFIED)

    def primary(self, site: Site, *, second: str, passkey: bool, verified: bool) -> Holder:
        """
        Return a primary user with a password, and a second address.

        :param second: that address; with a passkey or a password.
        """
        ann = Holder(site.person())
        first = emailpassword.sign_up(email=ann.person.email, password=PASSWORD)
        assert isinstance(first, SignUpOk)
        verify(first.user.id, ann.person.email)
        accountlinking.create_primary_user(recipe_user_id=first.recipe_user_id)
        other = Holder(site.person(second))
        site.answer = NO_LINK
        other_id = (other.sign_up() if passkey else other.person.sign_up())["user"]["id"]
        if verified:
            verify(other_id, second)
        linked = accountlinking.link_accounts(recipe_user_id=RecipeUserId(other_id), primary_user_id=first.user.id)
        assert isinstance(linked, AccountsLinked)
        site.answer = LINK_VERIFIED
        return ann

    @pytest.mark.parametrize("row", ROWS)
    def test_f_13_a_primary_user(self, linking: Site, row: tuple[bool, bool, bool, str, bool]) -> None:
        passkey, verified, by_second, status, sent = row
        second = f"{uuid.uuid4().hex}@second.example"
        ann = self.primary(linking, second=second, passkey=passkey, verified=verified)
        while not linking.messages.empty():
            linking.messages.get()
        answer = ann.ask_for_mail(second if by_second else None)
        assert answer["status"] == status
        assert linking.messages.empty() is not sent
        if status != "OK":
            assert support_code(answer) == ("RECOVER_ACCOUNT_NOT_ALLOWED", "ERR_CODE_001")

    def test_the_passkey_of_a_primary_user_of_one_address(self, linking: Site) -> None:
        ann = Holder(linking.person())
        linking.answer = LINK
        user_id = ann.sign_up()["user"]["id"]
        later = anew(ann)
        assert ann.ask_for_mail() == OK
        assert later.recover(ann.token()) == OK
        assert later.sign_in()["user"]["id"] == user_id

    def test_a_take_over_that_became_possible_after_the_mail(self, linking: Site) -> None:
        ann = Holder(linking.person())
        linking.answer = LINK
        user_id = ann.sign_up()["user"]["id"]
        ann.ask_for_mail()
        token, options = ann.token(), ann.register_options()
        linking.answer = NO_LINK
        other = emailpassword.sign_up(email=f"x{ann.person.email}", password=PASSWORD)
        assert isinstance(other, SignUpOk)
        linked = accountlinking.link_accounts(recipe_user_id=other.recipe_user_id, primary_user_id=user_id)
        assert isinstance(linked, AccountsLinked)
        assert anew(ann).recover(token, options) == INVALID_TOKEN


@pytest.mark.parametrize("configured", [True, False])
def test_f_15_a_recovery_and_another_address_end_the_other_sessions(core: Borrowed, configured: bool) -> None:
    site = passkey_site(core, answer=NO_LINK, end_sessions_on_change=configured)
    ann = Holder(site.person())
    user_id = ann.sign_up()["user"]["id"]
    verify(user_id, ann.person.email)
    other = ann.person.visitor.snapshot()
    ann.ask_for_mail()
    assert anew(ann).recover(ann.token()) == OK
    listed = "/auth/webauthn/credential/list"
    assert (other.call("GET", listed).status_code == 401) is configured
    assert ann.sign_in()["status"] == "OK"
    visitor = ann.person.visitor

    def change(_environ: Any) -> str:
        outcome = webauthn.update_user_email(recipe_user_id=RecipeUserId(user_id), email=f" X{ann.person.email}")
        return outcome.status

    assert site.shop.during(visitor, change).get_json() == "OK"
    assert (visitor.call("GET", listed).status_code == 401) is configured
    [user] = st_wsgi.list_users_by_account_info(account_info=st_wsgi.AccountInfo(email=f"x{ann.person.email}"))
    assert user.id == user_id


def test_a_site_without_verification_of_addresses(core: Borrowed) -> None:
    """No address is verified there, so each recovery ends the sessions and removes the other passkeys."""
    mails: list[Message] = []
    recipe = Webauthn(get_relying_party_id=RP, email_delivery=mails.append)
    shop = Shop(core, recipes=[recipe])
    holder = Holder(Person(Site.__new__(Site), shop.visitor(), f"{uuid.uuid4().hex}@example.com"))
    assert holder.sign_up()["status"] == "OK"
    holder.send("/auth/user/webauthn/reset/token", {"email": holder.person.email})
    recipe.background.close()
    token = str(mails[-1].link).partition("token=")[2].partition("&")[0]
    later = Holder(Person(Site.__new__(Site), shop.visitor(), holder.person.email))
    assert later.recover(token) == OK
    assert holder.sign_in()["status"] == "INVALID_CREDENTIALS_ERROR"
    assert later.sign_in()["status"] == "OK"
