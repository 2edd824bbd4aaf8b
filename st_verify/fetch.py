"""
One GET of a JWK set, from a server that may be slow, broken or hostile.

No redirect, proxy, netrc, cookie or content encoding is followed or sent; the whole exchange has one
deadline, counted from the start and not from the last byte; the body has a cap.
"""

from __future__ import annotations

import io
import ipaddress
import re
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from st_verify.errors import ConfigError
from st_verify.jwk import MAX_DOCUMENT
from st_verify.settings import seconds

# http.client and ssl are imported where they are used, once a fetcher is there: they would make the import of the
# package half as long again. See `RemoteKeys` for the moment at which that happens.
if TYPE_CHECKING:
    import http.client
    import ssl

_MAX_AGE = re.compile(r"(?:\A|[,\s])max-age=([0-9]{1,18})(?=\Z|[,\s])")
_MAX_RETRY_AFTER = 300.0


@dataclass(frozen=True, slots=True)
class FetchedKeys:
    """A JWK set document, and how long its server says it stays current (seconds; None: not said)."""

    body: bytes
    max_age: float | None = None


class FetchFailed(Exception):
    """
    No document came. `reason` is a stable word; `retry_after` is what the server asked for, in seconds.

    A custom fetcher may raise it to say the same; any other exception counts as a failure too.
    """

    def __init__(self, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class HttpFetcher:
    """
    Gets the document from the first URL that answers properly.

    :param urls: https, or http on a loopback host; several are tried in order inside one deadline.
    :param timeout: the total deadline in seconds, 0.05 to 60.
    :param ssl_context: for a private certificate authority; must verify certificates and host names.
    :param insecure_http_hosts: hosts that may be asked over plain http, for instance the service name of a
        core in the same private network. Whoever controls that network then controls who is signed in.
    :raises ConfigError: for any other URL, or one with user info, white space or a fragment.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        timeout: float = 3.0,
        ssl_context: ssl.SSLContext | None = None,
        insecure_http_hosts: Collection[str] = (),
    ) -> None:
        import ssl

        if isinstance(insecure_http_hosts, str):
            raise ConfigError("insecure_http_hosts: give a list of host names")
        self._timeout = seconds("timeout", timeout, low=0.05, high=60)
        if ssl_context is not None and (ssl_context.verify_mode != ssl.CERT_REQUIRED or not ssl_context.check_hostname):
            raise ConfigError("ssl_context: must verify certificates and host names")
        self._ssl_context = ssl_context
        given = [urls] if isinstance(urls, str) else list(urls)
        if not given:
            raise ConfigError("urls: give at least one JWKS URL")
        self._targets = [_Target.parse(url, insecure_http_hosts) for url in given]

    def __call__(self) -> FetchedKeys:
        """
        Fetch once.

        :raises FetchFailed: with the last URL's reason.
        """
        deadline = time.monotonic() + self._timeout
        failure = FetchFailed("no_url")
        for position, target in enumerate(self._targets):
            now = time.monotonic()
            share = (deadline - now) / (len(self._targets) - position)
            try:
                return self._get(target, now + share)
            except FetchFailed as failed:
                failure = failed
        raise failure

    def _get(self, target: _Target, deadline: float) -> FetchedKeys:
        import http.client
        import ssl

        try:
            sock = _connect(target.host, target.port, deadline)
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
    connection.request(
        "GET",
        target.path,
        headers={
            "Host": target.authority,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": "st-verify",
        },
    )
    response = http.client.HTTPResponse(cast(socket.socket, _DeadlineSocket(sock, deadline)), method="GET")
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
    if response.length is not None and response.length > MAX_DOCUMENT:
        raise FetchFailed("document_too_large")
    body = response.read(MAX_DOCUMENT + 1)
    if len(body) > MAX_DOCUMENT:
        raise FetchFailed("document_too_large")
    if response.length:
        raise FetchFailed("incomplete")
    cache_control = response.getheader("Cache-Control", "").lower()
    match = _MAX_AGE.search(cache_control)
    if "no-store" in cache_control or "no-cache" in cache_control:
        return FetchedKeys(body, 0.0)
    return FetchedKeys(body, None if match is None else float(match[1]))


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    last: OSError = OSError("no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
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


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("deadline")
    return remaining


class _DeadlineSocket:
    """
    All that `http.client.HTTPResponse` asks of a socket, with the time left set before every read.

    A socket's own timeout starts anew with every byte, so a server that drips would be waited for for ever.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._wrapped = sock
        self._deadline = deadline

    def makefile(self, *args: Any, **kwargs: Any) -> Any:
        return io.BufferedReader(_DeadlineReader(self._wrapped, self._deadline))


class _DeadlineReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_remaining(self._deadline))
        return self._sock.recv_into(buffer)


@dataclass(frozen=True, slots=True)
class _Target:
    https: bool
    host: str
    port: int
    path: str
    authority: str

    @classmethod
    def parse(cls, url: str, insecure_http_hosts: Collection[str]) -> _Target:
        if not isinstance(url, str) or not re.fullmatch(r"[!-~]+", url):
            raise ConfigError("JWKS URL: must be a str of printable ASCII without white space")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigError("JWKS URL: malformed") from None
        host = parts.hostname
        if parts.scheme not in ("https", "http") or not host:
            raise ConfigError("JWKS URL: must be https://host/…")
        if "@" in parts.netloc or "#" in url:
            raise ConfigError("JWKS URL: no user info and no fragment")
        if parts.scheme == "http" and not _is_loopback(host) and host not in insecure_http_hosts:
            raise ConfigError(f"JWKS URL: http://{host} is not loopback; use https, or name it in insecure_http_hosts")
        return cls(
            https=parts.scheme == "https",
            host=host,
            port=port or (443 if parts.scheme == "https" else 80),
            path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            authority=parts.netloc,
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
