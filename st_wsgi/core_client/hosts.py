"""The addresses of cores in a ``connection_uri``, in one normal form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from ..errors import ConfigError
from ..grammar import HOST_NAME
from ..urls import host_of, is_loopback

_EXAMPLE = "write it like https://core.example.com:3567 (several are separated by semicolons)"
_FILE = re.compile(r"[^:@?#]+\.(db|sqlite|sqlite3)|\.?\.?/[^:@?#]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_hosts(connection_uri: str | Sequence[str]) -> tuple[str, ...]:
    """
    Return the addresses in *connection_uri*, normalised: no trailing slash, no default port.

    :param connection_uri: one or more of scheme, host, optional port and optional base path, separated by semicolons;
        or a list of those.
    :raises ConfigError: there is none, one of them is not an address of a core, or one is there twice. The message does
        not repeat credentials.
    """
    parts = connection_uri.split(";") if isinstance(connection_uri, str) else connection_uri
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ConfigError(f"core must be an address, or a list of addresses: {_EXAMPLE}")
    hosts = [_normalise(part.strip()) for part in parts if part.strip()]
    if not hosts:
        raise ConfigError(f"core names no address: {_EXAMPLE}")
    for host in hosts:
        if hosts.count(host) > 1:
            raise ConfigError(f"core names {host} twice: name each host once")
    return tuple(hosts)


def readable_hosts(hosts: Sequence[str]) -> list[str]:
    """Return the *hosts* whose traffic others may read: plain http to another machine."""
    return [host for host in hosts if host.startswith("http:") and not is_loopback(host_of(host))]


def _normalise(address: str) -> str:
    _check_scheme(address)
    try:
        split = urlsplit(address)
        name, port = split.hostname, split.port
    except ValueError:
        raise ConfigError(f"core has an address with an unusable host or port: {_EXAMPLE}") from None
    if split.username is not None or split.password is not None:
        raise ConfigError("core must not contain a user name or password: pass the core's key as api_key")
    if split.query or split.fragment or "?" in address or "#" in address:
        raise ConfigError("core must not contain a query or fragment: pass the core's key as api_key")
    if not name or _UNPRINTABLE.search(address) or "\\" in address:
        raise ConfigError(f"core has an address that is not http:// or https:// and a host: {_EXAMPLE}")
    if port == 0:
        raise ConfigError(f"core has an address with port 0: {_EXAMPLE}")
    authority = _authority(name)
    if port is not None and port != _DEFAULT_PORTS[split.scheme]:
        authority = f"{authority}:{port}"
    path = quote(split.path, safe="/%-._~!$&'()*+,;=:@").rstrip("/")
    return f"{split.scheme}://{authority}{path}"


def _check_scheme(address: str) -> None:
    scheme = _SCHEME.match(address)
    if scheme is None and _FILE.fullmatch(address):
        raise ConfigError(
            f"core={address!r} is no address: for the embedded core on that file write sqlite:///{address}"
        )
    if scheme is None:
        raise ConfigError(f"core has an address without http:// or https:// in front: {_EXAMPLE}")
    if scheme[1].lower() not in _DEFAULT_PORTS:
        raise ConfigError(
            f"core has an address that starts with {scheme[0]}: {_EXAMPLE}, or sqlite:///auth.db for the embedded core"
        )


def _authority(name: str) -> str:
    if ":" in name:
        return f"[{name}]"
    try:
        ascii_name = name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        ascii_name = ""
    if not HOST_NAME.fullmatch(ascii_name.removesuffix(".")):
        raise ConfigError(f"core has a host name that cannot exist: {_EXAMPLE}")
    return ascii_name
