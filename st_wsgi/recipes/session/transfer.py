"""
How tokens travel between the frontend and us: in cookies or headers, read from requests and recorded for responses.

SameSite and anti-CSRF follow from the website's origin, which can be another one in each request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from st_verify.errors import TryRefresh
from st_verify.headers import CsrfMode, CsrfRules, bearer_token, cookie_values

from ...config import AppInfo
from ...errors import ConfigError, TryRefreshToken
from ...request.changes import SameSite
from ...request.context import RequestContext
from ...urls import is_same_site
from .config import SessionConfig
from .cookies import ACCESS_COOKIE, REFRESH_COOKIE, SessionCookies, refuse_unsafe, refuse_unusable
from .types import TRANSFER_METHODS, AntiCsrf, TransferMethod, TransferPolicy

ACCESS_HEADER = "st-access-token"
REFRESH_HEADER = "st-refresh-token"
FRONT_TOKEN = "front-token"
ANTI_CSRF = "anti-csrf"

_ONE_YEAR_MS = 31_536_000_000


@attrs.frozen
class OriginRules:
    """
    What follows from the origin of the website.

    :ivar same_site: the SameSite attribute of the cookies.
    :ivar anti_csrf: how a request with cookies shows that a script of the website sent it.
    :ivar csrf: the check of a request, unless its method is a safe one.
    :ivar csrf_always: the check of a request with any method.
    """

    same_site: SameSite
    anti_csrf: AntiCsrf
    csrf: CsrfRules
    csrf_always: CsrfRules


class TokenTransfer:
    """
    The ways of the tokens of one app.

    :param clock: returns seconds since 1970.
    :raises ConfigError: the settings contradict each other or the app's domains.
    """

    def __init__(self, *, config: SessionConfig, app_info: AppInfo, clock: Callable[[], float]) -> None:
        self._config = config
        self._app_info = app_info
        self._clock = clock
        self._cookies = SessionCookies(config, app_info)
        self._rules = {origin: self._rules_for(origin) for origin in app_info.possible_origins}

    @property
    def may_need_custom_header(self) -> bool:
        """Whether requests of the website, or of one of several, must have the header ``rid``."""
        return any(rules.anti_csrf == "VIA_CUSTOM_HEADER" for rules in self._rules.values())

    def rules(self, context: RequestContext) -> OriginRules:
        """
        Return what follows from the origin of the website in this request.

        :raises BadInput: the app's origin function returned one that is not allowed.
        """
        fixed = self._app_info.fixed_origin
        origin = self._app_info.origin_for(context.request, context.user_context) if fixed is None else fixed
        return self._rules[origin]

    def check_csrf_headers(self, context: RequestContext, *, every_method: bool) -> None:
        """
        Check that a request with cookies is not forged by another site, as far as its headers show.

        :param every_method: check it even if its method is a safe one.
        :raises TryRefreshToken: it may be forged.
        """
        rules = self.rules(context)
        try:
            (rules.csrf_always if every_method else rules.csrf).check_headers(context.environ or {})
        except TryRefresh as refusal:
            raise TryRefreshToken(refusal.reason) from None

    def policy(self, context: RequestContext, *, creating: bool) -> TransferPolicy:
        """Return how tokens may travel in this request."""
        choose = self._config.get_token_transfer_method
        if not callable(choose):
            return choose
        if context.request is None:
            return "any"
        policy = choose(context.request, creating)
        if policy not in ("cookie", "header", "any"):
            raise ConfigError(f"get_token_transfer_method must return cookie, header or any, not {policy!r}")
        return policy

    def creation_method(self, context: RequestContext) -> TransferMethod:
        """Return how the tokens of a new session travel."""
        policy = self.policy(context, creating=True)
        if policy == "any":
            return "cookie" if context.header("st-auth-mode") == "cookie" else "header"
        return policy

    @staticmethod
    def header(context: RequestContext) -> str | None:
        """Return the single word after ``Bearer`` that a request carries, or None."""
        authorization = (context.environ or {}).get("HTTP_AUTHORIZATION")
        return None if authorization is None else bearer_token(authorization)

    @staticmethod
    def cookies(context: RequestContext, name: str) -> list[str]:
        """Return the values of all cookies of this name that a request carries."""
        cookies = (context.environ or {}).get("HTTP_COOKIE")
        return [] if cookies is None else cookie_values(cookies, name)

    def attach_access_token(
        self, context: RequestContext, method: TransferMethod, *, token: str, front_token: str
    ) -> None:
        """Record an access token and the front token that describes it to the frontend."""
        changes = context.changes
        changes.set_header(FRONT_TOKEN, front_token, expose=True)
        changes.set_header("Cache-Control", "no-store")
        if method == "cookie":
            # The cookie outlives the token, so that an expired token is answered with "try refresh token".
            expiry = int(self._clock() * 1000) + _ONE_YEAR_MS
            same_site = self.rules(context).same_site
            self._cookies.set(changes, ACCESS_COOKIE, token, same_site=same_site, expires_ms=expiry)
        if method == "header" or self._config.expose_access_token_to_frontend_in_cookie_based_auth:
            changes.set_header(ACCESS_HEADER, token, expose=True)

    def attach_refresh_token(self, context: RequestContext, method: TransferMethod, *, token: str, expiry: int) -> None:
        """
        Record a refresh token.

        :param expiry: milliseconds since 1970.
        """
        if method == "cookie":
            same_site = self.rules(context).same_site
            self._cookies.set(context.changes, REFRESH_COOKIE, token, same_site=same_site, expires_ms=expiry)
        else:
            context.changes.set_header(REFRESH_HEADER, token, expose=True)

    def attach_anti_csrf_token(self, context: RequestContext, token: str) -> None:
        """Record the anti-CSRF token, which scripts of the website send back in a header."""
        context.changes.set_header(ANTI_CSRF, token, expose=True)

    def clear(self, context: RequestContext, methods: tuple[TransferMethod, ...] = TRANSFER_METHODS) -> None:
        """Record that the frontend forgets its tokens, and with them the session."""
        changes = context.changes
        for name in (ANTI_CSRF, ACCESS_HEADER):
            changes.drop_header(name)
        for method in methods:
            self.clear_transport(context, method)
        changes.set_header(FRONT_TOKEN, "remove", expose=True)
        changes.set_header("Cache-Control", "no-store")

    def clear_transport(self, context: RequestContext, method: TransferMethod) -> None:
        """Record that the frontend forgets the tokens of one transport. The session may go on in the other one."""
        if method == "cookie":
            self._cookies.clear(context.changes, same_site=self.rules(context).same_site)
        else:
            context.changes.set_header(ACCESS_HEADER, "", expose=True)
            context.changes.set_header(REFRESH_HEADER, "", expose=True)

    def clear_other_cookies(self, context: RequestContext, names: Sequence[str]) -> None:
        """Record that the browser forgets cookies for which requests are refused, but for the app's own."""
        if not self.is_cross_site(context):
            path = (context.environ or {}).get("PATH_INFO", "")
            same_site = self.rules(context).same_site
            self._cookies.clear_others(context.changes, names, request_path=path, same_site=same_site)

    def is_cross_site(self, context: RequestContext) -> bool:
        """
        Return whether a page of another site may have sent the request. The response to it clears nothing.

        Browsers send the origin of the page, or at least tell that it is another site's. They send a ``rid`` only for
        scripts that have the permission.
        """
        environ = context.environ or {}
        if environ.get("HTTP_RID"):
            return False
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return bool(environ.get("HTTP_SEC_FETCH_SITE") == "cross-site")
        return origin != self._app_info.api_domain and origin not in self._rules

    def _rules_for(self, origin: str) -> OriginRules:
        config, api = self._config, self._app_info.api_domain
        same_site: SameSite = config.cookie_same_site or ("lax" if is_same_site(origin, api) else "none")
        if config.get_token_transfer_method != "header":
            refuse_unusable(origin, api, secure=self._cookies.secure, same_site=same_site)
            refuse_unsafe(config, api, secure=self._cookies.secure, same_site=same_site)
        anti_csrf: AntiCsrf = config.anti_csrf or ("VIA_CUSTOM_HEADER" if same_site == "none" else "NONE")
        csrf, csrf_always = (
            CsrfRules(
                CsrfMode[anti_csrf],
                safe_methods=safe_methods,
                allowed_origins=(origin,) if config.check_request_origin else None,
            )
            for safe_methods in (config.csrf_safe_methods, ())
        )
        return OriginRules(same_site, anti_csrf, csrf, csrf_always)
