"""
The auth server alone, for backends in other languages: ``gunicorn --threads 4 --bind 127.0.0.1:3000 auth_server:app``.

``docs/backends.md`` explains the deployment around it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import st_wsgi
from st_wsgi import AppInfo, Cors
from st_wsgi.delivery import SMTP
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.userroles import UserRoles

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

API = os.environ.get("ST_API_DOMAIN", "https://shop.example")
WEBSITE = os.environ.get("ST_WEBSITE_DOMAIN", API)
MAIL = SMTP(host=os.environ.get("SMTP_HOST", "smtp.shop.example"), sender="Shop <hello@shop.example>")

st = st_wsgi.init(
    app_info=AppInfo(app_name="Shop", api_domain=API, website_domain=WEBSITE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        EmailPassword(email_delivery=MAIL),
        UserRoles(),
        Session(cookie_domain=os.environ.get("ST_COOKIE_DOMAIN"), anti_csrf="VIA_CUSTOM_HEADER"),
        *([Pages()] if WEBSITE == API else []),
    ],
    cors=None if WEBSITE == API else Cors(origins=[WEBSITE]),
    trusted_proxies=1,
)
app = st.wrap()


def check(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Tell nginx who the user is; errors of the session become the responses that frontends expect."""
    current = session.get_session(environ, check_database=True)
    start_response("204 No Content", [("X-User-Id", current.get_user_id())])
    return []


# For nginx with auth_request: gunicorn auth_server:app_with_check
app_with_check = st.wrap(check)
