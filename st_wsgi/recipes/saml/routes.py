"""The saml routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any

from werkzeug.wrappers import Response

from ...errors import BadInput
from ...recipe_kit.forms import text_in
from ...request.context import RequestContext
from ...request.routing import Route
from .apis import SamlAPIs
from .types import LoginRequest, SamlResponseVerified

_RESPONSE, _RELAY_STATE = "SAMLResponse", "RelayState"


def login(apis: SamlAPIs, context: RequestContext) -> object:
    given = {name: context.query_values(name) for name in ("client_id", "redirect_uri", "state")}
    for name, values in given.items():
        if len(values) > 1 or not (name == "state" or any(values)):
            raise BadInput(f"please give one {name} as a query parameter")
    client_id, redirect_uri, state = (next(iter(values), None) for values in given.values())
    result = apis.login_get(
        client_id=str(client_id),
        redirect_uri=str(redirect_uri),
        state=state,
        tenant_id=context.tenant_id,
        context=context,
    )
    return _redirect(result.redirect_uri) if isinstance(result, LoginRequest) else result


def callback(apis: SamlAPIs, context: RequestContext) -> object:
    kind = str((context.environ or {}).get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
    body: dict[str, Any] = context.read_json() if kind == "application/json" else {**context.read_form()}
    saml_response = text_in(body, _RESPONSE)
    try:
        is_empty = not b64decode(saml_response, validate=True)
    except (binascii.Error, ValueError):
        is_empty = True
    if is_empty:
        raise BadInput(f"{_RESPONSE} must be in base64")
    relay_state = None if body.get(_RELAY_STATE) is None else text_in(body, _RELAY_STATE)
    result = apis.callback_post(
        saml_response=saml_response, relay_state=relay_state, tenant_id=context.tenant_id, context=context
    )
    return _redirect(result.redirect_uri) if isinstance(result, SamlResponseVerified) else result


def _redirect(url: str) -> Response:
    return Response(status=302, headers={"Location": url, "Cache-Control": "no-store"})


ROUTES: tuple[Route, ...] = (
    Route("GET", "/saml/login", "login_get", login),
    Route("POST", "/saml/callback", "callback_post", callback),
)
