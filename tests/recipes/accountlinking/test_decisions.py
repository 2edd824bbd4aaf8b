"""The tables of who may link, sign in, sign up and change an address: every row, and nothing beside the rows."""

from __future__ import annotations

import itertools

import pytest

from st_wsgi import LoginMethod, RecipeUserId, User
from st_wsgi.recipes.accountlinking.decisions import may_change_email, may_link, may_sign_in_or_up
from st_wsgi.recipes.accountlinking.types import AccountInfoWithRecipeId

ADDRESS, NUMBER = "ada@example.com", "+4930123456"
NO_LINK, LINK, LINK_VERIFIED = None, False, True
"""What the app's function may answer."""


def method(
    number: int, *, email: str | None = ADDRESS, phone: str | None = None, verified: bool = False
) -> LoginMethod:
    return LoginMethod(
        recipe_id="emailpassword",
        recipe_user_id=RecipeUserId(f"m{number}"),
        tenant_ids=("public",),
        verified=verified,
        time_joined=number,
        email=email,
        phone_number=phone,
    )


def user(*methods: LoginMethod, primary: bool = False) -> User:
    return User(
        id=methods[0].recipe_user_id.value,
        is_primary_user=primary,
        tenant_ids=("public",),
        time_joined=methods[0].time_joined,
        emails=(),
        phone_numbers=(),
        third_party=(),
        login_methods=methods,
    )


def new(*, phone: bool = False, email: str = ADDRESS) -> AccountInfoWithRecipeId:
    if phone:
        return AccountInfoWithRecipeId(recipe_id="passwordless", phone_number=NUMBER)
    return AccountInfoWithRecipeId(recipe_id="passwordless", email=email)


class TestLinking:
    """F-01: verified on both sides, or not at all."""

    @pytest.mark.parametrize("by_phone", [False, True])
    @pytest.mark.parametrize(
        ("needs", "is_verified", "verified_by_user"),
        [*itertools.product([NO_LINK, LINK, LINK_VERIFIED], [False, True], [False, True])],
    )
    def test_both_sides_count(
        self, needs: bool | None, is_verified: bool, verified_by_user: bool, by_phone: bool
    ) -> None:
        contact = {"email": None, "phone": NUMBER} if by_phone else {"email": ADDRESS}
        owner = user(method(1, **contact, verified=verified_by_user), primary=True)
        expected = {NO_LINK: False, LINK: True, LINK_VERIFIED: is_verified and verified_by_user}[needs]
        assert may_link(new(phone=by_phone), owner, is_verified=is_verified, needs=needs) is expected

    def test_another_verified_address_of_the_user_does_not_count(self) -> None:
        owner = user(method(1, email="other@example.com", verified=True), method(2, verified=False), primary=True)
        assert not may_link(new(), owner, is_verified=True, needs=LINK_VERIFIED)

    def test_nor_does_one_that_neither_side_has(self) -> None:
        """No address is not the same as no address."""
        owner = user(method(1, email=None, phone=NUMBER, verified=True), primary=True)
        account = AccountInfoWithRecipeId(recipe_id="thirdparty")
        assert not may_link(account, owner, is_verified=True, needs=LINK_VERIFIED)


VERIFIED, UNVERIFIED = user(method(1, verified=True)), user(method(2))
PRIMARY, UNPROVED = user(method(3, verified=True), primary=True), user(method(4), primary=True)


class TestSigningInAndUp:
    @pytest.mark.parametrize(
        ("needs", "others", "is_verified", "session_user", "allowed"),
        [
            # Nobody has the address.
            (LINK_VERIFIED, [], False, None, True),
            # Nothing is linked, or it is linked without verification.
            *(
                (needs, [one], False, None, True)
                for needs in (NO_LINK, LINK)
                for one in (UNVERIFIED, PRIMARY, UNPROVED)
            ),
            # No primary user: all others must have verified the address, whatever the new one has.
            *((LINK_VERIFIED, [VERIFIED], verified, None, True) for verified in (False, True)),
            *((LINK_VERIFIED, [UNVERIFIED], verified, None, False) for verified in (False, True)),
            (LINK_VERIFIED, [VERIFIED, UNVERIFIED], True, None, False),
            # The user of the session, whom this sign-in may verify, is not in the way.
            (LINK_VERIFIED, [UNVERIFIED], True, UNVERIFIED, True),
            (LINK_VERIFIED, [UNVERIFIED, VERIFIED], True, UNVERIFIED, True),
            (LINK_VERIFIED, [UNVERIFIED], True, VERIFIED, False),
            # A primary user: verified on both sides.
            (LINK_VERIFIED, [PRIMARY], True, None, True),
            (LINK_VERIFIED, [PRIMARY], False, None, False),
            (LINK_VERIFIED, [UNPROVED], True, None, False),
            (LINK_VERIFIED, [UNPROVED], False, None, False),
            # The primary user of the session.
            (LINK_VERIFIED, [UNPROVED], True, UNPROVED, True),
            (LINK_VERIFIED, [UNPROVED], False, UNPROVED, False),
            # Others beside a primary user do not count.
            (LINK_VERIFIED, [UNVERIFIED, PRIMARY], True, None, True),
        ],
    )
    def test_a_row(
        self, needs: bool | None, others: list[User], is_verified: bool, session_user: User | None, allowed: bool
    ) -> None:
        outcome = may_sign_in_or_up(
            new(),
            others,
            is_verified=is_verified,
            session_user_id=None if session_user is None else session_user.id,
            needs_verification=lambda _account, _user: needs,
        )
        assert outcome is allowed

    def test_the_rule_is_asked_about_the_primary_user(self) -> None:
        asked: list[tuple[AccountInfoWithRecipeId, User | None]] = []

        def rule(account: AccountInfoWithRecipeId, owner: User | None) -> bool:
            asked.append((account, owner))
            return True

        for others in ([], [VERIFIED], [VERIFIED, PRIMARY]):
            may_sign_in_or_up(new(), others, is_verified=True, session_user_id=None, needs_verification=rule)
        assert asked == [(new(), None), (new(), PRIMARY)]


NEW = "new@example.com"
OTHER, OTHER_PRIMARY = user(method(11, email=NEW)), user(method(12, email=NEW, verified=True), primary=True)
OWNER = user(method(1), primary=True)
OWNER_OF_BOTH = user(method(1), method(2, email=NEW, verified=True), primary=True)
ALONE, UNCHANGED = user(method(1)), user(method(1, email=NEW))


class TestChangeOfAddress:
    @pytest.mark.parametrize("needs", [NO_LINK, LINK, LINK_VERIFIED])
    @pytest.mark.parametrize(
        ("who", "others", "is_verified", "outcome"),
        [
            (OWNER, [], False, "OK"),
            (OWNER, [OTHER_PRIMARY], False, "PRIMARY_USER_CONFLICT"),
            (OWNER, [OTHER_PRIMARY], True, "PRIMARY_USER_CONFLICT"),
            (OWNER, [OTHER], True, "OK"),
            (OWNER_OF_BOTH, [OTHER], False, "OK"),
            (OWNER_OF_BOTH, [OWNER_OF_BOTH], False, "OK"),
            (OWNER, [OTHER], False, "by rule"),
            (ALONE, [], False, "OK"),
            (ALONE, [OTHER], False, "OK"),
            (ALONE, [OTHER_PRIMARY], True, "OK"),
            (UNCHANGED, [OTHER_PRIMARY], False, "OK"),
            (ALONE, [OTHER_PRIMARY], False, "by rule"),
        ],
    )
    def test_a_row(self, who: User, others: list[User], is_verified: bool, outcome: str, needs: bool | None) -> None:
        if outcome == "by rule":
            outcome = "ACCOUNT_TAKEOVER_RISK" if needs else "OK"
        found = may_change_email(
            who,
            others,
            account=new(email=NEW),
            is_verified=is_verified,
            needs_verification=lambda _account, _user: needs,
        )
        assert found == outcome

    def test_the_rule_is_asked_about_who_would_be_linked_to_whom(self) -> None:
        asked: list[tuple[str | None, str | None]] = []

        def rule(account: AccountInfoWithRecipeId, owner: User | None) -> bool:
            id_ = account.recipe_user_id
            asked.append((None if id_ is None else id_.value, None if owner is None else owner.id))
            return True

        for who, others in ((OWNER, [OTHER]), (ALONE, [OTHER_PRIMARY])):
            may_change_email(who, others, account=new(email=NEW), is_verified=False, needs_verification=rule)
        assert asked == [("m11", "m1"), ("m1", "m12")]
