"""The passwordless routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from ...errors import BadInput
from ...phone import normalised_phone_number
from ...recipe_kit.forms import EMAIL, email_in_query, normalise_email, text_in
from ...recipe_kit.results import GeneralError
from ...request.context import RequestContext
from ...request.routing import Route
from ..signing_in import session_to_link, signing_in_response
from .apis import PasswordlessAPIs

_PHONE = "phoneNumber"


def create_code(apis: PasswordlessAPIs, context: RequestContext) -> object:
    body = context.read_json()
    session = session_to_link(context, body)
    if (EMAIL in body) == (_PHONE in body):
        raise BadInput("please give either email or phoneNumber")
    by_email = EMAIL in body
    text = text_in(body, EMAIL if by_email else _PHONE)
    rule = apis.recipe.rule("email" if by_email else "sms")
    if rule is None:
        raise BadInput(f"please give {_PHONE if by_email else EMAIL}: this app signs in with nothing else")
    contact = normalise_email(text) if by_email else _normal_number(text)
    context.count_attempt(account=contact)
    problem = rule(contact, context.tenant_id)
    if problem is not None:
        return GeneralError(problem)
    return apis.create_code_post(
        email=contact if by_email else None,
        phone_number=None if by_email else contact,
        tenant_id=context.tenant_id,
        session=session,
        context=context,
    )


def resend_code(apis: PasswordlessAPIs, context: RequestContext) -> object:
    context.count_address()  # the ids may be invented: no account can be counted yet
    body = context.read_json()
    session = session_to_link(context, body)
    return apis.resend_code_post(
        device_id=text_in(body, "deviceId"),
        pre_auth_session_id=text_in(body, "preAuthSessionId"),
        tenant_id=context.tenant_id,
        session=session,
        context=context,
    )


def consume_code(apis: PasswordlessAPIs, context: RequestContext) -> object:
    context.count_address()  # the ids may be invented: no account can be counted yet
    body = context.read_json()
    session = session_to_link(context, body)
    names = [name for name in ("linkCode", "deviceId", "userInputCode") if name in body]
    if names not in (["linkCode"], ["deviceId", "userInputCode"]):
        raise BadInput("please give either linkCode, or deviceId and userInputCode")
    given = {name: text_in(body, name) for name in names}
    result = apis.consume_code_post(
        pre_auth_session_id=text_in(body, "preAuthSessionId"),
        user_input_code=given.get("userInputCode"),
        device_id=given.get("deviceId"),
        link_code=given.get("linkCode"),
        tenant_id=context.tenant_id,
        session=session,
        context=context,
    )
    return signing_in_response(context, result)


def email_exists(apis: PasswordlessAPIs, context: RequestContext) -> object:
    email = email_in_query(context)
    context.count_attempt(account=email)
    return apis.email_exists_get(email=email, tenant_id=context.tenant_id, context=context)


def phone_number_exists(apis: PasswordlessAPIs, context: RequestContext) -> object:
    numbers = context.query_values(_PHONE)
    if len(numbers) != 1:
        raise BadInput("please give one phoneNumber as a query parameter")
    number = _normal_number(numbers[0])
    context.count_attempt(account=number)
    return apis.phone_number_exists_get(phone_number=number, tenant_id=context.tenant_id, context=context)


def _normal_number(text: str) -> str:
    """Return a phone number in its normal form; a text that is none without outer spaces."""
    return normalised_phone_number(text) or text.strip()


_CODE = "/signinup/code"
_EMAIL_EXISTS, _PHONE_EXISTS = "/passwordless/email/exists", "/passwordless/phonenumber/exists"

ROUTES: tuple[Route, ...] = (
    Route("POST", _CODE, "create_code_post", create_code),
    Route("POST", f"{_CODE}/resend", "resend_code_post", resend_code),
    Route("POST", f"{_CODE}/consume", "consume_code_post", consume_code),
    Route("GET", _EMAIL_EXISTS, "email_exists_get", email_exists),
    Route("GET", _PHONE_EXISTS, "phone_number_exists_get", phone_number_exists),
    Route("GET", "/signup/email/exists", "email_exists_get", email_exists, shared=True, alias_of=_EMAIL_EXISTS),
    Route("GET", "/signup/phonenumber/exists", "phone_number_exists_get", phone_number_exists, alias_of=_PHONE_EXISTS),
)
