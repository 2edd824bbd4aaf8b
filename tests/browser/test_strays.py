"""What a page of another host can do to a session in Chromium: plant cookies, or send a form to the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sampling import exhaustive_but
from sdks.processes import free_port

from browser.sites import CHEAP_HASHES, Site, page_server, session_app
from browser.visitor import Tab, Visitor

REFRESH = "/auth/session/refresh"


@pytest.fixture(scope="module")
def site(page_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A website and its API on two hosts of one domain. The API sets cookies for its own host alone."""
    folder, port = tmp_path_factory.mktemp("strays"), free_port()
    with page_server(page_folder) as page_port:
        api, website = f"http://api.shop.test:{port}", f"http://www.shop.test:{page_port}"
        core = f"sqlite:///{folder}/auth.db?{CHEAP_HASHES}"
        with session_app(port=port, api=api, websites=[website], core=core, log=folder / "server.log"):
            yield Site(api=api, website=website, page="/page.html")


def foreign_page(visitor: Visitor, site: Site, host: str) -> Tab:
    """Open a page of another host, which has nothing to do with the website."""
    page = visitor.new_page()
    page.goto(site.website.replace("www.shop.test", host) + "/foreign.html")
    return Tab(page)


def session_cookies(visitor: Visitor) -> set[tuple[str, str, str]]:
    cookies = visitor.context.cookies()
    return {(cookie["name"], cookie["domain"], cookie["path"]) for cookie in cookies if cookie["httpOnly"]}


def planted_cookies(visitor: Visitor) -> list[str]:
    return [cookie["name"] for cookie in visitor.context.cookies() if cookie["value"] == "planted"]


@pytest.mark.parametrize(
    "path", exhaustive_but(["/", "/auth", "/auth/", "/auth/session", "/auth/session/", REFRESH], [REFRESH])
)
def test_a_refresh_cookie_of_a_sibling_host_locks_nobody_out(visitor: Visitor, site: Site, path: str) -> None:
    """The session ends, since the refresh token may be the sibling's; the next one lives."""
    tab = visitor.open(site.address("cookie"))
    tab.sign_up(visitor.email)
    planted = f"sRefreshToken=planted; Domain=.shop.test; Path={path}"
    foreign_page(visitor, site, "evil.shop.test").page.evaluate("(cookie) => { document.cookie = cookie }", planted)
    assert planted_cookies(visitor) == ["sRefreshToken"]
    visitor.requests.clear()
    assert tab.run("refresh") is False
    assert visitor.refreshes() == [401]
    assert planted_cookies(visitor) == []
    assert tab.sign_in(visitor.email)["status"] == "OK"
    assert tab.run("refresh") is True
    assert tab.session_info()["status"] == 200
    assert session_cookies(visitor) == {
        ("sAccessToken", "api.shop.test", "/"),
        ("sRefreshToken", "api.shop.test", REFRESH),
    }


def test_an_access_cookie_of_a_sibling_host_ends_no_session(visitor: Visitor, site: Site) -> None:
    tab = visitor.open(site.address("cookie"))
    tab.sign_up(visitor.email)
    handle = tab.session_info()["body"]["sessionHandle"]
    planted = "sAccessToken=planted; Domain=.shop.test; Path=/sessioninfo"
    foreign_page(visitor, site, "evil.shop.test").page.evaluate("(cookie) => { document.cookie = cookie }", planted)
    assert planted_cookies(visitor) == ["sAccessToken"]
    assert tab.session_info()["body"]["sessionHandle"] == handle
    assert visitor.answers("/sessioninfo")[-2:] == [401, 200]
    assert planted_cookies(visitor) == []


def test_a_cookie_from_an_older_version_of_the_app_goes_with_the_refusal(visitor: Visitor, site: Site) -> None:
    tab = visitor.open(site.address("cookie"))
    tab.sign_up(visitor.email)
    visitor.context.add_cookies([{"name": "sRefreshToken", "value": "planted", "domain": "api.shop.test", "path": "/"}])
    assert tab.run("refresh") is False
    assert planted_cookies(visitor) == []
    assert tab.sign_in(visitor.email)["status"] == "OK"
    assert tab.run("refresh") is True


@pytest.mark.parametrize(
    ("host", "path"),
    exhaustive_but(
        [("www.evil.test", REFRESH), ("www.evil.test", "/auth/signout"), ("evil.shop.test", REFRESH)],
        [("www.evil.test", "/auth/signout"), ("evil.shop.test", REFRESH)],
    ),
)
def test_a_form_of_another_website_signs_nobody_out(visitor: Visitor, site: Site, host: str, path: str) -> None:
    """Chromium withholds the cookies from a form of another site, but keeps what its response sets."""
    tab = visitor.open(site.address("cookie"))
    tab.sign_up(visitor.email)
    before = session_cookies(visitor)
    submit = "(url) => { const form = document.createElement('form'); form.method = 'POST'; form.action = url;"
    submit += " document.body.append(form); form.submit(); }"
    foreign = foreign_page(visitor, site, host).page
    visitor.requests.clear()
    with foreign.expect_navigation():
        foreign.evaluate(submit, site.api + path)
    assert visitor.answers(path) == [200 if host == "evil.shop.test" else 401]
    assert session_cookies(visitor) == before
    assert tab.session_info()["status"] == 200
    assert tab.run("refresh") is True
