"""The session routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from ...request.context import RequestContext
from ...request.routing import Route
from .apis import SessionAPIs
from .cookies import REFRESH_PATH
from .in_request import session_of_route


def refresh(apis: SessionAPIs, context: RequestContext) -> object:
    apis.refresh_post(context=context)
    return {}


def sign_out(apis: SessionAPIs, context: RequestContext) -> object:
    session = session_of_route(context)
    return apis.sign_out_post(context=context, session=session)


ROUTES: tuple[Route, ...] = (
    Route("POST", REFRESH_PATH, "refresh_post", refresh),
    Route("POST", "/signout", "sign_out_post", sign_out),
)
