"""The app's own limits of a session: its age, its idle time, the number of a user's sessions, and recent sign-ins."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from recipes.shop import Borrowed, Clock, Shop, Visitor, clears, payload_of
from st_wsgi import RecipeUserId
from st_wsgi.core_client.transport import CoreReply, CoreRequest
from st_wsgi.errors import ConfigError, CoreUnavailable
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session, SessionInformation, SignInTimeClaim

MINUTE, HOUR, DAY = 60, 3600, 86_400
UNAUTHORISED = {"message": "unauthorised"}


@pytest.fixture(params=["cookie", "header"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def shop_with(core: Borrowed, clock: Clock, **settings: Any) -> Shop:
    return Shop(core, clock=clock, sessions=clock.session(**settings))


def is_over(answer: TestResponse, mode: str) -> bool:
    return answer.status_code == 401 and answer.json == UNAUTHORISED and clears(answer, mode)


def use(visitor: Visitor) -> TestResponse:
    """Visit a page as a frontend does: a 401 makes it refresh, and the page is asked for again."""
    answer = visitor.visit()
    if answer.status_code == 401 and answer.json == {"message": "try refresh token"}:
        refreshed = visitor.refresh()
        return visitor.visit() if refreshed.status_code == 200 else refreshed
    return answer


class TestAbsoluteTimeout:
    def test_a_session_ends_at_its_age_however_often_it_is_refreshed(
        self, timed_core: Borrowed, clock: Clock, mode: str
    ) -> None:
        shop = shop_with(timed_core, clock, absolute_timeout_sec=DAY)
        visitor = shop.signed_in(mode)
        for _ in range(11):
            clock.wait(2 * HOUR)
            assert use(visitor).json == {"userId": visitor.user_id}
        clock.wait(2 * HOUR)
        other = visitor.snapshot()
        assert is_over(use(visitor), mode)
        assert session.get_all_session_handles_for_user(user_id=visitor.user_id) == []
        assert is_over(other.refresh(), mode)

    def test_an_access_token_does_not_outlive_the_session(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        shop = shop_with(timed_core, clock, absolute_timeout_sec=MINUTE)
        visitor = shop.signed_in(mode)
        clock.wait(59)
        assert visitor.visit().status_code == 200
        clock.wait(1)
        assert is_over(visitor.visit(), mode)

    def test_a_session_from_before_the_setting_is_measured_by_the_core(
        self, timed_core: Borrowed, clock: Clock, mode: str
    ) -> None:
        before = Shop(timed_core, clock=clock)
        young, old = before.signed_in(mode), before.signed_in(mode)
        clock.wait(30 * MINUTE)
        young.start_session()
        clock.wait(20 * MINUTE)
        after = shop_with(timed_core, clock, absolute_timeout_sec=45 * MINUTE)
        for visitor in (young, old):
            visitor.shop = after
        assert young.visit().status_code == 200
        timed_core.calls.clear()
        assert young.visit().status_code == 200
        assert timed_core.calls == []
        assert is_over(old.visit(), mode)


class TestIdleTimeout:
    def test_a_session_that_is_used_goes_on_and_ends_when_it_is_idle(
        self, timed_core: Borrowed, clock: Clock, mode: str
    ) -> None:
        shop = shop_with(timed_core, clock, idle_timeout_sec=30 * MINUTE)
        visitor = shop.signed_in(mode)
        for _ in range(12):
            clock.wait(20 * MINUTE)
            assert use(visitor).json == {"userId": visitor.user_id}
        clock.wait(30 * MINUTE)
        assert is_over(use(visitor), mode)
        assert session.get_all_session_handles_for_user(user_id=visitor.user_id) == []

    def test_a_refresh_does_not_wake_an_idle_session(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        shop = shop_with(timed_core, clock, idle_timeout_sec=30 * MINUTE)
        visitor = shop.signed_in(mode)
        clock.wait(2 * HOUR)
        assert is_over(visitor.refresh(), mode)

    def test_the_last_use_costs_a_call_only_now_and_then(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        shop = shop_with(timed_core, clock, idle_timeout_sec=30 * MINUTE)
        visitor = shop.signed_in(mode)
        assert visitor.visit().status_code == 200
        timed_core.calls.clear()
        for _ in range(30):
            clock.wait(10)
            assert visitor.visit().status_code == 200
        assert timed_core.calls == ["GET /recipe/session", "POST /recipe/session/regenerate"]

    def test_what_changed_in_the_core_meanwhile_stays_changed(
        self, timed_core: Borrowed, clock: Clock, mode: str
    ) -> None:
        """The access token is older than the change, and must not undo it."""
        shop = shop_with(timed_core, clock, idle_timeout_sec=30 * MINUTE)
        visitor = shop.signed_in(mode, access_token_payload={"role": "admin", "badge": 7, "team": "a"})
        [handle] = session.get_all_session_handles_for_user(user_id=visitor.user_id)
        session.merge_into_access_token_payload(
            session_handle=handle, access_token_payload_update={"role": "guest", "badge": None, "desk": 1}
        )
        clock.wait(10 * MINUTE)
        assert visitor.visit().status_code == 200  # records the use
        information = session.get_session_information(session_handle=handle)
        assert information is not None
        for claims in (information.custom_claims_in_access_token_payload, payload_of(str(visitor.access_token))):
            assert (claims.get("role"), claims.get("badge"), claims.get("desk"), claims.get("team")) == (
                "guest",
                None,
                1,
                "a",
            )

    def test_a_session_in_use_outlives_an_outage_of_the_core_that_is_shorter(
        self, timed_core: Borrowed, clock: Clock, mode: str
    ) -> None:
        def down(_request: CoreRequest) -> CoreReply:
            raise CoreUnavailable("http://core:3567 does not answer")

        shop = shop_with(timed_core, clock, idle_timeout_sec=30 * MINUTE)
        visitor = shop.signed_in(mode)
        assert visitor.visit().status_code == 200  # the keys are fetched now
        clock.wait(29 * MINUTE)
        timed_core.answer = down
        assert visitor.visit().status_code == 200
        clock.wait(2 * MINUTE)
        assert visitor.visit().status_code == 503
        timed_core.answer = lambda _request: None
        assert is_over(visitor.visit(), mode)

    def test_the_app_keeps_its_own_claims(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        shop = shop_with(timed_core, clock, idle_timeout_sec=30 * MINUTE, absolute_timeout_sec=DAY)
        visitor = shop.signed_in(mode, access_token_payload={"shift": "night", "st-life": "forged"})
        clock.wait(10 * MINUTE)
        assert visitor.visit().status_code == 200
        claims = payload_of(str(visitor.access_token))
        now = clock.milliseconds // 1000
        assert claims["shift"] == "night"
        assert claims["st-life"] == {"c": now - 600, "s": now}

    def test_a_timeout_that_never_comes_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="idle_timeout_sec must be smaller than absolute_timeout_sec"):
            Session(idle_timeout_sec=HOUR, absolute_timeout_sec=HOUR)


def test_without_timeouts_nothing_is_added(timed_core: Borrowed, clock: Clock) -> None:
    visitor = Shop(timed_core, clock=clock).signed_in()
    assert "st-life" not in payload_of(str(visitor.access_token))


class TestNumberOfSessions:
    def test_the_oldest_sessions_of_a_user_end(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        shop = shop_with(timed_core, clock, max_sessions_per_user=2, check_database=True)
        first = shop.signed_in(mode)
        second, third = (Visitor(shop, mode) for _ in range(2))
        for visitor in (second, third):
            clock.wait(1)
            visitor.user_id = first.user_id
            visitor.start_session()
        stranger = shop.signed_in(mode)
        assert [visitor.visit().status_code for visitor in (first, second, third, stranger)] == [401, 200, 200, 200]
        assert len(session.get_all_session_handles_for_user(user_id=first.user_id)) == 2

    def test_a_surplus_from_before_the_setting_ends_too(self, timed_core: Borrowed, clock: Clock) -> None:
        before = Shop(timed_core, clock=clock)
        visitor = before.signed_in()
        for _ in range(4):
            visitor.snapshot().start_session()
        visitor.shop = shop_with(timed_core, clock, max_sessions_per_user=1)
        kept = visitor.start_session().json["handle"]  # type: ignore[index]
        assert session.get_all_session_handles_for_user(user_id=visitor.user_id) == [kept]

    def test_a_session_without_a_request_counts(self, timed_core: Borrowed, clock: Clock) -> None:
        shop = shop_with(timed_core, clock, max_sessions_per_user=1)
        visitor = shop.signed_in()
        clock.wait(1)
        made = session.create_new_session_without_request_response(recipe_user_id=RecipeUserId(visitor.user_id))
        assert session.get_all_session_handles_for_user(user_id=visitor.user_id) == [made.get_handle()]

    @pytest.mark.parametrize(
        "fails", ["GET /recipe/session/user", "GET /recipe/session", "POST /recipe/session/remove"]
    )
    def test_a_core_that_fails_meanwhile_fails_no_sign_in(
        self, timed_core: Borrowed, clock: Clock, fails: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The session was created: the next sign-in ends the surplus."""
        shop = shop_with(timed_core, clock, max_sessions_per_user=1)
        visitor = shop.signed_in()
        failed: list[str] = []

        def answer(request: CoreRequest) -> CoreReply | None:
            called = f"{request.method} {request.path}".replace("/public", "")
            if called != fails:
                return None
            failed.append(called)
            return CoreReply(500, "down")

        timed_core.answer = answer
        assert visitor.start_session().status_code == 200
        assert visitor.visit().status_code == 200
        assert failed == [fails]
        [record] = [record for record in caplog.records if record.name == "st_wsgi.session"]
        assert record.levelname == "ERROR"
        assert "older sessions" in record.getMessage()


class TestCheckDatabase:
    def test_a_revoked_session_is_refused_at_once(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        shop = shop_with(timed_core, clock, check_database=True)
        visitor = shop.signed_in(mode)
        assert visitor.visit().status_code == 200
        session.revoke_all_sessions_for_user(user_id=visitor.user_id)
        assert visitor.visit().status_code == 401

    def test_without_it_the_access_token_counts(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        shop = shop_with(timed_core, clock)
        visitor = shop.signed_in(mode)
        session.revoke_all_sessions_for_user(user_id=visitor.user_id)
        assert visitor.visit().status_code == 200


class TestSignInData:
    def sign_in(self, shop: Shop, agent: str) -> dict[str, Any]:
        visitor = Visitor(shop)
        headers = {"User-Agent": agent, "st-auth-mode": "cookie", "rid": "session"}
        data: dict[str, Any] = {"recipe_user_id": RecipeUserId(visitor.user_id)}
        data["session_data_in_database"] = {"badge": 17}

        def view(environ: Any) -> str:
            return session.create_new_session(environ, **data).get_handle()

        answer = shop.during(visitor, view, method="POST", headers=headers, environ={"REMOTE_ADDR": "2001:db8::7"})
        information = session.get_session_information(session_handle=str(answer.json))
        assert isinstance(information, SessionInformation)
        return information.session_data_in_database

    def test_device_and_address_are_kept_beside_the_data_of_the_app(self, timed_core: Borrowed, clock: Clock) -> None:
        shop = shop_with(timed_core, clock, record_sign_in=True)
        expected = {"address": "2001:db8::7", "userAgent": "Firefox"}
        assert self.sign_in(shop, "Firefox") == {"badge": 17, "signIn": expected}
        assert self.sign_in(shop, "x" * 9000)["signIn"]["userAgent"] == "x" * 256

    def test_they_are_not_kept_by_default(self, timed_core: Borrowed, clock: Clock) -> None:
        assert self.sign_in(shop_with(timed_core, clock), "Firefox") == {"badge": 17}


class TestRecentSignIn:
    def visit(self, shop: Shop, visitor: Visitor) -> TestResponse:
        def view(environ: Any) -> str:
            return session.get_session(
                environ,
                override_global_claim_validators=lambda validators, _: [
                    *validators,
                    SignInTimeClaim.within(seconds=10 * MINUTE),
                ],
            ).get_handle()

        return shop.during(visitor, view)

    def test_a_sensitive_view_needs_a_recent_sign_in(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        shop = Shop(timed_core, clock=clock)
        visitor = shop.signed_in(mode)
        assert self.visit(shop, visitor).status_code == 200
        clock.wait(11 * MINUTE)
        answer = self.visit(shop, visitor)
        assert answer.status_code == 403
        (error,) = answer.json["claimValidationErrors"]  # type: ignore[index]
        assert error["id"] == "st-sign-in"
        assert error["reason"]["expectedMaxAgeInSeconds"] == 600
        assert use(visitor).status_code == 200
        visitor.start_session()
        assert self.visit(shop, visitor).status_code == 200

    def test_the_core_is_asked_once_for_each_session(self, timed_core: Borrowed, clock: Clock, mode: str) -> None:
        shop = Shop(timed_core, clock=clock)
        visitor = shop.signed_in(mode)
        self.visit(shop, visitor)
        timed_core.calls.clear()
        assert self.visit(shop, visitor).status_code == 200
        assert timed_core.calls == []

    def test_an_app_that_has_checked_the_password_again_says_so(
        self, timed_core: Borrowed, clock: Clock, mode: str
    ) -> None:
        shop = Shop(timed_core, clock=clock)
        visitor = shop.signed_in(mode)
        clock.wait(11 * MINUTE)
        assert self.visit(shop, visitor).status_code == 403
        now = clock.milliseconds // 1000
        shop.with_session(visitor, lambda one: one.set_claim_value(SignInTimeClaim, now))
        assert self.visit(shop, visitor).status_code == 200

    @pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "600", None])
    def test_the_age_is_a_number_of_seconds(self, wrong: Any) -> None:
        with pytest.raises(ConfigError, match="seconds must be a number of seconds"):
            SignInTimeClaim.within(seconds=wrong)
