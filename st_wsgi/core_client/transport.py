"""How a call reaches the core. What a call *means* is the querier's business."""

from __future__ import annotations

import json
import logging
import math
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import attrs
from requests import PreparedRequest, Response
from requests.exceptions import ReadTimeout, RequestException
from requests.structures import CaseInsensitiveDict
from requests.utils import get_netrc_auth, requote_uri
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from ..errors import ConfigError, CoreAnswerInvalid, CoreUnavailable
from ..forks import renew_after_fork
from .connections import Connections, closing_on_error, tls_context, was_not_sent
from .hosts import parse_hosts

Method = Literal["GET", "POST", "PUT", "DELETE"]

Start = Literal["turn", "peek", "first"]
"""
Where a call begins among the hosts: at its turn; where the next turn will begin, without taking it (version negotiation
inside another call); at the first (key sets).
"""

_Json = TypeVar("_Json")

_BACK_OFF = (0.010, 0.260, 0.510, 0.760, 1.010)
"""Seconds to wait before each repeat of a call that was answered 429, as the official SDKs do."""

_CHUNK = 65_536

_log = logging.getLogger("st_wsgi.core")


@attrs.frozen
class Attempt:
    """
    One HTTP request as it is about to leave: what a network interceptor sees and may change.

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
    :param start: where to begin when there are several hosts.
    :param timeout: seconds for the whole call over all hosts, on top of the transport's own limits.
    :param max_answer_bytes: a lower limit than the transport's.
    """

    method: Method
    path: str
    params: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    body: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    intercept: Callable[[Attempt], Attempt] | None = None
    start: Start = "turn"
    timeout: float | None = None
    max_answer_bytes: int | None = None


@attrs.frozen
class CoreResponse:
    """
    An answer of the core.

    :param status: the HTTP status.
    :param body: the JSON object that came, owned by the caller; or the text, when it was not a JSON object.
    :param headers: names in lower case.
    :param host: which core answered, for logs; empty when there is only one there can be.
    """

    status: int
    body: dict[str, Any] | str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    host: str = ""


class Transport(Protocol):
    """
    Anything that can take a call to a core. A class of your own names this one as its base and gets the traits below.

    ``send`` raises :class:`~st_wsgi.errors.CoreUnavailable` when no answer came; an answer with a status is returned.
    It is called from many threads and greenlets, and after forks.

    :ivar in_process: a call takes microseconds, since the core is part of this process.
    :ivar password_byte_limit: the number of bytes of a password that the core's hash uses, None for all. The official
        core hashes with bcrypt, which uses 72, unless it is configured otherwise.
    """

    @property
    def in_process(self) -> bool:
        return False

    @property
    def password_byte_limit(self) -> int | None:
        return 72

    def send(self, request: CoreRequest, /) -> CoreResponse: ...

    def close(self) -> None: ...


def copy_json(value: _Json) -> _Json:
    """Return a deep copy of a JSON value: what the copy module does, for these types alone and many times faster."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}  # type: ignore[return-value] # same shape
    if isinstance(value, list):
        return [copy_json(item) for item in value]  # type: ignore[return-value] # same shape
    return value


class HTTPTransport(Transport):
    """
    Takes calls to one or several cores over HTTP.

    Hosts take turns, call by call. When one does not answer, the next is tried if that cannot do harm: always when the
    request is certain not to have been sent, otherwise for GET only, since the core may have done the work. A host that
    failed is tried again at its next turn. Connections are kept and lent to one call at a time; none is opened before
    the first call, and none survives a fork.

    :param hosts: a ``connection_uri``: ``https://core1:3567;https://core2:3567/base``, or a sequence of addresses.
    :param connect_timeout: seconds to wait for a connection, TLS included.
    :param read_timeout: seconds to wait for an answer; one that trickles in is given up after both timeouts together.
    :param idle_timeout: seconds after which an unused connection is closed instead of used again.
    :param max_answer_bytes: larger answers are refused, unread.
    :param max_idle_connections: how many unused connections to each host are kept.
    :param trust_environment: follow proxy, netrc and CA settings of the environment, which are ignored otherwise.
    :param tls: a context of your own, for a private authority or client certificates.
    :param sleep: waits between repeats of a call that the core answered with 429 (seconds).
    :raises ConfigError: for hosts or numbers that cannot work.
    """

    def __init__(
        self,
        hosts: str | Sequence[str],
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 25.0,
        idle_timeout: float = 15.0,
        max_answer_bytes: int = 16 * 1024 * 1024,
        max_idle_connections: int = 32,
        trust_environment: bool = False,
        tls: ssl.SSLContext | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.hosts = parse_hosts(hosts)
        self._connect_timeout = _positive("connect_timeout", connect_timeout)
        self._read_timeout = _positive("read_timeout", read_timeout)
        self._max_answer_bytes = int(_positive("max_answer_bytes", max_answer_bytes))
        self._trust_environment = trust_environment
        self._tls = tls
        self._sleep = sleep
        self._lock = threading.Lock()
        self._turn = 0
        self._closed = False
        self._connections = {
            host: Connections(
                context=self._tls_context if host.startswith("https:") else lambda: None,
                idle_timeout=_positive("idle_timeout", idle_timeout),
                keep=int(_positive("max_idle_connections", max_idle_connections)),
                trust_environment=trust_environment,
            )
            for host in self.hosts
        }
        renew_after_fork(self)

    def send(self, request: CoreRequest, /) -> CoreResponse:
        """
        Return the answer of the first host that gives one.

        :raises CoreUnavailable: when none did, when a host may have done the work without answering, when every repeat
            was answered 429, or when the transport is closed.
        :raises CoreAnswerInvalid: when the answer is too large or compressed.
        :raises ConfigError: when a network interceptor returned something that cannot be sent.
        """
        if self._closed:
            raise CoreUnavailable("this connection to the core was closed: make a new SuperTokens instance")
        deadline = math.inf if request.timeout is None else time.monotonic() + request.timeout
        failures: list[_NoAnswer] = []
        for host in self._order(request.start):
            if failures and time.monotonic() >= deadline:
                break
            try:
                return self._ask(host, request, deadline)
            except _NoAnswer as failure:
                failures.append(failure)
                if not failure.may_go_on:
                    break
                _log.info("%s %s: %s did not answer (%s)", request.method, request.path, host, failure.reason)
        raise _unavailable(request, failures)

    def close(self) -> None:
        """Close the connections. Calls that are under way finish; later ones are refused."""
        self._closed = True
        for connections in self._connections.values():
            connections.close()

    def after_fork(self) -> None:
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

    def _ask(self, host: str, request: CoreRequest, deadline: float) -> CoreResponse:
        for delay in (*_BACK_OFF, math.inf):
            response = self._exchange(host, request, deadline)
            if response.status != 429:
                return response
            if time.monotonic() + delay >= deadline:
                break
            (self._sleep or time.sleep)(delay)
        raise CoreUnavailable(
            f"{request.method} {request.path}: rate limited by the core at {host}, after all repeats. "
            "Raise its limit or add cores"
        )

    def _exchange(self, host: str, request: CoreRequest, deadline: float) -> CoreResponse:
        prepared = self._prepare(host, request)
        left = max(deadline - time.monotonic(), 0.001)
        connect_timeout, read_timeout = min(self._connect_timeout, left), min(self._read_timeout, left)
        deadline = min(deadline, time.monotonic() + connect_timeout + read_timeout)
        connections = self._connections[host]
        line = connections.lend()
        try:
            limit = min(self._max_answer_bytes, request.max_answer_bytes or self._max_answer_bytes)
            with closing_on_error(line.send(prepared, (connect_timeout, read_timeout))) as response:
                answer = _read(response, request.path, limit, deadline)
        except (RequestException, HTTPError) as error:
            line.session.close()
            unsent = was_not_sent(error)
            waited = connect_timeout if unsent else read_timeout
            raise _NoAnswer(host, error, waited, sent=not unsent, repeatable=prepared.method == "GET") from None
        except BaseException:  # whatever it was, a greenlet's end included: the rest of the answer is still on the line
            line.session.close()
            raise
        connections.give_back(line)
        return CoreResponse(
            status=response.status_code,
            body=_parse(answer),
            headers={name.lower(): value for name, value in response.headers.items()},
            host=host,
        )

    def _prepare(self, host: str, request: CoreRequest) -> PreparedRequest:
        url, method = host + request.path, request.method
        headers, params, body = request.headers, request.params, request.body
        if request.intercept is not None:
            copied = None if body is None else copy_json(dict(body))
            attempt = request.intercept(Attempt(url, method, dict(headers), dict(params), copied))
            url, method = _checked_url(attempt.url), attempt.method
            headers, params, body = attempt.headers, attempt.params, attempt.body
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"
        prepared = PreparedRequest()
        prepared.method, prepared.url = method, url
        prepared.headers = CaseInsensitiveDict({"Accept-Encoding": "identity", "User-Agent": "st-wsgi"})
        if body is not None:
            prepared.body = json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")
            prepared.headers["Content-Type"] = "application/json; charset=utf-8"
            prepared.headers["Content-Length"] = str(len(prepared.body))
        prepared.headers.update(headers)
        prepared.hooks = {"response": []}
        if self._trust_environment and (credentials := get_netrc_auth(url)):
            prepared.prepare_auth(credentials)
        return prepared

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = tls_context(trust_environment=self._trust_environment)
            return self._tls


class _NoAnswer(Exception):
    """One host gave no answer."""

    def __init__(self, host: str, error: Exception, waited: float, *, sent: bool, repeatable: bool) -> None:
        self.host = host
        self.sent = sent
        self.may_go_on = repeatable or not sent
        self.reason, self.remedy = _diagnosis(error, waited, sent=sent)
        super().__init__(self.reason)


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} must be a number above zero, not {value!r}")
    return value


def _checked_url(url: str) -> str:
    try:
        split = urlsplit(url)
        usable = split.scheme in ("http", "https") and bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError("network_interceptor must return a full http:// or https:// address as url")
    return requote_uri(url)


def _read(response: Response, path: str, limit: int, deadline: float) -> bytes:
    raw = response.raw
    if response.headers.get("content-encoding", "identity") != "identity":
        raise CoreAnswerInvalid(path=path, problem="it is compressed, although that was not asked for")
    pieces: list[bytes] = []
    size = 0
    while piece := raw.read1(_CHUNK, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise CoreAnswerInvalid(path=path, problem=f"it is larger than {limit} bytes (max_answer_bytes)")
        if time.monotonic() > deadline:
            raise ReadTimeout("the answer trickled in too slowly")
    if not pieces and raw.length_remaining is None and not raw.chunked:
        raise ProtocolError("the answer ends within its headers")  # which http.client takes for an empty answer
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _parse(answer: bytes) -> dict[str, Any] | str:
    if answer.lstrip()[:1] == b"{":
        try:
            parsed: dict[str, Any] = json.loads(answer.decode("utf-8"))
            return parsed
        except (ValueError, RecursionError):  # not JSON after all, or deeper than any answer of a core
            pass
    return answer.decode("utf-8", "replace")


def _diagnosis(error: Exception, waited: float, *, sent: bool) -> tuple[str, str]:
    """Return what happened and what to try, without the addresses and queries that urllib3 puts into its messages."""
    innermost = _innermost(error)
    if isinstance(innermost, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {innermost.verify_message}", "Pass a context that trusts it as tls"
    if isinstance(innermost, ssl.SSLError):
        return f"TLS failed: {innermost.reason or 'handshake'}", "Is this port one for https?"
    if isinstance(innermost, TimeoutError | ReadTimeoutError | ReadTimeout) and sent:
        return f"no answer within {waited:g} s", "Is the core overloaded, or read_timeout too short?"
    if isinstance(innermost, TimeoutError):
        return f"no connection within {waited:g} s", "Does a firewall stand between, or is the core's machine down?"
    reason = str(getattr(innermost, "strerror", None) or innermost or type(innermost).__name__)[:200]
    if sent:
        return f"the connection broke: {reason[:1].lower()}{reason[1:]}", "The core's own log should say why"
    return f"{reason[:1].lower()}{reason[1:]}", (
        "Is the core running, and the address right? Start one with: python -m st_wsgi core serve"
    )


def _innermost(error: BaseException) -> BaseException:
    for _ in range(10):  # requests wraps urllib3, which wraps the socket's error: each in a way of its own
        nested: Any = getattr(error, "reason", None)
        if not isinstance(nested, BaseException):
            nested = next((item for item in reversed(error.args) if isinstance(item, BaseException)), error.__cause__)
        if nested is None:
            break
        error = nested
    return error


def _unavailable(request: CoreRequest, failures: Sequence[_NoAnswer]) -> CoreUnavailable:
    told = "; ".join(f"{failure.host} ({failure.reason})" for failure in failures)
    last = failures[-1]
    text = f"no answer to {request.method} {request.path}: {told}. {last.remedy}"
    if not last.may_go_on:
        text += ". The core may have done the work all the same, so the call was not repeated"
    return CoreUnavailable(text)
