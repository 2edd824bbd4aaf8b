"""Which requests with cookies have to show where they come from, beyond the default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import Client

from st_wsgi import AppInfo, RecipeUserId, SuperTokens
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session

WEBSITE = "https://shop.example"
FOREIGN = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
OWN = {"Sec-Fetch-Site": "cross-site", "Origin": WEBSITE}

Open = Callable[[Session], Client]


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"] == "/enter":
        session.create_new_session(environ, recipe_user_id=RecipeUserId("jo"))
    else:
        session.get_session(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"in"]


@pytest.fixture
def enter() -> Iterator[Open]:
    """Start an app with this session recipe; returns a client that is signed in with cookies."""
    opened: list[SuperTokens] = []

    def open_client(recipe: Session) -> Client:
        info = AppInfo(app_name="Shop", api_domain="https://api.example", website_domain=WEBSITE)
        opened.append(SuperTokens(app_info=info, core="sqlite://", recipes=[recipe], allow_in_memory_core=True))
        client = Client(opened[-1].wrap(app))
        assert (
            client.get("/enter", base_url="https://api.example", headers={"st-auth-mode": "cookie"}).status_code == 200
        )
        return client

    yield open_client
    for supertokens in opened:
        supertokens.close()


def status(client: Client, method: str, **headers: str) -> int:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.open("/", method=method, base_url="https://api.example", headers=names).status_code


def test_get_and_head_are_not_checked_unless_said_otherwise(enter: Open) -> None:
    by_default = enter(Session())
    assert [status(by_default, method) for method in ("GET", "HEAD", "POST", "DELETE", "get")] == [
        200,
        200,
        401,
        401,
        401,
    ]
    strict = enter(Session(csrf_safe_methods=()))
    assert [status(strict, method) for method in ("GET", "HEAD", "POST")] == [401, 401, 401]
    assert [status(strict, method, rid="session") for method in ("GET", "HEAD", "POST")] == [200, 200, 200]


def test_only_methods_that_change_nothing_can_be_called_safe() -> None:
    with pytest.raises(ConfigError, match="csrf_safe_methods"):
        Session(csrf_safe_methods=["GET", "POST"])


def test_a_request_of_a_foreign_site_is_refused_whatever_its_rid_when_origins_are_checked(enter: Open) -> None:
    client = enter(Session(check_request_origin=True))
    assert status(client, "POST", rid="session", **FOREIGN) == 401
    assert status(client, "POST", rid="session", Origin="https://evil.example") == 401
    assert status(client, "POST", rid="session", **OWN) == 200
    assert status(client, "POST", rid="session", **{"Sec-Fetch-Site": "same-origin"}) == 200
    assert status(client, "GET", **FOREIGN) == 200


def test_origins_are_not_asked_for_unless_said(enter: Open) -> None:
    assert status(enter(Session()), "POST", rid="session", **FOREIGN) == 200
