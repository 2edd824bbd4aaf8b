"""
A website and an API behind one address: ``python examples/reverse_proxy/gateway.py``, then open http://127.0.0.1:8000.

The gateway removes ``/api`` from the path and passes the rest to the app on port 3000, as nginx does with
``location /api/ { proxy_pass http://127.0.0.1:3000/; }``. ``api_gateway_path="/api"`` tells the app, because the
browser must send the refresh token to ``/api/auth/session/refresh``, a path that the app does not see.
"""

from __future__ import annotations

import os
import threading

from flask import Flask, request
from werkzeug.middleware.http_proxy import ProxyMiddleware
from werkzeug.serving import make_server, run_simple
from werkzeug.wrappers import Response

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.frameworks.flask import init_app
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session

PORT = int(os.environ.get("PORT", "8000"))
APP_PORT = int(os.environ.get("APP_PORT", "3000"))
PUBLIC = f"http://127.0.0.1:{PORT}"

st = st_wsgi.init(
    app_info=AppInfo(app_name="Gateway example", api_domain=PUBLIC, website_domain=PUBLIC, api_gateway_path="/api"),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[EmailPassword(), Session()],
    trusted_proxies=1,
)
app = Flask(__name__)
init_app(app, st)


@app.get("/sessioninfo")
def session_info() -> dict[str, str]:
    return {"userId": session.get_session(request).get_user_id()}


website = Response("The website. The API is below /api.", mimetype="text/plain")
gateway = ProxyMiddleware(website, {"/api/": {"target": f"http://127.0.0.1:{APP_PORT}/", "remove_prefix": True}})


if __name__ == "__main__":
    behind = make_server("127.0.0.1", APP_PORT, app, threaded=True)
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    run_simple("127.0.0.1", PORT, gateway, threaded=True)
