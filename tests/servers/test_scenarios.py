"""What a frontend does with an app, over HTTP, tokens in cookies and in headers: the same for every app and server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie

import pytest
import requests

from servers.running import Site
from servers.visitor import REFRESH_PATH, Tokens, Visitor, visit_together


def message(answer: requests.Response) -> object:
    return answer.json()["message"]


def test_the_pages_are_there_for_people(visitor: Visitor) -> None:
    """The app's own ones say who is signed in, and lead to ours."""
    browser = {"Accept": "text/html"}
    home = visitor.call("GET", "/", headers=browser)
    assert home.headers["content-type"].startswith("text/html")
    assert ("You are not signed in." in home.text, 'href="/auth"' in home.text) == (True, True)
    assert "Create an account" in visitor.call("GET", "/auth", headers=browser).text
    visitor.sign_up()
    for path in ("/", "/orders"):
        assert f"<strong>{visitor.email}</strong>" in visitor.call("GET", path, headers=browser).text


def test_signing_up_makes_a_user_with_a_session(visitor: Visitor) -> None:
    signed_up = visitor.sign_up()
    assert signed_up["status"] == "OK"
    assert signed_up["user"]["emails"] == [visitor.email]
    answer = visitor.session_info()
    assert answer.status_code == 200
    info = answer.json()
    assert info["userId"] == signed_up["user"]["id"] == info["accessTokenPayload"]["sub"]
    assert info["sessionHandle"] == info["accessTokenPayload"]["sessionHandle"]


def test_an_address_is_taken_once(visitor: Visitor) -> None:
    exists = f"/auth/emailpassword/email/exists?email={visitor.email}"
    assert visitor.call("GET", exists).json() == {"status": "OK", "exists": False}
    visitor.sign_up()
    assert visitor.call("GET", exists).json() == {"status": "OK", "exists": True}
    again = visitor.sign_up()
    assert again["status"] == "FIELD_ERROR"
    assert [field["id"] for field in again["formFields"]] == ["email"]


def test_signing_in_opens_another_session_of_the_same_user(visitor: Visitor) -> None:
    user = visitor.sign_up()["user"]
    first = visitor.session_info().json()
    assert visitor.sign_in()["user"]["id"] == user["id"]
    second = visitor.session_info().json()
    assert second["userId"] == first["userId"]
    assert second["sessionHandle"] != first["sessionHandle"]


def test_a_wrong_password_opens_nothing(visitor: Visitor) -> None:
    visitor.sign_up()
    visitor.tokens = Tokens(None, None)
    assert visitor.sign_in(password="wrong horse 1") == {"status": "WRONG_CREDENTIALS_ERROR"}
    assert visitor.tokens == Tokens(None, None)


def test_tokens_travel_in_one_place_only(visitor: Visitor) -> None:
    fields = [{"id": "email", "value": visitor.email}, {"id": "password", "value": "correct horse 1"}]
    answer = visitor.call("POST", "/auth/signup", {"formFields": fields})
    assert answer.headers["cache-control"] == "no-store"
    assert "front-token" in answer.headers
    in_headers = {"st-access-token", "st-refresh-token"} & {name.lower() for name in answer.headers}
    set_cookies = [SimpleCookie(line) for line in answer.raw.headers.getlist("set-cookie")]
    cookies = {name: morsel for one in set_cookies for name, morsel in one.items() if morsel.value}
    if visitor.mode == "header":
        assert in_headers == {"st-access-token", "st-refresh-token"}
        assert cookies == {}
    else:
        assert in_headers == set()
        assert {name: morsel["path"] for name, morsel in cookies.items()} == {
            "sAccessToken": "/",
            "sRefreshToken": REFRESH_PATH,
        }
        assert all(morsel["httponly"] and morsel["samesite"].lower() == "lax" for morsel in cookies.values())


def test_without_a_session_the_answer_is_401_and_nothing_is_cleared(visitor: Visitor) -> None:
    answer = visitor.session_info()
    assert (answer.status_code, message(answer)) == (401, "unauthorised")
    assert "set-cookie" not in answer.headers
    assert "front-token" not in answer.headers


def test_a_token_with_another_signature_asks_for_a_refresh(visitor: Visitor) -> None:
    visitor.sign_up()
    tokens = visitor.tokens
    assert tokens.access is not None
    body, _, signature = tokens.access.rpartition(".")
    visitor.tokens = Tokens(f"{body}.{signature[:-9]}AAAA{signature[-5:]}", tokens.refresh)
    answer = visitor.session_info()
    assert (answer.status_code, message(answer)) == (401, "try refresh token")
    assert visitor.refresh().status_code == 200
    assert visitor.session_info().status_code == 200


def test_a_refresh_rotates_both_tokens_of_the_same_session(visitor: Visitor) -> None:
    visitor.sign_up()
    before, handle = visitor.tokens, visitor.session_info().json()["sessionHandle"]
    answer = visitor.refresh()
    assert (answer.status_code, answer.json()) == (200, {})
    after = visitor.tokens
    assert None not in (after.access, after.refresh)
    assert after.access != before.access
    assert after.refresh != before.refresh
    assert visitor.session_info().json()["sessionHandle"] == handle


def test_tabs_that_refresh_at_once_keep_the_session(site: Site, visitor: Visitor) -> None:
    """Each has the same refresh token, and whichever answer comes last, the browser holds a good one."""
    visitor.sign_up()
    handle, tokens = visitor.session_info().json()["sessionHandle"], visitor.tokens

    def refresh(_number: int) -> tuple[int, Tokens]:
        with Visitor(site.origin, visitor.mode) as tab:
            tab.tokens = tokens
            return tab.refresh().status_code, tab.tokens

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(refresh, range(8)))
    assert [status for status, _ in answers] == [200] * 8
    assert len({brought for _, brought in answers}) == 8
    visitor.tokens = answers[-1][1]
    assert visitor.session_info().json()["sessionHandle"] == handle
    assert visitor.refresh().status_code == 200


def test_using_a_refresh_token_again_is_theft_and_ends_the_session(visitor: Visitor) -> None:
    visitor.sign_up()
    old = visitor.tokens
    visitor.refresh()
    visitor.session_info()  # from here on the new tokens count, and the old one has no further use
    new = visitor.tokens
    visitor.tokens = old
    answer = visitor.refresh()
    assert (answer.status_code, message(answer)) == (401, "token theft detected")
    assert visitor.tokens == Tokens(None, None)
    visitor.tokens = new
    answer = visitor.refresh()
    assert (answer.status_code, message(answer)) == (401, "unauthorised")


def test_a_refresh_without_a_token_is_401(visitor: Visitor) -> None:
    answer = visitor.refresh()
    assert (answer.status_code, message(answer)) == (401, "unauthorised")


def test_signing_out_ends_the_session(visitor: Visitor) -> None:
    visitor.sign_up()
    signed_in = visitor.tokens
    answer = visitor.sign_out()
    assert (answer.status_code, answer.json()) == (200, {"status": "OK"})
    assert visitor.tokens == Tokens(None, None)
    assert visitor.session_info().status_code == 401
    visitor.tokens = signed_in
    assert visitor.refresh().status_code == 401


def test_signing_out_without_a_session_is_401(visitor: Visitor) -> None:
    answer = visitor.sign_out()
    assert (answer.status_code, message(answer)) == (401, "unauthorised")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"{", "application/json", id="no JSON"),
        pytest.param(b"", "application/json", id="nothing"),
        pytest.param(b"[1]", "application/json", id="a list"),
        pytest.param(b'{"formFields": {}}', "application/json", id="form fields of another type"),
        pytest.param(b'{"formFields": [1]}', "application/json", id="a form field of another type"),
        pytest.param(b"{}", "application/json", id="no form fields"),
        pytest.param(b"email=a", "application/x-www-form-urlencoded", id="a form"),
        pytest.param(b'{"formFields": []}', "text/plain", id="plain text"),
    ],
)
def test_a_bad_body_is_400_with_a_message(site: Site, body: bytes, content_type: str) -> None:
    with Visitor(site.origin, "cookie") as visitor:
        answer = visitor.call("POST", "/auth/signin", data=body, headers={"content-type": content_type})
        assert answer.status_code == 400
        assert set(answer.json()) == {"message"}
        assert "Traceback" not in answer.text
        assert visitor.call("GET", "/").status_code == 200, "the connection or the server did not survive"


@pytest.mark.parametrize("path", ["/nothing", "/auth/nothing", "/authentic"])
def test_what_is_not_ours_gets_the_apps_own_404(site: Site, path: str) -> None:
    with Visitor(site.origin, "cookie") as visitor:
        answer = visitor.call("GET", path)
        assert answer.status_code == 404
        assert '"message"' not in answer.text, "the answer is ours"
        assert visitor.call("POST", path, {"a": 1}).status_code in (404, 405)


def test_head_is_get_without_a_body(visitor: Visitor) -> None:
    visitor.sign_up()
    for path in ("/", "/sessioninfo", "/auth/jwt/jwks.json"):
        head, get = visitor.call("HEAD", path), visitor.call("GET", path)
        assert (head.status_code, get.status_code) == (200, 200)
        assert head.content == b""
        assert head.headers["content-type"] == get.headers["content-type"]
    assert visitor.call("HEAD", "/auth/signup").status_code in (404, 405)


def test_keys_and_issuer_are_published(site: Site) -> None:
    with Visitor(site.origin, "header") as visitor:
        keys = visitor.call("GET", "/auth/jwt/jwks.json")
        assert keys.status_code == 200
        assert {key["alg"] for key in keys.json()["keys"]} == {"RS256"}
        discovery = visitor.call("GET", "/auth/.well-known/openid-configuration").json()
        assert discovery["issuer"] == f"{site.origin}/auth"
        assert discovery["jwks_uri"] == f"{site.origin}/auth/jwt/jwks.json"


def test_visitors_at_the_same_time_never_see_each_others_session(site: Site, mode: str) -> None:
    visits = visit_together(site, mode)
    assert len({own for own, _ in visits}) == len(visits) == 8
    assert all(seen == {own} for own, seen in visits)
