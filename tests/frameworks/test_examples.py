"""The examples that want a process of their own: Django's settings are those of a process, and the gateway has two."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sdks.processes import free_port, serving
from servers.running import EXAMPLES, running
from servers.visitor import Visitor


@pytest.fixture(scope="module", params=["django_app", "falcon_app"])
def origin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(request.param, "itself", folder=tmp_path_factory.mktemp(request.param)) as site:
        yield site.origin


@pytest.mark.parametrize("mode", ["cookie", "header"])
def test_a_visitor_signs_up_is_recognised_refreshes_and_signs_out(origin: str, mode: str) -> None:
    with Visitor(origin, mode) as visitor:
        assert "You are not signed in." in visitor.call("GET", "/").text
        assert visitor.session_info().status_code == 401
        user = visitor.sign_up()["user"]
        assert visitor.session_info().json()["userId"] == user["id"]
        assert visitor.refresh().json() == {}
        assert visitor.session_info().json()["userId"] == user["id"]
        assert visitor.sign_out().json() == {"status": "OK"}
        assert visitor.session_info().status_code == 401


def test_behind_a_gateway_the_browser_sends_the_refresh_token_where_it_is_needed(tmp_path: Path) -> None:
    port, app_port = free_port(), free_port()
    env = {
        "PORT": str(port),
        "APP_PORT": str(app_port),
        "ST_CORE": f"sqlite:///{tmp_path}/auth.db?argon2_memory_kb=64",
        "PYTHONPATH": os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")]),
    }
    form = {"formFields": [{"id": "email", "value": "a@example.com"}, {"id": "password", "value": "correct horse 1"}]}
    gateway = EXAMPLES / "reverse_proxy" / "gateway.py"
    with (
        serving([sys.executable, str(gateway)], port=port, log=tmp_path / "log", env=env),
        requests.Session() as browser,
    ):
        browser.trust_env = False
        browser.headers.update({"rid": "session", "st-auth-mode": "cookie"})
        api = f"http://127.0.0.1:{port}/api"
        assert "website" in browser.get(f"http://127.0.0.1:{port}/", timeout=30).text
        user = browser.post(f"{api}/auth/signup", json=form, timeout=30).json()["user"]["id"]
        assert {cookie.name: cookie.path for cookie in browser.cookies} == {
            "sAccessToken": "/",
            "sRefreshToken": "/api/auth/session/refresh",
        }
        assert browser.get(f"{api}/sessioninfo", timeout=30).json() == {"userId": user}
        assert browser.post(f"{api}/auth/session/refresh", timeout=30).json() == {}
        assert browser.get(f"{api}/sessioninfo", timeout=30).json() == {"userId": user}
        issuer = browser.get(f"{api}/auth/.well-known/openid-configuration", timeout=30).json()["issuer"]
        assert issuer == f"{api}/auth"
