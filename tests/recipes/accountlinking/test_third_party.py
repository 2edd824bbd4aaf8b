"""Linking what a provider says of a user: verified by the provider, or not."""

from __future__ import annotations

import pytest

import st_wsgi
from recipes.accountlinking.parts import LINK_VERIFIED, NO_LINK, Site, support_code
from recipes.shop import Borrowed


@pytest.fixture
def site(core: Borrowed) -> Site:
    return Site(core)


def test_an_address_that_the_provider_has_verified(site: Site) -> None:
    ada = site.person()
    first = ada.by_provider()["user"]
    assert first["isPrimaryUser"]
    ada.visitor.sign_out()
    assert ada.by_code()["user"]["id"] == first["id"]
    ada.visitor.sign_out()
    again = ada.by_provider()
    assert (again["createdNewRecipeUser"], again["user"]["id"]) == (False, first["id"])


def test_an_address_that_it_has_not(site: Site) -> None:
    """F-01: whoever writes an address into their account elsewhere does not get the account of its owner here."""
    ada, mallory = site.person(), site.person()
    ada.by_code()
    refused = mallory.by_provider(email=ada.email, verified=False)
    assert support_code(refused) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_006")
    assert mallory.who() is None
    assert site.events[-1].reason == "SIGN_UP_NOT_ALLOWED"
    [user] = st_wsgi.list_users_by_account_info(account_info=st_wsgi.AccountInfo(email=ada.email))
    assert len(user.login_methods) == 1


def test_an_account_from_before_beside_a_primary_user(site: Site) -> None:
    site.answer = NO_LINK
    ada, mallory = site.person(), site.person()
    mallory.by_provider(email=ada.email, verified=False)
    mallory.visitor.sign_out()
    ada.by_code()
    ada.visitor.sign_out()
    site.answer = LINK_VERIFIED
    ada.by_code()
    refused = mallory.by_provider(email=ada.email, verified=False)
    assert support_code(refused) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_004")


class TestChangedAddresses:
    """The user has another address at the provider than at the sign-in before."""

    def test_one_of_another_primary_user(self, site: Site) -> None:
        ada, bob = site.person(), site.person()
        ada.by_code()
        bob.by_provider()
        bob.visitor.sign_out()
        assert support_code(bob.by_provider(email=ada.email)) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_005")

    def test_one_of_another_user_that_the_provider_has_not_verified(self, site: Site) -> None:
        site.answer = NO_LINK
        ada, bob = site.person(), site.person()
        ada.sign_up()
        site.answer = LINK_VERIFIED
        bob.by_provider()
        bob.visitor.sign_out()
        changed = bob.by_provider(email=ada.email, verified=False)
        assert support_code(changed) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_024")

    def test_one_that_nobody_has(self, site: Site) -> None:
        bob = site.person()
        user = bob.by_provider()["user"]
        bob.visitor.sign_out()
        assert bob.by_provider(email=f"new-{bob.email}")["user"]["emails"] == [f"new-{bob.email}"]
        assert bob.who() == user["id"]


class TestInASession:
    def test_an_account_with_another_address(self, site: Site) -> None:
        ada = site.person()
        user_id = ada.by_code()["user"]["id"]
        linked = ada.by_provider(link=True, email=f"home-{ada.email}")
        assert (linked["status"], linked["user"]["id"]) == ("OK", user_id)
        ada.visitor.sign_out()
        assert ada.by_provider(email=f"home-{ada.email}")["user"]["id"] == user_id

    def test_one_that_nobody_has_verified(self, site: Site) -> None:
        ada = site.person()
        ada.by_code()
        refused = ada.by_provider(link=True, email=f"home-{ada.email}", verified=False)
        assert support_code(refused) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_020")

    def test_one_of_another_user(self, site: Site) -> None:
        ada, bob = site.person(), site.person()
        bob.by_provider()
        ada.by_code()
        ada.visitor, bob.visitor = bob.visitor, ada.visitor  # Ada's account there, in Bob's session
        site_ada = site.person(bob.email)
        site_ada.visitor = bob.visitor
        assert support_code(site_ada.by_provider(link=True)) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_021")

    def test_one_whose_address_is_that_of_another_user(self, site: Site) -> None:
        ada, bob = site.person(), site.person()
        bob.by_code()
        ada.by_code()
        refused = ada.by_provider(link=True, email=bob.email)
        assert support_code(refused) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_022")

    def test_the_sessions_own_address_belongs_to_another_primary_user(self, site: Site) -> None:
        ada = site.person_with_rival()
        refused = ada.by_provider(link=True, email=f"home-{ada.email}")
        assert support_code(refused) == ("SIGN_IN_UP_NOT_ALLOWED", "ERR_CODE_023")
