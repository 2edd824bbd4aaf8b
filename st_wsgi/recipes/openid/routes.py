"""The openid routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ...request.context import RequestContext
from ...request.respond import json_response
from ...request.routing import Route
from .apis import OpenIdAPIs


def discovery(apis: OpenIdAPIs, context: RequestContext) -> Response:
    response = json_response(apis.open_id_discovery_configuration_get(context=context))
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


ROUTES: tuple[Route, ...] = (
    Route("GET", "/.well-known/openid-configuration", "open_id_discovery_configuration_get", discovery),
)
