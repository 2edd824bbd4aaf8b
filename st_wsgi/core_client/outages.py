"""
Outages of the core in the log: one line when a host stops replying, and one when it replies again.

Lines about the same host are at least :data:`QUIET` seconds apart, so that a host that fails now and then does not
flood the log. An outage that begins earlier is logged as soon as that time is over, if it still lasts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import attrs

from ..forks import renew_after_fork

QUIET = 60.0
"""Seconds."""

_log = logging.getLogger("st_wsgi.core")


@attrs.frozen
class _Outage:
    """
    What is known of a host that does not reply.

    :param began: seconds of the monotonic clock.
    :param failures: how many calls got no reply.
    :param logged: whether the log has its beginning.
    """

    began: float
    failures: int
    logged: bool


class Outages:
    """
    The hosts that do not reply at the moment, as this process sees it.

    :param clock: returns seconds that only increase.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._outages: dict[str, _Outage] = {}
        self._logged_at: dict[str, float] = {}
        self._lock = threading.Lock()
        renew_after_fork(self)

    def failed(self, host: str, *, cause: str, cure: str) -> None:
        """
        Note that *host* gave no reply to a call, and log that if it is new.

        :param cause: without a full stop.
        :param cure: one or more sentences.
        """
        with self._lock:
            now = self._clock()
            outage = self._outages.get(host) or _Outage(began=now, failures=0, logged=False)
            new = not outage.logged and now - self._logged_at.get(host, -QUIET) >= QUIET
            if new:
                self._logged_at[host] = now
            self._outages[host] = attrs.evolve(outage, failures=outage.failures + 1, logged=outage.logged or new)
        if new:  # outside the lock, since a handler may do anything, even call the core
            _log.warning(
                "the core at %s is not available: %s. %s This is logged once, and again when it replies",
                host,
                cause,
                cure,
            )

    def replied(self, host: str) -> None:
        """Note that *host* replied, and log the end of its outage."""
        if host not in self._outages:  # every call comes through here, and hardly any goes on
            return
        with self._lock:
            now = self._clock()
            outage = self._outages.pop(host, None)
        if outage is not None and outage.logged:
            seconds, failures = now - outage.began, outage.failures
            _log.warning(
                "the core at %s is available again after %.0f s; %d calls got no reply", host, seconds, failures
            )

    def after_fork(self) -> None:
        """Take a lock of its own in a child process: another thread may have held the parent's."""
        self._lock = threading.Lock()
