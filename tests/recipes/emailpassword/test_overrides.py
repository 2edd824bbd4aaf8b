"""Overrides of the emailpassword recipe: stacked, composed, seen by siblings, and answering in their own words."""

from __future__ import annotations

from typing import Any

import pytest

from recipes.shop import PASSWORD, Borrowed, Shop, clears_nothing, no_mail, payload_of
from st_wsgi import Override, like, replace
from st_wsgi.errors import BadInput, ConfigError
from st_wsgi.recipes import emailpassword, session
from st_wsgi.recipes.emailpassword import (
    EmailPassword,
    EmailPasswordAPIs,
    EmailPasswordFunctions,
    GeneralError,
    SignedIn,
    SignInNotAllowed,
    SignUpNotAllowed,
    WrongCredentials,
)
from st_wsgi.request import current


def shop_with(core: Borrowed, **override: Any) -> Shop:
    return Shop(core, recipes=[EmailPassword(email_delivery=no_mail, override=Override(**override))])


def noting(notes: list[str], name: str) -> Any:
    """An override that writes down when it is called and when it is done."""

    def override(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
        @like(original.sign_in)
        def sign_in(*, email: str, password: str, session: Any = None, tenant_id: str = "public") -> Any:
            notes.append(f"{name} in")
            result = original.sign_in(email=email, password=password, session=session, tenant_id=tenant_id)
            notes.append(f"{name} {result.status}")
            return result

        return replace(original, sign_in=sign_in)

    return override


def test_stacked_overrides_compose_with_the_last_outermost(core: Borrowed) -> None:
    notes: list[str] = []
    shop = shop_with(core, functions=[noting(notes, "inner"), noting(notes, "outer")])
    visitor = shop.visitor()
    visitor.sign_up()
    visitor.sign_in()
    assert notes == ["outer in", "inner in", "inner OK", "outer OK"]


def test_the_apps_own_calls_run_the_override_too(core: Borrowed) -> None:
    notes: list[str] = []
    shop_with(core, functions=noting(notes, "mine"))
    emailpassword.sign_in(email="nobody@example.com", password="x", tenant_id="public")
    assert notes == ["mine in", "mine WRONG_CREDENTIALS_ERROR"]


def test_siblings_see_an_override(core: Borrowed) -> None:
    """sign_up goes through create_new_recipe_user, and sign_in through verify_credentials."""
    seen: list[str] = []

    def watching(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
        @like(original.create_new_recipe_user)
        def create_new_recipe_user(**given: Any) -> Any:
            seen.append(f"made {given['email']}")
            return original.create_new_recipe_user(**given)

        @like(original.verify_credentials)
        def verify_credentials(**given: Any) -> Any:
            seen.append(f"verified {given['email']}")
            return original.verify_credentials(**given)

        return replace(original, create_new_recipe_user=create_new_recipe_user, verify_credentials=verify_credentials)

    visitor = shop_with(core, functions=watching).visitor()
    visitor.sign_up()
    visitor.sign_in()
    assert seen == [f"made {visitor.email}", f"verified {visitor.email}"]


def test_an_api_override_gets_the_form_the_tenant_and_the_session_that_was_made(core: Borrowed) -> None:
    seen: list[Any] = []

    def counting(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
        @like(original.sign_in_post)
        def sign_in_post(**given: Any) -> Any:
            result = original.sign_in_post(**given)
            seen.append([field.id for field in given["form_fields"]])
            assert isinstance(result, SignedIn)
            result.session.merge_into_access_token_payload({"visits": 1})
            seen.append(result.session.get_user_id() == result.user.id)
            seen.append((given["tenant_id"], given["context"].header("rid")))
            return result

        return replace(original, sign_in_post=sign_in_post)

    visitor = shop_with(core, apis=counting).visitor()
    visitor.sign_up()
    visitor.sign_in()
    assert seen == [["email", "password"], True, ("public", "anti-csrf")]
    assert payload_of(str(visitor.access_token))["visits"] == 1
    assert visitor.visit().status_code == 200


@pytest.mark.parametrize(
    ("result", "body"),
    [
        (GeneralError("Come back tomorrow"), {"status": "GENERAL_ERROR", "message": "Come back tomorrow"}),
        (SignInNotAllowed("Suspended"), {"status": "SIGN_IN_NOT_ALLOWED", "reason": "Suspended"}),
        (WrongCredentials(), {"status": "WRONG_CREDENTIALS_ERROR"}),
    ],
)
def test_an_api_may_answer_something_else(core: Borrowed, result: Any, body: dict[str, str]) -> None:
    shop = shop_with(core, apis=lambda original: replace(original, sign_in_post=lambda **_: result))
    answer = shop.visitor().sign_in()
    assert (answer.status_code, answer.json) == (200, body)
    assert clears_nothing(answer)


def test_a_refusal_at_sign_up_makes_no_user(core: Borrowed) -> None:
    def invited(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
        return replace(original, sign_up_post=lambda **_: SignUpNotAllowed("By invitation only"))

    visitor = shop_with(core, apis=invited).visitor()
    assert visitor.sign_up().json == {"status": "SIGN_UP_NOT_ALLOWED", "reason": "By invitation only"}
    assert "POST /public/recipe/signup" not in core.calls


def test_an_error_after_the_session_was_made_takes_its_tokens_back(core: Borrowed) -> None:
    """W-124: no half session."""

    def failing(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
        @like(original.sign_in_post)
        def sign_in_post(**given: Any) -> Any:
            original.sign_in_post(**given)
            raise errors.pop()

        return replace(original, sign_in_post=sign_in_post)

    errors: list[Exception] = [BadInput("no"), KeyError("a bug of the app")]
    visitor = shop_with(core, apis=failing).visitor()
    visitor.sign_up()
    visitor.sign_out()
    for status in (500, 400):
        answer = visitor.sign_in()
        assert answer.status_code == status
        assert clears_nothing(answer)


@pytest.mark.parametrize(
    ("api", "method", "path"),
    [
        ("sign_up_post", "POST", "/auth/signup"),
        ("sign_in_post", "POST", "/auth/signin"),
        ("email_exists_get", "GET", "/auth/emailpassword/email/exists"),
        ("email_exists_get", "GET", "/auth/signup/email/exists"),
        ("sign_up_post", "POST", "/auth/public/signup"),
    ],
)
def test_none_turns_a_route_over_to_the_app(core: Borrowed, api: str, method: str, path: str) -> None:
    """W-082: a site that does not want to tell which e-mails it knows."""
    shop = shop_with(core, apis=lambda original: replace(original, **{api: None}))
    shop.view = lambda environ: environ["wsgi.input"].read(2).decode()
    assert shop.visitor().call(method, path, data=b"ab").json == "ab"


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("functions", "EmailPasswordFunctions has no method 'sing_in' to replace"),
        ("apis", "EmailPasswordAPIs has no method 'sing_in' to replace"),
    ],
)
def test_a_typo_fails_at_start_up(core: Borrowed, part: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        shop_with(core, **{part: lambda original: replace(original, sing_in=lambda **_: None)})


def test_one_core_and_two_instances_with_overrides_of_their_own(core: Borrowed) -> None:
    notes: list[str] = []
    one = shop_with(core, functions=noting(notes, "one"))
    two = shop_with(core, functions=noting(notes, "two"))
    one.visitor().sign_in()
    two.visitor().sign_in()
    assert [note for note in notes if note.endswith("in")] == ["one in", "two in"]


def test_the_user_context_lives_from_an_api_to_a_function_and_no_longer(core: Borrowed) -> None:
    seen: list[Any] = []

    def api(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
        @like(original.sign_in_post)
        def sign_in_post(**given: Any) -> Any:
            seen.append(dict(current.user_context()))
            current.user_context()["from"] = "api"
            return original.sign_in_post(**given)

        return replace(original, sign_in_post=sign_in_post)

    def function(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
        @like(original.sign_in)
        def sign_in(**given: Any) -> Any:
            seen.append(dict(current.user_context()))
            return original.sign_in(**given)

        return replace(original, sign_in=sign_in)

    shop = shop_with(core, functions=function, apis=api)
    for _ in range(2):
        shop.visitor().sign_in()
    assert seen == [{}, {"from": "api"}, {}, {"from": "api"}]


def test_an_override_may_use_other_recipes(core: Borrowed) -> None:
    """Signing in ends all older sessions of the user."""

    def alone(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
        @like(original.sign_in_post)
        def sign_in_post(**given: Any) -> Any:
            result = original.sign_in_post(**given)
            if isinstance(result, SignedIn):
                mine = result.session.get_handle()
                others = session.get_all_session_handles_for_user(user_id=result.user.id)
                session.revoke_multiple_sessions(session_handles=[one for one in others if one != mine])
            return result

        return replace(original, sign_in_post=sign_in_post)

    visitor = shop_with(core, apis=alone).visitor()
    visitor.sign_up(PASSWORD)
    older = visitor.snapshot()
    visitor.sign_in()
    assert visitor.refresh().status_code == 200
    assert older.refresh().status_code == 401
