"""Pyramid's security policy, on the app of docs/pyramid.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from testing_kit.running import run_pytest

from bridges.pages_of_docs import files_of, with_required_addresses

CHECKS = """
import time
import pytest
from pyramid.config import Configurator
from pyramid.security import forget
from werkzeug.test import Client
import app
from st_wsgi.bridges.pyramid import SessionPolicy
from st_wsgi.recipes import session

def test_identity(st_client, st_app):
    assert Client(st_app).get("/").text == "hello"
    user = st_client()
    assert user.get("/").text == "hello " + user.st_user.user_id

def test_permissions_of_roles(st_client, st_app):
    refused = Client(st_app).get("/orders")
    assert (refused.status_code, refused.json) == (401, {"message": "unauthorised"})
    assert st_client().get("/orders").status_code == 403
    assert st_client(roles={"clerk": ["orders:write"]}).get("/orders").status_code == 403
    assert st_client(roles={"clerk": ["orders:read"]}).get("/orders").text == "orders"

def test_an_acl_decides(st_client, st_app):
    assert Client(st_app).get("/office").status_code == 401
    assert st_client(roles={"clerk": ["enter"]}).get("/office").status_code == 403
    assert st_client(roles=["staff"]).get("/office").text == "office"
    assert st_client(roles={"guest": ["visit"]}).get("/office").text == "office"

def test_forget_ends_the_session(st_client, st_app):
    user = st_client()
    assert user.post("/leave").text == "bye"
    assert user.get("/").text == "hello"
    assert session.get_all_session_handles_for_user(user_id=user.st_user.user_id) == []
    assert Client(st_app).post("/leave").text == "bye"

def test_forget_with_an_expired_token_is_repeated_after_the_renewal(st_client, monkeypatch):
    user, later = st_client(), time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    answer = user.post("/leave")
    assert (answer.status_code, answer.json) == (401, {"message": "try refresh token"})

def test_a_revoked_session_counts_until_its_token_expires(st_client):
    user = st_client(roles={"clerk": ["orders:read"]})
    session.revoke_all_sessions_for_user(user_id=user.st_user.user_id)
    assert user.get("/orders").status_code == 200

def test_nobody_is_signed_in_once_the_session_was_forgotten(st_client):
    def leave(request):
        before = request.authenticated_userid
        forget(request)
        return [before, request.identity, request.authenticated_userid, bool(request.has_permission("orders:read"))]

    with Configurator() as config:
        config.include("st_wsgi.bridges.pyramid")
        config.add_route("leave", "/leave")
        config.add_view(leave, route_name="leave", renderer="json")
        own = app.st.wrap(config.make_wsgi_app())
    user = st_client(app=own, roles={"clerk": ["orders:read"]})
    assert user.post("/leave").json == [user.st_user.user_id, None, None, False]
    assert user.post("/leave").json == [None, None, None, False]

class Nobody(SessionPolicy):
    def permits(self, request, context, permission):
        return False

def test_a_policy_of_the_app_counts(st_client):
    with Configurator() as config:
        config.include("st_wsgi.bridges.pyramid")
        config.set_security_policy(Nobody())
        config.add_route("orders", "/orders")
        config.add_view(app.orders, route_name="orders", renderer="string", permission="orders:read")
        own = app.st.wrap(config.make_wsgi_app())
    user = st_client(app=own, roles={"clerk": ["orders:read"]})
    assert user.get("/orders").status_code == 403
"""

STRICT = """
from st_wsgi.recipes import session

def test_forget_needs_no_claims(st_client):
    user = st_client(verified=False)
    for path in ("/", "/orders"):
        assert user.get(path).json["message"] == "invalid claim"
    assert user.post("/leave").text == "bye"
    assert user.get("/").text == "hello"
    assert session.get_all_session_handles_for_user(user_id=user.st_user.user_id) == []

def test_a_revoked_session_is_refused_at_once(st_client):
    user = st_client(roles={"clerk": ["orders:read"]})
    assert user.get("/orders").status_code == 200
    session.revoke_all_sessions_for_user(user_id=user.st_user.user_id)
    for path in ("/", "/orders"):
        assert user.get(path).status_code == 401
"""

INI = ["-W", "ignore:pkg_resources is deprecated", "-W", "ignore:Deprecated call to `pkg_resources"]


def test_the_app_of_the_page(tmp_path: Path) -> None:
    files = {**files_of("pyramid"), "test_checks.py": CHECKS}
    assert run_pytest(tmp_path, files, *INI, app="app:app") == {"passed": 8}


@pytest.mark.one_python
def test_with_required_addresses_and_the_database_checked(tmp_path: Path) -> None:
    text = with_required_addresses(files_of("pyramid")["app.py"])
    text = text.replace("Configurator()", 'Configurator(settings={"supertokens.check_database": "true"})')
    assert run_pytest(tmp_path, {"app.py": text, "test_checks.py": STRICT}, *INI, app="app:app") == {"passed": 2}
