"""
How often somebody may try to sign up or in, or ask whether an e-mail is known.

Every try counts twice: for the address that it comes from and for the account that it names, so that neither many
addresses against one account nor one address against many accounts get far. Who is over a limit gets 429 with
``Retry-After``, and the core is not asked.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from .errors import ConfigError
from .forks import renew_after_fork


class RateLimit(Protocol):
    """
    Decides about one try; called from many threads.

    *key* is ``address:`` and the client's address, or ``account:`` and tenant and e-mail; *route* is the path below the
    base path, such as ``/signin``. Returns the seconds to wait, or None to let it pass.
    """

    def __call__(self, key: str, route: str, /) -> float | None: ...


@attrs.define
class _Bucket:
    tokens: float
    filled_at: float


class InMemoryRateLimit:
    """
    Limits in the memory of this process: with several workers, each counts for itself.

    :param per_address: tries a minute from one address on one route; as many may come at once. Default 120.
    :param per_account: tries a minute at one account on one route; as many may come at once. Default 10.
    :param size: how many addresses and accounts are remembered; the longest unused are forgotten first.
    :param clock: returns seconds that only go forward.
    :raises ConfigError: a limit is not positive.
    """

    def __init__(
        self,
        *,
        per_address: int = 120,
        per_account: int = 10,
        size: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if min(per_address, per_account, size) < 1:
            raise ConfigError("the limits of InMemoryRateLimit must be positive")
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
    Return the address that a request came from.

    Every trusted proxy has appended the address that it saw to ``X-Forwarded-For``; what stands further left is the
    client's own invention.

    :param trusted_proxies: how many proxies of ours stand in front; without any, the header is not looked at.
    """
    if trusted_proxies == 0 or not forwarded_for:
        return remote_address
    seen: Sequence[str] = [part.strip() for part in forwarded_for.split(",")]
    return seen[-min(trusted_proxies, len(seen))] or remote_address
