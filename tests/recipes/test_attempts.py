"""Limits are on by default: sign-up, sign-in, exists, resets and mails, by account and address (W-082, W-083)."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from recipes.shop import PASSWORD, WEBSITE, Borrowed, Shop, Visitor, form, no_mail
from st_wsgi import AttemptLimits, Cors, SecurityEvent
from st_wsgi.delivery import Message
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless

SMALL = AttemptLimits(per_account=2, per_address=4, mails_per_account=2, mails_per_address=4)

ROUTES: dict[str, Any] = {
    "sign up": ("POST", "/auth/signup", lambda email: form(email=email, password="no digit")),
    "sign in": ("POST", "/auth/signin", lambda email: form(email=email, password="wrong horse 1")),
    "exists": ("GET", "/auth/emailpassword/email/exists", None),
    "older exists": ("GET", "/auth/signup/email/exists", None),
    "reset mail": ("POST", "/auth/user/password/reset/token", lambda email: form(email=email)),
    "code": ("POST", "/auth/signinup/code", lambda email: {"email": email}),
    "exists without a password": ("GET", "/auth/passwordless/email/exists", None),
    "reset": ("POST", "/auth/user/password/reset", lambda email: form(password=PASSWORD) | {"token": email}),
}


def ask(visitor: Visitor, route: str, email: str, address: str) -> TestResponse:
    method, path, body = ROUTES[route]
    if body is None:
        return visitor.call(method, f"{path}?email={email}", environ={"REMOTE_ADDR": address})
    return visitor.call(method, path, body(email), environ={"REMOTE_ADDR": address})


@pytest.fixture
def shop(core: Borrowed) -> Shop:
    recipes: list[Any] = [
        EmailPassword(email_delivery=no_mail),
        EmailVerification(mode="OPTIONAL", email_delivery=no_mail),
        Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE", email_delivery=no_mail),
    ]
    return Shop(core, recipes=recipes, rate_limit=SMALL)


@pytest.mark.parametrize("route", [name for name in ROUTES if name != "sign up"])
def test_many_addresses_against_one_account_and_one_address_against_many(shop: Shop, route: str) -> None:
    """Alike for an address that has an account and for one that has none."""
    visitor = shop.visitor()
    visitor.sign_up()
    for network, email in enumerate((visitor.email, f"unknown-{visitor.email}")):
        answers = [ask(visitor, route, email, f"192.0.{network}.{number}") for number in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0
    answers = [ask(visitor, route, f"{number}-{visitor.email}", "198.51.100.1") for number in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]


@pytest.mark.parametrize("route", ["resend", "consume by code", "consume by link"])
def test_codes_of_no_attempt_count_for_their_address_alone(shop: Shop, route: str) -> None:
    """So that nobody can try ids without end, and nobody can lock others out by doing so."""
    path, _, way = route.partition(" by ")
    visitor = shop.visitor()

    def call(number: int, address: str) -> TestResponse:
        ids = {"deviceId": "AAAA", "preAuthSessionId": f"none-{number}"}
        body: dict[str, Any] = ids | ({"userInputCode": "000000"} if way == "code" else {})
        if way == "link":
            body = {"preAuthSessionId": ids["preAuthSessionId"], "linkCode": "AAAA"}
        where = f"/auth/signinup/code/{path}"
        return visitor.call("POST", where, body, environ={"REMOTE_ADDR": address})

    answers = [call(number, "203.0.113.7") for number in range(4)]
    assert [answer.get_json() for answer in answers] == [{"status": "RESTART_FLOW_ERROR"}] * 4
    asked = len(shop.core.calls)
    limited = call(5, "203.0.113.7")
    assert (limited.status_code, len(shop.core.calls)) == (429, asked)  # the core has nothing to do with it any more
    assert [call(0, f"203.0.113.{number}").status_code for number in range(8, 20)] == [200] * 12


def test_an_attempt_counts_once_for_its_address(core: Borrowed) -> None:
    """Also where the address is counted before it is known at whose account the attempt is."""
    messages: list[Message] = []
    codes = Passwordless(
        contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE", email_delivery=messages.append
    )
    limits = AttemptLimits(per_address=3, per_account_and_address=3, mails_per_address=3)
    visitor = Shop(core, recipes=[codes], rate_limit=limits).visitor()
    environ = {"REMOTE_ADDR": "203.0.113.77"}
    device = visitor.call("POST", "/auth/signinup/code", {"email": visitor.email}, environ=environ).get_json()
    ids = {name: device[name] for name in ("deviceId", "preAuthSessionId")}
    for path, body in (("resend", ids), ("consume", ids | {"userInputCode": "wrong"})):
        answers = [visitor.call("POST", f"/auth/signinup/code/{path}", body, environ=environ) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


def test_sign_ups_are_limited_too(shop: Shop) -> None:
    answers = [shop.visitor().sign_up() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]


def test_sign_ups_that_the_form_refuses_count_too(shop: Shop) -> None:
    answers = [ask(shop.visitor(), "sign up", "ada@example.com", f"192.0.2.{number}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_both_names_of_a_route_are_counted_together(shop: Shop) -> None:
    visitor = shop.visitor()
    routes = ("exists", "older exists", "exists")
    assert [ask(visitor, route, visitor.email, "192.0.2.1").status_code for route in routes] == [200, 200, 429]


def test_mails_that_verify_an_address_are_limited_by_user(shop: Shop) -> None:
    visitor = shop.visitor()
    visitor.sign_up()
    answers = [visitor.call("POST", "/auth/user/email/verify/token") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_a_sign_in_that_succeeds_forgets_the_attempts_before_it(shop: Shop) -> None:
    """Users who sign in often, after a wrong attempt now and then, are not locked out."""
    visitor = shop.visitor()
    visitor.sign_up()
    for number in range(3):
        address = {"REMOTE_ADDR": f"192.0.2.{number}"}
        assert visitor.sign_in("wrong horse 1", environ=address).status_code == 200
        assert visitor.sign_in(environ=address).get_json()["status"] == "OK"


def test_a_locked_account_does_not_say_whether_the_password_was_right(shop: Shop) -> None:
    visitor = shop.visitor()
    visitor.sign_up()
    for _ in range(2):
        visitor.sign_in("wrong horse 1")
    wrong, right = visitor.sign_in("wrong horse 1"), visitor.sign_in()
    assert (wrong.status_code, wrong.get_json()) == (right.status_code, right.get_json()) == (429, right.get_json())


def test_the_response_is_one_that_a_page_of_another_origin_can_read(core: Borrowed) -> None:
    """The official web SDK hands the response to the page, which reads the message and when to try again."""
    shop = Shop(core, rate_limit=AttemptLimits(per_address=1), cors=Cors(origins=[WEBSITE]), origin=WEBSITE)
    shop.visitor().sign_in()
    answer = shop.visitor().sign_in()
    assert answer.status_code == 429
    assert answer.get_json() == {
        "status": "GENERAL_ERROR",
        "message": "Too many attempts. Please try again in 5 minutes.",
    }
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert answer.headers["Access-Control-Allow-Origin"] == WEBSITE
    exposed = ",".join(answer.headers.getlist("Access-Control-Expose-Headers")).lower()
    assert exposed.split(",") == ["retry-after"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_who_is_signed_in_is_never_limited(core: Borrowed) -> None:
    """Frontends take a refresh that fails for the end of the session, or try again and again."""
    shop = Shop(core, recipes=[EmailVerification(mode="OPTIONAL", email_delivery=no_mail)], rate_limit=lambda *_: 60.0)
    visitor = shop.signed_in()
    assert visitor.call("POST", "/auth/user/email/verify/token").status_code == 429
    assert visitor.refresh().status_code == 200
    assert visitor.visit().status_code == 200
    assert visitor.sign_out().status_code == 200


def test_limits_are_on_unless_they_are_switched_off(core: Borrowed) -> None:
    visitor = Shop(core).visitor()
    statuses = [visitor.sign_in("wrong horse 1").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    off = Shop(core, rate_limit=None).visitor()
    assert {off.sign_in("wrong horse 1").status_code for _ in range(11)} == {200}


@pytest.mark.parametrize(("proxies", "status"), [(None, 200), (0, 429), (1, 429)])
def test_a_proxy_that_nobody_named_is_in_the_log(
    core: Borrowed, proxies: int | None, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise the limits of one visitor would be those of the whole site, and the log would not say why."""
    shop = Shop(core, rate_limit=AttemptLimits(per_address=1), trusted_proxies=proxies)
    for _ in range(2):
        answer = shop.visitor().sign_in(headers={"X-Forwarded-For": "198.51.100.7"})
    assert answer.status_code == status
    assert ("set trusted_proxies" in caplog.text) == (proxies is None)


def test_an_event_names_the_account_only_as_what_it_is(core: Borrowed) -> None:
    """An e-mail address is the account, a user has an id, and a token is a secret."""
    events: list[SecurityEvent] = []
    recipes: list[Any] = [
        EmailPassword(email_delivery=no_mail),
        EmailVerification(mode="OPTIONAL", email_delivery=no_mail),
    ]
    limits = AttemptLimits(per_account=1, mails_per_account=1)
    visitor = Shop(core, recipes=recipes, rate_limit=limits, on_security_event=events.append).visitor()
    user_id = visitor.sign_up().get_json()["user"]["id"]
    for _ in range(2):
        visitor.call("POST", "/auth/user/email/verify/token")
        ask(visitor, "reset", "a token", "192.0.2.1")
        ask(visitor, "exists", visitor.email, "192.0.2.1")
    named = [(event.account, event.user_id) for event in events if event.name == "limited"]
    assert named == [(None, user_id), (None, None), (visitor.email, None)]
