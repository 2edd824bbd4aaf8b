"""
Session cookies that the app did not set, and what they can do.

A browser sends cookies of the same name from several domains and paths, and does not tell which is which. Another
host below the app's domain can set such cookies, and so could an earlier version of the app. A refusal clears them, so
that it is not repeated at every request. Requests of other sites clear nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from recipes.shop import API, REFRESH, Borrowed, Shop, Visitor, clears, clears_nothing
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session

DOMAINS = ["", "api.shop.example", "shop.example"]
PATHS = ["/", "/auth", "/auth/", "/auth/session", "/auth/session/", REFRESH]
OWN = {("sAccessToken", "", "/"), ("sRefreshToken", "", REFRESH)}
OTHER_SITE = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "rid": None}


def planted(visitor: Visitor, *cookies: tuple[str, str, str]) -> None:
    """Have the visitor's browser hold cookies beside those of the app."""
    for cookie in cookies:
        assert cookie not in visitor.cookies
        visitor.cookies[cookie] = "planted"


PLACES = [
    (name, domain, path)
    for name in ("sAccessToken", "sRefreshToken")
    for domain in DOMAINS
    for path in PATHS
    if (name, domain, path) not in OWN
]


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_a_planted_cookie_ends_the_session_once_and_does_not_outlive_its_refusal(
    shop: Shop, place: tuple[str, str, str]
) -> None:
    visitor = shop.signed_in()
    planted(visitor, place)
    refusal = visitor.refresh()
    assert (refusal.status_code, refusal.json) == (401, {"message": "unauthorised"})
    assert clears(refusal, "cookie")
    assert visitor.cookies == {}
    visitor.start_session()
    assert visitor.refresh().status_code == 200
    assert visitor.visit().json == {"userId": visitor.user_id}
    assert visitor.cookies.keys() == OWN


@pytest.mark.parametrize("domain", [".shop.example", "api.shop.example"])
def test_it_is_the_same_where_the_apps_cookies_have_a_domain(core: Borrowed, domain: str) -> None:
    shop = Shop(core, sessions=Session(cookie_domain=domain))
    for place in PLACES:
        visitor = shop.signed_in()
        own = set(visitor.cookies)
        if place in own:
            continue
        planted(visitor, place)
        assert visitor.refresh().status_code == 401
        assert visitor.cookies == {}
        visitor.start_session()
        assert visitor.refresh().status_code == 200
        assert visitor.cookies.keys() == own


def test_both_names_planted_everywhere_cost_one_more_refusal_and_no_more_sessions(shop: Shop) -> None:
    """Clearing both everywhere at once would need more headers than common proxies let through."""
    visitor = shop.signed_in()
    planted(visitor, *PLACES)
    assert visitor.refresh().status_code == 401
    assert not [cookie for cookie in visitor.cookies if cookie[0] == "sRefreshToken"]
    visitor.start_session()
    assert visitor.refresh().status_code == 401
    visitor.start_session()
    assert visitor.refresh().status_code == 200
    assert visitor.visit().status_code == 200
    assert visitor.cookies.keys() == OWN


@pytest.mark.parametrize("place", [("", "/page"), ("shop.example", "/page"), ("shop.example", "/")], ids=" ".join)
def test_a_planted_access_cookie_costs_a_refresh_and_no_session(shop: Shop, place: tuple[str, str]) -> None:
    """At the path of a page, the refresh route would never see it, and that page would be refused at every request."""
    visitor = shop.signed_in()
    planted(visitor, ("sAccessToken", *place))
    assert visitor.visit().json == {"message": "try refresh token"}
    assert visitor.refresh().status_code == 200
    assert visitor.visit().json == {"userId": visitor.user_id}
    assert visitor.cookies.keys() == OWN


@pytest.mark.parametrize("place", [("", "/page"), ("shop.example", "/page"), ("shop.example", "/")], ids=" ".join)
def test_a_planted_cookie_of_very_old_sdks_costs_a_refresh_too(shop: Shop, place: tuple[str, str]) -> None:
    visitor = shop.signed_in()
    planted(visitor, ("sIdRefreshToken", *place))
    assert visitor.visit().json == {"message": "try refresh token"}
    assert visitor.visit().json == {"userId": visitor.user_id}


def test_an_older_cookie_domain_ends_no_session_wherever_the_other_cookie_is(core: Borrowed) -> None:
    shop = Shop(core, sessions=Session(older_cookie_domain="shop.example"))
    visitor = shop.signed_in()
    for place in PLACES:
        planted(visitor, place)
        answer = visitor.refresh()
        assert answer.json == {"message": "duplicate session cookies were cleared"}, place
        assert visitor.cookies.keys() == OWN, place
        assert visitor.refresh().json == {}
    assert visitor.visit().json == {"userId": visitor.user_id}


def test_signing_out_leaves_no_cookie_of_another_domain(shop: Shop) -> None:
    """It would be sent as soon as the app's own is gone."""
    visitor = shop.signed_in()
    visitor.cookies["sRefreshToken", "shop.example", REFRESH] = "planted"
    assert visitor.sign_out().status_code == 200
    assert visitor.cookies == {}


def test_a_public_suffix_is_no_domain_of_a_cookie(core: Borrowed) -> None:
    info = {"api_domain": "https://api.eu.shop.co.uk", "website_domain": "https://shop.co.uk"}
    answer = Shop(core, app_info=info).visitor().refresh()
    domains = {
        part.removeprefix("Domain=")
        for line in answer.headers.getlist("Set-Cookie")
        for part in line.split("; ")
        if part.startswith("Domain=")
    }
    assert domains == {"api.eu.shop.co.uk", "eu.shop.co.uk", "shop.co.uk"}


def test_the_headers_that_clear_fit_into_the_buffer_of_a_proxy(shop: Shop) -> None:
    """nginx takes 4 KiB of headers from an app unless told otherwise."""
    visitor = shop.signed_in()
    planted(visitor, *PLACES)
    answer = visitor.refresh()
    assert sum(len(name) + len(value) + 4 for name, value in answer.headers) < 4000


def test_a_deep_path_makes_no_endless_response(shop: Shop) -> None:
    visitor = shop.signed_in()
    answer = visitor.call("GET", "/a" * 2_000, headers={"Cookie": "sAccessToken=a; sAccessToken=b"})
    assert answer.status_code == 401
    assert 0 < len(answer.headers.getlist("Set-Cookie")) < 80


def test_the_path_of_a_cookie_is_written_as_browsers_write_the_paths_of_pages(shop: Shop) -> None:
    answer = shop.visitor().call("GET", "/caf%C3%A9;a/b%20c", headers={"Cookie": "sAccessToken=a; sAccessToken=b"})
    paths = {line.split("; ")[2] for line in answer.headers.getlist("Set-Cookie")}
    assert paths == {f"Path={path}" for path in ("/", "/caf%C3%A9%3Ba", "/caf%C3%A9%3Ba/", "/caf%C3%A9%3Ba/b%20c")}


class TestOtherSites:
    """A page of another site sends a form to the refresh route, which used to sign its visitor out."""

    @pytest.mark.parametrize(
        "headers",
        [
            OTHER_SITE,
            {"Origin": "https://evil.example", "rid": None},
            {"Origin": "null", "rid": None},
            {"Origin": "https://evil.shop.example", "Sec-Fetch-Site": "same-site", "rid": None},
            {"Sec-Fetch-Site": "cross-site", "rid": None},
        ],
    )
    @pytest.mark.parametrize("settings", [{}, {"cookie_same_site": "none"}], ids=["lax", "none"])
    @pytest.mark.parametrize("cookies", ["sent", "withheld", "doubled", "of a very old SDK"])
    def test_a_form_of_another_site_clears_nothing(
        self, core: Borrowed, settings: dict[str, Any], headers: dict[str, str | None], cookies: str
    ) -> None:
        """A browser withholds SameSite=Lax cookies from such a form, but keeps those that the response sets."""
        shop = Shop(core, sessions=Session(**settings))
        visitor = shop.signed_in()
        sent = {
            "sent": visitor.cookie_header(REFRESH),
            "withheld": None,
            "doubled": visitor.cookie_header(REFRESH) + "; sRefreshToken=x",
            "of a very old SDK": "sIdRefreshToken=x",
        }
        if cookies == "sent" and not settings:
            return  # browsers do not
        answer = visitor.snapshot().refresh(headers={**headers, "Cookie": sent[cookies]})
        assert (answer.status_code, answer.json) == (401, {"message": "unauthorised"})
        assert clears_nothing(answer)
        assert visitor.refresh().status_code == 200
        assert visitor.visit().status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"rid": "anti-csrf", "Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"},
            {"rid": None, "Origin": "https://shop.example", "Sec-Fetch-Site": "same-site"},
            {"rid": None, "Origin": API, "Sec-Fetch-Site": "same-origin"},
            {"rid": None, "Sec-Fetch-Site": "none"},
            {"rid": None},
        ],
        ids=["a script with permission", "the website", "a page of the API", "the address bar", "not a browser"],
    )
    def test_other_requests_clear_as_the_protocol_says(self, shop: Shop, headers: Mapping[str, str | None]) -> None:
        assert clears(shop.visitor().refresh(headers=headers), "cookie")

    def test_a_link_of_another_site_clears_nothing_whatever_the_app_raises(self, shop: Shop) -> None:
        visitor = shop.signed_in()

        def view(_environ: Any) -> Any:
            raise session.Unauthorised("there is no session")

        assert clears_nothing(shop.during(visitor, view, headers=OTHER_SITE | {"Origin": None}))
        assert clears(shop.during(visitor, view), "cookie")

    def test_an_app_that_ends_a_session_at_the_request_of_another_site_ends_it_in_the_browser_too(
        self, shop: Shop
    ) -> None:
        """Logging out by a form of an identity provider, for instance."""
        visitor = shop.signed_in()
        answer = shop.with_session(visitor, session.SessionContainer.revoke_session, method="POST", headers=OTHER_SITE)
        assert clears(answer, "cookie")


def test_a_theft_is_a_security_event_with_user_and_session(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    visitor = shop.visitor()
    handle = (visitor.start_session().json or {})["handle"]
    thief = visitor.snapshot()
    visitor.refresh()
    assert visitor.visit().status_code == 200
    secrets = [*thief.cookies.values(), *visitor.cookies.values()]
    with caplog.at_level(logging.DEBUG):
        assert thief.refresh().status_code == 401
    theft, end = [record for record in caplog.records if record.name == "st_wsgi.security"]
    assert theft.levelno == logging.WARNING
    assert theft.getMessage().startswith("refresh_token_reused {")
    assert handle in theft.getMessage()
    assert visitor.user_id in theft.getMessage()
    assert end.getMessage().startswith("session_ended {")
    assert not [secret for secret in secrets if secret[-40:] in caplog.text]
