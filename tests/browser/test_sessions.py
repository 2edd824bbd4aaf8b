"""Sessions in Chromium beyond one website and one tab: other sites, sub-domains, several tabs, claims, theft."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sampling import exhaustive_but
from sdks.processes import free_port

from browser.conftest import Sites
from browser.sites import CHEAP_HASHES, Site, page_server, self_signed, session_app
from browser.visitor import Tab, Visitor

SESSION_COOKIES = {"sAccessToken", "sRefreshToken"}

#: For what does not depend on the place of the tokens once test_web_sdk.py has shown that both are found.
COOKIES_OFTEN = pytest.mark.parametrize("mode", exhaustive_but(["cookie", "header"], ["cookie"]))


@pytest.fixture(scope="module")
def far_apart(page_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Website and API on different sites, over TLS: cookies need SameSite=None, and requests a custom header."""
    folder = tmp_path_factory.mktemp("far_apart")
    certificate = self_signed(folder)
    port = free_port()
    with page_server(page_folder, certificate) as page_port:
        api, website = f"https://api.shop.test:{port}", f"https://www.store.test:{page_port}"
        core = f"sqlite:///{folder}/auth.db?{CHEAP_HASHES}"
        with session_app(
            port=port, api=api, websites=[website], core=core, log=folder / "server.log", certificate=certificate
        ):
            yield Site(api=api, website=website, page="/page.html")


@pytest.fixture(scope="module")
def siblings(page_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Site]]:
    """Two websites and their API on sub-domains of one domain, whose cookies they share."""
    folder = tmp_path_factory.mktemp("siblings")
    port = free_port()
    with page_server(page_folder) as page_port:
        api = f"http://api.shop.test:{port}"
        websites = [f"http://{name}.shop.test:{page_port}" for name in ("www", "admin")]
        core = f"sqlite:///{folder}/auth.db?{CHEAP_HASHES}"
        with session_app(
            port=port,
            api=api,
            websites=websites,
            core=core,
            log=folder / "server.log",
            session={"cookie_domain": ".shop.test"},
        ):
            yield [Site(api=api, website=website, page="/page.html") for website in websites]


@pytest.fixture(params=["cookie", "header"])
def mode(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_website_on_another_site_reads_and_writes(everyday_visitor: Visitor, far_apart: Site, mode: str) -> None:
    tab = everyday_visitor.open(far_apart.address(mode))
    user_id = tab.sign_up(everyday_visitor.email)["user"]["id"]
    assert tab.session_info()["body"]["userId"] == user_id
    assert tab.call("/change", "POST") == {"status": 200, "body": {"changed": True}}
    assert tab.run("refresh") is True
    assert tab.call("/change", "POST")["status"] == 200
    tab.run("signOut")
    assert tab.session_info()["status"] == 401


def test_a_private_window_keeps_no_cookies_of_another_site_but_headers_work(visitor: Visitor, far_apart: Site) -> None:
    tab = visitor.open(far_apart.address("header"))
    tab.sign_up(visitor.email)
    assert tab.call("/change", "POST")["status"] == 200
    assert tab.run("refresh") is True
    assert tab.session_info()["status"] == 200


def test_a_foreign_page_cannot_act_for_the_user(everyday_visitor: Visitor, far_apart: Site) -> None:
    """Its request carries the cookies, but not the header that only the website's own script can add."""
    tab = everyday_visitor.open(far_apart.address("cookie"))
    tab.sign_up(everyday_visitor.email)
    for name in ("sAccessToken", "sRefreshToken"):
        cookie = everyday_visitor.cookies()[name]
        assert (cookie["sameSite"], cookie["secure"], cookie["httpOnly"]) == ("None", True, True)
    everyday_visitor.requests.clear()
    foreign = everyday_visitor.new_page()
    foreign.goto(far_apart.website.replace("www.store.test", "www.evil.test") + "/foreign.html")
    blind = "(url) => fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include' }).then(() => {})"
    foreign.evaluate(blind, f"{far_apart.api}/unprotected")
    foreign.evaluate(blind, f"{far_apart.api}/change")
    assert everyday_visitor.answers("/unprotected") == [200]
    assert everyday_visitor.answers("/change") == [401]
    with_header = (
        "(url) => fetch(url, { method: 'POST', credentials: 'include', headers: { rid: 'x' } })"
        ".then(() => 'answered', (error) => error.name)"
    )
    assert foreign.evaluate(with_header, f"{far_apart.api}/change") == "TypeError"
    assert everyday_visitor.answers("/change") == [401]
    assert tab.call("/change", "POST")["status"] == 200


@COOKIES_OFTEN
def test_websites_on_sub_domains_share_a_session(visitor: Visitor, siblings: list[Site], mode: str) -> None:
    www, admin = (site.address(mode, frontendDomain=".shop.test", backendDomain=".shop.test") for site in siblings)
    first = visitor.open(www)
    user_id = first.sign_up(visitor.email)["user"]["id"]
    in_cookies = [visitor.cookies()[name] for name in SESSION_COOKIES if name in visitor.cookies()]
    assert len(in_cookies) == (2 if mode == "cookie" else 0)
    assert {(cookie["domain"], cookie["sameSite"]) for cookie in in_cookies} <= {(".shop.test", "Lax")}
    second = visitor.open(admin)
    assert second.run("sessionExists") is True
    assert second.session_info()["body"]["userId"] == user_id
    assert second.run("refresh") is True
    assert first.session_info()["status"] == 200
    second.run("signOut")
    assert first.run("sessionExists") is False
    assert first.session_info()["status"] == 401
    assert not SESSION_COOKIES & visitor.cookies().keys()


@pytest.mark.exhaustive
@COOKIES_OFTEN
def test_a_failed_claim_is_named_and_the_session_recovers(visitor: Visitor, siblings: list[Site], mode: str) -> None:
    tab = visitor.open(siblings[0].address(mode))
    tab.sign_up(visitor.email)
    answer = tab.call("/premium")
    assert answer["status"] == 403
    assert answer["body"]["message"] == "invalid claim"
    assert [error["id"] for error in answer["body"]["claimValidationErrors"]] == ["premium"]
    assert tab.events()[-1] == "API_INVALID_CLAIM"
    assert tab.call("/upgrade", "POST")["status"] == 200
    assert "ACCESS_TOKEN_PAYLOAD_UPDATED" in tab.events()
    assert tab.run("payload")["premium"]["v"] is True
    assert tab.call("/premium") == {"status": 200, "body": {"premium": True}}
    assert tab.run("refresh") is True
    assert tab.call("/premium")["status"] == 200


@COOKIES_OFTEN
def test_sign_out_everywhere_ends_the_session_on_the_other_device(
    visitor: Visitor, elsewhere: Visitor, siblings: list[Site], mode: str
) -> None:
    here = visitor.open(siblings[0].address(mode))
    here.sign_up(visitor.email)
    there = elsewhere.open(siblings[0].address(mode))
    assert there.sign_in(visitor.email)["status"] == "OK"
    assert there.call("/checked")["status"] == 200
    assert here.call("/sign-out-everywhere", "POST")["body"] == {"ended": 2}
    assert there.call("/checked")["status"] == 401
    assert there.run("sessionExists") is False
    assert there.events()[-1] == "UNAUTHORISED"


def test_two_tabs_that_refresh_at_once_keep_the_session(visitor: Visitor, sites: Sites, mode: str) -> None:
    address = sites("two origins", token_seconds=3).address(mode)
    first, second = visitor.open(address), visitor.open(address)
    first.sign_up(visitor.email)
    handle = first.known_payload()["sessionHandle"]
    for tab in (first, second):
        tab.wait_for_expiry()
    visitor.requests.clear()
    for tab in (first, second):
        tab.page.evaluate(
            "() => { window.calls = Promise.all([1, 2, 3].map(() => window.frontend.call('/sessioninfo'))) }"
        )
    answers = [answer for tab in (first, second) for answer in tab.evaluate("() => window.calls")]
    assert [answer["status"] for answer in answers] == [200] * 6
    assert {answer["body"]["sessionHandle"] for answer in answers} == {handle}
    assert set(visitor.refreshes()) == {200}
    assert len(visitor.refreshes()) <= 2


@COOKIES_OFTEN
def test_a_thief_with_an_old_refresh_token_ends_the_session_for_both(
    visitor: Visitor, elsewhere: Visitor, siblings: list[Site], mode: str
) -> None:
    address = siblings[0].address(mode)
    owner = visitor.open(address)
    owner.sign_up(visitor.email)
    elsewhere.context.add_cookies(
        [
            {"name": held["name"], "value": held["value"], "domain": held["domain"], "path": held["path"]}
            for held in visitor.context.cookies()
        ]
    )
    assert owner.run("refresh") is True
    assert owner.session_info()["status"] == 200
    assert refused(elsewhere.open(address))
    assert elsewhere.refreshes() == [401]
    assert refused(owner)
    assert owner.run("sessionExists") is False
    assert visitor.refreshes()[-1] == 401


def refused(tab: Tab) -> bool:
    """Whether a refresh that the page asks for fails."""
    outcome: bool = tab.evaluate("() => window.frontend.refresh().then((done) => !done, () => true)")
    return outcome
