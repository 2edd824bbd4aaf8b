"""Addresses, domains and paths in one form, and the sites that browsers see in them."""

from __future__ import annotations

import functools
import importlib.resources
import ipaddress
import re
from urllib.parse import urlsplit

from .errors import ConfigError
from .grammar import HOST_NAME

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# The characters of a URL's path that need no quoting, without the semicolon, which would end the path of a cookie.
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,=:@-]+)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalise_origin(text: str, *, setting: str) -> str:
    """
    Return ``scheme://host[:port]`` in lower case, without a default port, path or trailing slash.

    A missing scheme becomes ``http`` for localhost and IP addresses and ``https`` for everything else, as in the
    official SDKs.

    :param setting: the name of the setting, for the error.
    :raises ConfigError: *text* is not an address of a host.
    """
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"{setting} must be an address such as https://api.example.com, not {text!r}")
    text = text.strip()
    if not text.isprintable():  # urlsplit drops tabs and line ends, which would make another host of it
        raise ConfigError(f"{setting} must be a plain address, without control characters")
    if not _SCHEME.match(text):
        text = "//" + text
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"{setting} is not an address: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"{setting} must not contain a user name or password")
    if not is_ip_address(host) and not HOST_NAME.fullmatch(host):
        raise ConfigError(f"{setting} needs a plain host name (punycode for international ones), not {host!r}")
    scheme = parts.scheme.lower() or ("http" if is_local(host) or is_ip_address(host) else "https")
    if scheme not in _DEFAULT_PORTS:
        raise ConfigError(f"{setting} must be an http or https address, not {scheme}")
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{name}:{port}"


def path_of(address: str) -> str:
    """Return what follows host and port in an address, without slashes around it: path, query and fragment."""
    text = address.strip()
    parts = urlsplit(text if _SCHEME.match(text) else f"//{text}")
    return parts._replace(scheme="", netloc="").geturl().strip("/")


def normalise_path(text: str, *, setting: str) -> str:
    """
    Return the path with a leading and without a trailing slash; the root is the empty string.

    :raises ConfigError: *text* is not a plain path.
    """
    if not isinstance(text, str):
        raise ConfigError(f"{setting} must be a path such as /auth, not {text!r}")
    path = "/" + text.strip().strip("/")
    path = "" if path == "/" else path
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise ConfigError(
            f"{setting} must be a plain path such as /auth, without query or empty segments, not {text!r}"
        )
    return path


def normalise_issuer(text: str, *, setting: str) -> str:
    """
    Return the ``iss`` of an auth server's tokens: its origin and the path of its routes, without a trailing slash.

    :raises ConfigError: *text* is no such address.
    """
    origin = normalise_origin(text, setting=setting)
    address = text.strip()
    return origin + normalise_path(urlsplit(address if "://" in address else f"//{address}").path, setting=setting)


def host_of(origin: str) -> str:
    """Return the host of an origin, without port and brackets."""
    return urlsplit(origin).hostname or ""


def scheme_of(origin: str) -> str:
    """Return the scheme of an origin."""
    return origin.partition(":")[0]


def is_ip_address(host: str) -> bool:
    """Return whether *host* is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_local(host: str) -> bool:
    """Return whether *host* is ``localhost`` or a name below it, which browsers resolve to this machine."""
    return host == "localhost" or host.endswith(".localhost")


def is_loopback(host: str) -> bool:
    """Return whether traffic to *host* never leaves this machine."""
    return is_local(host) or (is_ip_address(host) and ipaddress.ip_address(host).is_loopback)


def is_same_site(origin: str, other: str) -> bool:
    """
    Return whether browsers take two origins, as :func:`normalise_origin` returns them, for one site.

    Both their schemes and their sites must be equal (HTML standard, "same site").
    """
    return scheme_of(origin) == scheme_of(other) and site_of(host_of(origin)) == site_of(host_of(other))


def site_of(host: str) -> str:
    """
    Return the site of *host*: its public suffix and one label more.

    A host without such a part, such as an IP address, ``localhost`` or a public suffix, is a site of its own.
    """
    domains = cookie_domains(host)
    return domains[-1] if domains else host


def cookie_domains(host: str) -> tuple[str, ...]:
    """Return the domains that a cookie for *host* may have: the host and its parents, without public suffixes."""
    if is_ip_address(host):
        return ()
    labels = host.split(".")
    return tuple(".".join(labels[start:]) for start in range(len(labels) - _suffix_length(labels)))


def is_public_suffix(host: str) -> bool:
    """Return whether anyone can register names directly below *host*, such as ``com`` or ``co.uk``."""
    return not cookie_domains(host)


def _suffix_length(labels: list[str]) -> int:
    rules = _public_suffix_rules()
    for start in range(len(labels)):
        name = ".".join(labels[start:])
        if "!" + name in rules:
            return len(labels) - start - 1
        if name in rules or (start + 1 < len(labels) and "*." + ".".join(labels[start + 1 :]) in rules):
            return len(labels) - start
    return 1  # the rule for names that the list does not have


@functools.cache
def _public_suffix_rules() -> frozenset[str]:
    """Read the packaged snapshot of the Public Suffix List (ICANN and private section), once, when first asked."""
    text = importlib.resources.files(__package__).joinpath("public_suffix_list.dat").read_text("utf-8")
    rules = (line for line in text.splitlines() if line and not line.startswith("//"))
    return frozenset(rule if rule.isascii() else _to_ascii(rule) for rule in rules)


def _to_ascii(rule: str) -> str:
    return ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in rule.split(".")
    )
