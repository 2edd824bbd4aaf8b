"""
Flask with the pages of st_wsgi: ``python examples/pages_app.py``, then open http://127.0.0.1:3000.

There is no line of JavaScript. The links and codes of mails are printed on the console.
"""

from __future__ import annotations

import os

from flask import Flask, render_template_string, request

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.pages import Brand, Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session

PORT = int(os.environ.get("PORT", "3000"))
HERE = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
PAGE = """<!doctype html>
<html lang="en"><title>{{ title }}</title><meta name="viewport" content="width=device-width">
<h1>{{ title }}</h1><p>You are user {{ user_id }}.</p>
<p><a href="/auth/account">Your account</a> · <a href="/auth/sign-out">Sign out</a></p></html>"""

st = st_wsgi.init(
    app_info=AppInfo(app_name="Pages example", api_domain=HERE, website_domain=HERE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        EmailPassword(),
        EmailVerification(mode="REQUIRED"),
        Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE_AND_MAGIC_LINK"),
        Session(record_sign_in=True),
        Pages(brand=Brand(colour="#0f6b4f")),
    ],
)
app = Flask(__name__)
app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask documents this


@app.get("/")
@app.get("/orders/<number>")
def orders(number: str = "1") -> str:
    current = session.get_session(request)
    return render_template_string(PAGE, title=f"Order {number}", user_id=current.get_user_id())


if __name__ == "__main__":
    app.run(port=PORT)
