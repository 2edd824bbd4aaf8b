"""
Pyramid with ready pages for signing in: ``python examples/pyramid_app.py``, then open http://127.0.0.1:3000.

Mails are printed on the console: open their links.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from werkzeug.serving import run_simple

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session, SessionContainer

PORT = int(os.environ.get("PORT", "3000"))
HERE = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
HOME = Environment(autoescape=True).from_string(Path(__file__).with_name("home.html").read_text())
LINKS = [("/", "Home"), ("/orders", "Your orders")]

st = st_wsgi.init(
    app_info=AppInfo(app_name="Pyramid example", api_domain=HERE, website_domain=HERE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[EmailPassword(), EmailVerification(mode="OPTIONAL"), Session(record_sign_in=True), Pages()],
)


def page(title: str, current: SessionContainer | None) -> Response:
    user = None if current is None else st_wsgi.get_user(user_id=current.get_user_id())
    return Response(HOME.render(title=title, user=user, links=LINKS))


def home(request: Request) -> Response:
    return page("Pyramid example", session.get_session(request, session_required=False))


def orders(request: Request) -> Response:
    # check_database: a session that was ended on another device is refused at once, not when its token expires.
    return page("Your orders", session.get_session(request, check_database=True))


def session_info(request: Request) -> dict[str, Any]:
    current = session.get_session(request)
    return {
        "userId": current.get_user_id(),
        "sessionHandle": current.get_handle(),
        "accessTokenPayload": current.get_access_token_payload(),
    }


with Configurator() as config:
    config.include("st_wsgi.frameworks.pyramid")
    config.add_route("home", "/", request_method="GET")
    config.add_view(home, route_name="home")
    config.add_route("orders", "/orders", request_method="GET")
    config.add_view(orders, route_name="orders")
    config.add_route("session_info", "/sessioninfo", request_method="GET")
    config.add_view(session_info, route_name="session_info", renderer="json")
    app = st.wrap(config.make_wsgi_app())


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
