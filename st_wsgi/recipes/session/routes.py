"""The session routes: HTTP in, HTTP out."""

from __future__ import annotations

from typing import Any, TypeAlias

from werkzeug.wrappers import Response

from ...request.context import RequestContext
from ...request.respond import json_response
from ...request.routing import Route
from .apis import SessionAPIs
from .base import SessionRecipe
from .functions import SessionFunctions
from .in_request import get_session

_Session: TypeAlias = SessionRecipe[SessionFunctions, SessionAPIs]


def refresh(recipe: _Session, context: RequestContext) -> Response:
    recipe.apis.refresh_post(context=context)
    return json_response({})


def sign_out(recipe: _Session, context: RequestContext) -> Response:
    session = get_session(context, override_global_claim_validators=_no_validators)
    return json_response(recipe.apis.sign_out_post(context=context, session=session))


def _no_validators(validators: Any, session: Any) -> list[Any]:
    """Whoever has a session may end it, whatever its claims say."""
    return []


ROUTES = (
    Route("POST", "/session/refresh", "refresh_post", refresh),
    Route("POST", "/signout", "sign_out_post", sign_out),
)
