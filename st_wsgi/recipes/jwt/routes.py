"""The jwt routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ...request.context import RequestContext
from ...request.respond import json_response
from ...request.routing import Route
from .apis import JwtAPIs


def jwks(apis: JwtAPIs, context: RequestContext) -> Response:
    key_set = apis.get_jwks_get(context=context)
    response = json_response(key_set)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = f"max-age={key_set.validity_in_secs}, must-revalidate"
    return response


ROUTES: tuple[Route, ...] = (Route("GET", "/jwt/jwks.json", "get_jwks_get", jwks),)
