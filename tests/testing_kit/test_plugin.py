"""The plugin for pytest, in users' projects with settings of production that no test may reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from sampling import exhaustive_but

from testing_kit.running import AUTH, PLAIN, run, run_pytest

FLASK = """
from flask import Flask
import auth
from st_wsgi.frameworks.flask import init_app

app = Flask(__name__)
init_app(app, auth.st)
app.add_url_rule("/me", view_func=lambda: auth.view(None), methods=["GET", "POST"])
"""

FALCON = """
import falcon
import auth
from st_wsgi.frameworks.falcon import init_app

class Me:
    def on_get(self, request, response):
        response.media = auth.view(request)
    on_post = on_get

site = falcon.App()
site.add_route("/me", Me())
app = init_app(site, auth.st)
"""

DJANGO = {
    "settings.py": """
        SECRET_KEY = "only for this test"
        ROOT_URLCONF = "urls"
        SUPERTOKENS = "auth.st"
        MIDDLEWARE = ["st_wsgi.frameworks.django.SuperTokensMiddleware"]
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "real.db"}}
        INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
    """,
    "urls.py": """
        from django.http import JsonResponse
        from django.urls import path
        import auth

        urlpatterns = [path("me", lambda request: JsonResponse(auth.view(request)))]
    """,
    "site.py": """
        import os
        from django.core.wsgi import get_wsgi_application

        os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
        application = get_wsgi_application()
    """,
}

#: What a user of each framework writes; ``me`` and ``post`` are the only lines that differ.
SIGNED_IN = """
import pathlib
import pytest
from st_wsgi.recipes import userroles

{client}

@pytest.mark.parametrize("number", range(2))
def test_each_begins_anew(st_client, number):
    user = st_client(email="ada@example.com", roles={{"editor": ["read", "write"]}}, claims={{"plan": "gold"}}, **KIND)
    assert user.st_user.email == "ada@example.com"
    assert me(user) == {{
        "id": user.st_user.user_id, "tenant": "public", "plan": "gold", "roles": ["editor"],
        "permissions": ["read", "write"],
    }}
    assert sorted(userroles.get_all_roles().roles) == ["editor", "made at start-up"]
    other = st_client(tenant_id="acme", roles=["made at start-up"], **KIND)
    assert me(other)["tenant"] == "acme"
    assert me(other)["permissions"] == ["all"]
    assert me(user)["id"] != me(other)["id"]

def test_csrf_protection_is_that_of_the_app(st_client):
    assert post(st_client(**KIND), "/auth/session/refresh") == 200
    assert post(st_client(**KIND), "/auth/signout") == 200

def test_passwords(st_client):
    user = st_client(**KIND).st_user
    sign_in = {{"formFields": [{{"id": "email", "value": user.email}}, {{"id": "password", "value": user.password}}]}}
    assert post(st_client(**KIND), "/auth/signin", sign_in) == 200

def test_nothing_real_was_touched():
    assert not list(pathlib.Path(".").glob("*.db"))
"""

CLIENTS = {
    "flask": """
KIND = {}
def me(client): return client.get("/me").json
def post(client, path, json=None): return client.post(path, json=json).status_code
""",
    "werkzeug": """
KIND = {}
def me(client): return client.get("/me").json
def post(client, path, json=None): return client.post(path, json=json).status_code
""",
    "webtest": """
import webtest
KIND = {"client": webtest.TestApp}
def me(client): return client.get("/me").json
def post(client, path, json=None): return client.post_json(path, json).status_int
""",
    "falcon": """
import falcon.testing
KIND = {"client": falcon.testing.TestClient}
def me(client): return client.simulate_get("/me").json
def post(client, path, json=None): return client.simulate_post(path, json=json).status_code
""",
    "django": """
KIND = {}
def me(client): return client.get("/me").json()
def post(client, path, json=None): return client.post(path, json, content_type="application/json").status_code
""",
}

APPS: dict[str, dict[str, str]] = {
    "flask": {"app.py": FLASK},
    "werkzeug": {"app.py": PLAIN},
    "webtest": {"app.py": PLAIN},
    "falcon": {"app.py": FALCON},
    "django": {**DJANGO, "app.py": "from site_of_ours import application as app\n"},
}
APPS["django"]["site_of_ours.py"] = APPS["django"].pop("site.py")


#: docs/testing.md has a test of WebTest's client, and the other tests below use werkzeug's.
KINDS = exhaustive_but(list(CLIENTS), ["django"])


@pytest.mark.parametrize("kind", KINDS)
def test_clients_of_each_kind_are_signed_in_as_asked(kind: str, tmp_path: Path) -> None:
    checks = SIGNED_IN.format(client=CLIENTS[kind])
    files = {"auth.py": AUTH, **APPS[kind], "test_checks.py": checks}
    assert run_pytest(tmp_path, files, app="app:app") == {"passed": 5}


def test_a_run_that_does_not_use_it_imports_nothing_of_it(tmp_path: Path) -> None:
    """Apart from the plugin's own module, which imports pytest and the standard library."""
    checks = """
        import sys

        def test_imports():
            assert "pytest_st_wsgi" in sys.modules
            assert not {name for name in sys.modules if name.partition(".")[0] in ("st_wsgi", "st_verify", "werkzeug")}
    """
    assert run_pytest(tmp_path, {"test_checks.py": checks}) == {"passed": 1}


OTHERS = """
import datetime
import os
import random
import smtplib
import socket
import time
import uuid

import pytest
import auth
import st_wsgi
from st_wsgi import testing
from werkzeug.test import Client
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import emailpassword, session

def refuse(*_arguments, **_more):
    raise AssertionError("not in a test")

def form(**fields):
    return {"formFields": [{"id": name, "value": value} for name, value in fields.items()]}

def test_mails_of_the_background_are_in_the_outbox_with_the_texts_of_the_app(st_client, st_outbox):
    user = st_client(verified=False)
    assert user.get("/me").status_code == 403
    assert user.post("/auth/user/email/verify/token").json == {"status": "OK"}
    user.post("/auth/user/password/reset/token", json=form(email=user.st_user.email))
    first, second = st_outbox.all(to=user.st_user.email)
    assert (first.kind, second.kind) == ("EMAIL_VERIFICATION", "PASSWORD_RESET")
    assert "Shop" in first.mail.subject and first.link in first.mail.text
    assert second.mail.subject == "Our own words"
    assert second.path.startswith("/auth/reset-password?token=")
    verify = {"method": "token", "token": st_outbox.last(kind="EMAIL_VERIFICATION").token}
    assert user.post("/auth/user/email/verify", json=verify).json == {"status": "OK"}
    user.post("/auth/session/refresh")
    assert user.get("/me").status_code == 200
    with pytest.raises(AssertionError, match="EMAIL_VERIFICATION to .*@example.com"):
        st_outbox.last(to="nobody@example.com")
    st_outbox.clear()
    assert st_outbox.all() == []

def test_the_outbox_begins_empty(st_outbox):
    assert st_outbox.all() == []

@pytest.mark.parametrize("number", range(2))
def test_limits_begin_anew(st_kit, st_app, monkeypatch, number):
    assert auth.st.rate_limit is None  # a function of the app
    st = st_wsgi.SuperTokens(
        app_info=auth.INFO, core="https://core.shop.example", api_key="secret",
        recipes=[emailpassword.EmailPassword(email_delivery=print), session.Session()],
        rate_limit=st_wsgi.AttemptLimits(per_account=2, store=object_with(refuse)),
    )
    visitor = Client(st.wrap(lambda environ, start: []))
    wrong = form(email="ada@example.com", password="wrong 1 wrong")
    answers = [visitor.post("/auth/signin", json=wrong).status_code for _ in range(3)]
    assert answers == [200, 200, 429]

def object_with(function):
    return type("Store", (), {"add": function, "clear": function})()

def test_under_the_patches_of_a_test(st_client, monkeypatch):
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(smtplib, "SMTP", refuse)
    monkeypatch.setattr(random, "random", lambda: 0.5)
    monkeypatch.setattr(os, "environ", {})
    user = st_client()
    assert user.get("/me").status_code == 200
    now = time.time() + 2 * 24 * 3600
    monkeypatch.setattr(time, "time", lambda: now)
    assert user.get("/me").json == {"message": "try refresh token"}

def test_patches_of_the_app_are_seen(st_client, monkeypatch):
    monkeypatch.setattr(auth, "view", lambda _environ: {"patched": True})
    assert st_client().get("/me").json == {"patched": True}

@pytest.fixture
def st_core_settings():
    return {"access_token_validity": 3600 * 24}

def test_settings_of_the_core(st_client):
    payload = st_client().st_user.session.get_access_token_payload()
    assert payload["exp"] - payload["iat"] == 3600 * 24

def say_who(environ, start_response):
    start_response("200 OK", [])
    return [session.get_session(environ).get_user_id().encode()]

def test_several_instances(st_kit, st_client, st_app):
    two = st_wsgi.SuperTokens(
        app_info=auth.INFO, core="sqlite:///staff.db", recipes=[session.Session(get_token_transfer_method="header")]
    )
    client = testing.signed_in(two.wrap(say_who), two)
    assert client.get("/").text == client.st_user.user_id
    assert two.core is not auth.st.core
    assert st_client(instance=auth.st).get("/me").status_code == 200
    assert st_client(instance=two).get("/me").status_code == 401

def test_an_argument_without_its_recipe(st_kit):
    two = st_wsgi.SuperTokens(app_info=auth.INFO, core="sqlite:///staff.db", recipes=[session.Session()])
    with pytest.raises(ConfigError, match="UserRoles"):
        testing.signed_in(two.wrap(lambda environ, start: []), two, roles=["admin"])

def test_without_the_kit():
    with pytest.raises(ConfigError, match="fixture st_kit"):
        auth.userroles.get_all_roles()
"""


def test_what_a_test_may_do(tmp_path: Path) -> None:
    files = {"auth.py": AUTH, "app.py": FLASK, "test_checks.py": OTHERS}
    assert run_pytest(tmp_path, files, app="app:app") == {"passed": 10}
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.exhaustive
@pytest.mark.exhaustive
def test_divided_among_workers(tmp_path: Path) -> None:
    files = {"auth.py": AUTH, "app.py": FLASK, "test_checks.py": OTHERS}
    assert run_pytest(tmp_path, files, "-n", "2", app="app:app") == {"passed": 10}


RECIPES = """
import pytest
import st_wsgi
from flask import Flask
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multifactorauth import MultiFactorAuth, require_factors
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ProviderClientConfig, ProviderConfig, ProviderInput, ThirdParty

CLIENT = ProviderClientConfig(client_id="1", client_secret="2")
GOOGLE = ProviderInput(config=ProviderConfig(third_party_id="google", clients=[CLIENT]))
def without_password():
    return Passwordless(
        contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE", email_delivery=print
    )

LISTS = {
    "emailpassword": lambda: [EmailPassword(email_delivery=print)],
    "passwordless": lambda: [without_password()],
    "thirdparty": lambda: [ThirdParty(providers=[GOOGLE])],
    "session": lambda: [],
    "factors": lambda: [
        EmailPassword(email_delivery=print), without_password(),
        MultiFactorAuth(first_factors=["emailpassword"]),
    ],
}

@pytest.fixture(params=LISTS)
def st_app(st_kit, request):
    info = st_wsgi.AppInfo(app_name="Shop", api_domain="https://a.example", website_domain="https://b.example")
    st = st_wsgi.init(
        app_info=info, core="sqlite:///auth.db", recipes=[*LISTS[request.param](), Session(cookie_domain=".a.example")]
    )
    app = Flask(__name__)
    app.wsgi_app = st.wrap(app.wsgi_app)

    @app.post("/me")
    @session.verify_session()
    def me():
        return session.current_session().get_user_id()

    @app.get("/second")
    @session.verify_session(override_global_claim_validators=require_factors(requirement_list=["otp-email"]))
    def second():
        return "both"

    return app

def test_a_user_of_every_kind(st_app, st_client):
    user = st_client()
    assert user.post("/me").text == user.st_user.user_id
    found = st_wsgi.get_user(user_id=user.st_user.user_id)
    assert found is None or found.emails == (user.st_user.email,)
    assert user.post("/me", base_url="https://a.example").status_code == 200

@pytest.mark.parametrize("st_app", ["factors"], indirect=True)
def test_factors(st_client):
    assert st_client().get("/second").status_code == 403
    assert st_client(factors=["emailpassword", "otp-email"]).get("/second").text == "both"

def test_a_user_who_is_there(st_client):
    if st_wsgi.is_recipe_initialized("emailpassword"):
        st_client(email="ada@example.com")
        with pytest.raises(st_wsgi.errors.ConfigError, match="EMAIL_ALREADY_EXISTS_ERROR"):
            st_client(email="ada@example.com")
"""


@pytest.mark.exhaustive
def test_an_app_for_each_test_with_other_recipes(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, {"test_checks.py": RECIPES}) == {"passed": 11}
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.one_python
def test_an_instance_that_was_made_too_early_is_refused(tmp_path: Path) -> None:
    checks = """
        import pytest
        import app
        from st_wsgi.errors import ConfigError

        @pytest.fixture
        def st_app():
            return app.app

        @pytest.mark.parametrize("fixture", ["st_kit", "st_outbox", "st_client"])
        def test_too_early(fixture, request):
            with pytest.raises(ConfigError, match="option st_app of pytest"):
                request.getfixturevalue(fixture)
    """
    assert run_pytest(tmp_path, {"auth.py": AUTH, "app.py": FLASK, "test_checks.py": checks}) == {"passed": 3}


@pytest.mark.one_python
def test_an_instance_that_nobody_keeps_is_under_test(tmp_path: Path) -> None:
    made = AUTH.partition("userroles.create")[0].replace("st = st_wsgi.init", "st_wsgi.init")
    checks = """
        import gc
        import auth
        from st_wsgi.recipes import userroles

        def test_roles(st_kit):
            gc.collect()
            userroles.create_new_role_or_add_permissions(role="in memory", permissions=[])
    """
    assert run_pytest(tmp_path, {"auth.py": made, "test_checks.py": checks}, app="auth:INFO") == {"passed": 1}
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("app", "error"), [("", "name your app in the option st_app"), ("app:nothing", "nothing")])
def test_a_name_that_leads_nowhere(app: str, error: str, tmp_path: Path) -> None:
    checks = "def test_client(st_client): ..."
    ini = f"[pytest]\npythonpath = .\nst_app = {app}\n"
    found = run(tmp_path, ["pytest"], {"pytest.ini": ini, "auth.py": AUTH, "app.py": PLAIN, "test_checks.py": checks})
    assert found.returncode == 1
    assert error in found.stdout


@pytest.mark.exhaustive
def test_in_the_runner_of_django(tmp_path: Path) -> None:
    checks = """
        from django.contrib.auth.models import User
        from django.test import SimpleTestCase, TestCase
        from st_wsgi.recipes import userroles
        from st_wsgi.testing.django import SuperTokensMixin

        class WithDatabase(SuperTokensMixin, TestCase):
            def check(self):
                user = self.st_client(email="ada@example.com", roles=["admin"])
                self.assertEqual(user.get("/me").json()["roles"], ["admin"])
                self.assertEqual(sorted(userroles.get_all_roles().roles), ["admin", "made at start-up"])
                user.post("/auth/user/email/verify/token")
                self.assertEqual([one.to for one in self.st_outbox.all()], [])
                self.assertEqual(User.objects.count(), 0)
                User.objects.create(username="ada")

            test_once = test_twice = check

        class WithoutDatabase(SuperTokensMixin, SimpleTestCase):
            st_core_settings = {"access_token_validity": 60}

            def test_settings(self):
                payload = self.st_client().st_user.session.get_access_token_payload()
                self.assertEqual(payload["exp"] - payload["iat"], 60)
                self.assertEqual(self.client.get("/me").status_code, 401)
    """
    files = {"auth.py": AUTH, **APPS["django"], "tests.py": checks}
    found = run(tmp_path, ["django", "test", "--settings", "settings", "--pythonpath", "."], files)
    assert found.returncode == 0, found.stderr
    assert "Ran 3 tests" in found.stderr
    assert not list(tmp_path.glob("*.db"))
