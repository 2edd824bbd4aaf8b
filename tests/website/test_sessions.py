"""Sessions without a frontend SDK: to sign in and back, through the renewal and back, and never in circles."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from recipes.shop import PASSWORD, Borrowed, Clock, Shop, Visitor

from st_wsgi.errors import CoreUnavailable, Forbidden, InvalidClaims, TryRefreshToken, Unauthorised
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from website.conftest import with_pages
from website.person import Person

HOUR = 3600
REFRESH = "/auth/session/refresh"


@pytest.fixture
def shop(timed_core: Borrowed, clock: Clock) -> Shop:
    """A shop whose time the test moves."""
    return with_pages(timed_core, clock=clock)


def tab(person: Person) -> Person:
    """Return another tab of the same browser."""
    other = Person(person.shop)
    other.client = person.client
    return other


def user_of(person: Person) -> str:
    return str(json.loads(person.screen.html)["userId"])


def test_a_stranger_signs_in_and_comes_back(person: Person) -> None:
    assert person.open("/orders?page=2&sort=a").heading == "Sign in to Shop"
    assert person.path == "/auth?redirectToPath=%2Forders%3Fpage%3D2%26sort%3Da"
    person.open(person.screen.link("Create an account"))
    assert person.submit(email=person.email, password="short").status == 422
    assert person.submit(email=person.email, password=PASSWORD).status == 200
    assert person.path == "/orders?page=2&sort=a"


def test_an_expired_access_token_is_renewed_on_the_way(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    user_id = user_of(person)
    for _ in range(3):
        before = person.cookie("sAccessToken")
        clock.wait(2 * HOUR)
        assert person.send("GET", "/orders?page=2").location == f"{REFRESH}?redirectToPath=%2Forders%3Fpage%3D2"
        assert person.screen.response.headers["Cache-Control"] == "no-store"
        person.open(f"{REFRESH}?redirectToPath=%2Forders%3Fpage%3D2")
        assert (person.path, user_of(person)) == ("/orders?page=2", user_id)
        assert person.cookie("sAccessToken") != before


def test_two_tabs_renew_at_once_and_nobody_is_signed_out(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    clock.wait(2 * HOUR)
    one, two = tab(person), tab(person)
    for each, path in ((one, "/one"), (two, "/two")):
        assert each.send("GET", path).location is not None
    # Both requests leave before the response to either: the second one is sent with the cookies of before.
    old = person.client.get_cookie("sRefreshToken", "api.shop.example", REFRESH)
    old_access = person.client.get_cookie("sAccessToken", "api.shop.example", "/")
    assert old is not None and old_access is not None
    one.send("GET", f"{REFRESH}?redirectToPath=/one")
    assert one.screen.location == "/one"
    late = Person(shop)
    late.client.set_cookie("sRefreshToken", old.value, domain="api.shop.example", path=REFRESH, secure=True)
    late.client.set_cookie("sAccessToken", old_access.value, domain="api.shop.example", path="/", secure=True)
    late.send("GET", f"{REFRESH}?redirectToPath=/two")
    assert late.screen.response.headers.getlist("Set-Cookie") == []  # it would have been the twin that ends the session
    assert late.screen.location == f"{REFRESH}?redirectToPath=%2Ftwo&again=1"
    assert one.open("/one").status == 200
    assert two.open(late.screen.location).status == 200
    assert two.path == "/two"
    clock.wait(2 * HOUR)
    assert person.open("/three").status == 200


def test_a_tab_that_waits_for_long_shows_a_page_that_goes_on_by_itself(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    clock.wait(2 * HOUR)
    late = Person(shop)
    for name, path in (("sRefreshToken", REFRESH), ("sAccessToken", "/")):
        kept = person.client.get_cookie(name, "api.shop.example", path)
        assert kept is not None
        late.client.set_cookie(name, kept.value, domain="api.shop.example", path=path, secure=True)
    person.open("/orders")
    late.open("/orders")
    assert late.screen.heading == "One moment, please"
    assert late.screen.response.headers["Refresh"] == f"1; url={REFRESH}?redirectToPath=%2Forders&again=4"


def test_a_session_that_has_ended_leads_to_the_sign_in_page(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    session.revoke_all_sessions_for_user(user_id=user_of(person))
    clock.wait(2 * HOUR)
    assert person.open("/orders").heading == "Sign in to Shop"
    assert person.path == "/auth?redirectToPath=%2Forders"
    assert (person.cookie("sAccessToken"), person.cookie("sRefreshToken", REFRESH)) == (None, None)


def test_a_stolen_refresh_token_ends_the_session(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    old = person.cookie("sRefreshToken", REFRESH)
    assert old is not None
    clock.wait(2 * HOUR)
    person.open("/orders")
    clock.wait(2 * HOUR)
    person.open("/orders")
    thief = Visitor(shop)
    thief.cookies["sRefreshToken", "", REFRESH] = old
    assert thief.refresh().status_code == 401
    clock.wait(2 * HOUR)
    assert person.open("/orders").heading == "Sign in to Shop"


def test_renewing_without_end_is_given_up(shop: Shop) -> None:
    person = Person(shop)
    person.sign_up()

    def never(_environ: object) -> Any:
        raise TryRefreshToken

    shop.view = never
    screen = person.open("/orders", most=12)
    assert (screen.status, screen.heading) == (401, "Your session could not be renewed")
    assert person.open(screen.link("To the sign-in page")).heading == "You are signed in"


def test_a_core_whose_clock_is_slow_causes_no_circle(core: Borrowed, clock: Clock) -> None:
    clock.milliseconds = max(clock.milliseconds, int(time.time() * 1000)) + 2 * HOUR * 1000
    person = Person(with_pages(core, clock=clock))  # this core tells the real time
    person.sign_up()
    assert (person.screen.status, person.screen.heading) == (401, "Your session could not be renewed")


def test_an_app_that_refuses_every_session_sends_nobody_in_circles(shop: Shop) -> None:
    person = Person(shop)
    person.sign_up()

    def never(_environ: object) -> Any:
        raise Unauthorised("suspended", clear_tokens=False)

    shop.view = never
    assert person.open("/orders").heading == "You are signed in"
    assert person.screen.link("Continue") == "/orders"
    assert person.open("/orders", most=2).heading == "You are signed in"


def test_a_browser_without_cookies_is_sent_in_no_circle(shop: Shop) -> None:
    for path in (REFRESH, f"{REFRESH}?redirectToPath={REFRESH}%3Fx", "/orders"):
        assert Person(shop).open(path, most=3).heading == "Sign in to Shop"


@pytest.mark.parametrize("error", [InvalidClaims([("role", "missing")]), Forbidden("another tenant")])
def test_a_claim_that_no_page_cures_denies_access(shop: Shop, error: Exception) -> None:
    def refuse(_environ: object) -> Any:
        raise error

    person = Person(shop)
    person.sign_up()
    shop.view = refuse
    screen = person.open("/admin")
    assert (screen.status, screen.heading, person.path) == (403, "Access denied", "/admin")
    assert [one.attributes["href"] for one in screen.all("a")] == ["/", "/auth/account"]
    assert Person(shop).open("/admin").link("To the sign-in page") == "/auth"


SCRIPTS: list[dict[str, str | None]] = [
    {"Accept": "application/json"},
    {"Accept": "*/*"},
    {"Accept": None},
    {"rid": "anti-csrf"},
    {"st-auth-mode": "cookie"},
    {"fdi-version": "4.1"},
    {"X-Requested-With": "XMLHttpRequest"},
    {"Sec-Fetch-Mode": "cors"},
    {"Authorization": "Bearer x"},
]


@pytest.mark.parametrize("headers", SCRIPTS)
def test_calls_of_an_api_get_what_the_protocol_says(shop: Shop, headers: dict[str, str | None]) -> None:
    screen = Person(shop).send("GET", "/orders", headers=headers)
    assert (screen.status, screen.location) == (401, None)
    assert json.loads(screen.html) == {"message": "unauthorised"}


def test_it_can_be_switched_off(timed_core: Borrowed, clock: Clock) -> None:
    person = Person(with_pages(timed_core, clock=clock, pages=Pages(sessions=False)))
    assert (person.open("/orders").status, person.path) == (401, "/orders")
    person.sign_up()
    clock.wait(2 * HOUR)
    assert person.open("/orders").status == 401
    assert person.open("/auth/sign-out").heading == "Do you want to sign out?"  # the pages themselves still renew it


def test_a_page_renews_the_session_that_its_form_needs(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    person.open("/auth/sign-out")
    clock.wait(2 * HOUR)
    assert person.submit().heading == "You are signed out"


def test_the_renewal_waits_for_a_core_that_is_down(shop: Shop, clock: Clock) -> None:
    person = Person(shop)
    person.sign_up()
    clock.wait(2 * HOUR)

    def down(_request: object) -> Any:
        raise CoreUnavailable

    shop.core.answer = down
    screen = person.open("/orders")
    assert (screen.status, screen.heading) == (503, "Something went wrong")
    assert person.cookie("sRefreshToken", REFRESH) is not None
