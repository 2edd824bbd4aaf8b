"""
How tokens travel between the frontend and us: cookies and headers, read from the request, recorded for the response.

Everything that depends on the website's origin (SameSite, anti-CSRF) is worked out for each request: with an origin
function, one request says nothing about the next.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from urllib.parse import quote

from st_verify.csrf import CsrfMode, CsrfRules
from st_verify.errors import TryRefresh
from st_verify.headers import bearer_token, cookie_values

from ...config import AppInfo
from ...errors import ConfigError, TryRefreshToken
from ...request.changes import SameSite
from ...request.context import RequestContext
from ...urls import cookie_domains, host_of, is_loopback, is_public_suffix, is_same_site, scheme_of
from .types import TRANSFER_METHODS, AntiCsrf, SessionConfig, TransferMethod, TransferPolicy

ACCESS_COOKIE = "sAccessToken"
REFRESH_COOKIE = "sRefreshToken"
SESSION_COOKIES = (ACCESS_COOKIE, REFRESH_COOKIE)
LEGACY_COOKIE = "sIdRefreshToken"
REFRESH_PATH = "/session/refresh"
ACCESS_HEADER = "st-access-token"
REFRESH_HEADER = "st-refresh-token"
FRONT_TOKEN = "front-token"
ANTI_CSRF = "anti-csrf"

_ONE_YEAR_MS = 31_536_000_000
_BROWSER_COOKIE_LIMIT = 4096
_MOST_PATHS = 24  # the client chooses how deep a path is
_PATH_SAFE = "/!$&'()*+,=:@~"  # what a URL's path may hold unquoted, but for the semicolon, which ends a cookie's path

_log = logging.getLogger("st_wsgi.session")


class TokenTransfer:
    """
    The rules of one app.

    :param clock: returns seconds since 1970.
    :raises ConfigError: the settings contradict each other or the app's domains.
    """

    def __init__(self, *, config: SessionConfig, app_info: AppInfo, clock: Callable[[], float]) -> None:
        self._config = config
        self._app_info = app_info
        self._clock = clock
        self._api_host = host_of(app_info.api_domain)
        self._secure = (
            scheme_of(app_info.api_domain) == "https" if config.cookie_secure is None else config.cookie_secure
        )
        self._domain = _cookie_domain("cookie_domain", config.cookie_domain, self._api_host)
        older_domain = _cookie_domain("older_cookie_domain", config.older_cookie_domain or None, self._api_host)
        self._domains = _domains_of_cookies(self._api_host, self._domain, older_domain)
        self._paths = {ACCESS_COOKIE: "/", REFRESH_COOKIE: app_info.public_base_path + REFRESH_PATH}
        self._same_site_of = functools.lru_cache(maxsize=256)(self._compute_same_site)
        self._csrf_rules_of = functools.lru_cache(maxsize=512)(self._make_csrf_rules)
        if config.get_token_transfer_method != "header":
            for origin in app_info.possible_origins:
                self._refuse_unusable_cookies(origin)
                self._refuse_unsafe_cookies(origin)

    def anti_csrf(self, context: RequestContext) -> AntiCsrf:
        """Return how a request proves that the website's own script sent it."""
        return self.anti_csrf_for(self._origin(context))

    def anti_csrf_for(self, origin: str) -> AntiCsrf:
        """Return the same for a website's origin."""
        if self._config.anti_csrf is not None:
            return self._config.anti_csrf
        return "VIA_CUSTOM_HEADER" if self._same_site_of(origin) == "none" else "NONE"

    def check_csrf_headers(self, context: RequestContext, *, every_method: bool) -> None:
        """
        Judge what a request with cookies shows of where it comes from, apart from its tokens.

        :param every_method: also those that change nothing.
        :raises TryRefreshToken: a foreign site may have sent it.
        """
        rules = self._csrf_rules_of(self._origin(context), every_method)
        try:
            rules.check_headers(context.environ or {})
        except TryRefresh as refusal:
            raise TryRefreshToken(refusal.reason) from None

    def same_site(self, context: RequestContext) -> SameSite:
        """Return the SameSite attribute of the cookies in the answer to this request."""
        return self._same_site_of(self._origin(context))

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
        """Record an access token and what the frontend is told of it."""
        changes = context.changes
        changes.set_header(FRONT_TOKEN, front_token, expose=True)
        changes.set_header("Cache-Control", "no-store")
        if method == "cookie":
            self._set_token_cookie(context, ACCESS_COOKIE, token, int(self._clock() * 1000) + _ONE_YEAR_MS)
        if method == "header" or self._config.expose_access_token_to_frontend_in_cookie_based_auth:
            changes.set_header(ACCESS_HEADER, token, expose=True)

    def attach_refresh_token(self, context: RequestContext, method: TransferMethod, *, token: str, expiry: int) -> None:
        """
        Record a refresh token.

        :param expiry: milliseconds since 1970.
        """
        if method == "cookie":
            self._set_token_cookie(context, REFRESH_COOKIE, token, expiry)
        else:
            context.changes.set_header(REFRESH_HEADER, token, expose=True)

    def attach_anti_csrf_token(self, context: RequestContext, token: str) -> None:
        """Record the anti-CSRF token, which a script of the website sends back in a header."""
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
        """Record that the tokens of one transport go, while the session lives on in the other one."""
        if method == "cookie":
            for name in SESSION_COOKIES:
                self._clear_cookie(context, name, self._paths[name])
        else:
            context.changes.set_header(ACCESS_HEADER, "", expose=True)
            context.changes.set_header(REFRESH_HEADER, "", expose=True)

    def clear_strays(self, context: RequestContext, names: Sequence[str]) -> None:
        """
        Record that session cookies go which this app did not set: their like would be refused at every request.

        A cookie tells neither its domain nor its path. So this names every domain and path from which browsers send one
        with this request, other than the app's own. The last of *names* is cleared at all paths, the others at their
        usual path alone: many more lines would not fit into the headers that a proxy accepts.
        """
        if self.is_cross_site(context):
            return
        path = quote((context.environ or {}).get("PATH_INFO", ""), safe=_PATH_SAFE, encoding="latin-1")
        for name in names:
            own = self._paths.get(name)
            paths = _paths_to(self._app_info.api_gateway_path + path) if name == names[-1] else []
            for above in dict.fromkeys([own or "/", *paths]):
                self._clear_cookie(context, name, above, keep_own=above == own)

    def is_cross_site(self, context: RequestContext) -> bool:
        """
        Return whether a page of another site may have sent the request. Such a request clears nothing.

        Browsers tell the origin of the page, or at least that it is another site's. They send a ``rid`` only for a
        script that has the permission.
        """
        environ = context.environ or {}
        if environ.get("HTTP_RID"):
            return False
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return bool(environ.get("HTTP_SEC_FETCH_SITE") == "cross-site")
        return origin != self._app_info.api_domain and origin not in self._app_info.possible_origins

    def _clear_cookie(self, context: RequestContext, name: str, path: str, *, keep_own: bool = False) -> None:
        """Record that a cookie goes, whichever domain it has; *keep_own* leaves out the domain of the settings."""
        for domain in self._domains:
            if not keep_own or domain != self._domain:
                self._set_cookie(context, name, "", path=path, expires_ms=0, domain=domain)

    def _set_token_cookie(self, context: RequestContext, name: str, token: str, expires_ms: int) -> None:
        size = len(name) + len(token)
        if size > _BROWSER_COOKIE_LIMIT:
            _log.warning(
                "the cookie %s has %d bytes, its payload %d, and browsers drop cookies above %d: "
                "keep less in the access token payload, or use header-based sessions",
                name,
                size,
                len(token.partition(".")[2].partition(".")[0]) * 3 // 4,
                _BROWSER_COOKIE_LIMIT,
            )
        self._set_cookie(context, name, token, path=self._paths[name], expires_ms=expires_ms, domain=self._domain)

    def _set_cookie(
        self, context: RequestContext, name: str, value: str, *, path: str, expires_ms: int, domain: str | None
    ) -> None:
        context.changes.set_cookie(
            name,
            value,
            path=path,
            domain=domain,
            secure=self._secure,
            same_site=self.same_site(context),
            expires_ms=expires_ms,
        )

    def _origin(self, context: RequestContext) -> str:
        fixed = self._app_info.fixed_origin
        return self._app_info.origin_for(context.request, context.user_context) if fixed is None else fixed

    def _make_csrf_rules(self, origin: str, every_method: bool) -> CsrfRules:
        return CsrfRules(
            CsrfMode[self.anti_csrf_for(origin)],
            safe_methods=() if every_method else self._config.csrf_safe_methods,
            allowed_origins=(origin,) if self._config.check_request_origin else None,
        )

    def _compute_same_site(self, origin: str) -> SameSite:
        if self._config.cookie_same_site is not None:
            return self._config.cookie_same_site
        return "lax" if is_same_site(origin, self._app_info.api_domain) else "none"

    def _refuse_unusable_cookies(self, origin: str) -> None:
        """Refuse settings with which browsers would not keep or not send the cookies, so that every call is a 401."""
        api, same_site = self._app_info.api_domain, self._same_site_of(origin)
        one_site = is_same_site(origin, api)
        sites = f"browsers take the website {origin} and the api_domain {api} for two sites"
        headers = "if sessions never travel in cookies, set get_token_transfer_method='header'"
        if not one_site and same_site != "none":
            cookies = f"SameSite={same_site.capitalize()} cookies"
            raise ConfigError(f"{sites} and send no {cookies} between them: leave cookie_same_site alone; {headers}")
        if self._secure and scheme_of(api) == "http" and not is_loopback(self._api_host):
            raise ConfigError(f"browsers refuse Secure cookies of {api}: use an https api_domain; {headers}")
        if self._secure or same_site != "none":
            return
        if one_site:
            cure = "leave cookie_same_site alone"
        elif is_loopback(self._api_host) and is_loopback(host_of(origin)) and scheme_of(origin) == scheme_of(api):
            cure = "use one spelling of the host for both, such as localhost"
        else:
            cure = "use an https api_domain and leave cookie_secure alone"
        reason = "browsers refuse SameSite=None cookies without Secure" if one_site else sites
        raise ConfigError(f"{reason}, so the session cookies would be lost: {cure}; {headers}")

    def _refuse_unsafe_cookies(self, origin: str) -> None:
        """Refuse settings with which others can use a session, unless the app says that it wants them."""
        config = self._config
        if not self._secure and scheme_of(self._app_info.api_domain) == "https" and not config.allow_insecure_cookies:
            raise ConfigError(
                "cookie_secure=False sends session cookies unencrypted too, although api_domain is https: leave "
                "cookie_secure alone, or set allow_insecure_cookies=True"
            )
        if config.anti_csrf == "NONE" and self._same_site_of(origin) == "none" and not config.allow_insecure_anti_csrf:
            raise ConfigError(
                "with anti_csrf='NONE' and SameSite=None cookies, every website can act for users who are signed in: "
                "leave anti_csrf alone, or set allow_insecure_anti_csrf=True"
            )


def _domains_of_cookies(host: str, own: str | None, older: str | None) -> tuple[str | None, ...]:
    """
    Return every domain with which a browser may hold a cookie for *host*, the *own* one first.

    None stands for cookies without a domain, which are sent to just this host.
    """
    domains = {(domain or "").lstrip("."): domain for domain in (own, older, None)}
    for domain in cookie_domains(host):
        domains.setdefault(domain, domain)
    return tuple(domains.values())


def _paths_to(path: str) -> list[str]:
    """Return the paths of cookies that browsers send to *path*, the shortest first (RFC 6265, 5.1.4)."""
    ends = [index for index, sign in enumerate(path) if sign == "/"]
    return ["/", *(path[:end] for index in ends[1:] for end in (index, index + 1)), path][:_MOST_PATHS]


def _cookie_domain(setting: str, domain: str | None, api_host: str) -> str | None:
    """Return a setting as it stands in a cookie: with the dot that it may begin with, None for cookies of one host."""
    if domain is None:
        return None
    text = domain.strip().lower()
    bare = text.lstrip(".")
    if bare == api_host and not cookie_domains(bare):  # localhost or an IP address
        return bare
    if not (api_host == bare or api_host.endswith("." + bare)):
        raise ConfigError(f"{setting} {domain!r} is not a parent of the API's host {api_host}")
    if is_public_suffix(bare):
        raise ConfigError(f"{setting} {domain!r} is a public suffix: browsers refuse cookies for it")
    return ("." if text.startswith(".") else "") + bare
