"""The jwt routes: HTTP in, HTTP out."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ...recipe_kit.recipe import Recipe
from ...request.context import RequestContext
from ...request.respond import json_response
from ...request.routing import Route
from .apis import JwtAPIs
from .functions import JwtFunctions
from .types import JwtConfig


def jwks(recipe: Recipe[JwtConfig, JwtFunctions, JwtAPIs], context: RequestContext) -> Response:
    found = recipe.apis.get_jwks_get(context=context)
    response = json_response(found)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = f"max-age={found.validity_in_secs}, must-revalidate"
    return response


ROUTES = (Route("GET", "/jwt/jwks.json", "get_jwks_get", jwks),)
