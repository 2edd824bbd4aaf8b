"""
Sign-in with other providers: ``python examples/third_party.py``, then open http://127.0.0.1:3000.

A small OpenID provider on loopback is always there. For GitHub or Google, register an app there with the redirect URI
``http://127.0.0.1:3000/auth/callback/github`` or ``.../google``, and put its id and secret into the environment:
``GITHUB_CLIENT_ID``, ``GITHUB_CLIENT_SECRET``, ``GOOGLE_CLIENT_ID``, ``GOOGLE_CLIENT_SECRET``.
"""

from __future__ import annotations

import os
from pathlib import Path

import openid_provider
from flask import Flask, render_template_string, request

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.frameworks.flask import init_app
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session, SessionContainer
from st_wsgi.recipes.thirdparty import ProviderClientConfig, ProviderConfig, ProviderInput, ThirdParty

PORT = int(os.environ.get("PORT", "3000"))
HERE = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
HOME = Path(__file__).with_name("home.html").read_text()
LINKS = [("/", "Home"), ("/orders", "Your orders")]

provider = openid_provider.start(client_id="example", redirect_uri=f"{HERE}/auth/callback/loopback")
providers = [
    ProviderConfig(
        third_party_id="loopback",
        name="the provider on loopback",
        clients=[ProviderClientConfig(client_id="example", scope=["openid", "email"])],
        oidc_discovery_endpoint=f"http://127.0.0.1:{provider.port}/.well-known/openid-configuration",
    )
]
for name in ("GitHub", "Google"):
    client_id, secret = (os.environ.get(f"{name.upper()}_CLIENT_{part}") for part in ("ID", "SECRET"))
    if client_id and not secret:
        raise SystemExit(f"Set {name.upper()}_CLIENT_SECRET, too.")
    if client_id:
        client = ProviderClientConfig(client_id=client_id, client_secret=secret)
        providers.append(ProviderConfig(third_party_id=name.lower(), name=name, clients=[client]))

st = st_wsgi.init(
    app_info=AppInfo(app_name="Providers example", api_domain=HERE, website_domain=HERE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        ThirdParty(
            providers=[ProviderInput(config=config) for config in providers],
            allow_private_networks=True,  # only for the provider on loopback
        ),
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
    return page("Providers example", session.get_session(request, session_required=False))


@app.get("/orders")
def orders() -> str:
    return page("Your orders", session.get_session(request))


if __name__ == "__main__":
    app.run(port=PORT)
