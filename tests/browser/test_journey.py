"""The official web SDK takes a user from sign-up to a role and a new password, and lives with limits on the way."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Route

from browser.conftest import Sites
from browser.visitor import PASSWORD, Tab, Visitor

NEW_PASSWORD = "another horse 2"
ATTEMPTS = 10
"""What the default limits leave to one account from one address, of sign-ins as of mails."""


@pytest.mark.parametrize("mode", ["cookie", pytest.param("header", marks=pytest.mark.exhaustive)])
def test_from_sign_up_to_a_role_and_a_new_password(visitor: Visitor, sites: Sites, mode: str) -> None:
    """The page for administrators wants a verified address and a role."""
    site = sites("one origin")
    tab = visitor.open(site.address(mode))
    assert tab.sign_up(visitor.email)["status"] == "OK"

    assert tab.run("invalidClaims") == ["st-ev"]
    assert tab.run("openView", "/admin") == {"status": 403, "claims": ["st-ev", "st-role"], "mail": "OK"}
    assert "API_INVALID_CLAIM" in tab.events()
    linked = visitor.open(site.link_in_mail(visitor.email, "/auth/verify-email"))
    assert linked.run("verifyEmail")["status"] == "OK"
    assert linked.run("verifyEmail")["status"] == "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"
    assert tab.run("invalidClaims") == []
    assert tab.run("sendVerification")["status"] == "EMAIL_ALREADY_VERIFIED_ERROR"

    assert tab.run("openView", "/admin") == {"status": 403, "claims": ["st-role"], "mail": None}
    site.add_role(tab.run("userId"), "admin")
    tab.page.wait_for_function("window.frontend.frontToken().up['st-role'].t < Date.now() - 1000")
    assert tab.run("openView", "/admin")["status"] == 200
    assert tab.run("roles") == ["admin"]

    tab.run("signOut")
    assert tab.run("sendReset", visitor.email)["status"] == "OK"
    linked = visitor.open(site.link_in_mail(visitor.email, "/auth/reset-password"))
    assert linked.run("setPassword", "short")["status"] == "FIELD_ERROR"
    assert linked.run("setPassword", NEW_PASSWORD)["status"] == "OK"
    assert linked.run("setPassword", PASSWORD)["status"] == "RESET_PASSWORD_INVALID_TOKEN_ERROR"
    assert tab.sign_in(visitor.email)["status"] == "WRONG_CREDENTIALS_ERROR"
    assert tab.sign_in(visitor.email, NEW_PASSWORD)["status"] == "OK"
    assert tab.run("openView", "/admin")["status"] == 200

    tab.run("signOut")
    assert tab.run("openView", "/admin")["status"] == 401
    assert tab.run("sessionExists") is False


def test_a_limit_is_an_error_that_the_page_can_show(visitor: Visitor, sites: Sites) -> None:
    """With the seconds to wait, to a page of another origin. The session lives, and nothing is sent again."""
    tab = visitor.open(sites("two origins").address("cookie"))
    tab.sign_up(visitor.email)
    handle = tab.session_info()["body"]["sessionHandle"]
    wrong = {"email": visitor.email, "password": "wrong horse 1"}
    calls: list[tuple[str, list[Any], str]] = [
        ("signIn", [wrong], "/auth/signin"),
        ("sendReset", [visitor.email], "/auth/user/password/reset/token"),
        ("sendVerification", [], "/auth/user/email/verify/token"),
    ]
    for function, given, path in calls:
        outcomes = [tab.run("failure", function, *given) for _ in range(ATTEMPTS + 1)]
        assert [outcome for outcome in outcomes[:-1] if "result" not in outcome] == []
        limited = outcomes[-1]
        assert (limited["status"], limited["body"]["status"]) == (429, "GENERAL_ERROR")
        assert limited["body"]["message"].startswith("Too many attempts. Please try again in ")
        assert int(limited["retryAfter"]) > 0
        assert visitor.answers(path) == [200] * ATTEMPTS + [429]
    assert_still_in(tab, handle)


def test_a_limited_refresh_signs_nobody_out(visitor: Visitor, sites: Sites) -> None:
    """Our limits leave refreshes alone, but a proxy may have its own. The page gets its 429 and tries again later."""

    def limit(route: Route) -> None:
        route.fulfill(status=429, headers={"Retry-After": "1"}, json={"message": "Too many requests"})

    tab = visitor.open(sites("one origin").address("cookie"))
    tab.sign_up(visitor.email)
    handle = tab.session_info()["body"]["sessionHandle"]
    visitor.context.clear_cookies(name="sAccessToken")  # as if it had expired
    visitor.context.route("**/auth/session/refresh", limit)
    for call in ("call", "callByXhr"):
        visitor.requests.clear()
        assert tab.run(call, "/sessioninfo")["status"] == 429
        assert visitor.refreshes() == [429]
        assert visitor.answers("/sessioninfo") == [401]
    visitor.context.unroute("**/auth/session/refresh", limit)
    assert tab.session_info()["status"] == 200
    assert_still_in(tab, handle)


def assert_still_in(tab: Tab, handle: str) -> None:
    """The session is the one from before, and the SDK never told the page of its end."""
    assert tab.session_info()["body"]["sessionHandle"] == handle
    assert {"SIGN_OUT", "UNAUTHORISED"}.isdisjoint(tab.events())
