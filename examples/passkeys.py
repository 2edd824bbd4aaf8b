"""
Passkeys instead of passwords: ``python examples/passkeys.py``, then open http://localhost:3000.

Browsers make no passkeys for addresses such as 127.0.0.1. Mails, for those who lost theirs, are printed on the console.
"""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, render_template_string, request

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.frameworks.flask import init_app
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session, SessionContainer
from st_wsgi.recipes.webauthn import Webauthn

PORT = int(os.environ.get("PORT", "3000"))
HERE = os.environ.get("ST_API_DOMAIN", f"http://localhost:{PORT}")
HOME = Path(__file__).with_name("home.html").read_text()
LINKS = [("/", "Home"), ("/orders", "Your orders")]

st = st_wsgi.init(
    app_info=AppInfo(app_name="Passkeys example", api_domain=HERE, website_domain=HERE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    # Without emailverification no address is known to be the user's, so a recovery would remove all other passkeys.
    recipes=[Webauthn(), EmailVerification(mode="OPTIONAL"), Session(record_sign_in=True), Pages()],
)
app = Flask(__name__)
init_app(app, st)


def page(title: str, current: SessionContainer | None) -> str:
    user = None if current is None else st_wsgi.get_user(user_id=current.get_user_id())
    return render_template_string(HOME, title=title, user=user, links=LINKS)


@app.get("/")
def home() -> str:
    return page("Passkeys example", session.get_session(request, session_required=False))


@app.get("/orders")
def orders() -> str:
    return page("Your orders", session.get_session(request))


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)
