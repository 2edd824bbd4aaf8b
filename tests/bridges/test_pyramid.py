"""Pyramid's security policy, on the app of docs/pyramid.md."""

from __future__ import annotations

from pathlib import Path

from testing_kit.running import run_pytest

from bridges.pages_of_docs import files_of

CHECKS = """
import pytest
from pyramid.config import Configurator
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


def test_the_app_of_the_page(tmp_path: Path) -> None:
    files = {**files_of("pyramid"), "test_checks.py": CHECKS}
    ini = ["-W", "ignore:pkg_resources is deprecated", "-W", "ignore:Deprecated call to `pkg_resources"]
    assert run_pytest(tmp_path, files, *ini, app="app:app") == {"passed": 5}
