"""
Running slow computations (hashes, key generation) where they do not stop everything else.

Under threads, a computation that releases the interpreter lock may run where it is. Under gevent it would stop every
greenlet of the process for its whole length, so it goes to the hub's pool of real threads.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from ..forks import renew_after_fork

P = ParamSpec("P")
T = TypeVar("T")


def under_gevent() -> bool:
    """Return whether gevent patched this process's threads. Never imports gevent."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def offloaded(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call *function* and return its result; under gevent, other greenlets run meanwhile."""
    if not under_gevent():
        return function(*args, **kwargs)
    pool = sys.modules["gevent"].get_hub().threadpool
    result: T = pool.apply(function, args, kwargs)
    return result


class HashingBusy(Exception):
    """Too many password hashes are being computed: try again in a second."""


class HashQueue:
    """
    Lets a few hashes run at a time and a few more wait, first come, first served.

    A request that waits for a hash keeps a thread of the server from all other requests. So a quarter of the threads
    that sign users in stays free: beyond that the answer is a refusal at once. A caller that waited too long leaves,
    and its hash is never computed. Under gevent waiting keeps no thread, and only the time is limited.

    :param at_a_time: how many hashes run at a time.
    :param length: how many threads may wait; None for two, or as many as leave a quarter of the known threads free.
    :param patience: seconds that one waits at most.
    """

    def __init__(self, *, at_a_time: int, length: int | None, patience: float) -> None:
        self.patience = patience
        self._at_a_time = at_a_time
        self._length = length
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Start empty in a child process: the threads that ran and waited are not in it."""
        self._changed = threading.Condition()
        self._running = 0
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._waiting: deque[object] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """
        Wait for a turn, and have it until the block ends.

        :raises HashingBusy: when the queue is full, or the turn did not come in time.
        """
        with self._changed:
            self._threads.add(threading.current_thread())
            if self._running >= self._at_a_time or self._waiting:
                self._wait()
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _wait(self) -> None:
        if len(self._waiting) >= self._longest() and not under_gevent():
            raise HashingBusy
        place = object()
        self._waiting.append(place)
        try:
            if not self._changed.wait_for(
                lambda: self._running < self._at_a_time and self._waiting[0] is place, self.patience
            ):
                raise HashingBusy
        finally:
            self._waiting.remove(place)
            self._changed.notify_all()

    def _longest(self) -> int:
        """Return how many threads may wait now."""
        if self._length is not None:
            return self._length
        # The server does not say how many threads it has. Those that were here before are its own.
        threads = sum(thread.is_alive() for thread in self._threads)
        return max(2, threads * 3 // 4 - self._running)
