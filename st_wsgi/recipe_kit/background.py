"""
Work that a response must not wait for, such as a mail to an address that may have no account.

Were it done before the response, the time that it takes would tell who has an account.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from ..forks import renew_after_fork
from ..request import current
from ..request.context import RequestContext

_HEAD_START = 0.05  # seconds
_PATIENCE = 10.0  # seconds: with one slow mail after it less than 30, after which gunicorn and Kubernetes kill a worker

_log = logging.getLogger("st_wsgi.delivery")


class Background:
    """
    A few threads that work one thing after the other off, in the user context of the request that asked for it.

    They begin when the response has had the time to leave. Threads of one process slow each other, so that its time
    would show how much there is to do.

    Threads start with work, also in a child process after a fork, and end when there is none. At the end of the
    process, and in :meth:`close`, what waits is worked off first. A service that does not reply must not delay that for
    long: after about 10 seconds, what still waits is dropped, and the log says how much.

    :param threads: how many work at once.
    :param limit: how many may wait. Beyond that, work is refused, so that a flood of requests does not fill the memory.
    :param patience: seconds until what still waits is dropped.
    """

    def __init__(self, *, threads: int = 2, limit: int = 1000, patience: float = _PATIENCE) -> None:
        self._threads = threads
        self._limit = limit
        self._patience = patience
        self.after_fork()
        renew_after_fork(self)

    def __repr__(self) -> str:
        return f"<Background: {self._threads} threads, at most {self._limit} waiting>"

    def after_fork(self) -> None:
        """Begin anew in a child process, which has none of the threads."""
        self._changed = threading.Condition()
        self._queue: deque[tuple[Callable[[], object], RequestContext | None, float]] = deque()
        self._running = 0
        self._end: float | None = None

    def run(self, work: Callable[[], object]) -> bool:
        """Have *work* done soon, and return whether it was accepted. Errors that it raises are logged by their type."""
        in_flight = current.context()
        with self._changed:
            if len(self._queue) >= self._limit:
                _log.error("work was refused: %s things wait already", self._limit)
                return False
            if self._running < self._threads:
                try:
                    # The process must wait for it, also where the thread of the request is a daemon, as in waitress.
                    threading.Thread(target=self._work_off, name="st_wsgi-background", daemon=False).start()
                    self._running += 1
                except RuntimeError as error:  # the process ends, or cannot have another thread
                    if self._running == 0:
                        _log.error("work was refused: %s", error)
                        return False
            context = None if in_flight is None else _copied(in_flight)
            self._queue.append((work, context, time.monotonic() + _HEAD_START))
        return True

    def close(self) -> None:
        """Wait until all that was accepted is done, or the patience ends. More work starts the threads again."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._running == 0, self._patience):
                self._drop()

    def _work_off(self) -> None:
        begun = time.monotonic()
        while True:
            with self._changed:
                if not threading.main_thread().is_alive():  # the process ends, and waits for this thread
                    # It may have begun to end when the work before this did.
                    self._end = self._end or begun + self._patience
                    if time.monotonic() >= self._end:
                        self._drop()
                if not self._queue:
                    self._running -= 1
                    self._end = None  # an app may go on although the main thread has ended
                    self._changed.notify_all()
                    return
                work, context, not_before = self._queue.popleft()
            begun = time.monotonic()
            self._do(work, context, not_before)

    def _drop(self) -> None:
        if self._queue:
            _log.error("%s things still waited after %g seconds and are dropped", len(self._queue), self._patience)
            self._queue.clear()

    def _do(self, work: Callable[[], object], context: RequestContext | None, not_before: float) -> None:
        token = None if context is None else current.enter(context)
        try:
            time.sleep(max(0.0, not_before - time.monotonic()))
            work()
        except BaseException as error:  # the boundary: no caller waits for the outcome, and the thread must live on
            _log.error("work in the background failed: %s", type(error).__name__)
        finally:
            if token is not None:
                current.leave(token)


def _copied(context: RequestContext) -> RequestContext:
    """Return a context with the same texts and the same user context, which outlives the request."""
    texts = {name: value for name, value in (context.environ or {}).items() if isinstance(value, str)}
    copy = RequestContext(context.services, texts)
    copy.user_context.update(context.user_context)
    copy.tenant_id, copy.user_id = context.tenant_id, context.user_id
    return copy
