"""The openid routes: HTTP in, HTTP out."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ...recipe_kit.recipe import Recipe
from ...request.context import RequestContext
from ...request.respond import json_response
from ...request.routing import Route
from .apis import OpenIdAPIs
from .functions import OpenIdFunctions
from .types import OpenIdConfig


def discovery(recipe: Recipe[OpenIdConfig, OpenIdFunctions, OpenIdAPIs], context: RequestContext) -> Response:
    response = json_response(recipe.apis.open_id_discovery_configuration_get(context=context))
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


ROUTES = (Route("GET", "/.well-known/openid-configuration", "open_id_discovery_configuration_get", discovery),)
