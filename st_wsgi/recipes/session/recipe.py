"""The session recipe."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import attrs
from werkzeug.wrappers import Response

from ...errors import (
    Answerable,
    DuplicateSessionCookies,
    InvalidClaims,
    SessionError,
    TokenTheftDetected,
    TryRefreshToken,
    Unauthorised,
)
from ...recipe_kit.recipe import Answers, Recipe, Requires
from ...request.context import RequestContext
from ...services import Services
from ..openid import OpenId
from .apis import SessionAPIs
from .functions import SessionFunctions
from .routes import ROUTES
from .settings import SessionSettings

_log = logging.getLogger("st_wsgi.session")


@attrs.define(kw_only=True, eq=False, slots=False)
class Session(SessionSettings, Recipe[SessionFunctions, SessionAPIs]):
    """
    Sessions with short access tokens, rotating refresh tokens and theft detection.

    ::

        Session(anti_csrf="VIA_TOKEN", cookie_domain=".shop.example")

    :param cookie_domain: share the cookies with the sub-domains of this domain.
    :param older_cookie_domain: the former *cookie_domain* after a change (an empty text if there was none), so that its
        cookies are cleared.
    :param cookie_secure: default: whether ``api_domain`` is https.
    :param cookie_same_site: ``lax``, ``strict`` or ``none``, in any case. Default: ``none`` if website and API are on
        different sites, else ``lax``.
    :param session_expired_status_code: the status that makes the frontend refresh, default 401.
    :param invalid_claim_status_code: the status for failed claims, default 403.
    :param anti_csrf: ``VIA_CUSTOM_HEADER``, ``VIA_TOKEN`` or ``NONE``, in any case. Default: ``VIA_CUSTOM_HEADER`` if
        website and API are on different sites, else ``NONE``.
    :param allow_insecure_cookies: accept ``cookie_secure=False`` together with an https ``api_domain``.
    :param allow_insecure_anti_csrf: accept ``anti_csrf="NONE"`` together with cookies that other sites can use.
    :param csrf_safe_methods: methods that change nothing and are not checked: GET and HEAD, one of them, or none.
    :param check_request_origin: refuse a request with cookies that the browser calls cross-site and that does not come
        from the website, whatever its other headers say.
    :param get_token_transfer_method: ``cookie``, ``header``, ``any`` (what the frontend asks for), or a function of the
        request, and whether a session is being created, that returns one of these.
    :param error_handlers: responses to session errors that differ from the protocol's.
    :param use_dynamic_access_token_signing_key: sign access tokens with a key that changes now and then.
    :param expose_access_token_to_frontend_in_cookie_based_auth: let the website's scripts see the access token.
    :param jwks_refresh_interval_sec: seconds after which the signing keys are fetched anew at the latest.
    :param accepted_issuers: beside this app itself, the back ends on the same core whose sessions are accepted, such as
        ``https://old-api.example.com/auth`` (their API domain and base path). Default: all of them.
    :param check_database: ask the core in every request whether the session still exists, so that a revoked session is
        refused at once.
    :param absolute_timeout_sec: seconds after the sign-in at which a session ends, however often it is refreshed.
    :param idle_timeout_sec: seconds without a request after which a session ends. The last use is recorded in steps of
        a tenth of it, each with two calls to the core.
    :param max_sessions_per_user: a new session ends the user's oldest ones beyond this number.
    :param record_sign_in: keep the address and the user agent of the sign-in with the session data in the database.
    :param override: changes of the functions and APIs.
    :raises ConfigError: settings contradict each other.
    """

    id = "session"
    requires: ClassVar[Requires] = (OpenId,)
    routes = ROUTES
    answers: ClassVar[Answers] = (SessionError,)

    def bind(self, services: Services) -> None:
        super().bind(services)
        chosen_by: Any = getattr(self.functions, "get_global_claim_validators", None)
        ours = SessionFunctions.get_global_claim_validators
        self.chooses_claim_validators: bool = getattr(chosen_by, "__func__", None) is not ours

    def answer(self, error: Answerable, context: RequestContext) -> Response:
        """
        Return the response to a session error, and record what the frontend has to forget.

        Tokens are cleared in both transports, since an override may have attached fresh ones before it raised. The
        response to a request of another site clears nothing: otherwise every website could sign users out.
        """
        _log.debug("%s: %s", type(error).__name__, error)
        if isinstance(error, TokenTheftDetected):
            context.record("refresh_token_reused", session_handle=error.session_handle, user_id=error.user_id)
            self.functions.revoke_session(session_handle=error.session_handle)
        if isinstance(error, TokenTheftDetected) or (isinstance(error, Unauthorised) and error.clear_tokens):
            self._clear_tokens(context)
        handlers = self.error_handlers
        table: dict[type[Answerable], tuple[Any, int | None]] = {
            TokenTheftDetected: (handlers.on_token_theft_detected, self.session_expired_status_code),
            Unauthorised: (handlers.on_unauthorised, self.session_expired_status_code),
            TryRefreshToken: (handlers.on_try_refresh_token, self.session_expired_status_code),
            InvalidClaims: (handlers.on_invalid_claim, self.invalid_claim_status_code),
            DuplicateSessionCookies: (handlers.on_clear_duplicate_session_cookies, None),
        }
        default = None, self.session_expired_status_code
        handler, status = next((table[kind] for kind in type(error).__mro__ if kind in table), default)
        response: Response = error.plain_response(status) if handler is None else handler(error, context)
        return response

    def _clear_tokens(self, context: RequestContext) -> None:
        if not self.transfer.is_cross_site(context):
            self.transfer.clear(context)
