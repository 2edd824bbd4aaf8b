"""Signing in, up and out on pages, with scripts switched off."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from typing import Any

import attrs
import pytest
from recipes.shop import API, PASSWORD, Borrowed, Shop, no_mail

import st_wsgi.pages.html
from st_wsgi.errors import ConfigError
from st_wsgi.events import SecurityEvent
from st_wsgi.limits import AttemptLimits
from st_wsgi.pages import Brand, Field, PageParts, Pages, View, Visit, h
from st_wsgi.recipe_kit.override import Override, replace
from st_wsgi.recipe_kit.results import GeneralError
from st_wsgi.recipes.emailpassword import EmailPassword, EmailPasswordAPIs, FormField, PasswordPolicy, SignUpFeature
from st_wsgi.recipes.session import Session
from website.conftest import with_pages
from website.person import ADDRESS, Person


def test_a_person_signs_up_and_out_and_in(person: Person) -> None:
    assert person.open("/auth").heading == "Sign in to Shop"
    person.open(person.screen.link("Create an account"))
    assert person.screen.heading == "Create your account"
    screen = person.submit(email=person.email, password=PASSWORD)
    assert (screen.status, person.path) == (200, "/")
    user_id = json.loads(screen.html)["userId"]
    assert person.open("/auth").heading == "You are signed in"
    assert person.screen.link("Continue") == "/"
    person.open(person.screen.link("Sign out"))
    assert person.screen.heading == "Do you want to sign out?"
    assert person.submit().heading == "You are signed out"
    assert person.cookie("sAccessToken") is None
    person.open(person.screen.link("Sign in again"))
    assert json.loads(person.submit(email=person.email, password=PASSWORD).html)["userId"] == user_id


def test_a_wrong_password_is_announced_and_not_kept(person: Person) -> None:
    person.sign_up()
    other = Person(person.shop)
    other.email = person.email
    screen = other.sign_in("wrong horse 1")
    assert (screen.status, screen.alert) == (422, "The e-mail address and the password do not match.")
    assert screen.heading == "Sign in to Shop"
    assert screen.all("title")[0].text == "Error: Sign in to Shop · Shop"
    [email], [password] = screen.all("input", name="email"), screen.all("input", name="password")
    assert email.attributes["value"] == person.email
    assert "value" not in password.attributes
    assert "wrong horse" not in screen.html


def test_errors_belong_to_their_fields(person: Person) -> None:
    person.open("/auth?show=signup")
    screen = person.submit(email="nobody", password="short")
    assert screen.status == 422
    assert screen.error_of("email") == "Email is invalid"
    assert screen.error_of("password") == "Password must contain at least 8 characters, including a number"
    assert screen.alert == "Please correct the fields that are marked."
    assert [field.attributes["name"] for field in screen.elements if "autofocus" in field.attributes] == ["email"]
    screen = person.submit(email=person.email, password="")
    assert (screen.error_of("email"), screen.error_of("password")) == (None, "Please fill in this field.")
    person.sign_up()
    other = Person(person.shop)
    other.email = person.email
    assert other.sign_up().error_of("email") == "There is an account with this address already. Please sign in."


RULE = "At least 8 characters, with a letter and a digit."
OWN_RULE = FormField(
    id="password", validate=lambda value, _tenant: None if "!" in value else "Without exclamation mark"
)


@pytest.mark.parametrize(
    ("settings", "field", "language", "hint"),
    [
        ({}, None, "en", RULE),
        ({}, None, "de", "Mindestens 8 Zeichen, darunter ein Buchstabe und eine Ziffer."),
        ({"password_policy": PasswordPolicy(min_length=10)}, None, "en", "At least 10 characters."),
        ({"password_policy": PasswordPolicy(min_length=10)}, None, "de", "Mindestens 10 Zeichen."),
        ({"sign_up_feature": SignUpFeature(form_fields=[OWN_RULE])}, None, "en", None),
        ({"sign_up_feature": SignUpFeature(form_fields=[OWN_RULE])}, Field(hint="With !"), "en", "With !"),
        ({"password_policy": PasswordPolicy()}, Field(hint="A sentence is good."), "en", "A sentence is good."),
        ({}, Field(label="Secret"), "en", None),
    ],
)
def test_a_new_password_has_a_hint_of_its_rule(
    core: Borrowed, settings: dict[str, Any], field: Field | None, language: str, hint: str | None
) -> None:
    """On each page that asks for one. The rule or the text of the app takes the place of ours."""
    links: list[str] = []
    recipe = EmailPassword(email_delivery=lambda message: links.append(str(message.link)), **settings)
    fields = {} if field is None else {"password": attrs.evolve(field, type="password")}
    person = Person(with_pages(core, recipe, pages=Pages(fields=fields)), language=language)
    assert person.open("/auth?show=signup").hint_of("password") == hint
    person.submit(email=person.email, password="correct horse 1!")
    assert person.open("/auth/account/password").hint_of("password") == hint
    assert person.screen.hint_of("current") is None
    person.open("/auth/sign-out")
    person.submit()
    person.open("/auth/reset-password")
    person.submit(email=person.email)
    recipe.background.close()
    assert person.open(links[-1].removeprefix(API)).hint_of("password") == hint
    assert person.submit(password="1").error_of("password") is not None
    assert person.screen.hint_of("password") == hint


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("short", "Das Passwort braucht mindestens 10 Zeichen."),
        ("x" * 65, "Das Passwort darf höchstens 64 Zeichen haben."),
        ("1234567890", "Dieses Passwort ist zu häufig. Bitte wählen Sie ein anderes."),
    ],
)
def test_the_errors_of_a_policy_speak_german(core: Borrowed, password: str, error: str) -> None:
    """The app chooses the number in them."""
    policy = PasswordPolicy(min_length=10, max_length=64)
    recipe = EmailPassword(password_policy=policy, email_delivery=no_mail)
    person = Person(with_pages(core, recipe), language="de")
    person.open("/auth?show=signup")
    assert person.submit(email=person.email, password=password).error_of("password") == error


def test_signing_in_gives_no_hint_of_the_rule(person: Person) -> None:
    """The password is known already, and the rule may be newer than it."""
    assert person.open("/auth").hint_of("password") is None


def test_the_form_has_the_fields_of_the_recipe(core: Borrowed) -> None:
    entered: list[dict[str, Any]] = []

    def keep(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
        def sign_up_post(*, form_fields: Any, **rest: Any) -> Any:
            entered.append({field.id: field.value for field in form_fields})
            return original.sign_up_post(form_fields=form_fields, **rest)

        return replace(original, sign_up_post=sign_up_post)

    fields = [
        FormField(id="first_name", validate=lambda value, _tenant: None if value != "X" else "Too short"),
        FormField(id="nickname", optional=True),
        FormField(id="terms", validate=lambda value, _tenant: None if value is True else "no"),
    ]
    recipe = EmailPassword(
        email_delivery=no_mail, sign_up_feature=SignUpFeature(form_fields=fields), override=Override(apis=keep)
    )
    pages = Pages(fields={"terms": Field(label="I accept", type="checkbox", hint="All of it")})
    person = Person(with_pages(core, recipe, pages=pages))
    person.open("/auth?show=signup")
    labels = [label.text for label in person.screen.all("label")]
    assert labels == ["E-mail address", "Password", "First name", "Nickname (optional)", "I accept"]
    [first] = person.screen.all("input", name="first_name")
    assert first.attributes["autocomplete"] == "given-name"
    screen = person.submit(email=person.email, password=PASSWORD, first_name="X")
    assert screen.error_of("first_name") == "Too short"
    assert (screen.hint_of("terms"), screen.error_of("terms")) == ("All of it", "Please fill in this field.")
    person.submit(email=person.email, password=PASSWORD, first_name="Ada", terms="yes")
    assert entered == [{"email": person.email, "password": PASSWORD, "first_name": "Ada", "terms": True}]


def test_the_same_override_and_the_same_events_as_with_the_api(core: Borrowed) -> None:
    events: list[SecurityEvent] = []

    def closed(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
        return replace(original, sign_up_post=lambda **_call: GeneralError("Please ask for an <invitation>."))

    recipe = EmailPassword(email_delivery=no_mail, override=Override(apis=closed))
    person = Person(with_pages(core, recipe, on_security_event=events.append))
    screen = person.sign_up()
    assert screen.alert == "Please ask for an <invitation>."
    assert "<invitation>" not in screen.html
    person.sign_in()
    assert [event.name for event in events] == ["sign_in_failed"]


def test_pages_and_api_share_their_limits(core: Borrowed) -> None:
    shop = with_pages(core, rate_limit=AttemptLimits(per_account_and_address=2))
    person, visitor, here = Person(shop), shop.visitor(), {"REMOTE_ADDR": ADDRESS}
    visitor.email = person.email
    assert visitor.sign_in(environ=here).status_code == 200
    assert person.sign_in().status == 422
    screen = person.sign_in()
    assert (screen.status, screen.alert) == (429, "Too many attempts. Please try again in 5 minutes.")
    assert visitor.sign_in(environ=here).status_code == 429


def test_a_switched_off_api_is_no_way_in(core: Borrowed) -> None:
    off = Override[Any, EmailPasswordAPIs](apis=lambda original: replace(original, sign_up_post=None))
    person = Person(with_pages(core, EmailPassword(email_delivery=no_mail, override=off)))
    screen = person.sign_up()
    assert (screen.status, screen.heading) == (400, "Something went wrong")


def test_everything_speaks_german(core: Borrowed) -> None:
    person = Person(with_pages(core, pages=Pages(brand=Brand(terms="/agb"))), language="de-AT,de;q=0.9,en;q=0.5")
    person.open("/auth")
    assert person.screen.all("html")[0].attributes == {"lang": "de", "dir": "ltr"}
    assert person.screen.heading == "Bei Shop anmelden"
    person.open(person.screen.link("Konto erstellen"))
    screen = person.submit(email="nobody", password="short")
    assert screen.error_of("email") == "Diese E-Mail-Adresse ist ungültig."
    assert "Damit akzeptieren Sie die Nutzungsbedingungen." in [one.text for one in screen.all("p")]


def test_other_languages_and_texts_come_from_the_app(core: Borrowed) -> None:
    texts = {"fr": {"Sign in to {name}": "Se connecter à {name}"}, "ar": {}, "en": {"Password": "Passphrase"}}
    pages = Pages(texts=texts, language=lambda context: context.query_values("lang")[0])
    person = Person(with_pages(core, pages=pages))
    assert person.open("/auth?lang=fr").heading == "Se connecter à Shop"
    assert person.open("/auth?lang=ar").all("html")[0].attributes == {"lang": "ar", "dir": "rtl"}
    assert [label.text for label in person.open("/auth?lang=en").all("label")] == ["E-mail address", "Passphrase"]
    assert person.open("/auth?lang=xx").all("html")[0].attributes["lang"] == "en"


def test_a_language_that_cannot_be_chosen_is_an_error_of_the_server(core: Borrowed) -> None:
    def fail(_context: object) -> str:
        raise KeyError("language")

    person = Person(with_pages(core, pages=Pages(language=fail)))
    assert person.send("GET", "/auth").status == 500
    screen = person.send("GET", "/orders")
    assert (screen.status, json.loads(screen.html)) == (401, {"message": "unauthorised"})


def test_the_frame_and_single_pages_can_be_the_apps_own(core: Borrowed) -> None:
    def frame(page: PageParts) -> str:
        head = h("head", h("title", page.title), page.head)
        return "<!doctype html>" + h("html", head, h("body", page.body))

    def own(visit: Visit) -> View:
        return View("Bye?", h("p", visit.query("from") or "", class_="own"))

    pages = Pages(frame=frame, replaced={"/sign-out": own}, sources={"style-src": ["https://cdn.example"]})
    person = Person(with_pages(core, pages=pages))
    screen = person.open("/auth/sign-out?from=<b>")
    assert (screen.heading, screen.all("p", **{"class": "own"})[0].text) == ("Bye?", "<b>")
    assert screen.all("header") == []
    policy = screen.response.headers["Content-Security-Policy"]
    assert "style-src 'self' https://cdn.example;" in policy


def test_the_style_sheet_has_the_colour_and_may_be_kept_for_ever(core: Borrowed) -> None:
    person = Person(with_pages(core, pages=Pages(brand=Brand(colour="#ffee00", logo="/logo.svg"))))
    person.open("/auth")
    [link], [logo] = person.screen.all("link", rel="stylesheet"), person.screen.all("img")
    assert logo.attributes["src"] == "/logo.svg"
    style = person.send("GET", str(link.attributes["href"])).response
    assert (style.status_code, style.mimetype) == (200, "text/css")
    assert style.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "--accent: #ffee00; --on-accent: #000000" in style.text
    assert (Brand(colour="#000080").text_colour, Brand().text_colour) == ("#ffffff", "#ffffff")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"brand": "Shop"}, "brand must be"),
        ({"order": ["saml"]}, "order must be"),
        ({"after_sign_in": "https://evil.example"}, "after_sign_in must be"),
        ({"fields": {"name": "Name"}}, "fields must be"),
        ({"replaced": {"/nowhere": lambda visit: None}}, "none of the pages"),
        ({"texts": {"fr": {"Continue": "{oui}"}}}, "which 'Continue' does not have"),
        ({"texts": {"fr": {"Continue": "{"}}}, "is no pattern"),
        ({"sources": {"img-src": "https://cdn.example"}}, "sources must be"),
        ({"sources": {"img-src": [1]}}, "sources must be"),
        ({"sources": {"img-src": [""]}}, "sources must be"),
        ({"sources": {"img-src": ["https://cdn.example\r\nX: y"]}}, "sources must be"),
        ({"sources": {"img-src": ["https://cdn.example; script-src *"]}}, "sources must be"),
        ({"sources": {"img-src": ["https://cdn.example,*"]}}, "sources must be"),
        ({"sources": {"script-src 'unsafe-inline'; x": ["y"]}}, "sources must be"),
    ],
)
def test_unusable_settings_are_refused(core: Borrowed, settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        with_pages(core, pages=Pages(**settings))


@pytest.mark.parametrize(
    ("app_info", "session", "what"),
    [
        ({"website_domain": "https://shop.example"}, {}, "website_domain must be the api_domain"),
        ({"api_gateway_path": "/v1"}, {}, "without an api_gateway_path"),
        ({"website_base_path": "/"}, {}, "the root belongs to the app"),
        ({}, {"anti_csrf": "VIA_TOKEN"}, "VIA_TOKEN"),
        ({}, {"get_token_transfer_method": "header"}, "sessions in cookies"),
    ],
)
def test_an_app_that_pages_do_not_fit_is_refused(
    core: Borrowed, app_info: dict[str, str], session: dict[str, Any], what: str
) -> None:
    with pytest.raises(ConfigError, match=what):
        with_pages(core, app_info=app_info, sessions=Session(**session))


def test_pages_may_have_a_base_path_of_their_own(core: Borrowed) -> None:
    person = Person(with_pages(core, app_info={"website_base_path": "/login"}))
    assert person.open("/orders").heading == "Sign in to Shop"
    assert person.path == "/login?redirectToPath=%2Forders"
    person.open(person.screen.link("Create an account"))
    assert (person.submit(email=person.email, password=PASSWORD).status, person.path) == (200, "/orders")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/auth/nowhere"), ("POST", "/auth/style"), ("PUT", "/auth"), ("GET", "/authors")]
)
def test_what_is_no_page_is_the_apps(shop: Shop, method: str, path: str) -> None:
    shop.view = lambda environ: {"app": environ["PATH_INFO"]}
    screen = Person(shop).send(method, path)
    assert json.loads(screen.html) == {"app": path}


def test_a_head_request_has_no_body(person: Person) -> None:
    screen = person.send("HEAD", "/auth")
    assert (screen.status, screen.html) == (200, "")


def test_errors_of_the_server_are_pages(core: Borrowed, person: Person) -> None:
    def fail(_request: object) -> Any:
        raise RuntimeError("secret detail")

    person.open("/auth")
    core.answer = fail
    screen = person.submit(email=person.email, password=PASSWORD)
    assert (screen.status, screen.heading) == (500, "Something went wrong")
    assert "secret" not in screen.html


def test_an_app_without_pages_imports_nothing_of_them() -> None:
    program = (
        "import sys, st_wsgi; from st_wsgi.recipes.emailpassword import EmailPassword; host = 'http://localhost'; "
        "st_wsgi.init(app_info=st_wsgi.AppInfo(app_name='a', api_domain=host, website_domain=host), "
        "core='sqlite://', recipes=[EmailPassword()]); "
        "print([name for name in sys.modules if name.startswith('st_wsgi.pages')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_examples_of_the_builder() -> None:
    assert doctest.testmod(st_wsgi.pages.html).failed == 0
    assert st_wsgi.pages.html.joined("<", h("b", ["&", None, '"']), [[h("br")]]) == '&lt;<b>&amp;"</b><br>'
    assert h("a", href='"><script>', title="'") == '<a href="&quot;&gt;&lt;script&gt;" title="&#x27;"></a>'


def test_the_api_is_what_it_was(shop: Shop) -> None:
    visitor = shop.visitor()
    assert visitor.sign_up().get_json()["status"] == "OK"
    assert visitor.call("GET", "/page", headers={"Accept": "*/*"}).status_code == 200
    assert visitor.sign_out().json == {"status": "OK"}
    assert shop.visitor().visit().status_code == 401
