"""
Each page and each of its errors: what axe finds, and what html-validate says of the HTML.

They are looked at in English, in German on a dark screen, and from right to left; on phones and on large screens.
"""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Queue
from typing import Any, Literal

import attrs
import flask
import pytest
from playwright.sync_api import Browser, Page, Response
from recipes.totp.parts import totp, wrong
from sdks.installs import node_packages
from sdks.processes import free_port

import st_wsgi
from browser.sites import CHEAP_HASHES, serving_app
from browser.test_passkeys import Authenticator
from browser.visitor import LIMIT, PASSWORD
from st_wsgi import AppInfo
from st_wsgi.delivery import Message
from st_wsgi.errors import CoreUnavailable, Forbidden, TooManyRequests, TryRefreshToken
from st_wsgi.pages import Brand, Field, Pages
from st_wsgi.pages.texts import GERMAN
from st_wsgi.recipes import multitenancy, session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword, FormField, SignUpFeature
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import MultiFactorAuth, require_factors
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig, TenantConfigCreateOrUpdate
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ProviderInput, ThirdParty
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import Webauthn

pytestmark = pytest.mark.exhaustive

HERE = Path(__file__).parent

ARABIC_LETTERS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ابثدعفغهيجكلمنوپقرستوفوخيز")


def in_arabic_letters(text: str) -> str:
    """Return a text whose letters run from right to left. Names in braces stay."""
    parts = re.split(r"(\{\w+\})", text)
    return "".join(part if number % 2 else part.lower().translate(ARABIC_LETTERS) for number, part in enumerate(parts))


TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {},
    "de": GERMAN,
    "ar": {text: in_arabic_letters(text) for text in GERMAN},
}

EVERYBODY = [
    "/auth",
    "/auth?tenantId=acme",
    "/auth?tenantId=closed",
    "/auth?show=signup",
    "/auth/sign-out",
    "/auth/reset-password",
    "/auth/reset-password?sent=yes",
    "/auth/reset-password?token=x",
    "/auth/reset-password?done=yes",
    "/auth/verify-email?token=x",
    "/auth/verify?linkCode=x&preAuthSessionId=y",
    "/auth/code",
    "/auth/provider/nobody",
    "/auth/callback/github",
    "/auth/callback/github?error=access_denied&state=x",
    "/auth/webauthn",
    "/auth/webauthn?show=signup",
    "/auth/webauthn/recover",
    "/auth/webauthn/recover?sent=yes",
    "/auth/webauthn/recover?token=x",
    "/auth/webauthn/recover?done=yes",
    "/fails/down",
    "/fails/busy",
]
WRONG = [
    ("/auth", "Sign in"),
    ("/auth", "Send me a code"),
    ("/auth?show=signup", "Create account"),
    ("/auth/reset-password", "Send the link"),
    ("/auth/reset-password?token=x", "Save the password"),
    ("/auth/verify-email?token=x", "Confirm"),
    ("/auth/verify?linkCode=x&preAuthSessionId=y", "Sign in"),
    ("/auth/webauthn", "Use a passkey"),
    ("/auth/webauthn?show=signup", "Create a passkey"),
    ("/auth/webauthn/recover", "Send the link"),
]
"""Forms that are sent as they are."""


@attrs.frozen
class Shop:
    """A shop with every page."""

    origin: str
    st: st_wsgi.SuperTokens
    messages: Queue[Message] = attrs.field(factory=Queue)

    def message(self, to: str) -> Message:
        """Return the next message to an address or a number."""
        return next(message for message in iter(lambda: self.messages.get(timeout=60), None) if message.to == to)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    port = free_port()
    origin = f"http://localhost:{port}"
    messages: Queue[Message] = Queue()
    fields = [FormField(id="name"), FormField(id="birthday"), FormField(id="news", optional=True)]
    client = ProviderClientConfig(client_id="x", client_secret="y")
    providers = [
        ProviderInput(config=ProviderConfig(third_party_id=name, clients=[client])) for name in ("github", "google")
    ]
    st = st_wsgi.SuperTokens(
        app_info=AppInfo(app_name="Shop", api_domain=origin, website_domain=origin),
        core=f"sqlite://?{CHEAP_HASHES}",
        recipes=[
            EmailPassword(sign_up_feature=SignUpFeature(form_fields=fields), email_delivery=messages.put),
            EmailVerification(mode="OPTIONAL", email_delivery=messages.put),
            Passwordless(
                contact_config=ContactEmailOrPhoneConfig(),
                flow_type="USER_INPUT_CODE",
                email_delivery=messages.put,
                sms_delivery=messages.put,
            ),
            ThirdParty(providers=providers),
            Webauthn(email_delivery=messages.put),
            Totp(),
            MultiFactorAuth(),
            AccountLinking(
                should_do_automatic_account_linking=lambda *_: ShouldAutomaticallyLink(
                    should_require_verification=False
                )
            ),
            Session(record_sign_in=True),
            Pages(
                brand=Brand(terms="/terms", privacy="/privacy"),
                fields={
                    "news": Field(label="Send me news", type="checkbox", hint="Once a month"),
                    "birthday": Field(label="Date of birth", type="date", hint="You get a present"),
                },
                texts={"ar": TEXTS["ar"]},
            ),
        ],
    )
    for tenant, factors in (("acme", ["otp-email"]), ("closed", [])):
        config = TenantConfigCreateOrUpdate(first_factors=factors)
        st.services.get(multitenancy.Multitenancy).functions.create_or_update_tenant(tenant_id=tenant, config=config)
    app = flask.Flask("shop")
    errors: dict[str, Exception] = {
        "down": CoreUnavailable(),
        "busy": TooManyRequests(retry_after=300),
        "denied": Forbidden("for others"),
        "again": TryRefreshToken(),
    }

    @app.get("/")
    def home() -> str:
        return "<!doctype html><html lang=en><title>x</title><h1>Home</h1>"

    @app.get("/fails/<name>")
    def fails(name: str) -> str:
        raise errors[name]

    @app.get("/needs/<factors>")
    def needs(factors: str) -> str:
        rule = require_factors(requirement_list=[{"oneOf": factors.split(",")}])
        return session.get_session(flask.request, override_global_claim_validators=rule).get_user_id()

    with serving_app(st, st.wrap(app.wsgi_app), port=port):
        yield Shop(origin, st, messages)


class Look:
    """
    A tab in which pages are looked at. Scripts run for axe, and on the pages for passkeys.

    :ivar page: the tab.
    """

    def __init__(self, page: Page, language: str, direction: str) -> None:
        self.page = page
        self.texts = TEXTS[language]
        self.direction = direction
        self.documents: list[tuple[str, str]] = []
        self._packages = node_packages(HERE)
        self._sent: list[Response] = []
        page.on("response", lambda one: self._sent.append(one) if one.request.is_navigation_request() else None)

    def text(self, english: str, **values: str) -> str:
        """Return what the page shows for an English text."""
        text = self.texts.get(english, english)
        if self.direction == "rtl":
            values = {name: f"\u2068{value}\u2069" for name, value in values.items()}
        return text.format(**values) if values else text

    def open(self, path: str) -> None:
        """Open a page and check it."""
        self.page.goto(path)
        self.check(path)

    def press(self, button: str, role: Literal["alert", "status"] | None = None, **values: str) -> None:
        """Press a button, and wait until the page says something."""
        self.page.get_by_role("button", name=self.text(button, **values), exact=True).first.click()
        if role is not None:
            self.page.get_by_role(role).first.wait_for()

    def sees(self, heading: str) -> None:
        self.page.get_by_role("heading", level=1, name=self.text(heading), exact=True).wait_for()

    def check(self, name: str) -> None:
        """Check what the tab shows now; in the end, the HTML of all pages is checked as it was sent."""
        page = self.page
        page.wait_for_load_state()
        self.documents.append((name, self._sent[-1].text()))
        page.add_script_tag(path=self._packages / "axe-core" / "axe.min.js")
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert (name, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]) == (name, [])
        assert page.evaluate("document.documentElement.dir") == self.direction
        for width in (320, 768, 1280):
            page.set_viewport_size({"width": width, "height": 720})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert (name, width, page.evaluate(PADDING_BEFORE_HEADING)) == (name, width, True)

    def validate(self) -> None:
        command = ["node", str(HERE / "validate.mjs")]
        documents = json.dumps(self.documents)
        run = subprocess.run(command, input=documents, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


#: Whether the first line begins on the side where the language begins.
PADDING_BEFORE_HEADING = """() => {
    const main = document.querySelector("main"), range = document.createRange();
    range.selectNodeContents(main.querySelector("h1"));
    const text = [...range.getClientRects()], box = main.getBoundingClientRect();
    const padding = parseFloat(getComputedStyle(main).paddingInlineStart) + 1;
    const gap = document.documentElement.dir === "rtl"
        ? box.right - Math.max(...text.map((line) => line.right))
        : Math.min(...text.map((line) => line.left)) - box.left;
    return Math.abs(gap - padding) < 2;
}"""


@pytest.fixture(params=["light en ltr", "dark de ltr", "light ar rtl"])
def look(request: pytest.FixtureRequest, chromium: Browser, shop: Shop) -> Iterator[Look]:
    scheme, language, direction = request.param.split()
    wanted: Literal["dark", "light"] = "dark" if scheme == "dark" else "light"
    settings: dict[str, Any] = {"base_url": shop.origin, "color_scheme": wanted, "locale": language}
    with chromium.new_context(bypass_csp=True, **settings) as context:
        context.set_default_timeout(LIMIT)
        look = Look(context.new_page(), language, direction)
        yield look
        look.validate()


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def sign_up(look: Look, email: str) -> None:
    page = look.page
    page.goto("/auth?show=signup")
    page.locator("#sign-up-email").fill(email)
    page.locator("#sign-up-password").fill(PASSWORD)
    page.locator("#sign-up-name").fill("Ada")
    page.locator("#sign-up-birthday").fill("1815-12-10")
    look.press("Create account")
    page.wait_for_url("/")


def test_pages_for_everybody(look: Look) -> None:
    for path in EVERYBODY:
        look.open(path)


def test_errors(look: Look) -> None:
    Authenticator(look.page).lose()
    for path, button in WRONG:
        look.page.goto(path)
        look.press(button, "alert")
        look.check(f"{path} {button}")


def test_the_form_of_a_page_that_is_out_of_date(look: Look) -> None:
    look.page.goto("/auth/reset-password")
    look.page.context.clear_cookies()
    look.press("Send the link")
    look.sees("This form is out of date")
    look.check("a form that is out of date")


def test_pages_of_users(look: Look, shop: Shop, email: str) -> None:
    page = look.page
    sign_up(look, email)
    for path in (
        *("/auth", "/auth/sign-out", "/auth/account", "/auth/mfa", "/fails/denied", "/fails/again"),
        *("/auth/account/password", "/auth/account/email"),
    ):
        look.open(path)
    look.press("Save", "alert")
    look.check("a wrong address")
    look.open("/auth/verify-email")
    look.press("Send the mail", "status")
    look.check("a mail is sent")
    page.goto(str(shop.message(email).link))
    look.press("Confirm")
    look.sees("Your e-mail address is confirmed")
    look.check("a confirmed address")
    page.goto("/auth/sign-out")
    look.press("Sign out")
    look.sees("You are signed out")
    look.check("signed out")
    page.goto("/auth")
    page.locator("#code-contact").fill(email)
    look.press("Send me a code")
    look.sees("Enter your code")
    look.check("/auth/code")
    page.locator("#enter-code").fill("000")
    look.press("Sign in", "alert")
    look.check("a wrong code")
    look.press("Send a new message", "status")
    look.check("a new code")


def test_pages_for_second_factors(look: Look, shop: Shop, email: str) -> None:
    page = look.page
    sign_up(look, email)
    look.open("/needs/totp,otp-email,otp-phone,webauthn")
    look.open("/needs/otp-email")
    look.press("Send a code to {contact}", contact=email)
    look.sees("Enter your code")
    look.check("a code as second factor")
    look.press("Continue", "alert")
    look.check("no code as second factor")
    look.press("Send a new message", "status")
    look.check("a new code as second factor")
    look.open("/needs/otp-phone")
    look.press("Send me a code", "alert")
    look.check("no number")
    page.locator("#send-contact").fill("+49 30 123456")
    look.press("Send me a code")
    look.sees("Enter your code")
    look.check("a code to a number")
    look.open("/needs/totp")
    page.locator("input[type=text]").first.fill("My phone")
    look.press("Set up an app")
    page.get_by_role("img").wait_for()
    look.check("an app is set up")
    secret = page.locator("code").inner_text().replace(" ", "")
    page.locator("#add-code").fill(wrong(secret))
    look.press("Continue", "alert")
    look.check("an app with a wrong code")
    page.locator("#add-code").fill(totp(secret))
    look.press("Continue")
    page.wait_for_url("/needs/totp")
    page.context.clear_cookies()
    page.goto("/auth")
    page.locator("#sign-in-email").fill(email)
    page.locator("#sign-in-password").fill(PASSWORD)
    look.press("Sign in")
    page.wait_for_url("/")
    look.open("/needs/totp")
    look.press("Continue", "alert")
    look.check("no code of an app")
    page.locator("#verify-code").fill(totp(secret, steps=1))
    look.press("Continue")
    page.wait_for_url("/needs/totp")
    look.open("/auth/account")
    page.locator("summary").first.click()
    look.check("the button that removes an app")


def test_a_password_as_second_factor(look: Look, shop: Shop, email: str) -> None:
    page = look.page
    page.goto("/auth")
    page.locator("#code-contact").fill(email)
    look.press("Send me a code")
    page.locator("#enter-code").fill(str(shop.message(email).code))
    look.press("Sign in")
    page.wait_for_url("/")
    look.open("/needs/emailpassword")
    look.press("Save the password", "alert")
    look.check("a password as second factor that is missing")


def test_pages_for_passkeys(look: Look, shop: Shop, email: str) -> None:
    page = look.page
    authenticator = Authenticator(page)
    page.goto("/auth/webauthn?show=signup")
    page.locator("#email").fill(email)
    look.press("Create a passkey")
    page.wait_for_url("/")
    look.open("/auth/account")
    look.open("/auth/account/passkey")
    page.context.clear_cookies()
    sign_up(look, f"other-{email}")
    look.open("/needs/webauthn")
    look.press("Create a passkey")
    page.wait_for_url("/needs/webauthn")
    page.goto("/auth/account")
    page.locator("summary").first.click()
    look.check("the button that removes a passkey")
    authenticator.lose()
    page.goto("/auth/webauthn")
    look.press("Use a passkey", "alert")
    look.check("a lost passkey")
