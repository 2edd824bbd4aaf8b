"""Linking by address and number at the routes: who becomes one user, who is refused, and what attackers get."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from contract.client import next_millisecond
from contract.logins import phone

import st_wsgi
from recipes.accountlinking.parts import LINK, LINK_VERIFIED, NO_LINK, Person, Site, support_code
from recipes.shop import PASSWORD, Borrowed, Shop, no_mail
from st_wsgi import RecipeUserId
from st_wsgi.errors import ArgumentError, ConfigError
from st_wsgi.recipes import accountlinking, emailpassword, emailverification, passwordless, session
from st_wsgi.recipes.accountlinking import (
    AccountInfoWithRecipeId,
    AccountLinking,
    create_primary_user_id_or_link_accounts,
    get_primary_user_that_can_be_linked_to_recipe_user_id,
    is_email_change_allowed,
    is_sign_in_allowed,
    is_sign_up_allowed,
)
from st_wsgi.recipes.emailpassword import EmailChangeNotAllowed, EmailPassword, SignUpOk

NEW_PASSWORD = "another horse 2"


@pytest.fixture
def site(core: Borrowed) -> Site:
    return Site(core)


def methods(answer: dict[str, Any]) -> list[str]:
    return [method["recipeId"] for method in answer["user"]["loginMethods"]]


class TestOneUser:
    def test_a_verified_address_makes_a_primary_user_to_whom_others_are_linked(self, site: Site) -> None:
        ada = site.person()
        first = ada.by_code()["user"]
        assert first["isPrimaryUser"]
        ada.visitor.sign_out()
        ada.forget_password()
        assert ada.set_password(NEW_PASSWORD) == {"status": "OK"}
        [(user, method)] = site.linked
        assert (user.id, method.recipe_id, method.verified) == (first["id"], "emailpassword", True)
        answer = ada.sign_in(password=NEW_PASSWORD)
        assert (answer["user"]["id"], methods(answer)) == (first["id"], ["passwordless", "emailpassword"])
        assert ada.who() == first["id"]

    def test_an_unverified_address_becomes_primary_once_it_is_verified(self, site: Site) -> None:
        ada = site.person()
        user = ada.sign_up()["user"]
        assert not user["isPrimaryUser"]
        assert ada.verify() == {"status": "OK"}
        found = st_wsgi.get_user(user_id=user["id"])
        assert found is not None
        assert found.is_primary_user
        assert ada.who() == user["id"]
        ada.visitor.sign_out()
        answer = ada.by_code()
        assert (answer["createdNewRecipeUser"], answer["user"]["id"]) == (True, user["id"])

    def test_phone_numbers_count_likewise(self, site: Site) -> None:
        """A code by text message makes a primary user, and its sign-in finds it again."""
        ada = site.person()
        number = phone()
        first = ada.by_code(phoneNumber=number)
        assert first["user"]["isPrimaryUser"]
        ada.visitor.sign_out()
        assert ada.by_code(phoneNumber=number)["user"] == first["user"]

    def test_without_verification_the_address_alone_links(self, site: Site) -> None:
        site.answer = LINK
        ada = site.person()
        first = ada.sign_up()["user"]
        assert first["isPrimaryUser"]
        ada.visitor.sign_out()
        assert ada.by_code()["user"]["id"] == first["id"]
        assert ada.who() == first["id"]

    def test_without_linking_they_stay_two(self, site: Site) -> None:
        site.answer = NO_LINK
        ada = site.person()
        first = ada.sign_up()["user"]
        ada.visitor.sign_out()
        second = ada.by_code()["user"]
        assert first["id"] != second["id"]
        assert (first["isPrimaryUser"], second["isPrimaryUser"], site.linked) == (False, False, [])

    def test_what_is_verified_for_one_method_is_verified_for_the_other_at_its_sign_in(self, site: Site) -> None:
        site.answer = LINK
        ada = site.person()
        method = RecipeUserId(ada.sign_up()["user"]["id"])
        ada.visitor.sign_out()
        ada.by_code()
        ada.visitor.sign_out()
        emailverification.unverify_email(recipe_user_id=method, email=ada.email)
        assert [one["verified"] for one in ada.sign_in()["user"]["loginMethods"]] == [True, True]

    def test_users_from_before_are_linked_when_they_sign_in(self, site: Site) -> None:
        """The older one becomes the primary user, whichever signs in first."""
        site.answer = NO_LINK
        ada = site.person()
        older = ada.sign_up()["user"]["id"]
        next_millisecond()
        ada.verify()
        ada.visitor.sign_out()
        younger = ada.by_code()["user"]["id"]
        assert younger != older
        ada.visitor.sign_out()
        site.answer = LINK_VERIFIED
        assert ada.by_code()["user"]["id"] == older
        ada.visitor.sign_out()
        assert ada.sign_in()["user"]["id"] == older

    def test_a_primary_user_that_was_just_made_is_no_exception(self, site: Site) -> None:
        """F-02: the older user becomes primary on the way, and an unverified method is not linked to it either."""
        site.answer = NO_LINK
        ada = site.person()
        older = passwordless.signinup(email=ada.email).recipe_user_id
        next_millisecond()
        younger = RecipeUserId(ada.sign_up()["user"]["id"])
        site.answer = LINK_VERIFIED
        assert create_primary_user_id_or_link_accounts(recipe_user_id=younger).id == younger.value
        primary = st_wsgi.get_user(user_id=older.value)
        assert primary is not None
        assert (primary.is_primary_user, len(primary.login_methods)) == (True, 1)

    def test_the_function_is_asked_about_the_method_and_the_user(self, site: Site) -> None:
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        account, owner, linked_in, tenant_id = site.asked[-1]
        assert (account.recipe_id, account.email, account.recipe_user_id) == (
            "passwordless",
            ada.email,
            RecipeUserId(user_id),
        )
        assert (owner, linked_in, tenant_id) == (None, None, "public")
        site.asked.clear()
        ada.sign_up()
        account, owner, *_ = site.asked[-1]
        assert (account, owner and owner.id) == (
            AccountInfoWithRecipeId(recipe_id="emailpassword", email=ada.email),
            user_id,
        )


class TestRefusals:
    def test_an_unverified_sign_up_beside_a_primary_user(self, site: Site) -> None:
        ada, mallory = site.person(), site.person()
        ada.by_code()
        answer = mallory.sign_up(email=ada.email)
        assert support_code(answer) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_007")
        event = site.events[-1]
        assert (event.name, event.reason, event.account) == ("sign_in_failed", "SIGN_UP_NOT_ALLOWED", ada.email)
        assert len(st_wsgi.list_users_by_account_info(account_info=st_wsgi.AccountInfo(email=ada.email))) == 1

    def test_a_code_for_an_address_that_somebody_signed_up_with_and_did_not_verify(self, site: Site) -> None:
        """No message leaves: it could be taken for the one that verifies the other account."""
        ada, mallory = site.person(), site.person()
        mallory.sign_up(email=ada.email)
        assert support_code(ada.ask_for_code()) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_002")
        assert site.messages.empty()
        event = site.events[-1]
        assert (event.name, event.recipe_id, event.account) == ("sign_in_failed", "passwordless", ada.email)

    def test_a_code_that_was_sent_before_that(self, site: Site) -> None:
        ada, mallory = site.person(), site.person()
        device = ada.ask_for_code()
        mallory.sign_up(email=ada.email)
        assert support_code(ada.enter_code(device)) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_002")
        assert ada.who() is None

    def test_a_code_signs_in_beside_an_account_that_is_not_verified(self, site: Site) -> None:
        """It verifies the address, so that nothing refuses a sign-in with a code: ERR_CODE_003 has no cause."""
        site.answer = NO_LINK
        ada, mallory = site.person(), site.person()
        user_id = ada.by_code()["user"]["id"]
        ada.visitor.sign_out()
        mallory.sign_up(email=ada.email)
        site.answer = LINK_VERIFIED
        answer = ada.by_code()
        assert (answer["status"], answer["user"]["id"], len(answer["user"]["loginMethods"])) == ("OK", user_id, 1)

    def test_a_sign_in_that_was_never_verified_beside_a_primary_user(self, site: Site) -> None:
        site.answer = NO_LINK
        ada = site.person()
        ada.sign_up()
        ada.visitor.sign_out()
        ada.by_code()
        ada.visitor.sign_out()
        site.answer = LINK_VERIFIED
        ada.by_code()
        ada.visitor.sign_out()
        site.events.clear()
        assert support_code(ada.sign_in()) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_008")
        assert ada.who() is None
        # A stranger who does not know the password learns nothing of that.
        assert ada.sign_in(password="wrong horse 1") == {"status": "WRONG_CREDENTIALS_ERROR"}
        assert [(event.name, event.reason, event.account) for event in site.events] == [
            ("sign_in_failed", "SIGN_IN_NOT_ALLOWED", ada.email),
            ("sign_in_failed", "WRONG_CREDENTIALS_ERROR", ada.email),
        ]
        # The owner of the address gets in by a mail, which proves that the address is theirs.
        ada.forget_password()
        assert ada.set_password(NEW_PASSWORD) == {"status": "OK"}
        assert methods(ada.sign_in(password=NEW_PASSWORD)) == ["emailpassword", "passwordless"]

    def test_a_taken_address_is_a_field_error_as_ever(self, site: Site) -> None:
        ada = site.person()
        for verify in (False, True):
            if verify:
                ada.verify()
            else:
                ada.sign_up()
            assert site.person().sign_up(email=ada.email)["status"] == "FIELD_ERROR"

    def test_an_address_of_another_user(self, site: Site) -> None:
        ada, bob = site.person(), site.person()
        ada.by_code()
        method = RecipeUserId(bob.sign_up()["user"]["id"])
        refused = emailpassword.update_email_or_password(recipe_user_id=method, email=ada.email)
        assert isinstance(refused, EmailChangeNotAllowed)
        assert refused.reason == "another account with this e-mail address could be taken over"
        bob.verify()
        refused = emailpassword.update_email_or_password(recipe_user_id=method, email=ada.email)
        assert isinstance(refused, EmailChangeNotAllowed)
        assert refused.reason == "another primary user has this e-mail address"
        free = f"new-{bob.email}"
        assert emailpassword.update_email_or_password(recipe_user_id=method, email=free).status == "OK"
        nobody = emailpassword.update_email_or_password(recipe_user_id=RecipeUserId("nobody"), email=free)
        assert nobody.status == "UNKNOWN_USER_ID_ERROR"


class TestForgottenPasswords:
    def test_a_user_without_a_password_and_without_linking_gets_no_mail(self, site: Site) -> None:
        site.answer = NO_LINK
        ada = site.person()
        ada.by_code()
        assert ada.forget_password() == {"status": "OK"}
        site.shop.st.services.get(EmailPassword).background.close()
        assert site.messages.empty()

    def test_two_users_who_may_not_be_linked(self, site: Site) -> None:
        """The mail is for the login method with the password alone."""
        site.answer = NO_LINK
        ada = site.person()
        user_id = ada.sign_up()["user"]["id"]
        ada.visitor.sign_out()
        ada.by_code()
        ada.forget_password()
        message = site.messages.get(timeout=20)
        assert message.user_id == user_id
        site.messages.put(message)
        assert ada.set_password(NEW_PASSWORD) == {"status": "OK"}
        assert methods(ada.sign_in(password=NEW_PASSWORD)) == ["emailpassword"]

    def test_an_address_that_a_user_never_verified_beside_others_of_theirs(self, site: Site) -> None:
        """ERR_CODE_001: the mail could open the account to whoever owns that address."""
        site.answer = LINK
        ada = site.person()
        ada.by_code()
        victim = site.person()
        linked = emailpassword.sign_up(email=victim.email, password=PASSWORD)
        assert isinstance(linked, SignUpOk)
        ada_id = ada.who()
        assert ada_id is not None
        session.revoke_all_sessions_for_user(user_id=ada_id)
        accountlinking.unlink_account(recipe_user_id=linked.recipe_user_id)
        accountlinking.link_accounts(recipe_user_id=linked.recipe_user_id, primary_user_id=ada_id)
        assert support_code(victim.forget_password()) == ("PASSWORD_RESET_NOT_ALLOWED", "ERR_CODE_001")


class TestFunctions:
    """The rules, for apps with routes of their own."""

    def test_who_may_sign_up_and_in(self, site: Site) -> None:
        ada = site.person()
        site.answer = NO_LINK
        method = RecipeUserId(ada.sign_up()["user"]["id"])
        primary = passwordless.signinup(email=ada.email).user
        accountlinking.create_primary_user(recipe_user_id=RecipeUserId(primary.id))
        site.answer = LINK_VERIFIED
        new = AccountInfoWithRecipeId(recipe_id="webauthn", email=ada.email)
        assert not is_sign_up_allowed(new_user=new, is_verified=False)
        assert is_sign_up_allowed(new_user=new, is_verified=True)
        assert not is_sign_in_allowed(recipe_user_id=method)
        assert is_sign_in_allowed(recipe_user_id=RecipeUserId(primary.id))
        found = get_primary_user_that_can_be_linked_to_recipe_user_id(recipe_user_id=method)
        assert found is not None
        assert found.id == primary.id
        own = get_primary_user_that_can_be_linked_to_recipe_user_id(recipe_user_id=RecipeUserId(primary.id))
        assert own == found
        alone = emailpassword.sign_up(email=f"x-{ada.email}", password=PASSWORD)
        assert isinstance(alone, SignUpOk)
        assert get_primary_user_that_can_be_linked_to_recipe_user_id(recipe_user_id=alone.recipe_user_id) is None
        assert not is_email_change_allowed(recipe_user_id=alone.recipe_user_id, new_email=ada.email, is_verified=False)
        assert is_email_change_allowed(recipe_user_id=alone.recipe_user_id, new_email=ada.email, is_verified=True)

    def test_linking_as_a_sign_in_does(self, site: Site) -> None:
        site.answer = NO_LINK
        ada = site.person()
        method = RecipeUserId(ada.sign_up()["user"]["id"])
        ada.verify()
        other = passwordless.signinup(email=ada.email).recipe_user_id
        assert create_primary_user_id_or_link_accounts(recipe_user_id=other).id == other.value
        site.answer = LINK_VERIFIED
        assert create_primary_user_id_or_link_accounts(recipe_user_id=other).id == method.value
        assert create_primary_user_id_or_link_accounts(recipe_user_id=other).id == method.value

    def test_unknown_and_unclear_ones_are_named(self, site: Site) -> None:
        nobody = RecipeUserId("nobody")
        with pytest.raises(ArgumentError, match="no login method has this id"):
            create_primary_user_id_or_link_accounts(recipe_user_id=nobody)
        both = AccountInfoWithRecipeId(recipe_id="passwordless", email="a@b.example", phone_number="+4930123456")
        with pytest.raises(ArgumentError, match="an e-mail address and a phone number"):
            is_sign_up_allowed(new_user=both, is_verified=True)


def test_an_address_of_a_user_of_the_app_is_verified_and_nothing_is_linked(site: Site) -> None:
    """The app may verify addresses of users whom the core does not know."""
    token = emailverification.create_email_verification_token(
        recipe_user_id=RecipeUserId("of-the-app"), email="a@b.example"
    )
    assert token.status == "OK"
    assert emailverification.verify_email_using_token(token=token.token).status == "OK"


def test_a_function_that_answers_something_else_is_named(core: Borrowed, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(core, answer=True)  # type: ignore[arg-type]  # which is the test
    assert site.person().sign_up() == {"message": "internal error"}
    assert "must return ShouldAutomaticallyLink() or ShouldNotAutomaticallyLink(), not True" in caplog.text
    with pytest.raises(ConfigError, match="should_do_automatic_account_linking"):
        AccountLinking(should_do_automatic_account_linking=True)  # type: ignore[arg-type]  # which is the test


def test_without_the_recipe_nothing_is_asked(core: Borrowed) -> None:
    """A sign-in costs the same calls of the core with the recipe for linking by hand."""
    calls = []
    for recipes in ([], [AccountLinking()]):
        shop = Shop(core, recipes=[EmailPassword(email_delivery=no_mail), *recipes])
        visitor = shop.visitor()
        visitor.sign_up()
        core.calls.clear()
        visitor.sign_in()
        calls.append(list(core.calls))
    assert calls[0] == calls[1]


class TestRaces:
    def test_signing_in_at_once_makes_one_primary_user(self, site: Site) -> None:
        """Two ways to sign in, verified and from before, eight times at once: one user, whoever comes first."""
        site.answer = NO_LINK
        ada = site.person()
        ada.sign_up()
        ada.verify()
        other = passwordless.signinup(email=ada.email).recipe_user_id
        site.answer = LINK_VERIFIED

        def sign_in(number: int) -> str:
            if number % 2:
                return create_primary_user_id_or_link_accounts(recipe_user_id=other).id
            user_id: str = Person(site, site.shop.visitor(), ada.email).sign_in()["user"]["id"]
            return user_id

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(sign_in, range(8)))) == 1
        [user] = st_wsgi.list_users_by_account_info(account_info=st_wsgi.AccountInfo(email=ada.email))
        assert (user.is_primary_user, len(user.login_methods)) == (True, 2)
