"""The totp routes: from a request to the call of an API, and from its result to a response."""

from __future__ import annotations

from ...errors import BadInput
from ...recipe_kit.forms import text_in
from ...recipe_kit.results import Ok
from ...request.context import RequestContext
from ...request.routing import Route
from ..session import SessionContainer
from ..session.in_request import session_of_route
from .apis import TotpAPIs


def create_device(apis: TotpAPIs, context: RequestContext) -> object:
    session = _session(context)
    body = context.read_json()
    name = None if body.get("deviceName") is None else _name_in(body)
    return apis.create_device_post(device_name=name, session=session, context=context)


def list_devices(apis: TotpAPIs, context: RequestContext) -> object:
    return apis.list_devices_get(session=_session(context), context=context)


def remove_device(apis: TotpAPIs, context: RequestContext) -> object:
    session = _session(context)
    name = _name_in(context.read_json())
    return apis.remove_device_post(device_name=name, session=session, context=context)


def verify_device(apis: TotpAPIs, context: RequestContext) -> object:
    session = _session(context)
    body = context.read_json()
    name, totp = _name_in(body), text_in(body, "totp")
    context.count_attempt(user_id=session.get_user_id())
    return apis.verify_device_post(device_name=name, totp=totp, session=session, context=context)


def verify_totp(apis: TotpAPIs, context: RequestContext) -> object:
    session = _session(context)
    totp = text_in(context.read_json(), "totp")
    context.count_attempt(user_id=session.get_user_id())
    result = apis.verify_totp_post(totp=totp, session=session, context=context)
    if isinstance(result, Ok):
        context.forget_attempts(account=session.get_user_id())
    return result


def _session(context: RequestContext) -> SessionContainer:
    return session_of_route(context, check_database=True)


def _name_in(body: dict[str, object]) -> str:
    name = text_in(body, "deviceName")
    if not name.strip():
        raise BadInput("deviceName must not be empty")
    return name


ROUTES: tuple[Route, ...] = (
    Route("POST", "/totp/device", "create_device_post", create_device),
    Route("GET", "/totp/device/list", "list_devices_get", list_devices),
    Route("POST", "/totp/device/remove", "remove_device_post", remove_device),
    Route("POST", "/totp/device/verify", "verify_device_post", verify_device),
    Route("POST", "/totp/verify", "verify_totp_post", verify_totp),
)
