"""Signing in with an account at a provider, with scripts switched off."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from recipes.shop import API, Borrowed, no_mail
from recipes.thirdparty.conftest import certificate, idp
from recipes.thirdparty.parts import FAILED, settings
from recipes.thirdparty.provider_server import DIALECTS, Person as Owner, ProviderServer
from recipes.thirdparty.providers import IdP, openid

from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.recipes.thirdparty import ProviderInput, ThirdParty
from website.conftest import with_pages
from website.person import Person

__all__ = ["certificate", "idp"]


OWNER = {"sub": "42", "email": "owner@example.com", "email_verified": True}


def visitor_of(core: Borrowed, provider: IdP) -> Person:
    config = openid(provider, name="Idp <One>")
    recipe = ThirdParty(providers=[ProviderInput(config=config)], allow_private_networks=True)
    return Person(with_pages(core, EmailPassword(email_delivery=no_mail), recipe))


def go(person: Person) -> tuple[str, str]:
    """Press the provider's button; return its address and the state."""
    person.send("GET", person.screen.link("Continue with Idp <One>"))
    assert person.screen.status == 303
    address = str(person.screen.location)
    [state] = parse_qs(urlsplit(address).query)["state"]
    return address, state


def callback(**query: str) -> str:
    return f"/auth/callback/idp?{urlencode(query)}"


def test_the_way_to_the_provider_and_back(core: Borrowed, idp: IdP) -> None:
    person = visitor_of(core, idp)
    person.open("/orders?page=2")
    address, state = go(person)
    assert parse_qs(urlsplit(address).query)["redirect_uri"] == [f"{API}/auth/callback/idp"]
    query = {"code": idp.log_in(address, OWNER), "state": state}
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    person.send("GET", callback(**query), headers=cross_site)
    assert person.screen.location == "/orders?page=2"
    assert person.cookie("__Host-st-provider") is None
    assert json.loads(person.open("/orders?page=2").html)["userId"]
    assert person.send("GET", callback(**query)).heading == "You are not signed in"


def test_nobody_is_signed_in_with_the_account_of_another(core: Borrowed, idp: IdP) -> None:
    attacker, person = visitor_of(core, idp), visitor_of(core, idp)
    attacker.open("/auth")
    address, state = go(attacker)
    query = {"code": idp.log_in(address, OWNER), "state": state}
    for own in (False, True):
        if own:
            person.open("/auth")
            go(person)
        for sent in (query, {**query, "state": ""}, {"code": query["code"]}):
            screen = person.send("GET", callback(**sent))
            assert (screen.status, screen.heading) == (422, "You are not signed in")
            assert person.cookie("sAccessToken") is None


def test_what_the_provider_says_is_no_markup_and_no_message(core: Borrowed, idp: IdP) -> None:
    person = visitor_of(core, idp)
    person.open("/auth")
    _, state = go(person)
    sent = {"state": state, "error": "access_denied", "error_description": "<script>alert(1)</script>"}
    screen = person.send("GET", callback(**sent))
    assert screen.alert is not None
    assert screen.alert.startswith("You have not signed in with the provider.")
    assert "alert(1)" not in screen.html
    assert person.open(screen.link("Sign in again")).heading == "Sign in to Shop"


def test_a_code_that_the_provider_refuses(core: Borrowed, idp: IdP) -> None:
    person = visitor_of(core, idp)
    person.open("/auth")
    _, state = go(person)
    assert person.send("GET", callback(state=state, code="wrong")).alert == FAILED


def test_apples_form_comes_by_the_api_to_the_page(core: Borrowed) -> None:
    dialect = next(dialect for dialect in DIALECTS if dialect.id == "apple")
    with ProviderServer(dialect) as apple:
        recipe = ThirdParty(providers=[ProviderInput(config=settings(apple))], allow_private_networks=True)
        person = Person(with_pages(core, EmailPassword(email_delivery=no_mail), recipe))
        person.open("/orders")
        person.send("GET", person.screen.link("Continue with Apple"))
        address = str(person.screen.location)
        [state] = parse_qs(urlsplit(address).query)["state"]
        form = apple.consent(address, Owner.of_its_own(), state=state)
        foreign = {"Origin": "https://appleid.apple.com", "Sec-Fetch-Site": "cross-site", "Cookie": ""}
        passed_on = person.send("POST", "/auth/callback/apple", form, foreign)
        assert passed_on.status == 303, passed_on.html
        page = urlsplit(str(passed_on.location))
        assert f"{page.scheme}://{page.netloc}" == API
        person.send("GET", f"{page.path}?{page.query}", headers={"Sec-Fetch-Site": "cross-site"})
        assert person.screen.location == "/orders"
        assert json.loads(person.open("/orders").html)["userId"]


@pytest.mark.parametrize("name", ["unknown", "..", "%00", "a b"])
def test_a_provider_that_the_tenant_does_not_have(core: Borrowed, idp: IdP, name: str) -> None:
    screen = visitor_of(core, idp).send("GET", f"/auth/provider/{name}")
    assert (screen.status, screen.response.mimetype) == (422, "text/html")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_starts_no_sign_in(core: Borrowed, idp: IdP, site: str) -> None:
    person = visitor_of(core, idp)
    person.open("/auth?redirectToPath=/orders")
    button = person.screen.link("Continue with Idp <One>")
    assert person.send("GET", button, headers={"Sec-Fetch-Site": site}).location == "/auth?redirectToPath=%2Forders"
    assert person.cookie("__Host-st-provider") is None
    assert person.send("GET", button, headers={"Sec-Fetch-Site": "none"}).location is not None
    assert person.cookie("__Host-st-provider") is not None


def test_another_site_ends_no_sign_in(core: Borrowed, idp: IdP) -> None:
    person = visitor_of(core, idp)
    person.open("/auth")
    address, state = go(person)
    for sent in ({"state": "other"}, {}):
        assert person.send("GET", callback(**sent), headers={"Sec-Fetch-Site": "cross-site"}).status == 422
    assert person.send("GET", callback(code=idp.log_in(address, OWNER), state=state)).status == 303


def test_a_state_is_good_for_one_attempt(core: Borrowed, idp: IdP) -> None:
    person = visitor_of(core, idp)
    person.open("/auth")
    address, state = go(person)
    assert person.send("GET", callback(state=state, code="wrong")).alert == FAILED
    assert person.cookie("__Host-st-provider") is None
    screen = person.send("GET", callback(state=state, code=idp.log_in(address, OWNER)))
    assert screen.alert == "This sign-in did not begin in this browser, or it took too long."


def test_each_provider_has_a_mark_that_can_be_seen_and_is_not_read(core: Borrowed) -> None:
    names = {"google": "Google", "github": "GitHub", "gitlab": "GitLab", "google-workspaces": "Google Workspaces"}
    client = ProviderClientConfig(client_id="x", client_secret="y")
    endpoints: dict[str, Any] = {
        "authorization_endpoint": "https://own.example/a",
        "token_endpoint": "https://own.example/t",
    }
    inputs = [
        ProviderInput(config=ProviderConfig(third_party_id=name, name=shown, clients=[client], **endpoints))
        for name, shown in {**names, "own": "\u00fcber <uns>"}.items()
    ]
    screen = Person(with_pages(core, ThirdParty(providers=inputs))).open("/auth")
    assert len(screen.all("svg", **{"aria-hidden": "true"})) == len(inputs)
    assert [link.text for link in screen.all("a", **{"class": "button secondary"})] == [
        f"Continue with {name}" for name in (*names.values(), "\u00fcber <uns>")
    ]
    fills = [str(one.attributes["fill"]) for one in screen.all("rect")]
    assert fills[0] == fills[3] != fills[1]
    assert ">\u00dc</text>" in screen.html
