"""The example of a resource server, and what real servers let through to one."""

from __future__ import annotations

import http.client
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from sdks.processes import free_port, serving
from werkzeug.test import Client

from st_verify import FetchedKeys
from st_verify.fetch import HttpFetcher
from verify.hostile_server import hostile_server, reply
from verify.minting import ISSUER, jwk, jwks, token
from verify.sites import bearer, fresh

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "resource_server.py"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """The example with the settings of these tests' issuer; its key server answers without a network."""
    monkeypatch.setenv("ST_ISSUER", ISSUER)
    monkeypatch.setattr(HttpFetcher, "__call__", lambda self: FetchedKeys(jwks(jwk())))
    example = types.ModuleType("resource_server")
    exec(compile(EXAMPLE.read_text(), str(EXAMPLE), "exec"), vars(example))
    return Client(vars(example)["app"])


def test_anyone_may_read_the_open_page(client: Client) -> None:
    assert (client.get("/").status_code, client.get("/").text) == (200, "Anyone may read this.")


def test_session_info_needs_a_session(client: Client) -> None:
    assert client.get("/sessioninfo").json == {"message": "unauthorised"}
    assert client.get("/sessioninfo", headers=bearer(token(key="attacker"))).status_code == 401
    shown = client.get("/sessioninfo", headers=bearer(fresh(name="Ada"))).json
    assert shown is not None
    assert (shown["userId"], shown["accessTokenPayload"]["name"]) == ("user-1", "Ada")
    assert shown["sessionHandle"] == shown["accessTokenPayload"]["sessionHandle"]
    assert "refreshTokenHash1" not in shown["accessTokenPayload"]


def test_admin_needs_a_role(client: Client) -> None:
    refused = client.get("/admin", headers=bearer(fresh()))
    assert refused.status_code == 403
    assert refused.json is not None
    assert refused.json["claimValidationErrors"][0]["id"] == "st-role"
    admin = fresh(**{"st-role": {"v": ["admin"], "t": 1}})
    assert client.get("/admin", headers=bearer(admin)).json == {"userId": "user-1", "admin": True}


def test_it_uses_st_verify_alone() -> None:
    assert "st_wsgi" not in EXAMPLE.read_text()


def test_it_serves_by_itself(tmp_path: Path) -> None:
    """With a key server over real sockets, and the default server."""
    port = free_port()
    with hostile_server(reply(jwks(jwk()))) as key_server:
        env = {"PORT": str(port), "ST_ISSUER": ISSUER, "ST_JWKS_URL": key_server.url, "PYTHONPATH": str(ROOT)}
        with serving([sys.executable, str(EXAMPLE)], port=port, log=tmp_path / "log", env=env):
            for _ in range(2):
                status, body = ask(port, "/sessioninfo", bearer(fresh()))
                assert (status, body["userId"]) == (200, "user-1")
            assert ask(port, "/sessioninfo", {})[0] == 401
        assert len(key_server.requests) == 1


ECHO = """
import json

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: value for name, value in environ.items() if name.startswith("HTTP_")}).encode()]
"""


def test_gunicorn_drops_names_that_would_become_one_of_ours(tmp_path: Path) -> None:
    """V-151: ``anti_csrf`` and ``anti-csrf`` would be one environ key; the default lets only the second through."""
    (tmp_path / "echo.py").write_text(ECHO)
    port = free_port()
    line = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", "--no-control-socket", "echo:app"]
    with serving(line, port=port, log=tmp_path / "log", cwd=tmp_path):
        _, smuggled = ask(
            port, "/", {"anti_csrf": "x", "Authorization_": "Bearer x", "sec_fetch_site": "none", "r_id": "x"}
        )
        _, proper = ask(port, "/", {"anti-csrf": "x", "RID": "x"})
    assert not {"HTTP_ANTI_CSRF", "HTTP_AUTHORIZATION", "HTTP_SEC_FETCH_SITE", "HTTP_RID"} & set(smuggled)
    assert (proper["HTTP_ANTI_CSRF"], proper["HTTP_RID"]) == ("x", "x")


def ask(port: int, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
