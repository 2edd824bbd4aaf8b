"""Passkeys on pages: what the forms do that the script has filled in, and what there is without it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from contract import authenticator
from contract.authenticator import Credential
from recipes.shop import API, Borrowed, Shop, no_mail

from st_wsgi.delivery import Message
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.webauthn import Webauthn
from website.conftest import with_pages
from website.person import Person, Screen

ADDRESS_TAKEN = "There is an account with this address already. Please sign in."


class Club:
    """A shop whose members have passkeys."""

    def __init__(self, core: Borrowed) -> None:
        self.messages: list[Message] = []
        self.recipe = Webauthn(email_delivery=self.messages.append)
        verification = EmailVerification(mode="OPTIONAL", email_delivery=no_mail)
        self.shop: Shop = with_pages(core, self.recipe, EmailPassword(email_delivery=no_mail), verification)

    def link(self) -> str:
        """Return the path of the link that was mailed last."""
        self.recipe.background.close()
        return str(self.messages[-1].link).removeprefix(API)


@pytest.fixture
def club(core: Borrowed) -> Club:
    return Club(core)


@pytest.fixture
def member(club: Club) -> Person:
    return Person(club.shop)


def answered(
    person: Person, answer: Callable[..., dict[str, Any]], key: Credential, options: dict[str, Any], **more: str
) -> Screen:
    """Do what the script does: fetch options, have the authenticator answer them, and send the form."""
    [path] = [
        str(one.attributes["data-options"]) for one in person.screen.all("section") if "data-options" in one.attributes
    ]
    made = person.client.post(path, base_url=API, json=options, headers={"rid": "anti-csrf"}).get_json()
    credential = answer(made, key, rp_id="api.shop.example", origin=API)
    return person.submit(optionsId=made["webauthnGeneratedOptionsId"], credential=json.dumps(credential), **more)


def signed_up(person: Person, key: Credential) -> Screen:
    person.open("/auth/webauthn?show=signup&redirectToPath=/orders")
    return answered(person, authenticator.created, key, {"email": person.email}, email=person.email)


def test_sign_up_and_in(member: Person) -> None:
    key = authenticator.credential()
    member.open("/auth?redirectToPath=/orders")
    member.open(member.screen.link("Sign in with a passkey"))
    member.open(member.screen.link("Create an account with a passkey"))
    assert member.path == "/auth/webauthn?redirectToPath=%2Forders&show=signup"
    screen = answered(member, authenticator.created, key, {"email": member.email}, email=member.email)
    assert (screen.status, member.path) == (200, "/orders")
    who = json.loads(screen.html)["userId"]
    member.open("/auth/sign-out")
    member.submit()
    member.open("/auth/webauthn")
    screen = answered(member, authenticator.asserted, key, {})
    assert json.loads(screen.html)["userId"] == who
    other = Person(member.shop)
    other.open("/auth/webauthn")
    screen = answered(other, authenticator.asserted, authenticator.credential(), {})
    assert (screen.status, screen.alert is not None and "This passkey is not known here." in screen.alert) == (
        422,
        True,
    )


def test_errors_belong_to_their_field(member: Person) -> None:
    signed_up(member, authenticator.credential())
    other = Person(member.shop)
    other.open("/auth/webauthn?show=signup")
    assert other.submit(email="").error_of("email") == "Please fill in this field."
    assert other.submit(email="nobody").error_of("email") == "Email is invalid"
    other.email = member.email
    assert signed_up(other, authenticator.credential()).error_of("email") == ADDRESS_TAKEN


def test_a_lost_passkey(club: Club, member: Person) -> None:
    signed_up(member, authenticator.credential())
    member.open("/auth/sign-out")
    member.submit()
    member.open("/auth/webauthn")
    member.open(member.screen.link("I have lost my passkey"))
    assert member.submit(email=" ").error_of("email") == "Please fill in this field."
    assert member.submit(email=member.email).heading == "Check your mailbox"
    link, key = club.link(), authenticator.credential()
    token = re.findall("token=([^&]+)", link)[0]
    screen = member.open(link)
    assert screen.heading == "Create a new passkey"
    assert screen.response.headers["Referrer-Policy"] == "no-referrer"
    screen = answered(member, authenticator.created, key, {"recoverAccountToken": token})
    assert (screen.heading, token in member.path) == ("Your new passkey is ready", False)
    member.open(member.screen.link("Sign in with a passkey"))
    assert answered(member, authenticator.asserted, key, {}).status == 200
    member.open(link)
    screen = member.submit()
    assert (screen.status, screen.heading) == (410, "This link is not valid any more")


@pytest.mark.parametrize("page", ["/auth/webauthn?show=signup", "/auth/webauthn?show=signin"])
def test_a_token_in_the_address_of_another_page_counts_for_nothing(member: Person, page: str) -> None:
    screen = member.open(f"{page}&token=x")
    assert [one.attributes for one in screen.all("section") if "data-token" in one.attributes] == []
    assert len(screen.all("section", **{"data-token": "x"})) == 0
    screen = member.open("/auth/webauthn/recover?token=x")
    assert len(screen.all("section", **{"data-token": "x"})) == 1


def test_a_passkey_for_another_address_than_that_of_the_form_is_refused(member: Person) -> None:
    member.open("/auth/webauthn?show=signup&redirectToPath=/orders")
    options = {"email": f"other.{member.email}"}
    screen = answered(member, authenticator.created, authenticator.credential(), options, email=member.email)
    assert (screen.status, screen.heading) == (422, "Create an account with a passkey")
    assert "This did not work. Please try again." in str(screen.alert)
    key = authenticator.credential()
    screen = answered(member, authenticator.created, key, {"email": member.email}, email=f" {member.email.upper()} ")
    assert (screen.status, member.path) == (200, "/orders")


@pytest.mark.parametrize("credential", ["", "{", "1", "[" * 15_000, '{"id": 1}', '{"response": {}}'])
def test_what_no_browser_sends_is_refused(member: Person, credential: str) -> None:
    member.open("/auth/webauthn")
    screen = member.submit(credential=credential, optionsId="x")
    assert (400 <= screen.status < 500, screen.heading) == (True, "Sign in with a passkey")
    assert screen.alert is not None
    assert "This did not work. Please try again." in screen.alert


def test_the_page_has_one_script_of_ours_and_says_so_without_it(member: Person) -> None:
    screen = member.open("/auth/webauthn")
    [script], [place] = screen.all("script"), screen.all("section", **{"data-passkey": "get"})
    policy = screen.response.headers["Content-Security-Policy"]
    assert f"script-src 'nonce-{script.attributes['nonce']}';" in policy
    assert "hidden" in place.attributes
    assert place.attributes["data-options"] == "/auth/webauthn/options/signin"
    assert "Passkeys need JavaScript and a recent browser." in screen.html
    file = member.send("GET", str(script.attributes["src"])).response
    assert (file.status_code, file.mimetype) == (200, "text/javascript")
    assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "script-src" not in member.open("/auth").response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("options_id", ["", "x", "\0", "x" * 5000, "a b&c=d"])
def test_options_that_do_not_exist_are_refused(member: Person, options_id: str) -> None:
    member.open("/auth/webauthn?show=signup")
    made = json.dumps({"id": "x", "rawId": "x", "type": "public-key", "response": {}})
    screen = member.submit(credential=made, optionsId=options_id, email=member.email)
    assert (400 <= screen.status < 500, screen.heading) == (True, "Create an account with a passkey")


def test_without_passkeys_there_is_no_page(core: Borrowed) -> None:
    shop = with_pages(core)
    shop.view = lambda environ: {"app": environ["PATH_INFO"]}
    assert json.loads(Person(shop).send("GET", "/auth/webauthn").html) == {"app": "/auth/webauthn"}
