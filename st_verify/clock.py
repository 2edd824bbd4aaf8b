"""The two clocks, as arguments: wall time for what tokens say, monotonic time for what we cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Both callables return seconds. Replace them in tests to move time without waiting."""

    #: Seconds since the epoch; may jump.
    wall: Callable[[], float] = time.time
    #: Seconds that never run backwards; origin unknown.
    monotonic: Callable[[], float] = time.monotonic
