"""
Sessions of a request: read, created and refreshed by the tokens in its cookies and headers.

The order of the checks is part of the protocol. No check before the look-up of the signing key causes a call. A missing
token clears nothing, since a parallel request may just have set new ones. A token in a header comes before a cookie.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from st_verify.headers import bearer_token, cookie_values

from ...errors import DuplicateSessionCookies, TryRefreshToken, Unauthorised
from ...request.context import RequestContext
from ...request.current import context_of, entered
from ...users import RecipeUserId
from .claim_types import SessionClaimValidator
from .container import SESSION_KEY, SessionContainer
from .cookies import ACCESS_COOKIE, LEGACY_COOKIE, REFRESH_COOKIE, SESSION_COOKIES
from .functions import SessionFunctions
from .lifetime import lifetime_claim
from .settings import SessionSettings
from .tokens import session_named_in, without_protected_claims
from .transfer import ANTI_CSRF
from .types import TransferMethod

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

OverrideGlobalClaimValidators: TypeAlias = Callable[
    [list[SessionClaimValidator], SessionContainer], Iterable[SessionClaimValidator]
]
"""Takes the global validators and the session. Returns the validators to use."""

_WITHOUT_SESSION = frozenset({"OPTIONS", "TRACE"})

_LONGEST_USER_AGENT = 256

_log = logging.getLogger("st_wsgi.session")


@overload
def get_session(
    request: Any = None,
    *,
    session_required: Literal[True] = True,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
    override_global_claim_validators: OverrideGlobalClaimValidators | None = None,
) -> SessionContainer: ...
@overload
def get_session(
    request: Any = None,
    *,
    session_required: bool,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
    override_global_claim_validators: OverrideGlobalClaimValidators | None = None,
) -> SessionContainer | None: ...
def get_session(
    request: Any = None,
    *,
    session_required: bool = True,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
    override_global_claim_validators: OverrideGlobalClaimValidators | None = None,
) -> SessionContainer | None:
    """
    Return the session of a request. Tokens that are renewed here are sent with the response.

    ::

        @app.get("/orders")
        def orders():
            session = get_session(request)
            return {"of": session.get_user_id(), "tenant": session.get_tenant_id()}

    :param session_required: False returns None if the request carries no session. An access token that has expired
        raises all the same, so that the frontend renews it.
    :param anti_csrf_check: check that no other website sent the request. By default this is checked for sessions in
        cookies, unless the method is GET or HEAD.
    :param check_database: ask the core whether the session still exists, so that a revoked one is refused at once.
    :param override_global_claim_validators: takes the global validators and the session, and returns the validators to
        use.
    :raises Unauthorised: there is no session: 401.
    :raises TryRefreshToken: the access token must be renewed: 401. The frontend refreshes and repeats the request.
    :raises InvalidClaims: a claim does not pass its validator: 403.
    :raises CoreUnavailable: the core is needed and cannot be reached: 503.
    """
    context = context_of(request)
    functions = context.services.functions(SessionFunctions)
    recipe = functions.recipe
    environ = context.environ or {}
    method = environ.get("REQUEST_METHOD", "")
    source = None if method in _WITHOUT_SESSION else _access_token(recipe, context, environ)
    if source is None:
        if session_required:
            raise Unauthorised("there is no session token in the request", clear_tokens=False)
        return None
    access_token, transfer_method = source
    if SESSION_KEY in environ:
        access_token = _newest_token(context, environ[SESSION_KEY], access_token)
    check = False
    if transfer_method == "cookie":
        safe = method in recipe.csrf_safe_methods
        check = not safe if anti_csrf_check is None else anti_csrf_check
        if check and recipe.verification.has_form(access_token):
            recipe.transfer.check_csrf_headers(context, every_method=safe)
    session = functions.get_session(
        access_token=access_token,
        anti_csrf_token=environ.get("HTTP_ANTI_CSRF"),
        anti_csrf_check=check,
        session_required=session_required,
        check_database=check_database,
    )
    if session is None:
        if session_required:  # an override returned None all the same
            raise Unauthorised(clear_tokens=False)
        return None
    # Attached before the claims are checked: checking may renew the access token.
    session.attach_to_request_response(context, transfer_method)
    if recipe.claim_validators or recipe.chooses_claim_validators or override_global_claim_validators is not None:
        with entered(context):  # a thread or a stream of the app may have nothing but the request
            session.assert_claims(required_claim_validators(functions, session, override_global_claim_validators))
    environ[SESSION_KEY] = session
    context.user_id = session.get_user_id()
    return session


def session_of_route(context: RequestContext, *, check_database: bool = False) -> SessionContainer:
    """
    Return the session of a request to one of our own routes, and make its tenant that of the request.

    Claims are not validated: users whose claims fail must still be able to sign out, or to do what their claims ask
    for. To look for a session that may be missing, catch :class:`~st_wsgi.errors.Unauthorised`.

    :param check_database: ask the core whether the session still exists, as linking accounts demands.
    :raises Unauthorised: there is no session: 401.
    :raises TryRefreshToken: its access token must be renewed: 401.
    """
    session = get_session(context, check_database=check_database, override_global_claim_validators=_no_validators)
    context.tenant_id = session.get_tenant_id()
    return session


def _no_validators(_validators: object, _session: object) -> list[SessionClaimValidator]:
    return []


def is_refresh(recipe: SessionSettings, context: RequestContext) -> bool:
    """Return whether a request is a refresh. An app may serve it itself after it has switched our route off."""
    environ = context.environ or {}
    return environ.get("REQUEST_METHOD") == "POST" and bool(recipe.refresh_paths.match(environ.get("PATH_INFO", "")))


def create_new_session(
    context: RequestContext,
    *,
    tenant_id: str,
    recipe_user_id: RecipeUserId,
    user_id: str,
    access_token_payload: Mapping[str, Any] | None = None,
    session_data_in_database: Mapping[str, Any] | None = None,
) -> SessionContainer:
    """Create a session and send its tokens with the response to this request."""
    context.changes.refuse_if_late()  # the client would never get the tokens of the session
    functions = context.services.functions(SessionFunctions)
    recipe = functions.recipe
    method = recipe.transfer.creation_method(context)
    with entered(context):
        session = functions.create_new_session(
            user_id=user_id,
            recipe_user_id=recipe_user_id,
            tenant_id=tenant_id,
            access_token_payload=full_payload(
                recipe,
                access_token_payload or {},
                user_id=user_id,
                recipe_user_id=recipe_user_id,
                tenant_id=tenant_id,
            ),
            session_data_in_database={**(session_data_in_database or {}), **_sign_in_data(recipe, context)},
            disable_anti_csrf=method == "header",
        )
    _clear_other_transport(recipe, context, method)
    session.attach_to_request_response(context, method)
    _remember(context, session)
    return session


def refresh_session(context: RequestContext) -> SessionContainer:
    """Exchange the request's refresh token for new tokens and send them with the response."""
    context.changes.refuse_if_late()  # the new tokens would be lost
    functions = context.services.functions(SessionFunctions)
    recipe = functions.recipe
    transfer = recipe.transfer
    policy = transfer.policy(context, creating=False)
    cookies = [] if policy == "header" else transfer.cookies(context, REFRESH_COOKIE)
    doubled = [name for name in SESSION_COOKIES if policy != "header" and len(transfer.cookies(context, name)) > 1]
    if doubled:
        _refuse_doubled(recipe, context, doubled)
    header = None if policy == "cookie" else transfer.header(context)
    refresh_token = header or "".join(cookies)
    if transfer.cookies(context, LEGACY_COOKIE):
        transfer.clear_other_cookies(context, [LEGACY_COOKIE])
    if not refresh_token:
        raise Unauthorised("there is no refresh token in the request")
    method: TransferMethod = "header" if header else "cookie"
    if method == "cookie":
        try:
            transfer.check_csrf_headers(context, every_method=True)
        except TryRefreshToken as refusal:
            raise Unauthorised(refusal.detail) from None  # this is the refresh that it asks for
    session = functions.refresh_session(
        refresh_token=refresh_token,
        anti_csrf_token=context.header(ANTI_CSRF),
        disable_anti_csrf=method == "header" or transfer.rules(context).anti_csrf == "VIA_CUSTOM_HEADER",
    )
    _clear_other_transport(recipe, context, method)
    session.attach_to_request_response(context, method)
    _remember(context, session)
    return session


def full_payload(
    recipe: SessionSettings,
    payload: Mapping[str, Any],
    *,
    user_id: str,
    recipe_user_id: RecipeUserId,
    tenant_id: str,
) -> dict[str, Any]:
    """Return the payload of a new access token: the app's without protected names, the issuer, and the claims."""
    full = without_protected_claims(payload)
    full["iss"] = recipe.issuer
    full |= lifetime_claim(recipe)
    for claim in recipe.claims:
        full |= claim.build(user_id, recipe_user_id, tenant_id, full)
    return full


def _sign_in_data(recipe: SessionSettings, context: RequestContext) -> dict[str, Any]:
    """Return the device and the address of a sign-in, if the app wants them with the session data."""
    if not recipe.record_sign_in:
        return {}
    agent = context.header("user-agent") or ""
    return {"signIn": {"address": context.client_address, "userAgent": agent[:_LONGEST_USER_AGENT]}}


def required_claim_validators(
    functions: SessionFunctions, session: SessionContainer, override: OverrideGlobalClaimValidators | None
) -> list[SessionClaimValidator]:
    """Return the validators that a session must pass."""
    validators = functions.get_global_claim_validators(
        tenant_id=session.get_tenant_id(),
        user_id=session.get_user_id(),
        recipe_user_id=session.get_recipe_user_id(),
        claim_validators_added_by_other_recipes=list(functions.recipe.claim_validators),
    )
    return validators if override is None else list(override(validators, session))


def _access_token(
    recipe: SessionSettings, context: RequestContext, environ: WSGIEnvironment
) -> tuple[str, TransferMethod] | None:
    """
    Return the access token of a request and how it travelled, or None.

    Its form is checked here only if there are two: a header may have another service's token while the cookie has ours.

    This runs for every request with a session. So it reads the headers itself instead of asking :class:`TokenTransfer`.

    :raises TryRefreshToken: a cookie is there twice, or one of a very old SDK.
    """
    cookies: list[str] = []
    sent = environ.get("HTTP_COOKIE")
    if sent is not None:
        if LEGACY_COOKIE in sent and cookie_values(sent, LEGACY_COOKIE):
            recipe.transfer.clear_other_cookies(context, [LEGACY_COOKIE])
            raise TryRefreshToken("the request carries a session of a very old SDK")
        cookies = cookie_values(sent, ACCESS_COOKIE)
    authorization = environ.get("HTTP_AUTHORIZATION")
    header = None if authorization is None else bearer_token(authorization)
    if recipe.get_token_transfer_method != "any":
        policy = recipe.transfer.policy(context, creating=False)
        cookies = [] if policy == "header" else cookies
        header = None if policy == "cookie" else header
    if header is not None and (not cookies or recipe.verification.has_form(header)):
        return header, "header"
    if len(cookies) > 1:
        recipe.transfer.clear_other_cookies(context, [ACCESS_COOKIE])
        raise TryRefreshToken("the request carries more than one access token cookie")
    return (cookies[0], "cookie") if cookies else None


def _newest_token(context: RequestContext, earlier: object, sent_token: str) -> str:
    """
    Return the access token to verify when a session is read again in one request: the newest one of that session.

    Otherwise changes of the payload would be lost that were made earlier in the request.

    :param earlier: the session in the environ.
    """
    if isinstance(earlier, SessionContainer) and earlier.is_attached_to(context):
        newest = earlier.get_access_token()
        if newest != sent_token and session_named_in(sent_token) == earlier.get_handle():
            return newest
    return sent_token


def _remember(context: RequestContext, session: SessionContainer) -> None:
    if context.environ is not None:
        context.environ[SESSION_KEY] = session
    context.user_id = session.get_user_id()


def _clear_other_transport(recipe: SessionSettings, context: RequestContext, method: TransferMethod) -> None:
    """Have the frontend forget the tokens of the other transport, so that it never has two sessions."""
    transfer = recipe.transfer
    if method == "cookie":
        if transfer.header(context) is not None:
            transfer.clear_transport(context, "header")
    elif transfer.cookies(context, ACCESS_COOKIE) or transfer.cookies(context, REFRESH_COOKIE):
        transfer.clear_transport(context, "cookie")


def _refuse_doubled(recipe: SessionSettings, context: RequestContext, doubled: list[str]) -> None:
    """
    Refuse a refresh with cookies that are there twice, and clear those that are not the app's own.

    :raises DuplicateSessionCookies: the app had another cookie domain, as ``older_cookie_domain`` says. The next
        refresh succeeds with the app's own cookies, which stay.
    :raises Unauthorised: it had none, so the cookies may be an attack. The session ends.
    """
    recipe.transfer.clear_other_cookies(context, doubled)
    if recipe.older_cookie_domain is not None:
        raise DuplicateSessionCookies
    _log.warning(
        "a refresh request carries a session cookie twice, so the session ends. If cookie_domain was changed, set "
        "older_cookie_domain to its former value ('' if there was none) so that users stay signed in. If not, another "
        "host below the same domain may have set one of the cookies"
    )
    raise Unauthorised("the request carries a session cookie twice")
