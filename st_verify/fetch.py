"""
One GET of a JWK set from a server that may be slow, broken or hostile.

No redirect, proxy, netrc, cookie or content encoding is used. The whole exchange has one deadline, counted from its
start and not from the last byte. The body has a maximal size.
"""

from __future__ import annotations

import io
import ipaddress
import re
import socket
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from st_verify.errors import FetchFailed, SettingError
from st_verify.jwk import MAX_DOCUMENT
from st_verify.settings import require, seconds, text_list

# http.client and ssl are imported in functions: they would make the import of the package half as long again.
# `RemoteKeys` says when that happens.
if TYPE_CHECKING:
    import http.client
    import ssl

_MAX_AGE = re.compile(r"(?:\A|[,\s])max-age=([0-9]{1,18})(?=\Z|[,\s])")
_MAX_RETRY_AFTER = 300.0


@dataclass(frozen=True, slots=True)
class FetchedKeys:
    """What a fetcher returns."""

    #: A JWK set document.
    body: bytes
    #: Seconds for which the server calls the document current; None if it does not say.
    max_age: float | None = None


class HttpFetcher:
    """
    Gets the document from the first URL that has a proper response. For the parameters see `RemoteKeys`.

    :raises SettingError: for a URL that is neither https nor http on a loopback host, or has user info, white space or
        a fragment; for a TLS context that does not verify.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        timeout: float = 3.0,
        ssl_context: ssl.SSLContext | None = None,
        insecure_http_hosts: Collection[str] = (),
    ) -> None:
        import ssl

        insecure = text_list("insecure_http_hosts", insecure_http_hosts, "[^/:@]+", "pass host names such as 'core'")
        self._timeout = seconds("timeout", timeout, low=0.05, high=60)
        cure = "pass an ssl.SSLContext that verifies certificates and host names; see ssl.create_default_context"
        verifies = isinstance(ssl_context, ssl.SSLContext) and ssl_context.verify_mode == ssl.CERT_REQUIRED
        require(ssl_context is None or (verifies and ssl_context.check_hostname), f"ssl_context: {cure}")
        self._ssl_context = ssl_context
        urls = [urls] if isinstance(urls, str) else urls
        require(isinstance(urls, (list, tuple)) and bool(urls), "urls: pass a JWKS URL, or a list of them")
        self._targets = [_Target.parse(url, insecure) for url in urls]

    def __repr__(self) -> str:
        # Without the query, which may contain a key.
        return ", ".join(target.url.partition("?")[0] for target in self._targets)

    def __call__(self) -> FetchedKeys:
        """Fetch once. Raises `FetchFailed` with the reason of each URL."""
        deadline = time.monotonic() + self._timeout
        failures: list[FetchFailed] = []
        for position, target in enumerate(self._targets):
            now = time.monotonic()
            share = (deadline - now) / (len(self._targets) - position)
            try:
                return self._get(target, now + share)
            except FetchFailed as failure:
                failures.append(failure)
        retry_after = max(failure.retry_after for failure in failures)
        raise FetchFailed(", ".join(failure.reason for failure in failures), retry_after=retry_after)

    def _get(self, target: _Target, deadline: float) -> FetchedKeys:
        import http.client
        import ssl

        try:
            sock = connect(target.host, target.port, deadline)
            try:
                if target.https:
                    if self._ssl_context is None:
                        self._ssl_context = ssl.create_default_context()
                    sock = self._ssl_context.wrap_socket(sock, server_hostname=target.host)
                return _exchange(sock, target, deadline)
            finally:
                sock.close()
        except TimeoutError:
            raise FetchFailed("timeout") from None
        except ssl.SSLError:
            raise FetchFailed("tls") from None
        except (OSError, http.client.HTTPException, ValueError):
            # ValueError: a server can make the standard library's header parser raise it.
            raise FetchFailed("connection") from None


def _exchange(sock: socket.socket, target: _Target, deadline: float) -> FetchedKeys:
    import http.client

    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = sock
    # The library adds Accept-Encoding: identity.
    headers = {"Host": target.authority, "Accept": "application/json", "Connection": "close", "User-Agent": "st-verify"}
    connection.request("GET", target.path, headers=headers)
    response = http.client.HTTPResponse(cast(socket.socket, DeadlineReader(sock, deadline)), method="GET")
    try:
        response.begin()
        return _read(response)
    finally:
        response.close()


def _read(response: http.client.HTTPResponse) -> FetchedKeys:
    if response.status != 200:
        retry_after = response.getheader("Retry-After", "")
        asked = float(retry_after) if re.fullmatch(r"[0-9]{1,9}", retry_after) else 0.0
        raise FetchFailed(f"status_{response.status}", retry_after=min(asked, _MAX_RETRY_AFTER))
    if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
        raise FetchFailed("content_encoding")
    if (response.length or 0) > MAX_DOCUMENT or len(body := response.read(MAX_DOCUMENT + 1)) > MAX_DOCUMENT:
        raise FetchFailed("document_too_large")
    if response.length:
        raise FetchFailed("incomplete")
    cache_control = response.getheader("Cache-Control", "").lower()
    if "no-store" in cache_control or "no-cache" in cache_control:
        return FetchedKeys(body, 0.0)
    match = _MAX_AGE.search(cache_control)
    return FetchedKeys(body, None if match is None else float(match[1]))


def connect(
    host: str, port: int, deadline: float, *, may_connect: Callable[[str], bool] = lambda address: True
) -> socket.socket:
    """Return a connection to an address of `host` that `may_connect` accepts. Raises `OSError`, such as `NoAddress`."""
    last: OSError = NoAddress("no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not may_connect(str(address[0])):
            continue
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_remaining(deadline))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(_remaining(deadline))
            return sock
        except OSError as error:
            sock.close()
            last = error
    raise last


class NoAddress(OSError):
    """A host has no address that a connection may go to."""


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("deadline")
    return remaining


class DeadlineReader(io.RawIOBase):
    """
    What `http.client.HTTPResponse` needs of a socket. A server cannot extend the deadline by sending byte after byte.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, *_: Any) -> Any:
        """Return a buffered reader."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer what has come, and return how much. Raises `TimeoutError` at the deadline."""
        self._sock.settimeout(_remaining(self._deadline))
        return self._sock.recv_into(buffer)


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    https: bool
    host: str
    port: int
    path: str
    authority: str

    @classmethod
    def parse(cls, url: str, insecure_http_hosts: Collection[str]) -> _Target:
        is_text = isinstance(url, str) and re.fullmatch(r"[!-~]+", url) is not None
        require(is_text, "urls: a JWKS URL is a str of visible ASCII without white space")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise SettingError("urls: a JWKS URL is malformed; pass one such as https://host/jwks.json") from None
        host = parts.hostname or ""
        require(
            parts.scheme in ("https", "http") and bool(host), "urls: a JWKS URL must start with https:// and a host"
        )
        require("@" not in parts.netloc and "#" not in url, "urls: a JWKS URL has no user info and no fragment")
        https = parts.scheme == "https"
        is_allowed = https or _is_loopback(host) or host in insecure_http_hosts
        require(is_allowed, f"urls: http://{host} is not loopback; use https, or add the host to insecure_http_hosts")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(url, https, host, port or (443 if https else 80), path, parts.netloc)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
