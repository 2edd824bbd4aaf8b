"""
Connections to one core, kept open between calls.

A connection serves one call at a time: :meth:`Connections.lend` takes it out, :meth:`Connections.give_back` puts it
back. Threads and greenlets therefore share nothing but a list, which has a lock.

The connections are urllib3's. One does what it is asked and nothing else: no redirect, no repetition, no cookie, and
nothing from the environment.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import attrs
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.response import BaseHTTPResponse
from urllib3.util import Url, make_headers, parse_url

from ..errors import ConfigError


def tls_context(*, trust_environment: bool) -> ssl.SSLContext:
    """
    Return a context that trusts the authorities that ship with requests, and nothing from the environment.

    :param trust_environment: trust the file or folder in ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE`` instead, if one
        of these is set.
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


@attrs.define(eq=False)
class Line:
    """
    One connection.

    :param connection: of urllib3; a new one is not open yet.
    :param origin: scheme, host and port that the requests are for.
    :param prefix: stands before the path of every request: the origin, when a proxy passes the requests on.
    :param headers: what the proxy needs in every request.
    :param used_at: when the line was last used, in seconds of the monotonic clock.
    """

    connection: HTTPConnection
    origin: str
    prefix: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    used_at: float = 0.0

    def open(self, timeout: float) -> None:
        """
        Open the connection, TLS included, unless it is open already. No request has been sent when this fails.

        :param timeout: seconds.
        :raises OSError, http.client.HTTPException, urllib3.exceptions.HTTPError, ValueError: there is no connection.
        """
        if self.connection.is_closed:
            self.connection.timeout = timeout
            self.connection.connect()

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, *, timeout: float
    ) -> BaseHTTPResponse:
        """
        Send a request and return the reply, with its body unread.

        :param path: with the query.
        :param timeout: seconds to wait for each piece of the reply.
        :raises OSError, http.client.HTTPException, urllib3.exceptions.HTTPError: the connection broke, or time is up.
        """
        self.connection.timeout = timeout
        headers = {**headers, **self.headers}
        with suppress(BrokenPipeError):  # a core that does not read the whole body may still have replied
            self.connection.request(
                method, self.prefix + path, body, headers, preload_content=False, decode_content=False
            )
        return self.connection.getresponse()


@attrs.define(kw_only=True, eq=False, repr=False)
class Connections:
    """
    The connections to one core that no call uses at the moment.

    :param tls: returns the context for ``https`` addresses.
    :param idle_timeout: seconds after which an unused connection is closed instead of used again.
    :param keep: how many unused connections are kept at most.
    :param trust_environment: use the proxies that the environment names.
    """

    _tls: Callable[[], ssl.SSLContext]
    _idle_timeout: float
    _keep: int
    _trust_environment: bool
    _idle: deque[Line] = attrs.field(init=False, factory=deque)  # the last one used is at the right end
    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock)
    _closed: bool = attrs.field(init=False, default=False)

    def lend(self, origin: str) -> Line:
        """
        Return a line to *origin* for one call, which is the only one to use it until it is given back.

        Its connection is open already, or still to be opened. One that the core has closed in the meantime is not
        returned: a write on it would fail, and must not be repeated.

        :raises ConfigError: the environment names a proxy of a kind that cannot be used.
        """
        with self._lock:
            line = self._idle.pop() if self._idle else None
            stale = self._take_stale()
        _close(stale)
        if line is not None:
            fresh = line.used_at >= time.monotonic() - self._idle_timeout
            if fresh and line.origin == origin and line.connection.is_connected:
                return line
            line.connection.close()
        return self._new_line(origin)

    def give_back(self, line: Line) -> None:
        """Keep *line* for the next call. The reply on it must have been read to its end."""
        line.used_at = time.monotonic()
        with self._lock:
            kept = not self._closed and not line.connection.is_closed and len(self._idle) < self._keep
            if kept:
                self._idle.append(line)
        if not kept:
            line.connection.close()

    def close(self) -> None:
        """Close the unused connections now, and those in use when they come back."""
        with self._lock:
            self._closed = True
            lines = list(self._idle)
            self._idle.clear()
        _close(lines)

    def after_fork(self) -> Connections:
        """Return new connections for this child process, and close its copies of the parent's sockets."""
        _close(self._idle)  # the parent's own descriptors stay open, so the core notices nothing
        self._closed = True
        return attrs.evolve(self)

    def _take_stale(self) -> list[Line]:
        oldest = time.monotonic() - self._idle_timeout
        stale = []
        while self._idle and self._idle[0].used_at < oldest:
            stale.append(self._idle.popleft())
        return stale

    def _new_line(self, origin: str) -> Line:
        target = parse_url(origin)
        proxies = get_environ_proxies(origin) if self._trust_environment else {}
        address = select_proxy(origin, proxies)
        if address is None:
            return Line(self._connection(target), origin)
        proxy = parse_url(address if "://" in address else f"http://{address}")
        if proxy.scheme not in ("http", "https") or proxy.host is None:
            raise ConfigError(
                "the environment names a proxy that is neither http:// nor https://: change HTTP_PROXY, HTTPS_PROXY "
                "or ALL_PROXY, put the core into NO_PROXY, or leave trust_environment out"
            )
        headers = make_headers(proxy_basic_auth=unquote(proxy.auth)) if proxy.auth else {}
        if target.scheme == "http":
            return Line(self._connection(proxy, proxy=proxy), origin, prefix=origin, headers=headers)
        config = ProxyConfig(self._tls(), use_forwarding_for_https=False, assert_hostname=None, assert_fingerprint=None)
        connection = self._connection(proxy, "https", proxy=proxy, proxy_config=config)
        connection.set_tunnel(_host(target), _port(target), headers, scheme=proxy.scheme)
        return Line(connection, origin)

    def _connection(self, peer: Url, scheme: str | None = None, **settings: Any) -> HTTPConnection:
        if (scheme or peer.scheme) == "https":
            return HTTPSConnection(_host(peer), _port(peer), ssl_context=self._tls(), **settings)
        return HTTPConnection(_host(peer), _port(peer), **settings)


def _host(url: Url) -> str:
    return (url.host or "").strip("[]")  # http.client puts the brackets around an IPv6 address by itself


def _port(url: Url) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _close(lines: Iterable[Line]) -> None:
    for line in list(lines):
        line.connection.close()
