"""
Calls to providers. Their addresses come from settings, from tenants and from documents of strangers, so each is checked
before it is called.

No redirect, proxy, netrc, cookie or content encoding is used. Connecting and the exchange have one deadline, which does
not include that the name is resolved. The body of the reply has a largest size. A name is resolved once, and the
connection goes to an address that was checked, so that no name can lead into the network that the app runs in.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import SplitResult, urlencode, urlsplit

import attrs

from st_verify import NotStrictJSON, strict_json
from st_verify.fetch import DeadlineReader, NoAddress, connect

from ....codec import present
from ....errors import ProviderFailed

_LARGEST_BODY = 512 * 1024
_FORM = "application/x-www-form-urlencoded"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Networks that are not of the internet, which older releases of Python do not know as such.
_SPECIAL = [ipaddress.ip_network(network) for network in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "fec0::/10")]
#: The errors of RFC 6749 and of GitHub, which a log may have. Anything else in their place might be a secret.
_KNOWN_ERRORS = re.compile(
    "access_denied|bad_verification_code|incorrect_client_credentials|invalid_(client|grant|request|scope)"
    "|redirect_uri_mismatch|server_error|temporarily_unavailable|unauthorized_client|unsupported_(grant|response)_type"
)


@attrs.frozen
class ProviderReply:
    """
    What a provider answered.

    :param source: method, host and path of the call, for logs.
    """

    source: str
    status: int
    body: bytes = attrs.field(repr=False)

    def json(self) -> Any:
        """
        Return the JSON of the body.

        :raises ProviderFailed: it is none, or JSON that parsers read differently.
        """
        try:
            return strict_json.loads(self.body)
        except NotStrictJSON:
            raise ProviderFailed(f"{self.source} replied {self.status} with something else than JSON") from None

    def object(self) -> dict[str, Any]:
        """
        Return the JSON object of a reply that tells of success.

        :raises ProviderFailed: another status than 2xx, no JSON object, or an object with an ``error``.
        """
        if not 200 <= self.status < 300:
            raise ProviderFailed(f"{self.source} replied {self.status}{self._error()}")
        members = self.json()
        if not isinstance(members, dict):
            raise ProviderFailed(f"{self.source} replied with something else than a JSON object")
        if members.get("error"):
            raise ProviderFailed(f"{self.source} replied with an error{self._error()}")
        return members

    def _error(self) -> str:
        try:
            members = strict_json.loads(self.body)
        except NotStrictJSON:
            return ""
        word = known_error(members.get("error")) if isinstance(members, dict) else None
        return f": {word}" if word else ""


def known_error(word: object) -> str | None:
    """Return an error of a provider if a log may have it, else None."""
    return word if isinstance(word, str) and _KNOWN_ERRORS.fullmatch(word) else None


@attrs.define(kw_only=True)
class Calls:
    """
    Calls providers.

    :param allow_private_networks: also call addresses of private networks, and loopback without TLS.
    :param timeout: seconds for one call.
    """

    allow_private_networks: bool = False
    timeout: float = 10
    _tls: ssl.SSLContext | None = attrs.field(init=False, repr=False, default=None)

    def get(
        self, url: str, *, query: Mapping[str, Any] | None = None, headers: Mapping[str, Any] | None = None
    ) -> ProviderReply:
        """
        Send a GET.

        :param query: added to that of *url*. A parameter or header that is None is left out.
        :raises ProviderFailed: the address is not allowed, or there is no proper reply.
        """
        return self._send("GET", url, query or {}, headers or {}, None)

    def post(
        self,
        url: str,
        *,
        form: Mapping[str, Any] | None = None,
        json_body: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> ProviderReply:
        """
        Send a POST with a form or a JSON object.

        :raises ProviderFailed: the address is not allowed, or there is no proper reply.
        """
        kind = _FORM if json_body is None else "application/json"
        body = urlencode(present(form or {})) if json_body is None else json.dumps(json_body)
        return self._send("POST", url, {}, {"Content-Type": kind, **(headers or {})}, body.encode())

    def _send(
        self, method: str, url: str, query: Mapping[str, Any], headers: Mapping[str, Any], body: bytes | None
    ) -> ProviderReply:
        address = self.checked(url)
        source = f"{method} {address.hostname}{address.path}"
        target = address.path or "/"
        both = "&".join(filter(None, [address.query, urlencode(present(query))]))
        target += f"?{both}" if both else ""
        fixed = {"Host": address.netloc, "Accept": "application/json", "Connection": "close", "User-Agent": "st-wsgi"}
        deadline = time.monotonic() + self.timeout
        try:
            with self._connected(address, deadline) as sock:
                connection = http.client.HTTPConnection(address.netloc)
                connection.sock = sock
                sent = {**fixed, **{name: str(value) for name, value in present(headers).items()}}
                connection.request(method, target, body, sent)
                reader = cast(socket.socket, DeadlineReader(sock, deadline))
                with http.client.HTTPResponse(reader, method=method) as response:
                    response.begin()
                    return _read(response, source)
        except TimeoutError:
            raise ProviderFailed(f"{source} did not reply in {self.timeout:g} seconds") from None
        except socket.gaierror:
            raise ProviderFailed(f"the name {address.hostname} cannot be resolved") from None
        except ssl.SSLError:
            raise ProviderFailed(f"{source}: its certificate, or its TLS, cannot be used") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            # ValueError: header values of a configuration, and headers of a reply, that cannot be read.
            raise ProviderFailed(f"{source} cannot be reached: {type(error).__name__}") from None

    def checked(self, url: str) -> SplitResult:
        """
        Return the parts of an address that may be called, or that browsers may be sent to.

        :raises ProviderFailed: it is no https address, nor an http address of this machine where that is allowed.
        """
        try:
            parts = urlsplit(url) if isinstance(url, str) and re.fullmatch(r"[!-~]+", url) else SplitResult(*[""] * 5)
            is_address = bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address or "@" in parts.netloc or "\\" in url or parts.scheme not in ("https", "http"):
            raise ProviderFailed("an address of the provider is not usable: it must begin with https:// and a host")
        if parts.scheme == "http" and not self.allow_private_networks:
            raise ProviderFailed(f"the address of {parts.hostname} must begin with https://")
        return parts

    def _connected(self, address: SplitResult, deadline: float) -> socket.socket:
        is_plain = address.scheme == "http"
        judge = _is_loopback if is_plain else (lambda _: True) if self.allow_private_networks else _is_public
        host, port = address.hostname or "", address.port or (80 if is_plain else 443)
        try:
            sock = connect(host, port, deadline, may_connect=judge)
        except NoAddress:
            networks = "this machine" if is_plain else "the internet; allow_private_networks=True allows others"
            raise ProviderFailed(f"{host} has no address of {networks}") from None
        if is_plain:
            return sock
        try:
            if self._tls is None:  # made when it is needed: reading the certificates takes a while
                self._tls = ssl.create_default_context()
            return self._tls.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise


def _read(response: http.client.HTTPResponse, source: str) -> ProviderReply:
    if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
        raise ProviderFailed(f"{source} replied with a content encoding that was not asked for")
    body = b"" if (response.length or 0) > _LARGEST_BODY else response.read(_LARGEST_BODY + 1)
    if (response.length or 0) + len(body) > _LARGEST_BODY:
        raise ProviderFailed(f"{source} replied with more than {_LARGEST_BODY // 1024} KiB")
    if response.length:
        raise ProviderFailed(f"{source} ended its reply early")
    return ProviderReply(source, response.status, body)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address; the IPv4 address that an IPv6 one stands for in its place."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_loopback(text: str) -> bool:
    return _address(text).is_loopback


def _is_public(text: str) -> bool:
    address = _address(text)
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL)
    return address.is_global and not is_special
