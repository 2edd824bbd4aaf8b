"""Whatever a page shows is text: names, labels, errors, addresses, devices, what providers and cookies bring."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

from recipes.shop import PASSWORD, Borrowed, no_mail

from st_wsgi import Override, replace
from st_wsgi.pages import Brand, Field, Pages
from st_wsgi.recipe_kit.results import GeneralError
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword, EmailPasswordAPIs, FormField, SignUpFeature
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ProviderInput, ThirdParty
from website.conftest import with_pages
from website.person import Person, Screen

ATTACK = "\"'>{<img src=x onerror=alert(1)><script>alert(1)</script>"


def shows(screen: Screen, *, times: int = 1) -> None:
    """Check that the page shows the text at least so often, and that nothing of it became markup."""
    assert [one.name for one in screen.elements if one.name in ("img", "script", "iframe")] == []
    attributes = [item for one in screen.elements for item in one.attributes.items()]
    assert [name for name, _ in attributes if name.startswith("on")] == []
    assert [value for name, value in attributes if name in ("href", "src") and not str(value).startswith("/")] == []
    leaves = [
        one.text for one in screen.elements if one.name not in ("html", "head", "body", "main", "form", "section")
    ]
    assert len([text for text in leaves if ATTACK in text]) >= times, screen.html


def user_id(person: Person) -> str:
    return str(json.loads(person.screen.html)["userId"])


def test_what_the_app_chooses(core: Borrowed) -> None:
    client = ProviderClientConfig(client_id="x", client_secret="y")
    provider = ProviderInput(config=ProviderConfig(third_party_id="github", name=ATTACK, clients=[client]))
    fields = [FormField(id="colour", validate=lambda value, _tenant: ATTACK if value == ATTACK else None)]
    pages = Pages(
        brand=Brand(name=ATTACK),
        fields={"colour": Field(label=ATTACK, hint=ATTACK)},
        texts={"en": {"or": ATTACK.replace("{", "")}},
    )
    recipe = EmailPassword(email_delivery=no_mail, sign_up_feature=SignUpFeature(form_fields=fields))
    person = Person(with_pages(core, recipe, ThirdParty(providers=[provider]), pages=pages))
    shows(person.open("/auth"), times=2)  # the brand, the provider
    shows(person.open("/auth?show=signup"), times=4)  # the label and the hint of a field, too
    screen = person.submit(**{"st-action": "sign-up", "email": ATTACK, "password": PASSWORD, "colour": ATTACK})
    shows(screen, times=5)  # and its error
    entered = [one.attributes["name"] for one in screen.all("input") if one.attributes.get("value") == ATTACK]
    assert entered == ["email", "colour"]


def test_what_an_api_of_the_app_says(core: Borrowed) -> None:
    def refuse(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
        return replace(original, sign_in_post=lambda **_call: GeneralError(ATTACK))

    person = Person(with_pages(core, EmailPassword(email_delivery=no_mail, override=Override(apis=refuse))))
    shows(person.sign_in())


def test_what_users_are_called_and_where_they_are_signed_in(core: Borrowed) -> None:
    fields = [FormField(id="email", validate=lambda _value, _tenant: None)]
    recipe = EmailPassword(email_delivery=no_mail, sign_up_feature=SignUpFeature(form_fields=fields))
    verification = EmailVerification(mode="OPTIONAL", email_delivery=no_mail)
    shop = with_pages(core, recipe, verification, sessions=Session(record_sign_in=True))
    person, elsewhere = Person(shop), Person(shop)
    person.email = elsewhere.email = f"{ATTACK}{person.email}".lower()
    elsewhere.agent = f"{ATTACK} Firefox/140.0"
    person.sign_up()
    [own] = session.get_all_session_handles_for_user(user_id=user_id(person))
    elsewhere.sign_in()
    [other] = {*session.get_all_session_handles_for_user(user_id=user_id(person))} - {own}
    person.open("/auth/account")
    shows(person.screen)  # the address
    known = session.get_session_information(session_handle=other)
    assert known is not None
    assert ATTACK in known.session_data_in_database["signIn"]["userAgent"]
    data = {"signIn": {"address": ATTACK, "userAgent": f"{ATTACK} Firefox/140.0"}}
    session.update_session_data_in_database(session_handle=other, new_session_data=data)
    shows(person.open("/auth/account"), times=2)
    assert [one.text for one in person.screen.all("strong")] == ["This device", "Firefox"]
    shows(person.open("/auth/verify-email"))


def test_what_the_browser_and_providers_bring(core: Borrowed) -> None:
    codes = Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE", email_delivery=no_mail)
    client = ProviderClientConfig(client_id="x", client_secret="y")
    provider = ProviderInput(config=ProviderConfig(third_party_id="github", clients=[client]))
    person = Person(with_pages(core, EmailPassword(email_delivery=no_mail), codes, ThirdParty(providers=[provider])))
    kept = {"deviceId": ATTACK, "preAuthSessionId": ATTACK, "flowType": ATTACK, "contact": ATTACK}
    person.client.set_cookie("__Host-st-code", quote(json.dumps(kept)), domain="api.shop.example")
    shows(person.open("/auth/code"))
    query = urlencode(
        {"error": ATTACK, "error_description": ATTACK, "state": ATTACK, "code": ATTACK, "tenantId": ATTACK}
        | {"redirectToPath": f"/{ATTACK}", "show": ATTACK, "n": ATTACK, "done": ATTACK, "sent": ATTACK, "token": ATTACK}
    )
    for path in (
        "",
        "/code",
        "/callback/github",
        f"/callback/{quote(ATTACK, safe='')}",
        "/provider/x",
        "/reset-password",
    ):
        shows(person.send("GET", f"/auth{path}?{query}"), times=0)
        assert "<img" not in person.screen.html
    person.open("/auth")
    shows(person.submit(**{"st-action": "code", "contact": ATTACK}), times=0)
