"""Forgotten passwords: the mail, the link, the new password, and what must not work."""

from __future__ import annotations

import queue
import threading
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

import st_wsgi
from recipes.shop import PASSWORD, WEBSITE, Borrowed, Shop, Visitor, form
from st_wsgi import Override, RecipeUserId, like, replace
from st_wsgi.delivery import Delivery, Message
from st_wsgi.recipes import emailpassword as ep, emailverification as ev
from st_wsgi.recipes.emailpassword import (
    EmailAlreadyExists,
    EmailPassword,
    EmailPasswordFunctions,
    InvalidResetToken,
    Ok,
    PasswordPolicyViolated,
    ResetLink,
    ResetToken,
    ResetTokenConsumed,
    UnknownUserId,
)
from st_wsgi.recipes.emailverification import EmailVerification

TOKEN = "/auth/user/password/reset/token"
RESET = "/auth/user/password/reset"
NEW = "battery staple 2"
INVALID = {"status": "RESET_PASSWORD_INVALID_TOKEN_ERROR"}


class Mailbox:
    """Receives mails from any thread."""

    def __init__(self) -> None:
        self.mails: queue.Queue[Message] = queue.Queue()

    def __call__(self, message: Message) -> None:
        self.mails.put(message)

    def next(self) -> Message:
        return self.mails.get(timeout=20)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def recipe(mailbox: Mailbox) -> EmailPassword:
    return EmailPassword(email_delivery=mailbox)


@pytest.fixture
def shop(core: Borrowed, recipe: EmailPassword) -> Shop:
    return Shop(core, recipes=[recipe])


def signed_up(shop: Shop) -> Visitor:
    visitor = shop.visitor()
    visitor.user_id = visitor.sign_up().get_json()["user"]["id"]
    return visitor


def ask_for_mail(visitor: Visitor, email: str | None = None) -> TestResponse:
    return visitor.call("POST", TOKEN, form(email=visitor.email if email is None else email))


def token_in(message: Message) -> str:
    assert message.link is not None
    return parse_qs(urlsplit(message.link).query)["token"][0]


def reset(visitor: Visitor, token: Any, password: Any = NEW, **call: Any) -> TestResponse:
    return visitor.call("POST", RESET, {"method": "token", "token": token, **form(password=password)}, **call)


def test_a_forgotten_password_is_replaced_by_the_link_of_the_mail(shop: Shop, mailbox: Mailbox) -> None:
    visitor = signed_up(shop)
    assert ask_for_mail(visitor, f" {visitor.email.upper()} ").get_json() == {"status": "OK"}
    mail = mailbox.next()
    assert (mail.kind, mail.to, mail.tenant_id) == ("PASSWORD_RESET", visitor.email, "public")
    assert mail.link is not None
    assert mail.link.startswith(f"{WEBSITE}/auth/reset-password?token=")
    assert parse_qs(urlsplit(mail.link).query)["tenantId"] == ["public"]

    assert reset(visitor, token_in(mail)).get_json() == {"status": "OK"}
    assert visitor.sign_in(PASSWORD).get_json()["status"] == "WRONG_CREDENTIALS_ERROR"
    assert visitor.sign_in(NEW).get_json()["status"] == "OK"


def test_an_unknown_address_gets_the_same_response_and_no_mail(
    shop: Shop, recipe: EmailPassword, mailbox: Mailbox
) -> None:
    visitor = shop.visitor()
    assert ask_for_mail(visitor, "nobody@example.com").get_json() == {"status": "OK"}
    recipe.background.close()
    assert mailbox.mails.empty()


def test_the_response_waits_neither_for_the_token_nor_for_the_mail(core: Borrowed) -> None:
    may_go_on = threading.Event()
    steps: list[str] = []

    def waiting(message: Message) -> None:
        steps.append("mail")

    def functions(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
        @like(original.create_reset_password_token)
        def create_reset_password_token(*, user_id, email, tenant_id="public"):  # type: ignore[no-untyped-def]
            assert may_go_on.wait(20)
            return original.create_reset_password_token(user_id=user_id, email=email, tenant_id=tenant_id)

        return replace(original, create_reset_password_token=create_reset_password_token)

    recipe = EmailPassword(email_delivery=waiting, override=Override(functions=functions))
    shop = Shop(core, recipes=[recipe])
    assert ask_for_mail(signed_up(shop)).get_json() == {"status": "OK"}
    assert steps == []
    may_go_on.set()
    recipe.background.close()
    assert steps == ["mail"]


def test_a_known_and_an_unknown_address_cost_the_same_core_calls_before_the_response(
    core: Borrowed, recipe: EmailPassword, shop: Shop
) -> None:
    visitor = signed_up(shop)

    def calls(email: str) -> list[str]:
        core.calls.clear()
        ask_for_mail(visitor, email)
        before_the_response = [call for call in core.calls if "password/reset" not in call]
        recipe.background.close()
        return before_the_response

    assert calls(visitor.email) == calls("nobody@example.com") == ["GET /public/users/by-accountinfo"]


def test_a_mail_that_fails_reaches_the_hook_and_not_the_response(core: Borrowed) -> None:
    failures: list[tuple[str, str]] = []

    def broken(message: Message) -> None:
        raise TimeoutError

    hook = Delivery(broken, lambda message, error: failures.append((message.kind, type(error).__name__)))
    recipe = EmailPassword(email_delivery=hook)
    assert ask_for_mail(signed_up(Shop(core, recipes=[recipe]))).get_json() == {"status": "OK"}
    recipe.background.close()
    assert failures == [("PASSWORD_RESET", "TimeoutError")]


def test_a_token_works_once(shop: Shop, mailbox: Mailbox) -> None:
    visitor = signed_up(shop)
    ask_for_mail(visitor)
    token = token_in(mailbox.next())
    assert reset(visitor, token).get_json() == {"status": "OK"}
    assert reset(visitor, token, "another pass 3").get_json() == INVALID
    assert visitor.sign_in(NEW).get_json()["status"] == "OK"


def test_a_weak_password_leaves_the_token_good(shop: Shop, mailbox: Mailbox) -> None:
    visitor = signed_up(shop)
    ask_for_mail(visitor)
    token = token_in(mailbox.next())
    weak = reset(visitor, token, "short").get_json()
    assert (weak["status"], [field["id"] for field in weak["formFields"]]) == ("FIELD_ERROR", ["password"])
    assert reset(visitor, token).get_json() == {"status": "OK"}


def test_a_token_of_a_deleted_user_is_invalid(shop: Shop, mailbox: Mailbox) -> None:

    visitor = signed_up(shop)
    ask_for_mail(visitor)
    token = token_in(mailbox.next())
    st_wsgi.delete_user(user_id=visitor.user_id)
    assert reset(visitor, token).get_json() == INVALID


def test_a_limiter_does_not_get_the_token(core: Borrowed, recipe: EmailPassword) -> None:
    keys: list[str] = []

    def limiter(key: str, route: str) -> float | None:
        keys.append(key)
        return None

    reset(Shop(core, recipes=[recipe], rate_limit=limiter).visitor(), "a-token-that-is-good")
    assert [key.partition(":")[0] for key in keys] == ["address", "both", "account"]
    assert "a-token-that-is-good" not in "".join(keys)


def test_an_invented_token_is_invalid(shop: Shop) -> None:
    assert reset(shop.visitor(), "invented").get_json() == INVALID


@pytest.mark.parametrize("token", [None, 1, ["x"], {"a": 1}, True])
def test_a_token_that_is_no_text_is_refused(shop: Shop, token: Any) -> None:
    answer = reset(shop.visitor(), token)
    assert answer.status_code == 400
    assert "token" in answer.get_json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"formFields": {}},
        {"formFields": [{"id": "email"}]},
        {"formFields": [{"id": "email", "value": 1}]},
        {"formFields": [{"id": "password", "value": "correct horse 1"}]},
    ],
)
def test_a_malformed_request_for_a_mail_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    assert shop.visitor().call("POST", TOKEN, body).status_code == 400


def test_a_malformed_address_is_a_field_error(shop: Shop) -> None:
    answer = ask_for_mail(shop.visitor(), "no address").get_json()
    assert answer == {"status": "FIELD_ERROR", "formFields": [{"id": "email", "error": "Email is invalid"}]}


def test_a_reset_proves_that_the_address_is_the_users(core: Borrowed, mailbox: Mailbox) -> None:
    verification = EmailVerification(mode="OPTIONAL", email_delivery=mailbox)
    shop = Shop(core, recipes=[EmailPassword(email_delivery=mailbox), verification])
    visitor = signed_up(shop)
    assert ev.is_email_verified(recipe_user_id=RecipeUserId(visitor.user_id)) is False
    ask_for_mail(visitor)
    reset(visitor, token_in(mailbox.next()))
    assert ev.is_email_verified(recipe_user_id=RecipeUserId(visitor.user_id)) is True


def test_each_route_has_a_switch_of_its_own(core: Borrowed, mailbox: Mailbox) -> None:
    override: Override[Any, Any] = Override(apis=lambda apis: replace(apis, password_reset_post=None))
    shop = Shop(core, recipes=[EmailPassword(email_delivery=mailbox, override=override)], view=lambda environ: "app")
    visitor = signed_up(shop)
    assert ask_for_mail(visitor).get_json() == {"status": "OK"}
    assert reset(visitor, token_in(mailbox.next())).get_json() == "app"


def test_every_function_of_a_reset(shop: Shop, mailbox: Mailbox) -> None:
    visitor = signed_up(shop)
    outcome = ep.create_reset_password_token(user_id=visitor.user_id, email=visitor.email)
    assert isinstance(outcome, ResetToken)
    consumed = ep.consume_password_reset_token(token=outcome.token)
    assert consumed == ResetTokenConsumed(user_id=visitor.user_id, email=visitor.email)
    assert ep.consume_password_reset_token(token=outcome.token) == InvalidResetToken()
    assert outcome.token not in repr(outcome)

    link = ep.create_reset_password_link(user_id=visitor.user_id, email=visitor.email)
    assert isinstance(link, ResetLink)
    assert link.link.startswith(f"{WEBSITE}/auth/reset-password?token=")

    assert ep.send_reset_password_email(user_id=visitor.user_id, email=visitor.email) is True
    token = token_in(mailbox.next())
    assert ep.reset_password_using_token(token=token, new_password=NEW) == Ok()
    assert ep.reset_password_using_token(token=token, new_password=NEW) == InvalidResetToken()
    assert visitor.sign_in(NEW).get_json()["status"] == "OK"


def test_functions_know_unknown_users(shop: Shop) -> None:
    user_id = uuid.uuid4().hex
    assert ep.create_reset_password_token(user_id=user_id, email="a@example.com") == UnknownUserId()
    assert ep.create_reset_password_link(user_id=user_id, email="a@example.com") == UnknownUserId()
    assert ep.send_reset_password_email(user_id=user_id, email="a@example.com") == UnknownUserId()
    assert ep.update_email_or_password(recipe_user_id=RecipeUserId(user_id), password=NEW) == UnknownUserId()


def test_the_password_and_the_address_of_a_user_are_changed(shop: Shop) -> None:
    visitor, other = signed_up(shop), signed_up(shop)
    user = RecipeUserId(visitor.user_id)
    weak = ep.update_email_or_password(recipe_user_id=user, password="short")
    assert isinstance(weak, PasswordPolicyViolated)
    assert "at least 8 characters" in weak.failure_reason
    assert ep.update_email_or_password(recipe_user_id=user, password="short", apply_password_policy=False) == Ok()
    assert visitor.sign_in("short").get_json()["status"] == "OK"
    assert ep.update_email_or_password(recipe_user_id=user, email=other.email) == EmailAlreadyExists()
    visitor.email = f"{uuid.uuid4().hex}@example.com"
    assert ep.update_email_or_password(recipe_user_id=user, email=visitor.email, password=NEW) == Ok()
    assert visitor.sign_in(NEW).get_json()["status"] == "OK"


def test_until_the_response_nothing_depends_on_the_account(core: Borrowed, monkeypatch: pytest.MonkeyPatch) -> None:
    """W-081: work for the mail beside the response made it take four times as long for those who have an account."""
    monkeypatch.setattr("st_wsgi.recipe_kit.background._HEAD_START", 2.0)
    shop = Shop(core)
    visitor = shop.visitor()
    visitor.sign_up()
    calls = []
    for email in (visitor.email, f"unknown-{visitor.email}"):
        core.calls.clear()
        assert visitor.call("POST", "/auth/user/password/reset/token", form(email=email)).get_json() == {"status": "OK"}
        calls.append(list(core.calls))
    assert calls == [["GET /public/users/by-accountinfo"]] * 2
    core.calls.clear()
    shop.st.services.get(EmailPassword).background.close()
    assert core.calls == ["POST /public/recipe/user/password/reset/token"]


@pytest.mark.parametrize("is_verified", [False, True])
def test_a_reset_ends_the_sessions_of_who_signed_up_with_an_address_that_was_never_verified(
    core: Borrowed, mailbox: Mailbox, is_verified: bool
) -> None:
    """Somebody else may have done that, also in an app that links no accounts."""
    shop = Shop(
        core,
        recipes=[EmailPassword(email_delivery=mailbox), EmailVerification(mode="OPTIONAL", email_delivery=mailbox)],
    )
    first = signed_up(shop)
    if is_verified:
        first.call("POST", "/auth/user/email/verify/token")
        first.call("POST", "/auth/user/email/verify", {"method": "token", "token": token_in(mailbox.next())})
    owner = shop.visitor()
    owner.email = first.email
    ask_for_mail(owner)
    body = {"method": "token", "token": token_in(mailbox.next()), **form(password=NEW)}
    assert owner.call("POST", RESET, body).get_json() == {"status": "OK"}
    assert first.refresh().status_code == (200 if is_verified else 401)
    assert owner.sign_in(NEW).get_json()["status"] == "OK"
