"""Where attempts are counted: the protocol of a store, and the store in the memory of one process."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from .forks import renew_after_fork

_log = logging.getLogger("st_wsgi.limits")


class AttemptStore(Protocol):
    """
    Counts attempts. A store that several processes share makes their limits common. It is called from many threads.

    Keys are texts of 64 characters, which name neither an address nor an account.
    """

    def add(self, key: str, seconds: int, /) -> tuple[int, float]:
        """
        Count one attempt, and return how many there were in the period, and the seconds until that ends.

        :param seconds: how long a period lasts. It begins with the first attempt.
        """

    def clear(self, key: str, /) -> None:
        """Forget the attempts of a key."""


class MemoryAttempts:
    """
    Counts in the memory of this process. With several workers, each counts for itself.

    ::

        AttemptLimits(per_account=50, store=MemoryAttempts())

    :param size: how many counters are kept. The oldest are forgotten first.
    :param clock: returns seconds that only go forward.
    """

    def __init__(self, *, size: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._counters: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Take a lock of its own in a child: the parent's may have been held by another thread."""
        self._lock = threading.Lock()

    def add(self, key: str, seconds: int, /) -> tuple[int, float]:
        """Count one attempt; see :meth:`AttemptStore.add`."""
        with self._lock:
            now = self._clock()
            number, end = self._counters.pop(key, (0, 0.0))
            if end <= now:
                number, end = 0, now + seconds
            self._counters[key] = number + 1, end
            while len(self._counters) > self._size:
                self._counters.popitem(last=False)
            return number + 1, end - now

    def clear(self, key: str, /) -> None:
        """Forget the attempts of a key."""
        with self._lock:
            self._counters.pop(key, None)


class SteadyAttempts:
    """
    Counts in a store, and in the memory of this process while the store fails.

    A store that is down must neither lock everybody out nor let everybody in.

    :param store: None counts in memory in any case.
    """

    def __init__(self, store: AttemptStore | None) -> None:
        self._memory = MemoryAttempts()
        self._store = self._memory if store is None else store

    def add(self, key: str, seconds: int, /) -> tuple[int, float]:
        """Count one attempt; see :meth:`AttemptStore.add`."""
        try:
            return self._store.add(key, seconds)
        except Exception as error:
            _log.error("attempts are counted by this process alone: the store raised %s", type(error).__name__)
            return self._memory.add(key, seconds)

    def clear(self, key: str, /) -> None:
        """Forget the attempts of a key."""
        try:
            self._store.clear(key)
        except Exception as error:
            _log.error("attempts were not forgotten: the store raised %s", type(error).__name__)
