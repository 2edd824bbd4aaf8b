"""
Sessions: short access tokens, refresh tokens that rotate, and theft detection.

Functions that take a *request* take the request object of any framework, a WSGI environ, or nothing for the request in
flight.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

from ...accounts import user_by_id
from ...arguments import checked
from ...errors import (
    CONTEXT_KEY,
    ConfigError,
    InvalidClaims as InvalidClaims,
    TokenTheftDetected as TokenTheftDetected,
    TryRefreshToken as TryRefreshToken,
    Unauthorised as Unauthorised,
)
from ...recipe_kit.recipe import user_facing
from ...request import current
from ...services import Services
from ...users import PUBLIC_TENANT, RecipeUserId
from ..jwt import create_jwt as create_jwt, get_jwks as get_jwks
from ..openid import get_open_id_discovery_configuration as get_open_id_discovery_configuration
from . import in_request
from .apis import SessionAPIs as SessionAPIs
from .claim_types import (
    BooleanClaim as BooleanClaim,
    ClaimValidation as ClaimValidation,
    PrimitiveArrayClaim as PrimitiveArrayClaim,
    PrimitiveClaim as PrimitiveClaim,
    SessionClaim as SessionClaim,
    SessionClaimValidator as SessionClaimValidator,
)
from .claims import SignInTimeClaim as SignInTimeClaim
from .container import SESSION_KEY, SessionContainer as SessionContainer
from .functions import SessionFunctions as SessionFunctions
from .in_request import OverrideGlobalClaimValidators, get_session as get_session
from .recipe import Session as Session
from .types import (
    CheckedSession as CheckedSession,
    ClaimsValidationResult as ClaimsValidationResult,
    ClaimValueOk as ClaimValueOk,
    ErrorHandlers as ErrorHandlers,
    SessionDoesNotExist as SessionDoesNotExist,
    SessionInformation as SessionInformation,
    SessionTokens as SessionTokens,
    TokenInfo as TokenInfo,
)

P = ParamSpec("P")
R = TypeVar("R")

fetch_and_set_claim: Final = user_facing(Session, SessionFunctions.fetch_and_set_claim)
get_all_session_handles_for_user: Final = user_facing(Session, SessionFunctions.get_all_session_handles_for_user)
get_claim_value: Final = user_facing(Session, SessionFunctions.get_claim_value)
get_session_information: Final = user_facing(Session, SessionFunctions.get_session_information)
merge_into_access_token_payload: Final = user_facing(Session, SessionFunctions.merge_into_access_token_payload)
remove_claim: Final = user_facing(Session, SessionFunctions.remove_claim)
revoke_all_sessions_for_user: Final = user_facing(Session, SessionFunctions.revoke_all_sessions_for_user)
revoke_multiple_sessions: Final = user_facing(Session, SessionFunctions.revoke_multiple_sessions)
revoke_session: Final = user_facing(Session, SessionFunctions.revoke_session)
set_claim_value: Final = user_facing(Session, SessionFunctions.set_claim_value)
update_session_data_in_database: Final = user_facing(Session, SessionFunctions.update_session_data_in_database)
validate_claims_for_session_handle: Final = user_facing(Session, SessionFunctions.validate_claims_for_session_handle)


def get_session_or_none(
    request: Any = None,
    *,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
    override_global_claim_validators: OverrideGlobalClaimValidators | None = None,
) -> SessionContainer | None:
    """
    Return the session of a request, or None: :func:`get_session` with ``session_required=False``.

    ::

        @app.get("/news")
        def news():
            session = get_session_or_none(request)
            return "for everybody" if session is None else f"for {session.get_user_id()}"
    """
    return get_session(
        request,
        session_required=False,
        anti_csrf_check=anti_csrf_check,
        check_database=check_database,
        override_global_claim_validators=override_global_claim_validators,
    )


def current_session(request: Any = None) -> SessionContainer:
    """
    Return the session that was verified or created earlier in this request, by :func:`verify_session` for instance.

    :raises Unauthorised: there is none.
    """
    session = current_session_or_none(request)
    if session is None:
        raise Unauthorised("no session was verified in this request", clear_tokens=False)
    return session


def current_session_or_none(request: Any = None) -> SessionContainer | None:
    """
    Return the session that was verified or created earlier in this request, or None.

    It is for code that runs for all requests, such as a hook after each of them.
    """
    context = current.context_of(request)
    session = (context.environ or {}).get(SESSION_KEY)
    return session if isinstance(session, SessionContainer) and session.is_attached_to(context) else None


@checked
def create_new_session(
    request: Any = None,
    *,
    recipe_user_id: RecipeUserId,
    tenant_id: str = PUBLIC_TENANT,
    access_token_payload: Mapping[str, Any] | None = None,
    session_data_in_database: Mapping[str, Any] | None = None,
) -> SessionContainer:
    """
    Create a session and send its tokens with the response to *request*.

    ::

        @app.post("/login-by-badge")
        def login_by_badge():
            create_new_session(request, recipe_user_id=RecipeUserId("ada"), access_token_payload={"shift": "night"})
            return "welcome"

    :param recipe_user_id: of the login method of the user. The core does not need to know it.
    :param access_token_payload: claims of the app. Protected names in it are left out.
    :param session_data_in_database: data of the app that stay in the core.
    :raises ValueError: the payload is too large for a token, or not plain JSON.
    :raises ConfigError: the request did not come through st_wsgi.
    """
    context = current.context_of(request)
    return in_request.create_new_session(
        context,
        tenant_id=tenant_id,
        recipe_user_id=recipe_user_id,
        user_id=_user_id_of(context.services, recipe_user_id),
        access_token_payload=access_token_payload,
        session_data_in_database=session_data_in_database,
    )


def refresh_session(request: Any = None) -> SessionContainer:
    """
    Exchange the refresh token of a request for new tokens and send them with the response.

    :raises Unauthorised: the request has no refresh token of a session: 401, and the frontend forgets its tokens.
    :raises TokenTheftDetected: a newer token of the session was in use already: 401, and the session is revoked.
    """
    return in_request.refresh_session(current.context_of(request))


@checked
def create_new_session_without_request_response(
    *,
    recipe_user_id: RecipeUserId,
    tenant_id: str = PUBLIC_TENANT,
    access_token_payload: Mapping[str, Any] | None = None,
    session_data_in_database: Mapping[str, Any] | None = None,
    disable_anti_csrf: bool = False,
) -> SessionContainer:
    """
    Create a session, as :func:`create_new_session` does. The app sends its tokens to the frontend itself.

    :param disable_anti_csrf: create no anti-CSRF token, even if the mode is ``VIA_TOKEN``.
    """
    services = current.services()
    recipe = services.get(Session)
    user_id = _user_id_of(services, recipe_user_id)
    return recipe.functions.create_new_session(
        user_id=user_id,
        recipe_user_id=recipe_user_id,
        tenant_id=tenant_id,
        access_token_payload=in_request.full_payload(
            recipe,
            access_token_payload or {},
            user_id=user_id,
            recipe_user_id=recipe_user_id,
            tenant_id=tenant_id,
        ),
        session_data_in_database=session_data_in_database,
        disable_anti_csrf=disable_anti_csrf,
    )


@checked
def get_session_without_request_response(
    *,
    access_token: str,
    anti_csrf_token: str | None = None,
    anti_csrf_check: bool | None = None,
    session_required: bool = True,
    check_database: bool = False,
    override_global_claim_validators: OverrideGlobalClaimValidators | None = None,
) -> SessionContainer | None:
    """
    Return the session of an access token that the app has received itself. Errors as in :func:`get_session`.

    :param anti_csrf_token: that came with the access token, for the mode ``VIA_TOKEN``.
    :param anti_csrf_check: False leaves the check out.
    :raises ConfigError: the mode is ``VIA_CUSTOM_HEADER``, which needs a request, and *anti_csrf_check* is not False.
    """
    recipe = current.services().get(Session)
    check = anti_csrf_check is not False
    _refuse_custom_header(recipe, check=check, remedy="pass anti_csrf_check=False")
    session = recipe.functions.get_session(
        access_token=access_token,
        anti_csrf_token=anti_csrf_token,
        anti_csrf_check=check,
        session_required=session_required,
        check_database=check_database,
    )
    if session is not None:
        session.assert_claims(
            in_request.required_claim_validators(recipe.functions, session, override_global_claim_validators)
        )
    return session


@checked
def refresh_session_without_request_response(
    *, refresh_token: str, disable_anti_csrf: bool = False, anti_csrf_token: str | None = None
) -> SessionContainer:
    """
    Exchange a refresh token that the app has received itself. Errors as in :func:`refresh_session`.

    :param disable_anti_csrf: True leaves the check of the anti-CSRF token out.
    :raises ConfigError: the mode is ``VIA_CUSTOM_HEADER``, which needs a request, and *disable_anti_csrf* is False.
    """
    recipe = current.services().get(Session)
    _refuse_custom_header(recipe, check=not disable_anti_csrf, remedy="pass disable_anti_csrf=True")
    return recipe.functions.refresh_session(
        refresh_token=refresh_token, anti_csrf_token=anti_csrf_token, disable_anti_csrf=disable_anti_csrf
    )


def verify_session(
    *,
    session_required: bool = True,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
    override_global_claim_validators: OverrideGlobalClaimValidators | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """
    Return a decorator that lets a view run only with a session.

    ::

        @app.get("/profile")
        @verify_session()
        def profile():
            return current_session().get_user_id()

    It works on views of any framework: the request is one of the arguments, or the one in flight. Parameters and errors
    are those of :func:`get_session`. On a view for the refresh route, it refreshes the session.

    :raises TypeError: at decoration, for a coroutine function: without an event loop nothing waits for it.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(view):
            raise TypeError(f"{view.__name__} is a coroutine function: call get_session() in it, undecorated")

        @functools.wraps(view)
        def protected(*args: P.args, **kwargs: P.kwargs) -> R:
            context = current.context_of(_request_among((*args, *kwargs.values())))
            recipe = context.services.get(Session)
            if in_request.is_refresh(recipe, context):
                in_request.refresh_session(context)
            else:
                get_session(
                    context,
                    session_required=session_required,
                    anti_csrf_check=anti_csrf_check,
                    check_database=check_database,
                    override_global_claim_validators=override_global_claim_validators,
                )
            return view(*args, **kwargs)

        # Pyramid counts a view's parameters without following wrappers, to know whether it wants the context too.
        protected.__signature__ = inspect.signature(view)  # type: ignore[attr-defined]
        return protected

    return decorate


def _user_id_of(services: Services, recipe_user_id: RecipeUserId) -> str:
    """Return the id of the user with this login method. It is another id when accounts are linked."""
    user = user_by_id(services.core, recipe_user_id.value)
    return recipe_user_id.value if user is None else user.id


def _request_among(arguments: Iterable[object]) -> object | None:
    """Return the environ of the first argument that is a request. None stands for the request in flight."""
    for argument in arguments:
        try:
            environ = current.environ_of(argument)
        except TypeError:
            continue
        if CONTEXT_KEY in environ or "wsgi.input" in environ:
            return environ
    return None


def _refuse_custom_header(recipe: Session, *, check: bool, remedy: str) -> None:
    if check and recipe.transfer.may_need_custom_header:
        raise ConfigError(f"without a request there is no rid header to check; {remedy}, or set anti_csrf='VIA_TOKEN'")
