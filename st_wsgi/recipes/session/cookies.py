"""
The session cookies: where a browser keeps them, how they are set and cleared, and settings with which they cannot work.

Source: RFC 6265 and its revision (6265bis), "Cookies: HTTP State Management Mechanism".
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from urllib.parse import quote

from ...config import AppInfo
from ...errors import ConfigError
from ...request.changes import ResponseChanges, SameSite
from ...urls import cookie_domains, host_of, is_loopback, is_public_suffix, is_same_site, scheme_of
from .config import SessionConfig

ACCESS_COOKIE = "sAccessToken"
REFRESH_COOKIE = "sRefreshToken"
SESSION_COOKIES = (ACCESS_COOKIE, REFRESH_COOKIE)
LEGACY_COOKIE = "sIdRefreshToken"  # of SDKs that are older than the access tokens of today; only ever cleared
REFRESH_PATH = "/session/refresh"

_BROWSER_LIMIT = 4096  # bytes of name and value
_MOST_PATHS = 24  # the client chooses how deep a path is
_PATH_SAFE = "/!$&'()*+,=:@~"  # not quoted in the path of a cookie, which a semicolon would end

_log = logging.getLogger("st_wsgi.session")


class SessionCookies:
    """
    The cookies of one app.

    A cookie of a browser is known by its name, domain and path, but a request shows only the name. So another cookie of
    the same name can stand beside the app's own: from an earlier cookie domain, or from a host below the same domain
    that another party runs.

    :raises ConfigError: a cookie domain does not fit the API's host.
    """

    def __init__(self, config: SessionConfig, app_info: AppInfo) -> None:
        host = host_of(app_info.api_domain)
        is_https = scheme_of(app_info.api_domain) == "https"
        self.secure: bool = is_https if config.cookie_secure is None else config.cookie_secure
        self._gateway_path = app_info.api_gateway_path
        self._paths = {ACCESS_COOKIE: "/", REFRESH_COOKIE: app_info.public_base_path + REFRESH_PATH}
        self._domain = _cookie_domain("cookie_domain", config.cookie_domain, host)
        older = _cookie_domain("older_cookie_domain", config.older_cookie_domain or None, host)
        # Every domain with which a browser may hold a cookie for the host. None: a cookie for just this host.
        domains = {(domain or "").lstrip("."): domain for domain in (self._domain, older, None)}
        self._domains = (*domains.values(), *(domain for domain in cookie_domains(host) if domain not in domains))

    def set(self, changes: ResponseChanges, name: str, token: str, *, same_site: SameSite, expires_ms: int) -> None:
        """
        Record a cookie with a token.

        :param expires_ms: milliseconds since 1970.
        """
        size = len(name) + len(token)
        if size > _BROWSER_LIMIT:
            _log.warning(
                "the cookie %s has %d bytes, its payload %d, and browsers drop cookies above %d: "
                "keep less in the access token payload, or use header-based sessions",
                name,
                size,
                len(token.partition(".")[2].partition(".")[0]) * 3 // 4,
                _BROWSER_LIMIT,
            )
        place = (self._domain, self._paths[name])
        self._write(changes, name, token, place, same_site=same_site, expires_ms=expires_ms)

    def clear(self, changes: ResponseChanges, *, same_site: SameSite) -> None:
        """Record that the browser forgets the app's cookies, and cookies at the same paths with another domain."""
        for name in SESSION_COOKIES:
            for domain in self._domains:
                self._write(changes, name, "", (domain, self._paths[name]), same_site=same_site, expires_ms=0)

    def clear_others(
        self, changes: ResponseChanges, names: Sequence[str], *, request_path: str, same_site: SameSite
    ) -> None:
        """
        Record that the browser forgets cookies of these names, but for the app's own.

        The last of *names* is cleared in every place from which it can have come with the request, the others only at
        the path that they have in this app. All of them everywhere would be more headers than proxies accept.

        :param request_path: ``PATH_INFO`` of the request.
        """
        path = self._gateway_path + quote(request_path, safe=_PATH_SAFE, encoding="latin-1")
        for name in names:
            own_path = self._paths.get(name, "/")
            paths = dict.fromkeys([own_path, *(_paths_above(path) if name == names[-1] else ())])
            own = (self._domain, self._paths.get(name))
            for place in [(domain, above) for above in paths for domain in self._domains]:
                if place != own:
                    self._write(changes, name, "", place, same_site=same_site, expires_ms=0)

    def _write(
        self,
        changes: ResponseChanges,
        name: str,
        value: str,
        place: tuple[str | None, str],
        *,
        same_site: SameSite,
        expires_ms: int,
    ) -> None:
        domain, path = place
        changes.set_cookie(
            name, value, path=path, domain=domain, secure=self.secure, same_site=same_site, expires_ms=expires_ms
        )


def refuse_unusable(origin: str, api: str, *, secure: bool, same_site: SameSite) -> None:
    """
    Refuse settings with which browsers would not keep or not send the cookies, so that every call is a 401.

    :param origin: of the website.
    :param api: the origin of the API.
    :raises ConfigError: with the reason and the cure.
    """
    one_site = is_same_site(origin, api)
    sites = f"browsers take the website {origin} and the api_domain {api} for two sites"
    headers = "if sessions never travel in cookies, set get_token_transfer_method='header'"
    if not one_site and same_site != "none":
        cookies = f"SameSite={same_site.capitalize()} cookies"
        raise ConfigError(f"{sites} and send no {cookies} between them: leave cookie_same_site alone; {headers}")
    if secure and scheme_of(api) == "http" and not is_loopback(host_of(api)):
        raise ConfigError(f"browsers refuse Secure cookies of {api}: use an https api_domain; {headers}")
    if secure or same_site != "none":
        return
    if one_site:
        cure = "leave cookie_same_site alone"
    elif scheme_of(origin) == scheme_of(api) and is_loopback(host_of(origin)) and is_loopback(host_of(api)):
        cure = "use one spelling of the host for both, such as localhost"
    else:
        cure = "use an https api_domain and leave cookie_secure alone"
    reason = "browsers refuse SameSite=None cookies without Secure" if one_site else sites
    raise ConfigError(f"{reason}, so the session cookies would be lost: {cure}; {headers}")


def refuse_unsafe(config: SessionConfig, api: str, *, secure: bool, same_site: SameSite) -> None:
    """
    Refuse settings with which others can use a session, unless a setting allows it in words.

    :param api: the origin of the API.
    :raises ConfigError: with the reason and the cure.
    """
    if not secure and scheme_of(api) == "https" and not config.allow_insecure_cookies:
        raise ConfigError(
            "cookie_secure=False sends session cookies unencrypted too, although api_domain is https: leave "
            "cookie_secure alone, or set allow_insecure_cookies=True"
        )
    if same_site == "none" and config.anti_csrf == "NONE" and not config.allow_insecure_anti_csrf:
        raise ConfigError(
            "with anti_csrf='NONE' and SameSite=None cookies, every website can act for users who are signed in: "
            "leave anti_csrf alone, or set allow_insecure_anti_csrf=True"
        )


def _paths_above(path: str) -> list[str]:
    """Return the paths of cookies that a browser sends to *path*, the shortest first (RFC 6265, 5.1.4)."""
    slashes = [index for index, sign in enumerate(path) if sign == "/"]
    return ["/", *(path[:end] for index in slashes[1:] for end in (index, index + 1)), path][:_MOST_PATHS]


def _cookie_domain(setting: str, domain: str | None, api_host: str) -> str | None:
    """Return a cookie domain in lower case, with its leading dot if it has one."""
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
