"""Django's users, its admin and REST framework, on the site of docs/django.md."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests
from sdks.processes import free_port, serving
from testing_kit.running import run

from bridges.pages_of_docs import files_of, with_required_addresses

CHECKS = """
from unittest import mock
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.test import TestCase, override_settings
from rest_framework.test import APIClient
import st_wsgi
from st_wsgi.bridges.django import SuperTokensBackend
from st_wsgi.recipes import session, userroles
from st_wsgi.testing.django import SuperTokensMixin

HTML = {"HTTP_ACCEPT": "text/html"}

class Users(SuperTokensMixin, TestCase):
    def user(self, client):
        return get_user_model().objects.get(username=client.st_user.user_id)

    def test_a_user_is_made_with_no_rights(self):
        client = self.st_client()
        for _ in range(2):
            self.assertEqual(client.get("/orders").content.decode(), "orders of " + client.st_user.user_id)
        user = self.user(client)
        self.assertEqual(get_user_model().objects.count(), 1)
        self.assertFalse(user.is_staff or user.is_superuser or user.has_usable_password())
        self.assertEqual(user.email, "")  # it is not verified
        self.assertIsNone(authenticate(username=user.username, password=client.st_user.password))

    def test_roles_decide_in_every_request(self):
        client = self.st_client(roles=["staff", "clerk"])
        client.get("/orders")
        user = self.user(client)
        self.assertTrue(user.is_staff)
        self.assertFalse(user.is_superuser)
        self.assertEqual({group.name for group in user.groups.all()}, {"staff", "clerk"})
        userroles.remove_user_role(user_id=client.st_user.user_id, role="staff")
        client.get("/orders")
        user = self.user(client)
        self.assertFalse(user.is_staff)
        self.assertEqual({group.name for group in user.groups.all()}, {"clerk"})
        with self.assertNumQueries(2):  # the user and their groups: nothing is written
            client.get("/orders")

    def test_a_user_who_is_not_active_is_nobody(self):
        client = self.st_client()
        client.get("/orders")
        get_user_model().objects.update(is_active=False)
        self.assertRedirects(client.get("/orders"), "/sign-in?next=/orders", fetch_redirect_response=False)
        self.assertEqual(client.get("/sign-in?next=/orders").status_code, 403)

    @override_settings(SUPERTOKENS_CREATE_USERS=False)
    def test_no_user_is_made_if_the_app_says_so(self):
        self.assertEqual(self.st_client().get("/orders").status_code, 302)
        self.assertEqual(get_user_model().objects.count(), 0)

    @override_settings(SUPERTOKENS_USER_FIELD="pk")
    def test_imported_users_are_found_by_their_key_and_none_is_made(self):
        there = get_user_model().objects.create(username="ada")
        client, stranger = self.st_client(), self.st_client()
        st_wsgi.create_user_id_mapping(
            supertokens_user_id=client.st_user.user_id, external_user_id=str(there.pk), force=True
        )
        body = {"formFields": [{"id": "email", "value": client.st_user.email},
                               {"id": "password", "value": client.st_user.password}]}
        client.post("/auth/signin", body, content_type="application/json")
        self.assertEqual(client.get("/orders").content, b"orders of ada")
        self.assertEqual(stranger.get("/orders").status_code, 302)
        self.assertEqual(get_user_model().objects.count(), 1)

    def test_a_visitor_signs_in_on_our_page_and_comes_back(self):
        there = self.client.get("/orders", **HTML)
        self.assertEqual(there["Location"], "/sign-in?next=/orders")
        there = self.client.get(there["Location"], **HTML)
        self.assertEqual(there["Location"], "/sign-in?next=%2Forders&signed-in=")
        there = self.client.get(there["Location"], **HTML)
        self.assertEqual(there["Location"], "/auth?redirectToPath=%2Fsign-in%3Fnext%3D%252Forders%26signed-in%3D")
        user = self.st_client()
        self.assertEqual(user.get("/sign-in?next=%2Forders&signed-in=", **HTML)["Location"], "/orders")
        for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)", ""):
            answer = user.get("/sign-in", {"next": elsewhere, "signed-in": ""})
            self.assertEqual(answer["Location"], "/")

    def test_the_admin_is_for_staff(self):
        self.assertEqual(self.client.get("/admin/")["Location"], "/admin/login/?next=/admin/")
        followed = self.client.get("/admin/login/?next=/admin/", follow=True, **HTML)
        self.assertIn("/auth?redirectToPath=", followed.redirect_chain[-1][0])
        self.assertIn("Sign in", followed.content.decode())
        user = self.st_client(roles=["clerk"])
        self.assertEqual(user.get("/admin/", follow=True).status_code, 403)
        admin = self.st_client(roles=["staff", "admin"])
        self.assertIn("Site administration", admin.get("/admin/").content.decode())
        made = admin.post("/admin/auth/group/add/", {"name": "made in the admin"})
        self.assertEqual(made.status_code, 302)
        self.assertTrue(Group.objects.filter(name="made in the admin").exists())
        self.assertEqual(admin.post("/admin/logout/").status_code, 200)
        self.assertEqual(admin.get("/admin/").status_code, 302)
        self.assertEqual(session.get_all_session_handles_for_user(user_id=admin.st_user.user_id), [])

    def test_django_sessions_of_another_user_begin_anew(self):
        first, second = self.st_client(), self.st_client()
        own = first.session
        own["basket"] = "of the first"
        own.save()
        for client in (first, first):
            client.get("/orders")
        self.assertEqual(first.session["basket"], "of the first")
        second.cookies["sessionid"] = first.cookies["sessionid"].value
        second.get("/orders")
        self.assertNotIn("basket", second.session)

    def own(self, client, **data):
        own = client.session
        own.update(data)
        own.save()
        client.cookies["sessionid"] = own.session_key
        return own.session_key

    def test_a_django_session_gets_a_new_key_when_its_visitor_signs_in(self):
        client = self.st_client()
        planted = self.own(client, basket="of a visitor")
        client.get("/orders")
        self.assertEqual(client.session["basket"], "of a visitor")
        kept = client.session.session_key
        self.assertNotEqual(kept, planted)
        self.assertFalse(client.session.exists(planted))
        client.get("/orders")
        self.assertEqual(client.session.session_key, kept)

    def test_a_django_session_ends_with_the_session(self):
        client = self.st_client()
        self.own(client, basket="of a visitor")
        client.get("/orders")
        client.options("/orders")  # such requests never have a session
        self.assertEqual(client.session["basket"], "of a visitor")
        self.assertEqual(client.post("/auth/signout").status_code, 200)
        self.assertEqual(client.get("/orders").status_code, 302)
        self.assertNotIn("basket", client.session)

    def test_a_django_session_of_a_visitor_stays(self):
        key = self.own(self.client, basket="of a visitor")
        self.client.get("/orders")
        self.assertEqual((self.client.session.session_key, self.client.session["basket"]), (key, "of a visitor"))

    def test_a_django_session_that_begins_after_the_user_was_read_is_theirs(self):
        first, second = self.st_client(), self.st_client()
        self.assertEqual(first.post("/remember").content, b"ok")
        second.cookies["sessionid"] = first.cookies["sessionid"].value
        second.get("/orders")
        self.assertNotIn("basket", second.session)
        first.get("/orders")
        self.assertEqual(first.post("/leave").content, b"bye")
        self.assertEqual(first.get("/orders").status_code, 302)
        self.assertEqual(first.session["said"], "goodbye")  # it began after the sign-out, so it is a visitor's

    @override_settings(CSRF_USE_SESSIONS=True)
    def test_csrf_tokens_in_the_session(self):
        client = self.st_client()
        client.handler.enforce_csrf_checks = True
        for _ in range(2):
            token = client.get("/form").content.decode()
            self.assertEqual(client.post("/remember", {"csrfmiddlewaretoken": token}).content, b"ok")
        self.assertEqual(client.post("/remember").status_code, 403)

    @override_settings(CSRF_USE_SESSIONS=True)
    def test_a_csrf_token_that_was_planted_with_a_session_is_worth_nothing(self):
        attacker, victims = self.st_client(), [self.st_client(), self.st_client()]
        self.client.get("/public-form")
        for planted, victim in zip((self.client, attacker), victims, strict=True):
            known = planted.get("/form" if planted is attacker else "/public-form").content.decode()
            victim.handler.enforce_csrf_checks = True
            victim.cookies["sessionid"] = planted.cookies["sessionid"].value
            token = victim.get("/form").content.decode()
            self.assertEqual(victim.post("/remember", {"csrfmiddlewaretoken": known}).status_code, 403)
            victim.get("/form")
            self.assertEqual(victim.post("/remember", {"csrfmiddlewaretoken": token}).content, b"ok")

    def test_revoked_sessions(self):
        for path in ("/orders", "/api", "/admin/", "/sign-in"):
            client = self.st_client(roles=["staff"])
            session.revoke_all_sessions_for_user(user_id=client.st_user.user_id)
            self.assertEqual(client.get(path).status_code, 403 if path == "/sign-in" else 200)
            with override_settings(SUPERTOKENS_CHECK_DATABASE=True):
                self.assertEqual(client.get(path).status_code, 401)
        with override_settings(SUPERTOKENS_CHECK_DATABASE=True):
            self.assertEqual(self.st_client().get("/orders").status_code, 200)

    @override_settings(SUPERTOKENS_USER_FIELD="first_name")
    def test_another_field_has_the_user_id(self):
        for client in (self.st_client(), self.st_client()):
            for _ in range(2):
                self.assertEqual(client.get("/orders").content.decode(), "orders of " + client.st_user.user_id)
            self.assertEqual(self.user(client).first_name, client.st_user.user_id)
        self.assertEqual(get_user_model().objects.count(), 2)

    @override_settings(SUPERTOKENS_USER_FIELD="email")
    def test_an_e_mail_address_is_no_user_id(self):
        with self.assertRaisesMessage(ImproperlyConfigured, "SUPERTOKENS_USER_FIELD"):
            self.st_client().get("/orders")

    def test_no_row_for_a_user_whom_the_core_does_not_know(self):
        client = self.st_client()
        st_wsgi.delete_user(user_id=client.st_user.user_id)
        self.assertEqual(client.get("/orders").status_code, 302)
        self.assertEqual(get_user_model().objects.count(), 0)
        get_user_model().objects.create(username=client.st_user.user_id)  # the app made it itself
        self.assertEqual(client.get("/orders").status_code, 200)

    def test_passwords_of_django_are_not_accepted(self):
        get_user_model().objects.create_user("ada", password="correct horse 1")
        backend = SuperTokensBackend()
        credentials = {"username": "ada", "password": "correct horse 1"}
        self.assertIsNone(backend.authenticate(None, **credentials))
        self.assertIsNone(async_to_sync(backend.aauthenticate)(None, **credentials))

    def test_a_sign_out_with_an_expired_token_is_repeated_after_the_renewal(self):
        client = self.st_client()
        with mock.patch("time.time", return_value=__import__("time").time() + 86400):
            answer = client.post("/leave")
        self.assertEqual((answer.status_code, answer.json()), (401, {"message": "try refresh token"}))

    def test_rest_framework(self):
        answer = APIClient().get("/api")
        self.assertEqual((answer.status_code, answer["WWW-Authenticate"]), (401, "Bearer"))
        client = self.st_client(client=APIClient)
        self.assertEqual(client.get("/api").json(), {"user": client.st_user.user_id, "tenant": "public"})
        get_user_model().objects.update(is_active=False)
        self.assertEqual(client.get("/api").status_code, 401)

    def test_an_expired_token_is_renewed_and_not_taken_for_a_visitor(self):
        client = self.st_client(client=APIClient)
        client.cookies.pop("sessionid", None)
        client.get("/orders")
        with mock.patch("time.time", return_value=__import__("time").time() + 86400):
            for path in ("/orders", "/api", "/admin/"):
                answer = client.get(path)
                self.assertEqual((answer.status_code, answer.json()), (401, {"message": "try refresh token"}))
"""

STRICT = """
from django.contrib.auth import get_user_model
from django.test import TestCase
from st_wsgi.recipes import session
from st_wsgi.testing.django import SuperTokensMixin

class Users(SuperTokensMixin, TestCase):
    def test_signing_out_without_a_claim(self):
        client = self.st_client(verified=False)
        own = client.session
        own.update({"basket": "full", "st_wsgi.user_id": client.st_user.user_id})
        own.save()
        client.cookies["sessionid"] = own.session_key
        for place in ("/orders", "/leave", "/leave-by-class"):
            self.assertEqual(client.post(place).json()["message"], "invalid claim")
        self.assertEqual(client.post("/auth/signout").json(), {"status": "OK"})
        self.assertEqual(session.get_all_session_handles_for_user(user_id=client.st_user.user_id), [])
        self.assertEqual(client.get("/orders").status_code, 302)
        self.assertFalse(own.exists(own.session_key))

    def test_a_unique_address_is_set_once_and_only_if_it_is_verified(self):
        client = self.st_client(email="ada@example.com")
        self.assertEqual(client.get("/orders").status_code, 200)
        there = get_user_model().objects.get()
        self.assertEqual((there.supertokens_id, there.email), (client.st_user.user_id, "ada@example.com"))
        there.supertokens_id = "another"  # a row that another user has
        there.save()
        self.assertEqual(client.get("/orders").status_code, 302)
        self.assertEqual(get_user_model().objects.count(), 1)
"""

PEOPLE = """
from django.contrib.auth.models import AbstractUser
from django.db import models

class Person(AbstractUser):
    username = None
    email = models.EmailField(unique=True)
    supertokens_id = models.CharField(max_length=128, unique=True)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []
"""

PEOPLE_SETTINGS = """
INSTALLED_APPS.append("people")
AUTH_USER_MODEL = "people.Person"
SUPERTOKENS_USER_FIELD = "supertokens_id"
MIGRATION_MODULES = dict.fromkeys(["admin", "auth", "contenttypes", "people", "sessions"])
"""

MORE_VIEWS = """
from django.contrib.auth import logout
from django.contrib.auth.views import LogoutView
from django.middleware.csrf import get_token

def remember(request):
    if request.user.is_authenticated:
        request.session["basket"] = "full"
    return HttpResponse("ok")

def form(request):
    return HttpResponse(get_token(request) if request.user.is_authenticated else "")

def public_form(request):
    return HttpResponse(get_token(request))

def leave(request):
    logout(request)
    request.session["said"] = "goodbye"
    return HttpResponse("bye")

urlpatterns += [
    path("remember", remember),
    path("form", form),
    path("public-form", public_form),
    path("leave", leave),
    path("leave-by-class", LogoutView.as_view(next_page="/")),
]
"""

MANAGE = """
import os
import sys
from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""

WSGI = """
import os
from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
application = get_wsgi_application()
"""


@pytest.fixture(scope="module")
def site() -> Mapping[str, str]:
    return {**files_of("django"), "manage.py": MANAGE, "mysite.py": WSGI}


def test_in_the_runner_of_django(site: Mapping[str, str], tmp_path: Path) -> None:
    files = {**site, "urls.py": site["urls.py"] + MORE_VIEWS, "tests.py": CHECKS}
    found = run(tmp_path, ["manage", "test"], files)
    assert found.returncode == 0, found.stderr
    assert re.search(r"Ran 22 tests", found.stderr), found.stderr
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.one_python
def test_with_required_addresses_that_are_the_usernames(site: Mapping[str, str], tmp_path: Path) -> None:
    views = site["urls.py"].replace("request.user.username", "request.user.get_username()") + MORE_VIEWS
    changed = {
        "auth.py": with_required_addresses(site["auth.py"]),
        "urls.py": views,
        "settings.py": site["settings.py"] + PEOPLE_SETTINGS,
    }
    (tmp_path / "people").mkdir()
    people = {"people/__init__.py": "", "people/models.py": PEOPLE}
    found = run(tmp_path, ["manage", "test"], {**site, **changed, **people, "tests.py": STRICT})
    assert found.returncode == 0, found.stderr
    assert re.search(r"Ran 2 tests", found.stderr), found.stderr


def test_the_checks_of_django_find_nothing(site: Mapping[str, str], tmp_path: Path) -> None:
    found = run(tmp_path, ["manage", "check"], site)
    assert "no issues" in found.stdout, found.stderr


@pytest.mark.exhaustive
def test_under_gunicorn(site: Mapping[str, str], tmp_path: Path) -> None:
    """A user is made, and becomes staff as soon as they have the role."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    moved = {name: text.replace("http://127.0.0.1:8000", origin) for name, text in site.items()}
    assert run(tmp_path, ["manage", "migrate"], moved).returncode == 0
    server = ["gunicorn", f"--bind=127.0.0.1:{port}", "--no-control-socket", "--workers=2", "mysite:application"]
    command = [sys.executable, "-m", *server]
    with serving(command, port=port, log=tmp_path / "log", cwd=tmp_path), requests.Session() as browser:
        browser.trust_env = False
        form = [{"id": "email", "value": "ada@example.com"}, {"id": "password", "value": "correct horse 1"}]
        headers = {"st-auth-mode": "cookie"}
        made = browser.post(f"{origin}/auth/signup", json={"formFields": form}, headers=headers, timeout=30).json()
        user_id = made["user"]["id"]
        assert browser.get(f"{origin}/orders", timeout=30).text == f"orders of {user_id}"
        assert browser.get(f"{origin}/admin/", timeout=30).status_code == 403
        roles = [sys.executable, "-m", "st_wsgi", "user", "roles", user_id, "--add", "staff"]
        subprocess.run(roles, cwd=tmp_path, check=True)
        assert "Site administration" in browser.get(f"{origin}/admin/", timeout=30).text
        assert browser.get(f"{origin}/api", timeout=30).json() == {"user": user_id, "tenant": "public"}
