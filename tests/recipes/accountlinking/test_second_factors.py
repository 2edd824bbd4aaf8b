"""The first factor alone is not enough to link an account to another person's session."""

from __future__ import annotations

import pytest

import st_wsgi
from recipes.accountlinking.parts import LINK, LINK_VERIFIED, NO_LINK, Site, support_code
from recipes.multifactorauth.parts import Member, requirements, site
from recipes.shop import Borrowed
from st_wsgi.recipes.multifactorauth import add_to_required_secondary_factors_for_user


def alone(at: Site, user_id: str) -> bool:
    """Return whether a user has the one login method that they began with."""
    user = st_wsgi.get_user(user_id=user_id)
    return user is not None and (user.id, len(user.login_methods)) == (user_id, 1)


@pytest.mark.parametrize("has_app", [True, False])
def test_a_factor_that_is_required_of_the_user(core: Borrowed, has_app: bool) -> None:
    at = site(core)
    at.answer = NO_LINK
    victim, thief = Member.of(at, requires=("totp",), has_app=has_app), Member.of(at)
    at.answer = LINK
    refused = thief.person.sign_in(link=True, email=victim.person.email)
    assert support_code(refused) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_010")
    assert alone(at, victim.user_id)


@pytest.mark.parametrize("has_app", [True, False])
def test_a_factor_that_every_sign_in_needs(core: Borrowed, has_app: bool) -> None:
    """A user who has not set it up yet is not protected by it: the first factor alone opens their account."""
    at = site(core, override=requirements("totp"))
    at.answer = NO_LINK
    victim, thief = Member.of(at, has_app=has_app), Member.of(at, has_app=True)
    assert thief.enter_totp()["status"] == "OK"
    at.answer = LINK
    answer = thief.person.sign_in(link=True, email=victim.person.email)
    assert answer["status"] == ("SIGN_IN_NOT_ALLOWED" if has_app else "OK")
    assert alone(at, victim.user_id) is has_app


def test_a_code_that_is_all_that_the_user_needs(core: Borrowed) -> None:
    at = site(core)
    at.answer = NO_LINK
    owner, other = Member.of(at), at.person()
    user_id = other.by_code()["user"]["id"]
    add_to_required_secondary_factors_for_user(user_id=user_id, factor_id="otp-email")
    owner.person.verify()
    at.answer = LINK_VERIFIED
    linked = owner.person.by_code(link=True, email=other.email)
    assert (linked["status"], linked["user"]["id"]) == ("OK", owner.user_id)
