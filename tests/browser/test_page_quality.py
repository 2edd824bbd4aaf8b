"""Each page and each of its errors: what axe finds, in light and dark, and what html-validate says of the HTML."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Literal

import flask
import pytest
from playwright.sync_api import Browser, Page, Response
from sdks.installs import node_packages
from sdks.processes import free_port

import st_wsgi
from browser.sites import CHEAP_HASHES, serving_app
from browser.visitor import LIMIT, PASSWORD
from st_wsgi import AppInfo
from st_wsgi.delivery import Message
from st_wsgi.pages import Brand, Field, Pages
from st_wsgi.recipes.emailpassword import EmailPassword, FormField, SignUpFeature
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ProviderInput, ThirdParty

pytestmark = pytest.mark.exhaustive

HERE = Path(__file__).parent

Check = Callable[[str], None]

EVERYBODY = [
    "/auth",
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
]
WRONG = [
    ("/auth", "Sign in"),
    ("/auth", "Send me a code"),
    ("/auth?show=signup", "Create account"),
    ("/auth/reset-password", "Send the link"),
    ("/auth/reset-password?token=x", "Save the password"),
    ("/auth/verify-email?token=x", "Confirm"),
]
"""Forms that are sent as they are."""


@pytest.fixture(scope="module")
def mails() -> Queue[Message]:
    return Queue()


@pytest.fixture(scope="module")
def origin(mails: Queue[Message]) -> Iterator[str]:
    """A shop with every page."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    fields = [FormField(id="name"), FormField(id="news", optional=True)]
    client = ProviderClientConfig(client_id="x", client_secret="y")
    st = st_wsgi.SuperTokens(
        app_info=AppInfo(app_name="Shop", api_domain=origin, website_domain=origin),
        core=f"sqlite://?{CHEAP_HASHES}",
        recipes=[
            EmailPassword(sign_up_feature=SignUpFeature(form_fields=fields), email_delivery=mails.put),
            EmailVerification(mode="OPTIONAL", email_delivery=mails.put),
            Passwordless(
                contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE", email_delivery=mails.put
            ),
            ThirdParty(providers=[ProviderInput(config=ProviderConfig(third_party_id="github", clients=[client]))]),
            Session(record_sign_in=True),
            Pages(
                brand=Brand(terms="/terms", privacy="/privacy"),
                fields={"news": Field(label="Send me news", type="checkbox", hint="Once a month")},
            ),
        ],
    )
    app = flask.Flask("shop")
    app.add_url_rule("/", view_func=lambda: "<!doctype html><html lang=en><title>x</title><h1>Home</h1>")
    with serving_app(st, st.wrap(app.wsgi_app), port=port):
        yield origin


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Browser, origin: str) -> Iterator[Page]:
    """A tab. Scripts run only for axe: the pages have none."""
    scheme: Literal["dark", "light"] = "dark" if request.param == "dark" else "light"
    with chromium.new_context(base_url=origin, color_scheme=scheme, bypass_csp=True) as context:
        context.set_default_timeout(LIMIT)
        yield context.new_page()


@pytest.fixture
def check(page: Page) -> Iterator[Check]:
    """Check what the tab shows; in the end, the HTML of all pages as it was sent."""
    packages = node_packages(HERE)
    sent: list[Response] = []
    documents: list[tuple[str, str]] = []
    page.on("response", lambda one: sent.append(one) if one.request.is_navigation_request() else None)

    def check(name: str) -> None:
        page.wait_for_load_state()
        documents.append((name, sent[-1].text()))
        page.add_script_tag(path=packages / "axe-core" / "axe.min.js")
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert (name, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]) == (name, [])
        for width in (320, 768, 1280):
            page.set_viewport_size({"width": width, "height": 720})
            assert page.evaluate("document.documentElement.scrollWidth") <= width

    yield check
    command = ["node", str(HERE / "validate.mjs")]
    run = subprocess.run(command, input=json.dumps(documents), capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def sign_up(page: Page, email: str) -> None:
    page.goto("/auth?show=signup")
    page.locator("#sign-up-email").fill(email)
    page.locator("#sign-up-password").fill(PASSWORD)
    page.locator("#sign-up-name").fill("Ada")
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url("/")


def test_pages_for_everybody(page: Page, check: Check) -> None:
    for path in EVERYBODY:
        page.goto(path)
        check(path)


def test_errors(page: Page, check: Check) -> None:
    for path, button in WRONG:
        page.goto(path)
        page.get_by_role("button", name=button).click()
        page.get_by_role("alert").wait_for()
        check(f"{path} {button}")


def test_pages_of_users(page: Page, check: Check, mails: Queue[Message]) -> None:
    email = f"{uuid.uuid4().hex}@example.com"
    sign_up(page, email)
    for path in ("/auth", "/auth/sign-out", "/auth/account", "/auth/account/password", "/auth/account/email"):
        page.goto(path)
        check(path)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").wait_for()
    check("a wrong address")
    page.goto("/auth/verify-email")
    check("/auth/verify-email")
    page.get_by_role("button", name="Send the mail").click()
    page.get_by_role("status").wait_for()
    check("a mail is sent")
    page.goto(next(mail.link for mail in iter(lambda: mails.get(timeout=60), None) if mail.to == email and mail.link))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("heading", name="is confirmed").wait_for()
    check("a confirmed address")
    page.goto("/auth/sign-out")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="You are signed out").wait_for()
    check("signed out")
    page.goto("/auth")
    page.locator("#code-contact").fill(email)
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_role("heading", name="Enter your code").wait_for()
    check("/auth/code")
    page.get_by_label("Code").fill("000")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    check("a wrong code")
