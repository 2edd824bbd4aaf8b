"""Bottle with SuperTokens in front: ``python examples/bottle_app.py``, then open http://127.0.0.1:3000."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bottle import Bottle, request
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
    app_info=AppInfo(app_name="Bottle example", api_domain=API, website_domain=WEBSITE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[EmailPassword(), Session()],
    cors=None if WEBSITE == API else Cors(origins=[WEBSITE], whole_app=True),
)
site = Bottle()
app = st.wrap(site)


@site.get("/")
def page() -> str:
    return PAGE


@site.get("/sessioninfo")
def session_info() -> dict[str, Any]:
    current = session.get_session(request)
    return {
        "userId": current.get_user_id(),
        "sessionHandle": current.get_handle(),
        "accessTokenPayload": current.get_access_token_payload(),
    }


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
