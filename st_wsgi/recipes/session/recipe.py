"""The session recipe."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from werkzeug.wrappers import Response

from ...errors import (
    Answerable,
    ConfigError,
    DuplicateSessionCookies,
    InvalidClaims,
    SessionError,
    TokenTheftDetected,
    TryRefreshToken,
    Unauthorised,
)
from ...recipe_kit.override import Override
from ...recipe_kit.recipe import Answers, Recipe, Requires
from ...request.changes import SameSite
from ...request.context import RequestContext
from ...services import Services
from ...urls import normalise_issuer
from ..openid import OpenId
from .apis import SessionAPIs
from .base import SessionSettings
from .functions import SessionFunctions
from .routes import ROUTES
from .types import AntiCsrf, ErrorHandlers, GetTokenTransferMethod, SessionConfig, TransferPolicy

_ONE_DAY = 86_400
_SAME_SITE: tuple[SameSite | None, ...] = ("lax", "strict", "none", None)
_ANTI_CSRF: tuple[AntiCsrf | None, ...] = ("VIA_CUSTOM_HEADER", "VIA_TOKEN", "NONE", None)
_TRANSFER_POLICIES: tuple[TransferPolicy, ...] = ("cookie", "header", "any")

_Word = TypeVar("_Word")

_log = logging.getLogger("st_wsgi.session")
_security_log = logging.getLogger("st_wsgi.security")


class Session(SessionSettings, Recipe[SessionFunctions, SessionAPIs]):
    """
    Sessions with short access tokens, rotating refresh tokens and theft detection.

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
    :param error_handlers: other answers than the protocol's.
    :param use_dynamic_access_token_signing_key: sign access tokens with a key that changes now and then.
    :param expose_access_token_to_frontend_in_cookie_based_auth: let the website's scripts see the access token.
    :param jwks_refresh_interval_sec: seconds after which the signing keys are fetched anew at the latest.
    :param accepted_issuers: beside this app itself, the back ends on the same core whose sessions are accepted, such as
        ``https://old-api.example.com/auth`` (their API domain and base path). Default: all of them.
    :param override: changes of the functions and APIs.
    :raises ConfigError: settings contradict each other.
    """

    id = "session"
    requires: ClassVar[Requires] = (OpenId,)
    routes = ROUTES
    answers: ClassVar[Answers] = (SessionError,)

    def __init__(
        self,
        *,
        cookie_domain: str | None = None,
        older_cookie_domain: str | None = None,
        cookie_secure: bool | None = None,
        cookie_same_site: SameSite | None = None,
        session_expired_status_code: int = 401,
        invalid_claim_status_code: int = 403,
        anti_csrf: AntiCsrf | None = None,
        allow_insecure_cookies: bool = False,
        allow_insecure_anti_csrf: bool = False,
        csrf_safe_methods: Iterable[str] = ("GET", "HEAD"),
        check_request_origin: bool = False,
        get_token_transfer_method: GetTokenTransferMethod | TransferPolicy = "any",
        error_handlers: ErrorHandlers | None = None,
        use_dynamic_access_token_signing_key: bool = True,
        expose_access_token_to_frontend_in_cookie_based_auth: bool = False,
        jwks_refresh_interval_sec: int = 14400,
        accepted_issuers: Iterable[str] | None = None,
        override: Override[SessionFunctions, SessionAPIs] | None = None,
    ) -> None:
        _status("session_expired_status_code", session_expired_status_code)
        _status("invalid_claim_status_code", invalid_claim_status_code)
        if session_expired_status_code == invalid_claim_status_code:
            raise ConfigError("session_expired_status_code and invalid_claim_status_code must differ")
        if not isinstance(jwks_refresh_interval_sec, int) or not 1 <= jwks_refresh_interval_sec <= _ONE_DAY:
            raise ConfigError(f"jwks_refresh_interval_sec must be a number of seconds from 1 to {_ONE_DAY}")
        if not callable(get_token_transfer_method):
            name, function = "get_token_transfer_method", ", or a function that returns one of them"
            get_token_transfer_method = _one_of(name, get_token_transfer_method, _TRANSFER_POLICIES, function)
        if not (error_handlers is None or isinstance(error_handlers, ErrorHandlers)):
            raise ConfigError("error_handlers must be ErrorHandlers(...)")
        safe_methods = tuple(csrf_safe_methods)
        if not set(safe_methods) <= {"GET", "HEAD"}:
            raise ConfigError("csrf_safe_methods must be a list of GET and HEAD, of one of them, or empty")
        config = SessionConfig(
            cookie_domain=cookie_domain,
            older_cookie_domain=older_cookie_domain,
            cookie_secure=cookie_secure,
            cookie_same_site=_one_of("cookie_same_site", cookie_same_site, _SAME_SITE),
            session_expired_status_code=session_expired_status_code,
            invalid_claim_status_code=invalid_claim_status_code,
            anti_csrf=_one_of("anti_csrf", anti_csrf, _ANTI_CSRF),
            allow_insecure_cookies=allow_insecure_cookies,
            allow_insecure_anti_csrf=allow_insecure_anti_csrf,
            csrf_safe_methods=safe_methods,
            check_request_origin=check_request_origin,
            get_token_transfer_method=get_token_transfer_method,
            error_handlers=ErrorHandlers() if error_handlers is None else error_handlers,
            use_dynamic_access_token_signing_key=use_dynamic_access_token_signing_key,
            expose_access_token_to_frontend_in_cookie_based_auth=expose_access_token_to_frontend_in_cookie_based_auth,
            jwks_refresh_interval_sec=jwks_refresh_interval_sec,
            accepted_issuers=None if accepted_issuers is None else _issuers(accepted_issuers),
        )
        SessionSettings.__init__(self, config)
        Recipe.__init__(self, override=override)

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
        handlers = self.config.error_handlers
        if isinstance(error, TokenTheftDetected):
            _security_log.warning(
                "token theft: a refresh token of session %r of user %r was used again, so the session is revoked",
                error.session_handle,
                error.user_id,
            )
            self.functions.revoke_session(session_handle=error.session_handle)
            self._clear_tokens(context)
            if handlers.on_token_theft_detected is not None:
                return handlers.on_token_theft_detected(error, context)
        elif isinstance(error, Unauthorised):
            if error.clear_tokens:
                self._clear_tokens(context)
            if handlers.on_unauthorised is not None:
                return handlers.on_unauthorised(error, context)
        elif isinstance(error, TryRefreshToken):
            if handlers.on_try_refresh_token is not None:
                return handlers.on_try_refresh_token(error, context)
        elif isinstance(error, InvalidClaims):
            if handlers.on_invalid_claim is not None:
                return handlers.on_invalid_claim(error, context)
            return error.plain_response(self.config.invalid_claim_status_code)
        elif isinstance(error, DuplicateSessionCookies):
            if handlers.on_clear_duplicate_session_cookies is not None:
                return handlers.on_clear_duplicate_session_cookies(error, context)
            return error.plain_response()
        return error.plain_response(self.config.session_expired_status_code)

    def _clear_tokens(self, context: RequestContext) -> None:
        if not self.transfer.is_cross_site(context):
            self.transfer.clear(context)


def _issuers(values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise ConfigError("accepted_issuers must be a list such as ['https://old-api.example.com/auth']")
    return tuple(normalise_issuer(value, setting="accepted_issuers") for value in values)


def _status(name: str, value: Any) -> None:
    if not isinstance(value, int) or not 400 <= value <= 599:
        raise ConfigError(f"{name} must be an HTTP status from 400 to 599, not {value!r}")


def _one_of(name: str, value: Any, allowed: tuple[_Word, ...], more: str = "") -> _Word:
    """Return the one of the *allowed* words that *value* is, in any case."""
    for word in allowed:
        if value == word or (isinstance(value, str) and isinstance(word, str) and value.lower() == word.lower()):
            return word
    raise ConfigError(f"{name} must be one of {', '.join(map(str, allowed))}{more}, not {value!r}")
