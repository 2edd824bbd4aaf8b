"""How a call reaches the core. What it means is up to the querier."""

from __future__ import annotations

import json
import logging
import math
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import attrs
from requests.utils import get_netrc_auth, requote_uri
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers

from ..attempts import AttemptStore
from ..checks import a, a_flag, a_function, above_zero
from ..errors import ConfigError, CoreReplyInvalid, CoreUnavailable
from ..forks import renew_after_fork
from .connections import Connections, tls_context
from .hosts import parse_hosts
from .outages import Outages

Method = Literal["GET", "POST", "PUT", "DELETE"]

Start = Literal["turn", "peek", "first"]
"""
The host that a call begins with: the one whose turn it is; the same, without taking the turn (version negotiation
inside another call); or the first (key sets).
"""

_Json = TypeVar("_Json")

_BACK_OFF = (0.010, 0.260, 0.510, 0.760, 1.010)
"""Seconds to wait before each repeat of a call that got the status 429, as in the official SDKs."""

_RATE_CURE = "Raise its limit or add cores."

_CHUNK = 65_536

_log = logging.getLogger("st_wsgi.core")


@attrs.frozen
class Attempt:
    """
    One HTTP request before it is sent, which a network interceptor sees and may change.

    :param url: the full address, without query.
    :param params: query parameters.
    :param body: the JSON object to send, or None.
    """

    url: str
    method: Method
    headers: dict[str, str] = attrs.field(repr=False)
    params: dict[str, str] = attrs.field(repr=False)
    body: dict[str, Any] | None = attrs.field(repr=False)


@attrs.frozen
class CoreRequest:
    """
    One call of the core driver interface.

    :param path: the path, starting with a slash, tenant included, percent-quoted.
    :param params: query parameters, for GET and DELETE, and for the few PUTs that have some.
    :param body: the JSON object, for POST and PUT.
    :param headers: names in lower case (``cdi-version``, ``api-key``, ``rid``).
    :param intercept: called with a fresh :class:`Attempt` for every try; what it returns is sent.
    :param start: the host to begin with, if there are several.
    :param timeout: seconds for the whole call over all hosts, on top of the transport's own limits.
    :param max_reply_bytes: a lower limit than the transport's.
    """

    method: Method
    path: str
    params: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    body: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    intercept: Callable[[Attempt], Attempt] | None = None
    start: Start = "turn"
    timeout: float | None = None
    max_reply_bytes: int | None = None


@attrs.frozen
class CoreReply:
    """
    A reply of the core.

    :param status: the HTTP status.
    :param body: the JSON object, which belongs to the caller; or the text, if it is no JSON object.
    :param headers: names in lower case.
    :param host: the address of the core, for logs; empty for a core in this process.
    """

    status: int
    body: dict[str, Any] | str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    host: str = ""


class Transport(Protocol):
    """
    Sends calls to a core. A class of your own names this one as its base, so that it has the properties below.

    ``send`` raises :class:`~st_wsgi.errors.CoreUnavailable` if there is no reply, and returns a reply of any status. It
    is called from many threads and greenlets, and after forks.

    :ivar in_process: whether the core is part of this process, so that a call takes microseconds.
    :ivar password_byte_limit: the number of bytes of a password that the core's hash uses, None for all. The official
        core hashes with bcrypt, which uses 72, unless it is configured otherwise.
    :ivar attempts: counts attempts to sign in and the like for all processes of the app; None if the core cannot.
    """

    @property
    def in_process(self) -> bool:
        return False

    @property
    def password_byte_limit(self) -> int | None:
        return 72

    @property
    def attempts(self) -> AttemptStore | None:
        return None

    def send(self, request: CoreRequest, /) -> CoreReply: ...

    def close(self) -> None: ...


def copy_json(value: _Json) -> _Json:
    """Return a deep copy of a JSON value. For these types this is many times faster than ``copy.deepcopy``."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}  # type: ignore[return-value] # same shape
    if isinstance(value, list):
        return [copy_json(item) for item in value]  # type: ignore[return-value] # same shape
    return value


def intercepted(request: CoreRequest, origin: str) -> CoreRequest:
    """
    Return a call as its network interceptor wants it.

    :param origin: the address of the core. For a core in this process it is a name that interceptors see and keep.
    :raises ConfigError: the interceptor returned something that cannot be sent, or another core in this process.
    """
    if request.intercept is None:
        return request
    body = None if request.body is None else copy_json(dict(request.body))
    attempt = request.intercept(
        Attempt(origin + request.path, request.method, dict(request.headers), dict(request.params), body)
    )
    if not attempt.url.startswith(f"{origin}/"):
        raise ConfigError(f"network_interceptor cannot send a call of the embedded core to {attempt.url[:200]!r}")
    headers = {name.lower(): value for name, value in attempt.headers.items()}
    path, method = attempt.url.removeprefix(origin), attempt.method
    return attrs.evolve(request, method=method, path=path, params=attempt.params, body=attempt.body, headers=headers)


@attrs.define(eq=False, repr=False, slots=False)
class HTTPTransport(Transport):
    """
    Sends calls to one or several cores over HTTP.

    ::

        from st_wsgi.core_client.transport import HTTPTransport

        core = HTTPTransport("https://core1:3567;https://core2:3567", read_timeout=10)

    Hosts take turns, call by call. If one does not reply, the next is asked where that cannot do harm: always if the
    request was certainly not sent, otherwise for GET only, since the core may have done the work. A host that failed is
    asked again at its next turn. Its outage is logged once.

    Connections stay open between calls, and each serves one call at a time. None is opened before the first call, and
    none is used after a fork.

    :param hosts: a ``connection_uri``: ``https://core1:3567;https://core2:3567/base``, or a list of addresses.
    :param connect_timeout: seconds to wait for a connection, TLS included.
    :param read_timeout: seconds to wait for each piece of a reply; the whole call ends after both timeouts together.
    :param idle_timeout: seconds after which an unused connection is closed instead of used again.
    :param max_reply_bytes: larger replies are refused, and the rest of them is not read.
    :param max_idle_connections: how many unused connections to each host stay open.
    :param trust_environment: follow proxy, netrc and CA settings of the environment, which are ignored otherwise.
    :param tls: a context of your own, for a private authority or client certificates.
    :param sleep: waits some seconds, before a call that got the status 429 is repeated; by default ``time.sleep``.
    :ivar hosts: the addresses, normalised.
    :raises ConfigError: a setting cannot work; the message says which and what to do.
    """

    hosts: tuple[str, ...] = attrs.field(converter=parse_hosts)
    connect_timeout: float = attrs.field(default=5.0, kw_only=True, validator=above_zero())
    read_timeout: float = attrs.field(default=25.0, kw_only=True, validator=above_zero())
    idle_timeout: float = attrs.field(default=15.0, kw_only=True, validator=above_zero())
    max_reply_bytes: int = attrs.field(default=16 * 1024 * 1024, kw_only=True, validator=above_zero())
    max_idle_connections: int = attrs.field(default=32, kw_only=True, validator=above_zero())
    trust_environment: bool = attrs.field(default=False, kw_only=True, validator=a_flag())
    tls: ssl.SSLContext | None = attrs.field(default=None, kw_only=True, validator=a(ssl.SSLContext, or_none=True))
    sleep: Callable[[float], None] | None = attrs.field(default=None, kw_only=True, validator=a_function("seconds"))
    _outages: Outages = attrs.field(init=False, factory=Outages)
    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock)
    _turn: int = attrs.field(init=False, default=0)
    _closed: bool = attrs.field(init=False, default=False)
    _connections: dict[str, Connections] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._connections = {
            host: Connections(
                tls=self._tls_context,
                idle_timeout=self.idle_timeout,
                keep=self.max_idle_connections,
                trust_environment=self.trust_environment,
            )
            for host in self.hosts
        }
        renew_after_fork(self)

    def __repr__(self) -> str:
        return f"<HTTPTransport to {', '.join(self.hosts)}>"

    def send(self, request: CoreRequest, /) -> CoreReply:
        """
        Return the reply of the first host that gives one.

        :raises CoreUnavailable: none replied, a host may have done the work without a reply, the core limits the rate
            of calls, or the transport is closed.
        :raises CoreReplyInvalid: the reply is too large or compressed.
        :raises ConfigError: a network interceptor returned something that cannot be sent.
        """
        if self._closed:
            self._outages.failed(
                "; ".join(self.hosts),
                cause="this SuperTokens instance was closed",
                cure="Make a new SuperTokens instance.",
            )
            raise CoreUnavailable("the connection to the core is closed: make a new SuperTokens instance")
        deadline = math.inf if request.timeout is None else time.monotonic() + request.timeout
        failures: list[_NoReply] = []
        for host in self._order(request.start):
            if failures and time.monotonic() >= deadline:
                break
            try:
                return self._ask(host, request, deadline)
            except _NoReply as failure:
                failures.append(failure)
                _log.debug("%s %s: no reply from %s (%s)", request.method, request.path, host, failure.cause)
                self._outages.failed(host, cause=failure.cause, cure=failure.cure)
                if not failure.may_go_on:
                    break
        raise _unavailable(request, failures)

    def close(self) -> None:
        """Close the connections. Calls in flight finish; later ones are refused."""
        self._closed = True
        for connections in self._connections.values():
            connections.close()

    def after_fork(self) -> None:
        """Replace the lock and the connections in a child process."""
        self._lock = threading.Lock()
        self._connections = {host: old.after_fork() for host, old in self._connections.items()}

    def _order(self, start: Start) -> tuple[str, ...]:
        if start == "first" or len(self.hosts) == 1:
            return self.hosts
        with self._lock:
            first = self._turn
            if start == "turn":
                self._turn = (first + 1) % len(self.hosts)
        return self.hosts[first:] + self.hosts[:first]

    def _ask(self, host: str, request: CoreRequest, deadline: float) -> CoreReply:
        for delay in (*_BACK_OFF, math.inf):
            response = self._exchange(host, request, deadline)
            if response.status != 429:
                self._outages.replied(host)
                return response
            if time.monotonic() + delay >= deadline:
                break
            (self.sleep or time.sleep)(delay)
        self._outages.failed(host, cause="it limits the rate of calls (429)", cure=_RATE_CURE)
        raise CoreUnavailable(
            f"{request.method} {request.path}: rate limited by the core at {host}, after all repeats. {_RATE_CURE}"
        )

    def _exchange(self, host: str, request: CoreRequest, deadline: float) -> CoreReply:
        message = self._prepare(host, request)
        timeout = min(self.connect_timeout, _left(deadline))
        deadline = min(deadline, time.monotonic() + timeout + self.read_timeout)
        limit = min(self.max_reply_bytes, request.max_reply_bytes or self.max_reply_bytes)
        line = self._connections[host].lend(message.origin)
        sent = False
        try:
            line.open(timeout)
            timeout, sent = min(self.read_timeout, _left(deadline)), True
            response = line.request(message.method, message.path, message.headers, message.body, timeout=timeout)
            data = _read(response, request.path, limit, deadline)
        except BaseException as error:
            line.connection.close()  # a part of the reply may still be on its way
            if not isinstance(error, OSError | HTTPException | HTTPError):
                raise
            cause, cure = _diagnosis(error, timeout, sent=sent)
            if not host.startswith(message.origin):
                cause = f"{cause}; network_interceptor sent the call to {message.origin}"
            raise _NoReply(host, cause, cure, may_go_on=not sent or message.method == "GET") from None
        self._connections[host].give_back(line)
        return CoreReply(
            status=response.status,
            body=_parse(data),
            headers={name.lower(): value for name, value in response.headers.itermerged()},
            host=host,
        )

    def _prepare(self, host: str, request: CoreRequest) -> _Message:
        url, method = host + request.path, request.method
        headers, params, body = request.headers, request.params, request.body
        if request.intercept is not None:
            copied = None if body is None else copy_json(dict(body))
            attempt = request.intercept(Attempt(url, method, dict(headers), dict(params), copied))
            url, method = _checked_url(attempt.url), attempt.method
            headers, params, body = attempt.headers, attempt.params, attempt.body
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"
        sent = {"user-agent": "st-wsgi"}
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")
            sent["content-type"] = "application/json; charset=utf-8"
        if self.trust_environment and (credentials := get_netrc_auth(url)):
            sent |= make_headers(basic_auth=":".join(credentials))
        for name, value in headers.items():
            sent[name.lower()] = value
        end = url.find("/", len("https://"))  # of the origin; no host name is shorter than one letter
        return _Message(method, url[:end], url[end:], sent, data)

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self.tls is None:
                self.tls = tls_context(trust_environment=self.trust_environment)
            return self.tls


@attrs.frozen
class _Message:
    """A request as it goes over a connection to *origin*: scheme, host and port. *path* has the query."""

    method: Method
    origin: str
    path: str
    headers: dict[str, str]
    body: bytes | None


class _NoReply(Exception):
    """
    One host gave no reply.

    :param cause: what happened.
    :param cure: what to try.
    :param may_go_on: the next host may be asked.
    """

    def __init__(self, host: str, cause: str, cure: str, *, may_go_on: bool) -> None:
        self.host = host
        self.cause = cause
        self.cure = cure
        self.may_go_on = may_go_on
        super().__init__(cause)


def _left(deadline: float) -> float:
    """Return the seconds until *deadline*, as a timeout: never zero, which would mean no waiting at all."""
    return max(deadline - time.monotonic(), 0.001)


def _checked_url(url: str) -> str:
    try:
        split = urlsplit(url)
        usable = split.scheme in ("http", "https") and bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        usable = False
    if not usable or split.username is not None or split.fragment:
        raise ConfigError(
            "network_interceptor must return a full http:// or https:// address as url, without user name and fragment"
        )
    return requote_uri(url if split.path else split._replace(path="/").geturl())


def _read(response: BaseHTTPResponse, path: str, limit: int, deadline: float) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise CoreReplyInvalid(path=path, problem="it is compressed, although that was not asked for")
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(_CHUNK, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise CoreReplyInvalid(path=path, problem=f"it is larger than {limit} bytes (max_reply_bytes)")
        if time.monotonic() > deadline:
            raise TimeoutError("the reply came too slowly")
    if not pieces and response.length_remaining is None and not response.chunked:
        raise HTTPException("the reply ends within its headers")  # which http.client takes for an empty one
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _parse(data: bytes) -> dict[str, Any] | str:
    if data.lstrip()[:1] == b"{":
        try:
            parsed: dict[str, Any] = json.loads(data.decode("utf-8"))
            return parsed
        except (ValueError, RecursionError):  # no JSON, or nested deeper than any reply of a core
            pass
    return data.decode("utf-8", "replace")


def _diagnosis(error: BaseException, waited: float, *, sent: bool) -> tuple[str, str]:
    """Return cause and cure, without the addresses and queries that urllib3 puts into its messages."""
    while error.__cause__ is not None:  # urllib3 wraps the errors of sockets
        error = error.__cause__
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}", "Pass a context that trusts it as tls."
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'handshake'}", "Is this port one for https?"
    if isinstance(error, TimeoutError) and sent:
        return f"no reply within {waited:g} s", "Is the core overloaded, or read_timeout too short?"
    if isinstance(error, TimeoutError):
        return f"no connection within {waited:g} s", "Does a firewall stand between, or is the core's machine down?"
    cause = str(getattr(error, "strerror", None) or error or type(error).__name__)[:200]
    cause = f"{cause[:1].lower()}{cause[1:]}"
    if sent:
        return f"the connection broke: {cause}", "The core's own log should say why."
    return cause, "Is the core running, and is the address right? Start one with: st-wsgi core serve."


def _unavailable(request: CoreRequest, failures: Sequence[_NoReply]) -> CoreUnavailable:
    causes = "; ".join(f"{failure.host} ({failure.cause})" for failure in failures)
    last = failures[-1]
    text = f"no reply to {request.method} {request.path}: {causes}. {last.cure}"
    if not last.may_go_on:
        text += " The core may have done the work all the same, so the call was not repeated."
    return CoreUnavailable(text)
