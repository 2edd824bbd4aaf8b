"""The account page: changes with the current password, and sessions that are ended from elsewhere."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from recipes.shop import PASSWORD, Borrowed, Shop, no_mail

from st_wsgi.events import SecurityEvent
from st_wsgi.limits import AttemptLimits
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session
from st_wsgi.users import RecipeUserId
from website.conftest import with_pages
from website.person import ADDRESS, Person, Screen

NEW = "another horse 2"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1"


@pytest.fixture
def shop(core: Borrowed) -> Shop:
    return with_pages(core, sessions=Session(record_sign_in=True))


def elsewhere(person: Person, password: str = PASSWORD) -> Person:
    """Return the same person on a phone, signed in there."""
    other = Person(person.shop)
    other.email = person.email
    other.agent = PHONE
    assert other.sign_in(password).status == 200
    return other


def texts(screen: Screen, kind: str) -> list[str]:
    return [element.text for element in screen.all(kind)]


def press(person: Person, number: int) -> Screen:
    """Press one of the buttons of the page, which are forms without other fields than hidden ones."""
    form: dict[str, str] = {}
    forms: list[dict[str, str]] = []
    for element in person.screen.elements:
        if element.name == "form":
            form = {}
            forms.append(form)
        elif element.name == "input":
            form[str(element.attributes["name"])] = str(element.attributes["value"])
    assert person.send("POST", person.path, forms[number]).status == 303
    return person.open(str(person.screen.location))


def test_it_shows_who_a_user_is_and_where_they_are_signed_in(person: Person) -> None:
    assert person.open("/auth/account").heading == "Sign in to Shop"
    person.sign_up()
    phone = elsewhere(person)
    screen = person.open("/auth/account")
    assert screen.heading == "Your account"
    assert {person.email, "E-mail and password"} <= set(texts(screen, "li"))
    devices = [one.text for one in screen.all("strong")]
    assert devices == ["This device", "Safari · iPhone"]
    assert ADDRESS in screen.html
    assert phone.open("/auth/account").all("strong")[0].text == "This device"


def test_sessions_are_ended_from_elsewhere(person: Person) -> None:
    person.sign_up()
    stranger = Person(person.shop)
    stranger.sign_up()
    phone, tablet, laptop = elsewhere(person), elsewhere(person), elsewhere(person)
    person.open("/auth/account")
    assert texts(person.screen, "button") == ["Sign out"] * 3 + ["Sign out everywhere else"]
    assert person.screen.all("button")[0].attributes["aria-describedby"] is not None
    assert "That session has ended." in texts(press(person, 0), "p")
    ended = [one for one in (phone, tablet, laptop) if one.open("/auth/account").heading != "Your account"]
    assert len(ended) == 1
    assert "The other sessions have ended." in texts(press(person, 2), "p")
    assert all(one.open("/auth/account").heading == "Sign in to Shop" for one in (phone, tablet, laptop))
    assert [one.text for one in person.open("/auth/account").all("strong")] == ["This device"]
    assert stranger.open("/auth/account").heading == "Your account"


def test_no_session_of_another_user_is_ended(person: Person) -> None:
    person.sign_up()
    victim = Person(person.shop)
    victim.sign_up()
    [handle] = session.get_all_session_handles_for_user(user_id=json.loads(victim.screen.html)["userId"])
    token = person.open("/auth/sign-out").hidden()
    assert person.send("POST", "/auth/account", {**token, "st-action": "end", "handle": handle}).status == 303
    assert victim.open("/auth/account").heading == "Your account"
    assert person.send("POST", "/auth/account", {**token, "st-action": "other"}).status == 400


def test_a_password_is_changed_with_the_current_one(core: Borrowed) -> None:
    recipe = EmailPassword(email_delivery=no_mail, end_sessions_on_change=True)
    events: list[SecurityEvent] = []
    person = Person(with_pages(core, recipe, on_security_event=events.append))
    person.sign_up()
    phone = elsewhere(person)
    person.open("/auth/account")
    person.open(person.screen.link("Change your password"))
    assert [one.attributes["autocomplete"] for one in person.screen.all("input", type="password")] == [
        "current-password",
        "new-password",
    ]
    assert person.submit(current="wrong horse 1", password=NEW).error_of("current") == (
        "This is not your current password."
    )
    assert person.submit(current=PASSWORD, password="short").error_of("password") is not None
    assert person.submit(current=PASSWORD, password="").error_of("password") == "Please fill in this field."
    assert "Your new password is set" in texts(person.submit(current=PASSWORD, password=NEW), "p")
    assert "password_changed" in [event.name for event in events]
    assert phone.open("/auth/account").heading == "Sign in to Shop"
    assert elsewhere(person, NEW).open("/auth/account").heading == "Your account"


def test_a_new_password_ends_the_other_sessions(person: Person) -> None:
    person.sign_up()
    stranger = Person(person.shop)
    stranger.sign_up()
    phone = elsewhere(person)
    person.open("/auth/account/password")
    person.submit(current=PASSWORD, password=NEW)
    assert phone.open("/auth/account").heading == "Sign in to Shop"
    assert person.open("/auth/account").heading == "Your account"
    assert stranger.open("/auth/account").heading == "Your account"


def test_the_current_password_cannot_be_guessed(core: Borrowed) -> None:
    shop = with_pages(core, rate_limit=AttemptLimits(per_account_and_address=3))
    person = Person(shop)
    person.sign_up()
    person.open("/auth/account/password")
    for _ in range(3):
        assert person.submit(current="wrong horse 1", password=NEW).status == 422
    screen = person.submit(current=PASSWORD, password=NEW)
    assert (screen.status, screen.alert) == (429, "Too many attempts. Please try again in 5 minutes.")


def test_a_new_address_has_to_be_confirmed(core: Borrowed) -> None:
    verification = EmailVerification(mode="OPTIONAL", email_delivery=no_mail)
    person = Person(with_pages(core, EmailPassword(email_delivery=no_mail), verification))
    other = Person(person.shop)
    other.sign_up()
    person.sign_up()
    person.open("/auth/account/email")
    assert person.submit(current=PASSWORD, email="nobody").error_of("email") == "Email is invalid"
    assert person.submit(current="wrong horse 1", email=f"new-{person.email}").error_of("current") is not None
    taken = person.submit(current=PASSWORD, email=other.email)
    assert taken.error_of("email") == "This address cannot be used. Please enter another one."
    screen = person.submit(current=PASSWORD, email=f"New-{person.email}")
    assert "Your new e-mail address is set." in texts(screen, "p")
    person.open(screen.link("Confirm your e-mail address"))
    assert f"new-{person.email}" in person.screen.html


def test_a_session_that_is_not_complete_may_change_nothing(core: Borrowed) -> None:
    verification = EmailVerification(mode="REQUIRED", email_delivery=no_mail)
    person = Person(with_pages(core, EmailPassword(email_delivery=no_mail), verification))
    person.sign_up()
    for path in ("/auth/account", "/auth/account/password", "/auth/account/email"):
        assert person.open(path).heading == "Confirm your e-mail address"


def test_each_page_of_sessions_makes_ten_calls_at_most(person: Person, core: Borrowed) -> None:
    user_id = json.loads(person.sign_up().html)["userId"]
    for _ in range(24):
        session.create_new_session_without_request_response(recipe_user_id=RecipeUserId(user_id))
    seen: list[str] = []
    path = "/auth/account"
    for shown, more in ((10, True), (10, True), (5, False)):
        core.calls.clear()
        screen = person.open(path)
        assert core.calls.count("GET /recipe/session") == shown
        rows = [str(one.attributes["id"]) for one in screen.all("p") if "id" in one.attributes]
        assert ("This device" in texts(screen, "strong")) == (seen == [])
        seen += rows
        assert "Sign out everywhere else" in texts(screen, "button")
        assert ("Further sessions" in texts(screen, "a")) == more
        path = screen.link("Further sessions") if more else path
    assert len(set(seen)) == 25


@pytest.mark.parametrize("start", ["-1", "x", "\u0661", "9" * 7, "9" * 9000, ""])
def test_a_start_of_no_sense_shows_the_first_sessions(person: Person, start: str) -> None:
    person.sign_up()
    assert "This device" in texts(person.open(f"/auth/account?from={quote(start)}"), "strong")
