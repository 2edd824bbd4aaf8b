"""
An app whose settings come from the environment (``shop.env``): what the other files of this folder serve.

``docs/deployment.md`` says which file is for what.
"""

from __future__ import annotations

import logging
import os

from flask import Flask

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.delivery import SMTP
from st_wsgi.frameworks.flask import init_app
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session

# To the log of the server, with the security events.
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")

url = os.environ["SHOP_URL"]
mail = SMTP(
    host=os.environ["SHOP_MAIL_HOST"],
    sender=f"Shop <{os.environ['SHOP_MAIL_USER']}>",
    user=os.environ["SHOP_MAIL_USER"],
    password=os.environ["SHOP_MAIL_PASSWORD"],
)
st = st_wsgi.init(
    app_info=AppInfo(app_name="Shop", api_domain=url, website_domain=url),
    core=os.environ["SHOP_CORE"],
    api_key=os.environ.get("SHOP_CORE_KEY"),
    recipes=[EmailPassword(email_delivery=mail), Session(), Pages()],
    trusted_proxies=int(os.environ["SHOP_PROXIES"]),
)
app = Flask(__name__)
init_app(app, st)


@app.get("/")
def home() -> str:
    found = session.get_session(session_required=False)
    return "nobody is signed in" if found is None else f"hello {found.get_user_id()}"


@app.get("/sessioninfo")
def session_info() -> dict[str, str]:
    found = session.get_session()
    return {"userId": found.get_user_id(), "sessionHandle": found.get_handle()}
