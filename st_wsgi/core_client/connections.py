"""
Kept connections to one core, lent to one call at a time.

Two laws hold here. A connection belongs to exactly one call between :meth:`Connections.lend` and
:meth:`Connections.give_back`, so that threads and greenlets need no coordination beyond a push and a pop. And whatever
fails before a connection stands, TLS handshakes included, is raised as urllib3's ``ConnectTimeoutError`` or
``NewConnectionError``, so that everything else means that the request may have reached the core.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import attrs
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectTimeout, ProxyError, RequestException
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError
from urllib3.poolmanager import PoolManager


def tls_context(*, trust_environment: bool) -> ssl.SSLContext:
    """
    Return a context that trusts the authorities that ship with requests, and nothing from the environment.

    :param trust_environment: trust what ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE`` names instead, if it is set.
    """
    authorities = DEFAULT_CA_BUNDLE_PATH
    if trust_environment:
        authorities = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or authorities
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if os.path.isdir(authorities):
        context.load_verify_locations(capath=authorities)
    else:
        context.load_verify_locations(cafile=authorities)
    return context


@contextmanager
def _before_the_request(connection: HTTPConnection) -> Iterator[None]:
    try:
        yield
    except ConnectTimeoutError:
        raise
    except (OSError, HTTPException, HTTPError, UnicodeError) as error:
        raise NewConnectionError(connection, "no connection") from error


class _Connection(HTTPConnection):
    def connect(self) -> None:
        with _before_the_request(self):
            super().connect()


class _TLSConnection(HTTPSConnection):
    def connect(self) -> None:
        with _before_the_request(self):
            super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    """Like the usual adapter, with one TLS context for all and with our two kinds of connections."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._tls = {} if context is None else {"ssl_context": context}
        super().__init__(pool_connections=4, pool_maxsize=1)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **self._tls, **pool_kwargs)
        _use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **self._tls, **proxy_kwargs)
        _use_our_pools(manager)
        return manager

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        if proxies:
            return super().get_connection_with_tls_context(request, verify, proxies, cert)
        return self.poolmanager.connection_from_url(request.url or "")

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the context alone: it was told once whom to trust, where the usual adapter tells it anew each time."""


def _use_our_pools(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


class _Session(Session):
    def get_redirect_target(self, resp: Response) -> None:
        """Know of no redirect: the usual session reads on at one, without limit, even when told not to follow it."""


@attrs.define(eq=False)
class Line:
    """A session with at most one kept connection, and when it was last used (monotonic, seconds)."""

    session: Session
    used_at: float = 0.0

    def send(self, request: PreparedRequest, timeout: tuple[float, float]) -> Response:
        """
        Send *request* and return its answer with the body unread.

        :param timeout: seconds to wait for a connection, and then for each piece of the answer.
        :raises requests.exceptions.RequestException: see :func:`was_not_sent`.
        """
        proxies: Any = {}
        if self.session.trust_env:
            settings = self.session.merge_environment_settings(request.url or "", {}, True, True, None)
            proxies = settings["proxies"]
        return self.session.send(request, stream=True, timeout=timeout, proxies=proxies, allow_redirects=False)


@contextmanager
def closing_on_error(response: Response) -> Iterator[Response]:
    """Close *response*, and with it its connection, unless everything in the block went well."""
    try:
        yield response
    except BaseException:
        response.close()
        raise


def was_not_sent(error: Exception) -> bool:
    """Say whether *error* is certain to have come before the first byte of the request went out."""
    if isinstance(error, (ConnectTimeout, ProxyError)):  # a proxy error is one of reaching the proxy
        return True
    if not isinstance(error, RequestException) or not error.args:
        return False
    cause = error.args[0]
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, ConnectTimeoutError)


class Connections:
    """
    The lines to one host that nobody uses at the moment, the last used one first.

    :param idle_timeout: seconds after which an unused connection is not trusted any more.
    :param keep: how many unused lines are kept at most.
    """

    def __init__(
        self,
        *,
        context: Callable[[], ssl.SSLContext | None],
        idle_timeout: float,
        keep: int,
        trust_environment: bool,
    ) -> None:
        self._context = context
        self._idle_timeout = idle_timeout
        self._keep = keep
        self._trust_environment = trust_environment
        self._idle: deque[Line] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def lend(self) -> Line:
        """Return a line that is the caller's alone until it is given back."""
        with self._lock:
            line = self._idle.pop() if self._idle else None
            stale = self._take_stale()
        _close(stale)
        if line is None:
            return self._new_line()
        if line.used_at < time.monotonic() - self._idle_timeout:
            line.session.close()
            return self._new_line()
        return line

    def give_back(self, line: Line) -> None:
        """Keep *line* for the next call. Only one whose answer was read to its end may come back."""
        line.used_at = time.monotonic()
        with self._lock:
            kept = not self._closed and len(self._idle) < self._keep
            if kept:
                self._idle.append(line)
        if not kept:
            line.session.close()

    def close(self) -> None:
        """Close the unused lines now, and those on loan when they come back."""
        with self._lock:
            self._closed = True
            lines = list(self._idle)
            self._idle.clear()
        _close(lines)

    def after_fork(self) -> Connections:
        """Return new, empty connections for this child process, and drop its copies of the parent's sockets."""
        _close(self._idle)  # the parent's own descriptors stay open: closing says nothing to the other end
        self._closed = True
        return Connections(
            context=self._context,
            idle_timeout=self._idle_timeout,
            keep=self._keep,
            trust_environment=self._trust_environment,
        )

    def _take_stale(self) -> list[Line]:
        oldest = time.monotonic() - self._idle_timeout
        stale = []
        while self._idle and self._idle[0].used_at < oldest:
            stale.append(self._idle.popleft())
        return stale

    def _new_line(self) -> Line:
        session = _Session()
        session.trust_env = self._trust_environment
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        adapter = _Adapter(self._context())
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return Line(session)


def _close(lines: deque[Line] | list[Line]) -> None:
    for line in list(lines):
        line.session.close()
