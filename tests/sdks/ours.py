"""An app with our SDK, of the same settings as the programs with the official ones, called in process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.test import Client, TestResponse

from st_wsgi import AppInfo, SuperTokens
from st_wsgi.delivery import Console
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PASSWORD = "correct horse 1"
API = "http://127.0.0.1:3000"  # also what the programs with the official SDKs are told


def session_info(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An app of one protected route, without a framework."""
    found = session.get_session(environ)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"userId": found.get_user_id(), "sessionHandle": found.get_handle()}).encode()]


class Ours:
    """A frontend with header-based sessions of an app with our SDK."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def post(self, path: str, body: object = None, *, token: str = "") -> TestResponse:
        return self._client.post(path, json=body, headers={"st-auth-mode": "header", **bearer(token)})

    def open(self, method: str, path: str, **more: Any) -> TestResponse:
        return self._client.open(path, method=method, **more)

    def session_info(self, token: str) -> TestResponse:
        return self._client.get("/sessioninfo", headers=bearer(token))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def form(email: str, password: str = PASSWORD) -> dict[str, Any]:
    return {"formFields": [{"id": "email", "value": email}, {"id": "password", "value": password}]}


def made(core_url: str, api_key: str, *, api_domain: str = API) -> SuperTokens:
    """Return an instance of our SDK on the core."""
    return SuperTokens(
        app_info=AppInfo(app_name="peer", api_domain=api_domain, website_domain=api_domain),
        core=core_url,
        api_key=api_key,
        recipes=[EmailPassword(email_delivery=Console(allow_https=True)), Session()],
    )


def frontend_of(st: SuperTokens) -> Ours:
    """A frontend of the app behind that instance."""
    return Ours(Client(st.wrap(session_info), use_cookies=False))
