"""What somebody tries who wants the account of another, and states of accounts that must not break a sign-in."""

from __future__ import annotations

import uuid
from typing import Any

import attrs
import pytest
from contract.logins import phone

import st_wsgi
from recipes.accountlinking import parts
from recipes.accountlinking.parts import LINK_VERIFIED, NO_LINK, Person, Site, support_code, token_in
from recipes.shop import PASSWORD, Borrowed, Shop, form
from st_wsgi import RecipeUserId, replace
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes import accountlinking, emailpassword, passwordless, session
from st_wsgi.recipes.accountlinking import is_email_change_allowed
from st_wsgi.recipes.emailpassword import EmailChangeNotAllowed, EmailPassword, SignUpOk
from st_wsgi.recipes.multitenancy import (
    TenantConfigCreateOrUpdate,
    create_or_update_tenant,
    disassociate_user_from_tenant,
)
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.thirdparty import RawUserInfoFromProvider, UserInfo
from st_wsgi.recipes.thirdparty.providers.provider import Provider

NEW_PASSWORD = "another horse 2"


@pytest.fixture
def site(core: Borrowed) -> Site:
    return Site(core)


class WithoutAddresses(Site):
    """A provider that names no addresses, as Twitter; the app wants none."""

    def _says(self, original: Provider) -> Provider:
        def get_user_info(*, oauth_tokens: dict[str, Any]) -> UserInfo:
            raw = RawUserInfoFromProvider()
            return UserInfo(third_party_user_id=oauth_tokens["id"], email=None, raw_user_info_from_provider=raw)

        return replace(original, get_user_info=get_user_info)


class TestMadeUpAddresses:
    """They count as verified, and anybody can work out whose they are."""

    @pytest.fixture
    def site(self, core: Borrowed, monkeypatch: pytest.MonkeyPatch) -> Site:
        monkeypatch.setattr(parts, "GITHUB", attrs.evolve(parts.GITHUB, require_email=False))
        return WithoutAddresses(core)

    @pytest.mark.parametrize("link", [True, False])
    def test_that_of_somebody_else_cannot_be_taken(self, site: Site, link: bool) -> None:
        victim, mallory = site.person(), site.person()
        made_up = f"{victim.email}.github@stfakeemail.supertokens.com"
        mallory.by_code()
        assert mallory.sign_up(link=link, email=made_up)["status"] != "OK"

    def test_nobody_is_linked_by_one(self, site: Site) -> None:
        """The app's own code can make any user."""
        victim, mallory = site.person(), site.person()
        user_id = victim.by_provider()["user"]["id"]
        found = st_wsgi.get_user(user_id=user_id)
        assert found is not None
        [made_up] = found.emails
        made = emailpassword.sign_up(email=made_up, password=PASSWORD)
        assert isinstance(made, SignUpOk)
        assert made.user.id != user_id
        assert mallory.sign_in(email=made_up) == {"status": "WRONG_CREDENTIALS_ERROR"}
        assert victim.by_provider()["user"]["id"] == user_id

    def test_no_secret_is_sent_to_one(self, site: Site) -> None:
        ada = site.person()
        user_id = ada.by_provider()["user"]["id"]
        user = st_wsgi.get_user(user_id=user_id)
        assert user is not None
        Person(site, site.shop.visitor(), user.emails[0]).forget_password()
        assert ada.ask_for_code(link=True, email=user.emails[0])["status"] == "SIGN_IN_UP_NOT_ALLOWED"
        site.shop.st.services.get(EmailPassword).background.close()
        assert site.messages.empty()


def test_a_verified_number_is_no_proof_of_a_new_address(site: Site) -> None:
    ada, bob = site.person(), site.person()
    site.answer = NO_LINK
    ada.sign_up()
    site.answer = LINK_VERIFIED
    method = bob.by_code(phoneNumber=phone())["user"]["loginMethods"][0]
    ids = RecipeUserId(method["recipeUserId"])
    assert not is_email_change_allowed(recipe_user_id=ids, new_email=ada.email, is_verified=False)


def test_an_address_of_another_user_for_a_method_without_password(site: Site) -> None:
    ada, bob = site.person(), site.person()
    site.answer = NO_LINK
    ada.sign_up()
    site.answer = LINK_VERIFIED
    ids = RecipeUserId(bob.by_code()["user"]["id"])
    refused = passwordless.update_user(recipe_user_id=ids, email=ada.email)
    assert isinstance(refused, EmailChangeNotAllowed)
    assert passwordless.update_user(recipe_user_id=ids, email=f"new-{bob.email}").status == "OK"


def test_who_signed_up_with_the_address_of_another_is_out_once_its_owner_sets_a_password(site: Site) -> None:
    mallory = site.person()
    mallory.sign_up()
    owner = site.person(mallory.email)
    owner.forget_password()
    assert owner.set_password(NEW_PASSWORD) == {"status": "OK"}
    assert owner.sign_in(password=NEW_PASSWORD)["user"]["isPrimaryUser"]
    assert mallory.visitor.refresh().status_code == 401


def test_no_password_by_mail_once_all_addresses_were_changed_to_those_of_another(site: Site) -> None:
    """Its owner would share the account with the stranger, who has another way to sign in."""
    mallory, owner = site.person(), site.person()
    mallory.by_provider()
    mallory.sign_up(link=True)
    mallory.visitor.sign_out()
    method = RecipeUserId(
        next(
            one["recipeUserId"]
            for one in mallory.sign_in()["user"]["loginMethods"]
            if one["recipeId"] == "emailpassword"
        )
    )
    assert emailpassword.update_email_or_password(recipe_user_id=method, email=owner.email).status == "OK"
    assert mallory.by_provider(email=owner.email, verified=False)["status"] == "OK"
    assert support_code(owner.forget_password()) == ("PASSWORD_RESET_NOT_ALLOWED", "ERR_CODE_001")
    token = emailpassword.create_reset_password_token(user_id=method.value, email=owner.email)
    assert token.status == "OK"
    body = {"method": "token", "token": token.token, **form(password=NEW_PASSWORD)}
    answer = owner.visitor.call("POST", "/auth/user/password/reset", body).get_json()
    assert answer == {"status": "RESET_PASSWORD_INVALID_TOKEN_ERROR"}


def test_a_session_that_was_revoked_is_not_replaced_by_a_living_one(site: Site) -> None:
    """Its login method is linked to another user by the address that it verifies."""
    site.answer = NO_LINK
    ada = site.person()
    method = ada.sign_up()["user"]["id"]
    ada.visitor.call("POST", "/auth/user/email/verify/token")
    primary = passwordless.signinup(email=ada.email).recipe_user_id
    accountlinking.create_primary_user(recipe_user_id=primary)
    session.revoke_all_sessions_for_user(user_id=method)
    site.answer = LINK_VERIFIED
    token = token_in(site.messages.get(timeout=20))
    ada.visitor.call("POST", "/auth/user/email/verify", {"method": "token", "token": token})
    linked = st_wsgi.get_user(user_id=method)
    assert linked is not None
    assert linked.id == primary.value
    assert session.get_all_session_handles_for_user(user_id=primary.value) == []


class TestStates:
    def test_a_login_method_without_a_tenant(self, site: Site) -> None:
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        ada.sign_up(link=True)
        user = st_wsgi.get_user(user_id=user_id)
        assert user is not None
        [method] = [one for one in user.login_methods if one.recipe_id == "emailpassword"]
        disassociate_user_from_tenant(recipe_user_id=method.recipe_user_id)
        assert ada.sign_in(link=True) == {"status": "WRONG_CREDENTIALS_ERROR"}
        site.answer = NO_LINK
        alone = emailpassword.sign_up(email=ada.email, password=PASSWORD)
        assert isinstance(alone, SignUpOk)
        disassociate_user_from_tenant(recipe_user_id=alone.recipe_user_id)
        linked = accountlinking.link_accounts(recipe_user_id=alone.recipe_user_id, primary_user_id=user_id)
        assert linked.status == "OK"

    def test_ids_of_the_apps_own(self, site: Site) -> None:
        """The app may name a login method by either of its ids."""
        ada = site.person()
        method = RecipeUserId(ada.sign_up()["user"]["id"])
        external = f"employee-{uuid.uuid4().hex}"
        st_wsgi.create_user_id_mapping(supertokens_user_id=method.value, external_user_id=external, force=True)
        changed = emailpassword.update_email_or_password(recipe_user_id=method, email=f"new-{ada.email}")
        assert changed.status == "OK"
        assert is_email_change_allowed(recipe_user_id=method, new_email=ada.email, is_verified=False)
        found = accountlinking.create_primary_user_id_or_link_accounts(recipe_user_id=method)
        assert found.id == external

    def test_a_primary_user_of_another_tenant_is_in_the_way(self, site: Site) -> None:
        """Both tenants know the user who signs in. It is tried once, and not at every sign-in ten times."""
        tenant = f"t-{uuid.uuid4().hex}"
        create_or_update_tenant(tenant_id=tenant, config=TenantConfigCreateOrUpdate(first_factors=None))
        ada = site.person()
        passwordless.signinup(email=ada.email, tenant_id=tenant)
        site.answer = NO_LINK
        method = RecipeUserId(ada.sign_up()["user"]["id"])
        ada.verify()
        st_wsgi.recipes.multitenancy.associate_user_to_tenant(recipe_user_id=method, tenant_id=tenant)
        site.answer = LINK_VERIFIED
        site.core.calls.clear()
        assert ada.sign_in()["status"] == "OK"
        assert site.core.calls.count("POST /recipe/accountlinking/user/primary") == 1

    def test_a_function_that_fails_after_a_link(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        """The link is made: the user is signed in all the same, and the log has the kind of the error alone."""

        def fail(*_: object) -> None:
            raise ValueError("ada@example.com")

        site.shop.st.services.get(accountlinking.AccountLinking).on_account_linked = fail
        ada = site.person()
        ada.by_code()
        assert ada.sign_up(link=True)["status"] == "OK"
        assert "on_account_linked raised ValueError" in caplog.text
        assert "ada@example.com" not in caplog.text

    def test_links_only_and_an_older_frontend_with_a_session(self, core: Borrowed) -> None:
        """Where nothing is linked, the session does not turn the link into a code."""
        site = Site(core, answer=NO_LINK)
        site.shop.st.close()
        sent: list[Any] = []
        recipes: list[Recipe[Any, Any]] = [
            accountlinking.AccountLinking(should_do_automatic_account_linking=lambda *_: NO_LINK),
            Passwordless(
                contact_config=ContactEmailOrPhoneConfig(),
                flow_type="MAGIC_LINK",
                email_delivery=sent.append,
                sms_delivery=sent.append,
            ),
        ]
        shop = Shop(core, recipes=recipes)
        method = passwordless.signinup(email=f"{uuid.uuid4().hex}@example.com").recipe_user_id
        visitor = shop.signed_in(recipe_user_id=method)
        visitor.fdi_version = "3.0"
        answer = visitor.call("POST", parts.CODE, {"email": f"x-{visitor.email}"})
        assert (answer.status_code, len(sent)) == (200, 1)


def test_the_support_code_of_a_reset_stands(site: Site) -> None:
    """An address that its user never verified, beside another one of theirs."""
    site.answer = parts.LINK
    ada, victim = site.person(), site.person()
    ada.by_code()
    linked = emailpassword.sign_up(email=victim.email, password=PASSWORD)
    assert isinstance(linked, SignUpOk)
    accountlinking.unlink_account(recipe_user_id=linked.recipe_user_id)
    accountlinking.link_accounts(recipe_user_id=linked.recipe_user_id, primary_user_id=str(ada.who()))
    assert support_code(victim.forget_password()) == ("PASSWORD_RESET_NOT_ALLOWED", "ERR_CODE_001")
