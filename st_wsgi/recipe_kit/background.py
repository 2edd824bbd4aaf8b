"""
Work that a response must not wait for, such as a mail to an address that may have no account.

Were it done before the response, the time that it takes would tell who has an account.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ..forks import renew_after_fork
from ..request import current
from ..request.context import RequestContext

_HEAD_START = 0.05  # seconds

_log = logging.getLogger("st_wsgi.delivery")


class Background:
    """
    A few threads that work one thing after the other off, in the user context of the request that asked for it.

    They begin when the response has had the time to leave. Threads of one process slow each other, so that its time
    would show how much there is to do.

    Threads start with the first work, and again in a child process after a fork. At the end of the process, and in
    :meth:`close`, what waits is worked off first.

    :param threads: how many work at once.
    :param limit: how many may wait. Beyond that, work is refused, so that a flood of requests does not fill the memory.
    """

    def __init__(self, *, threads: int = 2, limit: int = 1000) -> None:
        self._threads = threads
        self._limit = limit
        self.after_fork()
        renew_after_fork(self)

    def __repr__(self) -> str:
        return f"<Background: {self._threads} threads, at most {self._limit} waiting>"

    def after_fork(self) -> None:
        """Begin anew in a child process, which has none of the threads."""
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._waiting = 0

    def run(self, work: Callable[[], object]) -> bool:
        """Have *work* done soon, and return whether it was accepted. Errors that it raises are logged by their type."""
        in_flight = current.context()
        with self._lock:
            if self._waiting >= self._limit:
                _log.error("work was refused: %s things wait already", self._limit)
                return False
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="st_wsgi-background")
            not_before = time.monotonic() + _HEAD_START
            context = None if in_flight is None else _copied(in_flight)
            try:
                self._executor.submit(self._do, work, context, not_before)
            except RuntimeError as error:  # the process ends, or cannot have another thread
                _log.error("work was refused: %s", error)
                return False
            self._waiting += 1
        return True

    def close(self) -> None:
        """Wait until all that was accepted is done. More work starts the threads again."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()

    def _do(self, work: Callable[[], object], context: RequestContext | None, not_before: float) -> None:
        token = None if context is None else current.enter(context)
        try:
            time.sleep(max(0.0, not_before - time.monotonic()))
            work()
        except Exception as error:  # the boundary: no caller waits for the outcome
            _log.error("work in the background failed: %s", type(error).__name__)
        finally:
            if token is not None:
                current.leave(token)
            with self._lock:
                self._waiting -= 1


def _copied(context: RequestContext) -> RequestContext:
    """Return a context with the same texts and the same user context, which outlives the request."""
    texts = {name: value for name, value in (context.environ or {}).items() if isinstance(value, str)}
    copy = RequestContext(context.services, texts)
    copy.user_context.update(context.user_context)
    copy.tenant_id, copy.user_id = context.tenant_id, context.user_id
    return copy
