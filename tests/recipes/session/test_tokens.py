"""How tokens travel: which cookies and headers exactly, and never both transports at once."""

from __future__ import annotations

import base64
import json
import logging
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from recipes.shop import (
    API,
    REFRESH,
    Borrowed,
    Shop,
    Visitor,
    clears,
    clears_nothing,
    cookies_of,
    front_token_of,
    payload_of,
)
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session

TOKEN_HEADERS = {"st-access-token", "st-refresh-token"}


def attributes(line: str) -> dict[str, str]:
    """The attributes of a Set-Cookie line, without its value."""
    parts = [part.partition("=") for part in line.split("; ")[1:]]
    return {name: value for name, _, value in parts}


class TestCookieMode:
    def test_the_cookies_have_exactly_these_attributes(self, shop: Shop) -> None:
        cookies = cookies_of(shop.visitor().start_session())
        assert cookies.keys() == {"sAccessToken", "sRefreshToken"}
        access, refresh = attributes(cookies["sAccessToken"]), attributes(cookies["sRefreshToken"])
        expires = [parsedate_to_datetime(found.pop("Expires")) for found in (access, refresh)]
        assert access == {"Path": "/", "HttpOnly": "", "SameSite": "Lax", "Secure": ""}
        assert refresh == access | {"Path": REFRESH}
        assert (expires[0] - expires[1]).days in (264, 265)  # a year, and the core's 100 days

    def test_no_token_is_in_a_header(self, shop: Shop) -> None:
        answer = shop.visitor().start_session()
        assert not TOKEN_HEADERS & {name.lower() for name, _ in answer.headers}

    @pytest.mark.parametrize(
        ("app_info", "settings", "expected"),
        [
            ({}, {}, {"SameSite": "Lax", "Secure": ""}),
            ({"website_domain": "https://other.example"}, {}, {"SameSite": "None", "Secure": ""}),
            ({"website_domain": "http://shop.example"}, {}, {"SameSite": "None", "Secure": ""}),
            (
                {"website_domain": "http://localhost:3000", "api_domain": "http://localhost:8000"},
                {},
                {"SameSite": "Lax"},
            ),
            (
                {"website_domain": "http://127.0.0.1:3000", "api_domain": "http://127.0.0.1:8000"},
                {},
                {"SameSite": "Lax"},
            ),
            ({"website_domain": "http://localhost", "api_domain": "https://localhost"}, {}, {"SameSite": "None"}),
            ({"website_domain": "https://a.github.io", "api_domain": "https://b.github.io"}, {}, {"SameSite": "None"}),
            ({}, {"cookie_same_site": "strict"}, {"SameSite": "Strict"}),
            ({}, {"cookie_same_site": "Lax"}, {"SameSite": "Lax"}),
            ({}, {"cookie_same_site": "NONE"}, {"SameSite": "None", "Secure": ""}),
            ({}, {"cookie_same_site": "none"}, {"SameSite": "None", "Secure": ""}),
            ({}, {"cookie_domain": ".shop.example"}, {"Domain": ".shop.example"}),
            ({}, {"cookie_domain": "shop.example"}, {"Domain": "shop.example"}),
            (
                {"api_gateway_path": "/gateway", "api_base_path": "/login"},
                {},
                {"Path": "/gateway/login/session/refresh"},
            ),
        ],
    )
    def test_attributes_follow_the_domains_and_settings(
        self, core: Borrowed, app_info: dict[str, str], settings: dict[str, Any], expected: dict[str, str]
    ) -> None:
        made = Shop(core, app_info=app_info, sessions=Session(**settings))
        found = attributes(cookies_of(made.visitor().start_session())["sRefreshToken"])
        assert expected.items() <= found.items()
        if app_info.get("api_domain", API).startswith("http:"):
            assert "Secure" not in found
        if "cookie_domain" not in settings:
            assert "Domain" not in found

    def test_a_cookie_survives_the_way_through_the_browser(self, shop: Shop) -> None:
        """Refresh tokens have signs that are percent-encoded in a cookie and come back unquoted once."""
        visitor = shop.signed_in()
        assert visitor.refresh().status_code == 200
        assert visitor.visit().json == {"userId": visitor.user_id}

    def test_the_access_token_can_be_exposed_to_the_frontend(self, core: Borrowed) -> None:
        made = Shop(core, sessions=Session(expose_access_token_to_frontend_in_cookie_based_auth=True))
        answer = made.visitor().start_session()
        assert answer.headers["st-access-token"] in cookies_of(answer)["sAccessToken"]
        assert "st-refresh-token" not in answer.headers
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert sorted(exposed) == ["front-token", "st-access-token"]

    def test_but_not_with_the_answer_that_ends_the_session(self, core: Borrowed) -> None:
        """The first use after a refresh renews the token, which is good until it expires."""
        made = Shop(core, sessions=Session(expose_access_token_to_frontend_in_cookie_based_auth=True))
        visitor = made.signed_in()
        visitor.refresh()
        answer = visitor.sign_out()
        assert answer.json == {"status": "OK"}
        assert clears(answer, "cookie")
        assert not answer.headers.get("st-access-token")

    @pytest.mark.parametrize(("size", "warns"), [(1000, False), (5000, True)])
    def test_a_token_that_browsers_would_drop_is_warned_of(
        self, shop: Shop, caplog: pytest.LogCaptureFixture, size: int, warns: bool
    ) -> None:
        """W-073."""
        with caplog.at_level(logging.WARNING, "st_wsgi"):
            shop.visitor().start_session(access_token_payload={"much": "x" * size})
        assert ("browsers drop cookies above 4096" in caplog.text) is warns
        assert "xxx" not in caplog.text

    def test_browsers_count_the_name_of_a_cookie_too(self, shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
        """The warning says how large the payload is, which is what the app can do something about."""
        visitor = shop.visitor()
        warned = set()
        with caplog.at_level(logging.WARNING, "st_wsgi"):
            for size in range(2150, 2450, 3):
                caplog.clear()
                visitor.start_session(access_token_payload={"much": "x" * size})
                token = str(visitor.access_token)
                length = len("sAccessToken") + len(token)
                warned.add((length > 4096, "browsers drop" in caplog.text))
                if caplog.text:
                    payload = token.split(".")[1]
                    assert f"has {length} bytes, its payload {len(payload) * 3 // 4}," in caplog.text
        assert warned == {(False, False), (True, True)}


class TestHeaderMode:
    def test_the_tokens_are_in_headers_that_scripts_may_read(self, shop: Shop) -> None:
        answer = shop.visitor("header").start_session()
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["st-access-token"].count(".") == 2
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert sorted(exposed) == ["front-token", "st-access-token", "st-refresh-token"]

    @pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer  ", "Bearer\t"])
    def test_the_scheme_is_found_in_any_case(self, shop: Shop, scheme: str) -> None:
        visitor = shop.signed_in("header")
        answer = visitor.visit(headers={"Authorization": f"{scheme}{visitor.access_token}"})
        assert answer.json == {"userId": visitor.user_id}

    @pytest.mark.parametrize(
        "header", ["Bearer", "Bearer ", "{0}", "Token {0}", "Bearer {0} x", "Bearer {0}, Bearer {0}"]
    )
    def test_anything_but_one_word_after_the_scheme_is_no_token(self, shop: Shop, header: str) -> None:
        visitor = shop.signed_in("header")
        answer = visitor.visit(headers={"Authorization": header.format(visitor.access_token)})
        assert (answer.status_code, answer.json) == (401, {"message": "unauthorised"})


class TestFrontToken:
    @pytest.mark.parametrize("mode", ["cookie", "header"])
    def test_it_tells_user_expiry_and_payload_in_the_official_form(self, shop: Shop, mode: str) -> None:
        visitor = shop.visitor(mode)
        answer = visitor.start_session(access_token_payload={"colour": "grün </script>", "n": [1, {"a": None}]})
        text = answer.headers["front-token"]
        told = front_token_of(answer)
        assert told is not None
        assert base64.b64encode(json.dumps(told, separators=(",", ":"), sort_keys=True).encode()).decode() == text
        assert told["uid"] == visitor.user_id
        claims = payload_of(visitor.access_token or "")
        assert told["ate"] == claims["exp"] * 1000
        assert told["up"] == claims
        assert told["up"]["colour"] == "grün </script>"

    def test_answers_with_tokens_are_not_to_be_kept_by_caches(self, shop: Shop) -> None:
        """W-017."""
        visitor = shop.visitor()
        for answer in (visitor.sign_up(), visitor.sign_in(), visitor.refresh(), visitor.sign_out()):
            assert answer.headers["Cache-Control"] == "no-store"


class TestWhichTransport:
    @pytest.mark.parametrize(
        ("asked", "used"),
        [
            ("cookie", "cookie"),
            ("header", "header"),
            (None, "header"),
            ("", "header"),
            ("any", "header"),
            ("Cookie", "header"),
            ("cookie,header", "header"),
            ("garbage\xff", "header"),
        ],
    )
    def test_a_new_session_travels_as_the_frontend_asks(self, shop: Shop, asked: str | None, used: str) -> None:
        """W-070."""
        answer = shop.visitor().sign_up(headers={"st-auth-mode": asked})
        assert ("Set-Cookie" in answer.headers) is (used == "cookie")
        assert ("st-access-token" in answer.headers) is (used == "header")

    @pytest.mark.parametrize(
        ("policy", "asked", "used"),
        [
            ("cookie", "header", "cookie"),
            ("header", "cookie", "header"),
            ("any", "cookie", "cookie"),
            ("any", None, "header"),
        ],
    )
    def test_the_app_may_decide(self, core: Borrowed, policy: Any, asked: str | None, used: str) -> None:
        seen: list[bool] = []

        def choose(request: Any, creating: bool) -> Any:
            assert request.path in ("/page", "/auth/signup")
            seen.append(creating)
            return policy

        made = Shop(core, sessions=Session(get_token_transfer_method=choose))
        answer = made.visitor().sign_up(headers={"st-auth-mode": asked})
        assert ("Set-Cookie" in answer.headers) is (used == "cookie")
        assert set(seen) == {True}

    def test_a_decision_that_is_none_is_a_mistake_of_the_app(
        self, core: Borrowed, caplog: pytest.LogCaptureFixture
    ) -> None:
        made = Shop(core, sessions=Session(get_token_transfer_method=lambda _request, _creating: "both"))  # type: ignore[arg-type,return-value]  # the mistake
        assert made.visitor().sign_up().status_code == 500
        assert "must return cookie, header or any" in caplog.text

    @pytest.mark.parametrize("policy", ["cookie", "header"])
    def test_tokens_in_the_other_transport_do_not_count_when_the_app_decided(self, core: Borrowed, policy: Any) -> None:
        made = Shop(core)
        cookies, headers = made.signed_in("cookie"), made.signed_in("header")
        strict = Shop(core, sessions=Session(get_token_transfer_method=lambda _request, _creating: policy))
        for visitor in (cookies, headers):
            visitor.shop = strict
            assert visitor.visit().status_code == (200 if visitor.mode == policy else 401)
            assert visitor.refresh().status_code == (200 if visitor.mode == policy else 401)

    def test_the_header_wins_over_the_cookie(self, shop: Shop) -> None:
        cookies, headers = shop.signed_in("cookie"), shop.signed_in("header")
        answer = cookies.visit(headers={"Authorization": f"Bearer {headers.access_token}"})
        assert answer.json == {"userId": headers.user_id}

    @pytest.mark.parametrize("foreign", ["an-api-key", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "x" * 20_000])
    def test_a_foreign_bearer_token_does_not_hide_the_cookie(self, shop: Shop, foreign: str) -> None:
        visitor = shop.signed_in()
        answer = visitor.visit(headers={"Authorization": f"Bearer {foreign}"})
        assert answer.json == {"userId": visitor.user_id}
        assert clears_nothing(answer)

    def test_a_bad_session_token_in_the_header_does_not_fall_back_to_the_cookie(self, shop: Shop) -> None:
        visitor, other = shop.signed_in(), shop.signed_in("header")
        token = str(other.access_token)
        broken = token[:-8] + ("AAAAAAAA" if token[-8:] != "AAAAAAAA" else "BBBBBBBB")
        answer = visitor.visit(headers={"Authorization": f"Bearer {broken}"})
        assert (answer.status_code, answer.json) == (401, {"message": "try refresh token"})

    def test_what_came_in_the_other_transport_is_cleared_when_a_session_is_made_or_refreshed(self, shop: Shop) -> None:
        """W-060 and W-066: never two sessions at once."""
        visitor = shop.signed_in("cookie")
        carried = visitor.cookie_header(REFRESH)
        visitor.mode = "header"
        answer = visitor.sign_up(headers={"Cookie": carried})
        assert "1970" in cookies_of(answer)["sAccessToken"]
        assert "1970" in cookies_of(answer)["sRefreshToken"]
        assert answer.headers["st-access-token"] != ""
        assert front_token_of(answer) is not None
        again = visitor.refresh(headers={"Cookie": carried})
        assert again.status_code == 200
        assert "1970" in cookies_of(again)["sRefreshToken"]
        assert again.headers["st-refresh-token"] != ""
        cookies = shop.signed_in("cookie")
        token = shop.signed_in("header").access_token
        answer = cookies.sign_up(headers={"Authorization": f"Bearer {token}"})
        assert [answer.headers["st-access-token"], answer.headers["st-refresh-token"]] == ["", ""]
        assert "1970" not in cookies_of(answer)["sAccessToken"]

    def test_a_refresh_cookie_alone_is_cleared_too(self, shop: Shop) -> None:
        visitor = shop.signed_in("header")
        answer = visitor.refresh(headers={"Cookie": "sRefreshToken=left-over"})
        assert answer.status_code == 200
        assert cookies_of(answer).keys() == {"sAccessToken", "sRefreshToken"}
        assert all("1970" in line for line in cookies_of(answer).values())

    def test_signing_in_over_a_session_makes_a_new_one(self, shop: Shop) -> None:
        """W-060: a session that an attacker planted before is not the one that is used afterwards."""
        visitor = shop.visitor()
        visitor.sign_up()
        planted = visitor.access_token
        assert visitor.sign_in().status_code == 200
        handles = [payload_of(str(token))["sessionHandle"] for token in (planted, visitor.access_token)]
        assert handles[0] != handles[1]

    @pytest.mark.parametrize("mode", ["cookie", "header"])
    def test_signing_out_clears_the_transport_in_use(self, shop: Shop, mode: str) -> None:
        visitor = shop.signed_in(mode)
        answer = visitor.sign_out()
        assert (answer.status_code, answer.json) == (200, {"status": "OK"})
        assert clears(answer, mode)
        assert visitor.front_token is None
        assert visitor.visit().json == {"message": "unauthorised"}

    @pytest.mark.parametrize(
        "settings",
        [{}, {"cookie_domain": ".shop.example"}, {"cookie_same_site": "none"}, {"cookie_same_site": "strict"}],
    )
    def test_a_cookie_is_cleared_with_the_attributes_that_it_was_set_with(
        self, core: Borrowed, settings: dict[str, Any]
    ) -> None:
        """Otherwise browsers take it for another cookie."""
        visitor = Shop(core, sessions=Session(**settings)).visitor()
        were, are = cookies_of(visitor.start_session()), cookies_of(visitor.sign_out())
        assert were.keys() == are.keys()
        for name, line in are.items():
            assert line.startswith(f"{name}=; ")
            assert attributes(line) == attributes(were[name]) | {"Expires": "Thu, 01 Jan 1970 00:00:00 GMT"}

    def test_a_session_that_is_revoked_in_a_view_is_cleared_even_if_the_core_has_none(self, shop: Shop) -> None:
        visitor = shop.signed_in()

        def revoke(found: session.SessionContainer) -> str:
            session.revoke_session(session_handle=found.get_handle())
            found.revoke_session()
            return "done"

        assert clears(shop.with_session(visitor, revoke), "cookie")


class TestSettings:
    """What cannot work is refused at construction."""

    @pytest.mark.parametrize(
        ("app_info", "settings", "says"),
        [
            ({"api_domain": "http://api.shop.example"}, {}, "use an https api_domain"),
            ({"website_domain": "https://other.example"}, {"cookie_secure": False}, "use an https api_domain"),
            ({}, {"cookie_same_site": "none", "cookie_secure": False}, "leave cookie_same_site alone"),
            ({}, {"cookie_domain": "other.example"}, "not a parent of the API's host"),
            ({}, {"cookie_domain": "hop.example"}, "not a parent of the API's host"),
            ({}, {"cookie_domain": "deep.api.shop.example"}, "not a parent of the API's host"),
            ({}, {"cookie_domain": ".example"}, "public suffix"),
            ({"api_domain": "https://me.github.io"}, {"cookie_domain": "github.io"}, "public suffix"),
            ({"api_domain": "https://shop.co.uk"}, {"cookie_domain": "co.uk"}, "public suffix"),
            ({}, {"cookie_domain": "localhost"}, "not a parent of the API's host"),
            ({}, {"cookie_domain": ""}, "cookie_domain"),
            ({}, {"cookie_domain": "shop.example; Secure"}, "cookie_domain"),
            ({}, {"cookie_same_site": "laxer"}, "cookie_same_site must be one of lax, strict, none, None, not 'laxer'"),
            ({}, {"anti_csrf": "via token"}, "anti_csrf must be one of VIA_CUSTOM_HEADER, VIA_TOKEN, NONE, None"),
            ({}, {"older_cookie_domain": "other.example"}, "older_cookie_domain 'other.example' is not a parent"),
            ({}, {"older_cookie_domain": "api.shop.example\r\nX: 1"}, "older_cookie_domain"),
            ({}, {"session_expired_status_code": 99}, "session_expired_status_code must be an HTTP status"),
            ({}, {"invalid_claim_status_code": "403"}, "invalid_claim_status_code must be an HTTP status"),
            ({}, {"jwks_refresh_interval_sec": 0}, "jwks_refresh_interval_sec must be a number of seconds"),
            ({}, {"jwks_refresh_interval_sec": 10**6}, "jwks_refresh_interval_sec must be a number of seconds"),
            (
                {},
                {"get_token_transfer_method": "cookies"},
                "get_token_transfer_method must be one of cookie, header, any, or a function",
            ),
            ({}, {"error_handlers": {}}, "error_handlers must be ErrorHandlers"),
            ({}, {"session_expired_status_code": 403}, "must differ"),
            ({}, {"invalid_claim_status_code": 401}, "must differ"),
        ],
    )
    def test_settings_that_contradict_each_other_are_refused(
        self, core: Borrowed, app_info: dict[str, str], settings: dict[str, Any], says: str
    ) -> None:
        """W-015."""
        with pytest.raises(ConfigError, match=says):
            Shop(core, app_info=app_info, sessions=Session(**settings))

    @pytest.mark.parametrize(
        ("app_info", "domain", "written"),
        [
            ({}, ".Shop.Example", ".shop.example"),
            ({}, "api.shop.example", "api.shop.example"),
            ({"api_domain": "http://localhost:3000", "website_domain": "http://localhost"}, ".localhost", "localhost"),
            ({"api_domain": "http://127.0.0.1", "website_domain": "http://127.0.0.1"}, ".127.0.0.1", "127.0.0.1"),
        ],
    )
    def test_a_leading_dot_is_kept_but_for_this_machine(
        self, core: Borrowed, app_info: dict[str, str], domain: str, written: str
    ) -> None:
        made = Shop(core, app_info=app_info, sessions=Session(cookie_domain=domain))
        assert attributes(cookies_of(made.visitor().start_session())["sAccessToken"])["Domain"] == written


class TestTwoSites:
    """Pairs of domains between which browsers send no cookies: seen in Chromium 142, where every call was a 401."""

    HEADERS = "set get_token_transfer_method='header'"

    @pytest.mark.parametrize(
        ("api", "website", "cure"),
        [
            ("http://127.0.0.1:8000", "http://localhost:3000", "use one spelling of the host for both"),
            ("http://localhost:8000", "http://127.0.0.1:3000", "use one spelling of the host for both"),
            ("http://localhost:8000", "http://[::1]:3000", "use one spelling of the host for both"),
            ("http://127.0.0.2:8000", "http://127.0.0.1:3000", "use one spelling of the host for both"),
            ("http://api.localhost:8000", "http://shop.localhost:3000", "use one spelling of the host for both"),
            ("http://api.localhost:8000", "http://localhost:3000", "use one spelling of the host for both"),
            ("http://localhost:8000", "https://localhost:3000", "use an https api_domain"),
            ("http://192.168.1.20:8000", "http://localhost:3000", "use an https api_domain"),
            ("http://192.168.1.20:8000", "http://192.168.1.21:3000", "use an https api_domain"),
            ("http://api.shop.example", "https://shop.example", "use an https api_domain"),
        ],
    )
    def test_they_are_refused_with_the_reason_and_the_cure(
        self, core: Borrowed, api: str, website: str, cure: str
    ) -> None:
        info = {"api_domain": api, "website_domain": website}
        with pytest.raises(ConfigError, match=cure) as refusal:
            Shop(core, app_info=info)
        assert f"browsers take the website {website} and the api_domain {api} for two sites" in str(refusal.value)
        assert self.HEADERS in str(refusal.value)
        made = Shop(core, app_info=info, sessions=Session(get_token_transfer_method="header"))
        assert made.visitor("cookie").start_session().headers["st-access-token"]

    @pytest.mark.parametrize("same_site", ["lax", "strict"])
    def test_cookies_that_would_not_be_sent_are_refused_over_https_too(self, core: Borrowed, same_site: Any) -> None:
        info = {"website_domain": "https://other.example"}
        with pytest.raises(
            ConfigError, match=f"no SameSite={same_site.capitalize()} cookies .* leave cookie_same_site"
        ):
            Shop(core, app_info=info, sessions=Session(cookie_same_site=same_site))

    def test_every_origin_that_a_function_may_return_is_looked_at(self, core: Borrowed) -> None:
        info = {
            "api_domain": "http://localhost:8000",
            "website_domain": None,
            "origin": lambda _request, _context: "http://localhost:3000",
            "allowed_origins": ["http://localhost:3000", "http://127.0.0.1:3000"],
        }
        with pytest.raises(ConfigError, match=r"the website http://127\.0\.0\.1:3000"):
            Shop(core, app_info=info)

    def test_secure_cookies_are_refused_where_a_browser_does_not_keep_them(self, core: Borrowed) -> None:
        info = {"api_domain": "http://api.shop.example", "website_domain": "http://shop.example"}
        with pytest.raises(ConfigError, match="browsers refuse Secure cookies of http://api"):
            Shop(core, app_info=info, sessions=Session(cookie_secure=True))
        local = {"api_domain": "http://localhost:8000", "website_domain": "http://localhost:3000"}
        Shop(core, app_info=local, sessions=Session(cookie_secure=True))


class TestUnsafeSettings:
    """What lets others use a session is refused, unless the app says in words that it wants it."""

    def test_cookies_that_are_not_secure_although_the_api_is_https(self, core: Borrowed) -> None:
        with pytest.raises(ConfigError, match=r"unencrypted .* set allow_insecure_cookies=True"):
            Shop(core, sessions=Session(cookie_secure=False))
        made = Shop(core, sessions=Session(cookie_secure=False, allow_insecure_cookies=True))
        assert "Secure" not in attributes(cookies_of(made.visitor().start_session())["sAccessToken"])

    @pytest.mark.parametrize(
        ("app_info", "settings"),
        [
            ({"website_domain": "https://other.example"}, {}),
            ({}, {"cookie_same_site": "none"}),
            (
                {
                    "website_domain": None,
                    "origin": lambda _request, _context: "https://shop.example",
                    "allowed_origins": ["https://shop.example", "https://other.example"],
                },
                {},
            ),
        ],
        ids=["two sites", "by choice", "one of the origins"],
    )
    def test_no_anti_csrf_with_cookies_that_every_site_can_use(
        self, core: Borrowed, app_info: dict[str, Any], settings: dict[str, Any]
    ) -> None:
        with pytest.raises(ConfigError, match=r"every website can act .* set allow_insecure_anti_csrf=True"):
            Shop(core, app_info=app_info, sessions=Session(anti_csrf="NONE", **settings))
        made = Shop(
            core, app_info=app_info, sessions=Session(anti_csrf="NONE", allow_insecure_anti_csrf=True, **settings)
        )
        assert made.signed_in().visit("POST", headers={"rid": None}).status_code == 200

    def test_no_anti_csrf_is_fine_where_browsers_keep_cookies_to_one_site_or_there_are_none(
        self, core: Borrowed
    ) -> None:
        Shop(core, sessions=Session(anti_csrf="NONE"))
        apart = {"website_domain": "https://other.example"}
        Shop(core, app_info=apart, sessions=Session(anti_csrf="NONE", get_token_transfer_method="header"))


class TestOriginPerRequest:
    """SameSite and the anti-CSRF mode follow the origin of each request."""

    @pytest.fixture
    def made(self, core: Borrowed) -> Shop:
        return Shop(
            core,
            app_info={
                "website_domain": None,
                "origin": lambda request, _context: "" if request is None else request.headers.get("Origin", ""),
                "allowed_origins": ["https://shop.example", "https://other.example"],
            },
        )

    def test_nothing_is_remembered_from_the_first_request(self, made: Shop) -> None:
        """W-012."""
        for origin, same_site in [("shop", "Lax"), ("other", "None"), ("shop", "Lax"), ("other", "None")]:
            visitor = made.visitor()
            answer = visitor.sign_up(headers={"Origin": f"https://{origin}.example"})
            assert attributes(cookies_of(answer)["sAccessToken"])["SameSite"] == same_site

    def test_the_anti_csrf_mode_is_that_of_the_requests_origin(self, made: Shop) -> None:
        visitor = made.visitor()
        visitor.sign_up(headers={"Origin": "https://shop.example"})
        for origin, status in [("shop", 200), ("other", 401), ("shop", 200)]:
            answer = visitor.visit("POST", headers={"Origin": f"https://{origin}.example", "rid": None})
            assert answer.status_code == status

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "x y", None])
    def test_an_origin_that_is_not_listed_gets_no_session(self, made: Shop, origin: str | None) -> None:
        """W-025."""
        answer = made.visitor().sign_up(headers={"Origin": origin})
        assert (answer.status_code, answer.json) == (400, {"message": "this origin is not allowed"})
        assert clears_nothing(answer)


def test_visitors_keep_cookies_as_browsers_do(shop: Shop) -> None:
    """The refresh token goes to the refresh route only; this is about the tests' own browser."""
    visitor = shop.signed_in()
    assert "sRefreshToken" not in visitor.cookie_header("/page")
    assert "sRefreshToken" in visitor.cookie_header(REFRESH)
    assert isinstance(visitor.snapshot(), Visitor)
