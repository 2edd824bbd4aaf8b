"""Sign up, sign in, and whether an e-mail is known: over the routes and as functions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from recipes.shop import PASSWORD, Borrowed, Shop, clears_nothing, form, payload_of
from st_wsgi import RecipeUserId, get_user
from st_wsgi.core_client.transport import CoreReply
from st_wsgi.recipes import emailpassword, session
from st_wsgi.recipes.emailpassword import EmailAlreadyExists, SignInOk, SignUpOk, WrongCredentials

EXISTS = "/auth/emailpassword/email/exists"
TAKEN = {
    "status": "FIELD_ERROR",
    "formFields": [{"id": "email", "error": "There is an account with this address already. Please sign in."}],
}


@pytest.mark.parametrize("mode", ["cookie", "header"])
def test_a_visitor_signs_up_is_recognised_signs_out_and_in_again(shop: Shop, mode: str) -> None:
    visitor = shop.visitor(mode)
    signed_up = visitor.sign_up().json or {}
    assert signed_up["status"] == "OK"
    user_id = signed_up["user"]["id"]
    assert visitor.visit().json == {"userId": user_id}
    assert visitor.sign_out().json == {"status": "OK"}
    assert visitor.visit().status_code == 401
    signed_in = visitor.sign_in().json or {}
    assert (signed_in["status"], signed_in["user"]) == ("OK", signed_up["user"])
    assert visitor.visit().json == {"userId": user_id}


def test_the_session_is_that_of_the_user_and_has_the_issuer(shop: Shop) -> None:
    visitor = shop.visitor()
    user_id = (visitor.sign_up().json or {})["user"]["id"]
    token = payload_of(str(visitor.access_token))
    assert (token["sub"], token["rsub"], token["tId"]) == (user_id, user_id, "public")
    assert token["iss"] == "https://api.shop.example/auth"


def test_a_second_sign_up_with_the_same_e_mail_is_a_field_error_without_a_session(shop: Shop) -> None:
    visitor = shop.visitor()
    visitor.sign_up()
    for spelling in (visitor.email, visitor.email.upper(), f"  {visitor.email}\t"):
        answer = shop.visitor().call("POST", "/auth/signup", form(email=spelling, password=PASSWORD))
        assert (answer.status_code, answer.json) == (200, TAKEN)
        assert clears_nothing(answer)


@pytest.mark.parametrize("spelling", ["{0}", "{1}", " {0} ", "\t{1}\n"])
def test_an_e_mail_is_the_same_in_any_case_and_with_spaces_around_it(shop: Shop, spelling: str) -> None:
    """W-044 and W-045."""
    visitor = shop.visitor()
    visitor.sign_up()
    written = spelling.format(visitor.email, visitor.email.upper())
    answer = shop.visitor().call("POST", "/auth/signin", form(email=written, password=PASSWORD))
    assert (answer.json or {})["user"]["emails"] == [visitor.email]
    exists = shop.visitor().call("GET", EXISTS, query_string={"email": written})
    assert exists.json == {"status": "OK", "exists": True}


def test_a_wrong_password_and_an_unknown_e_mail_look_the_same(shop: Shop) -> None:
    """W-080."""
    visitor = shop.visitor()
    visitor.sign_up()
    answers = [
        shop.visitor().call("POST", "/auth/signin", form(email=email, password="wrong password 1"))
        for email in (visitor.email, "nobody@example.com")
    ]
    for answer in answers:
        assert (answer.status_code, answer.json) == (200, {"status": "WRONG_CREDENTIALS_ERROR"})
        assert clears_nothing(answer)
    assert answers[0].headers == answers[1].headers


@pytest.mark.parametrize("path", [EXISTS, "/auth/signup/email/exists", f"/auth/public{EXISTS.removeprefix('/auth')}"])
def test_whether_an_e_mail_is_known(shop: Shop, path: str) -> None:
    visitor = shop.visitor()
    assert visitor.call("GET", f"{path}?email={visitor.email}").json == {"status": "OK", "exists": False}
    visitor.sign_up()
    assert visitor.call("GET", f"{path}?email={visitor.email}").json == {"status": "OK", "exists": True}
    assert visitor.call("HEAD", f"{path}?email={visitor.email}").data == b""


@pytest.mark.parametrize(
    ("recipe_id", "email", "tenants", "exists"),
    [
        ("emailpassword", "asked@example.com", ["public"], True),
        ("emailpassword", "other@example.com", ["public"], False),
        ("emailpassword", "asked@example.com", ["t1"], False),
        ("passwordless", "asked@example.com", ["public"], False),
    ],
)
def test_of_a_user_with_linked_accounts_only_a_password_for_this_e_mail_in_this_tenant_counts(
    core: Borrowed, recipe_id: str, email: str, tenants: list[str], exists: bool
) -> None:
    method = {"recipeId": recipe_id, "recipeUserId": "r", "tenantIds": tenants, "verified": True, "timeJoined": 1}
    user = {"id": "u", "isPrimaryUser": True, "tenantIds": ["public", "t1"], "timeJoined": 1, "thirdParty": []}
    user |= {"emails": [email, "asked@example.com"], "phoneNumbers": [], "loginMethods": [{**method, "email": email}]}
    found = CoreReply(200, {"status": "OK", "users": [user]})
    core.answer = lambda request: found if request.path.endswith("by-accountinfo") else None
    answer = Shop(core).visitor().call("GET", f"{EXISTS}?email=asked@example.com")
    assert answer.json == {"status": "OK", "exists": exists}


def test_a_signed_in_user_may_sign_up_another_account(shop: Shop) -> None:
    """W-060: the new session takes the place of the old one."""
    visitor = shop.visitor()
    first = (visitor.sign_up().json or {})["user"]["id"]
    visitor.email = f"other-{visitor.email}"
    second = (visitor.sign_up().json or {})["user"]["id"]
    assert visitor.visit().json == {"userId": second}
    assert first != second


class TestAnswersByVersion:
    """The body of a sign-in depends on what the frontend speaks."""

    @pytest.mark.parametrize(
        ("version", "flat"),
        [
            ("1.17", True),
            ("1.18", False),
            ("1.19", False),
            ("2.0", True),
            ("3.0", False),
            ("3.1", False),
            ("4.0", False),
            ("4.2", False),
            ("5.9", False),
            ("1.17,1.18,2.0", True),
            ("2.0, 3.0", False),
            ("1.17,garbage", True),
            ("garbage", False),
            ("", False),
            ("1e9", False),
            ("2", False),
            ("2.0.0", False),
            ("-2.0", False),
            ("\u0662.\u0660", False),
            ("99999.1", False),
            (None, False),
            (",".join(["2.0"] * 10_000), True),
            ("2.0" + "\xff", False),
        ],
    )
    def test_the_highest_version_counts(self, shop: Shop, version: str | None, flat: bool) -> None:
        """W-036: what is no version is skipped; without any the newest counts."""
        visitor = shop.visitor()
        encoded = None if version is None else version.encode().decode("latin-1")
        headers = {"fdi-version": encoded}
        for answer in (visitor.sign_up(headers=headers), visitor.sign_in(headers=headers)):
            body = answer.json or {}
            assert body["status"] == "OK"
            if flat:
                assert body.keys() == {"status", "user"}
                assert body["user"].keys() == {"id", "timeJoined", "email"}
                assert body["user"]["email"] == visitor.email
            else:
                assert body["user"]["loginMethods"][0]["recipeUserId"] == body["user"]["id"]
                assert body["user"].keys() >= {"isPrimaryUser", "tenantIds", "emails", "phoneNumbers", "thirdParty"}

    def test_a_flat_user_has_the_e_mail_of_the_login_method_that_was_used(self, core: Borrowed) -> None:
        """Of two that are linked; the session is that of the second."""
        method = {"recipeId": "emailpassword", "tenantIds": ["public"], "verified": True}
        methods = [
            {**method, "recipeUserId": f"r{number}", "timeJoined": number, "email": f"{number}@example.com"}
            for number in (1, 2)
        ]
        user = {"id": "r1", "isPrimaryUser": True, "tenantIds": ["public"], "timeJoined": 1, "thirdParty": []}
        user |= {"emails": ["1@example.com", "2@example.com"], "phoneNumbers": [], "loginMethods": methods}
        found = CoreReply(200, {"status": "OK", "user": user, "recipeUserId": "r2"})
        core.answer = lambda request: found if request.path.endswith("/signin") else None
        answer = Shop(core).visitor().sign_in(headers={"fdi-version": "2.0"})
        assert (answer.json or {})["user"] == {"id": "r1", "timeJoined": 2, "email": "2@example.com"}


class TestLinkingFlag:
    """shouldTryLinkingWithSessionUser, of FDI 3.1 and later: there is no linking without its recipe."""

    @pytest.mark.parametrize("path", ["/auth/signup", "/auth/signin"])
    @pytest.mark.parametrize("flag", ["true", 1, 0, [], {}, None])
    def test_only_json_booleans_count(self, shop: Shop, path: str, flag: Any) -> None:
        """W-049."""
        visitor = shop.visitor()
        body = {**form(email=visitor.email, password=PASSWORD), "shouldTryLinkingWithSessionUser": flag}
        assert visitor.call("POST", path, body).status_code == 400
        assert visitor.call("POST", path, body, headers={"fdi-version": "3.0"}).status_code == 200

    @pytest.mark.parametrize("path", ["/auth/signup", "/auth/signin"])
    def test_it_needs_a_session_that_lives(self, shop: Shop, path: str) -> None:
        visitor = shop.visitor()
        body = {**form(email=visitor.email, password=PASSWORD), "shouldTryLinkingWithSessionUser": True}
        assert visitor.call("POST", path, body).status_code == 401
        other = shop.signed_in()
        session.revoke_all_sessions_for_user(user_id=other.user_id)
        assert other.call("POST", path, body).status_code == 401

    @pytest.mark.parametrize(
        ("path", "status"), [("/auth/signup", "SIGN_UP_NOT_ALLOWED"), ("/auth/signin", "SIGN_IN_NOT_ALLOWED")]
    )
    def test_with_one_it_is_refused_with_a_reason_and_nothing_happens(self, shop: Shop, path: str, status: str) -> None:
        visitor = shop.signed_in()
        body = {**form(email=visitor.email, password=PASSWORD), "shouldTryLinkingWithSessionUser": True}
        answer = visitor.call("POST", path, body)
        assert (answer.json or {})["status"] == status
        assert (answer.json or {})["reason"]
        assert visitor.visit().json == {"userId": visitor.user_id}
        exists = visitor.call("GET", f"{EXISTS}?email={visitor.email}")
        assert exists.json == {"status": "OK", "exists": False}

    def test_false_is_a_plain_sign_in(self, shop: Shop) -> None:
        visitor = shop.signed_in()
        body = {**form(email=visitor.email, password=PASSWORD), "shouldTryLinkingWithSessionUser": False}
        assert (visitor.call("POST", "/auth/signup", body).json or {})["status"] == "OK"


class TestFunctions:
    """The app's own code signs users up and in without a session."""

    def test_up_and_in(self, shop: Shop) -> None:
        email = shop.visitor().email
        made = emailpassword.sign_up(email=email, password=PASSWORD, tenant_id="public")
        assert isinstance(made, SignUpOk)
        assert made.recipe_user_id == RecipeUserId(made.user.id)
        assert made.user.emails == (email,)
        assert made.user.login_methods[0].recipe_id == "emailpassword"
        found = emailpassword.sign_in(email=email, password=PASSWORD, tenant_id="public")
        assert found == SignInOk(user=made.user, recipe_user_id=made.recipe_user_id)
        assert emailpassword.verify_credentials(email=email, password=PASSWORD, tenant_id="public") == found
        assert get_user(user_id=made.user.id) == made.user

    def test_what_does_not_work_out_is_returned(self, shop: Shop) -> None:
        email = shop.visitor().email
        emailpassword.sign_up(email=email, password=PASSWORD, tenant_id="public")
        assert emailpassword.sign_up(email=email, password="x", tenant_id="public") == EmailAlreadyExists()
        assert emailpassword.sign_in(email=email, password="x", tenant_id="public") == WrongCredentials()

    def test_a_user_that_a_function_made_signs_in_over_the_route(self, shop: Shop) -> None:
        visitor = shop.visitor()
        made = emailpassword.sign_up(email=visitor.email, password=PASSWORD, tenant_id="public")
        assert isinstance(made, SignUpOk)
        assert (visitor.sign_in().json or {})["user"]["id"] == made.user.id

    def test_no_password_is_in_what_they_show(self, shop: Shop) -> None:
        fields = emailpassword.FieldValue("password", "s3cret-value")
        assert "s3cret" not in repr(fields)


def test_concurrent_sign_ups_with_one_e_mail_make_one_user(core: Borrowed) -> None:
    """W-110: the other gets the field error."""
    shop = Shop(core)
    email = shop.visitor().email
    together = threading.Barrier(6, timeout=30)

    def sign_up(_number: int) -> Any:
        visitor = shop.visitor()
        together.wait()
        return visitor.call("POST", "/auth/signup", form(email=email, password=PASSWORD)).json

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(sign_up, range(6)))
    assert sorted(answer["status"] for answer in answers) == ["FIELD_ERROR"] * 5 + ["OK"]
