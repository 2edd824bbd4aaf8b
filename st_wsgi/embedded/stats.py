"""Counting requests, for ``GET /requests/stats``."""

from __future__ import annotations

import threading
from typing import Any

import attrs

from ..forks import renew_after_fork

MINUTES = 24 * 60


@attrs.define
class _Minute:
    """The requests of one minute: all, the most in one second, and those of the newest second."""

    requests: int = 0
    peak: int = 0
    second: int = 0
    in_second: int = 0

    def count(self, second: int) -> None:
        """Count a request."""
        self.in_second = self.in_second + 1 if second == self.second else 1
        self.second = second
        self.requests += 1
        self.peak = max(self.peak, self.in_second)


class RequestStats:
    """Counts per app and process; nothing of it is stored. An app without requests for a day takes no memory."""

    def __init__(self) -> None:
        self._apps: dict[str, dict[int, _Minute]] = {}
        self._since: int | None = None
        self._swept = 0
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Take a new lock in a child process; the old one may be held by a thread that is not there."""
        self._lock = threading.Lock()

    def count(self, app_id: str, now: int) -> None:
        """Count a request at *now* (milliseconds)."""
        minute = now // 60_000
        with self._lock:
            if minute - self._swept >= MINUTES:
                self._swept = minute
                self._apps = {name: kept for name, kept in self._apps.items() if max(kept) >= minute - MINUTES}
            if self._since is None:
                self._since = minute
            minutes = self._apps.setdefault(app_id, {})
            # When the clock went back, the newest minute goes on.
            minute = max(minute, next(reversed(minutes), minute))
            if minute not in minutes:
                minutes[minute] = _Minute()
                while next(iter(minutes)) < minute - MINUTES:
                    del minutes[next(iter(minutes))]
            minutes[minute].count(now // 1000)

    def forget(self, app_id: str) -> None:
        """Drop the counts of an app that is gone."""
        with self._lock:
            self._apps.pop(app_id, None)

    def report(self, app_id: str, now: int) -> dict[str, Any]:
        """
        Return ``atMinute`` and the averages and peaks of 1440 minutes, the oldest first.

        A minute from before this process counted requests is -1.
        """
        minute = now // 60_000
        first = minute - MINUTES
        with self._lock:
            unknown = MINUTES if self._since is None else min(max(self._since - first, 0), MINUTES)
            average = [-1.0] * unknown + [0.0] * (MINUTES - unknown)
            peak = [-1] * unknown + [0] * (MINUTES - unknown)
            for at, counted in self._apps.get(app_id, {}).items():
                if first <= at < minute:
                    average[at - first], peak[at - first] = counted.requests / 60, counted.peak
        return {"atMinute": minute, "averageRequestsPerSecond": average, "peakRequestsPerSecond": peak}
