"""Counting requests, for ``GET /requests/stats``."""

from __future__ import annotations

import threading
from array import array
from typing import Any

from ..forks import renew_after_fork

MINUTES = 24 * 60


class _Day:
    """
    The requests of one app: of each second of the current minute, and of the minutes of the last day that had any.

    :ivar past: three numbers for each such minute, the oldest first: the minute, its requests, the most in one second.
    """

    __slots__ = ("minute", "past", "seconds")

    def __init__(self, minute: int) -> None:
        self.minute = minute
        self.seconds: dict[int, int] = {}
        self.past = array("I")

    def roll(self, minute: int) -> None:
        """Begin another minute, unless the clock went back."""
        if minute <= self.minute:
            return
        if self.seconds:
            self.past.extend((self.minute, sum(self.seconds.values()), max(self.seconds.values())))
            self.seconds = {}
        self.minute = minute
        while self.past and self.past[0] < minute - MINUTES:
            del self.past[:3]


class RequestStats:
    """Counts per app and process; nothing of it is stored. An app without requests for a day takes no memory."""

    def __init__(self) -> None:
        self._days: dict[str, _Day] = {}
        self._since: int | None = None
        self._swept = 0
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Take a new lock in a child process; the old one may be held by a thread that is not there."""
        self._lock = threading.Lock()

    def count(self, app_id: str, now: int) -> None:
        """Count a request at *now* (milliseconds)."""
        minute, second = now // 60_000, now // 1000
        with self._lock:
            if minute - self._swept >= MINUTES:
                self._sweep(minute)
            day = self._days.get(app_id)
            if day is None:
                day = self._days[app_id] = _Day(minute)
                self._since = minute if self._since is None else self._since
            day.roll(minute)
            day.seconds[second] = day.seconds.get(second, 0) + 1

    def forget(self, app_id: str) -> None:
        """Drop the counts of an app that is gone."""
        with self._lock:
            self._days.pop(app_id, None)

    def report(self, app_id: str, now: int) -> dict[str, Any]:
        """
        Return ``atMinute`` and the averages and peaks of 1440 minutes, the oldest first.

        A minute from before this process counted requests is -1.
        """
        minute = now // 60_000
        with self._lock:
            day = self._days.get(app_id) or _Day(minute)
            day.roll(minute)
            past = list(day.past)
            since = minute if self._since is None else self._since
        first = minute - MINUTES
        unknown = min(max(since - first, 0), MINUTES)
        average = [-1.0] * unknown + [0.0] * (MINUTES - unknown)
        peak = [-1] * unknown + [0] * (MINUTES - unknown)
        for at, requests, most in zip(past[::3], past[1::3], past[2::3], strict=True):
            if at < minute:
                average[at - first], peak[at - first] = requests / 60, most
        return {"atMinute": minute, "averageRequestsPerSecond": average, "peakRequestsPerSecond": peak}

    def _sweep(self, minute: int) -> None:
        """Drop, once a day, the apps that had no request for a day."""
        self._swept = minute
        for app_id, day in list(self._days.items()):
            day.roll(minute)
            if not day.past:
                del self._days[app_id]
