"""The emailverification routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from ...recipe_kit.forms import text_in
from ...request.context import RequestContext
from ...request.routing import Route
from ..session import get_session
from ..session.in_request import session_of_route
from .apis import EmailVerificationAPIs

_VERIFY = "/user/email/verify"


def send_mail(apis: EmailVerificationAPIs, context: RequestContext) -> object:
    session = session_of_route(context)
    context.count_attempt(user_id=session.get_recipe_user_id().value)
    return apis.generate_email_verify_token_post(session=session, context=context)


def verify(apis: EmailVerificationAPIs, context: RequestContext) -> object:
    token = text_in(context.read_json(), "token")
    # The link may be opened in a browser without the session, and its tenant may be another one than the session's.
    session = get_session(
        context, session_required=False, override_global_claim_validators=lambda _validators, _session: []
    )
    return apis.verify_email_post(token=token, tenant_id=context.tenant_id, session=session, context=context)


def is_verified(apis: EmailVerificationAPIs, context: RequestContext) -> object:
    return apis.is_email_verified_get(session=session_of_route(context), context=context)


ROUTES: tuple[Route, ...] = (
    Route("POST", f"{_VERIFY}/token", "generate_email_verify_token_post", send_mail),
    Route("POST", _VERIFY, "verify_email_post", verify),
    Route("GET", _VERIFY, "is_email_verified_get", is_verified),
)
