"""
Backends in other languages beside an auth server: nginx, gunicorn, Node.js and PHP run with the files of the examples.

People sign in with Chromium, on the pages of the auth server or with the official web SDK.
"""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from browser.visitor import PASSWORD, Tab, Visitor
from pages import blocks
from playwright.sync_api import Page, expect
from sdks.processes import ROOT

import st_wsgi
from deployments.backends import EXAMPLES, GUNICORN, LIMIT, Deployment, fetch
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes.session import Session

#: Seconds for which access tokens are good.
TOKEN_SECONDS = 3

UNAUTHORISED = {"message": "unauthorised"}
TRY_REFRESH = {"message": "try refresh token"}

#: What a script of the website does: {status, body}.
CALL = """async ([url, options]) => {
    const response = await fetch(url, { credentials: "include", ...options });
    const text = await response.text();
    return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : text };
}"""


def deployment(arrangement: str, folder: Path, page_folder: Path, token_seconds: int = TOKEN_SECONDS) -> Deployment:
    """The website's files are the test page with the official web SDK."""
    public = folder / "public"
    shutil.copytree(page_folder, public)
    return Deployment(arrangement, folder, public, token_seconds)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory, page_folder: Path) -> Iterator[Deployment]:
    """One domain, with access tokens that do not expire while a test runs."""
    made = deployment("one_domain", tmp_path_factory.mktemp("steady"), page_folder, token_seconds=3600)
    with made.running() as here:
        yield here


def call(page: Page, url: str, method: str = "GET", **headers: str) -> Any:
    """What a script of the page gets: status and body."""
    return page.evaluate(CALL, [url, {"method": method, "headers": headers}])


def sign_up(page: Page, visitor: Visitor) -> None:
    """On the pages of the auth server."""
    page.get_by_role("link", name="Create an account", exact=True).click()
    page.get_by_label("E-mail address", exact=True).fill(visitor.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account", exact=True).click()


def wait_for_expiry(page: Page) -> None:
    """Return as soon as Node.js refuses the access token."""
    limit = time.monotonic() + LIMIT
    while page.evaluate("async () => (await fetch('/api/me')).ok"):
        assert time.monotonic() < limit
        page.wait_for_timeout(100)


def test_a_person_signs_in_on_the_pages_and_every_backend_knows_them(
    visitor: Visitor, tmp_path: Path, page_folder: Path
) -> None:
    """From the website in PHP to the sign-in and back, expired access tokens that nobody notices, and sign-out."""
    with deployment("one_domain", tmp_path, page_folder, token_seconds=3600).running() as here:
        page = visitor.new_page()
        page.goto(f"{here.shop}/orders?page=2")
        sign_up(page, visitor)
        expect(page).to_have_url(f"{here.shop}/orders?page=2")
        user_id = page.locator("b").inner_text()
        assert call(page, "/api/me") == {"status": 200, "body": {"userId": user_id}}
        assert call(page, "/me") == {"status": 200, "body": {"userId": user_id}}
        assert call(page, "/reports/2026") == {"status": 200, "body": {"reportsOf": user_id, "method": "GET"}}
        here.token_seconds = 2
        here.restart("auth")
        page.context.clear_cookies(name="sAccessToken")  # renewed only where it is missing or has expired
        page.goto(f"{here.shop}/auth/session/refresh?redirectToPath=/orders")
        wait_for_expiry(page)
        for path in ("/api/me", "/me", "/reports/2026"):
            assert call(page, path) == {"status": 401, "body": TRY_REFRESH}
        page.goto(f"{here.shop}/orders?page=3")
        expect(page).to_have_url(f"{here.shop}/orders?page=3")
        page.locator("input[name=what]").fill("green <tea>")
        wait_for_expiry(page)
        page.get_by_role("button", name="Order").click()
        expect(page.locator("p")).to_have_text(f"Ordered green <tea> for {user_id}")
        page.goto(f"{here.shop}/auth/sign-out")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
        page.goto(f"{here.shop}/")
        for path in ("/api/me", "/me", "/reports/2026"):
            assert call(page, path) == {"status": 401, "body": UNAUTHORISED}
        page.goto(f"{here.shop}/orders")
        expect(page).to_have_url(f"{here.shop}/auth?redirectToPath=%2Forders")


def test_the_blocks_of_the_page_stand_in_the_files_that_run() -> None:
    page, files = (ROOT / "docs" / "backends.md").read_text(), [*EXAMPLES.glob("*/*.*")]
    shown = {language: blocks(page, language) for language in ("js", "php", "go", "nginx", "sh", "python")}
    assert page.count("```") == 2 * sum(len(codes) for codes in shown.values())
    endings = {"js": ".mjs", "php": ".php", "go": ".go", "nginx": ".conf"}
    for language, ending in endings.items():
        assert shown[language]
        texts = [file.read_text() for file in files if file.suffix == ending]
        assert [code for code in shown[language] if not any(code in text for text in texts)] == []
    [command] = shown["sh"]
    started = " ".join(GUNICORN).replace("=", " ")
    assert command.split() == [*started.split(), "--bind", "127.0.0.1:3000", "auth_server:app"]


def open_page(here: Deployment, visitor: Visitor, mode: str) -> Tab:
    """The page of the website that has the official web SDK."""
    settings = {"api": here.auth, "mode": mode}
    if here.arrangement == "sub_domains":
        settings |= {"frontendDomain": ".shop.test", "backendDomain": ".shop.test"}
    return visitor.open(f"{here.shop}/page.html?{urlencode(settings)}")


def everywhere(here: Deployment, page: Page, path: str, method: str = "GET") -> list[Any]:
    """What Node.js and PHP answer to a script of the page, each as [status, body]."""
    urls = [f"{here.api}/api{path}", f"{here.shop}{path}"]
    return [list(call(page, url, method).values()) for url in urls]


def ask(here: Deployment, path: str, body: dict[str, Any]) -> Any:
    """The reply of the embedded core of the auth server to a call from another process."""
    with EmbeddedCore.open(here.core) as core:
        return core.send(CoreRequest("POST", path, body=body)).body


@pytest.mark.exhaustive
@pytest.mark.parametrize("mode", ["cookie", "header"])
@pytest.mark.parametrize("arrangement", ["one_domain", "sub_domains"])
def test_the_official_web_sdk_calls_every_backend(
    visitor: Visitor, arrangement: str, mode: str, tmp_path: Path, page_folder: Path
) -> None:
    """Reads, changes, a role that comes later, access tokens that expire, sign-out: on one domain and on several."""
    with deployment(arrangement, tmp_path, page_folder).running() as here:
        tab = open_page(here, visitor, mode)
        user_id = tab.sign_up(visitor.email)["user"]["id"]
        assert everywhere(here, tab.page, "/me") == [[200, {"userId": user_id}]] * 2
        assert everywhere(here, tab.page, "/notes", "POST") == [[200, {"savedFor": user_id}]] * 2
        for status, body in everywhere(here, tab.page, "/admin"):
            assert (status, body["message"]) == (403, "invalid claim")
            assert [error["id"] for error in body["claimValidationErrors"]] == ["st-role"]
        assert tab.events().count("API_INVALID_CLAIM") == 2
        here.command("user", "roles", visitor.email, "--add", "admin")
        tab.sign_in(visitor.email)
        assert everywhere(here, tab.page, "/admin") == [[200, {"admin": user_id}]] * 2
        for path, method in (("/me", "GET"), ("/notes", "POST")):
            visitor.requests.clear()
            tab.wait_for_expiry()
            assert [status for status, _ in everywhere(here, tab.page, path, method)] == [200, 200]
            assert set(visitor.refreshes()) == {200}
        assert visitor.holds() == mode
        tab.run("signOut")
        assert everywhere(here, tab.page, "/me") == [[401, UNAUTHORISED]] * 2


@pytest.mark.exhaustive
def test_without_the_auth_server_the_backends_go_on_and_nobody_is_signed_out(
    visitor: Visitor, steady: Deployment
) -> None:
    here = steady
    tab = open_page(here, visitor, "cookie")
    user_id = tab.sign_up(visitor.email)["user"]["id"]
    signed_in = [[200, {"userId": user_id}]] * 2
    assert everywhere(here, tab.page, "/me") == signed_in
    here.stop("auth")
    try:
        assert everywhere(here, tab.page, "/me") == signed_in
        assert everywhere(here, tab.page, "/notes", "POST") == [[200, {"savedFor": user_id}]] * 2
        assert call(tab.page, "/reports/2026")["status"] == 502
        assert tab.evaluate("() => window.frontend.refresh().catch((response) => response.status)") == 502
        shown = visitor.new_page()
        renewal = shown.goto(f"{here.shop}/auth/session/refresh?redirectToPath=/orders")
        assert renewal is not None
        assert renewal.status == 502
        assert visitor.holds() == "cookie"
        here.restart("php")
        here.restart("node")
        assert everywhere(here, tab.page, "/me") == [[503, {"message": "service unavailable"}], signed_in[1]]
        assert visitor.holds() == "cookie"
    finally:
        here.start("auth")
    assert tab.run("refresh") is True
    assert everywhere(here, tab.page, "/me") == signed_in
    shown.reload()
    expect(shown).to_have_url(f"{here.shop}/orders")
    assert shown.locator("b").inner_text() == user_id
    assert "gave no keys" in here.log("node")
    assert visitor.cookies()["sAccessToken"]["value"] not in here.log("node") + here.log("php")


@pytest.mark.exhaustive
def test_each_part_may_restart(visitor: Visitor, steady: Deployment) -> None:
    here = steady
    tab = open_page(here, visitor, "header")
    user_id = tab.sign_up(visitor.email)["user"]["id"]
    for name in here.names():
        here.restart(name)
        assert everywhere(here, tab.page, "/me") == [[200, {"userId": user_id}]] * 2, name
        assert call(tab.page, "/reports/2026")["body"] == {"reportsOf": user_id, "method": "GET"}
        assert tab.run("refresh") is True


@pytest.mark.exhaustive
def test_new_signing_keys_reach_the_backends_with_the_first_token(visitor: Visitor, steady: Deployment) -> None:
    here = steady
    tab = open_page(here, visitor, "header")
    user_id = tab.sign_up(visitor.email)["user"]["id"]
    signed_in = [[200, {"userId": user_id}]] * 2
    old = tab.run("accessToken")
    assert everywhere(here, tab.page, "/me") == signed_in
    here.age_keys(60)
    here.command("core", "keys", "rotate")
    assert everywhere(here, tab.page, "/me") == signed_in
    assert tab.run("refresh") is True
    new = tab.run("accessToken")
    kids = {json.loads(part(token, 0))["kid"] for token in (old, new)}
    assert len(kids) == 2
    assert everywhere(here, tab.page, "/me") == signed_in
    for path in ("/api/me", "/me", "/reports/2026"):
        refused = fetch(here.shop, path, headers={"Authorization": f"Bearer {old}"})
        assert (refused.status, refused.json) == (401, TRY_REFRESH)


def part(token: str, number: int) -> bytes:
    """Header, payload or signature of a token."""
    text = token.split(".")[number]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def joined(*parts: object) -> str:
    """A token of these parts; an object becomes JSON."""
    texts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
    return ".".join(base64.urlsafe_b64encode(text).rstrip(b"=").decode() for text in texts)


@pytest.mark.exhaustive
def test_what_the_same_core_signs_for_others_and_what_nobody_has_signed_is_no_session(steady: Deployment) -> None:
    """The tokens are those of the running core, with its keys."""
    here = steady
    new = {"formFields": [{"id": "email", "value": "eve@example.com"}, {"id": "password", "value": PASSWORD}]}
    info = st_wsgi.AppInfo(app_name="Other", api_domain="https://other.test", website_domain="https://other.test")
    with_all, tokens = here.session(new), {}
    header, claims, signature = json.loads(part(with_all, 0)), json.loads(part(with_all, 1)), part(with_all, 2)
    tokens["another user"] = joined(header, {**claims, "sub": "ada", "rsub": "ada"}, signature)
    tokens["alg none"] = joined({**header, "alg": "none"}, claims, b"")
    tokens["alg none, signed"] = joined({**header, "alg": "none"}, claims, signature)
    st = st_wsgi.SuperTokens(app_info=info, core=here.core, recipes=[Session()])
    try:
        functions = st.services.get(Session).functions
        made = functions.create_new_session(
            user_id="ada",
            recipe_user_id=st_wsgi.RecipeUserId("ada"),
            access_token_payload={"iss": "https://other.test/auth"},
            session_data_in_database={},
            disable_anti_csrf=True,
            tenant_id="public",
        )
        tokens["another issuer"] = made.get_access_token()
    finally:
        st.close()
    for name, more in (("jwt", {}), ("id token", {"stt": 2, "aud": "client"})):
        body = {
            "payload": {**claims, **more},
            "jwksDomain": here.issuer,
            "useStaticSigningKey": False,
            "algorithm": "RS256",
            "validity": 3600,
        }
        tokens[name] = ask(here, "/recipe/jwt", body)["jwt"]
        said = json.loads(part(tokens[name], 1))
        assert {claim for claim in claims if said[claim] != claims[claim]} <= {"iat", "exp"}
    for path in ("/api/me", "/me"):
        assert fetch(here.shop, path, headers={"Authorization": f"Bearer {with_all}"}).status == 200
        for name, token in tokens.items():
            for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"sAccessToken={token}"}):
                assert fetch(here.shop, path, headers=headers).status == 401, name


@pytest.mark.exhaustive
def test_nginx_asks_the_auth_server_for_a_service_that_verifies_nothing(steady: Deployment) -> None:
    here, page = steady, "/reports/2026"
    new = {"formFields": [{"id": "email", "value": "rita@example.com"}, {"id": "password", "value": PASSWORD}]}
    token = here.session(new)
    user_id = json.loads(part(token, 1))["sub"]
    cookie = {"Cookie": f"sAccessToken={token}"}
    for forged in ({"X-User-Id": "eve"}, {"X_User_Id": "eve"}, {"x-user-id": ""}):
        assert fetch(here.shop, page, headers=cookie | forged).json["reportsOf"] == user_id
        refused = fetch(here.shop, page, headers=forged)
        assert (refused.status, refused.json) == (401, UNAUTHORISED)
        assert refused.headers["Content-Type"].startswith("application/json")
    # The question has the method of the request: without a header of a script, only reading is allowed.
    refused = fetch(here.shop, page, method="POST", headers=cookie)
    assert (refused.status, refused.json) == (401, TRY_REFRESH)
    assert fetch(here.shop, page, method="POST", headers=cookie | {"rid": "x"}).json["method"] == "POST"
    preflight = {"Origin": here.shop, "Access-Control-Request-Method": "GET"}
    for headers in ({}, cookie, preflight, cookie | preflight):
        assert fetch(here.shop, page, method="OPTIONS", headers=headers).status == 401
    # A browser that opens the page is led to the sign-in page, and back.
    shown = fetch(here.shop, page + "?a=1&b=2", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
    assert (shown.status, shown.headers["Location"]) == (303, "/auth?redirectToPath=%2Freports%2F2026%3Fa%3D1%26b%3D2")
    assert "unexpected status: 303" not in here.log("nginx")
    assert fetch(here.shop, "/check", headers=cookie).status == 404
    # Who signs out everywhere is noticed at once here, and by the others when the token expires.
    ask(here, "/recipe/session/remove", {"userId": user_id})
    refused = fetch(here.shop, page, headers=cookie)
    assert (refused.status, refused.json) == (401, UNAUTHORISED)
    assert "01 Jan 1970" in refused.headers["Set-Cookie"]
    assert fetch(here.shop, "/api/me", headers=cookie).status == 200
