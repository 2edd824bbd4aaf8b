"""
Flask with ready pages for signing in: ``python examples/flask_app.py``, then open http://127.0.0.1:3000.

Mails are printed on the console: open their links. The page for administrators needs a confirmed address and the role
``admin``: ``st-wsgi user roles ada@example.com --add admin``.

The page at ``/spa`` uses the JSON routes, as the official frontend SDKs do. If they run on a website of another origin
(``ST_WEBSITE_DOMAIN``), that website has the pages, and this app has none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import Flask, render_template_string, request

import st_wsgi
from st_wsgi import AppInfo, Cors
from st_wsgi.frameworks.flask import init_app
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification, EmailVerificationClaim
from st_wsgi.recipes.session import Session, SessionClaimValidator, SessionContainer
from st_wsgi.recipes.userroles import UserRoleClaim, UserRoles

PORT = int(os.environ.get("PORT", "3000"))
API = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
WEBSITE = os.environ.get("ST_WEBSITE_DOMAIN", API)
HOME = Path(__file__).with_name("home.html").read_text()
SPA = Path(__file__).with_name("page.html").read_text()
LINKS = [
    ("/", "Home"),
    ("/orders", "Your orders"),
    ("/admin", "Page for administrators"),
    ("/spa", "A page that uses scripts"),
]

st = st_wsgi.init(
    app_info=AppInfo(app_name="Flask example", api_domain=API, website_domain=WEBSITE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        EmailPassword(),
        EmailVerification(mode="OPTIONAL"),
        UserRoles(),
        Session(record_sign_in=True),
        *([Pages()] if WEBSITE == API else []),
    ],
    cors=None if WEBSITE == API else Cors(origins=[WEBSITE], whole_app=True),
)
app = Flask(__name__)
init_app(app, st)


def page(title: str, current: SessionContainer | None) -> str:
    user = None if current is None else st_wsgi.get_user(user_id=current.get_user_id())
    return render_template_string(HOME, title=title, user=user, links=LINKS)


@app.get("/")
def home() -> str:
    return page("Flask example", session.get_session(request, session_required=False))


@app.get("/orders")
def orders() -> str:
    # check_database: a session that was ended on another device is refused at once, not when its token expires.
    return page("Your orders", session.get_session(request, check_database=True))


def administrators(validators: list[SessionClaimValidator], _session: SessionContainer) -> list[SessionClaimValidator]:
    return [*validators, EmailVerificationClaim.is_verified(), UserRoleClaim.includes("admin", max_age_in_seconds=1)]


@app.get("/admin")
def admin() -> str:
    current = session.get_session(request, override_global_claim_validators=administrators)
    return page("You are an administrator", current)


@app.get("/spa")
def spa() -> str:
    return SPA


@app.get("/sessioninfo")
def session_info() -> dict[str, Any]:
    current = session.get_session(request)
    return {
        "userId": current.get_user_id(),
        "sessionHandle": current.get_handle(),
        "accessTokenPayload": current.get_access_token_payload(),
    }


if __name__ == "__main__":
    app.run(port=PORT)
