"""What other sites try with a browser whose user is signed in, and what the browser keeps when they have signed out."""

from __future__ import annotations

import html
import http.server
import re
import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
import flask
import pytest
import requests
from browsing import CHROMIUM_FLAGS, START_LIMIT
from playwright.sync_api import Browser, Page, Playwright, expect
from sdks.processes import free_port
from threads import answering

import st_wsgi
from browser.sites import CHEAP_HASHES, serving_app
from browser.visitor import LIMIT, PASSWORD
from st_wsgi import AppInfo
from st_wsgi.pages import Brand, Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ProviderInput, ThirdParty
from st_wsgi.recipes.webauthn import Webauthn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

NOBODY = "nobody@example.com"
SECRET = "a-secret-in-the-address"


@attrs.frozen
class Shop:
    """A shop with every page, on localhost. ``referrers`` has each path that was asked for, and what led there."""

    origin: str
    referrers: list[tuple[str, str]] = attrs.field(factory=list)


def nowhere(_message: object) -> None:
    """Send nothing."""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    port = free_port()
    shop = Shop(f"http://localhost:{port}")
    client = ProviderClientConfig(client_id="x", client_secret="y")
    st = st_wsgi.SuperTokens(
        app_info=AppInfo(app_name="Shop", api_domain=shop.origin, website_domain=shop.origin),
        core=f"sqlite://?{CHEAP_HASHES}",
        recipes=[
            EmailPassword(email_delivery=nowhere),
            EmailVerification(mode="OPTIONAL", email_delivery=nowhere),
            Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="MAGIC_LINK", email_delivery=nowhere),
            ThirdParty(providers=[ProviderInput(config=ProviderConfig(third_party_id="github", clients=[client]))]),
            Webauthn(email_delivery=nowhere),
            Session(),
            Pages(brand=Brand(terms="/terms", privacy="/privacy")),
        ],
    )
    app = flask.Flask("shop")

    @app.get("/orders")
    def orders() -> str:
        return f"<h1>Orders of {session.get_session(flask.request).get_user_id()}</h1>"

    @app.get("/<word>")
    def public(word: str) -> str:
        return f"<h1>{html.escape(word)}</h1>"

    wrapped = st.wrap(app.wsgi_app)

    def noting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        shop.referrers.append((environ["PATH_INFO"], environ.get("HTTP_REFERER", "")))
        return wrapped(environ, start_response)

    with serving_app(st, noting, port=port):
        yield shop


@contextmanager
def attacking(host: str, document: str, cookie: str = "") -> Iterator[str]:
    """Serve a document of an attacker, who may set a cookie; gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            if cookie:
                self.send_header("Set-Cookie", f"{cookie}; Path=/")
            self.end_headers()
            self.wfile.write(document.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with answering(server):
        yield f"http://{host}:{server.server_port}/"


@pytest.fixture
def page(chromium: Browser, shop: Shop) -> Iterator[Page]:
    """A tab. Scripts run: those of attackers need them."""
    with chromium.new_context(base_url=shop.origin) as context:
        context.set_default_timeout(LIMIT)
        yield context.new_page()


def sign_up(page: Page) -> str:
    """Sign up and return what the shop shows to the user."""
    page.goto("/auth?show=signup&redirectToPath=/orders")
    page.locator("#sign-up-email").fill(f"{uuid.uuid4().hex}@example.com")
    page.locator("#sign-up-password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url("/orders")
    return page.get_by_role("heading").inner_text()


FORGED: dict[str, Mapping[str, str]] = {
    "/auth": {"st-action": "sign-in", "email": NOBODY, "password": PASSWORD},
    "/auth/sign-out": {},
    "/auth/account": {"st-action": "end-others"},
    "/auth/account/password": {"current": PASSWORD, "password": "another horse 2"},
    "/auth/account/email": {"current": PASSWORD, "email": NOBODY},
}


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("localhost", marks=pytest.mark.exhaustive)])
def test_a_form_that_another_site_sends_by_itself(page: Page, shop: Shop, host: str) -> None:
    """
    On 127.0.0.1 the attacker is another site. On localhost they have another port of the same site.

    So the browser sends all cookies along, and the attacker can set the cookie of forms to one whose token they know.
    """
    own = secrets.token_urlsafe(32)
    with requests.Session() as attacker:
        attacker.trust_env = False
        shown = attacker.get(f"{shop.origin}/auth", headers={"Cookie": f"st-form={own}"}, timeout=30).text
    token = re.findall('name="st-form-token" value="([0-9a-f]{64})"', shown)[0]
    who = sign_up(page)
    for path, fields in FORGED.items():
        inputs = "".join(
            f'<input name="{name}" value="{value}">' for name, value in {"st-form-token": token, **fields}.items()
        )
        form = f'<form method="post" action="{shop.origin}{path}">{inputs}</form>'
        with attacking(host, f"{form}<script>document.forms[0].submit()</script>", f"st-form={own}") as address:
            page.goto(address)
            page.wait_for_url(f"{shop.origin}{path}")
        expect(page.get_by_role("heading")).to_have_text("This form is out of date")
        page.goto("/orders")
        expect(page.get_by_role("heading")).to_have_text(who)
    page.goto("/auth/account/password")  # the password is still the old one
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill("yet another horse 3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Your new password is set")


@pytest.mark.exhaustive
def test_no_page_can_be_framed(page: Page, shop: Shop) -> None:
    sign_up(page)
    paths = ["/terms", "/auth", "/auth/sign-out", "/auth/account", "/auth/nowhere"]
    frames = "".join(f'<iframe src="{shop.origin}{path}"></iframe>' for path in paths)
    with attacking("localhost", f"<h1>Win a prize</h1>{frames}") as address:
        page.goto(address)
        expect(page.get_by_role("heading")).to_have_text("Win a prize")
        shown = [urlsplit(frame.url).path for frame in page.frames[1:] if frame.url.startswith(shop.origin)]
    assert shown == ["/terms", "/auth/nowhere"]  # the app's own pages, which it has to protect itself


SECRET_ADDRESSES = [
    f"/auth/reset-password?token={SECRET}",
    f"/auth/verify-email?token={SECRET}",
    f"/auth/verify?linkCode={SECRET}&preAuthSessionId=x",
    f"/auth/webauthn/recover?token={SECRET}",
    f"/auth/callback/github?code={SECRET}&state={SECRET}",
    f"/auth?redirectToPath=/reset?token={SECRET}",
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", SECRET_ADDRESSES)
def test_no_other_page_learns_the_secret_of_an_address(page: Page, shop: Shop, path: str) -> None:
    page.goto("/auth")
    page.get_by_role("link", name="Terms of use").click()
    expect(page.get_by_role("heading")).to_have_text("terms")
    assert ("/terms", f"{shop.origin}/auth") in shop.referrers
    shop.referrers.clear()
    page.goto(path)
    for link in ("Terms of use", "Shop"):
        page.goto(path)
        page.get_by_role("link", name=link, exact=True).click()
        page.wait_for_url(re.compile("/terms|/$"))
    assert {"/terms", urlsplit(path).path} <= {asked for asked, _ in shop.referrers}
    assert [referrer for _, referrer in shop.referrers if SECRET in referrer] == []


@pytest.mark.exhaustive
def test_the_way_back_shows_nothing_after_signing_out(playwright: Playwright, executable: str, shop: Shop) -> None:
    """This Chromium keeps pages for the way back, as those of users do."""
    launched = playwright.chromium.launch(
        executable_path=executable,
        args=CHROMIUM_FLAGS,
        ignore_default_args=["--disable-back-forward-cache"],
        timeout=START_LIMIT,
    )
    with launched as browser, browser.new_context(base_url=shop.origin, java_script_enabled=False) as context:
        page = context.new_page()
        heading = page.get_by_role("heading", level=1)
        who = sign_up(page)
        for _ in range(5):  # Chromium keeps no page that takes a loaded machine too long to put away
            page.goto("/terms")
            shop.referrers.clear()
            page.go_back(wait_until="commit")
            expect(heading).to_have_text(who)
            if "/orders" not in dict(shop.referrers):
                break
        else:
            pytest.fail("no page is kept")
        page.goto("/auth/account")
        expect(heading).to_have_text("Your account")
        page.get_by_role("link", name="Sign out").click()
        page.get_by_role("button", name="Sign out").click()
        expect(heading).to_have_text("You are signed out")
        seen: list[str] = []
        while f"{shop.origin}/auth?redirectToPath=%2Forders" not in seen:
            assert page.go_back(wait_until="commit") is not None
            expect(heading).to_have_text(re.compile("You are signed out|Sign in to Shop"))
            seen.append(page.url)
        assert f"{shop.origin}/auth?redirectToPath=%2Fauth%2Faccount" in seen
