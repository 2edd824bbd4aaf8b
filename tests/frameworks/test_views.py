"""Views protected in each framework's own style, and what becomes of what they do with the session."""

from __future__ import annotations

import json
import uuid
from base64 import b64decode
from typing import Any

import pytest

from frameworks.conftest import Sites
from frameworks.sites import ACTIVE, Site, cookies_of

PROTECTED = ("/session", "/decorated", "/class", "/checked", "/relaxed", "/stream")
INACTIVE: dict[str, Any] = {"active": ACTIVE.add_to_payload({}, False)["active"]}
ADMIN: dict[str, Any] = {"admin": {"v": True, "t": 0}}


@pytest.mark.parametrize("path", PROTECTED)
def test_a_protected_view_knows_its_user(site: Site, path: str) -> None:
    answer = site.call(path, bearer=site.log_in("ada").access)
    assert (answer.status_code, answer.text) == (200, "ada")
    assert site.call(path).status_code == 401


@pytest.mark.parametrize("path", PROTECTED)
def test_the_session_is_there_for_later_code(site: Site, path: str) -> None:
    """A hook, tween, middleware or component that runs after the view, and after the answer to an error."""
    assert site.call(path, bearer=site.log_in("ada").access).headers["X-User"] == "ada"
    assert site.call(path).headers["X-User"] == "nobody"


def test_an_optional_session_may_be_missing_but_not_bad(site: Site) -> None:
    token = site.log_in("ada").access
    assert site.call("/optional").text == "nobody"
    assert site.call("/optional", bearer="of-another-site").text == "nobody"
    assert site.call("/optional", bearer=token).text == "ada"
    assert site.call("/optional", bearer=token[:-9] + "AAAAAAAAA").status_code == 401


def test_a_route_chooses_its_own_validators(site: Site) -> None:
    nobody, admin = site.log_in(**INACTIVE).access, site.log_in(**INACTIVE, **ADMIN).access
    for path in ("/session", "/decorated", "/class"):
        refused = site.call(path, bearer=nobody)
        assert refused.status_code == 403
        assert [error["id"] for error in refused.json()["claimValidationErrors"]] == ["active"]
    assert site.call("/relaxed", bearer=nobody).text == "ada"
    refused = site.call("/admin", bearer=nobody)
    assert [error["id"] for error in refused.json()["claimValidationErrors"]] == ["admin"]
    assert site.call("/admin", bearer=admin).text == "ada"


@pytest.mark.parametrize("path", ["/grow", "/stream"])
def test_a_changed_token_reaches_the_frontend_by_headers(site: Site, path: str) -> None:
    answer = site.call(path, bearer=site.log_in().access)
    assert answer.text == "ada"
    assert _payload(answer.headers["front-token"])["colour"] == "green"
    assert site.call("/session", bearer=answer.headers["st-access-token"]).text == "ada"
    exposed = [name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")]
    assert sorted(exposed) == ["front-token", "st-access-token"]


@pytest.mark.parametrize("path", ["/grow", "/stream"])
def test_a_changed_token_reaches_the_frontend_by_cookies(site: Site, path: str) -> None:
    answer = site.call(path, cookies={"sAccessToken": site.log_in().access})
    cookies = cookies_of(answer)
    assert cookies.keys() == {"sAccessToken"}
    token, *attributes = (part.strip() for part in cookies["sAccessToken"].split(";"))
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(attributes)
    assert site.call("/session", cookies={"sAccessToken": token}).text == "ada"


def test_a_new_session_reaches_the_frontend_by_cookies(site: Site) -> None:
    answer = site.call("/login", method="POST", json={"user": "ada", "claims": {}}, headers={"st-auth-mode": "cookie"})
    cookies = cookies_of(answer)
    assert cookies.keys() == {"sAccessToken", "sRefreshToken"}
    assert "Path=/auth/session/refresh" in cookies["sRefreshToken"]
    assert "front-token" in answer.headers


def test_a_stranger_with_a_session_cookie_needs_a_script_of_the_website(sites: Sites, framework: str) -> None:
    site = sites(framework, "guarded")
    cookie = {"sAccessToken": site.log_in().access}
    assert site.call("/session", method="POST", cookies=cookie).status_code == 401
    assert site.call("/session", method="POST", cookies=cookie, headers={"rid": "session"}).text == "ada"
    assert site.call("/session", cookies=cookie).text == "ada"


def test_our_routes_are_there_and_everything_else_is_the_apps(site: Site) -> None:
    tokens = site.log_in()
    assert site.call("/auth/signout", method="POST", bearer=tokens.access).json() == {"status": "OK"}
    assert site.call("/checked", bearer=tokens.access).status_code == 401
    form = [{"id": "email", "value": f"{uuid.uuid4().hex}@example.com"}, {"id": "password", "value": "correct horse 1"}]
    signed_up = site.call("/auth/signup", method="POST", json={"formFields": form})
    assert signed_up.json()["status"] == "OK"
    assert site.call("/auth/nothing").status_code == 404
    assert site.call("/nothing").status_code == 404


def test_an_error_of_the_app_stays_the_apps(site: Site) -> None:
    assert site.call("/crash").status_code == 500


@pytest.mark.parametrize(
    ("framework", "path"),
    [("flask", "/guarded"), ("django", "/guarded"), ("pyramid", "/with_context")],
)
def test_a_view_is_protected_where_it_is_registered(sites: Sites, framework: str, path: str) -> None:
    """Flask's ``decorators`` of a MethodView, Django's decorated ``dispatch``, Pyramid's ``decorator`` of add_view."""
    site = sites(framework)
    assert site.call(path, bearer=site.log_in().access).text == "ada"
    assert site.call(path).status_code == 401


def _payload(front_token: str) -> dict[str, object]:
    payload: dict[str, object] = json.loads(b64decode(front_token))["up"]
    return payload
