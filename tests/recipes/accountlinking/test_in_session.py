"""Linking to the user of a session, whatever the addresses are."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from contract.logins import phone

import st_wsgi
from recipes.accountlinking.parts import LINK, LINK_VERIFIED, NO_LINK, Site, support_code
from recipes.shop import PASSWORD, Borrowed, Visitor, form, payload_of
from st_wsgi import RecipeUserId
from st_wsgi.recipes import accountlinking, emailpassword, passwordless, session
from st_wsgi.recipes.multitenancy import TenantConfigCreateOrUpdate, create_or_update_tenant


@pytest.fixture
def site(core: Borrowed) -> Site:
    return Site(core)


def handle(visitor: Visitor) -> str:
    value: str = payload_of(str(visitor.access_token))["sessionHandle"]
    return value


class TestLinks:
    def test_a_password_for_the_address_that_the_user_has_verified(self, site: Site) -> None:
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        before = handle(ada.visitor)
        answer = ada.sign_up(link=True)
        assert (answer["status"], answer["user"]["id"]) == ("OK", user_id)
        assert [one["verified"] for one in answer["user"]["loginMethods"]] == [True, True]
        assert (ada.who(), handle(ada.visitor)) == (user_id, before)  # the session goes on
        assert site.asked[-1][2].get_handle() == before
        assert [event.name for event in site.events[-2:]] == ["accounts_linked", "signed_up"]

    def test_a_second_code_to_a_number(self, site: Site) -> None:
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        number = phone()
        answer = ada.by_code(link=True, phoneNumber=number)
        assert (answer["user"]["id"], answer["user"]["phoneNumbers"]) == (user_id, [number])
        ada.visitor.sign_out()
        assert ada.by_code(phoneNumber=number)["user"]["id"] == user_id

    def test_a_method_that_is_linked_already_signs_in_as_a_second_step(self, site: Site) -> None:
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        ada.sign_up(link=True)
        before = handle(ada.visitor)
        answer = ada.sign_in(link=True)
        assert (answer["user"]["id"], handle(ada.visitor)) == (user_id, before)
        assert len(site.linked) == 1

    def test_a_user_who_is_not_primary_yet_becomes_it(self, site: Site) -> None:
        site.answer = NO_LINK
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        site.answer = LINK_VERIFIED
        answer = ada.sign_up(link=True)
        assert (answer["user"]["id"], answer["user"]["isPrimaryUser"]) == (user_id, True)

    def test_a_code_verifies_the_sessions_own_address_on_the_way(self, site: Site) -> None:
        """The session's user has not verified the address yet to which the code is sent."""
        ada = site.person()
        user_id = ada.sign_up()["user"]["id"]
        device = ada.ask_for_code(link=True)
        code = site.messages.get(timeout=20).code
        wrong = ada.enter_code(device, link=True, code="000000" if code != "000000" else "111111")
        assert (wrong["status"], wrong["failedCodeInputAttemptCount"]) == ("INCORRECT_USER_INPUT_CODE_ERROR", 1)
        answer = ada.enter_code(device, link=True, code=code)
        assert (answer["status"], answer["user"]["id"]) == ("OK", user_id)
        assert [one["verified"] for one in answer["user"]["loginMethods"]] == [True, True]

    def test_a_method_in_another_tenant_is_added_to_this_one(self, site: Site) -> None:
        tenant = f"t-{uuid.uuid4().hex}"
        create_or_update_tenant(tenant_id=tenant, config=TenantConfigCreateOrUpdate(first_factors=None))
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        ada.sign_up(link=True)
        site.answer = NO_LINK
        there = passwordless.signinup(email=f"x-{ada.email}", tenant_id=tenant).recipe_user_id
        site.answer = LINK
        accountlinking.link_accounts(recipe_user_id=there, primary_user_id=user_id)
        visitor = site.shop.visitor()
        body = {"email": f"x-{ada.email}"}
        device = visitor.call("POST", f"/auth/{tenant}/signinup/code", body).get_json()
        ids = {name: device[name] for name in ("deviceId", "preAuthSessionId")}
        code = {**ids, "userInputCode": site.messages.get(timeout=20).code}
        visitor.call("POST", f"/auth/{tenant}/signinup/code/consume", code)
        assert visitor.visit().get_json() == {"userId": user_id}
        link = {**form(email=ada.email, password=PASSWORD), "shouldTryLinkingWithSessionUser": True}
        assert visitor.call("POST", "/auth/signin", link).get_json()["status"] == "OK"
        method = next(one for one in emailpassword_methods(user_id) if one.email == ada.email)
        assert set(method.tenant_ids) == {"public", tenant}


def emailpassword_methods(user_id: str) -> list[st_wsgi.LoginMethod]:
    user = st_wsgi.get_user(user_id=user_id)
    assert user is not None
    return [method for method in user.login_methods if method.recipe_id == "emailpassword"]


class TestRefusals:
    def test_nothing_is_linked_that_the_app_does_not_link(self, site: Site) -> None:
        ada = site.person()
        ada.by_code()
        site.answer = NO_LINK
        for path in ("/auth/signup", "/auth/signin"):
            body = {**form(email=ada.email, password=PASSWORD), "shouldTryLinkingWithSessionUser": True}
            assert ada.visitor.call("POST", path, body).status_code == 400

    def test_an_address_that_nobody_verified(self, site: Site) -> None:
        ada = site.person()
        ada.by_code()
        assert support_code(ada.sign_up(link=True, email=f"x-{ada.email}")) == (
            "SIGN_UP_NOT_ALLOWED",
            "ERR_CODE_013",
        )
        site.answer = NO_LINK
        emailpassword.sign_up(email=f"y-{ada.email}", password=PASSWORD)
        site.answer = LINK_VERIFIED
        assert support_code(ada.sign_in(link=True, email=f"y-{ada.email}")) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_009")

    def test_a_method_of_another_user(self, site: Site) -> None:
        ada, bob = site.person(), site.person()
        ada.by_code()
        bob.by_code()
        bob.sign_up(link=True)
        assert support_code(ada.sign_in(link=True, email=bob.email)) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_010")
        assert support_code(ada.by_code(link=True, email=bob.email)) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_017")

    def test_an_address_of_another_user(self, site: Site) -> None:
        site.answer = LINK
        ada, bob = site.person(), site.person()
        ada.by_code()
        bob.by_code()
        assert support_code(ada.sign_up(link=True, email=bob.email)) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_015")
        assert ada.by_code(link=True)["user"]["emails"] == [ada.email]

    def test_a_method_that_has_an_address_of_another_user(self, site: Site) -> None:
        """It was made while the app linked nothing."""
        ada, bob = site.person(), site.person()
        ada.by_code()
        bob.by_code()
        site.answer = NO_LINK
        emailpassword.sign_up(email=bob.email, password=PASSWORD)
        site.answer = LINK
        assert support_code(ada.sign_in(link=True, email=bob.email)) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_011")

    def test_the_sessions_own_address_belongs_to_another_primary_user(self, site: Site) -> None:
        ada = site.person_with_rival()
        free = f"x-{ada.email}"
        assert support_code(ada.sign_up(link=True, email=free)) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_016")
        emailpassword.sign_up(email=free, password=PASSWORD)
        assert support_code(ada.sign_in(link=True, email=free)) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_012")
        refused = ada.by_code(link=True, email=f"y-{ada.email}")
        assert support_code(refused) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_019")

    def test_a_user_whose_own_address_is_not_verified_must_do_that_first(self, site: Site) -> None:
        ada = site.person()
        ada.sign_up()
        answer = ada.sign_up(link=True, email=f"x-{ada.email}")
        assert [claim["id"] for claim in answer["claimValidationErrors"]] == ["st-ev"]
        assert len(emailpassword_methods(str(ada.who()))) == 1

    def test_a_session_that_was_revoked(self, site: Site) -> None:
        """F-05: its access token alone links nothing."""
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        session.revoke_all_sessions_for_user(user_id=user_id)
        body = {**form(email=ada.email, password=PASSWORD), "shouldTryLinkingWithSessionUser": True}
        assert ada.visitor.call("POST", "/auth/signup", body).status_code == 401


class TestOlderFrontends:
    """Below FDI 3.1 a frontend cannot ask for a link: any session counts, if the app links."""

    def test_a_session_counts(self, site: Site) -> None:
        ada = site.person()
        ada.visitor.fdi_version = "3.0"
        user_id = ada.by_code()["user"]["id"]
        before = handle(ada.visitor)
        assert ada.sign_up()["user"]["id"] == user_id
        assert handle(ada.visitor) == before

    def test_without_linking_the_new_session_replaces_it(self, site: Site) -> None:
        ada = site.person()
        ada.visitor.fdi_version = "3.0"
        first = ada.by_code()["user"]["id"]
        site.answer = NO_LINK
        second = ada.sign_up(email=f"x-{ada.email}")["user"]["id"]
        assert first != second
        assert ada.who() == second


def test_a_function_with_a_session_needs_the_setting(site: Site) -> None:
    """The app's own code may link to the user of a session, too."""
    ada = site.person()
    user_id = ada.by_code()["user"]["id"]
    linked: list[Any] = []

    def view(container: session.SessionContainer) -> None:
        linked.append(emailpassword.sign_up(email=ada.email, password=PASSWORD, session=container))

    site.shop.with_session(ada.visitor, view)
    assert linked[0].user.id == user_id
    assert linked[0].recipe_user_id != RecipeUserId(user_id)
