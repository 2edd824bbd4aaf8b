"""
From a WSGI environ to a verified session, and from a refusal to an answer.

`SessionGuard` reads a request in the order of the session protocol: legacy cookie, header token, duplicate
cookies, cookie token, anti-CSRF header, the token itself, anti-CSRF token, tenant, revocation, claims. What
fails first decides the answer; nothing before the token itself causes an outgoing request.

Put `Protect` *inside* the app's CORS layer: a frontend on another origin cannot read a 401 that has no CORS
headers, and so cannot refresh. `check_cors` tells. Put it *outside* of middleware that rewrites the method.
Cookies are never cleared here: a parallel request may just have set new ones.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import math
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from st_verify.claims import ClaimValidator, require_claims
from st_verify.csrf import SAFE_METHODS, CsrfMode, CsrfRules
from st_verify.errors import ConfigError, Forbidden, NoSession, Refused, TryRefresh, Unavailable
from st_verify.headers import bearer_token, cookie_values
from st_verify.revocation import IsRevoked, RevocationCheck
from st_verify.token import AccessToken, GatedToken
from st_verify.verifier import SessionVerifier

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

__all__ = [
    "ENVIRON_KEY",
    "Answer",
    "CsrfMode",
    "Protect",
    "RevocationCheck",
    "SessionGuard",
    "answer",
    "check_cors",
    "session_of",
]

Environ = dict[str, Any]
P = ParamSpec("P")
R = TypeVar("R")

#: Where `SessionGuard.read` leaves the `AccessToken` (or None).
ENVIRON_KEY = "st_verify.session"
TRANSPORTS = ("any", "header", "cookie")

_PHRASES = {401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}


class SessionGuard:
    """
    Reads the session of a request. Make one for the app; it may be shared by threads.

    :param verifier: decides about tokens.
    :param csrf: the mode of the auth server, always to be said.
    :param transport: where tokens are accepted: ``header``, ``cookie`` or ``any`` (a header token wins).
    :param csrf_safe_methods: methods without anti-CSRF check.
    :param allowed_origins: see `CsrfRules`.
    :param authorization: the environ key of the Authorization header. Some CGI set-ups need
        ``REDIRECT_HTTP_AUTHORIZATION``; read only what your server sets itself.
    :param is_revoked: asks whether a session was ended: a function, or a `RevocationCheck` with its deadline. Without
        one, a revoked session is served until its access token expires.
    :raises ConfigError: contradictory settings.
    """

    def __init__(
        self,
        verifier: SessionVerifier,
        *,
        csrf: CsrfMode,
        transport: str,
        csrf_safe_methods: Collection[str] = SAFE_METHODS,
        allowed_origins: Collection[str] | None = None,
        authorization: str = "HTTP_AUTHORIZATION",
        is_revoked: IsRevoked | RevocationCheck | None = None,
    ) -> None:
        if transport not in TRANSPORTS:
            raise ConfigError(f"transport: one of {', '.join(TRANSPORTS)}")
        if transport == "header" and (csrf is not CsrfMode.NONE or allowed_origins is not None):
            raise ConfigError("csrf: tokens in headers need none; with transport='header' say CsrfMode.NONE")
        self._verifier = verifier
        self._csrf = CsrfRules(csrf, safe_methods=csrf_safe_methods, allowed_origins=allowed_origins)
        self._transport = transport
        self._authorization = authorization
        if is_revoked is None or isinstance(is_revoked, RevocationCheck):
            self._revocation = is_revoked
        else:
            self._revocation = RevocationCheck(is_revoked)

    def session(self, environ: Environ, *validators: ClaimValidator) -> AccessToken:
        """
        The session of this request, with every validator passed.

        :raises Refused: one of its kinds says what to answer; see `answer`.
        """
        token = self.optional_session(environ, *validators)
        if token is None:
            raise NoSession("no_token")
        return token

    def optional_session(self, environ: Environ, *validators: ClaimValidator) -> AccessToken | None:
        """
        Like `session`, and None if the request has no session token, or its method is OPTIONS or TRACE.

        :raises Refused: there is a token, and it is not good.
        """
        environ[ENVIRON_KEY] = None
        if environ["REQUEST_METHOD"] in ("OPTIONS", "TRACE"):
            return None
        cookies = environ.get("HTTP_COOKIE", "") if self._transport != "header" else ""
        if cookie_values(cookies, "sIdRefreshToken"):
            raise TryRefresh("legacy_cookie")
        gated = self._from_header(environ)
        from_cookie = gated is None
        if gated is None:
            gated = self._from_cookie(cookies)
        if gated is None:
            return None
        if from_cookie:
            self._csrf.check_headers(environ)
        token = self._verifier.authenticate(gated)
        if from_cookie:
            self._csrf.check_token(environ, token)
        self._verifier.check_tenant(token)
        if self._revocation is not None:
            self._revocation.check(token)
        if validators:
            require_claims(validators, token.claims)
        environ[ENVIRON_KEY] = token
        return token

    def required(
        self, *validators: ClaimValidator, environ_of: Callable[P, Environ]
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """
        Decorate a handler of any framework: it runs only with a session, found afterwards by `session_of`.

        :param environ_of: gets the handler's arguments and returns the environ: ``lambda request: request.environ``.
        :raises Refused: from the decorated handler; answer it in the framework's error handler with `answer`.
        """

        def decorate(handler: Callable[P, R]) -> Callable[P, R]:
            @functools.wraps(handler)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
                self.session(environ_of(*args, **kwargs), *validators)
                return handler(*args, **kwargs)

            return guarded

        return decorate

    def protect(self, *validators: ClaimValidator) -> Callable[[WSGIApplication], Protect]:
        """Decorate a WSGI app: ``@guard.protect()``."""
        return lambda app: Protect(app, self, *validators)

    def _from_header(self, environ: Environ) -> GatedToken | None:
        if self._transport == "cookie":
            return None
        text = bearer_token(environ.get(self._authorization, ""))
        return None if text is None else self._verifier.gate(text)

    def _from_cookie(self, cookies: str) -> GatedToken | None:
        values = cookie_values(cookies, "sAccessToken")
        if len(values) > 1:
            raise TryRefresh("duplicate_cookie")
        return self._verifier.gate(values[0]) if values else None


class Protect:
    """
    WSGI middleware: the app runs only with a session that passes, and finds it with `session_of`.

    OPTIONS passes without one, since preflight requests carry no tokens; `session_of` is None then.

    :param app: what is protected. Its response is handed through untouched. It may raise `Refused` itself, until the
        first part of its body.
    :param required: False lets requests without a token through. A bad token is refused all the same.
    """

    def __init__(
        self, app: WSGIApplication, guard: SessionGuard, *validators: ClaimValidator, required: bool = True
    ) -> None:
        self._app = app
        self._guard = guard
        self._validators = validators
        self._required = required

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            token = self._guard.optional_session(environ, *self._validators)
            if token is None and self._required and environ["REQUEST_METHOD"] != "OPTIONS":
                raise NoSession("no_token")
        except Refused as refused:
            return answer(refused)(environ, start_response)
        started = False

        def start(*arguments: Any) -> Callable[[bytes], object]:
            nonlocal started
            started = True
            return start_response(*arguments)

        try:
            body = self._app(environ, start)
            return body if started else _Begun(body)
        except Refused as refused:
            # Raised by the app itself, for instance by a claim check of its own.
            return answer(refused)(environ, start_response, sys.exc_info() if started else None)


class _Begun:
    """The body of an app that is lazy (a generator, for instance), its first part read: the app may refuse in it."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body
        try:
            parts = iter(body)
            self._parts = itertools.chain(list(itertools.islice(parts, 1)), parts)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def session_of(environ: Environ) -> AccessToken | None:
    """The session that a guard has read for this request."""
    token = environ.get(ENVIRON_KEY)
    return token if isinstance(token, AccessToken) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal as an HTTP response; also a WSGI app. Contains nothing of the token."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __call__(self, environ: Environ, start_response: StartResponse, exc_info: Any = None) -> Iterable[bytes]:
        start_response(f"{self.status} {_PHRASES[self.status]}", list(self.headers), exc_info)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def answer(refused: Refused) -> Answer:
    """The response for a refusal, with the bodies that the official frontends understand."""
    body = json.dumps(refused.body(), separators=(",", ":")).encode("ascii")
    headers = [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    if isinstance(refused, Unavailable):
        headers.append(("Retry-After", str(max(1, math.ceil(refused.retry_after)))))
    if isinstance(refused, Forbidden) and refused.reason == "insufficient_scope":
        headers.append(("WWW-Authenticate", 'Bearer error="insufficient_scope"'))  # RFC 6750 3.1
    return Answer(refused.status, tuple(headers), body)


def check_cors(app: WSGIApplication, *, path: str, origin: str) -> list[str]:
    """
    Ask the whole app, as at start-up, whether a frontend on `origin` could read the 401 of a protected `path`.

    :returns: what is wrong, in words; empty if nothing is.
    """
    seen: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        seen["status"], seen["headers"] = status, {name.lower(): value for name, value in headers}
        return lambda data: None

    environ: Environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_ORIGIN": origin,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    chunks = app(environ, start_response)
    for _ in chunks:
        pass
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    if not seen.get("status", "").startswith("401"):
        return [f"{path} is not protected: answered {seen.get('status', 'nothing')} without a token"]
    problems = []
    if seen["headers"].get("access-control-allow-origin") != origin:
        problems.append(f"the 401 has no Access-Control-Allow-Origin: {origin}; put Protect inside the CORS layer")
    if seen["headers"].get("access-control-allow-credentials") != "true":
        problems.append("the 401 has no Access-Control-Allow-Credentials: true")
    return problems
