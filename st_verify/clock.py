"""The two clocks of a verifier: wall time for the times in tokens, monotonic time for caches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from st_verify.settings import function


@dataclass(frozen=True, slots=True)
class Clock:
    """
    Two functions that return seconds. Tests replace them to move time without waiting.

    >>> Clock(wall=lambda: 1_800_000_000.0).wall()
    1800000000.0

    :raises SettingError: one of them is no function.
    """

    #: Seconds since the epoch; may jump.
    wall: Callable[[], float] = time.time
    #: Seconds that never run backwards, from any origin.
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        function("wall", self.wall)
        function("monotonic", self.monotonic)
