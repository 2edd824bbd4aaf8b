"""
Falcon with ready pages for signing in: ``python examples/falcon_app.py``, then open http://127.0.0.1:3000.

Mails are printed on the console: open their links.
"""

from __future__ import annotations

import os
from pathlib import Path

import falcon
from falcon import Request, Response
from jinja2 import Environment
from werkzeug.serving import run_simple

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.frameworks.falcon import init_app
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
    app_info=AppInfo(app_name="Falcon example", api_domain=HERE, website_domain=HERE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[EmailPassword(), EmailVerification(mode="OPTIONAL"), Session(record_sign_in=True), Pages()],
)


def page(title: str, current: SessionContainer | None) -> str:
    user = None if current is None else st_wsgi.get_user(user_id=current.get_user_id())
    return HOME.render(title=title, user=user, links=LINKS)


class Home:
    def on_get(self, request: Request, response: Response) -> None:
        response.content_type = falcon.MEDIA_HTML
        response.text = page("Falcon example", session.get_session(request, session_required=False))

    on_head = on_get


class Orders:
    def on_get(self, request: Request, response: Response) -> None:
        response.content_type = falcon.MEDIA_HTML
        # check_database: a session that was ended on another device is refused at once, not when its token expires.
        response.text = page("Your orders", session.get_session(request, check_database=True))

    on_head = on_get


class SessionInfo:
    def on_get(self, request: Request, response: Response) -> None:
        current = session.get_session(request)
        response.media = {
            "userId": current.get_user_id(),
            "sessionHandle": current.get_handle(),
            "accessTokenPayload": current.get_access_token_payload(),
        }

    on_head = on_get


site = falcon.App()
site.add_route("/", Home())
site.add_route("/orders", Orders())
site.add_route("/sessioninfo", SessionInfo())
app = init_app(site, st)


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
