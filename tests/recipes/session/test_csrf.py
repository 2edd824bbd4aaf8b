"""A request with cookies has to show that the website's own script sent it; one with a header shows that by itself."""

from __future__ import annotations

from typing import Any

import pytest

from recipes.shop import REFRESH, Borrowed, Shop, Visitor, cookies_of, payload_of
from st_wsgi import RecipeUserId
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session

CROSS_SITE = {"website_domain": "https://other.example"}
TRY_REFRESH = (401, {"message": "try refresh token"})


@pytest.fixture
def by_header(core: Borrowed) -> Shop:
    """Website and API on different sites: the default is a custom header."""
    return Shop(core, app_info=CROSS_SITE)


@pytest.fixture(params=["VIA_TOKEN", "via_token"])
def by_token(core: Borrowed, request: pytest.FixtureRequest) -> Shop:
    """A shop with this mode; the setting may be written in any case."""
    return Shop(core, sessions=Session(anti_csrf=request.param))


def told(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json


class TestCustomHeader:
    @pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")  # the validator's words for some of them
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "Get", "PROPFIND"])
    def test_every_method_but_get_and_head_needs_it(self, by_header: Shop, method: str) -> None:
        visitor = by_header.signed_in()
        assert told(visitor.visit(method, headers={"rid": None}, environ={"REQUEST_METHOD": method})) == TRY_REFRESH
        assert visitor.visit(method, environ={"REQUEST_METHOD": method}).status_code == 200

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_get_and_head_do_not(self, by_header: Shop, method: str) -> None:
        assert by_header.signed_in().visit(method, headers={"rid": None}).status_code == 200

    @pytest.mark.parametrize(
        ("rid", "status"), [("anti-csrf", 200), ("x", 200), ("session", 200), ("\xff", 200), ("", 401), (None, 401)]
    )
    def test_any_value_will_do_but_not_an_empty_one(self, by_header: Shop, rid: str | None, status: int) -> None:
        """W-035: present must mean that a script set it."""
        assert by_header.signed_in().visit("POST", headers={"rid": rid}).status_code == status

    def test_sign_out_from_a_foreign_site_leaves_the_session_alone(self, by_header: Shop) -> None:
        """W-003."""
        visitor = by_header.signed_in()
        assert told(visitor.sign_out(headers={"rid": None})) == TRY_REFRESH
        assert visitor.visit().status_code == 200
        assert len(session.get_all_session_handles_for_user(user_id=visitor.user_id)) == 1

    def test_refresh_from_a_foreign_site_does_not_reach_the_core(self, by_header: Shop) -> None:
        """W-001."""
        visitor = by_header.signed_in()
        before = list(by_header.core.calls)
        answer = visitor.snapshot().refresh(headers={"rid": None})
        assert told(answer) == (401, {"message": "unauthorised"})
        assert "1970" in cookies_of(answer)["sRefreshToken"]
        assert by_header.core.calls == before
        assert visitor.refresh().status_code == 200

    @pytest.mark.parametrize("path", ["/auth/signout", REFRESH])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_links_and_images_neither_sign_out_nor_refresh(self, by_header: Shop, method: str, path: str) -> None:
        """W-004: the request is the app's, and the session lives."""
        visitor = by_header.signed_in()
        answer = visitor.call(method, path)
        assert answer.status_code == 200
        assert answer.text in ("", f'{{"userId": "{visitor.user_id}"}}')
        assert visitor.refresh().status_code == 200

    def test_the_mode_can_be_asked_for_on_one_site_too(self, core: Borrowed) -> None:
        made = Shop(core, sessions=Session(anti_csrf="VIA_CUSTOM_HEADER"))
        assert told(made.signed_in().visit("POST", headers={"rid": None})) == TRY_REFRESH


class TestToken:
    def test_it_comes_in_a_header_that_scripts_of_the_website_can_read(self, by_token: Shop) -> None:
        visitor = by_token.visitor()
        answer = visitor.start_session()
        assert answer.headers["anti-csrf"] == payload_of(str(visitor.access_token))["antiCsrfToken"]
        assert "anti-csrf" in answer.headers["Access-Control-Expose-Headers"].split(", ")

    @pytest.mark.parametrize("wrong", [None, "", "x", "\xff", "0" * 100_000])
    def test_a_request_that_changes_something_needs_it(self, by_token: Shop, wrong: str | None) -> None:
        visitor = by_token.signed_in()
        assert visitor.visit("POST").status_code == 200
        assert told(visitor.visit("POST", headers={"anti-csrf": wrong})) == TRY_REFRESH
        assert visitor.visit("GET", headers={"anti-csrf": wrong}).status_code == 200

    def test_the_token_of_another_session_does_not_do(self, by_token: Shop) -> None:
        other = by_token.signed_in()
        assert told(by_token.signed_in().visit("POST", headers={"anti-csrf": other.anti_csrf})) == TRY_REFRESH

    def test_a_session_that_was_made_without_one_cannot_be_used_to_change_something(
        self, core: Borrowed, by_token: Shop
    ) -> None:
        visitor = Shop(core).signed_in()
        visitor.shop = by_token
        for value in (None, "", "null", "None"):
            assert told(visitor.visit("POST", headers={"anti-csrf": value})) == TRY_REFRESH

    @pytest.mark.parametrize("wrong", [None, "x"])
    def test_a_wrong_one_does_not_rotate_the_session(self, by_token: Shop, wrong: str | None) -> None:
        """W-002."""
        visitor = by_token.signed_in()
        answer = visitor.snapshot().refresh(headers={"anti-csrf": wrong})
        assert told(answer) == (401, {"message": "unauthorised"})
        refreshed = visitor.refresh()
        assert refreshed.status_code == 200
        assert visitor.visit("POST").status_code == 200

    def test_it_changes_with_a_refresh(self, by_token: Shop) -> None:
        visitor = by_token.signed_in()
        before = visitor.anti_csrf
        visitor.refresh()
        assert visitor.anti_csrf not in (None, before)
        assert visitor.visit("POST").status_code == 200

    def test_it_goes_with_the_session(self, by_token: Shop) -> None:
        """A token that the answer was going to bring is dropped when the session ends in the same request."""
        visitor = by_token.visitor()

        def view(environ: Any) -> str:
            session.create_new_session(environ, recipe_user_id=user_of(visitor)).revoke_session()
            return "done"

        answer = by_token.during(visitor, view)
        assert "anti-csrf" not in answer.headers
        assert answer.headers["front-token"] == "remove"


def user_of(visitor: Visitor) -> RecipeUserId:
    return RecipeUserId(visitor.user_id)


class TestNone:
    def test_on_one_site_the_browsers_own_rules_are_enough(self, shop: Shop) -> None:
        assert shop.signed_in().visit("POST", headers={"rid": None}).status_code == 200


class TestHeaderMode:
    @pytest.mark.parametrize("settings", [{"anti_csrf": "VIA_TOKEN"}, {"anti_csrf": "VIA_CUSTOM_HEADER"}])
    def test_it_is_never_checked_and_no_token_is_made(self, core: Borrowed, settings: dict[str, Any]) -> None:
        made = Shop(core, app_info=CROSS_SITE, sessions=Session(**settings))
        visitor = made.visitor("header")
        assert "anti-csrf" not in visitor.start_session().headers
        assert payload_of(str(visitor.access_token))["antiCsrfToken"] is None
        visitor.rid = None
        assert visitor.visit("POST").status_code == 200
        assert visitor.refresh().status_code == 200
        assert "anti-csrf" not in visitor.visit("POST").headers


class TestChoices:
    @pytest.mark.parametrize(("check", "method", "status"), [(True, "GET", 401), (False, "POST", 200)])
    @pytest.mark.parametrize("mode", ["VIA_CUSTOM_HEADER", "VIA_TOKEN"])
    def test_a_view_may_force_the_check_on_or_off(
        self, core: Borrowed, mode: Any, check: bool, method: str, status: int
    ) -> None:
        made = Shop(core, sessions=Session(anti_csrf=mode))
        answer = made.during(
            made.signed_in(),
            lambda environ: session.get_session(environ, anti_csrf_check=check).get_user_id(),
            method=method,
            headers={"rid": None, "anti-csrf": None},
        )
        assert answer.status_code == status

    @pytest.mark.parametrize(("safe", "statuses"), [((), (401, 401)), (("HEAD",), (401, 200)), (("GET",), (200, 401))])
    def test_the_methods_that_change_nothing_can_be_chosen(
        self, core: Borrowed, safe: tuple[str, ...], statuses: tuple[int, int]
    ) -> None:
        made = Shop(core, app_info=CROSS_SITE, sessions=Session(csrf_safe_methods=safe))
        visitor = made.signed_in()
        assert tuple(visitor.visit(m, headers={"rid": None}).status_code for m in ("GET", "HEAD")) == statuses

    @pytest.mark.parametrize("methods", [("POST",), ("get",), ("GET", "OPTIONS"), "GET"])
    def test_only_methods_that_change_nothing_can_be_safe(self, methods: Any) -> None:
        with pytest.raises(ConfigError, match="csrf_safe_methods"):
            Session(csrf_safe_methods=methods)

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 401),
            ({"Sec-Fetch-Site": "cross-site"}, 401),
            ({"Sec-Fetch-Site": "cross-site", "Origin": "https://other.example"}, 200),
            ({"Sec-Fetch-Site": "same-origin"}, 200),
            ({"Sec-Fetch-Site": "same-site"}, 200),
            ({"Sec-Fetch-Site": "none"}, 200),
            ({}, 200),
        ],
    )
    def test_where_a_request_comes_from_can_be_checked_whatever_its_rid(
        self, core: Borrowed, headers: dict[str, str], status: int
    ) -> None:
        made = Shop(core, app_info=CROSS_SITE, sessions=Session(check_request_origin=True))
        visitor = made.signed_in()
        assert visitor.visit("POST", headers=headers).status_code == status
        assert visitor.visit("GET", headers=headers).status_code == 200
        assert visitor.refresh(headers=headers).status_code == status
        assert Shop(core, app_info=CROSS_SITE).signed_in().visit("POST", headers=headers).status_code == 200


class TestWithoutRequest:
    def test_the_custom_header_cannot_be_checked_and_says_so(self, by_header: Shop) -> None:
        visitor = by_header.signed_in("header")
        access, refresh = str(visitor.access_token), str(visitor.refresh_token)
        with pytest.raises(ConfigError, match="pass anti_csrf_check=False"):
            session.get_session_without_request_response(access_token=access)
        with pytest.raises(ConfigError, match="pass disable_anti_csrf=True"):
            session.refresh_session_without_request_response(refresh_token=refresh)
        found = session.get_session_without_request_response(access_token=access, anti_csrf_check=False)
        assert found is not None
        assert found.get_user_id() == visitor.user_id
        session.refresh_session_without_request_response(refresh_token=refresh, disable_anti_csrf=True)
        answer = by_header.visitor().visit("POST", headers={"Cookie": "sAccessToken=xyz", "rid": None})
        assert answer.json == {"message": "unauthorised"}, "a text that is no token comes before the header"

    @pytest.mark.parametrize("settings", [{}, {"anti_csrf": "VIA_CUSTOM_HEADER"}])
    def test_nor_when_the_origin_depends_on_the_request(self, core: Borrowed, settings: dict[str, Any]) -> None:
        about = {
            "website_domain": None,
            "origin": lambda _request, _context: "https://other.example",
            "allowed_origins": ["https://shop.example", "https://other.example"],
        }
        access = str(Shop(core, app_info=about, sessions=Session(**settings)).signed_in("header").access_token)
        with pytest.raises(ConfigError, match="pass anti_csrf_check=False"):
            session.get_session_without_request_response(access_token=access)

    def test_the_token_is_an_argument(self, by_token: Shop) -> None:
        visitor = by_token.signed_in()
        access = str(visitor.access_token)
        assert (
            session.get_session_without_request_response(access_token=access, anti_csrf_token=visitor.anti_csrf)
            is not None
        )
        for wrong in (None, "x"):
            with pytest.raises(session.TryRefreshToken):
                session.get_session_without_request_response(access_token=access, anti_csrf_token=wrong)
            with pytest.raises(session.TryRefreshToken):
                session.get_session_without_request_response(
                    access_token=access, anti_csrf_token=wrong, anti_csrf_check=None
                )
        made = session.create_new_session_without_request_response(recipe_user_id=user_of(visitor))
        tokens = made.get_all_session_tokens_dangerously()
        assert tokens.anti_csrf_token is not None
        assert tokens.refresh_token is not None
        with pytest.raises(session.Unauthorised):
            session.refresh_session_without_request_response(refresh_token=tokens.refresh_token, anti_csrf_token="x")
        renewed = session.refresh_session_without_request_response(
            refresh_token=tokens.refresh_token, anti_csrf_token=tokens.anti_csrf_token
        )
        assert renewed.get_handle() == made.get_handle()
        found = session.get_session_without_request_response(access_token=access, anti_csrf_token=visitor.anti_csrf)
        assert found is not None
        assert found.get_all_session_tokens_dangerously().anti_csrf_token == visitor.anti_csrf
        plain = session.create_new_session_without_request_response(
            recipe_user_id=user_of(visitor), disable_anti_csrf=True
        )
        assert plain.get_all_session_tokens_dangerously().anti_csrf_token is None
