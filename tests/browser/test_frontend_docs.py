"""The blocks of ``docs/frontend.md`` run: the web SDK, React with its ready forms, a frontend without any SDK."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests
from openid.real_provider import running as running_provider
from playwright.sync_api import Locator, Page, expect
from recipes.totp.parts import totp, wrong
from sdks.installs import missing
from sdks.processes import free_port
from threads import answering

from browser.shop_of_docs import API, BLOCKS, PAGE, Block, Shop, of_part, running, with_changes
from browser.test_passkeys import Authenticator
from browser.visitor import LIMIT, PASSWORD, Visitor
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.embedded import EmbeddedCore

NEW_PASSWORD = "another horse 2"

WEB_SDK = of_part("The official web SDK", "sh", "html", "js")
REACT = of_part("React", "sh", "html", "jsx")
(WITHOUT_ROUTER,) = [block for block in REACT if "canHandleRoute" in block.code]
(RULE,) = [block for block in REACT if "signUpForm" in block.code]
WITH_ROUTER = [block for block in REACT if block not in (WITHOUT_ROUTER, RULE)]
(ROUTER,) = [block for block in WITH_ROUTER if "createRoot(" in block.code]
PLAIN = of_part("Without any SDK", "js")
(CURL,) = of_part("Without any SDK", "sh")
CLIENT, USE_OF_CLIENT = of_part("Without any SDK", "python")
APP = of_part("The app of the examples", "python", "sh")

#: A page that has nothing in it, for a script that the tests import.
EMPTY = Block(
    "", "html", '<!-- website/index.html -->\n<!doctype html><title>Shop</title><link rel=icon href="data:,">'
)


def test_every_block_of_the_page_is_run_by_one_of_these_tests() -> None:
    run = [*APP, *WEB_SDK, *REACT, *PLAIN, CURL, CLIENT, USE_OF_CLIENT]
    assert {block.code for block in BLOCKS} == {block.code for block in run}
    assert PAGE.count("\n```") == 2 * len(BLOCKS)


def end_sessions(shop: Shop, user_id: str) -> None:
    """Revoke all sessions of a user, as another device would."""
    with EmbeddedCore.open(f"sqlite:///{shop.folder}/auth.db") as core:
        core.send(CoreRequest("POST", "/public/recipe/session/remove", body={"userId": user_id}))


def expired(page: Page, token: str) -> None:
    """Return as soon as an access token has expired by the page's clock; ``token`` is an expression for its claims."""
    page.wait_for_function(f"({token}).ate < Date.now()", polling=100)


FRONT_COOKIE = "JSON.parse(atob(document.cookie.match(/sFrontToken=([^;]+)/)[1]))"


# The official web SDK.


@attrs.frozen
class SdkPage:
    """The page of the web SDK, as its users see it."""

    page: Page
    shop: Shop

    def open(self, address: str = "") -> None:
        self.page.goto(address or self.shop.website)

    def enter(self, email: str, password: str, button: str) -> None:
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.press(button)

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button).click()

    def says(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.locator("output")).to_have_text(text)


@pytest.fixture(scope="module")
def web_sdk(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """The shop with the page of the web SDK; the parameter says whether the website has an origin of its own."""
    folder = tmp_path_factory.mktemp("web_sdk")
    with running(folder, WEB_SDK, two_origins=request.param == "two origins", token_seconds=4) as shop:
        yield shop


EACH_ORIGIN = pytest.mark.parametrize("web_sdk", ["one origin", "two origins"], indirect=True, scope="module")


@pytest.mark.exhaustive
@EACH_ORIGIN
def test_the_web_sdk(web_sdk: Shop, visitor: Visitor) -> None:
    sdk = SdkPage(visitor.new_page(), web_sdk)
    sdk.open()
    sdk.says("You are not signed in.")
    sdk.page.on("dialog", lambda dialog: dialog.accept(NEW_PASSWORD if dialog.type == "prompt" else ""))
    sdk.press("My orders")
    sdk.says("Please sign in.")
    sdk.enter(visitor.email, "short", "Sign up")
    sdk.says("Password must contain at least 8 characters, including a number")
    sdk.enter(visitor.email, PASSWORD, "Sign up")
    sdk.says(re.compile("^Hello .*, please confirm your address.$"))

    sdk.press("My orders")
    sdk.says("Please confirm your address first. A mail is on its way.")
    link = web_sdk.link(visitor.email, "/auth/verify-email")
    sdk.open(link)
    sdk.says("Your address is confirmed.")
    sdk.open(link)  # it is good for one time
    sdk.says("Your address is not confirmed.")
    sdk.open()
    sdk.says(re.compile("^Hello .*, your address is confirmed.$"))

    expired(sdk.page, FRONT_COOKIE)
    visitor.requests.clear()
    sdk.press("My orders")
    sdk.says("Your orders: a book")
    assert visitor.answers("/api/orders") == [401, 200]
    assert visitor.refreshes() == [200]
    assert {"sAccessToken", "sRefreshToken"} <= visitor.cookies().keys()

    sdk.press("Sign out")
    sdk.says("You are not signed in.")
    sdk.enter(visitor.email, NEW_PASSWORD, "Sign in")
    sdk.says("The address and the password do not match.")
    sdk.press("Forgot password?")
    sdk.says("If we know this address, a mail is on its way.")
    sdk.open(web_sdk.link(visitor.email, "/auth/reset-password"))
    sdk.says("You can sign in with your new password.")
    sdk.enter(visitor.email, NEW_PASSWORD, "Sign in")
    sdk.says(re.compile("^Hello "))


@pytest.mark.exhaustive
def test_the_web_sdk_keeps_tokens_in_headers_if_the_page_says_so(tmp_path: Path, visitor: Visitor) -> None:
    told = re.search(r"Session\.init\(\{ tokenTransferMethod: \"header\" \}\)", PAGE)
    assert told is not None
    with running(tmp_path, WEB_SDK, two_origins=True, replaced=[("Session.init()", told[0])]) as shop:
        sdk = SdkPage(visitor.new_page(), shop)
        sdk.open()
        sdk.enter(visitor.email, PASSWORD, "Sign up")
        sdk.says(re.compile("^Hello "))
        assert visitor.holds() == "header"


# React.


@attrs.frozen
class Forms:
    """The ready forms of ``supertokens-auth-react``, as users see them."""

    page: Page
    shop: Shop

    def open(self, path: str) -> None:
        self.page.goto(self.shop.website + path)

    def enter(self, submit: str, **values: str) -> None:
        """Fill in fields by their names, in the form that has this button, and send it."""
        button = self.page.get_by_role("button", name=submit)
        form = self.page.locator("form").filter(has=button)
        for name, value in values.items():
            form.locator(f"input[name={name}]").fill(value)
        button.click()

    def press(self, text: str) -> None:
        self.page.get_by_text(text, exact=True).click()

    def shows(self, text: str) -> None:
        expect(self.text(text)).to_be_visible()

    def text(self, text: str) -> Locator:
        return self.page.get_by_text(text, exact=True)

    def is_at(self, path: str) -> None:
        expect(self.page).to_have_url(re.compile(re.escape(self.shop.website) + path))


@pytest.fixture(scope="module")
def react(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running(tmp_path_factory.mktemp("react"), WITH_ROUTER) as shop:
        yield shop


def signed_up(forms: Forms, email: str) -> None:
    """Sign up on the way to the protected route, and confirm the address by the link of the mail."""
    forms.open("/orders")
    forms.is_at(r"/auth/?\?redirectToPath=%2Forders")
    forms.press("Sign Up")
    forms.enter("SIGN UP", email=email, password="short")
    forms.shows("Password must contain at least 8 characters, including a number")
    forms.enter("SIGN UP", email=email, password=PASSWORD)
    forms.shows("Verify your email!")
    forms.open("/orders")  # there is no way round it
    forms.shows("Verify your email!")
    forms.page.goto(forms.shop.link(email, "/auth/verify-email"))
    forms.press("CONTINUE")


def test_the_ready_forms_of_react(react: Shop, visitor: Visitor) -> None:
    forms = Forms(visitor.new_page(), react)
    signed_up(forms, visitor.email)
    forms.is_at("/(orders)?$")
    forms.open("/orders")
    forms.press("Show my orders")
    forms.shows("a book")

    forms.press("Sign out")
    forms.is_at("/$")
    forms.press("My orders")
    forms.enter("SIGN IN", email=visitor.email, password=NEW_PASSWORD)
    forms.shows("Incorrect email and password combination")
    forms.press("Forgot password?")
    forms.enter("Email me", email=visitor.email)
    forms.shows("Resend or change email")
    forms.page.goto(react.link(visitor.email, "/auth/reset-password"))
    forms.enter("Change password", password=NEW_PASSWORD, **{"confirm-password": NEW_PASSWORD})
    forms.shows("Success!")
    forms.open("/orders")
    forms.enter("SIGN IN", email=visitor.email, password=NEW_PASSWORD)
    forms.is_at("/orders$")
    forms.press("Show my orders")
    forms.shows("a book")
    assert visitor.refreshes() == [401]  # before the first sign-up, the SDK cannot know whether there is a session

    signed_in = [request for request in visitor.requests if request.url.endswith("/auth/signin")]
    spoken = {request.headers["fdi-version"] for request in signed_in}
    packages = json.loads(Path(__file__).with_name("package.json").read_text())["dependencies"]
    told = " ".join(PAGE.split("## React\n")[1].split("```")[0].split())
    assert re.findall(r"\d+\.\d+\.\d+", told) == [packages["supertokens-auth-react"], packages["supertokens-web-js"]]
    assert spoken == {",".join(re.findall(r"\b\d\.\d\b(?!\.)", told.partition("speak")[2]))}


@pytest.mark.exhaustive
def test_the_ready_forms_on_an_origin_of_their_own_renew_the_session(tmp_path: Path, visitor: Visitor) -> None:
    with running(tmp_path, WITH_ROUTER, two_origins=True, token_seconds=4) as shop:
        forms = Forms(visitor.new_page(), shop)
        signed_up(forms, visitor.email)
        forms.open("/orders")
        forms.shows("Show my orders")
        expired(forms.page, FRONT_COOKIE)
        visitor.requests.clear()
        forms.press("Show my orders")
        forms.shows("a book")
        assert visitor.answers("/api/orders") == [401, 200]
        assert visitor.refreshes() == [200]
        user_id = forms.page.evaluate(f"{FRONT_COOKIE}.uid")
        end_sessions(shop, user_id)
        expired(forms.page, FRONT_COOKIE)
        forms.open("/orders")
        forms.is_at(r"/auth/?\?redirectToPath=%2Forders")
        assert not {"sAccessToken", "sRefreshToken", "sFrontToken"} & visitor.cookies().keys()


@pytest.mark.exhaustive
def test_the_ready_forms_without_react_router(tmp_path: Path, visitor: Visitor) -> None:
    other = attrs.evolve(WITHOUT_ROUTER, code=WITHOUT_ROUTER.code.partition("\n")[2])
    blocks = [other if block == ROUTER else block for block in WITH_ROUTER]
    with running(tmp_path, blocks) as shop:
        forms = Forms(visitor.new_page(), shop)
        signed_up(forms, visitor.email)
        forms.press("Show my orders")
        forms.shows("a book")


@pytest.mark.exhaustive
@pytest.mark.parametrize("with_rule", [False, True])
def test_the_form_of_react_needs_the_rule_of_the_policy(tmp_path: Path, visitor: Visitor, with_rule: bool) -> None:
    """Without it, the form refuses a password that the app accepts."""
    changes = [
        ("import EmailPassword\n", "import EmailPassword, PasswordPolicy\n"),
        ("EmailPassword()", "EmailPassword(password_policy=PasswordPolicy(min_length=10))"),
    ]
    if with_rule:
        changes += [
            ("\nSuperTokens.init", f"\n{RULE.code}\nSuperTokens.init"),
            ("recipeList: [EmailPassword.init()", "recipeList: [emailPassword"),
        ]
    with running(tmp_path, WITH_ROUTER, replaced=changes) as shop:
        forms = Forms(visitor.new_page(), shop)
        forms.open("/auth?show=signup")
        forms.enter("SIGN UP", email=visitor.email, password="too short")
        if with_rule:
            forms.shows("Please use at least 10 characters.")
        forms.enter("SIGN UP", password="only letters and spaces")
        forms.shows("Verify your email!" if with_rule else "Password must contain at least one number")


#: The rows of the table of forms: recipe, module, how it is initialised, forms.
_ROW = re.compile(r"^\| \[`(\w+)`\]\(\S+\) \| `(\w+)` \| `(.+)` \| `(\w+)` \|$", re.MULTILINE)
FORMS = {name: (module, init, forms) for name, module, init, forms in _ROW.findall(PAGE)}

TOTP_NEEDED = """\
from st_wsgi import Override, replace
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.totp import Totp

def needed(original):
    return replace(original, get_mfa_requirements_for_auth=lambda **_given: ["totp"])

SECOND = MultiFactorAuth(first_factors=["emailpassword"], override=Override(functions=needed))
"""
CODES = "from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless\n"
PASSKEYS = "from st_wsgi.recipes.webauthn import Webauthn\n"
PROVIDER = """\
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.recipes.thirdparty import ProviderInput, ThirdParty

CONFIG = ProviderConfig(
    third_party_id="idp",
    clients=[ProviderClientConfig(client_id="client-with-pkce", scope=["openid", "email"])],
    oidc_discovery_endpoint="DISCOVERY",
)
"""


@contextmanager
def with_more_forms(
    folder: Path, visitor: Visitor, names: Sequence[str], *, defined: str, recipes: str, port: int | None = None
) -> Iterator[Forms]:
    """
    The shop with further recipes, and with their forms as the table of the page has them.

    :param defined: what the recipes of the app need.
    :param recipes: the recipes, as they stand in the list.
    """
    rows = [FORMS[name] for name in names]
    imports = "".join(
        f'import {init.partition(".")[0]} from "supertokens-auth-react/recipe/{module}";\n'
        f'import {{ {forms} }} from "supertokens-auth-react/recipe/{module}/prebuiltui";\n'
        for module, init, forms in rows
    )
    changes = [
        ("const API =", f"{imports}const API ="),
        ("recipeList: [", f"recipeList: [{', '.join(init for _, init, _ in rows)}, "),
        ("router, [", f"router, [{', '.join(forms for *_, forms in rows)}, "),
        ("\nAPI =", f"\n{defined}\nAPI ="),
        ("recipes=[", f"recipes=[{recipes}, "),
    ]
    with running(folder, WITH_ROUTER, host="localhost", port=port, replaced=changes) as shop:
        yield Forms(visitor.new_page(), shop)


def shows_orders(forms: Forms) -> None:
    forms.open("/orders")
    forms.press("Show my orders")
    forms.shows("a book")


@pytest.mark.exhaustive
def test_the_ready_forms_for_an_authenticator_app(tmp_path: Path, visitor: Visitor) -> None:
    recipes = "Totp(), SECOND"
    with with_more_forms(tmp_path, visitor, ["MultiFactorAuth", "Totp"], defined=TOTP_NEEDED, recipes=recipes) as forms:
        signed_up(forms, visitor.email)
        forms.press("secret key")
        secret = forms.page.get_by_text(re.compile("^[A-Z2-7]{32}$")).inner_text()
        forms.enter("Continue", totp=wrong(secret))
        expect(forms.page.get_by_text("Invalid TOTP")).to_be_visible()
        forms.enter("Continue", totp=totp(secret))
        forms.is_at("/(orders)?$")
        shows_orders(forms)
        forms.press("Sign out")
        forms.press("My orders")
        forms.enter("SIGN IN", email=visitor.email, password=PASSWORD)
        forms.shows("Enter TOTP")
        forms.enter("Continue", totp=totp(secret, steps=1))  # each code is good for one time
        forms.is_at("/orders$")
        shows_orders(forms)


@pytest.mark.exhaustive
def test_the_ready_forms_for_codes_and_links(tmp_path: Path, visitor: Visitor) -> None:
    recipes = 'Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE_AND_MAGIC_LINK")'
    with with_more_forms(tmp_path, visitor, ["Passwordless"], defined=CODES, recipes=recipes) as forms:

        def ask() -> None:
            forms.open("/auth?show=signup")
            forms.press("CONTINUE WITH PASSWORDLESS")
            forms.enter("CONTINUE", email=visitor.email)
            forms.shows("Enter OTP")

        ask()
        forms.enter("CONTINUE", userInputCode="abcdef")
        forms.shows("Invalid OTP")
        forms.shop.link(visitor.email, "/auth/verify")
        log = (forms.shop.folder / "server.log").read_text()
        forms.enter("CONTINUE", userInputCode=re.findall(r"^(\d{6})$", log, re.MULTILINE)[-1])
        forms.shows("My orders")
        shows_orders(forms)  # the code has confirmed the address
        forms.press("Sign out")
        forms.is_at("/$")
        ask()
        forms.page.goto(forms.shop.link(visitor.email, "/auth/verify"))
        forms.shows("My orders")
        shows_orders(forms)


@pytest.mark.exhaustive
def test_the_ready_forms_for_passkeys(tmp_path: Path, visitor: Visitor) -> None:
    with with_more_forms(tmp_path, visitor, ["Webauthn"], defined=PASSKEYS, recipes="Webauthn()") as forms:
        passkeys = Authenticator(forms.page)
        forms.open("/auth?show=signup")
        forms.press("CONTINUE WITH PASSKEY")
        forms.enter("CONTINUE", email=visitor.email)
        forms.shows("Create a passkey")
        forms.page.get_by_role("button", name="CONTINUE").click()
        forms.shows("Verify your email!")
        assert len(passkeys.credentials()) == 1
        forms.page.goto(forms.shop.link(visitor.email, "/auth/verify-email"))
        forms.press("CONTINUE")
        forms.shows("My orders")
        shows_orders(forms)
        forms.press("Sign out")
        forms.press("My orders")
        forms.press("CONTINUE WITH PASSKEY")
        forms.is_at("/orders$")
        shows_orders(forms)


@pytest.mark.exhaustive
def test_the_ready_forms_for_a_provider(tmp_path: Path, visitor: Visitor) -> None:
    port = free_port()
    recipes = "ThirdParty(providers=[ProviderInput(config=CONFIG)], allow_private_networks=True)"
    with running_provider(tmp_path, f"http://localhost:{port}/auth/callback/idp") as provider:
        config = PROVIDER.replace("DISCOVERY", provider.discovery)
        with with_more_forms(tmp_path, visitor, ["ThirdParty"], defined=config, recipes=recipes, port=port) as forms:
            forms.open("/orders")
            forms.press("Continue with Our staff")
            forms.page.fill("input[name=login]", visitor.email.partition("@")[0])
            forms.page.fill("input[name=password]", "any")
            forms.page.get_by_role("button", name="Sign-in").click()
            forms.page.get_by_role("button", name="Continue").click()
            forms.is_at("/orders$")
            shows_orders(forms)  # the provider has confirmed the address


# No SDK.


@attrs.frozen
class Plain:
    """A tab that has imported the module of the page."""

    page: Page

    def run(self, call: str, *given: object) -> Any:
        """Return what a call of the module gives, such as ``user()``; a response as its status and its JSON."""
        return self.page.evaluate(
            f"""async (given) => {{
                const plain = await import("/static/session.js");
                const result = await plain.{call};
                return result instanceof Response ? [result.status, await result.json()] : result;
            }}""",
            list(given),
        )

    def expired(self) -> None:
        expired(self.page, "JSON.parse(atob(document.cookie.match(/front-token=([^;]+)/)[1]))")


ANTI_CSRF = {
    "one origin": ("Session()", "Session()"),
    "two origins": ("Session()", 'Session(anti_csrf="VIA_CUSTOM_HEADER")'),
    "anti-CSRF token": ("Session()", 'Session(anti_csrf="VIA_TOKEN")'),
}


@pytest.fixture(scope="module", params=list(ANTI_CSRF))
def plain_shop(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """The shop whose website has the module and nothing else."""
    folder, name = tmp_path_factory.mktemp("plain"), request.param
    with running(
        folder, [EMPTY, *PLAIN], two_origins=name != "one origin", token_seconds=3, replaced=[ANTI_CSRF[name]]
    ) as shop:
        yield shop


@pytest.fixture
def open_tab(plain_shop: Shop, visitor: Visitor) -> Callable[[], Plain]:
    def open_tab() -> Plain:
        tab = Plain(visitor.new_page())
        tab.page.goto(plain_shop.website)
        return tab

    return open_tab


@pytest.mark.exhaustive
def test_the_module_signs_up_in_and_out(open_tab: Callable[[], Plain], visitor: Visitor) -> None:
    tab = open_tab()
    assert tab.run("user()") is None
    assert tab.run('call("/api/me")') == [401, {"message": "unauthorised"}]
    assert visitor.refreshes() == []  # nobody has signed in here
    assert tab.run("signUp(...given)", visitor.email, "short")["status"] == "FIELD_ERROR"
    outcome = tab.run("signUp(...given)", visitor.email, PASSWORD)
    assert outcome["status"] == "OK"
    user = tab.run("user()")
    assert user["uid"] == user["up"]["sub"] == outcome["user"]["id"]
    assert tab.run('call("/api/me")') == [200, {"user": user["uid"]}]
    status, refused = tab.run('call("/api/orders")')
    assert (status, refused["claimValidationErrors"][0]["id"]) == (403, "st-ev")
    tab.expired()
    assert tab.run("signOut()") == [200, {"status": "OK"}]
    assert visitor.refreshes() == [200]
    assert tab.run("user()") is None
    assert visitor.cookies() == {}
    assert tab.run("signIn(...given)", visitor.email, NEW_PASSWORD)["status"] == "WRONG_CREDENTIALS_ERROR"
    assert tab.run("signIn(...given)", visitor.email, PASSWORD)["status"] == "OK"
    assert tab.run('call("/api/me")') == [200, {"user": user["uid"]}]


@pytest.mark.exhaustive
def test_tabs_share_one_refresh_and_know_of_the_sign_out(open_tab: Callable[[], Plain], visitor: Visitor) -> None:
    tabs = [open_tab() for _ in range(3)]
    user_id = tabs[0].run("signUp(...given)", visitor.email, PASSWORD)["user"]["id"]
    assert {tab.run("user()")["uid"] for tab in tabs} == {user_id}
    tabs[0].expired()
    visitor.requests.clear()
    for tab in tabs:
        tab.page.evaluate(
            """() => { window.statuses = import("/static/session.js").then((plain) => Promise.all(
                [1, 2, 3].map(() => plain.call("/api/me").then((response) => response.status)))); }"""
        )
    assert [tab.page.evaluate("() => window.statuses") for tab in tabs] == [[200] * 3] * 3
    assert visitor.refreshes() == [200]
    tabs[2].run("signOut()")
    assert [tab.run("user()") for tab in tabs] == [None] * 3


@pytest.mark.exhaustive
def test_a_session_that_was_revoked_ends_with_the_refresh(
    plain_shop: Shop, open_tab: Callable[[], Plain], visitor: Visitor
) -> None:
    tab = open_tab()
    user_id = tab.run("signUp(...given)", visitor.email, PASSWORD)["user"]["id"]
    end_sessions(plain_shop, user_id)
    tab.expired()
    assert tab.run('call("/api/me")')[0] == 401
    assert visitor.refreshes() == [401]
    assert tab.run("user()") is None


@pytest.mark.exhaustive
def test_a_server_that_is_away_ends_no_session(
    plain_shop: Shop, open_tab: Callable[[], Plain], visitor: Visitor
) -> None:
    tab = open_tab()
    tab.run("signUp(...given)", visitor.email, PASSWORD)
    tab.expired()
    cors = {"Access-Control-Allow-Origin": plain_shop.website, "Access-Control-Allow-Credentials": "true"}
    tab.page.route("**/auth/session/refresh", lambda route: route.fulfill(status=503, json={}, headers=cors))
    assert tab.run('call("/api/me")')[0] == 401
    assert visitor.refreshes() == [503]
    assert tab.run("user()") is not None
    tab.page.unroute("**/auth/session/refresh")
    assert tab.run('call("/api/me")')[0] == 200


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The app, for clients that are no browsers, with a user."""
    with running(tmp_path_factory.mktemp("api"), [CLIENT], token_seconds=3) as shop:
        fields = [{"id": "email", "value": "ada@example.com"}, {"id": "password", "value": PASSWORD}]
        with requests.Session() as http:
            http.trust_env = False
            made = http.post(f"{shop.api}/auth/signup", json={"formFields": fields}, timeout=30)
        assert made.json()["status"] == "OK"
        yield shop


@pytest.mark.exhaustive
def test_curl(api: Shop) -> None:
    if shutil.which("curl") is None:
        missing("curl (on Debian: apt-get install curl)")
    commands = with_changes(CURL.code, [(API, api.api)])
    env = {**os.environ, "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        ["sh", "-eu"], input=commands, capture_output=True, text=True, check=True, cwd=api.folder, env=env
    )
    assert '"user":' in done.stdout
    tokens = dict(re.findall(r"^st-(access|refresh)-token: (\S+)", (api.folder / "headers").read_text(), re.MULTILINE))
    assert tokens.keys() == {"access", "refresh"}
    for name, token in tokens.items():
        assert token not in (api.folder / name).read_text()
    assert {(api.folder / name).stat().st_mode & 0o077 for name in ("headers", "access", "refresh")} == {0}


@pytest.mark.exhaustive
def test_the_client_in_python(api: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.syspath_prepend(str(api.folder))
    names: dict[str, Any] = {}
    exec(compile(with_changes(USE_OF_CLIENT.code, [(API, api.api)]), "page", "exec"), names)
    client = names["client"]
    user_id = client.call("GET", "/api/me").json()["user"]
    assert user_id in capsys.readouterr().out
    first = dict(client.tokens)

    def wait_for_expiry(access_token: str) -> None:
        bearer, limit = {"Authorization": f"Bearer {access_token}"}, time.monotonic() + LIMIT / 1000
        while client.http.get(f"{api.api}/api/me", headers=bearer, timeout=30).ok:
            assert time.monotonic() < limit
            threading.Event().wait(0.1)

    wait_for_expiry(first["st-access-token"])
    assert client.call("GET", "/api/me").json() == {"user": user_id}
    assert not set(client.tokens.values()) & set(first.values())
    with pytest.raises(PermissionError, match="WRONG_CREDENTIALS_ERROR"):
        client.sign_in("ada@example.com", NEW_PASSWORD)
    end_sessions(api, user_id)
    wait_for_expiry(client.tokens["st-access-token"])
    with pytest.raises(PermissionError, match="sign in again"):
        client.call("GET", "/api/me")
    assert set(client.tokens.values()) == {""}
    client.http.close()


class Recorder(http.server.ThreadingHTTPServer):
    """A server that keeps what it is asked for, and leads everybody who asks for ``/away`` or a renewal to another."""

    def __init__(self, other: str = "") -> None:
        #: Path, header ``Authorization`` and body of each request.
        self.seen: list[tuple[str, str | None, bytes]] = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen.append((self.path, self.headers["Authorization"], body))
                self.send_response(307 if other and self.path.endswith(("/away", "/signin", "/refresh")) else 401)
                self.send_header("Location", f"{other}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @contextmanager
    def listening(self) -> Iterator[Recorder]:
        with answering(self):
            yield self


def test_the_client_in_python_sends_its_tokens_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password of-another-program\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    names: dict[str, Any] = {}
    exec(compile(CLIENT.code, "page", "exec"), names)
    with Recorder().listening() as other, Recorder(f"http://{other.address}").listening() as api:
        client = names["Client"](f"http://{api.address}")
        client.tokens = {"st-access-token": "access"}
        for path in (f"@{other.address}/x", f"//{other.address}/x", f"/away?{other.address}", ".example/x", "5/x"):
            client.call("GET", path)
        assert {authorization for _, authorization, _ in api.seen} == {"Bearer access"}
        assert len(api.seen) == 5
        client.tokens["st-refresh-token"] = "refresh"
        client.call("POST", "/orders", data=b"order")
        assert ("/auth/session/refresh", "Bearer refresh", b"") in api.seen
        with pytest.raises(ValueError, match="Expecting value"):
            client.sign_in("ada@example.com", PASSWORD)
        assert api.seen[-1][:2] == ("/auth/signin", None)
        client.http.close()
        assert other.seen == []
