"""What the back end responds to the requests of a frontend. None of them starts or ends a session."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator

from urllib3.exceptions import SSLError

from ..errors import ConfigError
from ..recipes.session.cookies import ACCESS_COOKIE, REFRESH_COOKIE, REFRESH_PATH, SESSION_COOKIES
from ..request.cors import get_all_cors_headers
from ..urls import host_of, is_loopback, is_same_site, normalise_origin, scheme_of
from .backend import Backend, Seen, skew
from .finding import Finding

Findings = Iterator[Finding]

KEYS = "/jwt/jwks.json"
_NO_TOKEN = "unauthorised"
_COMMON = {"rid": "session", "st-auth-mode": "cookie", "fdi-version": "4.1"}


def _segment(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


_HEADER = {"alg": "RS256", "typ": "JWT", "version": "5", "kid": "d-1"}
_TOKEN = ".".join(map(_segment, (json.dumps(_HEADER).encode(), b'{"sub":"doctor","exp":1}', bytes(256))))
"""It has the form of an access token and is none. A back end that gets it asks for a refresh."""


def examine(
    backend: Backend,
    websites: Collection[str],
    *,
    transfer: str = "any",
    known_keys: Collection[str] = (),
) -> Findings:
    """
    Return what is wrong with the responses.

    :param websites: the origins whose pages call the back end.
    :param transfer: how sessions travel: ``cookie``, ``header``, ``any``, or something else for what is not known.
    :param known_keys: ids of keys that the core of the app has.
    """
    keys = backend.ask("GET", KEYS)
    blocking = next(_not_ours(backend, keys), None)
    if blocking is not None:
        yield blocking
        return
    if not keys.json()["keys"]:
        yield Finding("keys-missing", f"{backend.base_path}{KEYS} has no key")
    elif known_keys and not key_ids(keys) & set(known_keys):
        yield Finding("other-core", f"none of the keys at {backend.origin} is one of the app's core")
    if wrong := skew(next(iter(keys.all("date")), None)):
        yield Finding("clock", f"the clock of the server is {wrong}")
    yield from _own_address(backend)
    found = [
        finding for website in websites or [backend.origin] for finding in _for_website(backend, website, transfer)
    ]
    yield from found
    if not {"post-blocked", "refresh-broken"} & {finding.id for finding in found}:
        yield from _requests(backend, transfer)
    public = not all(is_loopback(host_of(origin)) for origin in (backend.origin, *websites))
    if public:
        yield from _development(backend, keys)


def key_ids(seen: Seen) -> set[str]:
    """Return the ids of the keys in a response, without those that change every week."""
    keys = [key for key in seen.json().get("keys", ()) if isinstance(key, dict)]
    return {kid for kid in (str(key.get("kid")) for key in keys) if not kid.startswith("d-")}


def _not_ours(backend: Backend, seen: Seen) -> Findings:
    """Find why nothing else needs to be asked."""
    what = f"GET {backend.base_path}{KEYS}"
    if isinstance(seen.failure, SSLError):
        yield Finding("certificate", f"the certificate of {backend.origin} is not trusted")
    elif seen.failure is not None:
        kind = "server-error" if seen.failure.__module__.split(".")[0] != "urllib3" else "unreachable"
        yield Finding(kind, f"{backend.origin} gave {seen.described}")
    elif 300 <= seen.status < 400:
        place = next(iter(seen.all("location")), "")
        yield Finding("redirected", f"{what} is redirected to {place.partition('?')[0][:200]}")
    elif seen.status == 503 and seen.json().get("message") == "service unavailable":
        yield Finding("core-unavailable", "the back end says that its core is not available")
    elif seen.status >= 500:
        yield Finding("server-error", f"{what} gave {seen.described}")
    elif seen.status != 200 or not isinstance(seen.json().get("keys"), list):
        yield Finding("routes-missing", f"{what} gave {seen.described}, not the keys of tokens")


def _own_address(backend: Backend) -> Findings:
    """Compare the address that the back end says it has."""
    told = backend.ask("GET", "/.well-known/openid-configuration").json().get("jwks_uri")
    if not isinstance(told, str) or not told.endswith(KEYS):
        return  # the app has switched this route off or replaced it
    own = told.removesuffix(KEYS)
    text = f"the back end says that its address is {own}, and browsers use {backend.origin}{backend.base_path}"
    try:
        origin = normalise_origin(own, setting="jwks_uri")
    except ConfigError:
        yield Finding("api-domain-host", text)
        return
    host, asked = host_of(origin), host_of(backend.origin)
    if host != asked and is_loopback(host) and is_loopback(asked):
        yield Finding("loopback-spelling", text)
    elif host != asked:
        yield Finding("api-domain-host", text)
    elif scheme_of(origin) != scheme_of(backend.origin):
        yield Finding("api-domain-scheme", text)
    elif origin != backend.origin:
        yield Finding("api-domain-port", text)
    elif own != backend.origin + backend.base_path:
        yield Finding("base-path", text)


def _for_website(backend: Backend, website: str, transfer: str) -> Findings:
    """Find what keeps the pages of a website from using the back end."""
    api, page = host_of(backend.origin), host_of(website)
    if api != page and is_loopback(api) and is_loopback(page):
        yield Finding("loopback-spelling", f"the website is at {page} and the API at {api}")
    if (scheme_of(website), scheme_of(backend.origin)) == ("https", "http"):
        yield Finding("mixed-content", f"pages of {website} call {backend.origin}")
    refused = backend.ask("POST", REFRESH_PATH, {**_COMMON, "Origin": website})
    what = f"POST {backend.base_path}{REFRESH_PATH}"
    if refused.status in (403, 404, 405, 411, 501) and "message" not in refused.json():
        yield Finding("post-blocked", f"{what} gave {refused.described}")
        return
    if refused.json().get("message") != _NO_TOKEN:
        yield Finding("refresh-broken", f"{what} without a session gave {refused.described}")
        return
    if "no-store" not in refused.words("cache-control") or refused.all("age"):
        yield Finding("cacheable", f"the response to {what} could be stored by a cache")
    if transfer != "header":
        yield from _cookies(backend, website, refused)
    if website == backend.origin:
        return
    yield from _preflight(backend, website) or _readable(website, refused)


def _cookies(backend: Backend, website: str, refused: Seen) -> Findings:
    """Examine the cookies that a response without a session clears: new ones have the same attributes."""
    cookies: dict[str, dict[str, str]] = {}
    for line in refused.all("set-cookie"):
        name, *attributes = (part.strip() for part in line.split(";"))
        parsed = {key.lower(): value for key, _, value in (one.partition("=") for one in attributes)}
        cookies.setdefault(name.partition("=")[0], parsed)  # the first of a name is the app's own
    if not set(SESSION_COOKIES) <= set(cookies):
        yield Finding("cookies-not-set", "a response that clears the session came without the session cookies")
        return
    host, access, refresh = host_of(backend.origin), cookies[ACCESS_COOKIE], cookies[REFRESH_COOKIE]
    domain, same_site = access.get("domain", host).lstrip(".").lower(), access.get("samesite", "").lower()
    if host != domain and not host.endswith(f".{domain}"):
        yield Finding("cookie-domain", f"the cookies are for {domain}, and the API is at {host}")
    called = backend.base_path + REFRESH_PATH
    path = refresh.get("path", "/").rstrip("/")
    if access.get("path") != "/" or not f"{called}/".startswith(f"{path}/"):
        yield Finding("cookie-path", f"the refresh cookie has the path {path}, and browsers call {called}")
    if "httponly" not in access or "httponly" not in refresh:
        yield Finding("cookie-http-only", "scripts can read the session cookies")
    if scheme_of(backend.origin) == "https" and not ("secure" in access and "secure" in refresh):
        yield Finding("cookie-not-secure", "browsers send the session cookies over http, too")
    if same_site == "none" and "secure" not in access:
        yield Finding("cookie-same-site-insecure", "the cookies are SameSite=None and not Secure")
    elif same_site != "none" and not is_same_site(website, backend.origin):
        text = f"the cookies are SameSite={same_site or 'unset'}, and {website} is another site than {backend.origin}"
        yield Finding("cookie-same-site", text)


def _preflight(backend: Backend, website: str) -> list[Finding]:
    headers = ["content-type", *get_all_cors_headers()]
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": ",".join(sorted(headers))}
    seen = backend.ask("OPTIONS", REFRESH_PATH, {"Origin": website, **asked})
    if not 200 <= seen.status < 300:
        return [Finding("cors-preflight", f"the preflight of {website} gave {seen.described}")]
    found = list(_allowed(seen, website))
    missing = sorted(set(headers) - seen.words("access-control-allow-headers"))
    if missing and not found:
        found.append(Finding("cors-headers", f"the preflight of {website} does not allow {', '.join(missing)}"))
    return found


def _allowed(seen: Seen, website: str) -> Findings:
    """Find why a browser does not show a response to the website."""
    origins = [origin.strip() for value in seen.all("access-control-allow-origin") for origin in value.split(",")]
    if len(origins) > 1:
        yield Finding("cors-doubled", f"Access-Control-Allow-Origin is there {len(origins)} times")
    elif origins != [website]:
        yield Finding("cors-origin", f"{website} is not allowed, but {', '.join(origins) or 'no origin'}")
    elif seen.all("access-control-allow-credentials") != ["true"]:
        yield Finding("cors-credentials", f"{website} is allowed without credentials")


def _readable(website: str, refused: Seen) -> list[Finding]:
    """Find why a page cannot read a response with status 401, although the preflight allowed the request."""
    found = list(_allowed(refused, website))
    if found and found[0].id != "cors-doubled":
        return [Finding("cors-errors", f"the response with status {refused.status} cannot be read by {website}")]
    missing = {"front-token"} - refused.words("access-control-expose-headers")
    return found or [Finding("cors-expose", f"{website} cannot read the header {name}") for name in missing]


def _requests(backend: Backend, transfer: str) -> Findings:
    """Find what of a request does not reach the back end. It asks for a refresh if the token has reached it."""

    def message(**headers: str) -> object:
        return backend.ask("POST", "/signout", {**_COMMON, **headers}).json().get("message")

    cookie = f"{ACCESS_COOKIE}={_TOKEN}"
    if transfer in ("any", "header") and message(Authorization=f"Bearer {_TOKEN}") == _NO_TOKEN:
        yield Finding("authorization-removed", "a token in the header Authorization was not seen")
    if transfer not in ("any", "cookie"):
        return
    seen = message(Cookie=cookie)
    if seen == _NO_TOKEN:
        yield Finding("cookies-not-sent", "a request with a session cookie was taken for one without")
    large = "; ".join([cookie, *(f"padding{number}={'x' * 1000}" for number in range(6))])
    if seen == "try refresh token" and message(Cookie=large) != seen:
        yield Finding("header-limit", f"a Cookie header of {len(large)} bytes was refused")


def _development(backend: Backend, keys: Seen) -> Findings:
    if scheme_of(backend.origin) == "http" and not is_loopback(host_of(backend.origin)):
        yield Finding("plain-http", f"{backend.origin} is plain http")
    for server in keys.all("server"):
        if server.startswith(("Werkzeug/", "WSGIServer/")):
            yield Finding("development-server", f"the server is {server[:40]}")
    missing = backend.send("GET", "/st-wsgi-doctor-asks-for-nothing", {})
    if missing.status == 404 and b"DEBUG = True" in missing.body:
        yield Finding("debug", "the page for an address that does not exist is Django's page for debugging")
