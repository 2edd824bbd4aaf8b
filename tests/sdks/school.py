"""A provider of these tests that speaks OAuth 2: it has the users that its codes name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from threads import answering
from werkzeug.serving import WSGIRequestHandler, make_server

from sdks.ours import API
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig, UserFields, UserInfoMap

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CALLBACK = f"{API}/auth/callback/school"
SCHOOL = "school"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


def _answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """
    Answer as the provider. Good codes begin with ``of-``; the rest is the user, whose name says what they have.

    ``id~name`` is the user *id*, whose address has another *name*.
    """
    status = "200 OK"
    body: dict[str, object]
    if environ["PATH_INFO"] == "/token":
        given = parse_qs(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode())
        code = given.get("code", [""])[0]
        body = {"access_token": code.removeprefix("of-"), "token_type": "bearer"}
        if not code.startswith("of-"):
            status, body = "400 Bad Request", {"error": "invalid_grant"}
    else:
        account, _, name = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").rpartition("~")
        body = {"id": account or name, "verified": not name.startswith("unverified")}
        if not name.startswith("nomail"):
            body["mail"] = f"{name}@example.com"
        if name.startswith("nobody"):
            status, body = "401 Unauthorized", {"error": "invalid_token"}
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]


@contextmanager
def serving_school() -> Iterator[str]:
    """Serve the provider until the block ends, at this origin."""
    server = make_server("127.0.0.1", 0, _answer, threaded=True, request_handler=_Quiet)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}"


def school(origin: str) -> ProviderConfig:
    """Return the settings of the provider for a tenant."""
    return ProviderConfig(
        third_party_id=SCHOOL,
        name="The school",
        clients=[ProviderClientConfig(client_id="id", client_secret="secret", scope=["openid", "email"])],
        authorization_endpoint=f"{origin}/authorize",
        authorization_endpoint_query_params={"prompt": "consent"},
        token_endpoint=f"{origin}/token",
        user_info_endpoint=f"{origin}/me",
        user_info_map=UserInfoMap(from_user_info_api=UserFields(user_id="id", email="mail", email_verified="verified")),
    )


def arrival(code: str, third_party_id: str = SCHOOL, **more: object) -> dict[str, object]:
    """Return the body of a sign-in of somebody who comes back from the provider with a code."""
    redirect = {"redirectURIOnProviderDashboard": CALLBACK, "redirectURIQueryParams": {"code": code}, **more}
    return {"thirdPartyId": third_party_id, "redirectURIInfo": redirect}
