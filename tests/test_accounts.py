"""Users across recipes: found, listed page by page, counted and deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from recipes.shop import PASSWORD, QUICK, Borrowed, Shop, form

import st_wsgi
from st_wsgi import AccountInfo, RecipeUserId, User
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import CoreRefused
from st_wsgi.recipes import emailpassword, session
from st_wsgi.recipes.emailpassword import SignUpOk, WrongCredentials
from st_wsgi.request import current

EMAILS = [f"user{number}@example.com" for number in range(5)]


class Ticking:
    """A clock that goes on at every look, so that no two users joined at once."""

    def __init__(self) -> None:
        self.milliseconds = 0

    def __call__(self) -> int:
        self.milliseconds = max(self.milliseconds + 1, time.time_ns() // 1_000_000)
        return self.milliseconds


@pytest.fixture(scope="class")
def core() -> Iterator[Borrowed]:
    """A core with five users of the public tenant and one of the tenant t1, for a class that leaves it as it is."""
    with EmbeddedCore(settings=QUICK, clock=Ticking()) as embedded:
        borrowed = Borrowed(embedded)
        Shop(borrowed)
        for email in EMAILS:
            emailpassword.sign_up(email=email, password=PASSWORD, tenant_id="public")
        made = embedded.send(
            CoreRequest(
                "PUT", "/recipe/multitenancy/tenant/v2", body={"tenantId": "t1", "firstFactors": ["emailpassword"]}
            )
        )
        assert made.status == 200, made.body
        emailpassword.sign_up(email=EMAILS[0], password=PASSWORD, tenant_id="t1")
        yield borrowed
        current.set_default(None)


@pytest.fixture
def shop(core: Borrowed) -> Iterator[Shop]:
    yield Shop(core)
    current.set_default(None)


def emails_of(users: Any) -> list[str]:
    return [email for user in users for email in user.emails]


def by_email(email: str, tenant_id: str = "public") -> User:
    (user,) = st_wsgi.list_users_by_account_info(account_info=AccountInfo(email=email), tenant_id=tenant_id)
    return user


@pytest.mark.usefixtures("shop")
class TestLists:
    def test_the_oldest_or_the_newest_come_first(self) -> None:
        assert emails_of(st_wsgi.get_users_oldest_first().users) == EMAILS
        assert emails_of(st_wsgi.get_users_newest_first().users) == EMAILS[::-1]

    def test_a_page_leads_to_the_next(self) -> None:
        seen: list[str] = []
        token = None
        for size in (2, 2, 1):
            page = st_wsgi.get_users_oldest_first(limit=2, pagination_token=token)
            assert len(page.users) == size
            seen += emails_of(page.users)
            token = page.next_pagination_token
        assert (seen, token) == (EMAILS, None)

    def test_users_can_be_searched_for(self) -> None:
        assert emails_of(st_wsgi.get_users_oldest_first(query={"email": "user3"}).users) == [EMAILS[3]]

    def test_only_those_of_some_recipes(self) -> None:
        assert len(st_wsgi.get_users_oldest_first(include_recipe_ids=["emailpassword"]).users) == 5
        assert st_wsgi.get_users_oldest_first(include_recipe_ids=["passwordless"]).users == ()

    def test_each_tenant_has_its_own(self) -> None:
        assert emails_of(st_wsgi.get_users_oldest_first(tenant_id="t1").users) == [EMAILS[0]]

    def test_they_are_counted(self) -> None:
        assert st_wsgi.get_user_count() == 6
        assert st_wsgi.get_user_count(tenant_id="public") == 5
        assert st_wsgi.get_user_count(tenant_id="t1") == 1
        assert st_wsgi.get_user_count(include_recipe_ids=["emailpassword", "passwordless"]) == 6
        assert st_wsgi.get_user_count(include_recipe_ids=["passwordless"]) == 0

    def test_a_list_of_no_recipes_is_not_taken_for_all_of_them(self) -> None:
        for ask in (st_wsgi.get_user_count, st_wsgi.get_users_oldest_first, st_wsgi.get_users_newest_first):
            with pytest.raises(ValueError, match="must name a recipe, or be None for all"):
                ask(include_recipe_ids=[])

    @pytest.mark.parametrize("limit", [0, -1, 501])
    def test_a_limit_that_the_core_does_not_take_is_the_apps_mistake(self, limit: int) -> None:
        with pytest.raises(CoreRefused, match="limit"):
            st_wsgi.get_users_oldest_first(limit=limit)


@pytest.mark.usefixtures("shop")
class TestLookUp:
    def test_by_id(self) -> None:
        user = by_email(EMAILS[1])
        assert st_wsgi.get_user(user_id=user.id) == user
        assert st_wsgi.get_user(user_id="no-such-id") is None

    def test_a_login_method_by_its_id(self) -> None:
        (user,) = st_wsgi.get_users_oldest_first(limit=1).users
        (method,) = user.login_methods
        assert user.login_method(method.recipe_user_id) is method
        assert user.login_method(RecipeUserId("nobody")) is None

    def test_by_what_is_known_of_a_user(self) -> None:
        assert by_email(EMAILS[1]).login_methods[0].email == EMAILS[1]
        assert by_email(EMAILS[0]).id != by_email(EMAILS[0], "t1").id
        nobody = AccountInfo(email="nobody@example.com")
        assert st_wsgi.list_users_by_account_info(account_info=nobody) == ()

    def test_all_of_it_or_any_of_it(self) -> None:
        both = AccountInfo(email=EMAILS[1], phone_number="+36301234567")
        assert st_wsgi.list_users_by_account_info(account_info=both) == ()
        found = st_wsgi.list_users_by_account_info(account_info=both, do_union_of_account_info=True)
        assert emails_of(found) == [EMAILS[1]]


def test_a_deleted_user_is_gone_with_everything(shop: Shop) -> None:
    visitor = shop.visitor()
    visitor.sign_up()
    user = by_email(visitor.email)
    assert len(session.get_all_session_handles_for_user(user_id=user.id)) == 1
    st_wsgi.delete_user(user_id=user.id)
    assert st_wsgi.get_user(user_id=user.id) is None
    assert session.get_all_session_handles_for_user(user_id=user.id) == []
    assert visitor.refresh().status_code == 401
    assert visitor.sign_in().json == {"status": "WRONG_CREDENTIALS_ERROR"}
    st_wsgi.delete_user(user_id=user.id)


class TestTenants:
    """A tenant in the path, end to end."""

    def test_a_user_signs_up_in_a_tenant_and_has_a_session_of_it(self, shop: Shop) -> None:
        visitor = shop.visitor()
        body = form(email=visitor.email, password=PASSWORD)
        signed_up = visitor.call("POST", "/auth/t1/signup", body).json or {}
        assert signed_up["user"]["tenantIds"] == ["t1"]

        def view(found: session.SessionContainer) -> Any:
            return [found.get_user_id(), found.get_tenant_id(), found.get_handle().endswith("_t1")]

        assert shop.with_session(visitor, view).json == [signed_up["user"]["id"], "t1", True]
        assert visitor.refresh().status_code == 200
        assert shop.with_session(visitor, view).json == [signed_up["user"]["id"], "t1", True]
        assert visitor.call("POST", "/auth/t1/signout").json == {"status": "OK"}
        assert visitor.refresh().status_code == 401

    def test_the_sessions_of_one_tenant_are_listed_and_revoked_alone(self, shop: Shop) -> None:
        user = RecipeUserId(shop.visitor().user_id)
        handles = {
            tenant: session.create_new_session_without_request_response(
                tenant_id=tenant, recipe_user_id=user
            ).get_handle()
            for tenant in ("public", "t1")
        }
        every = session.get_all_session_handles_for_user(user_id=user.value)
        assert sorted(every) == sorted(handles.values())
        for tenant, handle in handles.items():
            assert session.get_all_session_handles_for_user(user_id=user.value, tenant_id=tenant) == [handle]
        assert session.revoke_all_sessions_for_user(user_id=user.value, tenant_id="t1") == [handles["t1"]]
        assert session.get_all_session_handles_for_user(user_id=user.value) == [handles["public"]]

    def test_the_same_e_mail_in_two_tenants_is_two_users(self, shop: Shop) -> None:
        passwords = {"public": PASSWORD, "t1": "another horse 2"}
        visitor = shop.visitor()
        users = set()
        for tenant, password in passwords.items():
            body = form(email=visitor.email, password=password)
            users.add((visitor.call("POST", f"/auth/{tenant}/signup", body).json or {})["user"]["id"])
        assert len(users) == 2
        for tenant in passwords:
            for password_of, password in passwords.items():
                body = form(email=visitor.email, password=password)
                status = (visitor.call("POST", f"/auth/{tenant}/signin", body).json or {})["status"]
                assert status == ("OK" if tenant == password_of else "WRONG_CREDENTIALS_ERROR")

    def test_whether_an_e_mail_is_known_is_asked_of_one_tenant(self, shop: Shop) -> None:
        for tenant, email, exists in (("t1", EMAILS[0], True), ("t1", EMAILS[1], False), ("public", EMAILS[1], True)):
            answer = shop.visitor().call("GET", f"/auth/{tenant}/emailpassword/email/exists?email={email}")
            assert answer.json == {"status": "OK", "exists": exists}

    def test_a_user_of_one_tenant_does_not_sign_in_to_another(self, shop: Shop) -> None:
        found = emailpassword.sign_in(email=EMAILS[1], password=PASSWORD, tenant_id="t1")
        assert found == WrongCredentials()
        made = emailpassword.sign_up(email=EMAILS[1], password=PASSWORD, tenant_id="t1")
        assert isinstance(made, SignUpOk)
        st_wsgi.delete_user(user_id=made.user.id)
