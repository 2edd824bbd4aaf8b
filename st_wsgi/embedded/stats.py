"""Counting requests, for ``GET /requests/stats``."""

from __future__ import annotations

import threading
from typing import Any

from ..forks import renew_after_fork

MINUTES = 24 * 60


class _Day:
    """The requests of one app: of each second of the minute that runs, and of each minute of the last 24 hours."""

    def __init__(self) -> None:
        self.minute = -1
        self.seconds = [0] * 60
        self.average = [-1.0] * MINUTES
        self.peak = [-1] * MINUTES

    def roll(self, minute: int) -> None:
        if minute == self.minute:
            return
        if self.minute >= 0:
            place = self.minute % MINUTES
            self.average[place] = sum(self.seconds) / 60
            self.peak[place] = max(self.seconds)
            for gap in range(self.minute + 1, min(minute, self.minute + MINUTES)):
                self.average[gap % MINUTES] = 0.0
                self.peak[gap % MINUTES] = 0
        self.minute = minute
        self.seconds = [0] * 60


class RequestStats:
    """Counts per app and process; nothing of it is stored."""

    def __init__(self) -> None:
        self._days: dict[str, _Day] = {}
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Take a new lock in a child process; the old one may be held by a thread that is not there."""
        self._lock = threading.Lock()

    def count(self, app_id: str, now: int) -> None:
        """Count a request at *now* (milliseconds)."""
        second = now // 1000
        with self._lock:
            day = self._days.get(app_id)
            if day is None:
                day = self._days[app_id] = _Day()
            if day.minute != second // 60:
                day.roll(second // 60)
            day.seconds[second % 60] += 1

    def forget(self, app_id: str) -> None:
        """Drop the counts of an app that is gone."""
        with self._lock:
            self._days.pop(app_id, None)

    def report(self, app_id: str, now: int) -> dict[str, Any]:
        """Return ``atMinute`` and the averages and peaks of 1440 minutes, the oldest first; -1 for unknown."""
        minute = now // 60_000
        with self._lock:
            day = self._days.setdefault(app_id, _Day())
            day.roll(minute)
            order = [place % MINUTES for place in range(minute - MINUTES, minute)]
            return {
                "atMinute": minute,
                "averageRequestsPerSecond": [day.average[place] for place in order],
                "peakRequestsPerSecond": [day.peak[place] for place in order],
            }
