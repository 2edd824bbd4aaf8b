"""
Codes instead of passwords: ``python examples/passwordless.py``, then open http://127.0.0.1:3000.

The messages are printed on the console, mails and text messages alike. Phone numbers need ``pip install
"st-wsgi[phone]"``.
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
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session, SessionContainer

PORT = int(os.environ.get("PORT", "3000"))
HERE = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
HOME = Path(__file__).with_name("home.html").read_text()
LINKS = [("/", "Home"), ("/orders", "Your orders")]

st = st_wsgi.init(
    app_info=AppInfo(app_name="Passwordless example", api_domain=HERE, website_domain=HERE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        Passwordless(contact_config=ContactEmailOrPhoneConfig(), flow_type="USER_INPUT_CODE_AND_MAGIC_LINK"),
        Session(record_sign_in=True),
        Pages(),
    ],
)
app = Flask(__name__)
init_app(app, st)


def page(title: str, current: SessionContainer | None) -> str:
    user = None if current is None else st_wsgi.get_user(user_id=current.get_user_id())
    return render_template_string(HOME, title=title, user=user, links=LINKS)


@app.get("/")
def home() -> str:
    return page("Passwordless example", session.get_session(request, session_required=False))


@app.get("/orders")
def orders() -> str:
    return page("Your orders", session.get_session(request))


if __name__ == "__main__":
    app.run(port=PORT)
