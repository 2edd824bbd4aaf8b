"""Flask-Login's users from the session, on the app of docs/flask-login.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from testing_kit.running import run_pytest

from bridges.pages_of_docs import files_of, with_required_addresses

CHECKS = """
import time
import own_users
from st_wsgi.recipes import session

def test_current_user(st_client, st_app):
    visitor = st_app.test_client()
    assert visitor.get("/").text == "hello"
    refused = visitor.get("/orders")
    assert (refused.status_code, refused.json) == (401, {"message": "unauthorised"})
    user = st_client(roles=["staff", "admin"])
    assert user.get("/").text == "welcome back"
    assert user.get("/orders").text == "orders of " + user.st_user.user_id
    assert user.get("/office").text == "admin, staff"
    assert st_client().get("/office").text == ""

def test_logout_ends_the_session(st_client):
    user = st_client()
    answer = user.post("/leave")
    assert answer.text == "bye"
    cleared = {line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")}
    assert cleared >= {"sAccessToken", "sRefreshToken"}
    assert user.get("/orders").status_code == 401
    assert session.get_all_session_handles_for_user(user_id=user.st_user.user_id) == []

def test_a_logout_of_a_visitor(st_app):
    assert st_app.test_client().post("/leave").text == "bye"

def test_an_access_token_that_has_expired_is_renewed_by_the_frontend(st_client, monkeypatch):
    user, later = st_client(), time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    assert user.get("/").json == {"message": "try refresh token"}
    assert user.get("/orders").json == {"message": "try refresh token"}

def test_users_of_the_app(st_client, st_app):
    user, stranger = (st_client(app=own_users.app) for _ in range(2))
    own_users.customers[user.st_user.user_id] = own_users.Customer(user.st_user.user_id, 5)
    assert user.get("/discount").text == "5"
    assert stranger.get("/discount").status_code == 403
    assert own_users.app.test_client().get("/discount").status_code == 401

def test_a_logout_with_an_expired_token_is_repeated_after_the_renewal(st_client, monkeypatch):
    user, later = st_client(), time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    answer = user.post("/leave")
    assert (answer.status_code, answer.json) == (401, {"message": "try refresh token"})

def test_a_revoked_session_counts_until_its_token_expires(st_client):
    user = st_client()
    session.revoke_all_sessions_for_user(user_id=user.st_user.user_id)
    assert user.get("/orders").status_code == 200
"""

STRICT = """
from st_wsgi.recipes import session

def test_signing_out_without_a_claim(st_client):
    user = st_client(verified=False)
    assert user.get("/orders").json["message"] == "invalid claim"
    assert user.post("/leave").json["message"] == "invalid claim"
    assert user.post("/auth/signout").json == {"status": "OK"}
    assert user.get("/").text == "hello"
    assert session.get_all_session_handles_for_user(user_id=user.st_user.user_id) == []

def test_a_revoked_session_is_refused_at_once(st_client):
    user = st_client()
    assert user.get("/orders").status_code == 200
    session.revoke_all_sessions_for_user(user_id=user.st_user.user_id)
    assert user.get("/orders").status_code == 401
"""


def test_the_app_of_the_page(tmp_path: Path) -> None:
    files = {**files_of("flask-login"), "test_checks.py": CHECKS}
    assert run_pytest(tmp_path, files, app="app:app") == {"passed": 7}


@pytest.mark.one_python
def test_with_required_addresses_and_the_database_checked(tmp_path: Path) -> None:
    text = with_required_addresses(files_of("flask-login")["app.py"])
    text = text.replace("LoginManager())", "LoginManager(), check_database=True)")
    assert run_pytest(tmp_path, {"app.py": text, "test_checks.py": STRICT}, app="app:app") == {"passed": 2}
