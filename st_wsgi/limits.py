"""
Limits of attempts: sign-up, sign-in, the question whether an e-mail is known, and mails.

Every attempt is counted twice: for the address that it comes from and for the account that it names. So neither many
addresses against one account nor one address against many accounts get far. Beyond a limit the response is 429 with
``Retry-After``, and the core is not asked.

Clients choose much of what is counted: the port of a connection, the last half of an IPv6 address, the length of an
e-mail. Keys leave that out, so that changing it gives no further attempts.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import attrs

from .attempts import AttemptStore, MemoryAttempts
from .checks import Check, a_number
from .forks import renew_after_fork

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
_IN_BRACKETS_OR_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class RateLimit(Protocol):
    """
    Decides about one attempt. It is called from many threads.

    *key* is one of these:

    - ``address:`` and the client's IPv4 address, or the network of its IPv6 address (``address:2001:db8:1:2::/64``),
      or ``address:unknown`` for clients that come from no IP address;
    - ``account:``, tenant and e-mail (``account:public:a@example.com``); a hash stands in for a very long e-mail.

    *route* is the path below the base path, such as ``/signin``. The result is the number of seconds to wait, or None
    to let the attempt pass.
    """

    def __call__(self, key: str, route: str, /) -> float | None: ...


@attrs.define(kw_only=True, eq=False)
class AttemptLimits:
    """
    The limits that every app has unless it sets others.

    Attempts are counted by address and by account, on each route for itself. They are counted in the database of an
    embedded core, so that all workers share them; with another core, each process counts for itself unless *store* is
    set. A sign-in that succeeds forgets the attempts at its account.

    ::

        st = init(
            app_info=app_info,
            core="sqlite://",
            recipes=[EmailPassword(), Session()],
            rate_limit=AttemptLimits(per_account=5),
        )

    :param per_address: attempts from one address in a period.
    :param per_account: attempts at one account in a period.
    :param period: seconds.
    :param mails_per_address: mails and text messages that one address may ask for in *mail_period*.
    :param mails_per_account: mails and text messages to one account in *mail_period*.
    :param mail_period: seconds.
    :param store: counts for all processes together. While it fails, each process counts for itself.
    :raises ConfigError: a limit is not a whole number above zero.
    """

    per_address: int = attrs.field(default=600, validator=a_number("attempts", least=1, most=10**9))
    per_account: int = attrs.field(default=10, validator=a_number("attempts", least=1, most=10**9))
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
    _memory: MemoryAttempts = attrs.field(init=False, repr=False, factory=MemoryAttempts)

    def __call__(self, key: str, route: str, /) -> float | None:
        """Count one attempt; see :class:`RateLimit`."""
        is_mail, is_account = route in _MAIL_ROUTES, key.startswith("account:")
        if is_mail:
            limit, period = self.mails_per_account if is_account else self.mails_per_address, self.mail_period
        else:
            limit, period = self.per_account if is_account else self.per_address, self.period
        name = _name(key, route)
        try:
            number, left = (self.store or self._memory).add(name, period)
        except Exception as error:  # a store that is down must neither lock everybody out nor let everybody in
            _log.error("attempts are counted by this process alone: the store raised %s", type(error).__name__)
            number, left = self._memory.add(name, period)
        return left if number > limit else None

    def clear(self, key: str, route: str, /) -> None:
        """Forget the attempts of a key on a route."""
        try:
            (self.store or self._memory).clear(_name(key, route))
        except Exception as error:
            _log.error("attempts were not forgotten: the store raised %s", type(error).__name__)


def _name(key: str, route: str) -> str:
    """Return what a store knows a counter by, which tells it neither address nor account."""
    return hashlib.sha256(f"{route} {key}".encode("utf-8", "surrogatepass")).hexdigest()


@attrs.define
class _Bucket:
    tokens: float
    filled_at: float


class InMemoryRateLimit:
    """
    Limits in the memory of this process. With several workers, each counts for itself.

    ::

        rate_limit = InMemoryRateLimit(per_account=5)
        rate_limit("account:public:ada@example.com", "/signin")  # None, or the seconds to wait

    :param per_address: attempts a minute from one address on one route. That many may also come at once.
    :param per_account: attempts a minute at one account on one route. That many may also come at once.
    :param size: how many counters are kept in memory. The least recently used are forgotten first.
    :param clock: returns seconds that only go forward.
    :raises ConfigError: a limit is not a whole number above zero.
    """

    def __init__(
        self,
        *,
        per_address: int = 120,
        per_account: int = 10,
        size: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (("per_address", per_address), ("per_account", per_account), ("size", size)):
            a_number("attempts" if name != "size" else "counters", least=1, most=10**9).argument(name, value)
        self._limits = {"address": per_address, "account": per_account}
        self._size = size
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._lock = threading.Lock()
        renew_after_fork(self)

    def __call__(self, key: str, route: str, /) -> float | None:
        limit = self._limits[key.partition(":")[0]]
        with self._lock:
            now = self._clock()
            bucket = self._buckets.setdefault((key, route), _Bucket(limit, now))
            self._buckets.move_to_end((key, route))
            while len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
            bucket.tokens = min(limit, bucket.tokens + (now - bucket.filled_at) * limit / 60)
            bucket.filled_at = now
            if bucket.tokens < 1:
                return (1 - bucket.tokens) * 60 / limit
            bucket.tokens -= 1
            return None

    def after_fork(self) -> None:
        """Take a lock of its own in a child: the parent's may have been held by another thread."""
        self._lock = threading.Lock()


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
