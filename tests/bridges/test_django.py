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

from bridges.pages_of_docs import files_of

CHECKS = """
from unittest import mock
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group
from django.test import TestCase, override_settings
from rest_framework.test import APIClient
import st_wsgi
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
    found = run(tmp_path, ["manage", "test"], {**site, "tests.py": CHECKS})
    assert found.returncode == 0, found.stderr
    assert re.search(r"Ran 10 tests", found.stderr), found.stderr
    assert not list(tmp_path.glob("*.db"))


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
