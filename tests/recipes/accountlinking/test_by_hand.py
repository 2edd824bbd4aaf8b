"""Linking by the app's own code: every function with every outcome, and what follows from a link."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import attrs
import pytest

import st_wsgi
from recipes.shop import PASSWORD, Borrowed, Shop, Visitor, no_mail
from st_wsgi import LoginMethod, RecipeUserId, SecurityEvent, User
from st_wsgi.errors import ConfigError, CoreRefused
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes import emailpassword, emailverification, passwordless
from st_wsgi.recipes.accountlinking import (
    AccountInfoTaken,
    AccountLinking,
    AccountsLinked,
    AccountUnlinked,
    CanCreatePrimaryUser,
    CanLinkAccounts,
    LinkedWithAnotherPrimaryUser,
    LinkedWithPrimaryUser,
    NotAPrimaryUser,
    PrimaryUserCreated,
    can_create_primary_user,
    can_link_accounts,
    create_primary_user,
    link_accounts,
    unlink_account,
)
from st_wsgi.recipes.emailpassword import EmailPassword, SignUpOk
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless

IN_USE = "This user's email is already associated with another user ID"


@attrs.define
class Bench:
    """A shop with linking, and what it was told."""

    shop: Shop
    linked: list[tuple[User, LoginMethod]] = attrs.field(factory=list)
    events: list[SecurityEvent] = attrs.field(factory=list)


@pytest.fixture
def bench(core: Borrowed) -> Bench:
    linked: list[tuple[User, LoginMethod]] = []
    events: list[SecurityEvent] = []
    listed: list[Recipe[Any, Any]] = [
        EmailPassword(email_delivery=no_mail),
        Passwordless(
            contact_config=ContactEmailOrPhoneConfig(),
            flow_type="USER_INPUT_CODE",
            email_delivery=no_mail,
            sms_delivery=no_mail,
        ),
        EmailVerification(mode="OPTIONAL", email_delivery=no_mail),
        AccountLinking(on_account_linked=lambda user, method: linked.append((user, method))),
    ]
    return Bench(Shop(core, recipes=listed, on_security_event=events.append), linked, events)


def address() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def by_password(email: str | None = None) -> RecipeUserId:
    outcome = emailpassword.sign_up(email=email or address(), password=PASSWORD)
    assert isinstance(outcome, SignUpOk)
    return outcome.recipe_user_id


def by_code(email: str) -> RecipeUserId:
    return passwordless.signinup(email=email).recipe_user_id


def primary(email: str | None = None) -> User:
    outcome = create_primary_user(recipe_user_id=by_password(email))
    assert isinstance(outcome, PrimaryUserCreated)
    return outcome.user


class TestPrimaryUsers:
    def test_a_user_becomes_primary_once(self, bench: Bench) -> None:
        method = by_password()
        assert can_create_primary_user(recipe_user_id=method) == CanCreatePrimaryUser(False)
        made = create_primary_user(recipe_user_id=method)
        assert isinstance(made, PrimaryUserCreated)
        assert (made.user.id, made.user.is_primary_user, made.was_already_a_primary_user) == (method.value, True, False)
        assert can_create_primary_user(recipe_user_id=method) == CanCreatePrimaryUser(True)
        again = create_primary_user(recipe_user_id=method)
        assert again == PrimaryUserCreated(user=made.user, was_already_a_primary_user=True)

    def test_two_of_one_address_cannot_be_primary(self, bench: Bench) -> None:
        email = address()
        user, method = primary(email), by_code(email)
        taken = AccountInfoTaken(primary_user_id=user.id, description=IN_USE)
        assert can_create_primary_user(recipe_user_id=method) == taken
        assert create_primary_user(recipe_user_id=method) == taken

    def test_a_linked_method_cannot_become_one(self, bench: Bench) -> None:
        user, method = primary(), by_password()
        link_accounts(recipe_user_id=method, primary_user_id=user.id)
        linked = LinkedWithPrimaryUser(
            primary_user_id=user.id, description="This user ID is already linked to another user ID"
        )
        assert can_create_primary_user(recipe_user_id=method) == linked
        assert create_primary_user(recipe_user_id=method) == linked

    def test_an_unknown_id_is_refused(self, bench: Bench) -> None:
        nobody, user = RecipeUserId("nobody"), primary()
        calls: list[Callable[[], object]] = [
            lambda: can_create_primary_user(recipe_user_id=nobody),
            lambda: create_primary_user(recipe_user_id=nobody),
            lambda: unlink_account(recipe_user_id=nobody),
            lambda: can_link_accounts(recipe_user_id=nobody, primary_user_id=user.id),
            lambda: link_accounts(recipe_user_id=nobody, primary_user_id=user.id),
            lambda: link_accounts(recipe_user_id=RecipeUserId(user.id), primary_user_id="nobody"),
        ]
        for call in calls:
            with pytest.raises(CoreRefused, match="Unknown user ID"):
                call()


class TestLinks:
    def test_a_link_is_told_once(self, bench: Bench) -> None:
        user, method = primary(), by_password()
        bench.events.clear()
        assert can_link_accounts(recipe_user_id=method, primary_user_id=user.id) == CanLinkAccounts(False)
        made = link_accounts(recipe_user_id=method, primary_user_id=user.id)
        assert isinstance(made, AccountsLinked)
        assert {one.recipe_user_id for one in made.user.login_methods} == {RecipeUserId(user.id), method}
        assert st_wsgi.get_user(user_id=method.value) == made.user
        [(told, linked)] = bench.linked
        assert (told, linked.recipe_user_id) == (made.user, method)
        [event] = bench.events
        assert (event.name, event.user_id, event.recipe_id) == ("accounts_linked", user.id, "emailpassword")
        assert can_link_accounts(recipe_user_id=method, primary_user_id=user.id) == CanLinkAccounts(True)
        again = link_accounts(recipe_user_id=method, primary_user_id=user.id)
        assert again == AccountsLinked(user=made.user, accounts_already_linked=True)
        assert (len(bench.linked), len(bench.events)) == (1, 1)

    def test_without_a_function_nobody_is_told(self, core: Borrowed) -> None:
        Shop(core, recipes=[EmailPassword(email_delivery=no_mail), AccountLinking()])
        user = primary()
        assert isinstance(link_accounts(recipe_user_id=by_password(), primary_user_id=user.id), AccountsLinked)

    def test_another_primary_user_is_in_the_way(self, bench: Bench) -> None:
        user, other, method = primary(), primary(), by_password()
        link_accounts(recipe_user_id=method, primary_user_id=other.id)
        why = "The input recipe user ID is already linked to another user ID"
        asked = can_link_accounts(recipe_user_id=method, primary_user_id=user.id)
        assert asked == LinkedWithAnotherPrimaryUser(primary_user_id=other.id, description=why)
        refused = link_accounts(recipe_user_id=method, primary_user_id=user.id)
        owner = st_wsgi.get_user(user_id=other.id)
        assert refused == LinkedWithAnotherPrimaryUser(primary_user_id=other.id, description=why, user=owner)
        email = address()
        taken = AccountInfoTaken(primary_user_id=primary(email).id, description=IN_USE)
        third = by_code(email)
        assert can_link_accounts(recipe_user_id=third, primary_user_id=user.id) == taken
        assert link_accounts(recipe_user_id=third, primary_user_id=user.id) == taken
        assert [linked.recipe_user_id for _, linked in bench.linked] == [method]

    def test_only_to_primary_users(self, bench: Bench) -> None:
        method, user_id = by_password(), by_password().value
        assert can_link_accounts(recipe_user_id=method, primary_user_id=user_id) == NotAPrimaryUser()
        assert link_accounts(recipe_user_id=method, primary_user_id=user_id) == NotAPrimaryUser()

    def test_what_the_user_has_verified_is_verified_for_the_new_method(self, bench: Bench) -> None:
        """Bob read a code that was sent to his address; so a password for the same address is his, too."""
        email = address()
        user_id = by_code(email).value
        create_primary_user(recipe_user_id=RecipeUserId(user_id))
        method = by_password(email)
        made = link_accounts(recipe_user_id=method, primary_user_id=user_id)
        assert isinstance(made, AccountsLinked)
        assert [one.verified for one in made.user.login_methods] == [True, True]
        assert emailverification.is_email_verified(recipe_user_id=method)
        assert bench.linked[0][1].verified

    def test_another_address_stays_unverified(self, bench: Bench) -> None:
        user_id = by_code(address()).value
        create_primary_user(recipe_user_id=RecipeUserId(user_id))
        made = link_accounts(recipe_user_id=by_password(), primary_user_id=user_id)
        assert isinstance(made, AccountsLinked)
        assert sorted(one.verified for one in made.user.login_methods) == [False, True]

    def test_who_signs_in_is_the_user_that_the_method_is_linked_to(self, bench: Bench) -> None:
        """Sessions from before the link end, since they are of another user."""
        user, visitor = primary(), bench.shop.visitor()
        method = RecipeUserId(visitor.sign_up().get_json()["user"]["id"])
        link_accounts(recipe_user_id=method, primary_user_id=user.id)
        assert visitor.refresh().status_code == 401
        assert visitor.sign_in().get_json()["user"]["id"] == user.id
        assert visitor.visit().get_json() == {"userId": user.id}

    def test_ids_of_the_apps_own(self, bench: Bench) -> None:
        """A login method with an external id is named by that, whichever of its ids the app links."""
        for by_external_id in (True, False):
            user, method = primary(), by_password()
            external = f"employee-{uuid.uuid4().hex}"
            st_wsgi.create_user_id_mapping(supertokens_user_id=method.value, external_user_id=external)
            used = RecipeUserId(external) if by_external_id else method
            assert isinstance(link_accounts(recipe_user_id=used, primary_user_id=user.id), AccountsLinked)
            assert bench.linked[-1][1].recipe_user_id == RecipeUserId(external)


class TestUnlinking:
    def test_a_method_stands_alone_again(self, bench: Bench) -> None:
        user, visitor = primary(), Visitor(bench.shop)
        method = RecipeUserId(visitor.sign_up().get_json()["user"]["id"])
        link_accounts(recipe_user_id=method, primary_user_id=user.id)
        visitor.sign_in()
        bench.events.clear()
        done = unlink_account(recipe_user_id=method)
        assert done == AccountUnlinked(was_linked=True, was_recipe_user_deleted=False)
        assert [(event.name, event.user_id) for event in bench.events] == [("account_unlinked", method.value)]
        alone = st_wsgi.get_user(user_id=method.value)
        assert alone is not None
        assert (alone.id, alone.is_primary_user) == (method.value, False)
        assert visitor.refresh().status_code == 401
        assert visitor.sign_in().get_json()["user"]["id"] == method.value
        assert unlink_account(recipe_user_id=method) == AccountUnlinked(was_linked=False, was_recipe_user_deleted=False)
        assert [event.name for event in bench.events].count("account_unlinked") == 1

    def test_the_method_that_gives_the_user_its_id_is_deleted(self, bench: Bench) -> None:
        user, method = primary(), by_password()
        link_accounts(recipe_user_id=method, primary_user_id=user.id)
        done = unlink_account(recipe_user_id=RecipeUserId(user.id))
        assert done == AccountUnlinked(was_linked=True, was_recipe_user_deleted=True)
        left = st_wsgi.get_user(user_id=user.id)
        assert left is not None
        assert [one.recipe_user_id for one in left.login_methods] == [method]


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="on_account_linked"):
        AccountLinking(on_account_linked="mail")  # type: ignore[arg-type]  # which is the test
