"""The multifactorauth route: from a request to the call of the API, and from its result to a response."""

from __future__ import annotations

from ...request.context import RequestContext
from ...request.routing import Route
from ..session.in_request import session_of_route
from .apis import MultiFactorAuthAPIs


def info(apis: MultiFactorAuthAPIs, context: RequestContext) -> object:
    session = session_of_route(context, check_database=True)
    return apis.resync_session_and_fetch_mfa_info_put(session=session, context=context)


ROUTES: tuple[Route, ...] = (Route("PUT", "/mfa/info", "resync_session_and_fetch_mfa_info_put", info),)
