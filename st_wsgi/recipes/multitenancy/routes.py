"""The multitenancy route: from a request to the call of the API, and from its result to a response."""

from __future__ import annotations

from ...request.context import RequestContext
from ...request.routing import Route
from .apis import MultitenancyAPIs


def login_methods(apis: MultitenancyAPIs, context: RequestContext) -> object:
    client_type = next(iter(context.query_values("clientType")), None)
    return apis.login_methods_get(tenant_id=context.tenant_id, client_type=client_type, context=context)


ROUTES: tuple[Route, ...] = (Route("GET", "/loginmethods", "login_methods_get", login_methods),)
