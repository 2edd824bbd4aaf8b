"""Calls to other servers, each in a thread of its own, with a deadline for the request that waits."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

from .forks import renew_after_fork

T = TypeVar("T")


class NoThread(Exception):
    """There is no thread for a call. The text says why."""


class Exchanges:
    """
    Runs calls in threads, and waits for each until its deadline.

    The time-out of a connection starts again with every byte, so that a slow server could hold its caller for hours.

    ::

        from st_wsgi.exchanges import Exchanges

        exchanges = Exchanges(at_most=8)
        assert exchanges.within(2, lambda: "a reply") == "a reply"

    :param at_most: the largest number of threads. A call that has missed its deadline counts until it ends.
    """

    def __init__(self, *, at_most: int) -> None:
        self._at_most = at_most
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Begin anew in a child process, which has none of the threads."""
        self._free = threading.BoundedSemaphore(self._at_most)

    def within(self, seconds: float, exchange: Callable[[], T]) -> T:
        """
        Return the outcome of *exchange*, or raise its error. If time is up, its thread goes on and its outcome is lost.

        :raises TimeoutError: it has no outcome after *seconds*.
        :raises NoThread: too many calls are under way, or the process cannot have another thread.
        """
        free = self._free
        outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

        def work() -> None:
            try:
                result = exchange()
            except BaseException as error:  # the boundary of the thread; the caller gets it
                free.release()
                outcome.set_exception(error)
            else:
                free.release()
                outcome.set_result(result)

        if not free.acquire(blocking=False):
            raise NoThread(f"{self._at_most} calls are under way already")
        try:
            threading.Thread(target=work, name="st_wsgi-exchange", daemon=True).start()
        except RuntimeError:  # the process cannot have another thread
            free.release()
            raise NoThread("there is no thread for it") from None
        if not concurrent.futures.wait([outcome], seconds).done:
            raise TimeoutError
        return outcome.result()
