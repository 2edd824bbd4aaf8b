"""The way from Flask-Security, with the real one: both apps of the page give the same people the same views."""

from __future__ import annotations

from pathlib import Path

import pytest
from bridges.pages_of_docs import DOCS, files_of
from pages import blocks
from sdks.installs import python_environment
from testing_kit.running import run_pytest

HERE = Path(__file__).parent

CHECKS = """
import shlex
import time
import pytest
import before
from st_wsgi import cli
from st_wsgi.recipes import session

PASSWORD = "correct horse 1"
PEOPLE = {
    "nobody": [], "staff": ["staff"], "manager": ["manager"], "both": ["staff", "manager"], "reader": ["reader"],
    "editor": ["reader", "writer"],
}
VIEWS = ["/orders", "/office", "/desk", "/ledger", "/report"]

@pytest.fixture(scope="module")
def app():
    with before.app.app_context():
        before.Base.metadata.create_all(before.db.get_bind())
        for role, permissions in {"staff": [], "manager": [], "reader": ["read"], "writer": ["write"]}.items():
            before.users.create_role(name=role, permissions=set(permissions))
        from flask_security import hash_password
        for name, roles in PEOPLE.items():
            before.users.create_user(email=f"{name}@example.com", password=hash_password(PASSWORD), roles=roles)
        before.users.create_user(email="gone@example.com", password=hash_password(PASSWORD), active=False)
        before.users.commit()
    import export
    assert cli.main(shlex.split(COMMAND)[1:]) == 1  # one is not active
    import app
    yield app
    app.st.close()

def old_client(email):
    client = before.app.test_client()
    form = {"email": email, "password": PASSWORD, "remember": True}
    assert client.post("/login", json=form).status_code == 200
    return client

def new_client(app, email):
    client = app.app.test_client()
    fields = [{"id": "email", "value": email}, {"id": "password", "value": PASSWORD}]
    assert client.post("/auth/signin", json={"formFields": fields}).json["status"] == "OK"
    return client

def seen(client):
    headers = {"Accept": "application/json"}  # the first request of a browser with an old session is sent twice
    if client.get(VIEWS[0], headers=headers).status_code == 307:
        assert client.get_cookie("remember_token") is None
    answers = [client.get(path, headers=headers) for path in VIEWS]
    return [answer.text if answer.status_code == 200 else answer.status_code for answer in answers]

@pytest.mark.parametrize("name", PEOPLE)
def test_the_decorators_let_the_same_people_in(app, name):
    old, new = old_client(f"{name}@example.com"), new_client(app, f"{name}@example.com")
    assert seen(old) == seen(new)
    assert (old.post("/close").text, new.post("/close").text) == ("closed", "closed")
    assert new.get("/offer").status_code == 403

def test_visitors_get_in_nowhere(app):
    visitor, old = app.app.test_client(), before.app.test_client()
    assert seen(visitor) == [401] * len(VIEWS)
    assert seen(old) == [401, 403, 403, 403, 403]
    assert visitor.post("/close").status_code == 401
    assert visitor.get("/offer").text == "for new customers"

@pytest.mark.parametrize("kept", [["session"], ["remember_token"], ["session", "remember_token"]])
def test_who_is_signed_in_stays_so_and_has_not_just_signed_in(app, kept):
    old, client = old_client("both@example.com"), app.app.test_client()
    for name in kept:
        client.set_cookie(name, old.get_cookie(name).value)
    assert seen(client)[:3] == ["orders of user 4", "the office", "the desk"]
    assert client.get_cookie("remember_token") is None
    assert client.get_cookie("sAccessToken") is not None
    refused = client.post("/close")
    assert (refused.status_code, refused.json["claimValidationErrors"][0]["id"]) == (403, "st-sign-in")

def test_a_new_password_ends_what_a_thief_has_of_the_old_app(app):
    import st_wsgi
    from st_wsgi.recipes import emailpassword
    old, thief = old_client("both@example.com"), app.app.test_client()
    for name in ("session", "remember_token"):
        thief.set_cookie(name, old.get_cookie(name).value)
    (method,) = st_wsgi.get_user(user_id="4").login_methods
    changed = emailpassword.update_email_or_password(recipe_user_id=method.recipe_user_id, password="another horse 2")
    assert changed.status == "OK"
    assert seen(thief) == [401] * len(VIEWS)

def test_a_role_that_is_taken_away_counts_for_a_minute(app):
    from st_wsgi.recipes import userroles
    client = new_client(app, "manager@example.com")
    assert client.get("/desk").text == "the desk"
    access = client.get_cookie("sAccessToken").value
    handle = session.get_session_without_request_response(access_token=access).get_handle()
    minute_old = {"v": ["manager"], "t": int(time.time() - 61) * 1000}
    session.merge_into_access_token_payload(
        session_handle=handle, access_token_payload_update={"st-role": minute_old}
    )
    assert userroles.remove_user_role(user_id="3", role="manager").status == "OK"
    assert client.get("/desk").text == "the desk"
    assert client.post("/auth/session/refresh").status_code == 200
    assert client.get("/desk").status_code == 403

def test_who_was_not_active_is_a_visitor(app):
    client = app.app.test_client()
    fields = [{"id": "email", "value": "gone@example.com"}, {"id": "password", "value": PASSWORD}]
    assert client.post("/auth/signin", json={"formFields": fields}).json["status"] == "WRONG_CREDENTIALS_ERROR"

def test_the_way_back(app):
    assert seen(old_client("both@example.com"))[0] == "orders of user 4"
"""


@pytest.mark.exhaustive
def test_the_steps_of_the_page(tmp_path: Path) -> None:
    files = files_of("from-flask-security")
    assert list(files) == ["before.py", "export.py", "decorators.py", "app.py"]
    (command,) = blocks((DOCS / "from-flask-security.md").read_text(encoding="utf-8"), "sh")
    (packages,) = (python_environment(HERE).parent.parent / "lib").glob("python*/site-packages")
    conftest = f"import sys\nsys.path.append({str(packages)!r})\n"  # behind those of the tests
    checks = CHECKS.replace("COMMAND", repr(command))
    assert run_pytest(tmp_path, {**files, "conftest.py": conftest, "test_checks.py": checks}) == {"passed": 14}
