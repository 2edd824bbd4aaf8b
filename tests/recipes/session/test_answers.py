"""
The response to a request with a bad session: status, body, and what becomes of the tokens.

Each row is one case. 401 means that a refresh can help, 403 that it cannot, 503 that this is not known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from recipes.shop import REFRESH, Borrowed, Clock, Shop, clears, clears_nothing, cookies_of, form
from st_wsgi import Cors, Override, replace
from st_wsgi.core_client.transport import CoreReply, CoreRequest
from st_wsgi.errors import CoreUnavailable, Forbidden
from st_wsgi.recipes import session
from st_wsgi.recipes.session import BooleanClaim, ErrorHandlers, PrimitiveClaim, Session, SessionAPIs, SessionFunctions

UNAUTHORISED = {"message": "unauthorised"}
TRY_REFRESH = {"message": "try refresh token"}
CROSS_SITE = {"website_domain": "https://other.example"}


@attrs.frozen
class Case:
    """One row of the protocol's table."""

    ask: Callable[[Shop], TestResponse]
    status: int
    body: Any
    tokens: str = "kept"
    app_info: dict[str, Any] = attrs.field(factory=dict[str, Any])
    sessions: dict[str, Any] = attrs.field(factory=dict[str, Any])


def unavailable(request: CoreRequest) -> CoreReply | None:
    raise CoreUnavailable("http://core:3567 does not answer")


def without_token(shop: Shop) -> TestResponse:
    return shop.visitor().visit()


def with_text_that_is_no_token(shop: Shop) -> TestResponse:
    return shop.visitor().visit(headers={"Authorization": "Bearer a.b.c", "Cookie": "sAccessToken=xyz"})


def expired(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    shop.clock.wait(3601)
    return visitor.visit()


def tampered(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    head, body, signature = str(visitor.access_token).split(".")
    return visitor.visit(headers={"Cookie": f"sAccessToken={head}.{body}.{signature[:-4]}AAAA"})


def signed_by_another_core(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    head, body, signature = str(visitor.access_token).split(".")
    other = head[:-12] + ("A" * 12 if head[-12:] != "A" * 12 else "B" * 12)
    return visitor.visit(headers={"Cookie": f"sAccessToken={other}.{body}.{signature}"})


def with_a_static_key_where_a_dynamic_one_is_used(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    visitor.shop = Shop(shop.core, sessions=shop.clock.session(use_dynamic_access_token_signing_key=False))
    return visitor.visit()


def duplicate_access_cookies(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    return visitor.visit(headers={"Cookie": visitor.cookie_header("/page") + "; sAccessToken=x"})


def with_the_cookie_of_a_very_old_sdk(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    return visitor.visit(headers={"Cookie": visitor.cookie_header("/page") + "; sIdRefreshToken=x"})


def from_a_cross_site_form(shop: Shop) -> TestResponse:
    return shop.signed_in().visit("POST", headers={"rid": None})


def claim_fails(shop: Shop) -> TestResponse:
    visitor = shop.signed_in(access_token_payload={"adult": {"v": False, "t": 0}})
    adult = BooleanClaim("adult")
    return shop.during(
        visitor,
        lambda environ: session.get_session(
            environ, override_global_claim_validators=lambda validators, _session: [*validators, adult.is_true()]
        ).get_user_id(),
    )


def not_served_here(shop: Shop) -> TestResponse:
    def view(_environ: Any) -> Any:
        raise Forbidden

    return shop.during(shop.signed_in(), view)


def core_down_while_the_database_is_checked(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    shop.core.answer = unavailable
    return shop.during(visitor, lambda environ: session.get_session(environ, check_database=True).get_user_id())


def core_down_at_the_first_look_for_keys(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    visitor.shop = Shop(shop.core, clock=shop.clock)
    shop.core.answer = unavailable
    return visitor.visit()


def core_down_at_refresh(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    shop.core.answer = unavailable
    return visitor.refresh()


def refresh_without_a_token(shop: Shop) -> TestResponse:
    return shop.visitor().refresh()


def refresh_with_an_access_token_only(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    del visitor.cookies["sRefreshToken", "", REFRESH]
    return visitor.refresh()


def refresh_of_a_session_that_is_gone(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    session.revoke_all_sessions_for_user(user_id=visitor.user_id)
    return visitor.refresh()


def refresh_by_a_cross_site_form(shop: Shop) -> TestResponse:
    return shop.signed_in().refresh(headers={"rid": None})


def refresh_of_a_used_token(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    thief = visitor.snapshot()
    visitor.refresh()
    assert visitor.visit().status_code == 200
    return thief.refresh()


def gone_when_the_database_is_checked(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    session.revoke_all_sessions_for_user(user_id=visitor.user_id)
    return shop.during(visitor, lambda environ: session.get_session(environ, check_database=True).get_user_id())


def gone_when_it_is_used(use: Callable[[session.SessionContainer], Any]) -> Callable[[Shop], TestResponse]:
    def ask(shop: Shop) -> TestResponse:
        visitor = shop.signed_in()
        session.revoke_all_sessions_for_user(user_id=visitor.user_id)
        return shop.with_session(visitor, use)

    return ask


def refresh_with_duplicate_cookies(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    return visitor.refresh(headers={"Cookie": visitor.cookie_header(REFRESH) + "; sRefreshToken=x"})


def sign_out_without_a_session(shop: Shop) -> TestResponse:
    return shop.visitor().sign_out()


def sign_out_with_an_expired_token(shop: Shop) -> TestResponse:
    visitor = shop.signed_in()
    shop.clock.wait(3601)
    return visitor.sign_out()


def malformed_input(shop: Shop) -> TestResponse:
    return shop.visitor().call("POST", "/auth/signin", {"formFields": "none"})


CASES = {
    "no token": Case(without_token, 401, UNAUTHORISED),
    "no token of our form": Case(with_text_that_is_no_token, 401, UNAUTHORISED),
    "expired": Case(expired, 401, TRY_REFRESH),
    "bad signature": Case(tampered, 401, TRY_REFRESH),
    "unreadable header": Case(signed_by_another_core, 401, UNAUTHORISED),
    "key of the wrong kind": Case(with_a_static_key_where_a_dynamic_one_is_used, 401, TRY_REFRESH),
    "duplicate cookies": Case(duplicate_access_cookies, 401, TRY_REFRESH, "others cleared"),
    "legacy cookie": Case(with_the_cookie_of_a_very_old_sdk, 401, TRY_REFRESH, "others cleared"),
    "no rid": Case(from_a_cross_site_form, 401, TRY_REFRESH, app_info=CROSS_SITE),
    "claim failed": Case(
        claim_fails,
        403,
        {
            "message": "invalid claim",
            "claimValidationErrors": [
                {"id": "adult", "reason": {"message": "wrong value", "expectedValue": True, "actualValue": False}}
            ],
        },
    ),
    "not served here": Case(not_served_here, 403, {"message": "forbidden"}),
    "core down, database check": Case(core_down_while_the_database_is_checked, 503, {"message": "service unavailable"}),
    "core down, no keys": Case(core_down_at_the_first_look_for_keys, 503, {"message": "service unavailable"}),
    "core down, refresh": Case(core_down_at_refresh, 503, {"message": "service unavailable"}),
    "refresh without token": Case(refresh_without_a_token, 401, UNAUTHORISED, "cleared"),
    "refresh with access token only": Case(refresh_with_an_access_token_only, 401, UNAUTHORISED, "cleared"),
    "refresh, core says no": Case(refresh_of_a_session_that_is_gone, 401, UNAUTHORISED, "cleared"),
    "refresh without rid": Case(refresh_by_a_cross_site_form, 401, UNAUTHORISED, "cleared", app_info=CROSS_SITE),
    "theft": Case(refresh_of_a_used_token, 401, {"message": "token theft detected"}, "cleared"),
    "gone, database check": Case(gone_when_the_database_is_checked, 401, UNAUTHORISED, "cleared"),
    "gone, payload update": Case(
        gone_when_it_is_used(lambda found: found.merge_into_access_token_payload({"a": 1})),
        401,
        UNAUTHORISED,
        "cleared",
    ),
    "gone, data update": Case(
        gone_when_it_is_used(lambda found: found.update_session_data_in_database({"a": 1})),
        401,
        UNAUTHORISED,
        "cleared",
    ),
    "gone, reading data": Case(
        gone_when_it_is_used(lambda found: found.get_session_data_from_database()), 401, UNAUTHORISED, "cleared"
    ),
    "gone, reading expiry": Case(gone_when_it_is_used(lambda found: found.get_expiry()), 401, UNAUTHORISED, "cleared"),
    "duplicate cookies at refresh, older domain set": Case(
        refresh_with_duplicate_cookies,
        200,
        {"message": "duplicate session cookies were cleared"},
        "others cleared",
        sessions={"older_cookie_domain": "api.shop.example"},
    ),
    "duplicate cookies at refresh, older domain not set": Case(
        refresh_with_duplicate_cookies, 401, UNAUTHORISED, "cleared", sessions={"cookie_domain": "shop.example"}
    ),
    "sign out without session": Case(sign_out_without_a_session, 401, UNAUTHORISED),
    "sign out with expired token": Case(sign_out_with_an_expired_token, 401, TRY_REFRESH),
    "malformed input": Case(malformed_input, 400, {"message": "formFields must be an array"}),
}

RESTARTED = {"key of the wrong kind", "core down, no keys"}
"""Cases that end on an instance with settings of its own."""


def ask(case: Case, core: Borrowed, clock: Clock, *, cors: Cors | None = None, **settings: Any) -> TestResponse:
    sessions = clock.session(**case.sessions, **settings)
    origin = None if cors is None else cors.origins[0]
    return case.ask(Shop(core, clock=clock, app_info=case.app_info, sessions=sessions, cors=cors, origin=origin))


@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_that_of_the_table(name: str, timed_core: Borrowed, clock: Clock) -> None:
    case = CASES[name]
    answer = ask(case, timed_core, clock)
    assert (answer.status_code, answer.json) == (case.status, case.body)
    if case.tokens == "kept":
        assert clears_nothing(answer)
    elif case.tokens == "cleared":
        assert clears(answer, "cookie")
        assert clears(answer, "header")
    else:
        lines = answer.headers.getlist("Set-Cookie")
        assert any("Domain=api.shop.example" in line for line in lines)
        assert all("1970" in line for line in lines)
        own = {"sAccessToken": "; Path=/; HttpOnly", "sRefreshToken": f"; Path={REFRESH}; HttpOnly"}
        assert not [line for line in lines if own.get(line.partition("=")[0], "\n") in line]
        assert "front-token" not in answer.headers
    if name != "malformed input":
        assert answer.headers["Cache-Control"] == "no-store"
    if case.status == 503:
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].status in (401, 403) and name not in RESTARTED])
def test_status_codes_can_be_chosen(name: str, timed_core: Borrowed, clock: Clock) -> None:
    case = CASES[name]
    answer = ask(case, timed_core, clock, session_expired_status_code=440, invalid_claim_status_code=480)
    forbidden = name == "not served here"
    assert answer.status_code == (403 if forbidden else {401: 440, 403: 480}[case.status])
    assert answer.json == case.body


def test_head_has_no_body(timed_core: Borrowed, clock: Clock) -> None:
    answer = Shop(timed_core, clock=clock).visitor().visit("HEAD")
    assert (answer.status_code, answer.data) == (401, b"")


@pytest.mark.parametrize("name", [name for name in CASES if name not in RESTARTED])
def test_a_frontend_on_another_origin_can_read_the_answer(name: str, timed_core: Borrowed, clock: Clock) -> None:
    """Otherwise it would not know what to do."""
    answer = ask(CASES[name], timed_core, clock, cors=Cors(origins=["https://shop.example"]))
    assert answer.status_code == CASES[name].status
    assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"


def test_theft_ends_the_session_for_the_thief_and_the_owner(shop: Shop) -> None:
    """W-062."""
    visitor = shop.signed_in()
    thief = visitor.snapshot()
    visitor.refresh()
    assert visitor.visit().status_code == 200
    assert thief.refresh().json == {"message": "token theft detected"}
    assert visitor.refresh().json == UNAUTHORISED
    assert session.get_all_session_handles_for_user(user_id=visitor.user_id) == []


def test_after_duplicate_cookies_were_cleared_the_next_refresh_succeeds(core: Borrowed) -> None:
    """W-061: what a browser does that holds cookies of two domains."""
    shop = Shop(core, sessions=Session(cookie_domain="shop.example", older_cookie_domain=""))
    visitor = shop.signed_in()
    doubled = visitor.cookie_header(REFRESH) + "; sAccessToken=old; sRefreshToken=old"
    answer = visitor.snapshot().refresh(headers={"Cookie": doubled})
    assert answer.status_code == 200
    lines = [line for line in answer.headers.getlist("Set-Cookie") if f"Path={REFRESH}; " in line]
    assert lines
    assert not any("Domain=shop.example" in line for line in lines)
    assert visitor.refresh().status_code == 200
    assert visitor.visit().status_code == 200


def test_a_refresh_token_that_only_the_older_domain_has_survives(core: Borrowed) -> None:
    """After a change of cookie_domain, the first new access token stands beside the old one, and no refresh token."""
    before = Shop(core, sessions=Session(cookie_domain="shop.example"))
    visitor = before.signed_in()
    shop = visitor.shop = Shop(core, sessions=Session(older_cookie_domain="shop.example"))
    doubled = visitor.cookie_header(REFRESH) + "; sAccessToken=newer"
    answer = shop.visitor().refresh(headers={"Cookie": doubled})
    assert answer.status_code == 200
    assert cookies_of(answer).keys() == {"sAccessToken"}
    assert any("Path=/; Domain=shop.example" in line for line in answer.headers.getlist("Set-Cookie"))
    assert visitor.refresh().status_code == 200


def test_duplicate_cookies_without_a_known_older_domain_say_in_the_log_what_to_do(
    core: Borrowed, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(core, sessions=Session(cookie_domain="shop.example"))
    with caplog.at_level(logging.WARNING, "st_wsgi"):
        answer = refresh_with_duplicate_cookies(shop)
    assert "older_cookie_domain" in caplog.text
    lines = answer.headers.getlist("Set-Cookie")
    assert {"Domain=shop.example" in line for line in lines} == {True, False}


def test_with_header_tokens_only_duplicate_cookies_do_not_matter(core: Borrowed) -> None:
    shop = Shop(core, sessions=Session(get_token_transfer_method=lambda _request, _creating: "header"))
    visitor = shop.signed_in("header")
    assert visitor.refresh(headers={"Cookie": "sRefreshToken=a; sRefreshToken=b"}).status_code == 200


@pytest.mark.parametrize("case", ["good", "no token", "ended session", "theft", "no rid"])
def test_the_cookie_of_a_very_old_sdk_is_cleared_by_every_refresh(core: Borrowed, case: str) -> None:
    """Left in the browser, it would have every later request refused, also those that need no session."""
    shop = Shop(core, sessions=Session(anti_csrf="VIA_CUSTOM_HEADER"))
    visitor = shop.visitor() if case == "no token" else shop.signed_in()
    cookies = "; ".join(filter(None, [visitor.cookie_header(REFRESH), "sIdRefreshToken=x"]))
    if case == "ended session":
        session.revoke_all_sessions_for_user(user_id=visitor.user_id)
    if case == "theft":
        visitor.refresh()
        visitor.visit()
    given: dict[str, str | None] = {"Cookie": cookies, "rid": None if case == "no rid" else "x"}
    answer = visitor.snapshot().refresh(headers=given)
    assert answer.status_code == (200 if case == "good" else 401)
    assert "1970" in cookies_of(answer)["sIdRefreshToken"]


class TestAnswersThatFail:
    """What goes wrong while a refusal is being answered has an answer of its own."""

    def test_a_request_from_an_origin_that_is_not_allowed(self, core: Borrowed) -> None:
        about = {
            "website_domain": None,
            "origin": lambda request, _context: request.headers["Origin"],
            "allowed_origins": ["https://shop.example"],
        }
        shop = Shop(core, app_info=about, origin="https://shop.example")
        visitor = shop.signed_in()
        session.revoke_all_sessions_for_user(user_id=visitor.user_id)
        answer = shop.during(
            visitor,
            lambda environ: bool(session.get_session(environ, check_database=True)),
            headers={"Origin": "https://evil.example"},
        )
        assert (answer.status_code, answer.json) == (400, {"message": "this origin is not allowed"})
        assert clears_nothing(answer)

    def test_a_core_that_is_gone_when_a_theft_has_to_be_answered(self, core: Borrowed) -> None:
        """An app's own route for refreshing is answered as ours is."""
        without_ours = Override[SessionFunctions, SessionAPIs](apis=lambda apis: replace(apis, refresh_post=None))
        shop = Shop(core, sessions=Session(override=without_ours))
        owner = shop.signed_in()
        thief = owner.snapshot()

        def refresh(environ: Any) -> str:
            return session.refresh_session(environ).get_user_id()

        assert shop.during(owner, refresh, method="POST", path=REFRESH).status_code == 200
        assert owner.visit().status_code == 200
        core.answer = lambda request: unavailable(request) if request.path == "/recipe/session/remove" else None
        answer = shop.during(thief, refresh, method="POST", path=REFRESH)
        assert answer.status_code == 503
        assert clears_nothing(answer)


class TestErrorHandlers:
    """An app may answer in its own way; the tokens are cleared all the same."""

    @pytest.mark.parametrize(
        ("name", "case"),
        [
            ("on_unauthorised", "refresh without token"),
            ("on_try_refresh_token", "duplicate cookies"),
            ("on_token_theft_detected", "theft"),
            ("on_invalid_claim", "claim failed"),
            ("on_clear_duplicate_session_cookies", "duplicate cookies at refresh, older domain set"),
        ],
    )
    def test_each_error_has_a_handler(self, name: str, case: str, timed_core: Borrowed, clock: Clock) -> None:
        seen: list[Any] = []

        def handler(error: Any, context: Any) -> Response:
            seen.append(error)
            context.changes.set_header("X-Own", "yes")
            return Response("own words", 418)

        handlers = ErrorHandlers(**{name: handler})
        answer = ask(CASES[case], timed_core, clock, error_handlers=handlers)
        assert (answer.status_code, answer.text, answer.headers["X-Own"]) == (418, "own words", "yes")
        assert len(seen) == 1
        if CASES[case].tokens == "cleared":
            assert clears(answer, "cookie")

    def test_the_theft_handler_is_told_whose_session_it_was(self, timed_core: Borrowed, clock: Clock) -> None:
        told: list[Any] = []

        def handler(error: Any, _context: Any) -> Response:
            told.append((error.user_id, error.recipe_user_id, error.session_handle))
            return Response(status=401)

        handlers = ErrorHandlers(on_token_theft_detected=handler)
        shop = Shop(timed_core, sessions=clock.session(error_handlers=handlers))
        visitor = shop.visitor()
        started = visitor.start_session().json or {}
        thief = visitor.snapshot()
        visitor.refresh()
        visitor.visit()
        thief.refresh()
        assert told == [(visitor.user_id, visitor.user_id, started["handle"])]


def test_nothing_of_a_token_is_in_an_answer_or_in_a_log(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """W-092 and W-093."""
    visitor = shop.signed_in()
    access, refresh = str(visitor.access_token), str(visitor.refresh_token)
    signature = access.split(".")[2]
    with caplog.at_level(logging.DEBUG):
        answers = [
            visitor.visit(headers={"Cookie": f"sAccessToken={access[:-4]}AAAA"}),
            visitor.visit(headers={"Cookie": f"sAccessToken={access}; sAccessToken={access}"}),
            visitor.snapshot().refresh(headers={"Cookie": f"sRefreshToken={refresh}x"}),
            visitor.snapshot().refresh(headers={"Authorization": f"Bearer {access}"}),
            visitor.call("POST", "/auth/signin", form(email="a@b.example", password="planted-secret-1")),
        ]
    for answer in answers:
        assert signature[:40] not in answer.text
        assert refresh[:40] not in answer.text
    for secret in (signature[:40], refresh[:40], "planted-secret-1"):
        assert secret not in caplog.text


def test_a_claim_failure_lists_every_claim_that_failed(shop: Shop) -> None:
    visitor = shop.signed_in()
    needed = [BooleanClaim("adult").is_true(), PrimitiveClaim[str]("plan").has_value("gold")]
    answer = shop.during(
        visitor,
        lambda environ: session.get_session(
            environ, override_global_claim_validators=lambda _validators, _session: needed
        ).get_user_id(),
    )
    errors = (answer.json or {})["claimValidationErrors"]
    assert [(error["id"], error["reason"]["message"]) for error in errors] == [
        ("adult", "value does not exist"),
        ("plan", "value does not exist"),
    ]
