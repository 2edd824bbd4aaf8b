"""The totp routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from typing import Any

from ...errors import BadInput
from ...recipe_kit.forms import text_in
from ...recipe_kit.results import Ok
from ...request.context import RequestContext
from ...request.routing import Route
from ..session import SessionContainer
from ..session.in_request import session_of_route
from .apis import TotpAPIs

_LONGEST_NAME = 256  # as many characters as the official core stores


def create_device(apis: TotpAPIs, context: RequestContext) -> object:
    body, session = _body_and_session(context)
    name = None if body.get("deviceName") is None else _name_in(body)
    return apis.create_device_post(device_name=name, session=session, context=context)


def list_devices(apis: TotpAPIs, context: RequestContext) -> object:
    session = session_of_route(context, check_database=True)
    return apis.list_devices_get(session=session, context=context)


def remove_device(apis: TotpAPIs, context: RequestContext) -> object:
    body, session = _body_and_session(context)
    return apis.remove_device_post(device_name=_name_in(body), session=session, context=context)


def verify_device(apis: TotpAPIs, context: RequestContext) -> object:
    body, session = _body_and_session(context)
    name, totp = _name_in(body), text_in(body, "totp")
    return apis.verify_device_post(device_name=name, totp=totp, session=session, context=context)


def verify_totp(apis: TotpAPIs, context: RequestContext) -> object:
    body, session = _body_and_session(context)
    result = apis.verify_totp_post(totp=text_in(body, "totp"), session=session, context=context)
    if isinstance(result, Ok):
        context.forget_attempts(account=session.get_user_id())
    return result


def _body_and_session(context: RequestContext) -> tuple[dict[str, Any], SessionContainer]:
    """
    Return both, and count the attempt.

    The body comes first: a client may send it long after the headers, when the session has been revoked.
    """
    body = context.read_json()
    session = session_of_route(context, check_database=True)
    context.count_attempt(user_id=session.get_user_id())
    return body, session


def _name_in(body: dict[str, Any]) -> str:
    name = text_in(body, "deviceName")
    if not name.strip() or len(name) > _LONGEST_NAME:
        raise BadInput(f"deviceName must have 1 to {_LONGEST_NAME} characters")
    return name


ROUTES: tuple[Route, ...] = (
    Route("POST", "/totp/device", "create_device_post", create_device),
    Route("GET", "/totp/device/list", "list_devices_get", list_devices),
    Route("POST", "/totp/device/remove", "remove_device_post", remove_device),
    Route("POST", "/totp/device/verify", "verify_device_post", verify_device),
    Route("POST", "/totp/verify", "verify_totp_post", verify_totp),
)
