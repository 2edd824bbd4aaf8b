"""Counting requests, for ``GET /requests/stats``."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from typing import Any

import attrs

from ..forks import renew_after_fork

MINUTES = 24 * 60


def _numbers() -> array[int]:
    return array("I")


@attrs.define
class _Day:
    """
    The minutes of an app that had requests: when each was, all requests, and the most in one second.

    Arrays keep an app that is always busy small: 12 bytes a minute.
    """

    minutes: array[int] = attrs.field(factory=_numbers)
    requests: array[int] = attrs.field(factory=_numbers)
    peaks: array[int] = attrs.field(factory=_numbers)
    second: int = 0
    in_second: int = 0

    def count(self, minute: int, second: int) -> None:
        """Count a request. After the clock was set back, requests count for the newest minute."""
        if not self.minutes or self.minutes[-1] < minute:
            old = bisect_left(self.minutes, minute - MINUTES)
            for numbers, first in ((self.minutes, minute), (self.requests, 0), (self.peaks, 0)):
                del numbers[:old]
                numbers.append(first)
        self.in_second = self.in_second + 1 if second == self.second else 1
        self.second = second
        self.requests[-1] += 1
        self.peaks[-1] = max(self.peaks[-1], self.in_second)


class RequestStats:
    """Counts per app and process; nothing of it is stored. An app without requests for a day takes no memory."""

    def __init__(self) -> None:
        self._apps: dict[str, _Day] = {}
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
                self._apps = {name: kept for name, kept in self._apps.items() if kept.minutes[-1] >= minute - MINUTES}
            if self._since is None:
                self._since = minute
            if app_id not in self._apps:
                self._apps[app_id] = _Day()
            self._apps[app_id].count(minute, now // 1000)

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
            day = self._apps.get(app_id, _Day())
            for at, requests, most in zip(day.minutes, day.requests, day.peaks, strict=True):
                if first <= at < minute:
                    average[at - first], peak[at - first] = requests / 60, most
        return {"atMinute": minute, "averageRequestsPerSecond": average, "peakRequestsPerSecond": peak}
