"""The way from Django's own sign-in, with the real one: each step of the page on one database, and the way back."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bridges.pages_of_docs import DOCS, files_of
from pages import blocks

PASSWORD = "correct horse 1"

START = """
import json, os, sys
import django
django.setup()
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client

PASSWORD = "correct horse 1"
ADDRESS = {"HTTP_HOST": "127.0.0.1"}
def old_sign_in(name, password=PASSWORD):
    client = Client(**ADDRESS)
    assert client.post("/login", {"username": name, "password": password}).status_code == 302
    return client
"""

OLD = """
call_command("migrate", verbosity=0)
staff = Group.objects.create(name="staff")
staff.permissions.add(Permission.objects.get(codename="view_user"))
for name in ("ada", "bob", "cy", "nomail"):
    user = User.objects.create_user(name, "" if name == "nomail" else f"{name}@example.com", PASSWORD)
User.objects.get(username="ada").groups.add(staff)
cookies = {}
for place in ("ada", "bob", "bob1", "bob2", "cy", "nomail"):
    name = place.rstrip("12")
    client = old_sign_in(name)
    own = client.session
    own["basket"] = "apples of " + name
    own.save()
    cookies[place] = client.cookies["sessionid"].value
    assert client.get("/orders").status_code == 200
print(json.dumps(cookies))
"""

NEW = """
from auth import st
from st_wsgi.recipes import emailpassword, session
from st_wsgi.recipes.session import SignInTimeClaim
import st_wsgi

cookies = json.loads(sys.argv[1])
HTML = {"HTTP_ACCEPT": "text/html"}

def browser(name=None):
    client = Client(**ADDRESS)
    if name:
        client.cookies["sessionid"] = cookies[name]
    return client

def sign(client, page, email, password=PASSWORD):
    fields = [{"id": "email", "value": email}, {"id": "password", "value": password}]
    return client.post("/auth/" + page, {"formFields": fields}, content_type="application/json").json()["status"]

# A visitor is led to the page, and users sign in with their passwords, to their rows and rights.
assert browser().get("/orders", **HTML).headers["Location"] == "/sign-in?next=/orders"
for name, office in (("ada", 200), ("bob", 403)):
    client = browser()
    assert sign(client, "signin", f"{name}@example.com", "wrong horse") == "WRONG_CREDENTIALS_ERROR"
    assert sign(client, "signin", f"{name}@example.com") == "OK"
    key = User.objects.get(username=name).pk
    assert client.get("/orders").content.decode() == f"orders of {key}, basket: None"
    assert client.get("/office").status_code == office
    assert client.post("/leave").content == b"bye"
    assert client.get("/orders").status_code == 302

# Who signs up gets a row, in which nobody else can sign in.
client = browser()
assert sign(client, "signup", "dot@example.com") == "OK"
row = User.objects.latest("pk")
assert client.get("/orders").content.decode() == f"orders of {row.pk}, basket: None"
assert (row.email, row.has_usable_password()) == ("", False)
assert st_wsgi.get_user(user_id=str(row.pk)).emails == ("dot@example.com",)
again = browser()
assert sign(again, "signin", "dot@example.com") == "OK"
assert again.get("/orders").content == client.get("/orders").content
count = User.objects.count()
assert sign(browser(), "signup", "dot@example.com") == "FIELD_ERROR"
assert User.objects.count() == count

# Who is signed in stays so, once, with what the site keeps for them.
client = browser("ada")
moved = client.get("/orders?page=2", **HTML)
assert (moved.status_code, moved.headers["Location"]) == (307, "/orders?page=2")
access = client.cookies["sAccessToken"].value
assert client.get("/orders?page=2").content == b"orders of 1, basket: apples of ada"
assert client.get("/office").content == b"the office"
assert client.cookies["sAccessToken"].value == access
assert client.cookies["sessionid"].value != cookies["ada"]
made = session.get_session_without_request_response(access_token=access)
assert made.get_claim_value(SignInTimeClaim) == 0
assert browser("ada").get("/orders").status_code == 302  # the old cookie is worth nothing any more

# A form is taken along. A new sign-in counts more than an old one.
client = browser("bob")
assert client.post("/leave", follow=True).content == b"bye"

client = browser("bob1")
assert sign(client, "signin", "ada@example.com") == "OK"
assert client.get("/orders", follow=True).content == b"orders of 1, basket: None"  # bob's is not hers

# A new password ends what a thief has of the old site.
(method,) = st_wsgi.get_user(user_id="2").login_methods
changed = emailpassword.update_email_or_password(recipe_user_id=method.recipe_user_id, password="another horse 2")
assert changed.status == "OK"
assert browser("bob2").get("/orders").headers["Location"] == "/sign-in?next=/orders"

# Who was not imported, or whose password is another one by now, signs in again.
cy = User.objects.get(username="cy")
cy.set_password("another horse 2")
cy.save()
for name in ("cy", "nomail"):
    assert browser(name).get("/orders").headers["Location"] == "/sign-in?next=/orders"
st.close()
"""

BACK = """
assert old_sign_in("ada").get("/orders").content == b"orders of 1, basket: None"
newest = User.objects.latest("pk").username
assert not Client().login(username=newest, password=PASSWORD)
assert not Client().login(username=newest, password="")
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder with the files of the page, and a template for the old sign-in form."""
    for name, text in files_of("from-django-auth").items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(site: Path, settings: str, code: str, *arguments: str) -> str:
    """Run code in a process with these settings, and return what it prints. All warnings are errors."""
    (site / "program.py").write_text(START + code)
    return call(site, [sys.executable, "-W", "error", "program.py", *arguments], settings)


def call(site: Path, command: list[str], settings: str) -> str:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": settings}
    done = subprocess.run(command, cwd=site, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 or "not taken" in done.stdout, done.stdout + done.stderr
    return done.stdout


@pytest.mark.exhaustive
def test_the_steps_of_the_page(site: Path) -> None:
    cookies: dict[str, Any] = json.loads(run(site, "before", OLD))
    (commands,) = blocks((DOCS / "from-django-auth.md").read_text(encoding="utf-8"), "sh")
    dump, take = (shlex.split(line) for line in commands.strip().splitlines())
    call(site, [sys.executable, *dump[1:]], "before")
    told = call(site, [sys.executable, "-m", "st_wsgi", *take[1:]], "before")
    assert "4 users read: 3 taken, 0 known already, 1 not taken" in told
    run(site, "settings", NEW, json.dumps(cookies))
    run(site, "before", BACK)
