"""Rules for new passwords by length and lists, one form of a password, and what a change does (W-046, W-075)."""

from __future__ import annotations

import hashlib
import json
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any

import pytest
from threads import answering

from recipes.shop import PASSWORD, Borrowed, Shop, Visitor, form
from st_wsgi import AttemptLimits, Override, replace
from st_wsgi.delivery import Message
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import emailpassword, session
from st_wsgi.recipes.emailpassword import (
    BreachedPasswords,
    EmailPassword,
    Ok,
    PasswordPolicy,
    PasswordPolicyViolated,
    SignInOk,
    WrongCredentials,
)
from st_wsgi.users import RecipeUserId

NEW_PASSWORD = "another horse 2"
COMPOSED = unicodedata.normalize("NFC", "Grüße aus Århus 1")
TYPED_APART = unicodedata.normalize("NFD", COMPOSED)


@pytest.fixture
def mails() -> list[Message]:
    return []


def shop_with(core: Borrowed, mails: list[Message], **settings: Any) -> Shop:
    return Shop(core, recipes=[EmailPassword(email_delivery=mails.append, **settings)])


def problem(shop: Shop, password: str) -> str | None:
    """Return what the sign-up form says about a password, None when it is taken."""
    body = shop.visitor().sign_up(password).get_json()
    if body["status"] == "OK":
        return None
    [error] = body["formFields"]
    assert error["id"] == "password"
    return str(error["error"])


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "пароль из шести слов",
        "密碼就是要夠長才行",
        "        x",
        "a" * 7 + "é" + "!" * 1016,
    ],
)
def test_length_alone_counts_in_every_script(core: Borrowed, mails: list[Message], password: str) -> None:
    shop = shop_with(core, mails, password_policy=PasswordPolicy())
    visitor = shop.visitor()
    assert visitor.sign_up(password).get_json()["status"] == "OK"
    assert visitor.sign_in(password).get_json()["status"] == "OK"
    assert visitor.sign_in(password + "x").get_json()["status"] == "WRONG_CREDENTIALS_ERROR"


@pytest.mark.parametrize(
    ("password", "text"),
    [
        ("1234567", "at least 8 characters"),
        ("e\u0301" * 7, "at least 8 characters"),  # typed as 14, but 7 letters
        ("x1" * 513, "at most 1024 characters"),
        ("password", "too common"),
        ("PassWord1", "too common"),
        ("iloveyou", "too common"),
        ("77777777777", "too common"),
        ("line\nbreak", "control characters"),
        ("nul\0inside", "control characters"),
    ],
)
def test_what_attackers_try_first_is_refused(core: Borrowed, mails: list[Message], password: str, text: str) -> None:
    assert text in (problem(shop_with(core, mails, password_policy=PasswordPolicy()), password) or "")


def test_w_046_with_bcrypt_the_bytes_are_counted(core: Borrowed, mails: list[Message]) -> None:
    core.password_byte_limit = 72
    shop = shop_with(core, mails, password_policy=PasswordPolicy())
    assert problem(shop, "ж" * 35 + "x1") is None
    assert "72 bytes" in (problem(shop, "ж" * 36 + "x1") or "")


def test_the_rule_of_the_protocol_stays_the_default_and_the_apps_own_goes_first(
    core: Borrowed, mails: list[Message]
) -> None:
    assert "at least one number" in (problem(shop_with(core, mails), "correct horse") or "")
    fields = [
        emailpassword.FormField(id="password", validate=lambda value, tenant: "no" if value == "x" * 20 else None)
    ]
    feature = emailpassword.SignUpFeature(form_fields=fields)
    own = shop_with(core, mails, sign_up_feature=feature, password_policy=PasswordPolicy())
    assert (problem(own, "x" * 20), problem(own, "password")) == ("no", None)


def test_changes_and_resets_are_held_to_the_policy_too(core: Borrowed, mails: list[Message]) -> None:
    shop = shop_with(core, mails, password_policy=PasswordPolicy())
    user = user_of(shop.visitor())
    outcome = emailpassword.update_email_or_password(recipe_user_id=user, password="password")
    assert isinstance(outcome, PasswordPolicyViolated)
    assert "too common" in outcome.failure_reason


def user_of(visitor: Visitor, password: str = PASSWORD) -> RecipeUserId:
    return RecipeUserId(visitor.sign_up(password).get_json()["user"]["id"])


@pytest.mark.parametrize(("first", "then"), [(COMPOSED, TYPED_APART), (TYPED_APART, COMPOSED)])
def test_the_same_password_typed_on_two_systems_is_the_same(
    core: Borrowed, mails: list[Message], first: str, then: str
) -> None:
    shop = shop_with(core, mails)
    visitor = shop.visitor()
    user = user_of(visitor, first)
    assert visitor.sign_in(then).get_json()["status"] == "OK"
    assert emailpassword.update_email_or_password(recipe_user_id=user, password=f"{then}2") == Ok()
    assert visitor.sign_in(f"{first}2").get_json()["status"] == "OK"


def test_a_hash_of_the_other_form_goes_on_working(core: Borrowed, mails: list[Message]) -> None:
    """Another back end on the same core, or an import, hashed the password as it was typed."""
    shop = shop_with(core, mails)
    visitor = shop.visitor()
    body = {"email": visitor.email, "password": TYPED_APART}
    shop.st.services.core.post("/recipe/signup", body, tenant_id="public").check()
    sign_in = emailpassword.verify_credentials
    assert isinstance(sign_in(email=visitor.email, password=TYPED_APART), SignInOk)
    assert isinstance(sign_in(email=visitor.email, password=COMPOSED), WrongCredentials)
    core.calls.clear()
    sign_in(email=visitor.email, password=PASSWORD)
    assert core.calls == ["POST /public/recipe/signin"]


def test_a_password_of_excessive_length_costs_no_time(core: Borrowed, mails: list[Message]) -> None:
    """The accents of a composed form are sorted, in a time that grows with the square of their number."""
    accents = "\u0301" * 24_000 + "\u0316" * 24_000  # as many as a body can have; some seconds of work in composed form
    visitor = shop_with(core, mails, password_policy=PasswordPolicy()).visitor()

    def status(route: str, body: dict[str, Any]) -> str:
        data = json.dumps(body, ensure_ascii=False).encode()
        answer = visitor.call("POST", f"/auth{route}", data=data, content_type="application/json")
        return str(answer.get_json()["status"])

    both = form(email=visitor.email, password=accents)
    start = time.process_time()
    assert status("/signin", both) == "WRONG_CREDENTIALS_ERROR"
    assert status("/signup", both) == "FIELD_ERROR"
    assert status("/user/password/reset", form(password=accents) | {"token": "invented"}) == "FIELD_ERROR"
    assert time.process_time() - start < 2


@contextmanager
def service(breached: str, *, status: int = 200, drips: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Serve the protocol of the breach service: the rests of all hashes that begin with the five digits."""
    asked: list[str] = []
    over = Event()
    digest = hashlib.sha1(breached.encode()).hexdigest().upper()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers['Add-Padding']}")
            padding = f"{'0' * 35}:0"
            rest = f"{digest[5:]}:{42}" if self.path.endswith(digest[:5]) else f"{'A' * 35}:7"
            body = f"{padding}\r\n{rest}\r\n".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if not drips else 100_000))
            self.end_headers()
            while drips and not over.wait(0.05):  # so that no time-out between two bytes is reached
                self.wfile.write(b"0")
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that has left
    with answering(server):
        try:
            yield f"http://127.0.0.1:{server.server_port}/range/", asked
        finally:
            over.set()


def breach_shop(core: Borrowed, mails: list[Message], url: str, **settings: Any) -> Shop:
    return shop_with(core, mails, password_policy=PasswordPolicy(breached=BreachedPasswords(url=url, **settings)))


def test_a_breached_password_is_refused_and_the_service_learns_five_digits(
    core: Borrowed, mails: list[Message]
) -> None:
    with service("a phrase that leaked") as (url, asked):
        shop = breach_shop(core, mails, url, timeout=20)
        assert "data breach" in (problem(shop, "a phrase that leaked") or "")
        assert problem(shop, "a phrase that did not leak") is None
        assert problem(breach_shop(core, mails, url, timeout=20, least=43), "a phrase that leaked") is None
    digest = hashlib.sha1(b"a phrase that leaked").hexdigest().upper()
    assert asked[0] == f"/range/{digest[:5]} true"


def test_without_the_service_a_password_counts_as_good(
    core: Borrowed, mails: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    with service("a phrase that leaked", status=503) as (url, _):
        assert problem(breach_shop(core, mails, url, timeout=20), "a phrase that leaked") is None
    assert "was not looked up in data breaches: HTTPError" in caplog.text
    assert problem(breach_shop(core, mails, url, timeout=20), "a phrase that leaked") is None  # it is gone now
    assert "ConnectionError" in caplog.text
    assert "a phrase" not in caplog.text


def test_a_slow_service_lets_nobody_wait_longer_than_the_time_out(
    core: Borrowed, mails: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    with service("a phrase that leaked", drips=True) as (url, _):
        start = time.monotonic()
        assert problem(breach_shop(core, mails, url, timeout=0.2), "a phrase that leaked") is None
        assert time.monotonic() - start < 5
    assert "no reply in 0.2 seconds" in caplog.text


def test_a_reset_asks_the_service_once_before_the_token_is_used_up(core: Borrowed, mails: list[Message]) -> None:
    """A second look-up could refuse the password when the link is good for nothing any more."""
    with service("a phrase that leaked") as (url, asked):
        shop = breach_shop(core, mails, url, timeout=20)
        visitor = shop.visitor()
        user = user_of(visitor)
        token = emailpassword.create_reset_password_token(user_id=user.value, email=visitor.email)
        asked.clear()
        body = form(password=NEW_PASSWORD) | {"token": token.token, "method": "token"}  # type: ignore[union-attr]
        assert visitor.call("POST", "/auth/user/password/reset", body).get_json() == {"status": "OK"}
        assert len(asked) == 1


def test_the_limits_come_before_the_service(core: Borrowed, mails: list[Message]) -> None:
    """Otherwise anybody could keep its eight look-ups busy, and passwords of others would count as good."""
    with service("a phrase that leaked") as (url, asked):
        policy = PasswordPolicy(breached=BreachedPasswords(url=url, timeout=20))
        recipe = EmailPassword(email_delivery=mails.append, password_policy=policy)
        visitor = Shop(core, recipes=[recipe], rate_limit=AttemptLimits(per_account=2)).visitor()
        reset = form(password="a phrase that leaked") | {"token": "invented", "method": "token"}
        signed_up = [visitor.sign_up("a phrase that leaked").status_code for _ in range(4)]
        assert (signed_up, len(asked)) == ([200, 200, 429, 429], 2)
        set_anew = [visitor.call("POST", "/auth/user/password/reset", reset).status_code for _ in range(4)]
        assert (set_anew, len(asked)) == ([200, 200, 429, 429], 4)


def sessions_of(user: RecipeUserId) -> int:
    return len(session.get_all_session_handles_for_user(user_id=user.value))


@pytest.mark.parametrize("change", [{"password": NEW_PASSWORD}, {"email": "new"}])
def test_w_075_a_change_ends_the_other_sessions(core: Borrowed, mails: list[Message], change: dict[str, str]) -> None:
    shop = shop_with(core, mails, end_sessions_on_change=True)
    visitor, elsewhere = shop.visitor(), shop.visitor()
    user = user_of(visitor)
    elsewhere.email = visitor.email
    elsewhere.sign_in()
    if "email" in change:
        change = {"email": f"new-{visitor.email}"}

    def view(_session: session.SessionContainer) -> str:
        return emailpassword.update_email_or_password(recipe_user_id=user, **change).status  # type: ignore[arg-type]

    assert shop.with_session(visitor, view, method="POST").get_json() == "OK"
    assert sessions_of(user) == 1
    assert visitor.refresh().status_code == 200
    assert elsewhere.refresh().status_code == 401


def test_w_075_a_reset_ends_all_sessions_and_the_default_ends_none(core: Borrowed, mails: list[Message]) -> None:
    for settings, left in (({"end_sessions_on_change": True}, 0), ({}, 1)):
        shop = shop_with(core, mails, **settings)
        visitor = shop.visitor()
        user = user_of(visitor)
        token = emailpassword.create_reset_password_token(user_id=user.value, email=visitor.email)
        body = form(password=NEW_PASSWORD) | {"token": token.token, "method": "token"}  # type: ignore[union-attr]
        assert shop.visitor().call("POST", "/auth/user/password/reset", body).get_json() == {"status": "OK"}
        assert sessions_of(user) == left


def test_users_are_told_of_changes_at_the_address_that_they_had(core: Borrowed, mails: list[Message]) -> None:
    shop = shop_with(core, mails, send_change_notices=True)
    visitor = shop.visitor()
    user = user_of(visitor)
    emailpassword.update_email_or_password(recipe_user_id=user, password=NEW_PASSWORD)
    emailpassword.update_email_or_password(recipe_user_id=user, email=f"new-{visitor.email}")
    emailpassword.update_email_or_password(recipe_user_id=RecipeUserId("nobody"), password=NEW_PASSWORD)
    shop.st.services.get(EmailPassword).background.close()
    assert sorted((mail.kind, mail.to, mail.app_name) for mail in mails) == [
        ("EMAIL_CHANGED", visitor.email, "Shop"),
        ("PASSWORD_CHANGED", visitor.email, "Shop"),
    ]


def test_an_override_of_the_mail_changes_the_notice(core: Borrowed, mails: list[Message]) -> None:
    told: list[str] = []

    def quiet(original: Any) -> Any:
        def send_email(*, message: Message) -> bool:
            told.append(message.kind)
            return True

        return replace(original, send_email=send_email)

    shop = shop_with(core, mails, send_change_notices=True, override=Override(functions=quiet))
    emailpassword.update_email_or_password(recipe_user_id=user_of(shop.visitor()), password=NEW_PASSWORD)
    shop.st.services.get(EmailPassword).background.close()
    assert (told, mails) == (["PASSWORD_CHANGED"], [])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: PasswordPolicy(min_length=4), "min_length must be a number of characters from 8 to 64"),
        (lambda: PasswordPolicy(max_length=5000), "max_length must be a number of characters from 64 to 1024"),
        (lambda: PasswordPolicy(breached=True), r"breached must be BreachedPasswords\(...\) or None"),  # type: ignore[arg-type]
        (lambda: BreachedPasswords(url="http://pwned.example/range/"), "url must be an address"),
        (lambda: BreachedPasswords(url="http://127.0.0.1.pwned.example/range/"), "url must be an address"),
        (lambda: BreachedPasswords(timeout=0), "timeout must be a number above zero"),
        (lambda: EmailPassword(password_policy=8), r"password_policy must be PasswordPolicy\(...\)"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_setting_is_named(make: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()
