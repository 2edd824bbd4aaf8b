"""The thirdparty routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.wrappers import Response

from ...errors import BadInput, ProviderFailed
from ...recipe_kit.forms import text_in
from ...request.context import RequestContext
from ...request.routing import Route
from ..signing_in import session_to_link, signing_in_response
from .apis import ThirdPartyAPIs
from .providers.provider import Provider
from .types import AppleRedirect, RedirectUriInfo

_ID, _CLIENT, _REDIRECT_URI = "thirdPartyId", "clientType", "redirectURIOnProviderDashboard"
_REDIRECT, _TOKENS = "redirectURIInfo", "oAuthTokens"


def authorisation_url(apis: ThirdPartyAPIs, context: RequestContext) -> object:
    query = {name: _one(context, name) for name in (_ID, _CLIENT, _REDIRECT_URI)}
    redirect_uri = apis.recipe.check_redirect_uri(text_in(query, _REDIRECT_URI))
    with _named(query):
        provider = _provider(apis, context, query)
        return apis.authorisation_url_get(
            provider=provider, redirect_uri_on_provider_dashboard=redirect_uri, context=context
        )


def sign_in_up(apis: ThirdPartyAPIs, context: RequestContext) -> Response:
    body = context.read_json()
    session = session_to_link(context, body)
    if (body.get(_REDIRECT) is None) == (body.get(_TOKENS) is None):
        raise BadInput("please give either redirectURIInfo or oAuthTokens")
    redirect = None if body.get(_REDIRECT) is None else _redirect(apis, _object_in(body, _REDIRECT))
    tokens = None if redirect is not None else _tokens(_object_in(body, _TOKENS))
    given = tokens or (redirect.redirect_uri_query_params if redirect is not None else {})
    secret = next((str(given[name]) for name in _SECRETS if given.get(name)), None)
    if secret is not None:  # without a secret, the provider would not be asked
        context.count_attempt(token=secret)
    with _named(body):
        result = apis.sign_in_up_post(
            provider=_provider(apis, context, body),
            redirect_uri_info=redirect,
            oauth_tokens=tokens,
            tenant_id=context.tenant_id,
            session=session,
            context=context,
        )
    return signing_in_response(context, result)


def apple_callback(apis: ThirdPartyAPIs, context: RequestContext) -> object:
    result = apis.apple_redirect_handler_post(form_post_info=context.read_form(), context=context)
    if not isinstance(result, AppleRedirect):
        return result
    return Response(status=303, headers={"Location": result.url, "Cache-Control": "no-store"})


_SECRETS = ("code", "id_token", "access_token")


@contextmanager
def _named(given: dict[str, Any]) -> Iterator[None]:
    """Have a failure say which provider failed. It is one of the tenant's: nothing else can fail."""
    try:
        yield
    except ProviderFailed as failure:
        failure.detail = f"{given.get(_ID)}: {failure.detail}"
        raise


def _one(context: RequestContext, name: str) -> str | None:
    values = context.query_values(name)
    if len(values) > 1:
        raise BadInput(f"please give one {name} as a query parameter")
    return values[0] if values else None


def _provider(apis: ThirdPartyAPIs, context: RequestContext, given: dict[str, Any]) -> Provider:
    provider = apis.functions.get_provider(
        third_party_id=text_in(given, _ID), client_type=_optional(given, _CLIENT), tenant_id=context.tenant_id
    )
    if provider is None:
        raise BadInput("the tenant has no provider with this thirdPartyId")
    return provider


def _redirect(apis: ThirdPartyAPIs, given: dict[str, Any]) -> RedirectUriInfo:
    return RedirectUriInfo(
        redirect_uri_on_provider_dashboard=apis.recipe.check_redirect_uri(text_in(given, _REDIRECT_URI)),
        redirect_uri_query_params=_object_in(given, "redirectURIQueryParams"),
        pkce_code_verifier=_optional(given, "pkceCodeVerifier"),
    )


def _tokens(given: dict[str, Any]) -> dict[str, Any]:
    found = [text_in(given, name) for name in ("access_token", "id_token") if given.get(name) is not None]
    if not found or "" in found:
        raise BadInput("oAuthTokens needs an access_token or an id_token")
    return given


def _object_in(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise BadInput(f"{name} must be an object")
    return value


def _optional(body: dict[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else text_in(body, name)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/authorisationurl", "authorisation_url_get", authorisation_url),
    Route("POST", "/signinup", "sign_in_up_post", sign_in_up),
    Route("POST", "/callback/apple", "apple_redirect_handler_post", apple_callback),
)
