"""Renewing a session on the way: other sites, failing stores, browsers that lose cookies, floods of made-up tokens."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from recipes.shop import Borrowed, Clock, Shop
from werkzeug.wrappers import Response

from st_wsgi.attempts import MemoryAttempts
from st_wsgi.limits import AttemptLimits
from st_wsgi.recipes import session
from st_wsgi.recipes.session import ErrorHandlers
from website.conftest import with_pages
from website.person import Person

HOUR = 3600
REFRESH = "/auth/session/refresh"
DOMAIN = "api.shop.example"


@pytest.fixture
def shop(timed_core: Borrowed, clock: Clock) -> Shop:
    """A shop whose time the test moves."""
    return with_pages(timed_core, clock=clock)


def refresh_cookie(person: Person) -> str | None:
    return person.cookie("sRefreshToken", REFRESH)


def own_response(status: int) -> Callable[..., Response]:
    return lambda _error, _context: Response('{"message":"not now"}', status, mimetype="application/json")


def test_the_apps_own_responses_hide_no_renewal(timed_core: Borrowed, clock: Clock) -> None:
    handlers = ErrorHandlers(on_try_refresh_token=own_response(401))
    person = Person(with_pages(timed_core, clock=clock, sessions=clock.session(error_handlers=handlers)))
    person.sign_up()
    user_id = json.loads(person.screen.html)["userId"]
    person.open("/auth/sign-out")
    clock.wait(2 * HOUR)
    assert person.submit().heading == "You are signed out"
    assert refresh_cookie(person) is None
    assert session.get_all_session_handles_for_user(user_id=user_id) == []


def test_a_session_that_ended_elsewhere_can_be_signed_out_of(timed_core: Borrowed, clock: Clock) -> None:
    handlers = ErrorHandlers(on_unauthorised=own_response(440))
    sessions = clock.session(error_handlers=handlers, check_database=True)
    person = Person(with_pages(timed_core, clock=clock, sessions=sessions))
    person.sign_up()
    user_id = json.loads(person.screen.html)["userId"]
    person.open("/auth/sign-out")
    session.revoke_all_sessions_for_user(user_id=user_id)
    assert person.submit().heading == "You are signed out"


def test_a_link_on_another_site_signs_nobody_out(timed_core: Borrowed, clock: Clock) -> None:
    sessions = clock.session(cookie_same_site="strict")
    person = Person(with_pages(timed_core, clock=clock, sessions=sessions))  # sends no cookies, as from another site
    screen = person.send("GET", f"{REFRESH}?redirectToPath=/x", headers={"Sec-Fetch-Site": "cross-site"})
    assert screen.location == "/auth?redirectToPath=%2Fx"
    assert screen.response.headers.getlist("Set-Cookie") == []


def test_an_access_token_without_a_refresh_token_is_forgotten(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    person.client.delete_cookie("sRefreshToken", domain=DOMAIN, path=REFRESH)
    clock.wait(2 * HOUR)
    assert person.open("/orders").heading == "Sign in to Shop"
    assert person.cookie("sAccessToken") is None


def test_only_what_shows_a_page_renews(timed_core: Borrowed, clock: Clock) -> None:
    sessions = clock.session(cookie_same_site="none")
    person = Person(with_pages(timed_core, clock=clock, sessions=sessions))
    person.sign_up()
    clock.wait(2 * HOUR)
    before = refresh_cookie(person)
    picture = {"Accept": "image/*", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    for method, headers in (("GET", picture), ("HEAD", {}), ("GET", {"Sec-Fetch-Mode": "cors"})):
        screen = person.send(
            method, f"{REFRESH}?redirectToPath=/x", headers={**headers, "Sec-Fetch-Site": "cross-site"}
        )
        assert (screen.status, screen.location) == (303, "/auth?redirectToPath=%2Fx")
        assert refresh_cookie(person) == before
    assert person.open("/orders").status == 200
    assert refresh_cookie(person) != before


def test_a_browser_that_drops_the_new_access_token_is_given_up(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    old = person.cookie("sAccessToken")
    assert old is not None
    clock.wait(2 * HOUR)
    path, hops = "/orders", 0
    while hops < 15:
        hops += 1
        screen = person.send("GET", path)
        person.client.set_cookie("sAccessToken", old, domain=DOMAIN, path="/", secure=True)
        if screen.location is None:
            break
        path = screen.location
    assert (screen.status, screen.heading) == (401, "Your session could not be renewed")


def test_access_tokens_of_a_second_are_renewed_as_often_as_they_expire(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    for _ in range(8):
        clock.wait(2 * HOUR)
        assert person.open("/orders").status == 200


def test_tabs_that_wait_are_not_counted(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    clock.wait(2 * HOUR)
    person.open("/orders")
    for number in range(12):
        screen = person.send("GET", f"{REFRESH}?redirectToPath=/tab-{number}&again=1")
        assert screen.location == f"/tab-{number}"
    before = refresh_cookie(person)
    assert person.send("GET", f"{REFRESH}?redirectToPath=/late").location == "/late"
    assert refresh_cookie(person) == before  # the first tab has renewed the session just now


class Down:
    """A store that cannot be reached."""

    def add(self, key: str, seconds: int) -> tuple[int, float]:
        raise OSError("no route to host")

    def clear(self, key: str) -> None:
        raise OSError("no route to host")


def test_sessions_are_renewed_while_the_store_of_attempts_is_down(timed_core: Borrowed, clock: Clock) -> None:
    person = Person(with_pages(timed_core, clock=clock, rate_limit=AttemptLimits(store=Down())))
    person.sign_up()
    clock.wait(2 * HOUR)
    assert person.open("/orders").status == 200


def test_made_up_tokens_are_limited_by_address(core: Borrowed) -> None:
    person = Person(with_pages(core, rate_limit=AttemptLimits(per_address=3)))
    for number in range(4):
        person.client.set_cookie("sRefreshToken", f"x{number}", domain=DOMAIN, path=REFRESH)
        person.send("GET", REFRESH)
        assert person.screen.status == (303 if number < 3 else 429)
    assert person.screen.alert == "Too many attempts. Please try again in 5 minutes."
    assert int(person.screen.response.headers["Retry-After"]) > 0


def test_made_up_tokens_push_out_no_counters_of_sign_ins(core: Borrowed) -> None:
    limits = AttemptLimits(per_account_and_address=2, store=MemoryAttempts(size=8))
    person = Person(with_pages(core, rate_limit=limits))
    assert [person.sign_in("wrong horse 1").status for _ in range(2)] == [422, 422]
    for number in range(20):
        person.client.set_cookie("sRefreshToken", f"x{number}", domain=DOMAIN, path=REFRESH)
        person.send("GET", REFRESH)
    assert person.sign_in("wrong horse 1").status == 429


def test_a_website_behind_a_password_of_its_own_leads_on(shop: Shop) -> None:
    screen = Person(shop).send("GET", "/orders", headers={"Authorization": "Basic eDp5"})
    assert screen.location == "/auth?redirectToPath=%2Forders"
