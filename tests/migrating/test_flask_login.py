"""The way from Flask-Login, with the real one: each step of the page on one database, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from bridges.pages_of_docs import DOCS, files_of
from pages import blocks
from testing_kit.running import run_pytest

CHECKS = """
import shlex
import pytest
import before
from st_wsgi import cli
from st_wsgi.recipes import session
from st_wsgi.recipes.session import SignInTimeClaim
from st_wsgi.request import current

PASSWORD = "correct horse 1"
HTML = {"Accept": "text/html"}

def old_client(email="", remember=None):
    client = before.app.test_client()
    if email:
        form = {"email": email, "password": PASSWORD, **({"remember": remember} if remember else {})}
        assert client.post("/login", data=form).text == "welcome back"
    return client

def moved(old, app):
    '''The same browser, at the new app: with all cookies that the old one gave it.'''
    client = app.test_client()
    for name in ("session", "remember_token"):
        cookie = old.get_cookie(name)
        if cookie is not None:
            client.set_cookie(name, cookie.value)
    return client

def opened(client, path="/orders", method="GET"):
    '''What a browser gets that sends a request again when it is told to.'''
    answer = client.open(path, method=method)
    assert answer.location in (None, f"http://127.0.0.1:3000{path}")
    return client.open(path, method=method) if answer.status_code == 307 else answer

def sign(client, page, email, password=PASSWORD):
    fields = [{"id": "email", "value": email}, {"id": "password", "value": password}]
    return client.post("/auth/" + page, json={"formFields": fields}).json

def run_import():
    import runpy
    runpy.run_path("export.py")
    assert cli.main(shlex.split(COMMAND)[1:]) == 0

@pytest.fixture(scope="module")
def app():
    '''Steps 1 to 3, with customers who come at each of them.'''
    for name in ("ada", "bob"):
        before.app.test_client().post("/register", data={"email": f"{name}@example.com", "password": PASSWORD})
    import prepare
    before.app.test_client().post("/register", data={"email": "cy@example.com", "password": PASSWORD})
    run_import()
    run_import()
    before.app.test_client().post("/register", data={"email": "late@example.com", "password": PASSWORD})
    import app
    yield app
    app.st.close()

def test_customers_sign_in_with_their_passwords_and_are_who_they_were(app):
    for number, name in enumerate(("ada", "bob", "cy"), 1):
        client = app.app.test_client()
        assert client.get("/orders", headers=HTML).location == "/auth?redirectToPath=%2Forders"
        assert sign(client, "signin", f"{name}@example.com", "wrong horse")["status"] == "WRONG_CREDENTIALS_ERROR"
        assert sign(client, "signin", f"{name}@example.com")["status"] == "OK"
        assert client.get("/orders").text == f"orders of customer {number}"
        assert client.post("/logout").text == "bye"
        assert client.get("/orders").status_code == 401

def test_who_signs_up_gets_a_row(app):
    client = app.app.test_client()
    assert sign(client, "signup", "dot@example.com")["status"] == "OK"
    assert client.get("/orders").text == "orders of customer 5"
    assert client.get("/orders").text == "orders of customer 5"

@pytest.mark.parametrize("remember", [None, "on"])
def test_who_is_signed_in_stays_so(app, remember):
    client = moved(old_client("bob@example.com", remember), app.app)
    assert opened(client).text == "orders of customer 2"
    assert client.get_cookie("remember_token") is None
    access = client.get_cookie("sAccessToken").value
    assert client.get("/orders").text == "orders of customer 2"
    assert client.get_cookie("sAccessToken").value == access  # it happens once
    client.delete_cookie("session")
    assert opened(client).text == "orders of customer 2"
    made = session.get_session_without_request_response(access_token=access)
    assert made.get_claim_value(SignInTimeClaim) == 0

def test_a_form_is_taken_along(app):
    client = moved(old_client("bob@example.com"), app.app)
    assert opened(client, "/logout", "POST").text == "bye"
    assert client.get("/orders").status_code == 401

def test_a_new_password_ends_what_a_thief_has_of_the_old_app(app):
    from st_wsgi.recipes import emailpassword
    from st_wsgi import RecipeUserId
    thief = moved(old_client("cy@example.com", "on"), app.app)
    changed = emailpassword.update_email_or_password(recipe_user_id=RecipeUserId("3"), password="another horse 2")
    assert changed.status == "OK"
    assert opened(thief).status_code == 401
    thief.delete_cookie("session")  # what is remembered counts no more
    assert opened(thief).status_code == 401

def test_no_other_site_is_a_way_back(app):
    client = moved(old_client("bob@example.com"), app.app)
    there = client.get("/", environ_overrides={"PATH_INFO": "//evil.example/"}).location
    assert there.startswith("http://127.0.0.1:3000/")

def test_who_is_remembered_only_stays_so(app):
    old = old_client("bob@example.com", "on")
    old.delete_cookie("session")
    client = moved(old, app.app)
    assert opened(client).text == "orders of customer 2"
    assert client.get_cookie("sAccessToken") is not None
    assert client.get_cookie("remember_token") is None

def test_a_new_sign_in_counts_more_than_what_the_browser_remembers(app):
    client = moved(old_client("bob@example.com", "on"), app.app)
    sign(client, "signin", "ada@example.com")
    assert opened(client).text == "orders of customer 1"
    assert client.get_cookie("remember_token") is None
    assert opened(client).text == "orders of customer 1"

def test_who_was_not_imported_goes_on_as_before_and_cannot_be_taken_over(app):
    client = moved(old_client("late@example.com"), app.app)
    assert client.get("/orders").text == "orders of customer 4"
    assert client.get_cookie("sAccessToken") is None
    thief = app.app.test_client()
    assert sign(thief, "signup", "late@example.com")["status"] == "OK"
    assert thief.get("/orders").status_code == 403

def test_a_visitor_with_an_invalid_cookie_is_a_visitor(app):
    client = app.app.test_client()
    client.set_cookie("remember_token", "2|0000")
    assert client.get("/orders").status_code == 401

def test_the_way_back(app):
    assert old_client("ada@example.com").get("/orders").text == "orders of customer 1"
    refused = before.app.test_client().post("/login", data={"email": "dot@example.com", "password": PASSWORD})
    assert refused.status_code == 401

def test_what_is_left_in_the_end(app):
    import after
    old = old_client("bob@example.com", "on")
    assert moved(old, after.app).get("/orders").status_code == 401
    client = moved(old, after.app)
    sign(client, "signin", "ada@example.com")
    assert client.get("/orders").text == "orders of customer 1"
    after.app.config["REMEMBER_COOKIE_NAME"] = "remember_token"
    assert client.get("/orders").status_code == 403
"""


def test_the_steps_of_the_page(tmp_path: Path) -> None:
    files = files_of("from-flask-login")
    assert list(files) == ["customers.py", "before.py", "prepare.py", "export.py", "app.py", "after.py"]
    (command,) = blocks((DOCS / "from-flask-login.md").read_text(encoding="utf-8"), "sh")
    checks = CHECKS.replace("COMMAND", repr(command))
    assert run_pytest(tmp_path, {**files, "test_checks.py": checks}) == {"passed": 13}


WITH_FACTOR = """
import shlex
import before
from st_wsgi import cli

def test_a_second_factor_is_asked_for():
    form = {"email": "ada@example.com", "password": "correct horse 1"}
    before.app.test_client().post("/register", data=form)
    import prepare
    import export
    assert cli.main(shlex.split(COMMAND)[1:]) == 0
    import app
    from st_wsgi.recipes.multifactorauth import add_to_required_secondary_factors_for_user
    add_to_required_secondary_factors_for_user(user_id="1", factor_id="totp")
    old, client = before.app.test_client(), app.app.test_client()
    old.post("/login", data=form)
    client.set_cookie("session", old.get_cookie("session").value)
    assert client.get("/orders").status_code == 307
    refused = client.get("/orders")
    assert (refused.status_code, refused.json["claimValidationErrors"][0]["id"]) == (403, "st-mfa")
    app.st.close()
"""


@pytest.mark.exhaustive
def test_users_who_stay_signed_in_still_need_their_second_factor(tmp_path: Path) -> None:
    files = files_of("from-flask-login")
    recipes = "        MultiFactorAuth(first_factors=['emailpassword']),\n        Totp(issuer='Shop'),\n"
    imports = "from st_wsgi.recipes.multifactorauth import MultiFactorAuth\nfrom st_wsgi.recipes.totp import Totp\n"
    changed = files["app.py"].replace("    recipes=[\n", "    recipes=[\n" + recipes)
    assert changed != files["app.py"]
    files["app.py"] = changed.replace("import flask\n", "import flask\n" + imports, 1)
    (command,) = blocks((DOCS / "from-flask-login.md").read_text(encoding="utf-8"), "sh")
    checks = WITH_FACTOR.replace("COMMAND", repr(command))
    assert run_pytest(tmp_path, {**files, "test_checks.py": checks}) == {"passed": 1}
