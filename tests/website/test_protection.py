"""Attacks on the pages: forged forms, other sites as a way back, foreign frames, script in values, caches."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from recipes.shop import API, PASSWORD, Borrowed, Shop
from werkzeug.test import EnvironBuilder

from st_wsgi.pages import Brand, Pages
from st_wsgi.pages.texts import GERMAN
from st_wsgi.pages.way_back import path_of_request, safe_path
from website.conftest import with_pages
from website.person import Person

NAMED = ("submit", "label")
"""Parameters with a text that users see."""

REFUSED = [
    "",
    "evil.example",
    "https://evil.example",
    "HTTPS://evil.example/",
    "http:evil.example",
    "https:/evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example/%2e%2e",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/%5Cevil.example",
    "/%5C%5Cevil.example",
    "/%2Fevil.example",
    "/%2F%2Fevil.example",
    "/%252Fevil.example",
    "/%25252Fevil.example",
    "/orders//evil.example",
    "/orders/..//evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/../evil.example",
    "/./orders",
    "/%2e%2e/orders",
    "/%2E/orders",
    "/%252e%252e/orders",
    "/%" + "25" * 6 + "41",
    "/%" + "25" * 990,
    "/orders/..",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/\r\nLocation: https://evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/%00",
    "/\x00",
    " //evil.example",
    " /orders",
    "/\u2028/evil.example",
    "/\u200b/evil.example",
    "/\ufeff/evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "?next=//evil.example",
    "#//evil.example",
    "@evil.example",
    ":443",
    "/" + "a" * 2000,
]
TAKEN = {
    "/": "/",
    "/orders": "/orders",
    "/orders/?page=2&sort=-date": "/orders/?page=2&sort=-date",
    "/orders?next=https://evil.example//x": "/orders?next=https://evil.example//x",
    "/orders#open": "/orders#open",
    "/@evil.example": "/@evil.example",
    "/caf\u00e9 list": "/caf%C3%A9%20list",
    "/caf%C3%A9": "/caf%C3%A9",
    "/a?q=<script>\"'": "/a?q=%3Cscript%3E%22'",
    "/a?q=\\x": "/a?q=%5Cx",
    "/evil.example:443": "/evil.example:443",
    "/100%25": "/100%25",
    "/%2525": "/%2525",
}


def test_the_table_is_long_enough() -> None:
    assert len({*REFUSED, *TAKEN}) >= 60


@pytest.mark.parametrize("text", REFUSED)
def test_no_spelling_leads_to_another_site(person: Person, text: str) -> None:
    assert safe_path(text) is None
    person.sign_up()
    screen = person.open(f"/auth?{urlencode({'redirectToPath': text})}")
    assert screen.link("Continue") == "/"


@pytest.mark.parametrize(("text", "path"), TAKEN.items())
def test_own_paths_are_a_way_back(shop: Shop, text: str, path: str) -> None:
    assert safe_path(text) == path
    assert safe_path(path) == path
    person = Person(shop)
    person.open(f"/auth?{urlencode({'redirectToPath': text})}&show=signup")
    person.send("POST", person.path, {**person.screen.hidden(), "email": person.email, "password": PASSWORD})
    assert person.screen.location == path


@pytest.mark.parametrize("path", ["/caf\u00e9/1", "/a b", "/%2F", "/x;y", "//evil.example", "/\\evil.example"])
def test_the_way_back_to_any_address_is_safe(path: str) -> None:
    environ = EnvironBuilder(path="/", query_string="q=%3Cb%3E&x").get_environ()
    environ["PATH_INFO"] = path.encode().decode("latin-1")
    back = path_of_request(environ)
    assert back is None or safe_path(back) == back
    assert back == (None if "evil" in path or path == "/%2F" else quote(path, safe="/;") + "?q=%3Cb%3E&x")


FOREIGN = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": None},
    {"Origin": "http://api.shop.example", "Sec-Fetch-Site": None},
    {"Origin": None, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://other.shop.example", "Sec-Fetch-Site": "same-site"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_form_of_another_site_is_refused_whatever_its_token(shop: Shop, headers: dict[str, str | None]) -> None:
    person = Person(shop)
    form = {**person.open("/auth?show=signup").hidden(), "email": person.email, "password": PASSWORD}
    screen = person.send("POST", "/auth", form, headers)
    assert (screen.status, screen.heading) == (403, "This form is out of date")
    assert person.cookie("sAccessToken") is None
    assert person.send("POST", "/auth", form).status == 303


@pytest.mark.parametrize("headers", [{"Origin": None, "Sec-Fetch-Site": None}, {"Origin": "null"}])
def test_a_form_of_an_old_browser_or_without_referrer_is_taken(shop: Shop, headers: dict[str, str | None]) -> None:
    person = Person(shop)
    form = {**person.open("/auth?show=signup").hidden(), "email": person.email, "password": PASSWORD}
    assert person.send("POST", "/auth", form, headers).status == 303


@pytest.mark.parametrize("token", [None, "", "0" * 64, "\u00e9"])
def test_a_form_without_its_token_is_refused(person: Person, token: str | None) -> None:
    form = {**person.open("/auth?show=signup").hidden(), "email": person.email, "password": PASSWORD}
    form = {name: value for name, value in form.items() if name != "st-form-token"}
    screen = person.send("POST", "/auth", form if token is None else {**form, "st-form-token": token})
    assert screen.status == 403
    assert screen.link("Open the page again") == "/auth"


@pytest.mark.parametrize(
    ("path", "again"),
    [
        ("/auth?show=signup&redirectToPath=%2Forders", "/auth?show=signup&redirectToPath=%2Forders"),
        ("/auth/session/refresh/form?redirectToPath=%2Fauth%2Fsign-out", "/auth/sign-out"),
    ],
)
def test_the_page_of_a_refused_form_can_be_opened_again(person: Person, path: str, again: str) -> None:
    old = {"Sec-Fetch-Site": None, "Origin": None}
    screen = person.send("POST", path, {"st-form-token": "0"}, old)
    assert (screen.status, screen.link("Open the page again")) == (403, again)


def test_the_token_of_another_browser_is_worth_nothing(shop: Shop) -> None:
    person, attacker = Person(shop), Person(shop)
    stolen = attacker.open("/auth").hidden()
    person.open("/auth")
    assert person.send("POST", "/auth", {**stolen, "email": person.email, "password": PASSWORD}).status == 403
    cookie = attacker.cookie("__Host-st-form")
    assert cookie is not None
    person.client.set_cookie("__Host-st-form", cookie, domain="api.shop.example")
    person.sign_up()  # a cookie that somebody else knows ends with the sign-in
    assert person.cookie("__Host-st-form") != cookie
    assert person.send("POST", "/auth/sign-out", stolen).status == 403
    assert person.cookie("sAccessToken") is not None


def test_the_cookie_is_for_this_host_alone(shop: Shop) -> None:
    screen = Person(shop).open("/auth")
    [cookie] = screen.response.headers.getlist("Set-Cookie")
    name, _, attributes = cookie.partition("=")
    assert name == "__Host-st-form"
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= set(attributes.split("; "))
    assert "Domain" not in attributes


def test_every_page_has_the_headers_that_keep_others_out(person: Person) -> None:
    person.sign_up()
    for path, status in (("/auth", 200), ("/auth?show=signup", 200), ("/auth/sign-out", 200)):
        screen = person.open(path)
        headers = screen.response.headers
        assert screen.status == status
        policy = dict(part.partition(" ")[::2] for part in headers["Content-Security-Policy"].split("; "))
        assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
        assert (policy["style-src"], policy["form-action"]) == ("'self'", "'self'")
        assert "script-src" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert not [element for element in screen.elements if element.name == "script" or "style" in element.attributes]


def test_the_way_back_is_told_to_no_other_page(person: Person) -> None:
    for path, policy in (("/auth", "same-origin"), ("/auth?redirectToPath=/reset?token=x", "no-referrer")):
        assert person.open(path).response.headers["Referrer-Policy"] == policy


def test_the_address_of_a_logo_is_one_source(core: Borrowed) -> None:
    person = Person(with_pages(core, pages=Pages(brand=Brand(logo="https://cdn.example/a;script-src,b.png"))))
    policy = person.open("/auth").response.headers["Content-Security-Policy"]
    assert "img-src 'self' data: https://cdn.example/a%3Bscript-src%2Cb.png;" in policy


def test_nothing_that_is_shown_becomes_markup(core: Borrowed) -> None:
    attack = "\"'><img src=x onerror=alert(1)>"
    pages = Pages(brand=Brand(name=attack), texts={"en": {"Password": attack}})
    person = Person(with_pages(core, pages=pages))
    person.open(f"/auth?{urlencode({'redirectToPath': '/' + attack, 'tenantId': attack, 'show': attack})}")
    screen = person.submit(email=attack, password=attack)
    assert screen.status == 422
    assert screen.all("img") == []
    assert screen.all("input", type="email")[0].attributes["value"] == attack
    assert not [name for element in screen.elements for name in element.attributes if name.startswith("on")]


def test_signing_out_empties_the_cache_and_no_link_does_it(person: Person) -> None:
    person.sign_up()
    assert person.open("/auth/sign-out").status == 200
    person.send("POST", "/auth/sign-out", person.screen.hidden())
    assert person.screen.response.headers["Clear-Site-Data"] == '"cache"'
    assert person.screen.response.headers["Cache-Control"] == "no-store"
    assert person.open("/auth/sign-out").heading == "You are signed out"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 400),
        (b"a=1&a=2", "application/x-www-form-urlencoded", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"", "multipart/form-data; boundary=x", 400),
    ],
)
def test_bad_bodies_get_a_page(shop: Shop, body: bytes, kind: str, status: int) -> None:
    person = Person(shop)
    response = person.client.open("/auth", method="POST", base_url=API, data=body, content_type=kind)
    assert (response.status_code, response.mimetype) == (status, "text/html")


def test_every_text_of_the_code_is_in_the_german_table() -> None:
    folder = Path(__file__).parents[2] / "st_wsgi" / "pages"
    code = "".join(path.read_text("utf-8") for path in folder.glob("*.py") if path.name != "texts.py")
    ours, _of_apis = (folder / "texts.py").read_text("utf-8").split("# Messages of the APIs.")
    stale = [text for text in GERMAN if json.dumps(text) in ours and json.dumps(text) not in code]
    assert stale == []
    shown = set()
    for path in folder.glob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            is_text = isinstance(call.func, ast.Attribute) and call.func.attr == "text"
            values = [*(call.args[:1] if is_text else ()), *(one.value for one in call.keywords if one.arg in NAMED)]
            shown |= {node.value for value in values for node in ast.walk(value) if isinstance(node, ast.Constant)}
    assert len(shown) > 25
    assert {text for text in shown if str(text)[:1].isupper() and text not in GERMAN} == set()
