"""Pyramid with SuperTokens in front: ``python examples/pyramid_app.py``, then open http://127.0.0.1:3000."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from werkzeug.serving import run_simple

import st_wsgi
from st_wsgi import AppInfo, Cors
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session

PORT = int(os.environ.get("PORT", "3000"))
API = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
WEBSITE = os.environ.get("ST_WEBSITE_DOMAIN", API)
PAGE = Path(__file__).with_name("page.html").read_text()

st = st_wsgi.init(
    app_info=AppInfo(app_name="Pyramid example", api_domain=API, website_domain=WEBSITE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[EmailPassword(), Session()],
    cors=None if WEBSITE == API else Cors(origins=[WEBSITE], whole_app=True),
)


def page(request: Request) -> Response:
    return Response(PAGE)


def session_info(request: Request) -> dict[str, Any]:
    current = session.get_session(request)
    return {
        "userId": current.get_user_id(),
        "sessionHandle": current.get_handle(),
        "accessTokenPayload": current.get_access_token_payload(),
    }


with Configurator() as config:
    config.add_route("page", "/", request_method="GET")
    config.add_view(page, route_name="page")
    config.add_route("session_info", "/sessioninfo", request_method="GET")
    config.add_view(session_info, route_name="session_info", renderer="json")
    app = st.wrap(config.make_wsgi_app())


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
