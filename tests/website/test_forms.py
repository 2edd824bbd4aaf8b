"""Forms of the app's own pages that are sent without a good session: none is lost, and none goes in circles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from recipes.shop import Borrowed, Clock, Shop, no_mail
from werkzeug.wrappers import Request

from st_wsgi.errors import InvalidClaims, TooManyRequests, TryRefreshToken
from st_wsgi.limits import AttemptLimits
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from website.conftest import with_pages
from website.person import Person, Screen

HOUR = 3600
REFRESH = "/auth/session/refresh"
DOMAIN = "api.shop.example"
ORDER = {"text": "two pounds of tea & a cup"}


def sold(environ: Any) -> dict[str, Any]:
    """A view of the app: it reads the session first, and then the form."""
    user_id = session.get_session(environ).get_user_id()
    return {"method": environ["REQUEST_METHOD"], "userId": user_id, **Request(environ).form}


@pytest.fixture
def shop(timed_core: Borrowed, clock: Clock) -> Shop:
    """A shop whose time the test moves."""
    return with_pages(timed_core, clock=clock, view=sold)


@pytest.fixture
def person(shop: Shop) -> Person:
    person = Person(shop)
    person.sign_up()
    return person


def user_of(screen: Screen) -> str:
    return str(json.loads(screen.html)["userId"])


def post(person: Person, path: str, most: int = 15) -> Screen:
    """Send the form as browsers do: a redirect with 307 gets it again."""
    screen = person.send("POST", path, ORDER)
    while screen.location is not None:
        most -= 1
        assert screen.status == 307, "the form is lost"
        assert most > 0, f"redirected again and again, now to {screen.location}"
        screen = person.send("POST", screen.location, ORDER)
    return screen


def is_sold(person: Person, user_id: str, path: str) -> bool:
    return person.path == path and json.loads(person.screen.html) == {"method": "POST", "userId": user_id, **ORDER}


def test_a_form_goes_through_the_renewal(person: Person, clock: Clock) -> None:
    user_id = user_of(person.screen)
    for _ in range(7):  # more often than renewals in a row are allowed
        before = person.cookie("sAccessToken")
        clock.wait(2 * HOUR)
        assert post(person, "/orders?page=2").status == 200
        assert is_sold(person, user_id, "/orders?page=2")
        assert person.cookie("sAccessToken") != before


def test_it_takes_three_requests_and_none_is_kept_in_a_cache(person: Person, clock: Clock) -> None:
    clock.wait(2 * HOUR)
    for path, location in (
        ("/orders", f"{REFRESH}/form?redirectToPath=%2Forders"),
        (f"{REFRESH}/form?redirectToPath=%2Forders", "/orders"),
    ):
        screen = person.send("POST", path, ORDER)
        assert (screen.status, screen.location) == (307, location)
        assert screen.response.headers["Cache-Control"] == "no-store"
    assert person.send("POST", "/orders", ORDER).status == 200


def test_a_form_of_any_size_and_kind_is_passed_on_unread(person: Person, clock: Clock) -> None:
    clock.wait(2 * HOUR)
    large = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(10**9)}
    assert person.send("POST", "/orders", headers=large).status == 307
    assert person.send("POST", f"{REFRESH}/form?redirectToPath=/orders", headers=large).location == "/orders"


OTHERS: list[Mapping[str, str | None]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": None, "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": None, "Origin": "null"},
    {"Sec-Fetch-Site": None, "Origin": None},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
]


@pytest.mark.parametrize("headers", OTHERS)
def test_the_form_of_another_site_renews_nothing(
    timed_core: Borrowed, clock: Clock, headers: Mapping[str, str | None]
) -> None:
    sessions = clock.session(cookie_same_site="none")
    person = Person(with_pages(timed_core, clock=clock, sessions=sessions, view=sold))
    person.sign_up()
    clock.wait(2 * HOUR)
    before = person.cookie("sRefreshToken", REFRESH)
    screen = person.send("POST", "/orders", ORDER, headers)
    assert (screen.status, json.loads(screen.html)) == (401, {"message": "try refresh token"})
    screen = person.send("POST", f"{REFRESH}/form?redirectToPath=/orders", ORDER, headers)
    assert (screen.status, screen.heading) == (403, "This form is out of date")
    assert person.cookie("sRefreshToken", REFRESH) == before


def test_an_old_browser_shows_the_origin(person: Person, clock: Clock) -> None:
    clock.wait(2 * HOUR)
    old = {"Sec-Fetch-Site": None, "Sec-Fetch-Mode": None, "Sec-Fetch-Dest": None}
    assert person.send("POST", "/orders", ORDER, old).status == 307
    assert person.send("POST", f"{REFRESH}/form?redirectToPath=/orders", ORDER, old).location == "/orders"


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json"},
        {"Accept": "*/*"},
        {"rid": "anti-csrf"},
        {"X-Requested-With": "XMLHttpRequest"},
        {"Sec-Fetch-Mode": "cors"},
        {"Content-Type": "application/json"},
        {"Content-Type": ""},
    ],
)
def test_scripts_get_what_the_protocol_says(person: Person, clock: Clock, headers: Mapping[str, str | None]) -> None:
    clock.wait(2 * HOUR)
    screen = person.send("POST", "/orders", ORDER, headers)
    assert (screen.status, json.loads(screen.html)) == (401, {"message": "try refresh token"})


def test_no_form_is_sent_anywhere_else(person: Person, clock: Clock) -> None:
    for path in ("//evil.example", "https://evil.example/", "/\\evil.example", f"{REFRESH}/form?redirectToPath=/x"):
        clock.wait(2 * HOUR)
        assert person.send("POST", f"{REFRESH}/form?redirectToPath={path}", ORDER).location == "/"


@pytest.mark.parametrize(
    "path", [f"/orders?text={'x' * 2000}", "/shop//orders", "/orders/%250d", "/orders/%0d", "/a/../b", "/a%5Cb"]
)
def test_a_form_that_cannot_come_back_to_its_path_goes_nowhere_else(person: Person, clock: Clock, path: str) -> None:
    user_id = user_of(person.screen)
    clock.wait(2 * HOUR)
    screen = post(person, path)
    assert (screen.status, screen.heading) == (401, "Your form was not sent")
    assert person.send("GET", path).location == REFRESH
    tab = Person(person.shop)
    tab.client = person.client
    [link] = screen.all("a", target="_blank")
    assert tab.open(str(link.attributes["href"])).heading == "You are signed in"
    screen = person.send("POST", path, ORDER)
    assert json.loads(screen.html) == {"method": "POST", "userId": user_id, **ORDER}


def test_the_form_of_the_page_behind_the_sign_in_comes_back_to_it(person: Person, clock: Clock) -> None:
    user_id = user_of(person.screen)
    clock.wait(2 * HOUR)
    assert post(person, "/").status == 200
    assert is_sold(person, user_id, "/")


def test_a_form_whose_session_has_ended_is_sent_again_by_a_reload(person: Person, clock: Clock) -> None:
    user_id = user_of(person.screen)
    session.revoke_all_sessions_for_user(user_id=user_id)
    clock.wait(2 * HOUR)
    screen = post(person, "/orders")
    assert (screen.status, screen.heading) == (401, "Your form was not sent")
    assert screen.alert == (
        "You are not signed in any more. Please sign in in another tab. "
        "Then reload this page, and your browser sends the form again."
    )
    tab = Person(person.shop)
    tab.client, tab.email = person.client, person.email
    [link] = screen.all("a", target="_blank")
    assert tab.open(str(link.attributes["href"])).heading == "Sign in to Shop"
    assert tab.submit(email=tab.email, password="another horse 1").status == 422
    assert tab.sign_in().status == 200
    assert post(person, person.path).status == 200
    assert is_sold(person, user_id, "/orders")


def test_a_form_of_a_stranger_is_sent_again_by_a_reload(shop: Shop) -> None:
    stranger = Person(shop)
    screen = post(stranger, "/orders")
    assert (screen.status, screen.heading, stranger.path) == (401, "Your form was not sent", "/orders")
    tab = Person(shop)
    tab.client = stranger.client
    user_id = user_of(tab.sign_up())
    post(stranger, stranger.path)
    assert is_sold(stranger, user_id, "/orders")


def test_a_form_waits_for_a_claim(timed_core: Borrowed, clock: Clock) -> None:
    recipes = EmailPassword(email_delivery=no_mail), EmailVerification(mode="REQUIRED", email_delivery=no_mail)
    person = Person(with_pages(timed_core, *recipes, clock=clock, view=sold))
    person.sign_up()
    screen = post(person, "/orders")
    assert (screen.status, screen.heading) == (403, "Your form was not sent")
    assert screen.link("Open in another tab") == "/auth/verify-email"


def test_a_form_without_the_right_to_it_is_denied(person: Person) -> None:
    def refuse(_environ: object) -> Any:
        raise InvalidClaims([("role", "missing")])

    person.shop.view = refuse
    screen = post(person, "/orders")
    assert (screen.status, screen.heading) == (403, "Access denied")


def test_other_errors_of_a_form_are_pages(person: Person) -> None:
    def refuse(_environ: object) -> Any:
        raise TooManyRequests(retry_after=120)

    person.shop.view = refuse
    screen = post(person, "/orders")
    assert (screen.status, screen.alert) == (429, "Too many attempts. Please try again in 2 minutes.")


def test_renewing_without_end_is_given_up(person: Person) -> None:
    def never(_environ: object) -> Any:
        raise TryRefreshToken

    person.shop.view = never
    screen = post(person, "/orders")
    assert (screen.status, screen.heading) == (401, "Your session could not be renewed")


def test_a_browser_without_cookies_is_sent_in_no_circle(shop: Shop) -> None:
    def never(_environ: object) -> Any:
        raise TryRefreshToken

    shop.view = never
    screen = post(Person(shop), "/orders", most=2)
    assert (screen.status, screen.heading) == (401, "Your form was not sent")


def test_cookies_that_other_sites_can_use_end_in_no_circle(timed_core: Borrowed, clock: Clock) -> None:
    """Then a view demands a header that no form can have: the app has to switch that check off for its forms."""
    sessions = clock.session(cookie_same_site="none")
    person = Person(with_pages(timed_core, clock=clock, sessions=sessions, view=sold))
    person.sign_up()
    screen = post(person, "/orders")
    assert (screen.status, screen.heading) == (401, "Your session could not be renewed")


def test_a_form_waits_for_the_renewal_of_another_tab(person: Person, clock: Clock) -> None:
    user_id = user_of(person.screen)
    clock.wait(2 * HOUR)
    late = Person(person.shop)
    for name, path in (("sRefreshToken", REFRESH), ("sAccessToken", "/")):
        kept = person.client.get_cookie(name, DOMAIN, path)
        assert kept is not None
        late.client.set_cookie(name, kept.value, domain=DOMAIN, path=path, secure=True)
    person.open("/orders")
    screen = post(late, "/orders")  # its cookies are those of before all the time
    assert (screen.status, screen.heading) == (503, "One moment, please")
    assert "Then reload this page, and your browser sends the form again." in screen.html
    assert "Refresh" not in screen.response.headers
    late.client = person.client
    assert post(late, late.path).status == 200
    assert is_sold(late, user_id, "/orders")


def test_a_form_is_not_lost_when_there_were_too_many_renewals(timed_core: Borrowed, clock: Clock) -> None:
    shop = with_pages(timed_core, clock=clock, rate_limit=AttemptLimits(per_address=1), view=sold)
    person = Person(shop)
    person.sign_up()
    clock.wait(2 * HOUR)
    assert person.open("/orders").status == 200
    clock.wait(2 * HOUR)
    assert post(person, "/orders").status == 429
    other_time = with_pages(timed_core, clock=clock, view=sold)
    person.client.application = other_time.app
    assert post(person, person.path).status == 200


def test_the_old_form_of_a_page_of_ours_is_refused_behind_the_renewal(person: Person, clock: Clock) -> None:
    old = person.open("/auth/sign-out").hidden()
    person.open("/auth/sign-out")
    person.submit()
    person.sign_in()
    clock.wait(2 * HOUR)
    person.screen.hidden = lambda: old  # type: ignore[method-assign]
    person.path = "/auth/sign-out"
    assert person.submit().heading == "This form is out of date"
    assert person.open("/orders").status == 200
