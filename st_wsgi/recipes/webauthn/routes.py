"""The webauthn routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from typing import Any

from ...errors import BadInput
from ...recipe_kit.forms import EMAIL, email_in_query, normalise_email, text_in
from ...request.context import RequestContext
from ...request.routing import Route
from ...users import RecipeUserId
from ..session.in_request import session_of_route
from ..signing_in import session_to_link, signing_in_response
from .apis import WebauthnAPIs
from .types import InvalidEmail

_TOKEN = "recoverAccountToken"


def register_options(apis: WebauthnAPIs, context: RequestContext) -> object:
    body = context.read_json()
    name = text_in(body, "displayName") if body.get("displayName") is not None else None
    token = email = None
    if body.get(EMAIL) is None and body.get(_TOKEN) is not None:
        token = text_in(body, _TOKEN)
        context.count_attempt(token=token)
    else:
        email = normalise_email(text_in(body, EMAIL))
        context.count_attempt(account=email)
        problem = apis.recipe.validate_email_address(email, context.tenant_id)
        if problem is not None:
            return InvalidEmail(problem)
    return apis.register_options_post(
        email=email, recover_account_token=token, display_name=name, tenant_id=context.tenant_id, context=context
    )


def sign_in_options(apis: WebauthnAPIs, context: RequestContext) -> object:
    context.count_address()
    return apis.sign_in_options_post(tenant_id=context.tenant_id, context=context)


def sign_up(apis: WebauthnAPIs, context: RequestContext) -> object:
    context.count_address()  # the options may be invented: no account can be counted yet
    body = context.read_json()
    session = session_to_link(context, body)
    result = apis.sign_up_post(**_proof(body), tenant_id=context.tenant_id, session=session, context=context)
    return signing_in_response(context, result)


def sign_in(apis: WebauthnAPIs, context: RequestContext) -> object:
    context.count_address()  # a signature cannot be guessed, so accounts need no limit of their own
    body = context.read_json()
    session = session_to_link(context, body)
    result = apis.sign_in_post(**_proof(body), tenant_id=context.tenant_id, session=session, context=context)
    return signing_in_response(context, result)


def email_exists(apis: WebauthnAPIs, context: RequestContext) -> object:
    email = email_in_query(context)
    context.count_attempt(account=email)
    return apis.email_exists_get(email=email, tenant_id=context.tenant_id, context=context)


def send_recovery_mail(apis: WebauthnAPIs, context: RequestContext) -> object:
    email = normalise_email(text_in(context.read_json(), EMAIL))
    context.count_attempt(account=email)
    return apis.generate_recover_account_token_post(email=email, tenant_id=context.tenant_id, context=context)


def recover(apis: WebauthnAPIs, context: RequestContext) -> object:
    body = context.read_json()
    token = text_in(body, "token")
    context.count_attempt(token=token)
    return apis.recover_account_post(token=token, **_proof(body), tenant_id=context.tenant_id, context=context)


def list_credentials(apis: WebauthnAPIs, context: RequestContext) -> object:
    session = session_of_route(context, check_database=True)
    return apis.list_credentials_get(session=session, context=context)


def register_credential(apis: WebauthnAPIs, context: RequestContext) -> object:
    body = context.read_json()  # before the session is checked: a body may come long after its headers
    session = session_of_route(context, check_database=True)
    context.count_attempt(user_id=session.get_recipe_user_id().value)
    owner = RecipeUserId(text_in(body, "recipeUserId")) if body.get("recipeUserId") is not None else None
    return apis.register_credential_post(
        **_proof(body), recipe_user_id=owner, tenant_id=context.tenant_id, session=session, context=context
    )


def remove_credential(apis: WebauthnAPIs, context: RequestContext) -> object:
    body = context.read_json()
    session = session_of_route(context, check_database=True)
    credential_id = text_in(body, "webauthnCredentialId")
    return apis.remove_credential_post(webauthn_credential_id=credential_id, session=session, context=context)


def _proof(body: dict[str, Any]) -> dict[str, Any]:
    """
    Return the options and the browser's answer to them.

    :raises BadInput: they are missing, or not in the form in which browsers return passkeys.
    """
    options_id, credential = text_in(body, "webauthnGeneratedOptionsId"), body.get("credential")
    if not isinstance(credential, dict) or not isinstance(credential.get("response"), dict):
        raise BadInput("credential must be what the browser returned, as JSON")
    for name in ("id", "type"):
        text_in(credential, name)
    return {"webauthn_generated_options_id": options_id, "credential": credential}


_PATH, _RESET = "/webauthn", "/user/webauthn/reset"

ROUTES: tuple[Route, ...] = (
    Route("POST", f"{_PATH}/options/register", "register_options_post", register_options),
    Route("POST", f"{_PATH}/options/signin", "sign_in_options_post", sign_in_options),
    Route("POST", f"{_PATH}/signup", "sign_up_post", sign_up),
    Route("POST", f"{_PATH}/signin", "sign_in_post", sign_in),
    Route("GET", f"{_PATH}/email/exists", "email_exists_get", email_exists),
    Route("POST", f"{_RESET}/token", "generate_recover_account_token_post", send_recovery_mail),
    Route("POST", _RESET, "recover_account_post", recover),
    Route("GET", f"{_PATH}/credential/list", "list_credentials_get", list_credentials),
    Route("POST", f"{_PATH}/credential", "register_credential_post", register_credential),
    Route("POST", f"{_PATH}/credential/remove", "remove_credential_post", remove_credential),
)
