"""The session routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ...request.context import RequestContext
from ...request.respond import json_response
from ...request.routing import Route
from .apis import SessionAPIs
from .cookies import REFRESH_PATH
from .in_request import session_of_route


def refresh(apis: SessionAPIs, context: RequestContext) -> Response:
    apis.refresh_post(context=context)
    return json_response({})


def sign_out(apis: SessionAPIs, context: RequestContext) -> Response:
    session = session_of_route(context)
    return json_response(apis.sign_out_post(context=context, session=session))


ROUTES: tuple[Route, ...] = (
    Route("POST", REFRESH_PATH, "refresh_post", refresh),
    Route("POST", "/signout", "sign_out_post", sign_out),
)
