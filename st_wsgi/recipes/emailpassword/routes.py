"""The emailpassword routes: HTTP in, HTTP out."""

from __future__ import annotations

from typing import Any, TypeAlias

from werkzeug.wrappers import Response

from ...codec import to_json
from ...errors import BadInput
from ...recipe_kit.recipe import Recipe
from ...request.context import RequestContext
from ...request.respond import json_response
from ...request.routing import Route
from ...users import User
from ..session import SessionContainer, get_session
from .apis import EmailPasswordAPIs
from .fields import EMAIL, normalise_email, read_form, value_of
from .functions import EmailPasswordFunctions
from .types import EmailPasswordConfig, SignInNotAllowed, SignInPostOk, SignUpNotAllowed, SignUpPostOk

_EmailPassword: TypeAlias = Recipe[EmailPasswordConfig, EmailPasswordFunctions, EmailPasswordAPIs]

_NO_LINKING = "Accounts cannot be linked here. Please sign out first, or contact support."


def sign_up(recipe: _EmailPassword, context: RequestContext) -> Response:
    body = context.read_json()
    fields = read_form(body, recipe.config.sign_up_fields, tenant_id=context.tenant_id)
    context.count_try("/signup", account=value_of(fields, EMAIL))
    if _wants_linking(recipe, context, body):
        return json_response(SignUpNotAllowed(_NO_LINKING))
    result = recipe.apis.sign_up_post(form_fields=fields, tenant_id=context.tenant_id, context=context)
    if isinstance(result, SignUpPostOk):
        return json_response(signed_in(context, result.user, result.session))
    return json_response(result)


def sign_in(recipe: _EmailPassword, context: RequestContext) -> Response:
    body = context.read_json()
    fields = read_form(body, recipe.config.sign_in_fields, tenant_id=context.tenant_id)
    context.count_try("/signin", account=value_of(fields, EMAIL))
    if _wants_linking(recipe, context, body):
        return json_response(SignInNotAllowed(_NO_LINKING))
    result = recipe.apis.sign_in_post(form_fields=fields, tenant_id=context.tenant_id, context=context)
    if isinstance(result, SignInPostOk):
        return json_response(signed_in(context, result.user, result.session))
    return json_response(result)


def email_exists(recipe: _EmailPassword, context: RequestContext) -> Response:
    emails = context.query_values("email")
    if len(emails) != 1:
        raise BadInput("please give one email as a query parameter")
    email = normalise_email(emails[0])
    context.count_try("/emailpassword/email/exists", account=email)
    return json_response(recipe.apis.email_exists_get(email=email, tenant_id=context.tenant_id, context=context))


def signed_in(context: RequestContext, user: User, session: SessionContainer) -> dict[str, Any]:
    """
    Return the answer to a sign-in in the form of the frontend's FDI version.

    From 1.18 below 2.0 and from 3.0 the whole user; otherwise the flat user of before account linking, made of the
    login method of the session, or of the oldest one.
    """
    version = context.fdi_version
    if (1, 18) <= version < (2, 0) or version >= (3, 0):
        return {"status": "OK", "user": to_json(user)}
    methods = user.login_methods
    method = next(
        (one for one in methods if one.recipe_user_id == session.get_recipe_user_id()),
        min(methods, key=lambda one: one.time_joined),
    )
    flat = {
        "id": user.id,
        "timeJoined": method.time_joined,
        "thirdParty": to_json(method.third_party),
        "email": method.email,
        "phoneNumber": method.phone_number,
    }
    return {"status": "OK", "user": {name: value for name, value in flat.items() if value is not None}}


def _wants_linking(recipe: _EmailPassword, context: RequestContext, body: dict[str, Any]) -> bool:
    """
    Return whether the user wants to link this login to the session that is there (FDI 3.1 and later).

    :raises Unauthorised: there is no session to link to.
    """
    if context.fdi_version < (3, 1):
        return False
    flag = body.get("shouldTryLinkingWithSessionUser", False)
    if not isinstance(flag, bool):
        raise BadInput("shouldTryLinkingWithSessionUser must be true or false")
    if flag:
        get_session(context, check_database=True, override_global_claim_validators=lambda _validators, _session: [])
    return flag


ROUTES = (
    Route("POST", "/signup", "sign_up_post", sign_up),
    Route("POST", "/signin", "sign_in_post", sign_in),
    Route("GET", "/emailpassword/email/exists", "email_exists_get", email_exists),
    Route("GET", "/signup/email/exists", "email_exists_get", email_exists, shared=True),
)
