"""The official web SDK in Chromium drives the Flask example: cookies and headers, one origin and two."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser
from sampling import exhaustive_but

from browser.conftest import Sites
from browser.visitor import PASSWORD, Tab, Visitor, visiting

SESSION_COOKIES = {"sAccessToken", "sRefreshToken"}

#: How the SDK carries its tokens, and where the website is: on the origin of the API or on another port.
MODES = ("cookie", "header")
ORIGINS = ("one origin", "two origins")


#: For what depends on both, and for what has to be seen once with each.
ONCE = [("header", "one origin"), ("cookie", "two origins")]
EACH_PAIR = pytest.mark.parametrize(("mode", "origins"), exhaustive_but(itertools.product(MODES, ORIGINS), ONCE))
EACH_ONCE = pytest.mark.parametrize(("mode", "origins"), ONCE)


@pytest.fixture
def tab(visitor: Visitor, sites: Sites, mode: str, origins: str) -> Tab:
    """The website, opened for the first time; tokens live for an hour."""
    return visitor.open(sites(origins).address(mode))


@pytest.fixture(scope="module")
def signed_up(chromium: Browser, sites: Sites) -> Iterator[dict[str, tuple[Visitor, Tab]]]:
    """Users by mode and arrangement, whose access tokens last for three seconds."""
    with ExitStack() as stack:
        users = {}
        for mode, origins in itertools.product(MODES, ORIGINS):
            visitor = stack.enter_context(visiting(stack.enter_context(chromium.new_context())))
            tab = visitor.open(sites(origins, token_seconds=3).address(mode))
            assert tab.sign_up(visitor.email)["status"] == "OK"
            users[f"{mode}, {origins}"] = (visitor, tab)
        yield users


@pytest.fixture
def expired(signed_up: dict[str, tuple[Visitor, Tab]]) -> dict[str, tuple[Visitor, Tab]]:
    """The same users, all signed in, with access tokens that ran out."""
    for visitor, tab in signed_up.values():
        if tab.page.evaluate("!document.cookie.includes('sFrontToken=')"):  # another test signed them out
            assert tab.sign_in(visitor.email)["status"] == "OK"
    for visitor, tab in signed_up.values():
        tab.wait_for_expiry()
        visitor.requests.clear()
    return signed_up


@EACH_PAIR
def test_sign_up_makes_a_session_that_the_protected_route_accepts(visitor: Visitor, tab: Tab, mode: str) -> None:
    assert tab.run("sessionExists") is False
    answer = tab.sign_up(visitor.email)
    assert answer["status"] == "OK"
    assert answer["user"]["emails"] == [visitor.email]
    info = tab.session_info()
    assert info["status"] == 200
    assert info["body"]["userId"] == answer["user"]["id"] == tab.run("userId")
    payload, known = info["body"]["accessTokenPayload"], tab.run("payload")
    assert payload == {name: known[name] for name in payload}
    assert payload["sub"] == answer["user"]["id"]
    assert "SESSION_CREATED" in tab.events()
    in_cookies = [cookie for name, cookie in visitor.cookies().items() if name in SESSION_COOKIES]
    assert {cookie["name"] for cookie in in_cookies} == (SESSION_COOKIES if mode == "cookie" else set())
    assert {(cookie["httpOnly"], cookie["sameSite"]) for cookie in in_cookies} <= {(True, "Lax")}
    assert (tab.run("accessToken") is not None) is (mode == "header")


@EACH_ONCE
def test_a_first_visit_asks_for_a_session_once(visitor: Visitor, tab: Tab) -> None:
    """The SDK cannot know whether a session exists until a refresh call without a token is answered by 401."""
    assert tab.run("sessionExists") is False
    assert tab.run("sessionExists") is False
    assert tab.session_info()["status"] == 401
    assert visitor.refreshes() == [401]


@EACH_PAIR
def test_sign_out_leaves_no_token_and_sign_in_brings_the_user_back(visitor: Visitor, tab: Tab) -> None:
    user_id = tab.sign_up(visitor.email)["user"]["id"]
    tab.run("signOut")
    assert tab.events()[-1] == "SIGN_OUT"
    left = visitor.cookies().keys()
    assert not left & {*SESSION_COOKIES, "sFrontToken", "st-access-token", "st-refresh-token"}
    assert tab.run("sessionExists") is False
    assert tab.session_info()["status"] == 401
    answer = tab.sign_in(visitor.email)
    assert (answer["status"], answer["user"]["id"]) == ("OK", user_id)
    assert tab.session_info()["body"]["userId"] == user_id


@EACH_ONCE
def test_wrong_credentials_and_a_taken_address_are_answers_the_page_can_show(visitor: Visitor, tab: Tab) -> None:
    assert tab.run("emailExists", visitor.email)["doesExist"] is False
    tab.sign_up(visitor.email)
    assert tab.run("emailExists", visitor.email)["doesExist"] is True
    tab.run("signOut")
    taken = tab.sign_up(visitor.email)
    assert taken["status"] == "FIELD_ERROR"
    assert [field["id"] for field in taken["formFields"]] == ["email"]
    assert tab.sign_in(visitor.email, "wrong 1 password")["status"] == "WRONG_CREDENTIALS_ERROR"
    assert tab.sign_in("nobody@example.com")["status"] == "WRONG_CREDENTIALS_ERROR"
    assert tab.run("sessionExists") is False


@EACH_ONCE
def test_fields_that_break_the_rules_are_named(tab: Tab) -> None:
    for fields, wrong in (
        ({"email": "not an address", "password": PASSWORD}, ["email"]),
        ({"email": "someone@example.com", "password": "short1"}, ["password"]),
        ({"email": "not an address", "password": "onlyletters"}, ["email", "password"]),
    ):
        answer: dict[str, Any] = tab.run("signUp", fields)
        assert answer["status"] == "FIELD_ERROR"
        assert sorted(field["id"] for field in answer["formFields"]) == wrong
        assert all(field["error"] for field in answer["formFields"])


@EACH_ONCE
def test_a_reload_keeps_the_session(visitor: Visitor, tab: Tab) -> None:
    user_id = tab.sign_up(visitor.email)["user"]["id"]
    tab.page.reload()
    tab.page.wait_for_function("window.frontend !== undefined")
    assert tab.run("sessionExists") is True
    assert tab.session_info()["body"]["userId"] == user_id
    assert visitor.refreshes() == [401]


def test_an_expired_token_is_renewed_without_the_user_noticing(expired: dict[str, tuple[Visitor, Tab]]) -> None:
    """The call of the website succeeds in the same session; in between the SDK refreshed it and called once more."""
    for arrangement, (visitor, tab) in expired.items():
        handle = tab.known_payload()["sessionHandle"]
        answer = tab.session_info()
        assert (arrangement, answer["status"]) == (arrangement, 200)
        assert answer["body"]["sessionHandle"] == handle
        assert visitor.answers("/sessioninfo") == [401, 200]
        assert visitor.refreshes() == [200]


def test_calls_in_parallel_share_one_refresh(expired: dict[str, tuple[Visitor, Tab]]) -> None:
    for arrangement, (visitor, tab) in expired.items():
        answers = tab.call_at_once("/sessioninfo", 8)
        assert (arrangement, [answer["status"] for answer in answers]) == (arrangement, [200] * 8)
        assert visitor.refreshes() == [200]


def test_a_call_by_xmlhttprequest_is_renewed_too(expired: dict[str, tuple[Visitor, Tab]]) -> None:
    for arrangement, (visitor, tab) in expired.items():
        assert (arrangement, tab.run("callByXhr", "/sessioninfo")["status"]) == (arrangement, 200)
        assert visitor.refreshes() == [200]


@pytest.mark.exhaustive
def test_sign_out_with_an_expired_token_ends_the_session(expired: dict[str, tuple[Visitor, Tab]]) -> None:
    for arrangement, (visitor, tab) in expired.items():
        tab.run("signOut")
        assert (arrangement, visitor.refreshes()) == (arrangement, [200])
        assert tab.run("sessionExists") is False
        assert tab.session_info()["status"] == 401
