"""Authenticator apps and passkeys on the account page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract import authenticator
from recipes.shop import Borrowed, no_mail
from recipes.totp.parts import import_device, totp

from st_wsgi import Override, replace
from st_wsgi.recipe_kit.results import GeneralError
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.totp import Totp, TotpAPIs
from st_wsgi.recipes.webauthn import Webauthn
from website.conftest import with_pages
from website.person import Person, Screen
from website.test_account import press, texts
from website.test_factors import Vault, press as press_named, secret_on, user_id
from website.test_passkeys import Club, answered, signed_up

ADD_APP, ADD_PASSKEY = "Add an authenticator app", "Add a passkey"


def apps(screen: Screen) -> list[str]:
    """Return the names of the apps that the page shows."""
    return [one.text for one in screen.all("p") if str(one.attributes.get("id", "")).startswith("app-removed-")]


def passkeys(screen: Screen) -> list[str]:
    return [one.text for one in screen.all("p") if str(one.attributes.get("id", "")).startswith("passkey-removed-")]


def add_app(person: Person, name: str = "") -> str:
    """Add an app from the account page, and return its secret."""
    person.open("/auth/account")
    person.open(person.screen.link(ADD_APP))
    press_named(person, "create", name=name)
    secret = secret_on(person)
    person.submit(code=totp(secret))
    assert (person.screen.status, person.path) == (200, "/auth/account")
    return secret


def test_apps_are_added_with_a_name_and_removed(core: Borrowed) -> None:
    person = Vault(core).person()
    add_app(person, "  My <b>phone</b> ")
    assert apps(person.screen) == ["My <b>phone</b>"]
    assert person.screen.all("b") == []
    person.open(person.screen.link(ADD_APP))
    screen = press_named(person, "create", name="My <b>phone</b>")
    assert screen.hint_of("name") == "Such as: my phone"
    assert screen.error_of("name") == "You have an app of this name already. Please choose another name."
    add_app(person)
    assert len(apps(person.screen)) == 2
    assert apps(person.screen)[1].startswith("App ")
    assert [one.text for one in person.screen.all("summary")] == ["Remove", "Remove"]
    assert "The authenticator app is removed." in texts(press(person, 0), "p")
    assert [name.startswith("App ") for name in apps(person.screen)] == [True]


def test_an_app_that_is_not_finished_is_not_shown(core: Borrowed) -> None:
    person = Vault(core).person()
    person.open("/auth/account")
    person.open(person.screen.link(ADD_APP))
    press_named(person, "create", name="phone")
    assert apps(person.open("/auth/account")) == []


def test_no_app_is_removed_before_the_second_factor(core: Borrowed) -> None:
    vault = Vault(core)
    person = vault.person()
    import_device(core, user_id(person))
    person.open("/auth/account")
    vault.steps.append("totp")
    assert press(person, 0).heading == "Confirm that it is you"
    assert person.path.startswith("/auth/mfa/totp?")
    vault.steps.clear()
    person.open("/auth/mfa")  # where the session learns of it
    assert apps(person.open("/auth/account")) == ["phone"]


def test_what_the_app_says_about_a_removal_is_shown(core: Borrowed) -> None:
    def kept(original: TotpAPIs) -> TotpAPIs:
        return replace(original, remove_device_post=lambda **_call: GeneralError("Please ask <us>."))

    recipes = EmailPassword(email_delivery=no_mail), Totp(override=Override(apis=kept)), MultiFactorAuth()
    person = Person(with_pages(core, *recipes))
    person.sign_up()
    import_device(core, json.loads(person.screen.html)["userId"])
    person.open("/auth/account")
    form = {**person.screen.hidden(), "st-action": "app-removed", "app": "phone"}
    screen = person.send("POST", "/auth/account", form)
    assert (screen.status, screen.alert) == (422, "Please ask <us>.")
    assert apps(person.open(screen.link("Your account"))) == ["phone"]


def test_passkeys_are_added_and_removed(core: Borrowed) -> None:
    member, first, second = Person(Club(core).shop), authenticator.credential(), authenticator.credential()
    signed_up(member, first)
    member.open("/auth/account")
    assert len(passkeys(member.screen)) == 1
    assert member.screen.all("summary") == []  # it is the only way in
    member.open(member.screen.link(ADD_PASSKEY))
    assert member.screen.heading == "Add a passkey"
    screen = answered(member, authenticator.created, second, {"email": member.email})
    assert (screen.heading, len(passkeys(screen))) == ("Your account", 2)
    assert "Your new passkey is ready" in texts(screen, "p")
    assert "The passkey is removed." in texts(press(member, 0), "p")
    assert len(passkeys(member.screen)) == 1
    for key, status in ((first, 422), (second, 200)):
        other = Person(member.shop)
        other.open("/auth/webauthn")
        assert answered(other, authenticator.asserted, key, {}).status == status


def test_no_passkey_of_another_user_is_removed(core: Borrowed) -> None:
    club = Club(core)
    members = [Person(club.shop), Person(club.shop)]
    for member in members:
        signed_up(member, authenticator.credential())
        member.open("/auth/account")
        member.open(member.screen.link(ADD_PASSKEY))
        answered(member, authenticator.created, authenticator.credential(), {"email": member.email})
    victim, thief = members
    form = {**thief.screen.hidden(), "passkey": victim.screen.hidden()["passkey"], "st-action": "passkey-removed"}
    assert thief.send("POST", "/auth/account", form).status == 303
    assert [len(passkeys(member.open("/auth/account"))) for member in members] == [2, 2]


def linked(core: Borrowed, *more: Any) -> Person:
    recipes = EmailPassword(email_delivery=no_mail), Webauthn(email_delivery=no_mail), *more
    person = Person(with_pages(core, *recipes))
    person.sign_up()
    return person


def test_a_user_with_a_password_adds_a_passkey(core: Borrowed) -> None:
    rule = ShouldAutomaticallyLink(should_require_verification=False)
    person, key = (
        linked(core, AccountLinking(should_do_automatic_account_linking=lambda *_: rule)),
        authenticator.credential(),
    )
    who = json.loads(person.screen.html)["userId"]
    person.open("/auth/account")
    person.open(person.screen.link(ADD_PASSKEY))
    screen = answered(person, authenticator.created, key, {"email": person.email})
    assert (screen.heading, len(passkeys(screen))) == ("Your account", 1)
    other = Person(person.shop)
    other.open("/auth/webauthn")
    assert json.loads(answered(other, authenticator.asserted, key, {}).html)["userId"] == who
    assert "The passkey is removed." in texts(press(person, 0), "p")
    assert passkeys(person.screen) == []


def test_a_passkey_for_another_address_is_not_added(core: Borrowed) -> None:
    rule = ShouldAutomaticallyLink(should_require_verification=False)
    person = linked(core, AccountLinking(should_do_automatic_account_linking=lambda *_: rule))
    screen = person.open("/auth/account/passkey?token=x")
    assert screen.all("section", **{"data-token": "x"}) == []
    other = f"other.{person.email}"
    screen = answered(person, authenticator.created, authenticator.credential(), {"email": other})
    assert (screen.status, screen.heading) == (422, "Add a passkey")
    assert "This did not work. Please try again." in str(screen.alert)
    screen = person.open("/auth/account")
    assert passkeys(screen) == []
    assert other not in screen.html


def test_without_linking_a_user_with_a_password_has_no_passkey(core: Borrowed) -> None:
    person = linked(core)
    assert ADD_PASSKEY not in texts(person.open("/auth/account"), "a")
    assert person.open("/auth/account/passkey").status == 400


@pytest.mark.parametrize("path", ["/auth/account", "/auth/account/passkey"])
def test_no_passkey_is_added_before_the_second_factor(core: Borrowed, path: str) -> None:
    vault = Vault(core, "totp", more=[Webauthn(email_delivery=no_mail)])
    person = vault.person()
    assert person.open(path).heading == "Set up an authenticator app"


def test_a_passkey_is_refused_when_a_second_factor_has_become_due(core: Borrowed) -> None:
    vault = Vault(core, more=[Webauthn(email_delivery=no_mail)])
    person = vault.person()
    import_device(core, user_id(person))
    person.open("/auth/account/passkey")
    vault.steps.append("totp")
    answered(person, authenticator.created, authenticator.credential(), {"email": person.email})
    assert person.screen.heading == "Confirm that it is you"
    vault.steps.clear()
    person.open("/auth/mfa")  # where the session learns of it
    assert person.open("/auth/account").heading == "Your account"
    assert passkeys(person.screen) == []


def test_the_sections_speak_german(core: Borrowed) -> None:
    person = Vault(core, more=[Webauthn(email_delivery=no_mail)]).person("de")
    screen = person.open("/auth/account")
    assert {"Authenticator-Apps", "Passkeys"} <= set(texts(screen, "h2"))
    assert {"Authenticator-App hinzufügen", "Passkey hinzufügen"} <= set(texts(screen, "a"))


def test_an_app_without_these_recipes_has_no_sections(core: Borrowed) -> None:
    person = Person(with_pages(core))
    person.sign_up()
    assert texts(person.open("/auth/account"), "h2") == ["How you sign in", "Where you are signed in"]
