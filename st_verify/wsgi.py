"""
The verified session of a WSGI environ, and the response for a refusal.

`SessionGuard` checks a request in the order of the session protocol: legacy cookie, header token, duplicate cookies,
cookie token, anti-CSRF header, the token itself, anti-CSRF token, tenant, revocation, claims. The first failure decides
the response. Nothing before the token itself causes an outgoing request.

Put `Protect` *inside* the app's CORS layer: without CORS headers, a frontend on another origin cannot read a 401 and so
cannot refresh. `check_cors` tests that. Put it *outside* of middleware that rewrites the method. Cookies are never
cleared here, since a parallel request may have set new ones.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import logging
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from wsgiref.util import setup_testing_defaults

from st_verify.claims import ClaimValidator, require_claims
from st_verify.errors import Forbidden, NoSession, Refused, RevocationUnavailable, Revoked, TryRefresh, Unavailable
from st_verify.headers import SAFE_METHODS, CsrfMode, CsrfRules, bearer_token, cookie_values
from st_verify.settings import count, flag, function, require, seconds
from st_verify.token import AccessToken, UnverifiedToken
from st_verify.verifier import SessionVerifier

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

__all__ = [
    "ENVIRON_KEY", "CsrfMode", "Protect", "RefusalResponse", "RevocationCheck", "SessionGuard", "check_cors",
    "refusal_response", "session_of",
]  # fmt: skip

_logger = logging.getLogger("st_verify")
Environ = dict[str, Any]
#: Returns True if the session has ended. May do I/O and may raise.
IsRevoked = Callable[[AccessToken], bool]
P = ParamSpec("P")
R = TypeVar("R")

#: Where `SessionGuard` leaves the `AccessToken` (or None) in the environ.
ENVIRON_KEY = "st_verify.session"
TRANSPORTS = ("any", "header", "cookie")

_PHRASES = {401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}


class RevocationCheck:
    """
    A revocation hook, its deadline, and what to do if it gives no answer.

    >>> check = RevocationCheck(lambda session: session.session_handle in {"h-1"}, timeout=0.5)

    :param is_revoked: called for every request with a genuine token, in a thread of its own.
    :param timeout: seconds to wait for it, 0.01 to 60.
    :param fail_open: what to do if the hook raises or is late: True serves the request, False answers 503.
    :param max_waiting: hooks that may run at the same time, so that a hanging hook holds few threads. Waiting for
        another hook counts against the timeout.
    :raises SettingError: one of them has a wrong type or is out of range.
    """

    def __init__(
        self, is_revoked: IsRevoked, *, timeout: float = 1.0, fail_open: bool = False, max_waiting: int = 32
    ) -> None:
        function("is_revoked", is_revoked)
        self._is_revoked = is_revoked
        self._name = getattr(is_revoked, "__qualname__", type(is_revoked).__name__)
        self._timeout = seconds("timeout", timeout, low=0.01, high=60)
        self._fail_open = flag("fail_open", fail_open)
        self._max_waiting = count("max_waiting", max_waiting, low=1)
        self._free: tuple[int, threading.Semaphore] = (-1, threading.Semaphore())

    def __repr__(self) -> str:
        return f"RevocationCheck({self._name}, timeout={self._timeout:g}, fail_open={self._fail_open})"

    def check(self, token: AccessToken) -> None:
        """
        Ask the hook.

        :raises Revoked: it returned True.
        :raises RevocationUnavailable: it returned neither True nor False in time, and `fail_open` is False.
        """
        deadline = time.monotonic() + self._timeout
        if self._free[0] != os.getpid():
            # After a fork, the child has none of the threads that would release what they hold.
            self._free = (os.getpid(), threading.Semaphore(self._max_waiting))
        turn, answers = self._free[1], queue.SimpleQueue[object]()
        answer: object = None
        if turn.acquire(timeout=self._timeout):
            threading.Thread(None, self._ask, "st_verify-revoked", (token, turn, answers), daemon=True).start()
            with contextlib.suppress(queue.Empty):
                answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        if answer is True:
            raise Revoked("revoked")
        if answer is not False and not self._fail_open:
            raise RevocationUnavailable("revocation")

    def _ask(self, token: AccessToken, turn: threading.Semaphore, answers: queue.SimpleQueue[object]) -> None:
        answer: object = None
        try:
            answer = self._is_revoked(token)
        except Exception:  # the hook may raise anything, and fail_open decides what that means
            _logger.exception("the revocation hook %s raised", self._name)
        finally:
            turn.release()
            answers.put(answer)


@dataclass(eq=False, repr=False)
class SessionGuard:
    """
    Reads the session of a request. Make one for the app; threads may share it.

    >>> guard = SessionGuard(verifier, csrf=CsrfMode.VIA_CUSTOM_HEADER, transport="any")
    >>> guard.session({"REQUEST_METHOD": "GET"})
    Traceback (most recent call last):
    st_verify.errors.NoSession: no_token

    :param verifier: decides about tokens.
    :param csrf: the anti-CSRF mode of the auth server.
    :param transport: where tokens are accepted: ``header``, ``cookie`` or ``any`` (a header token wins).
    :param csrf_safe_methods: methods without anti-CSRF check.
    :param allowed_origins: see `CsrfRules`.
    :param authorization: the environ key of the Authorization header. Some CGI set-ups need
        ``REDIRECT_HTTP_AUTHORIZATION``. Clients must not be able to set it by another header.
    :param is_revoked: tells whether a session has ended: a function, or a `RevocationCheck` with settings of its own.
        Without one, a revoked session is served until its access token expires.
    :raises SettingError: a setting has a wrong type, or contradicts another one.
    """

    verifier: SessionVerifier
    _: KW_ONLY
    csrf: CsrfMode
    transport: str
    csrf_safe_methods: Collection[str] = SAFE_METHODS
    allowed_origins: Collection[str] | None = None
    authorization: str = "HTTP_AUTHORIZATION"
    is_revoked: IsRevoked | RevocationCheck | None = None

    def __post_init__(self) -> None:
        require(isinstance(self.verifier, SessionVerifier), f"verifier: pass a SessionVerifier, not {self.verifier!r}")
        cure = f"pass one of {', '.join(TRANSPORTS)}, not {self.transport!r}"
        require(self.transport in TRANSPORTS, f"transport: {cure}")
        self._csrf = CsrfRules(self.csrf, safe_methods=self.csrf_safe_methods, allowed_origins=self.allowed_origins)
        has_no_rules = self.csrf is CsrfMode.NONE and self.allowed_origins is None
        cure = "with transport='header' pass CsrfMode.NONE and no allowed_origins"
        require(self.transport != "header" or has_no_rules, f"csrf: tokens in headers need no check; {cure}")
        is_key = isinstance(self.authorization, str) and self.authorization.endswith("HTTP_AUTHORIZATION")
        cure = "pass an environ key such as REDIRECT_HTTP_AUTHORIZATION"
        require(is_key, f"authorization: {cure}, not {self.authorization!r}")
        hook = self.is_revoked
        self._revocation = hook if hook is None or isinstance(hook, RevocationCheck) else RevocationCheck(hook)

    def __repr__(self) -> str:
        shown = f"csrf={self.csrf.name}, transport={self.transport!r}, is_revoked={self._revocation!r}"
        return f"SessionGuard({self.verifier!r}, {shown})"

    def session(self, environ: Environ, *validators: ClaimValidator) -> AccessToken:
        """
        Return the session of this request, with every validator passed.

        :raises Refused: one of its kinds; `refusal_response` makes the response.
        :raises TypeError: `environ` is no dict, or a validator is no `ClaimValidator`.
        """
        token = self.optional_session(environ, *validators)
        if token is None:
            raise NoSession("no_token")
        return token

    def optional_session(self, environ: Environ, *validators: ClaimValidator) -> AccessToken | None:
        """
        Do the same, but return None if the request has no session token, or its method is OPTIONS or TRACE.

        :raises Refused: there is a token, and it is not good.
        :raises TypeError: as `session`.
        """
        if not isinstance(environ, dict):
            raise TypeError(f"environ: pass the WSGI environ, such as request.environ, not {type(environ).__name__}")
        environ[ENVIRON_KEY] = None
        if environ["REQUEST_METHOD"] in ("OPTIONS", "TRACE"):
            return None
        cookies = environ.get("HTTP_COOKIE", "") if self.transport != "header" else ""
        if cookie_values(cookies, "sIdRefreshToken"):
            raise TryRefresh("legacy_cookie")
        from_header = self._from_header(environ)
        unverified = from_header or self._from_cookie(cookies)
        if unverified is None:
            return None
        if from_header is None:
            self._csrf.check_headers(environ)
        token = self.verifier.authenticate(unverified)
        if from_header is None:
            self._csrf.check_token(environ, token)
        self.verifier.check_tenant(token)
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
        Decorate a handler of any framework: it runs only with a session, which `session_of` returns.

        :param environ_of: gets the handler's arguments and returns the environ: ``lambda request: request.environ``.
        :raises Refused: from the decorated handler; answer it with `refusal_response` in the app's error handler.
        :raises SettingError: at once, for an argument of a wrong type.
        """
        _require_validators(validators, "@guard.required(..., environ_of=...)")
        function("environ_of", environ_of)

        def decorate(handler: Callable[P, R]) -> Callable[P, R]:
            @functools.wraps(handler)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
                self.session(environ_of(*args, **kwargs), *validators)
                return handler(*args, **kwargs)

            return guarded

        return decorate

    def protect(self, *validators: ClaimValidator) -> Callable[[WSGIApplication], Protect]:
        """Decorate a WSGI app: ``@guard.protect()``. For the parameters see `Protect`."""
        _require_validators(validators, "@guard.protect()")
        return lambda app: Protect(app, self, *validators)

    def _from_header(self, environ: Environ) -> UnverifiedToken | None:
        if self.transport == "cookie":
            return None
        text = bearer_token(environ.get(self.authorization, ""))
        return None if text is None else self.verifier.parse(text)

    def _from_cookie(self, cookies: str) -> UnverifiedToken | None:
        values = cookie_values(cookies, "sAccessToken")
        if len(values) > 1:
            raise TryRefresh("duplicate_cookie")
        return self.verifier.parse(values[0]) if values else None


def _require_validators(validators: Collection[ClaimValidator], usage: str) -> None:
    for validator in validators:
        is_validator = isinstance(validator, ClaimValidator)
        require(is_validator, f"validators: pass ClaimValidators one by one, not {validator!r}: {usage}")


class Protect:
    """
    WSGI middleware: the app runs only with a session, which `session_of` returns.

    >>> protected = Protect(app, guard, UserRoleClaim.includes("admin"))

    OPTIONS passes without a session, since preflight requests have no tokens; `session_of` returns None then.

    :param app: the app to protect. Its response passes untouched. It may raise `Refused` itself, until the first part
        of its body.
    :param guard: reads the session.
    :param validators: conditions on its claims.
    :param required: False lets requests without a token through. A bad token is refused all the same.
    :raises SettingError: an argument has a wrong type.
    """

    def __init__(
        self, app: WSGIApplication, guard: SessionGuard, *validators: ClaimValidator, required: bool = True
    ) -> None:
        function("app", app)
        require(isinstance(guard, SessionGuard), f"guard: pass a SessionGuard, not {guard!r}")
        _require_validators(validators, "Protect(app, guard, validator)")
        self._app = app
        self._guard = guard
        self._validators = validators
        self._required = flag("required", required)

    def __repr__(self) -> str:
        return f"Protect({self._app!r}, {self._guard!r}, required={self._required})"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            token = self._guard.optional_session(environ, *self._validators)
            if token is None and self._required and environ["REQUEST_METHOD"] != "OPTIONS":
                raise NoSession("no_token")
        except Refused as refused:
            return refusal_response(refused)(environ, start_response)
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
            return refusal_response(refused)(environ, start_response, sys.exc_info() if started else None)


class _Begun:
    """The body of a lazy app (a generator, for instance) after its first part was read, in which the app may refuse."""

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
        getattr(self._body, "close", lambda: None)()


def session_of(environ: Environ) -> AccessToken | None:
    """Return the session that a guard has read for this request; None if there is none."""
    token = environ.get(ENVIRON_KEY)
    return token if isinstance(token, AccessToken) else None


@dataclass(frozen=True, slots=True)
class RefusalResponse:
    """The HTTP response for a refusal; also a WSGI app. Contains nothing of the token."""

    #: HTTP status.
    status: int
    #: Names and values.
    headers: tuple[tuple[str, str], ...]
    #: JSON.
    body: bytes

    def __call__(self, environ: Environ, start_response: StartResponse, exc_info: Any = None) -> Iterable[bytes]:
        start_response(f"{self.status} {_PHRASES[self.status]}", list(self.headers), exc_info)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def refusal_response(refused: Refused) -> RefusalResponse:
    """
    Return the response for a refusal, with the body that SuperTokens' frontends understand.

    >>> refusal_response(NoSession("no_token")).body
    b'{"message":"unauthorised"}'
    """
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
    return RefusalResponse(refused.status, tuple(headers), body)


def check_cors(app: WSGIApplication, *, path: str, origin: str) -> list[str]:
    """
    Test at start-up whether a frontend on `origin` could read the 401 of a protected `path`.

    >>> check_cors(Protect(app, guard), path="/me", origin="https://www.example.com")[1]
    'the 401 has no Access-Control-Allow-Credentials: true'

    :param app: the whole app, with its CORS layer.
    :returns: the problems, in words; an empty list if there are none.
    :raises SettingError: an argument has a wrong type.
    """
    function("app", app)
    require(isinstance(path, str) and path.startswith("/"), f"path: pass a path such as '/me', not {path!r}")
    require(isinstance(origin, str) and "://" in origin, f"origin: pass 'https://app.example.com', not {origin!r}")
    seen: dict[str, Any] = {"status": "nothing", "headers": {}}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        seen["status"], seen["headers"] = status, {name.lower(): value for name, value in headers}
        return lambda data: None

    environ: Environ = {"PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", "HTTP_ORIGIN": origin}
    setup_testing_defaults(environ)
    chunks = app(environ, start_response)
    list(chunks)
    getattr(chunks, "close", lambda: None)()
    if not seen["status"].startswith("401"):
        return [f"{path} is not protected: without a token the response is {seen['status']}"]
    problems = []
    if seen["headers"].get("access-control-allow-origin") != origin:
        problems.append(f"the 401 has no Access-Control-Allow-Origin: {origin}; put Protect inside the CORS layer")
    if seen["headers"].get("access-control-allow-credentials") != "true":
        problems.append("the 401 has no Access-Control-Allow-Credentials: true")
    return problems
