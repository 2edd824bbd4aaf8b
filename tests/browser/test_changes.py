"""What operators change under signed-in users: CORS, cookie domain, transfer, anti-CSRF, a core that goes and comes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from attrs import field, frozen
from sdks.processes import free_port, serving

from browser.sites import CHEAP_HASHES, Site, page_server, session_app
from browser.visitor import Tab, Visitor


@frozen
class Operator:
    """Runs the website and its API on fixed addresses, one version of the API after the other."""

    folder: Path
    page_port: int
    port: int = field(factory=free_port)

    @property
    def site(self) -> Site:
        website = f"http://www.shop.test:{self.page_port}"
        return Site(api=f"http://api.shop.test:{self.port}", website=website, page="/page.html")

    def serve(
        self, *, core: str | None = None, own_cors: bool = False, **session: object
    ) -> AbstractContextManager[None]:
        """A version of the API with these parameters of the session recipe; users are kept between versions."""
        return session_app(
            port=self.port,
            api=self.site.api,
            websites=[self.site.website],
            core=core or f"sqlite:///{self.folder}/auth.db?{CHEAP_HASHES}",
            log=self.folder / "server.log",
            session=session,
            own_cors=own_cors,
        )

    def serve_core(self, port: int) -> AbstractContextManager[object]:
        """The core as a service of its own."""
        options = ["--db", f"{self.folder}/core.db", "--port", str(port), "--set", CHEAP_HASHES]
        command = [sys.executable, "-m", "st_wsgi", "core", "serve", *options]
        return serving(command, port=port, log=self.folder / "core.log")


@pytest.fixture
def operator(page_folder: Path, tmp_path: Path) -> Iterator[Operator]:
    with page_server(page_folder) as page_port:
        yield Operator(tmp_path, page_port)


def outcome(tab: Tab, function: str) -> str:
    """``kept`` if the promise of the page's function comes true, else the kind of what it rejects with."""
    kind: str = tab.evaluate(f"() => {function}.then(() => 'kept', (error) => error.constructor.name)")
    return kind


@pytest.mark.exhaustive
def test_a_new_cookie_domain_signs_nobody_out(visitor: Visitor, operator: Operator) -> None:
    """After the change the browser holds every cookie twice; one call fails while the older ones are cleared."""
    address = operator.site.address("cookie")
    with operator.serve():
        tab = visitor.open(address)
        tab.sign_up(visitor.email)
        handle = tab.session_info()["body"]["sessionHandle"]
    with operator.serve(cookie_domain=".shop.test", older_cookie_domain=""):
        assert tab.run("refresh") is True
        domains = [cookie["domain"] for cookie in visitor.context.cookies() if cookie["name"] == "sAccessToken"]
        assert sorted(domains) == [".shop.test", "api.shop.test"]
        visitor.requests.clear()
        assert outcome(tab, "window.frontend.call('/sessioninfo')") == "Error"
        assert visitor.answers("/sessioninfo") == [401]
        assert visitor.refreshes() == [200]
        assert tab.session_info() == {"status": 200, "body": {"userId": tab.run("userId"), "sessionHandle": handle}}
        assert tab.run("refresh") is True
        names = [cookie["name"] for cookie in visitor.context.cookies() if cookie["httpOnly"]]
        assert sorted(names) == ["sAccessToken", "sRefreshToken"]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("old", "new"), [("cookie", "header"), ("header", "cookie")])
def test_a_website_that_changes_its_transfer_keeps_its_users(
    visitor: Visitor, operator: Operator, old: str, new: str
) -> None:
    """The session lives on as it travelled; the next sign-in moves to the new way and leaves nothing of the old."""
    with operator.serve():
        before = visitor.open(operator.site.address(old))
        before.sign_up(visitor.email)
        handle = before.session_info()["body"]["sessionHandle"]
        after = visitor.open(operator.site.address(new))
        assert after.session_info()["body"]["sessionHandle"] == handle
        assert after.run("refresh") is True
        assert after.session_info()["body"]["sessionHandle"] == handle
        assert visitor.holds() == old
        assert after.sign_in(visitor.email)["status"] == "OK"
        assert after.session_info()["body"]["sessionHandle"] != handle
        assert visitor.holds() == new


@pytest.mark.exhaustive
def test_the_anti_csrf_token_is_sent_by_the_website_alone(visitor: Visitor, operator: Operator) -> None:
    with operator.serve(anti_csrf="VIA_TOKEN", expose_access_token_to_frontend_in_cookie_based_auth=True):
        tab = visitor.open(operator.site.address("cookie"))
        tab.sign_up(visitor.email)
        assert tab.call("/change", "POST")["status"] == 200
        assert tab.run("accessToken") == visitor.cookies()["sAccessToken"]["value"]
        without_sdk = tab.call("/change?superTokensDoNotDoInterception", "POST")
        assert without_sdk["status"] == 401
        first_token = visitor.cookies()["sAntiCsrf"]["value"]
        assert tab.run("refresh") is True
        assert visitor.cookies()["sAntiCsrf"]["value"] != first_token
        assert tab.call("/change", "POST")["status"] == 200
        tab.run("signOut")
        assert "sAntiCsrf" not in visitor.cookies()


@pytest.mark.exhaustive
def test_a_core_that_cannot_be_reached_signs_nobody_out(visitor: Visitor, operator: Operator) -> None:
    """The website sees 503, not 401, keeps its session, and goes on when the core is back."""
    core_port = free_port()
    with operator.serve(core=f"http://127.0.0.1:{core_port}"):
        with operator.serve_core(core_port):
            tab = visitor.open(operator.site.address("cookie"))
            user_id = tab.sign_up(visitor.email)["user"]["id"]
            assert tab.call("/checked") == {"status": 200, "body": {"userId": user_id}}
        assert tab.call("/checked")["status"] == 503
        assert outcome(tab, "window.frontend.refresh()") == "Response"
        assert visitor.refreshes()[-1] == 503
        assert tab.run("sessionExists") is True
        assert tab.session_info()["status"] == 200
        with operator.serve_core(core_port):
            assert tab.run("refresh") is True
            assert tab.call("/checked")["status"] == 200


@pytest.mark.exhaustive
def test_an_app_may_keep_its_own_cors_layer(visitor: Visitor, operator: Operator) -> None:
    """flask-cors for the app's routes and ours for /auth/*: nothing doubled, new tokens readable on both."""
    with operator.serve(own_cors=True):
        tab = visitor.open(operator.site.address("header"))
        tab.sign_up(visitor.email)
        assert tab.session_info()["status"] == 200
        assert tab.run("refresh") is True
        before = tab.run("accessToken")
        assert tab.call("/upgrade", "POST")["status"] == 200
        assert tab.run("accessToken") != before
        assert tab.call("/premium")["status"] == 200
        tab.run("signOut")
        answer = tab.session_info()
        assert answer == {"status": 401, "body": {"message": "unauthorised"}}
