"""Projects of users: a folder with an app and its tests, which run in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

#: An instance with settings of production: nothing of them may be reached by a test.
AUTH = """
import st_wsgi
from st_wsgi import Override, like, replace
from st_wsgi.delivery import SMTP, MailContent
from st_wsgi.recipes import emailverification, session, userroles
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multitenancy import Multitenancy
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.userroles import UserRoles

def really(*_message, **_more):
    raise SystemExit("the real one was used")

def content(message):
    return MailContent(subject="Our own words", text=message.link)

def by_itself(original):
    @like(original.send_email)
    def send_email(*, message):
        really()
    return replace(original, send_email=send_email)

INFO = st_wsgi.AppInfo(
    app_name="Shop", api_domain="https://api.shop.example", website_domain="https://shop.example"
)
RECIPES = [
    EmailPassword(
        email_delivery=SMTP(host="mail.shop.example", sender="shop@shop.example", content=content),
        override=Override(functions=by_itself),
    ),
    emailverification.EmailVerification(mode="REQUIRED", email_delivery=really),
    Multitenancy(),
    UserRoles(),
]
st = st_wsgi.init(
    app_info=INFO,
    core="sqlite:///auth.db",
    recipes=[*RECIPES, Session(anti_csrf="VIA_TOKEN")],
    rate_limit=really,
)
userroles.create_new_role_or_add_permissions(role="made at start-up", permissions=["all"])

def view(environ):
    user = session.get_session(environ)
    payload = user.get_access_token_payload()
    return {"id": user.get_user_id(), "tenant": user.get_tenant_id(), "plan": payload.get("plan"),
            "roles": payload["st-role"]["v"], "permissions": payload["st-perm"]["v"]}
"""

PLAIN = """
import json
import auth

def plain(environ, start_response):
    body = json.dumps(auth.view(environ)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

app = auth.st.wrap(plain)
"""


def run(folder: Path, command: list[str], files: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Write files and run a module of Python beside them. All warnings are errors, but the one that WebOb causes."""
    for name, text in files.items():
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    warnings = ["-W", "error", "-W", "ignore:'cgi' is deprecated:DeprecationWarning:webob.compat"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO"))}
    return subprocess.run(
        [sys.executable, *warnings, "-m", *command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def run_pytest(folder: Path, files: Mapping[str, str], *options: str, app: str | None = None) -> dict[str, int]:
    """
    Run pytest on a user's project, whose option ``st_app`` is *app*, and return the number of each outcome.

    :raises AssertionError: a test failed; what pytest printed is the message.
    """
    named = "" if app is None else f"st_app = {app}\n"
    ini = f"[pytest]\npythonpath = .\naddopts = -p no:cacheprovider --strict-config\n{named}"
    found = run(folder, ["pytest", "-q", *options], {"pytest.ini": ini, **files})
    assert found.returncode == 0, found.stdout + found.stderr
    last = found.stdout.strip().splitlines()[-1]
    return {outcome: int(number) for number, outcome in re.findall(r"(\d+) (\w+)", last)}
