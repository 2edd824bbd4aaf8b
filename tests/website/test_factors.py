"""Second factors on pages, with scripts switched off."""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from contract import authenticator
from recipes.shop import API, PASSWORD, Borrowed, Shop, no_mail
from recipes.totp.parts import SECRET, import_device, totp, wrong

import st_wsgi
from st_wsgi import AccountInfo, Override, replace
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.delivery import Message
from st_wsgi.pages import factors
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipe_kit.results import SignUpOk
from st_wsgi.recipes import accountlinking, emailpassword, session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink, ShouldNotAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multifactorauth import (
    MultiFactorAuth,
    MultiFactorAuthFunctions,
    add_to_required_secondary_factors_for_user,
    require_factors,
)
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import Webauthn
from website.conftest import with_pages
from website.person import Person
from website.test_passkeys import answered

WRONG = "This code is wrong. Please enter the one that your app shows now."
NUMBER = "+4915112345678"


class Vault:
    """
    A shop whose users have to complete second factors.

    :param steps: what is required of all of them.
    :param first: with which they begin.
    :param more: further recipes.
    """

    def __init__(
        self, core: Borrowed, *steps: Any, first: str = "emailpassword", more: Sequence[Recipe[Any, Any]] = ()
    ) -> None:
        self.messages: list[Message] = []
        self.steps = list(steps)
        self.not_linked: set[str | None] = set()

        def require(original: MultiFactorAuthFunctions) -> MultiFactorAuthFunctions:
            return replace(original, get_mfa_requirements_for_auth=lambda **_: self.steps)

        keep = self.messages.append
        self.shop: Shop = with_pages(
            core,
            EmailPassword(email_delivery=keep),
            Passwordless(
                contact_config=ContactEmailOrPhoneConfig(),
                flow_type="USER_INPUT_CODE",
                email_delivery=keep,
                sms_delivery=keep,
            ),
            Totp(),
            *more,
            MultiFactorAuth(first_factors=[first], override=Override(functions=require)),
            AccountLinking(
                should_do_automatic_account_linking=lambda account, *_: (
                    ShouldNotAutomaticallyLink()
                    if account.email in self.not_linked
                    else ShouldAutomaticallyLink(should_require_verification=False)
                )
            ),
        )
        self.shop.view = self._view

    def _view(self, environ: Any) -> dict[str, str]:
        needed: dict[str, list[Any]] = {
            "/transfer": ["totp"],
            "/call": ["otp-phone"],
            "/link": ["link-email"],
            "/both": [{"allOfInAnyOrder": ["totp", "otp-email"]}],
        }
        more = needed.get(environ["PATH_INFO"])
        rule = None if more is None else require_factors(requirement_list=more)
        return {"userId": session.get_session(environ, override_global_claim_validators=rule).get_user_id()}

    def person(self, language: str = "en") -> Person:
        """Return somebody who has signed up, and is asked for a second factor."""
        person = Person(self.shop, language=language)
        person.open("/orders")
        person.open(person.screen.link("Create an account" if language == "en" else "Konto erstellen"))
        person.submit(email=person.email, password=PASSWORD)
        return person

    def by_code(self, contact: str) -> Person:
        """Return somebody who has signed in with a code, and is asked for a second factor."""
        person = Person(self.shop)
        person.open("/orders")
        person.submit(contact=contact)
        press(person, "enter", code=self.code())
        return person

    def code(self) -> str:
        """Return the code in the newest message."""
        return str(self.messages[-1].code)


def user_id(person: Person) -> str:
    account = AccountInfo(email=person.email)
    [user] = st_wsgi.list_users_by_account_info(tenant_id="public", account_info=account)
    return user.id


def secret_on(person: Person) -> str:
    [code] = person.screen.all("code")
    return code.text.replace(" ", "")


def press(person: Person, action: str, **fields: str) -> Any:
    """Press the button of a form of a page with several."""
    return person.submit(**{"st-action": action, **fields})


def test_an_app_is_set_up_and_asked_for(core: Borrowed) -> None:
    vault = Vault(core, "totp")
    person = vault.person()
    assert person.screen.heading == "Set up an authenticator app"
    assert person.path == "/auth/mfa/totp?redirectToPath=%2Forders"
    assert press(person, "create").status == 200
    secret, shown = secret_on(person), person.screen
    [link] = [one for one in shown.all("a") if one.text == "Open the app on this device"]
    assert parse_qs(urlsplit(str(link.attributes["href"])).query)["secret"] == [secret]
    assert secret not in person.path + str(shown.response.headers)
    screen = person.submit(code=wrong(secret))
    assert screen.status == 422
    assert screen.error_of("code") == WRONG
    assert secret_on(person) == secret
    assert person.submit(code="").error_of("code") == "Please fill in this field."
    code = totp(secret)
    person.submit(code=f" {code[:3]} {code[3:]} ")
    assert (person.screen.status, person.path) == (200, "/orders")
    person.open("/auth/sign-out")
    person.submit()
    assert person.sign_in().heading == "Confirm that it is you"
    screen = person.submit(code=wrong(secret))
    assert (screen.status, screen.error_of("code")) == (
        422,
        WRONG,
    )
    assert person.submit().error_of("code") == "Please fill in this field."
    assert person.submit(code=totp(secret, steps=1)).status == 200
    assert person.path == "/"


def test_who_begins_again_has_one_app(core: Borrowed) -> None:
    vault = Vault(core, "totp")
    person = vault.person()
    press(person, "create")
    first = person.screen
    person.open("/auth/mfa/totp?redirectToPath=/orders")
    press(person, "create")
    secret = secret_on(person)
    devices = [one["name"] for one in _devices(core, user_id(person))]
    assert len(devices) == 1
    other, person.screen = person.screen, first
    assert press(person, "add", device="gone", code="123456").heading == "Set up an authenticator app"
    assert person.screen.all("code") == []
    person.screen = other
    assert person.submit(code=totp(secret)).status == 200


def _devices(core: Borrowed, owner: str) -> list[dict[str, Any]]:
    request = CoreRequest("GET", "/recipe/totp/device/list", params={"userId": owner}, headers={"cdi-version": "5.4"})
    reply = core.core.send(request).body
    assert isinstance(reply, dict)
    return list(reply["devices"])


def test_an_address_that_is_no_app_is_not_shown_as_a_link(core: Borrowed) -> None:
    person = Vault(core, "totp").person()
    press(person, "create")
    screen = person.submit(uri="javascript:alert(1)", code="1")
    assert (screen.status, "javascript:" in screen.html) == (422, False)


def test_an_address_that_is_too_long_gets_no_picture(core: Borrowed) -> None:
    person = Vault(core, "totp").person()
    press(person, "create")
    screen = person.submit(uri="otpauth://totp/" + "a" * 30_000, code="1")
    assert (screen.status, screen.all("svg")) == (422, [])


def test_too_many_wrong_codes(core: Borrowed) -> None:
    person = Vault(core, "totp").person()
    import_device(core, user_id(person))
    person.open("/orders")
    while (screen := person.submit(code=wrong(SECRET))).status == 422:
        pass
    assert (screen.status, screen.alert) == (429, "Too many attempts. Please try again in 15 minutes.")


def test_the_qr_code_is_that_of_the_address(core: Borrowed) -> None:
    person = Vault(core, "totp").person()
    press(person, "create")
    [svg], [path] = person.screen.all("svg", role="img"), person.screen.all("path")
    size = int(str(svg.attributes["viewbox"]).split()[2])
    dark = {
        (int(x) + at, int(y))
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", str(path.attributes["d"]))
        for at in range(int(width))
    }
    code = segno.make(person.screen.link("Open the app on this device"), micro=False)
    rows = list(code.matrix_iter(border=4))
    assert [[(x, y) in dark for x in range(size)] for y in range(size)] == [list(map(bool, row)) for row in rows]


def test_without_the_extra_there_are_the_secret_and_a_link(
    core: Borrowed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    person = Vault(core, "totp").person()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "segno", None)
        factors._segno.cache_clear()
        press(person, "create")
    factors._segno.cache_clear()
    assert person.screen.all("svg") == []
    assert "Enter this key in your authenticator app:" in [one.text for one in person.screen.all("p")]
    assert person.screen.link("Open the app on this device").startswith("otpauth://totp/")
    assert "pip install 'st-wsgi[pages]'" in caplog.text
    assert person.submit(code=totp(secret_on(person))).status == 200


def test_a_code_by_mail(core: Borrowed) -> None:
    vault = Vault(core, "otp-email")
    person = vault.person()
    assert person.path == "/auth/mfa/otp-email?redirectToPath=%2Forders"
    assert vault.messages == []  # nothing is sent before a click
    assert press(person, "send-0").heading == "Enter your code"
    assert person.path == "/auth/mfa/otp-email?redirectToPath=%2Forders"
    assert f"We have sent a code to {person.email}." in [one.text for one in person.screen.all("p")]
    first = vault.code()
    assert press(person, "enter", code="").error_of("code") == "Please fill in this field."
    wrong_code = "000000" if first != "000000" else "111111"
    error = press(person, "enter", code=wrong_code).error_of("code")
    assert error == "This code is wrong. Please look at the newest message."
    assert press(person, "resend").all("p", role="status")[0].text == "A new message is on its way."
    assert len(vault.messages) == 2
    assert press(person, "enter", code="").all("p", role="status") == []
    assert press(person, "enter", code=vault.code()).status == 200
    assert person.path == "/orders"


def test_an_attempt_that_is_over_begins_again(core: Borrowed) -> None:
    vault = Vault(core, "otp-email")
    person = vault.person()
    press(person, "send-0")
    code = vault.code()
    for _ in range(5):
        press(person, "enter", code="000000" if code != "000000" else "111111")
    assert person.screen.alert == "This code does not work any more. Please ask for a new one."
    press(person, "send-0")
    assert press(person, "enter", code=vault.code()).status == 200


def test_a_number_is_asked_for_once(core: Borrowed) -> None:
    vault = Vault(core, "otp-phone")
    person = vault.person()
    screen = press(person, "send", contact="")
    assert screen.hint_of("contact") == "With the country code, such as +49"
    assert screen.error_of("contact") == "Please fill in this field."
    assert press(person, "send", contact="12").alert == "Phone number is invalid"
    press(person, "send", contact=NUMBER)
    assert press(person, "enter", code=vault.code()).status == 200
    person.open("/auth/sign-out")
    person.submit()
    person.sign_in()
    [button] = person.screen.all("button")
    assert button.text == f"Send a code to {NUMBER}"
    press(person, "send-0", contact="+4915187654321")
    assert vault.messages[-1].to == NUMBER


def test_an_attempt_belongs_to_a_session(core: Borrowed) -> None:
    vault = Vault(core, "otp-email")
    person = vault.person()
    press(person, "send-0")
    person.open("/auth/sign-out")
    person.submit()
    person.email = "other@example.com"
    person.sign_up()
    assert person.screen.heading == "Confirm that it is you"
    assert [one.text for one in person.screen.all("button")] == ["Send a code to other@example.com"]


def test_a_choice(core: Borrowed) -> None:
    vault = Vault(core, {"oneOf": ["totp", "otp-email", "otp-phone"]})
    person = vault.person()
    assert (person.screen.heading, person.path) == ("Confirm that it is you", "/auth/mfa?redirectToPath=%2Forders")
    assert [one.text for one in person.screen.all("a", **{"class": "button secondary"})] == [
        "Authenticator app",
        "Code by e-mail",
        "Code by text message",
    ]
    person.open(person.screen.link("Code by e-mail"))
    person.open(person.screen.link("Use another way"))
    person.open(person.screen.link("Authenticator app"))
    press(person, "create")
    assert person.submit(code=totp(secret_on(person))).status == 200
    assert person.path == "/orders"
    assert person.open("/auth/mfa").heading == "You are signed in"


def test_a_view_asks_for_its_own_factor(core: Borrowed) -> None:
    vault = Vault(core)
    person = vault.person()
    assert person.path == "/orders"
    assert person.open("/transfer").heading == "Set up an authenticator app"
    assert person.path == "/auth/mfa/totp?redirectToPath=%2Ftransfer&n=totp"
    press(person, "create")
    assert person.submit(code=totp(secret_on(person))).status == 200
    assert person.path == "/transfer"
    person.open("/both")
    assert person.path == "/auth/mfa/otp-email?redirectToPath=%2Fboth&n=otp-email"
    press(person, "send-0")
    assert press(person, "enter", code=vault.code()).status == 200
    assert person.path == "/both"


@pytest.mark.parametrize(
    "path",
    ["/auth/mfa", *(f"/auth/mfa/{one}" for one in ("totp", "otp-email", "otp-phone", "emailpassword", "webauthn"))],
)
def test_who_is_not_signed_in_signs_in(core: Borrowed, path: str) -> None:
    path = f"/auth{path.removeprefix('/auth')}"
    person = Person(Vault(core, "totp").shop)
    assert person.open(path).heading == "Sign in to Shop"
    assert person.path == f"/auth?redirectToPath={path.replace('/', '%2F')}"


def test_a_factor_that_is_set_up_comes_before_another_one(core: Borrowed) -> None:
    person = Vault(core, {"oneOf": ["totp", "otp-email"]}).person()
    import_device(core, user_id(person))
    for path in ("/orders", "/auth/mfa/otp-email", "/auth/mfa/otp-phone", "/auth/mfa/totp?show=setup"):
        assert person.open(path).heading == "Confirm that it is you"
        assert person.path.startswith("/auth/mfa/totp")
        assert "show=setup" not in person.path
    assert press(person, "create").heading == "Confirm that it is you"
    assert len(_devices(core, user_id(person))) == 1
    assert person.submit(code=totp(SECRET)).status == 200
    assert person.open("/auth/mfa/totp?show=setup").heading == "Set up an authenticator app"


def test_a_factor_without_a_page_is_no_way_in(core: Borrowed) -> None:
    person = Vault(core).person()
    person.open("/link")
    assert (person.screen.status, person.screen.heading) == (403, "Access denied")
    assert person.path == "/auth/mfa?redirectToPath=%2Flink&n=link-email"


def test_a_password_as_second_factor(core: Borrowed) -> None:
    vault = Vault(core, "emailpassword", first="otp-email")
    email = f"{uuid.uuid4().hex}@example.com"
    person = vault.by_code(email)
    assert (person.screen.heading, person.path) == (
        "Choose a password",
        "/auth/mfa/emailpassword?redirectToPath=%2Forders",
    )
    [field] = person.screen.all("input", name="email")
    assert (field.attributes["value"], "readonly" in field.attributes) == (email, True)
    assert person.submit(password="short").error_of("password") is not None
    screen = person.submit(email="nobody@example.com", password=PASSWORD)
    assert (screen.status, person.path) == (200, "/orders")
    other = vault.by_code(email)
    assert other.screen.heading == "Confirm that it is you"
    [password] = other.screen.all("input", type="password")
    assert password.attributes["autocomplete"] == "current-password"
    assert other.submit(password="wrong horse 1").error_of("password") == "This is not your current password."
    assert (other.submit(password=PASSWORD).status, other.path) == (200, "/orders")
    assert json.loads(other.screen.html) == json.loads(screen.html)
    [user] = st_wsgi.list_users_by_account_info(tenant_id="public", account_info=AccountInfo(email=email))
    assert {method.email for method in user.login_methods} == {email}


def test_a_password_of_a_user_without_an_address(core: Borrowed) -> None:
    vault = Vault(core, "emailpassword", first="otp-phone")
    number = "+4915123456789"
    person = vault.by_code(number)
    assert person.screen.heading == "Choose a password"
    assert person.screen.all("input", name="email") == []
    assert "stfakeemail" not in person.screen.html
    assert person.submit(password=PASSWORD).status == 200
    other = vault.by_code(number)
    assert "stfakeemail" not in other.screen.html
    assert other.submit(password="wrong horse 1").error_of("password") == "This is not your current password."
    assert other.submit(password=PASSWORD).status == 200


def test_one_of_several_passwords(core: Borrowed) -> None:
    """A user of two linked accounts with passwords chooses the one that they know."""
    vault = Vault(core, first="otp-email")
    email, second = (f"{uuid.uuid4().hex}@example.com" for _ in range(2))
    person = vault.by_code(email)
    user = json.loads(person.screen.html)["userId"]
    vault.not_linked.add(second)
    emailpassword.sign_up(tenant_id="public", email=email, password=PASSWORD)
    made = emailpassword.sign_up(tenant_id="public", email=second, password="another horse 2")
    assert isinstance(made, SignUpOk)
    linked = accountlinking.link_accounts(recipe_user_id=made.recipe_user_id, primary_user_id=user)
    assert isinstance(linked, accountlinking.AccountsLinked)
    vault.steps.append("emailpassword")
    person = vault.by_code(email)
    assert person.screen.all("input", name="email")[0].attributes["value"] == email
    person.open(person.screen.link(second))
    assert person.screen.all("input", name="email")[0].attributes["value"] == second
    assert person.submit(password=PASSWORD).error_of("password") is not None
    assert (person.submit(password="another horse 2").status, person.path) == (200, "/orders")
    person.open("/auth/sign-out")
    person.submit()
    person = vault.by_code(email)
    person.open("/auth/mfa/emailpassword?email=stranger@example.com")
    assert person.screen.all("input", name="email")[0].attributes["value"] == email


def test_a_passkey_as_second_factor(core: Borrowed) -> None:
    vault = Vault(core, "webauthn", more=[Webauthn(email_delivery=no_mail)])
    person, key = vault.person(), authenticator.credential()
    assert (person.screen.heading, person.path) == ("Create a passkey", "/auth/mfa/webauthn?redirectToPath=%2Forders")
    [place] = person.screen.all("section", **{"data-passkey": "create"})
    assert place.attributes["data-options"] == "/auth/webauthn/options/register"
    assert person.screen.hidden()["email"] == person.email
    assert "script-src 'nonce-" in person.screen.response.headers["Content-Security-Policy"]
    screen = answered(person, authenticator.created, key, {"email": person.email})
    assert (screen.status, person.path) == (200, "/orders")
    person.open("/auth/sign-out")
    person.submit()
    person.open("/orders")
    person.submit(email=person.email, password=PASSWORD)
    assert person.screen.heading == "Confirm that it is you"
    stranger = answered(person, authenticator.asserted, authenticator.credential(), {})
    assert stranger.status == 422
    assert "This passkey is not known here." in str(stranger.alert)
    screen = answered(person, authenticator.asserted, key, {})
    assert (screen.status, person.path) == (200, "/orders")


def test_a_passkey_for_another_address_is_no_second_factor(core: Borrowed) -> None:
    vault = Vault(core, "webauthn", more=[Webauthn(email_delivery=no_mail)])
    person = vault.person()
    assert person.open("/auth/mfa/webauthn?token=x").all("section", **{"data-token": "x"}) == []
    options = {"email": f"other.{person.email}"}
    screen = answered(person, authenticator.created, authenticator.credential(), options)
    assert (screen.status, screen.heading) == (422, "Create a passkey")
    assert person.open("/orders").heading == "Create a passkey"


def test_the_passkey_of_another_user_is_no_second_factor(core: Borrowed) -> None:
    vault = Vault(core, "webauthn", more=[Webauthn(email_delivery=no_mail)])
    victim, thief = vault.person(), vault.person()
    keys = authenticator.credential(), authenticator.credential()
    for person, key in zip((victim, thief), keys, strict=True):
        assert answered(person, authenticator.created, key, {"email": person.email}).status == 200
    stolen = Person(vault.shop)
    stolen.email = victim.email
    stolen.open("/orders")
    stolen.submit(email=victim.email, password=PASSWORD)
    answered(stolen, authenticator.asserted, keys[1], {})
    assert stolen.screen.heading == "Confirm that it is you"
    assert stolen.open("/orders").heading == "Confirm that it is you"


def test_password_and_passkey_are_among_the_choices(core: Borrowed) -> None:
    vault = Vault(
        core, {"oneOf": ["emailpassword", "webauthn"]}, first="otp-email", more=[Webauthn(email_delivery=no_mail)]
    )
    person = vault.by_code(f"{uuid.uuid4().hex}@example.com")
    choices = [one.text for one in person.screen.all("a", **{"class": "button secondary"})]
    assert choices == ["Password", "Passkey"]
    person.open(person.screen.link("Passkey"))
    person.open(person.screen.link("Use another way"))
    person.open(person.screen.link("Password"))
    assert (person.submit(password=PASSWORD).status, person.path) == (200, "/orders")
    person.open("/auth/mfa/webauthn")
    assert person.screen.heading == "Create a passkey"


@pytest.mark.parametrize("factor", ["emailpassword", "webauthn"])
def test_the_form_of_a_factor_that_the_app_does_not_have(core: Borrowed, factor: str) -> None:
    messages: list[Message] = []
    codes = Passwordless(
        contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE", email_delivery=messages.append
    )
    person = Person(with_pages(core, codes, MultiFactorAuth(first_factors=["otp-email"])))
    person.open("/auth")
    person.submit(contact=person.email)
    press(person, "enter", code=str(messages[-1].code))
    form = person.open("/auth/sign-out").hidden()
    assert person.send("POST", f"/auth/mfa/{factor}", form).location == "/auth/mfa"


def test_factors_speak_german(core: Borrowed) -> None:
    person = Vault(core, "totp").person("de")
    assert person.screen.heading == "Authenticator-App einrichten"
    press(person, "create")
    error = person.submit(code=wrong(secret_on(person))).error_of("code")
    assert error == "Dieser Code ist falsch. Bitte geben Sie den ein, den Ihre App jetzt anzeigt."


def test_a_script_gets_403_as_before(core: Borrowed) -> None:
    vault = Vault(core)
    person = vault.person()
    add_to_required_secondary_factors_for_user(user_id=user_id(person), factor_id="totp")
    response = person.client.get("/transfer", base_url=API, headers={"Accept": "application/json"})
    assert response.status_code == 403
    assert response.get_json()["claimValidationErrors"][0]["id"] == "st-mfa"


def test_a_session_that_ended_leads_to_the_sign_in_page_whatever_its_status(core: Borrowed) -> None:
    recipes = EmailPassword(email_delivery=no_mail), Totp(), MultiFactorAuth(first_factors=["emailpassword"])
    person = Person(with_pages(core, *recipes, sessions=Session(session_expired_status_code=440)))
    person.sign_up()
    session.revoke_all_sessions_for_user(user_id=json.loads(person.screen.html)["userId"])
    assert person.open("/auth/mfa").heading == "Sign in to Shop"
