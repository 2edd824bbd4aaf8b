"""
Limits of attempts: sign-up, sign-in, the question whether an e-mail is known, and mails.

Every attempt is counted for the address that it comes from, for the account that it names, and for both together. So
neither many addresses against one account nor one address against many accounts get far. Where the address of clients
is known, who guesses from one address does not lock the account's owner out. Beyond a limit the response is 429 with
``Retry-After``, and the core is not asked.

Clients choose much of what is counted: the port of a connection, the last half of an IPv6 address, the length of an
e-mail. Keys leave that out, so that changing it gives no further attempts.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import re
import time
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from .attempts import AttemptStore, SteadyAttempts
from .checks import Check, a_number

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_log = logging.getLogger("st_wsgi.limits")

_MAIL_ROUTES = frozenset(
    {
        "/signinup/code",
        "/signinup/code/resend",
        "/user/email/verify/token",
        "/user/password/reset/token",
        "/user/webauthn/reset/token",
    }
)
_ACCOUNT_LIMIT = 256  # characters, as many as an e-mail address may have
_ENTRY_LIMIT = 100  # characters of an entry of X-Forwarded-For: an IPv6 address with zone and port has fewer
_FORWARDING = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_PROTO", "HTTP_VIA")
# Not is_global of ipaddress: that also holds addresses of the internet for private, such as those of 6to4.
_LOCAL_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
_MOST_REFUSED = 10_000  # keys that a process remembers
_IN_BRACKETS_OR_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class RateLimit(Protocol):
    """
    Decides about one attempt. It is called from many threads.

    *key* is one of these:

    - ``address:`` and the client's IPv4 address, or the network of its IPv6 address (``address:2001:db8:1:2::/64``),
      or ``address:unknown`` for clients that come from no IP address;
    - ``both:``, the address as above, a space, and the account as below
      (``both:192.0.2.1 public:a@example.com``);
    - ``account:``, tenant and e-mail (``account:public:a@example.com``); a hash stands in for a very long e-mail.
      Where no e-mail is named, a user id or the hash of a token takes its place.

    *route* is the path below the base path, such as ``/signin``. The result is the number of seconds to wait, or None
    to let the attempt pass. Until the wait is over, each process refuses the key without asking again.

    An object that also has a method ``clear(key, route)`` is told when a sign-in has succeeded, and then forgets the
    attempts of the key.
    """

    def __call__(self, key: str, route: str, /) -> float | None: ...


@attrs.define(kw_only=True, eq=False)
class AttemptLimits:
    """
    The limits that every app has unless it sets others.

    Attempts are counted by address, by account, and by both together, on each route for itself. They are counted in the
    database of an embedded core, so that all workers share them; with another core, each process counts for itself
    unless *store* is set. A sign-in that succeeds forgets the attempts at its account.

    ::

        st = init(
            app_info=app_info,
            core="sqlite://",
            recipes=[EmailPassword(), Session()],
            rate_limit=AttemptLimits(per_account_and_address=5),
        )

    :param per_address: attempts from one address in a period.
    :param per_account_and_address: attempts at one account from one address in a period.
    :param per_account: attempts at one account from all addresses in a period. When they are used up, its owner has to
        wait, too.
    :param period: seconds.
    :param mails_per_address: mails and text messages that one address may ask for in *mail_period*.
    :param mails_per_account: mails and text messages to one account in *mail_period*.
    :param mail_period: seconds.
    :param store: counts for all processes together. While it fails, each process counts for itself.
        ``MemoryAttempts()`` has each process count for itself in any case.
    :raises ConfigError: a limit is not a whole number above zero.
    """

    per_address: int = attrs.field(default=600, validator=a_number("attempts", least=1, most=10**9))
    per_account_and_address: int = attrs.field(default=10, validator=a_number("attempts", least=1, most=10**9))
    per_account: int = attrs.field(default=100, validator=a_number("attempts", least=1, most=10**9))
    period: int = attrs.field(default=300, validator=a_number("seconds", least=1, most=86_400))
    mails_per_address: int = attrs.field(default=100, validator=a_number("mails", least=1, most=10**9))
    mails_per_account: int = attrs.field(default=10, validator=a_number("mails", least=1, most=10**9))
    mail_period: int = attrs.field(default=3600, validator=a_number("seconds", least=1, most=86_400))
    store: AttemptStore | None = attrs.field(
        default=None,
        validator=Check(
            "an object with add() and clear()",
            lambda value: (
                value is None
                or (not isinstance(value, type) and all(hasattr(value, name) for name in ("add", "clear")))
            ),
        ),
    )
    _counters: SteadyAttempts = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._counters = SteadyAttempts(self.store)

    def __call__(self, key: str, route: str, /) -> float | None:
        """Count one attempt; see :class:`RateLimit`."""
        kind = key.partition(":")[0]
        if route in _MAIL_ROUTES:
            limits, period = {"address": self.mails_per_address, "account": self.mails_per_account}, self.mail_period
        else:
            limits, period = {"address": self.per_address, "account": self.per_account}, self.period
            limits["both"] = self.per_account_and_address
        limit = limits.get(kind)
        if limit is None:  # mails have one limit for each account, wherever they are asked for
            return None
        number, left = self._counters.add(_name(key, route), period)
        return left if number > limit else None

    def clear(self, key: str, route: str, /) -> None:
        """Forget the attempts of a key on a route."""
        self._counters.clear(_name(key, route))


def _name(key: str, route: str) -> str:
    """Return what a store knows a counter by, which tells it neither address nor account."""
    return hashlib.sha256(f"{route} {key}".encode("utf-8", "surrogatepass")).hexdigest()


class Limiter:
    """
    The limits of an instance: from a request to the keys that are counted, and what is refused at the moment.

    A key that was refused is remembered until its wait is over. Its attempts are then refused without being counted
    again, so that a flood of them costs no transactions, and one event tells of all.

    :param rate_limit: decides about attempts; None lets all pass.
    :param trusted_proxies: how many of the app's own proxies stand in front, None if the app does not say.
    """

    def __init__(self, rate_limit: RateLimit | None, *, trusted_proxies: int | None = None) -> None:
        self.rate_limit = rate_limit
        self.trusted_proxies = trusted_proxies
        self._refused: dict[tuple[str, str], float] = {}
        self._has_warned = False

    def address_of(self, environ: WSGIEnvironment) -> str:
        """Return the IP address that a request came from; see :func:`client_address`."""
        remote, forwarded = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR")
        return client_address(remote, forwarded, trusted_proxies=self.trusted_proxies or 0)

    def keys(self, environ: WSGIEnvironment, *, tenant_id: str, account: str | None) -> list[str]:
        """
        Return the keys that count an attempt. Without an account there is only the key of the address.

        While ``trusted_proxies`` is not set, a request with the headers of a proxy has no key for its address: that is
        the proxy's, and all visitors share it. This holds for requests from the own network only, since every client
        can send such headers.
        """
        address = self.address_of(environ)
        keys = [address_key(address)]
        if account is not None:
            at_account = account_key(tenant_id, account)
            keys += [f"both:{keys[0].partition(':')[2]} {at_account.partition(':')[2]}", at_account]
        if self.trusted_proxies is None and _is_local(address) and any(name in environ for name in _FORWARDING):
            self._warn(
                "requests come through a proxy, so attempts are not limited by address, and all visitors share the "
                "attempts at an account"
            )
            return keys[1:]
        return keys

    def refusal(self, keys: list[str], route: str) -> tuple[float, str | None] | None:
        """
        Count an attempt, and return None if it may pass.

        :returns: the seconds to wait, and the kind of the key whose limit was reached just now: ``address``, ``both``
            or ``account``; None if it was reached before.
        """
        if self.rate_limit is None:
            return None
        now = time.monotonic()
        for key in keys:
            end = self._refused.get((key, route), 0.0)
            if end > now:
                return end - now, None
        for key in keys:
            wait = self.rate_limit(key, route)
            if wait is not None:
                if len(self._refused) >= _MOST_REFUSED:
                    self._refused.clear()  # the limits are asked again, which is all that this memory saves
                self._refused[key, route] = now + wait
                kind, _, address = key.partition(":")
                if kind == "address" and self.trusted_proxies is None:
                    self._warn(f"the limit of the address {address} was reached")
                return wait, kind
        return None

    def forget(self, keys: list[str], route: str) -> None:
        """Forget the attempts at an account, after one that succeeded."""
        clear: Any = getattr(self.rate_limit, "clear", None)
        for key in keys:
            if clear is not None and not key.startswith("address:"):
                self._refused.pop((key, route), None)
                try:
                    clear(key, route)
                except Exception as error:  # the user is signed in, whatever becomes of the counters
                    _log.error("attempts were not forgotten: rate_limit raised %s", type(error).__name__)

    def _warn(self, what: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning(
                "%s: set trusted_proxies to the number of your proxies that append to X-Forwarded-For, or to 0 "
                "if there is none",
                what,
            )


def _is_local(address: str) -> bool:
    """Return whether an address is one of the own machine or network. That of a Unix socket is empty."""
    return not address or any(ipaddress.ip_address(address) in network for network in _LOCAL_NETWORKS)


def client_address(remote_address: str, forwarded_for: str | None, *, trusted_proxies: int) -> str:
    """
    Return the IP address that a request came from, in its shortest spelling, or an empty text if there is none.

    Every trusted proxy has appended the address that it saw to ``X-Forwarded-For``. The client itself may have sent
    the entries further to the left. If the entry is no IP address, *remote_address* is taken: that of the last proxy.

    :param remote_address: ``REMOTE_ADDR``. Servers on a Unix socket leave it empty or name the socket.
    :param trusted_proxies: how many of your proxies stand in front. With 0 the header is not read.
    """
    address = None
    if trusted_proxies > 0 and forwarded_for:
        entries = forwarded_for.rsplit(",", trusted_proxies)
        address = _ip_address(entries[-min(trusted_proxies, len(entries))])
    if address is None:
        address = _ip_address(remote_address)
    return "" if address is None else str(address)


def address_key(address: str) -> str:
    """
    Return what counts the attempts from an address, as :func:`client_address` returns it.

    IPv6 is counted by /64, the smallest network that a provider gives to one customer.
    """
    if ":" in address:
        address = str(ipaddress.IPv6Network((address, 64), strict=False))
    return f"address:{address or 'unknown'}"


def account_key(tenant_id: str, account: str) -> str:
    """Return what counts the attempts at an account of a tenant."""
    if len(account) > _ACCOUNT_LIMIT:
        account = hashlib.sha256(account.encode("utf-8", "surrogatepass")).hexdigest()
    return f"account:{tenant_id}:{account}"


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address in *text*, which may have a port, brackets and a zone. None if it is something else."""
    text = text.strip()
    if len(text) > _ENTRY_LIMIT:
        return None
    match = _IN_BRACKETS_OR_WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((match[1] or match[2] if match else text).partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped
