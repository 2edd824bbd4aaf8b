"""
What another request does between the moment at which something is permitted and the moment at which it happens.

Whoever comes second is refused, as if the other request had been there before, and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contract.client import next_millisecond
from contract.logins import phone

import st_wsgi
from recipes.accountlinking.parts import LINK, LINK_VERIFIED, NO_LINK, Site, support_code
from recipes.shop import PASSWORD, Borrowed
from st_wsgi import AccountInfo, Override, RecipeUserId, User, like, list_users_by_account_info, replace
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.recipes import accountlinking, emailpassword, passwordless
from st_wsgi.recipes.emailpassword import EmailChangeNotAllowed, EmailPasswordFunctions, SignInOk, SignUpOk
from st_wsgi.recipes.thirdparty import (
    EmailChangeNotAllowed as EmailOfProviderNotAllowed,
    manually_create_or_update_user,
)

NEW_PASSWORD = "another horse 2"


@pytest.fixture
def site(core: Borrowed) -> Site:
    return Site(core)


def meanwhile(site: Site, call: str, act: Callable[[], object]) -> None:
    """Have something happen just before the core gets its next call of this method and path."""

    def answer(request: CoreRequest) -> None:
        method, path = call.split()
        if request.method == method and request.path.removeprefix("/public") == path:
            site.core.answer = lambda _request: None
            act()

    site.core.answer = answer


def users(email: str) -> tuple[User, ...]:
    return list_users_by_account_info(account_info=AccountInfo(email=email))


class TestSignUps:
    """The owner of an address signs up with a code, and a stranger in another way that does not prove the address."""

    def test_a_password(self, site: Site) -> None:
        owner, mallory = site.person(), site.person()
        meanwhile(site, "POST /recipe/signup", owner.by_code)
        assert support_code(mallory.sign_up(email=owner.email)) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_007")
        [user] = users(owner.email)
        assert (user.id, user.is_primary_user, len(user.login_methods)) == (owner.who(), True, 1)
        assert mallory.who() is None
        assert [event.name for event in site.events[-2:]] == ["user_deleted", "sign_in_failed"]
        assert owner.sign_up(link=True)["status"] == "OK"

    def test_a_provider_that_has_not_verified_the_address(self, site: Site) -> None:
        owner, mallory = site.person(), site.person()
        meanwhile(site, "POST /recipe/signinup", owner.by_code)
        refused = mallory.by_provider(email=owner.email, verified=False)
        assert support_code(refused) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_006")
        assert [user.id for user in users(owner.email)] == [owner.who()]

    def test_the_owner_comes_second(self, site: Site) -> None:
        owner, mallory = site.person(), site.person()
        meanwhile(site, "POST /recipe/signinup/code/consume", lambda: mallory.sign_up(email=owner.email))
        assert support_code(owner.by_code()) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_002")
        [user] = users(owner.email)
        assert [method.recipe_id for method in user.login_methods] == ["emailpassword"]
        assert owner.who() is None

    def test_the_owner_is_not_primary_yet(self, site: Site) -> None:
        """A sign-up beside a verified address is permitted until its user is primary. So the owner is refused."""
        owner, mallory = site.person(), site.person()
        meanwhile(site, "POST /recipe/accountlinking/user/primary", lambda: mallory.sign_up(email=owner.email))
        assert support_code(owner.by_code()) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_002")
        assert [user.id for user in users(owner.email)] == [mallory.who()]

    def test_the_owner_is_made_primary_by_the_other_request(self, site: Site) -> None:
        """So the owner's request writes nothing after its first look. The second look asks the core all the same."""
        owner, mallory = site.person(), site.person()
        meanwhile(site, "GET /user/id", lambda: mallory.sign_up(email=owner.email))
        assert support_code(owner.by_code()) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_002")
        assert [user.id for user in users(owner.email)] == [mallory.who()]

    def test_two_who_prove_the_address_become_one(self, site: Site) -> None:
        owner = site.person()
        there = site.person(owner.email)
        meanwhile(site, "POST /recipe/signinup", owner.by_code)
        assert there.by_provider()["user"]["id"] == owner.who()
        [user] = users(owner.email)
        assert {method.recipe_id for method in user.login_methods} == {"passwordless", "thirdparty"}

    @pytest.mark.parametrize("rule", [NO_LINK, LINK])
    def test_without_verification_nothing_is_refused(self, site: Site, rule: Any) -> None:
        site.answer = rule
        owner, other = site.person(), site.person()
        meanwhile(site, "POST /recipe/signup", owner.by_code)
        signed_up = other.sign_up(email=owner.email)["user"]["id"]
        assert (signed_up == owner.who()) is (rule == LINK)

    def test_an_id_of_the_apps_own_that_an_override_gives(self, core: Borrowed) -> None:
        """The new user is known by the login method and not by the id, which is another one now."""

        def naming(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
            @like(original.sign_up)
            def sign_up(**arguments: Any) -> Any:
                outcome = original.sign_up(**arguments)
                assert isinstance(outcome, SignUpOk)
                st_wsgi.create_user_id_mapping(
                    supertokens_user_id=outcome.user.id, external_user_id=f"employee-{outcome.user.id}", force=True
                )
                return outcome

            return replace(original, sign_up=sign_up)

        site = Site(core, override=Override(functions=naming))
        ada = site.person()
        assert ada.sign_up()["status"] == "OK"
        assert [user.id.startswith("employee-") for user in users(ada.email)] == [True]


class TestRefusedLinks:
    """A login method that cannot be linked to the session's user is not left behind, in the way of its owner."""

    def test_a_password_for_an_address_that_nobody_verified(self, site: Site) -> None:
        mallory, owner = site.person(), site.person()
        mallory.by_code()
        assert support_code(mallory.sign_up(link=True, email=owner.email))[1] == "ERR_CODE_013"
        assert users(owner.email) == ()
        assert owner.by_code()["status"] == "OK"

    def test_a_provider_that_has_not_verified_it(self, site: Site) -> None:
        mallory, owner = site.person(), site.person()
        mallory.by_code()
        assert support_code(mallory.by_provider(link=True, email=owner.email, verified=False))[1] == "ERR_CODE_020"
        assert users(owner.email) == ()

    def test_a_code_to_an_address_of_another_primary_user(self, site: Site) -> None:
        site.answer = LINK
        ada, bob = site.person(), site.person()
        ada.sign_up()
        bob.by_code()
        assert support_code(bob.by_code(link=True, email=ada.email))[1] == "ERR_CODE_018"
        [user] = users(ada.email)
        assert [method.recipe_id for method in user.login_methods] == ["emailpassword"]

    def test_a_password_that_is_linked_to_another_user_meanwhile(self, site: Site) -> None:
        """ERR_CODE_014 has no other cause: nobody else can have a login method that this request creates."""
        site.answer = LINK
        ada, bob = site.person(), site.person()
        ada.by_code()
        bob_id = bob.by_code()["user"]["id"]
        free = f"x-{ada.email}"

        def link() -> None:
            [user] = users(free)
            linked = accountlinking.link_accounts(recipe_user_id=RecipeUserId(user.id), primary_user_id=bob_id)
            assert linked.status == "OK"

        meanwhile(site, "POST /recipe/accountlinking/user/link", link)
        assert support_code(ada.sign_up(link=True, email=free)) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_014")
        assert users(free) == ()

    def test_a_login_method_from_before_stays(self, site: Site) -> None:
        site.answer = NO_LINK
        ada = site.person()
        emailpassword.sign_up(email=f"x-{ada.email}", password=PASSWORD)
        site.answer = LINK_VERIFIED
        ada.by_code()
        assert support_code(ada.sign_in(link=True, email=f"x-{ada.email}"))[1] == "ERR_CODE_009"
        assert isinstance(emailpassword.sign_in(email=f"x-{ada.email}", password=PASSWORD), SignInOk)

    def test_the_session_ends_meanwhile(self, site: Site) -> None:
        """Its user is deleted: the response is 401, and no login method without a user stays."""
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        meanwhile(site, "POST /recipe/signup", lambda: st_wsgi.delete_user(user_id=user_id))
        assert ada.sign_up(link=True) == {"message": "unauthorised"}
        assert users(ada.email) == ()


class TestDeletions:
    """A user is deleted while another one is linked to them."""

    @pytest.mark.parametrize("call", ["primary", "link"])
    def test_the_older_user_of_an_address(self, site: Site, call: str) -> None:
        site.answer = NO_LINK
        ada = site.person()
        older = passwordless.signinup(email=ada.email).user.id
        next_millisecond()
        younger = ada.sign_up()["user"]["id"]
        ada.verify()
        site.answer = LINK_VERIFIED
        meanwhile(site, f"POST /recipe/accountlinking/user/{call}", lambda: st_wsgi.delete_user(user_id=older))
        signed_in = ada.sign_in()["user"]
        assert (signed_in["id"], signed_in["isPrimaryUser"]) == (younger, True)

    @pytest.mark.parametrize("call", ["primary", "link"])
    def test_the_user_of_the_session(self, site: Site, call: str) -> None:
        site.answer = NO_LINK
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        site.answer = LINK_VERIFIED
        meanwhile(site, f"POST /recipe/accountlinking/user/{call}", lambda: st_wsgi.delete_user(user_id=user_id))
        assert ada.by_provider(link=True) == {"message": "unauthorised"}
        assert users(ada.email) == ()


class TestChangesOfAddress:
    """The owner of the new address signs up while a stranger's login method gets it."""

    def test_a_password(self, site: Site) -> None:
        owner, mallory = site.person(), site.person()
        method = RecipeUserId(mallory.sign_up()["user"]["id"])
        meanwhile(site, "PUT /recipe/user", owner.by_code)
        refused = emailpassword.update_email_or_password(
            recipe_user_id=method, email=owner.email, password=NEW_PASSWORD
        )
        assert isinstance(refused, EmailChangeNotAllowed)
        assert [user.id for user in users(owner.email)] == [owner.who()]
        assert isinstance(emailpassword.sign_in(email=mallory.email, password=PASSWORD), SignInOk)
        assert mallory.who() == method.value

    def test_a_password_that_had_the_address_when_the_request_began(self, site: Site) -> None:
        """The request changes nothing about the address, so it does not give it back to the stranger."""
        owner, mallory = site.person(), site.person()
        method = RecipeUserId(mallory.sign_up(email=owner.email)["user"]["id"])

        def owner_comes() -> None:
            assert emailpassword.update_email_or_password(recipe_user_id=method, email=mallory.email).status == "OK"
            assert owner.by_code()["status"] == "OK"

        meanwhile(site, "PUT /recipe/user", owner_comes)
        emailpassword.update_email_or_password(recipe_user_id=method, email=owner.email, password=NEW_PASSWORD)
        assert [user.id for user in users(owner.email)] == [owner.who()]

    def test_a_login_method_without_a_password(self, site: Site) -> None:
        owner, mallory = site.person(), site.person()
        site.answer = NO_LINK
        method = RecipeUserId(mallory.by_code()["user"]["id"])
        site.answer = LINK_VERIFIED
        meanwhile(site, "PUT /recipe/user", owner.by_provider)
        refused = passwordless.update_user(recipe_user_id=method, email=owner.email, phone_number=phone())
        assert isinstance(refused, EmailChangeNotAllowed)
        user = st_wsgi.get_user(user_id=method.value)
        assert user is not None
        assert (user.emails, user.phone_numbers) == ((mallory.email,), ())

    def test_an_account_at_a_provider(self, site: Site) -> None:
        owner, mallory = site.person(), site.person()
        site.answer = NO_LINK
        mallory.by_provider()
        site.answer = LINK_VERIFIED
        meanwhile(site, "POST /recipe/signinup", owner.by_code)
        refused = manually_create_or_update_user(
            third_party_id="github", third_party_user_id=mallory.email, email=owner.email, is_verified=False
        )
        assert isinstance(refused, EmailOfProviderNotAllowed)
        assert [user.id for user in users(owner.email)] == [owner.who()]
        [user] = users(mallory.email)
        assert [method.verified for method in user.login_methods] == [True]


class TestTimes:
    """A stranger cannot learn from the time of a refused sign-in what other accounts an address has."""

    def test_the_core_is_asked_the_same_about_every_account(self, site: Site) -> None:
        nobody, alone, primary, beside = (site.person() for _ in range(4))
        alone.sign_up()
        primary.sign_up()
        primary.verify()
        site.answer = NO_LINK
        beside.sign_up()
        beside.visitor.sign_out()
        beside.by_code()
        site.answer = LINK_VERIFIED
        beside.by_code()
        calls = []
        for person in (nobody, alone, primary, beside):
            stranger = site.person(person.email)
            site.core.calls.clear()
            assert stranger.sign_in(password="wrong horse 1") == {"status": "WRONG_CREDENTIALS_ERROR"}
            calls.append(list(site.core.calls))
        assert calls[0].count("POST /public/recipe/signin") == 1
        assert calls == [calls[0]] * 4
        assert support_code(site.person(beside.email).sign_in())[1] == "ERR_CODE_008"
