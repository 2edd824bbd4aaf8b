"""The emailpassword routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from ...recipe_kit.forms import EMAIL, PASSWORD, email_entered, email_in_query, read_form, text_in, text_of
from ...request.context import RequestContext
from ...request.routing import Route
from ..signing_in import SignedIn, session_to_link, signing_in_response
from .apis import EmailPasswordAPIs


def sign_up(apis: EmailPasswordAPIs, context: RequestContext) -> object:
    body = context.read_json()
    session = session_to_link(context, body)
    # Before the rules of the form: one of them may ask a service about the password.
    context.count_attempt(account=email_entered(body, apis.recipe.sign_up_fields))
    fields = read_form(body, apis.recipe.sign_up_fields, tenant_id=context.tenant_id)
    result = apis.sign_up_post(form_fields=fields, tenant_id=context.tenant_id, session=session, context=context)
    return signing_in_response(context, result)


def sign_in(apis: EmailPasswordAPIs, context: RequestContext) -> object:
    body = context.read_json()
    session = session_to_link(context, body)
    fields = read_form(body, apis.recipe.sign_in_fields, tenant_id=context.tenant_id)
    context.count_attempt(account=text_of(fields, EMAIL))
    result = apis.sign_in_post(form_fields=fields, tenant_id=context.tenant_id, session=session, context=context)
    if isinstance(result, SignedIn):
        context.forget_attempts(account=text_of(fields, EMAIL))
    return signing_in_response(context, result)


def email_exists(apis: EmailPasswordAPIs, context: RequestContext) -> object:
    email = email_in_query(context)
    context.count_attempt(account=email)
    return apis.email_exists_get(email=email, tenant_id=context.tenant_id, context=context)


def send_reset_mail(apis: EmailPasswordAPIs, context: RequestContext) -> object:
    fields = read_form(context.read_json(), apis.recipe.fields_named(EMAIL), tenant_id=context.tenant_id)
    context.count_attempt(account=text_of(fields, EMAIL))
    return apis.generate_password_reset_token_post(form_fields=fields, tenant_id=context.tenant_id, context=context)


def reset_password(apis: EmailPasswordAPIs, context: RequestContext) -> object:
    body = context.read_json()
    token = text_in(body, "token")
    context.count_attempt(token=token)
    fields = read_form(body, apis.recipe.fields_named(PASSWORD), tenant_id=context.tenant_id)
    return apis.password_reset_post(form_fields=fields, token=token, tenant_id=context.tenant_id, context=context)


_EXISTS = "/emailpassword/email/exists"

ROUTES: tuple[Route, ...] = (
    Route("POST", "/signup", "sign_up_post", sign_up),
    Route("POST", "/signin", "sign_in_post", sign_in),
    Route("POST", "/user/password/reset/token", "generate_password_reset_token_post", send_reset_mail),
    Route("POST", "/user/password/reset", "password_reset_post", reset_password),
    Route("GET", _EXISTS, "email_exists_get", email_exists),
    Route("GET", "/signup/email/exists", "email_exists_get", email_exists, shared=True, alias_of=_EXISTS),
)
